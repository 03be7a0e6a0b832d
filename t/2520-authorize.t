#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Who asks, told to a web server: GET /authorize for nginx's auth_request, and
# the authorizer's role of FastCGI.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::FastCGI;

my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $AUTHORIZER = Stagedoor::FastCGI::FCGI_AUTHORIZER;

my $pool = pool(settings => settings(fake => $fake, auth => {
    externalAccess => [{ type => 'static', options =>
	{ token => 'static-token-1', subject => 'user:default/root' } }] }));

# How each answers to the same: { status, user, groups }.
my %WAYS = (
	'/authorize' => sub { [get($_[0], '/authorize', @{$_[1]}), 204,
	    'x-stagedoor-'] },
	'the role' => sub { [$_[0]->request('PUT', '/any/path?q',
	    role => $AUTHORIZER, @{$_[1]}), 200, 'variable-stagedoor_'] },
);

sub each_way {
	my ($target, $what, $options, %want) = @_;
	for my $way (sort keys %WAYS) {
		my ($answer, $good, $prefix)
		    = @{$WAYS{$way}->($target, $options)};
		my $status = $want{status} // $good;
		is $answer->{status}, $status, "$way: $what";
		is $answer->{headers}{"$prefix$_"}, $want{$_}, "$what: $_"
		    for qw(user groups);
		next if $status != $good;
		is $answer->{body}, '', 'without a body';
		is $answer->{headers}{'cache-control'}, 'no-store',
		    'not to be kept';
	}
}

my $jane = $tokens->user('User:default/Jane', ent =>
    ['user:default/jane', 'group:Default/team-a', 'group:x/y,group:x/z']);
my @jane = (headers => [$tokens->bearer($jane)]);
each_way($pool, 'a user token', \@jane, user => 'user:default/jane',
    groups => 'user:default/jane,group:default/team-a');
each_way($pool, 'without groups', [headers => [$tokens->bearer(
    $tokens->user('user:default/joe', ent => []))]],
    user => 'user:default/joe');
each_way($pool, 'nobody', [], status => 401);
each_way($pool, 'a bad token', [headers => [$tokens->bearer("${jane}x")]],
    status => 401);
each_way($pool, 'a limited token', [headers => [$tokens->bearer(
    $tokens->limited('user:default/jane'))]], status => 401);
each_way($pool, "a limited token in the cookie", [headers => [[Cookie =>
    'backstage-auth=' . $tokens->limited('user:default/jane')]]],
    status => 401);
each_way($pool, 'a service, whatever it is called',
    [headers => [$tokens->bearer('static-token-1')]], status => 403);
each_way($pool, 'parameters of another mode', [as => 'jane'],
    status => 401);

# --- Clusters ---------------------------------------------------------------

my $BASE = BASE;
my $good_uri = "$BASE/clusters/one/proxy/api/a%2Fb?x=1";

# What is told of a cluster, by the last part of the name.
sub told {
	my ($way, @params) = @_;
	my ($answer, $good, $prefix) = @{$WAYS{$way}->($pool,
	    [@jane, params => \@params])};
	return $answer->{status} if $answer->{status} != $good;
	my %told;
	for my $name (keys %{$answer->{headers}}) {
		$told{lc $1 =~ tr/_/-/r} = $answer->{headers}{$name}
		    if $name =~ /^\Q$prefix\E(.*)/i;
	}
	return \%told;
}
for my $way (sort keys %WAYS) {
	my $told = told($way, STAGEDOOR_URI => $good_uri,
	    STAGEDOOR_METHOD => 'DELETE');
	like $told->{upstream}, qr/^stagedoor-one-[0-9a-f]{20}$/,
	    "$way: which upstream";
	is $told->{path}, '/api/a%2Fb', 'which path, as it came';
	is $told->{authorization}, 'Bearer alpha-token', 'with what';
	is $told->{user}, 'user:default/jane', 'for whom';
	my $named = told($way, STAGEDOOR_CLUSTER => 'one',
	    STAGEDOOR_METHOD => 'GET');
	is $named->{authorization}, 'Bearer alpha-token',
	    'and of one that is named';
	is $named->{path}, undef, 'no path, which is the site\'s';
	is told($way, STAGEDOOR_URI => $good_uri), 400, 'not without a method';
	is told($way, STAGEDOOR_URI => $good_uri, STAGEDOOR_URI => '/x',
	    STAGEDOOR_METHOD => 'GET'), 400, 'nor with two paths';
	my %wrong = ("$BASE/./clusters/one/proxy/..x" => 400,
	    "$BASE/%63lusters/one/proxy" => 400, '/a%zz' => 404,
	    "$BASE/clusters/two/proxy/api" => 404,
	    "$BASE/clusters/one" => 404,
	    "$BASE/clusters/one/proxy/x/../../y" => 400,
	    "$BASE/clusters/one/proxy/x/%2e%2e%2f%2e%2e/y" => 400,
	    "$BASE/proxy/../authorize" => 400);
	for my $uri (sort keys %wrong) {
		my $got = told($way, STAGEDOOR_URI => $uri,
		    STAGEDOOR_METHOD => 'GET');
		is ref $got ? $got->{authorization} : $got, $wrong{$uri},
		    "$way: $uri";
	}
}
each_way($pool, 'a stranger who wants some', [params =>
    [STAGEDOOR_CLUSTER => 'one', STAGEDOOR_METHOD => 'GET']], status => 401);
each_way($pool, 'a path of somebody else', [@jane, params =>
    [STAGEDOOR_URI => '/other/app', STAGEDOOR_CLUSTER => '']],
    user => 'user:default/jane',
    groups => 'user:default/jane,group:default/team-a');

# --- Other identities -------------------------------------------------------

my $params = pool(settings => settings(fake => $fake, source => 'params'));
each_way($params, "the web server's user", [as => 'Ann',
    params => [STAGEDOOR_GROUPS => 'dev,ops']], user => 'user:default/ann',
    groups => 'group:default/dev,group:default/ops');
each_way($params, 'nobody', [], status => 401);
each_way($params, 'twice', [params => [STAGEDOOR_USER => 'a',
    STAGEDOOR_USER => 'b']], status => 400);
my $guests = pool(settings => settings(fake => $fake, source => 'params',
    stagedoor => { identity => { source => 'params', guest => 'guest' } }));
each_way($guests, 'a guest', [], user => 'user:default/guest');
my $open = pool(settings => settings(fake => $fake));
each_way($open, 'the default policy disabled', []);

# --- When keys cannot be had, and other roles -------------------------------

$fake->backstage_says(jwks => 500);
my $down = pool(settings => settings(fake => $fake, auth => {}));
each_way($down, 'keys that cannot be had', \@jane, status => 503);
is $pool->request('GET', BASE . '/clusters',
    role => Stagedoor::FastCGI::FCGI_FILTER, @jane)->{status}, 501,
    'no filter';
done_testing;
