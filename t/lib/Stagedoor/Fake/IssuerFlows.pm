# SPDX-License-Identifier: Apache-2.0
# What the fake issuer does at each of its endpoints, as RFC 6749, 7009, 7636,
# 8628, 9207 and OpenID Connect say, and as Google and Entra differ. Options
# are in Stagedoor/Issuer.pm.
package Stagedoor::Fake::IssuerFlows;

use strict;
use warnings;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::IssuerClients;
use Stagedoor::Fake::IssuerTokens;
use Stagedoor::Fake::JWT qw(base64url);
use Stagedoor::Fake::URL qw(escape query_of);
use Time::HiRes ();

use constant DEVICE => 'urn:ietf:params:oauth:grant-type:device_code';

sub new {
	my ($class, $server) = @_;
	return bless { server => $server, codes => {}, devices => {},
	    tokens => Stagedoor::Fake::IssuerTokens->new($server) }, $class;
}

# --- What is public ---------------------------------------------------------

sub discovery {
	my ($self) = @_;
	my $server = $self->{server};
	my $iss = $server->is_wrong('iss') ? 'https://evil.example.org'
	    : $server->issuer;
	my %all = (issuer => $iss,
	    response_types_supported => ['code'],
	    subject_types_supported => ['public'],
	    code_challenge_methods_supported => ['S256'],
	    scopes_supported => [qw(openid email profile groups
		offline_access)],
	    id_token_signing_alg_values_supported =>
		[$server->option(alg => 'RS256')],
	    token_endpoint_auth_methods_supported =>
		[qw(client_secret_basic client_secret_post private_key_jwt
		    none)],
	    jwks_uri => $server->url('jwks'));
	$all{authorization_response_iss_parameter_supported} = \1
	    if $server->option(iss_parameter => 1);
	my %names = (authorize => 'authorization_endpoint');
	for (qw(authorize token userinfo device_authorization revocation
	    end_session)) {
		my $url = $server->url($_) // next;
		$all{$names{$_} // "${_}_endpoint"} = $url;
	}
	return Stagedoor::Fake::IssuerServer::json(200, \%all);
}

sub jwks {
	my ($self) = @_;
	my $seconds = $self->{server}->option(jwks_max_age => 0);
	return Stagedoor::Fake::IssuerServer::json(200,
	    $self->{server}->signing_keys->set,
	    $seconds ? ('Cache-Control' => "max-age=$seconds") : ());
}

sub userinfo {
	my ($self, $request) = @_;
	my ($token) = ($request->{headers}{authorization} // '')
	    =~ /^Bearer (.*)$/i;
	my $claims = $self->{tokens}->userinfo($token);
	return Stagedoor::Fake::IssuerServer::json(200, $claims) if $claims;
	return $self->{server}->error(401, 'invalid_token', 'no such token',
	    'WWW-Authenticate' => 'Bearer error="invalid_token"');
}

# --- Authorization ----------------------------------------------------------

sub authorize {
	my ($self, $request) = @_;
	my $server = $self->{server};
	my $query = query_of($request->{query});
	my $why = $self->_not_even_back($query);
	return _page(400, "Bad request: $why") if defined $why;
	my ($error, $text) = $self->_refused($query);
	return $self->_back($query, error => $error,
	    error_description => $text) if defined $error;
	return $self->_ask($request) if $server->told('page')
	    && !defined $query->{go};
	$server->bump('logins');
	my $code = 'code-' . ($self->{ncodes} = ($self->{ncodes} // 0) + 1)
	    . '-' . $self->{tokens}->random;
	$self->{codes}{$code} = { query => $query,
	    user => $self->{tokens}->user_of($query->{login_hint}),
	    until => time + $server->option(code_seconds => 60) };
	return $self->_back($query, code => $code);
}

# What must not lead to a redirect.
sub _not_even_back {
	my ($self, $query) = @_;
	my $id = $query->{client_id} // '';
	my $client = Stagedoor::Fake::IssuerClients::all($self->{server})
	    ->{$id} or return 'no such client_id';
	my $uri = $query->{redirect_uri} // return 'no redirect_uri';
	my $known = $client->{redirect_uris};
	return 'redirect_uri is not registered'
	    if $known && !grep { $_ eq $uri } @$known;
	return undef;
}

sub _refused {
	my ($self, $query) = @_;
	my $server = $self->{server};
	my $told = $server->told('error');
	return ($told, $server->option(error_description =>
	    "the fake issuer says $told")) if defined $told;
	return ('access_denied', 'The person said no')
	    if ($query->{go} // '') eq 'no';
	return ('unsupported_response_type', 'only code')
	    if ($query->{response_type} // '') ne 'code';
	return ('invalid_scope', 'openid is missing')
	    if ($query->{scope} // '') !~ /(?:^| )openid(?: |$)/;
	return ('invalid_request', 'PKCE with S256 is needed')
	    if $server->option(pkce => 1)
	    && (($query->{code_challenge_method} // '') ne 'S256'
	    || ($query->{code_challenge} // '') !~ /^[\w-]{43}$/);
	return ('login_required', 'nobody is signed in')
	    if ($query->{prompt} // '') eq 'none'
	    && !$server->option(session => 0);
	return;
}

sub _back {
	my ($self, $query, %more) = @_;
	my $server = $self->{server};
	$more{state} = $query->{state} if defined $query->{state};
	$more{state} .= 'x' if $server->is_wrong('state');
	$more{iss} = $server->issuer if $server->option(iss_parameter => 1);
	$more{iss} = 'https://evil.example.org' if $server->is_wrong('iss');
	delete @more{$server->told_names('without')};
	my $uri = $query->{redirect_uri};
	$uri .= ($uri =~ /\?/ ? '&' : '?') . join '&',
	    map { "$_=" . escape($more{$_}) } sort keys %more;
	return [302, [Location => $uri, 'Cache-Control' => 'no-store'], ''];
}

# A page for people and their browsers.
sub _ask {
	my ($self, $request) = @_;
	my $url = $request->{target} =~ s/&/&amp;/gr;
	my $name = $self->{tokens}->user_of(
	    query_of($request->{query})->{login_hint});
	return _page(200, "Sign in to the test issuer as $name?", <<"END");
<p><a id="signin" href="$url&amp;go=yes">Sign in</a>
<a id="cancel" href="$url&amp;go=no">Cancel</a></p>
END
}

sub _page {
	my ($status, $title, $more) = @_;
	return [$status, ['Content-Type' => 'text/html; charset=utf-8',
	    'Cache-Control' => 'no-store'], '<!DOCTYPE html><html lang="en">'
	    . "<title>Test issuer</title><h1>$title</h1>" . ($more // '')
	    . "</html>\n"];
}

# --- The token endpoint -----------------------------------------------------

my %GRANTS = (authorization_code => \&_code, refresh_token => \&_refresh,
    DEVICE, \&_device);

sub token {
	my ($self, $request) = @_;
	my $server = $self->{server};
	return $server->error(405, 'invalid_request', 'only POST')
	    if $request->{method} ne 'POST';
	return $server->error(400, 'invalid_request', 'no form')
	    if !$request->{form};
	my ($client, $refused) = Stagedoor::Fake::IssuerClients::identify(
	    $server, $request);
	return $refused if $refused;
	my $grant = $request->{form}{grant_type} // '';
	my $call = $GRANTS{$grant} or return $server->error(400,
	    'unsupported_grant_type', "no grant_type '$grant'");
	return $call->($self, $client, $request->{form});
}

sub _grant_error {
	my ($self, $text) = @_;
	$self->{server}->bump('refused');
	return $self->{server}->error(400, 'invalid_grant', $text);
}

sub _code {
	my ($self, $client, $form) = @_;
	my $code = $self->{codes}{$form->{code} // ''}
	    or return $self->_grant_error('no such code');
	if ($code->{used}++) {
		$self->{server}->bump('codes_reused');
		$self->{tokens}->revoke_family($code->{family}, 'code reused')
		    if defined $code->{family};
		return $self->_grant_error('the code was used before');
	}
	my $query = $code->{query};
	my $why = $code->{until} < time ? 'the code is too old'
	    : $query->{client_id} ne $client ? 'a code of another client'
	    : $query->{redirect_uri} ne ($form->{redirect_uri} // '')
		? 'another redirect_uri' : _pkce($query, $form);
	return $self->_grant_error($why) if defined $why;
	$self->{server}->bump('codes');
	my $answer = $self->{tokens}->begin(user => $code->{user},
	    client => $client, scope => $query->{scope},
	    nonce => $query->{nonce}, query => $query);
	$code->{family} = $answer->{family};
	return $self->_issue($answer);
}

sub _pkce {
	my ($query, $form) = @_;
	my $challenge = $query->{code_challenge} // return undef;
	my $verifier = $form->{code_verifier} // '';
	return 'code_verifier is none' if $verifier !~ /^[\w.~-]{43,128}$/;
	return base64url(sha256($verifier)) eq $challenge ? undef
	    : 'code_verifier does not fit';
}

sub _issue {
	my ($self, $answer) = @_;
	return Stagedoor::Fake::IssuerServer::json(200, $answer->{json},
	    'Cache-Control' => 'no-store', Pragma => 'no-cache');
}

sub _refresh {
	my ($self, $client, $form) = @_;
	my ($answer, $why) = $self->{tokens}->refresh($client,
	    $form->{refresh_token} // '', $form->{scope});
	return $self->_grant_error($why) if !$answer;
	return $self->_issue($answer);
}

# --- The device flow --------------------------------------------------------

sub device_authorization {
	my ($self, $request) = @_;
	my $server = $self->{server};
	my ($client, $refused) = Stagedoor::Fake::IssuerClients::identify(
	    $server, $request);
	return $refused if $refused;
	my $scope = $request->{form}{scope} // '';
	return $server->error(400, 'invalid_scope', 'Invalid device flow '
	    . "scope: $scope") if $server->dialect eq 'google'
	    && $scope =~ /cloud-platform/;
	my $n = $server->bump('devices');
	my $user_code = sprintf 'TEST-%04d', $n;
	my $seconds = $server->option(device_seconds => 600);
	my $code = "device-code-$n-" . $self->{tokens}->random;
	my $interval = $server->option(device_interval => 1);
	$self->{devices}{$code} = { client => $client, scope => $scope,
	    user_code => $user_code, until => time + $seconds,
	    interval => $interval || 5 };
	my $page = $server->url('device_page');
	return Stagedoor::Fake::IssuerServer::json(200, {
	    device_code => $code, user_code => $user_code,
	    verification_uri => $page, expires_in => $seconds,
	    verification_uri_complete => "$page?user_code=$user_code",
	    $interval ? (interval => $interval) : () });
}

sub device_page {
	my ($self, $request) = @_;
	my $code = query_of($request->{query})->{user_code} // '';
	return _page(200, 'Which device?') if $code !~ /^[\w-]+$/;
	return _page(200, "Let the device $code sign in?");
}

# By the test: decide(USER_CODE, USER, or undef for no).
sub decide {
	my ($self, $user_code, $user) = @_;
	my ($device) = grep { $_->{user_code} eq $user_code }
	    values %{$self->{devices}} or die "no device '$user_code'\n";
	$device->{decision} = defined $user
	    ? { user => $self->{tokens}->user_of($user) } : {};
	return 'ok';
}

sub _device {
	my ($self, $client, $form) = @_;
	my $server = $self->{server};
	my $code = $form->{device_code} // '';
	my $device = $self->{devices}{$code}
	    or return $self->_grant_error('no such device_code');
	return $self->_grant_error('a device_code of another client')
	    if $device->{client} ne $client;
	my $error = $self->_not_yet($device);
	return $server->error(400, $error, "the fake issuer says $error")
	    if defined $error;
	delete $self->{devices}{$code};
	return $server->error(400, 'access_denied', 'The person said no')
	    if !defined $device->{decision}{user};
	return $self->_issue($self->{tokens}->begin(client => $client,
	    user => $device->{decision}{user}, scope => $device->{scope}));
}

sub _not_yet {
	my ($self, $device) = @_;
	my ($last, $now) = ($device->{last}, Time::HiRes::time());
	$device->{last} = $now;
	return 'expired_token' if $device->{until} < $now;
	# A little less is meant well: timers are not exact.
	if (defined $last && $now - $last < $device->{interval} - 0.1) {
		$self->{server}->bump('too_fast');
		$device->{interval} += 5;
		return 'slow_down';
	}
	return $device->{decision} ? undef : 'authorization_pending';
}

# --- The end ----------------------------------------------------------------

sub revocation {
	my ($self, $request) = @_;
	my ($client, $refused) = $self->{server}->dialect eq 'google' ? ('')
	    : Stagedoor::Fake::IssuerClients::identify($self->{server},
	    $request);
	return $refused if $refused;
	my $token = ($request->{form} // {})->{token};
	return $self->{server}->error(400, 'invalid_request', 'no token')
	    if !defined $token;
	$self->{server}->bump('revoked')
	    if $self->{tokens}->revoke($client, $token);
	return [200, [], ''];
}

sub end_session {
	my ($self, $request) = @_;
	my $query = query_of($request->{method} eq 'POST'
	    ? $request->{body} : $request->{query});
	my $client = Stagedoor::Fake::IssuerClients::all($self->{server})
	    ->{$query->{client_id} // ''};
	$self->{server}->bump('logouts');
	my $uri = $query->{post_logout_redirect_uri};
	return _page(200, 'You are signed out') if !defined $uri || !$client
	    || ($client->{post_logout_redirect_uris}
	    && !grep { $_ eq $uri } @{$client->{post_logout_redirect_uris}});
	$uri .= ($uri =~ /\?/ ? '&' : '?') . 'state=' . escape($query->{state})
	    if defined $query->{state};
	return [302, [Location => $uri], ''];
}

# By the test.
sub sessions { return $_[0]{tokens}->sessions }
sub end_sessions { my $self = shift; return $self->{tokens}->end(@_) }

1;
