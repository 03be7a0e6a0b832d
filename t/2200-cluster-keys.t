#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The keys of a cluster that Backstage does not have, or reads in our way, as
# a page and a client see them: presentAs, signIn, serviceAccountTokenFile,
# readOnly.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $dir = tempdir();
my $fake = fake(backstage => 1, clusters => [map { { name => $_ } }
    qw(plain shown signs file lost frontend writes reads)]);
my %aks = (authProvider => 'aks');
my $token = write_file("$dir/cluster.token", "alpha-token\n");
my $pool = pool(settings => settings(fake => $fake,
    kubernetes => { objectTypes => ['pods'] },
    clusters => [
	{ name => 'plain', authProvider => 'oidc',
	    oidcTokenProvider => 'okta' },
	{ name => 'shown', authProvider => 'oidc',
	    oidcTokenProvider => 'okta', presentAs => 'google' },
	{ name => 'frontend', %aks, signIn => 'frontend' },
	{ name => 'signs', %aks, signIn => 'stagedoor' },
	{ name => 'file', serviceAccountTokenFile => 'cluster.token',
	    authProvider => 'serviceAccount' },
	{ name => 'lost', serviceAccountTokenFile => "$dir/no.token",
	    authProvider => 'serviceAccount' },
	'writes', { name => 'reads', readOnly => \1 },
    ]));

sub query {
	my (%auth) = @_;
	$fake->reset;
	my $answer = post($pool, '/resources/workloads/query', json => {
		entityRef => 'component:default/shop', auth => \%auth });
	is $answer->{status}, 200, 'a query';
	return { map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}} };
}

# "pods" or what went wrong; then the credential the cluster got.
sub got {
	my ($rows, $name) = @_;
	my $row = $rows->{$name} or return 'no row';
	my @said = map { $_->{errorType} } @{$row->{errors}};
	push @said, map { $_->{type} } grep { @{$_->{resources}} }
	    @{$row->{resources}};
	my $seen = $fake->last_request($name);
	return "@said by "
	    . ($seen ? $seen->{headers}{authorization} // 'nobody' : 'none');
}

# --- GET /clusters ----------------------------------------------------------

my %list = map { $_->{name} => $_ }
    @{body_of(get($pool, '/clusters'))->{items}};
is_deeply $list{plain}, { name => 'plain', authProvider => 'oidc',
    oidcTokenProvider => 'okta' }, 'a cluster is shown as what it is';
is_deeply $list{shown}, { name => 'shown', authProvider => 'google' },
    'or as presentAs says, without the issuer of another provider';
is $list{frontend}{authProvider}, 'aks',
    'where pages sign in they see for what';
is $list{signs}{authProvider}, 'serviceAccount',
    'where we do, pages need not';
is_deeply $list{$_}, { name => $_, authProvider => 'serviceAccount' },
    "$_ shows nothing of its token" for qw(file lost);

# --- A query ----------------------------------------------------------------

my $rows = query(aks => 'alpha-token', google => 'wrong-token',
    oidc => { okta => 'alpha-token' });
is got($rows, 'plain'), 'pods by Bearer alpha-token', 'the token of oidc';
is got($rows, 'shown'), 'pods by Bearer alpha-token',
    'which presentAs does not change';
is got($rows, 'frontend'), 'pods by Bearer alpha-token', 'the token of aks';
is got($rows, 'file'), 'pods by Bearer alpha-token',
    'the token of a file, without its line break';
like got($rows, 'lost'), qr/^\w+ by none$/,
    'without the file the cluster is not asked';
unlike encode_json($rows->{lost}), qr/\Q$dir\E/,
    'and the row does not say where it should be';
like $pool->log_text, qr/cluster 'lost' cannot work: .*no\.token/,
    'the log does';

$rows = query();
is got($rows, $_), 'UNAUTHORIZED_ERROR FETCH_ERROR by none',
    "$_: nobody signed in, nobody asked"
    for qw(plain shown frontend signs);
is got($rows, 'file'), 'pods by Bearer alpha-token', 'the others go on';

# --- The proxy --------------------------------------------------------------

sub proxied {
	my ($name, $method, %opt) = @_;
	$fake->reset;
	my $answer = request($pool, $method,
	    "/clusters/$name/proxy/echo", %opt);
	my $seen = $fake->last_request($name);
	return "$answer->{status} " . ($seen
	    ? $seen->{headers}{authorization} // 'nobody' : 'none');
}

like proxied('frontend', 'GET'), qr/ nobody$/,
    'a cluster of the front end is asked by nobody';
like proxied('signs', 'GET'), qr/^401 none$/,
    'where we sign in it is not asked';
is proxied('file', 'GET'), '200 Bearer alpha-token', 'the token of the file';

for my $method (qw(POST PUT PATCH DELETE)) {
	is proxied('writes', $method, body => '{}'),
	    '200 Bearer alpha-token', "$method is passed on";
	is proxied('reads', $method, body => '{}'), '403 none',
	    'and refused where readOnly is set';
}
is proxied('reads', $_), '200 Bearer alpha-token', "$_ may read there"
    for qw(GET HEAD);
is got(query(), 'reads'), 'pods by Bearer alpha-token', 'as may a query';
done_testing;
