#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Tokens that a page brings, beside those that we keep: they win, for that
# request and that cluster alone, and nothing of them is kept. And who is no
# user has none of either.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::BackstageTokens;
use Stagedoor::Visitor;

have_program('openssl') or skip_or_fail('no openssl');
my $issuer = issuer();
my %echo = (handler => \&echo);
my $fake = fake(backstage => 1, clusters => [{ name => 'one', %echo },
    { name => 'gke', %echo }, { name => 'own', %echo }],
    entities => [{ apiVersion => 'backstage.io/v1alpha1',
	kind => 'Component', metadata => { name => 'app', annotations => {
	'backstage.io/kubernetes-id' => 'app' } } }]);
my $dir = tempdir();
write_file("$dir/keys", stagedoor('key')->{out});
chmod 0600, "$dir/keys" or die "$dir/keys: $!";
my $port = free_port();
my %stored = (publicUrl => "http://127.0.0.1:$port", login =>
    [$issuer->login('corp')], store => { type => 'sqlite', path =>
    "$dir/tokens.db", keyFile => "$dir/keys" });
my @clusters = ({ name => 'one', authProvider => 'oidc',
    oidcTokenProvider => 'corp', signIn => 'stagedoor' },
    { name => 'gke', authProvider => 'google' },
    { name => 'own' });
my $settings = settings(fake => $fake, source => 'params',
    clusters => \@clusters, stagedoor => { %stored });
my $file = write_file("$dir/settings.yaml", encode_json($settings));
my $pool = pool(config => $file);
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER);
my ($ann, $bob) = map { Stagedoor::Visitor->new(web => $web, user => $_,
    issuer => $issuer) } qw(ann bob);

# An id token is told by whom it is of.
sub short {
	my ($header) = @_;
	my ($jwt) = ($header // return 'nothing') =~ /^Bearer (eyJ.*)/
	    or return $header;
	return 'of ' . Stagedoor::Issuer::claims_of($jwt)->{email};
}

# The clusters tell what reached them, and have one of anything.
sub echo {
	my ($request, $conn) = @_;
	$conn->reply(200, ['Content-Type' => 'application/json'],
	    encode_json({ kind => 'List', items => [{}], got =>
	    short($request->{headers}{authorization}) }));
	return 1;
}

sub got {
	my ($visitor, $cluster, %headers) = @_;
	my $answer = $visitor->get("/clusters/$cluster/proxy/version",
	    headers => \%headers);
	return $answer->{status} if $answer->{status} != 200;
	return decode_json($answer->{body})->{got};
}

# What each cluster was sent in a query with this in "auth".
sub queried {
	my ($visitor, $auth) = @_;
	$fake->reset;
	my $answer = $visitor->post('/resources/workloads/query',
	    headers => { 'Content-Type' => 'application/json' },
	    body => encode_json({ entityRef => 'component:default/app',
		defined $auth ? (auth => $auth) : () }));
	my %at = map { my $errors = $_->{errors}[0];
	    $_->{cluster}{name} => $errors && $errors->{statusCode} }
	    @{decode_json($answer->{body})->{items}};
	for my $name (keys %at) {
		my %sent = map { short($_->{headers}{authorization}) => 1 }
		    @{$fake->requests($name)};
		$at{$name} //= join ' and ', sort keys %sent;
	}
	return \%at;
}

# --- Of somebody who has signed in ------------------------------------------

$ann->sign_in('oidc/corp');
my $kept = got($ann, 'one');
is $kept, 'of alice@example.test', 'given: what we keep for ann';
my $brought = 'Backstage-Kubernetes-Authorization';
is got($ann, 'one', "$brought-oidc-corp" => 'page-token'),
    'Bearer page-token', 'what her page brings wins over it';
is got($ann, 'one', $brought => 'Bearer whole-header'),
    'Bearer whole-header', 'and so does a whole header';
is got($ann, 'one'), $kept, 'for that request alone';
is got($ann, 'one', "$brought-oidc-other" => 'page-token'), $kept,
    'and not what is for another token provider';
is got($ann, 'one', "$brought-google" => 'page-token'), $kept,
    'or another provider';
is_deeply queried($ann, { oidc => { corp => 'body-token' } }),
    { one => 'Bearer body-token', gke => 401, own => 'Bearer alpha-token' },
    'the same in a query: each cluster gets its own';
is_deeply queried($ann, { google => 'body-google' }),
    { one => $kept, gke => 'Bearer body-google', own => 'Bearer alpha-token' },
    'of one provider here, of us there';
for my $nothing ({}, { oidc => {} }, { oidc => { corp => '' } },
    { oidc => { corp => undef } }, { oidc => { other => 'x' } }, undef) {
	is queried($ann, $nothing)->{one}, $kept,
	    'what brings nothing leaves what we keep: '
	    . (defined $nothing ? encode_json($nothing) : 'no auth');
}
ok $ann->sees('one')->{connected}, 'she is connected all the time';

# --- Of somebody who has not ------------------------------------------------

is got($bob, 'one', "$brought-oidc-corp" => 'page-of-bob'),
    'Bearer page-of-bob', 'bob brings one, too';
is queried($bob, { oidc => { corp => 'body-of-bob' } })->{one},
    'Bearer body-of-bob', 'both ways';
is got($bob, 'one'), 401, 'but it was for that request';
is queried($bob, undef)->{one}, 401, 'each time';
ok !$bob->sees('one')->{connected}, 'he is not connected by it';
my $list = stagedoor('tokens', 'list', '-c', $file, '--json');
is join(' ', map { decode_json($_)->{user} } split /^/, $list->{out}),
    'user:default/ann', 'and nothing is kept for him';
log_has_no('no log has what they brought', qw(page-token whole-header
    body-token body-google page-of-bob body-of-bob));

# --- Of who is no user ------------------------------------------------------

my $tokens = Stagedoor::BackstageTokens->new;
$fake->backstage_says(jwks => $tokens->jwks);
my $backstage = pool(name => 'backstage', settings => settings(fake => $fake,
    clusters => \@clusters, stagedoor => { %stored },
    auth => { externalAccess => [{ type => 'static', options => {
	token => 'service-token-1', subject => 'user:default/ann' } }] }));

sub asks {
	my ($token, $path, %opt) = @_;
	my $answer = request($backstage, $opt{method} // 'GET', $path,
	    headers => [$tokens->bearer($token)]);
	return $answer->{status} != 200 ? $answer->{status}
	    : eval { decode_json($answer->{body})->{got} } // 200;
}
my $own = '/clusters/one/proxy/version';
is asks($tokens->user('user:default/ann'), $own), $kept,
    'ann by her token of Backstage: what we keep for her';
is asks('service-token-1', $own), 403,
    'a service that is called like her has nothing of it';
is asks('service-token-1', '/clusters/own/proxy/version'),
    'Bearer alpha-token', 'but what is the server\'s';
is asks('service-token-1', '/connect/oidc/corp', method => $_), 403,
    "nor can it $_ there" for qw(POST DELETE);
my $page = get($backstage, '/connect', headers =>
    [$tokens->bearer('service-token-1')]);
like $page->{body}, qr/without an account of your own/, 'as the page says';
unlike $page->{body}, qr/<form/, 'which has no button';
is asks($tokens->user('user:default/ann'), $own), $kept,
    'and she is still connected';
done_testing;
