# SPDX-License-Identifier: Apache-2.0
# Fake Azure: Entra's token endpoint (an app with its secret, certificate or
# federated token) and managed identities, of App Service and of machines.
# Options:
#
#	tenant, client_id, client_secret, federated_token
#	identity_header => TEXT		what App Service must be sent
#
# The certificate is that of $cloud->azure_certificate.
package Stagedoor::Fake::Azure;

use strict;
use warnings;

use Digest::SHA qw(sha1 sha256);
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::JWT qw(base64url jwt_is_signed jwt_read);
use Stagedoor::Fake::URL qw(query_of);
use Stagedoor::TLS qw(slurp);

use constant AKS => '6dae42f8-4368-4678-94ff-3960e28e3630';

our %ENDPOINTS = (
	entra => {
		routes => [
			[POST => qr{^/([A-Za-z0-9.-]+)/oauth2/v2\.0/token$},
			    \&_entra],
			[GET => qr{^/([A-Za-z0-9.-]+)/v2\.0/\.well-known/
			    openid-configuration$}x, \&_discovery],
			[GET => qr{^/common/discovery/instance$},
			    \&_instances],
		],
		error => sub { _entra_error($_[0], $_[1],
		    $_[2] // 'temporarily_unavailable', 90033,
		    'A transient error has occurred. Please try again.') },
		denied => \&_wrong_secret,
		env => sub { (AZURE_AUTHORITY_HOST => $_[0]->https_url) },
	},
	app_service => {
		routes => [[GET => qr{^/msi/token$}, \&_app_service]],
		error => \&_error, denied => sub { _error($_[0], 403) },
		env => sub { (IDENTITY_ENDPOINT => $_[0]->url('/msi/token'),
		    IDENTITY_HEADER => 'identity-header') },
	},
	azure_imds => {
		routes => [[GET => qr{^/metadata/identity/oauth2/token/?$},
		    \&_machine]],
		error => \&_error, denied => sub { _error($_[0], 403) },
		env => sub { (AZURE_POD_IDENTITY_AUTHORITY_HOST =>
		    $_[0]->url) },
	},
);

# --- Entra ------------------------------------------------------------------

sub _entra_error {
	my ($cloud, $status, $error, $number, $text) = @_;
	my $id = '00000000-0000-4000-8000-000000000000';
	my $time = Stagedoor::Fake::CloudServer::utc($cloud->now)
	    =~ tr/T/ /r;
	return Stagedoor::Fake::CloudServer::json($status, {
		error => $error, error_codes => [$number], timestamp => $time,
		trace_id => $id, correlation_id => $id, error_description =>
		    "AADSTS$number: $text Trace ID: $id Correlation ID: $id "
		    . "Timestamp: $time",
	});
}

sub _wrong_secret {
	my ($cloud) = @_;
	return _entra_error($cloud, 401, invalid_client => 7000215 =>
	    'Invalid client secret provided. Ensure the secret being sent in '
	    . 'the request is the client secret value, not the client secret '
	    . "ID, for a secret added to app '" . _client_id($cloud) . "'.");
}

sub _client_id {
	my ($cloud) = @_;
	return $cloud->option(client_id =>
	    'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee');
}

sub _entra {
	my ($cloud, $request, $tenant) = @_;
	my $form = $request->{form} // {};
	return _entra_error($cloud, 400, invalid_request => 90002 =>
	    "Tenant '$tenant' not found.") if $tenant ne $cloud->option(
	    tenant => '11111111-2222-4333-8444-555555555555');
	return _entra_error($cloud, 400, unsupported_grant_type => 70003 =>
	    'The app requested an unsupported grant type.')
	    if ($form->{grant_type} // '') ne 'client_credentials';
	return _entra_error($cloud, 400, unauthorized_client => 700016 =>
	    "Application with identifier '" . ($form->{client_id} // '')
	    . "' was not found in the directory '$tenant'.")
	    if ($form->{client_id} // '') ne _client_id($cloud);
	return _entra_error($cloud, 400, invalid_scope => 1002012 =>
	    "The provided value for scope is not valid.")
	    if ($form->{scope} // '') !~ m{/\.default$};
	my $refused = defined $form->{client_assertion}
	    ? _assertion($cloud, $request, $form) : _secret($cloud, $form);
	return $refused if $refused;
	my $seconds = $cloud->expires_in(3599);
	return Stagedoor::Fake::CloudServer::json(200, {
		token_type => 'Bearer', expires_in => $seconds,
		ext_expires_in => $seconds,
		access_token => $cloud->issue('entra-token'),
	}, 'Cache-Control' => 'no-store, no-cache');
}

sub _secret {
	my ($cloud, $form) = @_;
	my $secret = $form->{client_secret};
	return _entra_error($cloud, 401, invalid_client => 7000216 =>
	    "'client_assertion', 'client_secret' or 'request' is required "
	    . "for the 'client_credentials' grant type.") if !defined $secret;
	return $secret eq $cloud->option(client_secret => 'azure+secret/%&')
	    ? undef : _wrong_secret($cloud);
}

# A federated token is taken as it is; a JWT with a thumbprint was signed
# with a certificate.
sub _assertion {
	my ($cloud, $request, $form) = @_;
	my $text = $form->{client_assertion};
	return _refused($cloud, 50027, 'JWT token is invalid or malformed.')
	    if ($form->{client_assertion_type} // '')
	    ne 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
	return undef if $text eq $cloud->option(federated_token =>
	    'federated-token');
	my $jwt = jwt_read($text) or return _refused($cloud, 50027,
	    'JWT token is invalid or malformed.');
	return _refused($cloud, 700027, 'The certificate with identifier '
	    . 'used to sign the client assertion is not registered on '
	    . 'application.') if !_thumbprint_fits($cloud, $jwt->{header});
	return _refused($cloud, 700027, 'Client assertion failed signature '
	    . 'validation.') if !jwt_is_signed($jwt,
	    $cloud->dir . '/azure.pub', $cloud->dir);
	return _claims($cloud, $request, $jwt->{claims});
}

sub _refused {
	my ($cloud, $number, $text) = @_;
	return _entra_error($cloud, 401, 'invalid_client', $number, $text);
}

sub _thumbprint_fits {
	my ($cloud, $header) = @_;
	my $file = $cloud->dir . '/azure.crt';
	return 0 if !-e $file;
	my ($text) = slurp($file) =~ /-----\n(.*?)-----/s;
	my $der = decode_base64($text);
	my %of = ('x5t' => base64url(sha1($der)),
	    'x5t#S256' => base64url(sha256($der)));
	my @given = grep { defined $header->{$_} } keys %of;
	return @given && !grep { $header->{$_} =~ tr/=//dr ne $of{$_} } @given;
}

sub _base {
	my ($request) = @_;
	return ($request->{https} ? 'https' : 'http')
	    . "://$request->{headers}{host}";
}

# What Microsoft's own libraries ask for first.
sub _discovery {
	my ($cloud, $request, $tenant) = @_;
	my $base = _base($request) . "/$tenant";
	return Stagedoor::Fake::CloudServer::json(200, {
		issuer => "$base/v2.0",
		authorization_endpoint => "$base/oauth2/v2.0/authorize",
		token_endpoint => "$base/oauth2/v2.0/token",
		jwks_uri => "$base/discovery/v2.0/keys",
	});
}

# Which names the cloud's Entra has.
sub _instances {
	my ($cloud, $request) = @_;
	my $host = $request->{headers}{host};
	return Stagedoor::Fake::CloudServer::json(200, {
		'api-version' => '1.1', tenant_discovery_endpoint =>
		"https://$host/common/v2.0/.well-known/openid-configuration",
		metadata => [{ preferred_network => $host,
		    preferred_cache => $host, aliases => [$host] }],
	});
}

sub _claims {
	my ($cloud, $request, $claims) = @_;
	my $url = _base($request) . $request->{raw_path};
	my $now = $cloud->now;
	return _refused($cloud, 700023, 'Client assertion audience claim '
	    . 'does not match Realm issuer.') if ($claims->{aud} // '') ne $url;
	return _refused($cloud, 700021, 'Client assertion application '
	    . "identifier doesn't match 'client_id' parameter.")
	    if grep { ($claims->{$_} // '') ne _client_id($cloud) }
	    qw(iss sub);
	return _refused($cloud, 700024, 'Client assertion is not within its '
	    . 'valid time range.') if ($claims->{exp} // 0) <= $now - 300
	    || ($claims->{nbf} // $now) > $now + 300;
	return _refused($cloud, 50013, 'Assertion failed: no jti, or one that '
	    . 'was used.') if !length($claims->{jti} // '')
	    || $cloud->{jti}{$claims->{jti}}++;
	return undef;
}

# --- Managed identities -----------------------------------------------------

sub _error {
	my ($cloud, $status, $error, $text) = @_;
	return Stagedoor::Fake::CloudServer::json($status, {
	    error => $error // ($status < 500 ? 'invalid_request'
		: 'server_error'),
	    error_description => $text
		// "the fake managed identity answers $status" });
}

sub _app_service {
	my ($cloud, $request) = @_;
	my $query = query_of($request->{query});
	return _error($cloud, 401, 'unauthorized', 'no such header')
	    if ($request->{headers}{'x-identity-header'} // '') ne
	    $cloud->option(identity_header => 'identity-header');
	return _error($cloud, 400, undef, 'not this api-version')
	    if ($query->{'api-version'} // '') ne '2019-08-01';
	return _identity($cloud, $query, 'app-service-token');
}

sub _machine {
	my ($cloud, $request) = @_;
	my $query = query_of($request->{query});
	return _error($cloud, 400, undef, 'Required metadata header not '
	    . 'specified') if lc($request->{headers}{metadata} // '')
	    ne 'true';
	return _error($cloud, 400, undef, 'not this api-version')
	    if ($query->{'api-version'} // '') ne '2018-02-01';
	return _identity($cloud, $query, 'azure-imds-token');
}

sub _identity {
	my ($cloud, $query, $word) = @_;
	return _error($cloud, 400, 'invalid_resource', 'AADSTS500011: no such '
	    . 'resource') if ($query->{resource} // '') ne AKS;
	my $token = $cloud->issue($word, asked => 86400);
	return Stagedoor::Fake::CloudServer::json(200, {
		access_token => $token, token_type => 'Bearer',
		resource => AKS, expires_in => '' . $cloud->expires_in(86400),
		expires_on => '' . $cloud->issued($token)->{expires},
		client_id => $query->{client_id} // _client_id($cloud),
	});
}

1;
