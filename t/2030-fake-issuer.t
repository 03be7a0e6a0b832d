#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The fake issuer: each endpoint does what it should for who asks rightly,
# refuses who does not, and misbehaves as it is told.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64);
use Stagedoor::Fake::JWT qw(base64url jwt_is_signed jwt_make jwt_read);
use Stagedoor::Fake::URL qw(escape);
use Time::HiRes qw(sleep time);

have_program('openssl') or skip_or_fail('no openssl');

use constant { VERIFIER => 'v' x 43, BACK => 'http://127.0.0.1:1/callback' };

my $key = tempdir() . '/client';
Stagedoor::TLS::ec_key(tempdir(), 'client');
my $issuer = issuer(clients => {
	stagedoor => { secret => 'client+secret/%&', redirect_uris => [BACK] },
	poster => { auth => 'post', secret => 's' },
	nobody => { auth => 'none' },
	signer => { auth => 'private_key_jwt', public_key => "$key.pub" },
});
my $http = Stagedoor::HTTP->new(port => $issuer->port);

sub path_of_url { return $_[0] =~ s{^https?://[^/]+}{}r }

sub get_json {
	my ($from, $endpoint, %headers) = @_;
	my $answer = Stagedoor::HTTP->new(port => $from->port)->get(
	    path_of_url($from->url($endpoint)), headers => \%headers);
	return body_of($answer);
}

sub form_of {
	my (%form) = @_;
	return join '&', map { "$_=" . escape($form{$_}) }
	    grep { defined $form{$_} } sort keys %form;
}

# As the client "stagedoor" unless the form or a header says otherwise.
sub post_form {
	my ($endpoint, $form, %opt) = @_;
	my $from = $opt{from} // $issuer;
	my $basic = $opt{basic} // 'stagedoor:client%2Bsecret%2F%25%26';
	my $answer = Stagedoor::HTTP->new(port => $from->port)->post(
	    path_of_url($from->url($endpoint)), body => form_of(%$form),
	    timeout => $opt{timeout} // 15, headers => {
		'Content-Type' => 'application/x-www-form-urlencoded',
		$basic ? (Authorization => 'Basic '
		    . encode_base64($basic, '')) : () });
	return $answer;
}

sub code_of {
	my ($answer) = @_;
	return 'none' if !$answer->{status};
	my $json = eval { body_of($answer) } // {};
	return "$answer->{status} " . ($json->{error} // '');
}

sub authorize_url {
	my ($from, %more) = @_;
	my %query = (client_id => 'stagedoor', response_type => 'code',
	    scope => 'openid email offline_access', state => 'st', nonce => 'n',
	    redirect_uri => BACK, code_challenge_method => 'S256',
	    code_challenge => base64url(sha256(VERIFIER)), %more);
	return $from->url('authorize') . '?' . form_of(%query);
}

sub code_for {
	my ($from, %more) = @_;
	my $back = $from->sign_in(authorize_url($from, %more));
	return Stagedoor::Issuer::parameters_of($back);
}

# (ANSWER of the token endpoint) for a new sign-in.
sub trade {
	my ($from, $authorize, $form, %opt) = @_;
	my $code = code_for($from, %$authorize)->{code};
	return post_form('token', { grant_type => 'authorization_code',
	    code => $code, redirect_uri => BACK, code_verifier => VERIFIER,
	    %{$form // {}} }, from => $from, %opt);
}

sub refresh {
	my ($token, %opt) = @_;
	return post_form('token', { grant_type => 'refresh_token',
	    refresh_token => $token }, %opt);
}

# --- Discovery and keys -----------------------------------------------------

my $found = get_json($issuer, 'discovery');
is $found->{issuer}, $issuer->base, 'discovery: the issuer';
like $found->{"${_}_endpoint"}, qr{^\Q$issuer->{base}\E/}, "$_ is there"
    for qw(authorization token userinfo revocation end_session
    device_authorization);
my $jwks = get_json($issuer, 'jwks');
is join(' ', map { "$_->{kty} $_->{alg}" } @{$jwks->{keys}}),
    'RSA RS256 EC ES256', 'a key of each kind';

# --- Codes ------------------------------------------------------------------

my $back = code_for($issuer, login_hint => 'bob@example.test');
is $back->{state}, 'st', 'the state comes back';
is $back->{iss}, $issuer->issuer, 'and iss';
my $answer = post_form('token', { grant_type => 'authorization_code',
    code => $back->{code}, redirect_uri => BACK, code_verifier => VERIFIER });
is code_of($answer), '200 ', 'a code is good';
my $first = body_of($answer);
my $claims = Stagedoor::Issuer::claims_of($first->{id_token});
is $claims->{email}, 'bob@example.test', 'for who signed in';
is $claims->{nonce}, 'n', 'with the nonce';
is code_of(refresh('x')), '400 invalid_grant', 'no such refresh token';
is code_of(post_form('token', { grant_type => 'authorization_code',
    code => $back->{code}, redirect_uri => BACK,
    code_verifier => VERIFIER })), '400 invalid_grant', 'a code is good once';
is code_of(refresh($first->{refresh_token})), '400 invalid_grant',
    'and when it is used twice, what it gave is dead';

for my $wrong (
	[{}, { code_verifier => 'w' x 43 }, 'another verifier'],
	[{}, { code_verifier => undef }, 'no verifier'],
	[{}, { redirect_uri => BACK . '/' }, 'another redirect_uri']) {
	my ($authorize, $form, $what) = @$wrong;
	is code_of(trade($issuer, $authorize, $form)), '400 invalid_grant',
	    $what;
}
for my $wrong (
	[{ redirect_uri => 'http://evil/' }, undef, 'another redirect_uri'],
	[{ client_id => 'x' }, undef, 'an unknown client'],
	[{ scope => 'email' }, 'invalid_scope', 'no openid'],
	[{ code_challenge => undef }, 'invalid_request', 'no PKCE'],
	[{ response_type => 'token' }, 'unsupported_response_type',
	    'no code'],
	[{ prompt => 'none' }, 'login_required', 'no session']) {
	my ($query, $error, $what) = @$wrong;
	is code_for($issuer, %$query)->{error}, $error, "authorize: $what";
}

# --- Clients ----------------------------------------------------------------

sub assertion {
	my (%claims) = @_;
	return jwt_make({ alg => 'ES256' }, { iss => 'signer', jti => rand,
	    sub => 'signer', aud => $issuer->issuer, exp => time + 60,
	    %claims }, "$key.key", tempdir());
}

my %signed = (client_assertion_type => 'urn:ietf:params:oauth:'
    . 'client-assertion-type:jwt-bearer');
my $once = assertion();
for my $case (
	['stagedoor', {}, basic => 'stagedoor:client+secret/%&',
	    '401 invalid_client', 'a secret that is not form-encoded'],
	['stagedoor', {}, basic => 'stagedoor:x', '401 invalid_client',
	    'a wrong secret'],
	['stagedoor', { client_id => 'stagedoor',
	    client_secret => 'client+secret/%&' }, basic => '',
	    '401 invalid_client', 'the secret in the form'],
	['poster', { client_id => 'poster', client_secret => 's' },
	    basic => '', '200 ', 'client_secret_post'],
	['nobody', { client_id => 'nobody' }, basic => '', '200 ', 'none'],
	['signer', { %signed, client_assertion => $once }, basic => '',
	    '200 ', 'private_key_jwt'],
	['signer', { %signed, client_assertion => $once }, basic => '',
	    '401 invalid_client', 'one twice'],
	['signer', { %signed, client_assertion => assertion(aud => 'x') },
	    basic => '', '401 invalid_client', 'for somebody else'],
	['signer', { %signed, client_assertion => assertion(exp => time - 1) },
	    basic => '', '401 invalid_client', 'one that is over'],
	['signer', { %signed, client_assertion =>
	    assertion() =~ s/.{9}$/AAAAAAAAA/r }, basic => '',
	    '401 invalid_client', 'with another signature']) {
	my ($client, $form, undef, $basic, $code, $what) = @$case;
	is code_of(trade($issuer, { client_id => $client }, $form,
	    basic => $basic)), $code, "client: $what";
}

# --- Refresh ----------------------------------------------------------------

$issuer->recount;
my $one = body_of(trade($issuer, {}));
my $two = body_of(refresh($one->{refresh_token}));
isnt $two->{refresh_token}, $one->{refresh_token}, 'it rotates';
my $three = body_of(refresh($two->{refresh_token}));
is $issuer->counters->{rotations}, 2, 'and counts';
is code_of(refresh($two->{refresh_token})), '400 invalid_grant',
    'an old one is refused';
is code_of(refresh($three->{refresh_token})), '400 invalid_grant',
    'and the new one is dead too';
is $issuer->counters->{reuses}, 1, 'one reuse';
is $issuer->sessions->[-1]{revoked}, 'an old refresh token was used',
    'which is known';
$issuer->set(reuse_interval => 60);
$one = body_of(trade($issuer, {}));
refresh($one->{refresh_token});
is code_of(refresh($one->{refresh_token})), '200 ',
    'an old one is good for a moment';
$issuer->set(reuse_interval => 0, rotate => 0);
$one = body_of(trade($issuer, {}));
is body_of(refresh($one->{refresh_token}))->{refresh_token}, undef,
    'without rotation, no new one comes';
$issuer->set(rotate => 1);
is body_of(trade($issuer, { scope => 'openid' }))->{refresh_token}, undef,
    'no offline_access, no refresh token';

# --- Userinfo, revocation, logout -------------------------------------------

$one = body_of(trade($issuer, {}));
my %bearer = (Authorization => "Bearer $one->{access_token}");
is get_json($issuer, 'userinfo', %bearer)->{sub}, 'sub-alice', 'userinfo';
is code_of(post_form('revocation', { token => $one->{refresh_token} })),
    '200 ', 'revoked';
is get_json($issuer, 'userinfo', %bearer)->{error}, 'invalid_token',
    'the access token is, too';
is code_of(refresh($one->{refresh_token})), '400 invalid_grant',
    'and there is no refresh';
is $issuer->sign_in($issuer->url('end_session') . '?' . form_of(
    client_id => 'stagedoor', state => 's',
    post_logout_redirect_uri => 'http://a/b')), 'http://a/b?state=s',
    'logout comes back';

# --- Devices ----------------------------------------------------------------

my $device = body_of(post_form('device_authorization',
    { scope => 'openid offline_access' }));
my %poll = (grant_type => 'urn:ietf:params:oauth:grant-type:device_code',
    device_code => $device->{device_code});
is code_of(post_form('token', \%poll)), '400 authorization_pending',
    'nobody has said yes';
is code_of(post_form('token', \%poll)), '400 slow_down', 'not so fast';
$issuer->set(device_interval => 0.2);
$device = body_of(post_form('device_authorization', { scope => 'openid' }));
$poll{device_code} = $device->{device_code};
$issuer->approve($device->{user_code}, 'carol');
$answer = body_of(post_form('token', \%poll));
is Stagedoor::Issuer::claims_of($answer->{id_token})->{sub}, 'sub-carol',
    'approved';
$device = body_of(post_form('device_authorization', { scope => 'openid' }));
$poll{device_code} = $device->{device_code};
$issuer->deny($device->{user_code});
is code_of(post_form('token', \%poll)), '400 access_denied', 'denied';

# --- Signatures -------------------------------------------------------------

# The name of the alg if one of the listed keys has signed it.
sub signed_by {
	my ($token) = @_;
	my $jwt = jwt_read($token) or return 'unread';
	my ($jwk) = grep { $_->{kid} eq $jwt->{header}{kid} }
	    @{get_json($issuer, 'jwks')->{keys}} or return 'unknown';
	my ($file) = glob $issuer->dir . "/issuer-$jwk->{alg}-"
	    . $jwk->{kid} =~ s/\D//gr . '.pub';
	return jwt_is_signed($jwt, $file, tempdir()) ? $jwk->{alg} : 'forged';
}

sub id_token { return body_of(trade($issuer, {}))->{id_token} }

is signed_by(id_token()), 'RS256', 'signed with RSA';
$issuer->set(alg => 'ES256');
is signed_by(id_token()), 'ES256', 'signed with P-256' for 1 .. 4;
my $old = id_token();
$issuer->rotate_keys(keep => 1);
is signed_by($old), 'ES256', 'the old key is still listed';
$issuer->rotate_keys;
is signed_by($old), 'unknown', 'and now it is not';
is signed_by(id_token()), 'ES256', 'the new one is';
$issuer->rotate_keys(hide => 1);
is signed_by(id_token()), 'unknown', 'a key that is not listed';
$issuer->rotate_keys;

# --- Faults of id tokens ----------------------------------------------------

my %good = %{Stagedoor::Issuer::claims_of(id_token())};
for my $case ((map { [$_, "wrong-$_"] } qw(aud azp nonce sub at_hash)),
    ['iss', 'https://evil.example.org']) {
	my ($name, $value) = @$case;
	$issuer->behave(token => "wrong:$name,ok");
	my $claims = Stagedoor::Issuer::claims_of(id_token());
	is $claims->{$name}, $value, "wrong:$name";
}
for my $case (['wrong:kid', 'unknown'], ['wrong:key', 'forged'],
    ['alg:HS256', 'forged'], ['alg:none', 'unread']) {
	$issuer->behave(token => "$case->[0],ok");
	is signed_by(id_token()), $case->[1], $case->[0];
}
$issuer->behave(token => 'expired,ok');
cmp_ok Stagedoor::Issuer::claims_of(id_token())->{exp}, '<', time - 100,
    'expired';
$issuer->behave(token => 'skew:3600,ok');
cmp_ok Stagedoor::Issuer::claims_of(id_token())->{iat}, '>', time + 3000,
    'skew';
$issuer->behave(token => ['claim:exp="soon"+unclaim:sub', 'ok']);
$claims = Stagedoor::Issuer::claims_of(id_token());
is $claims->{exp}, 'soon', 'claim';
is $claims->{sub}, undef, 'unclaim';

# --- Faults of endpoints ----------------------------------------------------

$issuer->behave(token => 'without:refresh_token+member:token_type="MAC"');
my $changed = body_of(trade($issuer, {}));
is $changed->{refresh_token}, undef, 'without';
is $changed->{token_type}, 'MAC', 'member';
$issuer->behave(token => '503,429:7,400:interaction_required,redirect,reset');
is code_of(trade($issuer, {})), '503 temporarily_unavailable',
    'a status';
is trade($issuer, {})->{headers}{'retry-after'}, '7', '429 with Retry-After';
is code_of(trade($issuer, {})), '400 interaction_required', 'an error';
is trade($issuer, {})->{status}, 302, 'redirect';
is code_of(trade($issuer, {})), 'none', 'reset';
is code_of(trade($issuer, {})), '200 ', 'and then all is well';
$issuer->behave(discovery => 'huge,malformed,wrong:iss,body:{,ok');
cmp_ok length $http->get(path_of_url($issuer->url('discovery')))->{body}, '>',
    2.9e6, 'huge';
ok !eval { get_json($issuer, 'discovery') }, 'malformed';
like get_json($issuer, 'discovery')->{issuer}, qr/evil/, 'another issuer';
is $http->get(path_of_url($issuer->url('discovery')))->{body}, '{', 'body';
$issuer->behave(authorize => 'error:access_denied,wrong:iss,without:iss,ok');
is code_for($issuer)->{error}, 'access_denied', 'authorize: an error';
like code_for($issuer)->{iss}, qr/evil/, 'authorize: another iss';
is code_for($issuer)->{iss}, undef, 'authorize: no iss';
ok !eval { $issuer->behave(token => 'nonsense'); 1 }, 'no such behaviour';

# Slow: spent at once, but answered late. Late: not even spent.
$one = body_of(trade($issuer, {}));
$issuer->behave(token => 'slow:0.6,ok');
my $begun = time;
is code_of(refresh($one->{refresh_token}, timeout => 0.2)), 'none',
    'slow: no answer yet';
is code_of(refresh($one->{refresh_token})), '400 invalid_grant',
    'slow: the token is spent';
cmp_ok time - $begun, '<', 0.6, 'slow: it answers others meanwhile';
$one = body_of(trade($issuer, {}));
$issuer->behave(token => 'late:0.6,ok');
refresh($one->{refresh_token}, timeout => 0.2);
is code_of(refresh($one->{refresh_token})), '200 ',
    'late: the token was not yet spent';
$issuer->behave(token => 'ok,lost,ok');
$one = body_of(trade($issuer, {}));
is code_of(refresh($one->{refresh_token})), 'none', 'lost: no answer';
is code_of(refresh($one->{refresh_token})), '400 invalid_grant',
    'lost: but spent';

# --- Dialects ---------------------------------------------------------------

my $aks = issuer(dialect => 'aks');
like $aks->issuer, qr{/11111111-[\d-]+-555555555555/v2\.0$}, 'aks: issuer';
like $aks->url('token'), qr{/11111111[\d-]+/oauth2/v2\.0/token$}, 'aks: token';
is get_json($aks, 'discovery')->{revocation_endpoint}, undef,
    'aks: no revocation';
my %aks = (from => $aks);
$one = body_of(trade($aks, {}));
is Stagedoor::Issuer::claims_of($one->{id_token})->{tid}, $aks->login->{tenant},
    'aks: tid';
refresh($one->{refresh_token}, %aks);
is code_of(refresh($one->{refresh_token}, %aks)), '200 ',
    'aks: old refresh tokens stay good';
$aks->behave(token => '400:invalid_grant,ok');
like body_of(refresh($one->{refresh_token}, %aks))->{error_description},
    qr/^AADSTS/, 'aks: its form of errors';

my $google = issuer(dialect => 'google', tls => 1);
like $google->issuer, qr/^https:/, 'over TLS';
is body_of(trade($google, {}))->{refresh_token}, undef,
    'google: no refresh token unless access_type=offline';
my %offline = (access_type => 'offline');
$one = body_of(trade($google, \%offline));
ok $one->{refresh_token}, 'google: with it, one';
is body_of(trade($google, \%offline))->{refresh_token}, undef,
    'google: but at the first consent only';
ok body_of(trade($google, { %offline, prompt => 'consent' }))
    ->{refresh_token}, 'google: or when asked anew';
is body_of(refresh($one->{refresh_token}, from => $google))->{refresh_token},
    undef, 'google: refresh tokens stay';

# --- The record, and a cluster that takes JWTs ------------------------------

is $issuer->count('elsewhere'), 0, 'nothing went elsewhere';
$issuer->reset;
trade($issuer, {});
is $issuer->count('token'), 1, 'counted';
is $issuer->requests('token')->[0]{form}{code_verifier}, VERIFIER, 'recorded';

my $fake = fake(clusters => [{ name => 'one', jwt => 'stagedoor' },
    { name => 'two', jwt => 'other' }]);
sub status_at {
	my ($cluster, $token) = @_;
	return Stagedoor::HTTP->new(port => $fake->port($cluster))->get(
	    '/version', headers => { Authorization => "Bearer $token" })
	    ->{status};
}
is status_at(one => id_token()), 200, 'a cluster takes an id token';
is status_at(two => id_token()), 401, 'but none for others';
$issuer->behave(token => 'expired,ok');
is status_at(one => id_token()), 401, 'and none that has ended';
done_testing;
