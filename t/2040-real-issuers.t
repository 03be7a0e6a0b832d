#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Dex, oidc-provider and Redis as the tests start them: people sign in at their
# pages, tokens rotate, old ones are refused, and the gate before the issuers
# counts and delays.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64);
use Stagedoor::Dex;
use Stagedoor::Fake::JWT qw(base64url);
use Stagedoor::Fake::URL qw(escape);
use Stagedoor::OidcProvider;
use Stagedoor::Redis;
use Time::HiRes qw(time);

use constant { VERIFIER => 'v' x 43, BACK => 'http://127.0.0.1:1/callback' };

sub form_of {
	my (%form) = @_;
	return join '&', map { "$_=" . escape($form{$_}) } sort keys %form;
}

sub ask {
	my ($real, $endpoint, $form, %opt) = @_;
	my $path = $real->url($endpoint) =~ s{^https?://[^/]+}{}r;
	return Stagedoor::HTTP->new(port => $real->port)->post($path,
	    body => form_of(%$form), headers => {
		'Content-Type' => 'application/x-www-form-urlencoded',
		Authorization => 'Basic ' . encode_base64(
		    'stagedoor:client%2Bsecret%2F%25%26', '') }, %opt);
}

sub tokens_of {
	my ($real, $user, %more) = @_;
	my $back = $real->sign_in($real->url('authorize') . '?' . form_of(
	    client_id => 'stagedoor', response_type => 'code', state => 's',
	    scope => 'openid email profile groups offline_access',
	    nonce => 'n', redirect_uri => BACK,
	    code_challenge => base64url(sha256(VERIFIER)),
	    code_challenge_method => 'S256', %more), user => $user);
	my $got = ask($real, 'token', { grant_type => 'authorization_code',
	    code => Stagedoor::Issuer::parameters_of($back)->{code},
	    redirect_uri => BACK, code_verifier => VERIFIER });
	return body_of($got);
}

sub refresh {
	my ($real, $token, %opt) = @_;
	return ask($real, 'token', { grant_type => 'refresh_token',
	    refresh_token => $token }, %opt);
}

sub error_of {
	my ($answer) = @_;
	return 'none' if !$answer->{status};
	return $answer->{status} . ' ' . (body_of($answer)->{error} // '');
}

# What both do. $refused is what is said of an old token.
sub try_issuer {
	my ($name, $real, $refused) = @_;
	like $real->issuer, qr/^https:/, "$name: over TLS";
	my $tokens = tokens_of($real, 'bob');
	my $claims = Stagedoor::Issuer::claims_of($tokens->{id_token});
	is $claims->{email}, 'bob@example.test', "$name: bob signs in";
	is $claims->{iss}, $real->issuer, "$name: its name";
	my $next = refresh($real, $tokens->{refresh_token});
	is error_of($next), '200 ', "$name: a refresh";
	is error_of(refresh($real, $tokens->{refresh_token})), $refused,
	    "$name: an old token is refused";
	is $real->counters->{rotations}, 1, "$name: rotations are counted";
	is $real->counters->{reuses}, 1, "$name: and reuses";

	$tokens = tokens_of($real, 'carol');
	$real->behave(token => 'slow:0.7,ok');
	is error_of(refresh($real, $tokens->{refresh_token},
	    timeout => 0.4)), 'none', "$name: the gate delays answers";
	is error_of(refresh($real, $tokens->{refresh_token})), $refused,
	    "$name: of what was done";
	$tokens = tokens_of($real, 'carol');
	$real->behave(token => '503,late:0.5,ok');
	is error_of(refresh($real, $tokens->{refresh_token})),
	    '503 temporarily_unavailable', "$name: the gate refuses";
	my $begun = time;
	is error_of(refresh($real, $tokens->{refresh_token})), '200 ',
	    "$name: what did not get there";
	cmp_ok time - $begun, '>', 0.5, "$name: late";
	return body_of($next);
}

# --- Dex --------------------------------------------------------------------

my $dex = Stagedoor::Dex->start(tls => 1, id_tokens => '7s');
my $new = try_issuer('Dex', $dex, '400 invalid_request');
is error_of(refresh($dex, $new->{refresh_token})), '200 ',
    'Dex: the newest token stays good when an old one is shown';
my $claims = Stagedoor::Issuer::claims_of($new->{id_token});
is $claims->{exp} - $claims->{iat}, 7, 'Dex: id tokens as short as that';
$dex->stop;
$dex = Stagedoor::Dex->start(storage => 'sqlite', mock => 1,
    reuse_interval => '30s');
$new = tokens_of($dex, 'alice');
ok $new->{id_token}, 'Dex: a choice of connectors, SQLite';
refresh($dex, $new->{refresh_token});
is error_of(refresh($dex, $new->{refresh_token})), '200 ',
    'Dex: an old token is good for a moment';
$dex->stop;

# --- oidc-provider ----------------------------------------------------------

my $op = Stagedoor::OidcProvider->start(tls => 1, alg => 'ES256',
    ttl => { IdToken => 9 }, post_logout_redirect_uris => [BACK]);
$new = try_issuer('oidc-provider', $op, '400 invalid_grant');
is error_of(refresh($op, $new->{refresh_token})), '400 invalid_grant',
    'oidc-provider: an old token ends the session';
$claims = Stagedoor::Issuer::claims_of($new->{id_token});
is $claims->{exp} - $claims->{iat}, 9, 'oidc-provider: short id tokens';
is "@{$claims->{groups}}", 'team-bob', 'oidc-provider: groups';

my $tokens = tokens_of($op, 'alice');
is ask($op, 'revocation', { token => $tokens->{refresh_token} })->{status},
    200, 'oidc-provider: revocation';
is error_of(refresh($op, $tokens->{refresh_token})), '400 invalid_grant',
    'oidc-provider: which ends it';

my $device = body_of(ask($op, 'device_authorization',
    { scope => 'openid offline_access' }));
my %poll = (grant_type => 'urn:ietf:params:oauth:grant-type:device_code',
    device_code => $device->{device_code});
is error_of(ask($op, 'token', \%poll)), '400 authorization_pending',
    'oidc-provider: a device waits';
$op->approve($device->{user_code}, 'carol');
my $got = body_of(ask($op, 'token', \%poll));
is Stagedoor::Issuer::claims_of($got->{id_token})->{sub}, 'carol',
    'oidc-provider: until a person says yes';
my $surfer = $op->surfer;
my $page = $surfer->submit($surfer->go($op->url('end_session') . '?'
    . form_of(client_id => 'stagedoor', post_logout_redirect_uri => BACK,
    state => 'z')), logout => 'yes');
is $page->{url}, BACK . '?state=z', 'oidc-provider: logout comes back';
$op->stop;

# --- Redis ------------------------------------------------------------------

my $redis = Stagedoor::Redis->start(password => 'pass word', durable => 1);
is $redis->command(qw(SET a b)), 'OK', 'Redis: a write';
$redis->kill;
is $redis->start_again->command(qw(GET a)), 'b', 'Redis: survives a kill';
is join(' ', $redis->keys), 'a', 'Redis: keys';
$redis->pause(1);
my $began = time;
eval { local $SIG{ALRM} = sub { die "paused\n" };
    alarm 1; $redis->command('PING'); alarm 0 };
alarm 0;
is $@, "paused\n", 'Redis: paused';
$redis->pause(0);
is $redis->ping, 'PONG', 'Redis: and awake';
done_testing;
