#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Issuers that misbehave while somebody signs in: for each fault nobody is
# connected, the page says so in time, no redirect is followed, and once the
# issuer is well again the same person gets in.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Visitor;
use Time::HiRes qw(sleep time);

my $fake = fake(clusters => [{ name => 'one', jwt => 1 }]);
my $back = BASE . '/connect';
my ($issuer, $number) = (issuer(), 0);

# A pool, for it keeps what issuers publish, and a web server before it.
sub portal {
	my ($login) = @_;
	my $port = free_port();
	my $pool = pool(name => 'portal-' . ++$number, settings => settings(
	    fake => $fake, source => 'params', clusters => [{ name => 'one',
		authProvider => 'oidc', oidcTokenProvider => 'corp',
		signIn => 'stagedoor' }],
	    stagedoor => { publicUrl => "http://127.0.0.1:$port",
		login => [$login // $issuer->login('corp')] }));
	return nginx(pool => $pool, port => $port,
	    server => Stagedoor::Visitor::SERVER);
}

sub visitor {
	my ($web) = @_;
	return Stagedoor::Visitor->new(web => $web, issuer => $issuer,
	    user => 'ann-' . ++$number);
}

sub well { $issuer->behave(map { $_ => 'ok' } qw(discovery jwks token)) }

# Signing in must fail within 8 seconds: on the way back, with one of these
# words, or at the start, with a page that says so.
sub fails {
	my ($ann, $what, $words) = @_;
	my $began = time;
	my $to = $ann->begin('oidc/corp');
	my $answer = defined $to
	    ? $ann->get($issuer->sign_in($to), foreign => 1)
	    : $ann->post('/connect/oidc/corp', form => {});
	my $took = time - $began;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is defined $to ? 'back' : 'start', defined $words ? 'back' : 'start',
	    "$what: where it fails";
	like $answer->{headers}{location},
	    qr{\Q$back\E\?failed=(?:$words)&login=oidc/corp$}, '... and how'
	    if defined $words;
	like "$answer->{status} $answer->{body}",
	    qr/^50[0-4] .*role="alert">\w/s, '... with a page'
	    if !defined $words;
	cmp_ok $took, '<', 8, '... in time';
	is $ann->sees('one')->{connected} ? 1 : 0, 0,
	    '... and nobody is connected';
}

# --- Tokens -----------------------------------------------------------------

my ($web, $began) = (portal(), time);
my ($early, $first) = ($web, visitor($web));
like $first->sign_in('oidc/corp')->{headers}{location}, qr/done=connected/,
    'given: signing in works';
my @wrong = ((map { "wrong:$_" } qw(iss aud azp nonce at_hash key)),
    qw(alg:none alg:HS256 expired), (map { "unclaim:$_" } qw(iss aud sub exp
    iat nonce)), 'claim:nbf=4000000000', 'claim:iat=4000000000',
    'claim:exp="4000000000"', 'claim:aud=["stagedoor","other"]',
    'header:crit=["x"]', 'header:alg="none"', 'without:id_token');
for my $fault (@wrong) {
	$issuer->behave(token => [$fault]);	# as a list: it has commas
	fails(visitor($web), $fault, 'refused');
}
for (['without:access_token', 'away'], ['member:token_type="mac"', 'away'],
    ['huge', 'away'], ['malformed', 'away'], ['redirect', 'away'],
    ['body:[]', 'away'], ['500', 'away'], ['503', 'away'], ['429:3', 'away'],
    ['reset', 'away'], ['lost', 'away'], ['400:invalid_grant', 'refused'],
    ['400:invalid_client', 'setup'], ['401', 'setup']) {
	my ($fault, $word) = @$_;
	$issuer->behave(token => $fault);
	fails(visitor($web), "the token endpoint: $fault", $word);
}
$issuer->behave(token => 'slow:2.5');
like visitor($web)->sign_in('oidc/corp')->{headers}{location},
    qr/done=connected/, 'one that is slow is waited for';
well();

# --- Keys -------------------------------------------------------------------

$web = portal();
visitor($web)->sign_in('oidc/corp');
my $before = $issuer->count('jwks');
$issuer->behave(token => 'wrong:kid');
fails(visitor($web), 'a key that nobody knows', 'refused') for 1 .. 6;
cmp_ok $issuer->count('jwks') - $before, '<=', 1,
    'six of them make us ask for the keys once';
well();
like visitor($web)->sign_in('oidc/corp')->{headers}{location},
    qr/done=connected/, 'known ones go on being good';

# --- What it publishes ------------------------------------------------------

for my $fault ('503', 'huge', 'malformed', 'redirect', 'reset', 'hang',
    'body:{}', 'body:[]') {
	$issuer->behave(jwks => $fault);
	fails(visitor(portal()), "keys: $fault", 'away');
}
$issuer->behave(jwks => 'body:{"keys":[]}');
fails(visitor(portal()), 'keys: none', 'refused');
well();
for my $fault ('503', '404', 'huge', 'malformed', 'redirect', 'reset', 'hang',
    'body:{}', 'body:[]', 'wrong:iss', 'without:issuer',
    'without:authorization_endpoint', 'without:token_endpoint',
    'member:token_endpoint="http://evil.example/token"',
    'member:authorization_endpoint="javascript:alert(1)"') {
	$issuer->behave(discovery => $fault);
	fails(visitor(portal()), "discovery: $fault", undef);
}
well();

# Keys are not fetched more than twice a minute for the sake of a token.
my $wait = $began + 31 - time;
sleep $wait if $wait > 0;
$issuer->rotate_keys;
like visitor($early)->sign_in('oidc/corp')->{headers}{location},
    qr/done=connected/, 'when it rotates its keys, the new ones are fetched';

is $issuer->count('elsewhere'), 0, 'no redirect was followed';
log_has_no('no log has a token or a secret', 'refresh-alice',
    'alice-access-token', 'client+secret');
done_testing;
