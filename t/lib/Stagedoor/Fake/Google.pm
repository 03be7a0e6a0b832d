# SPDX-License-Identifier: Apache-2.0
# Fake Google: the token endpoint (service accounts, refresh tokens), the
# metadata server, STS for federated identities with a subject token to ask
# for, iamcredentials, and GKE's list of clusters.
# Options:
#
#	google_scope => TEXT	that a service account must ask for
#	subject_token => TEXT	that STS takes and /subject gives; besides, STS
#			takes calls that a key of the fake AWS signed
#	project => NAME		of the metadata server
#	gke => { PROJECT => { clusters => [...], missingZones => [...] } }
#	google_tokens => [...]	that GKE takes besides those handed out
#
# file() makes what a file of credentials holds.
package Stagedoor::Fake::Google;

use strict;
use warnings;

use Stagedoor::Fake::AWS;
use Stagedoor::Fake::JWT qw(jwt_is_signed jwt_read);
use Stagedoor::Fake::URL qw(unescape);
use Stagedoor::JSON qw(decode_json);
use Stagedoor::TLS qw(rsa_key slurp);

use constant {
	EMAIL => 'stagedoor@proj.iam.gserviceaccount.com',
	AUDIENCE => 'https://oauth2.googleapis.com/token',
	SCOPE => 'https://www.googleapis.com/auth/cloud-platform',
	URN => 'urn:ietf:params:oauth',
};

our %ENDPOINTS = (
	google_token => {
		routes => [[POST => qr{^/token$}, \&_token]],
		error => \&_oauth_error,
		denied => sub { _oauth_error($_[0], 400, 'invalid_grant',
		    'Token has been expired or revoked.') },
	},
	metadata => {
		routes => [
			[GET => qr{^(/)$}, \&_metadata],
			[GET => qr{^/computeMetadata/v1(.*)$}, \&_metadata],
		],
		error => sub { _plain($_[1], "answers $_[1]\n") },
		denied => sub { _plain(403, "forbidden\n") },
		env => sub { (GCE_METADATA_HOST =>
		    '127.0.0.1:' . $_[0]->port) },
	},
	google_sts => {
		routes => [[POST => qr{^/v1/token$}, \&_exchange]],
		error => \&_oauth_error,
		denied => sub { _oauth_error($_[0], 400, 'invalid_grant',
		    'The audience in ID Token does not match the expected '
		    . 'audience.') },
	},
	subject => {
		routes => [[GET => qr{^/subject(\.json)?$}, \&_subject]],
		error => sub { _plain($_[1], "answers $_[1]\n") },
		denied => sub { _plain(403, "forbidden\n") },
	},
	iam => {
		routes => [[POST => qr{^/v1/projects/-/serviceAccounts/
		    ([^/:]+):generateAccessToken$}x, \&_impersonate]],
		error => \&_api_error,
		denied => sub { _api_error($_[0], 403, "Permission 'iam."
		    . "serviceAccounts.getAccessToken' denied on resource (or "
		    . 'it may not exist).') },
	},
	gke => {
		routes => [[GET => qr{^/v1/projects/([^/]+)/locations/([^/]+)
		    /clusters$}x, \&_clusters]],
		error => \&_api_error,
		denied => sub { _api_error($_[0], 403,
		    'Required "container.clusters.list" permission(s).') },
	},
);

# --- The token endpoint -----------------------------------------------------

sub _oauth_error {
	my ($cloud, $status, $error, $text) = @_;
	return Stagedoor::Fake::CloudServer::json($status, {
	    error => $error // ($status < 500 ? 'invalid_request'
		: 'internal_failure'),
	    error_description => $text // "the fake Google answers $status" });
}

sub _token {
	my ($cloud, $request) = @_;
	my $form = $request->{form} // {};
	my $grant = $form->{grant_type} // '';
	my $refused = $grant eq URN . ':grant-type:jwt-bearer'
	    ? _bad_assertion($cloud, $request, $form->{assertion})
	    : $grant eq 'refresh_token' ? _bad_refresh($cloud, $form)
	    : _oauth_error($cloud, 400, 'unsupported_grant_type',
		"Invalid grant_type: $grant");
	return $refused if $refused;
	return Stagedoor::Fake::CloudServer::json(200, {
		access_token => $cloud->issue('google-token'),
		expires_in => $cloud->expires_in(3599),
		token_type => 'Bearer',
	});
}

sub _bad_refresh {
	my ($cloud, $form) = @_;
	return _oauth_error($cloud, 401, 'invalid_client',
	    'The OAuth client was not found.')
	    if ($form->{client_id} // '') ne 'google-client'
	    || ($form->{client_secret} // '') ne 'google-secret';
	return _oauth_error($cloud, 400, 'invalid_grant', 'Bad Request')
	    if ($form->{refresh_token} // '') ne 'google-refresh';
	return undef;
}

sub _bad_assertion {
	my ($cloud, $request, $text) = @_;
	my $jwt = jwt_read($text) or return _bad_jwt($cloud, 'Invalid JWT');
	my ($header, $claims) = @$jwt{qw(header claims)};
	my $now = $cloud->now;
	my ($iat, $exp) = map { $_ // 0 } @$claims{qw(iat exp)};
	return _bad_jwt($cloud, 'Invalid grant: account not found')
	    if ($claims->{iss} // '') ne EMAIL;
	return _bad_jwt($cloud, 'Invalid JWT Signature.')
	    if ($header->{alg} // '') ne 'RS256'
	    || ($header->{kid} // 'google-key-1') ne 'google-key-1'
	    || !jwt_is_signed($jwt, $cloud->dir . '/google.pub', $cloud->dir);
	return _bad_jwt($cloud, 'Invalid JWT: Token must be a short-lived '
	    . 'token (60 minutes) and in a reasonable timeframe. Check your '
	    . 'iat and exp values in the JWT claim.')
	    if $exp - $iat > 3600 || $exp <= $now || $iat > $now + 300;
	return _bad_jwt($cloud, 'Invalid JWT: Failed audience check. The right '
	    . 'audience is ' . AUDIENCE) if !grep { ($claims->{aud} // '')
	    eq $_ } AUDIENCE, "http://$request->{headers}{host}/token";
	my $scope = quotemeta $cloud->option(google_scope => SCOPE);
	return _oauth_error($cloud, 400, 'invalid_scope', 'Invalid OAuth scope '
	    . 'or ID token audience provided.')
	    if ($claims->{scope} // '') !~ /(?:^| )$scope(?: |$)/;
	return undef;
}

sub _bad_jwt { return _oauth_error($_[0], 400, 'invalid_grant', $_[1]) }

# --- The metadata server ----------------------------------------------------

sub _plain {
	my ($status, $text) = @_;
	return [$status, ['Content-Type' => 'text/plain',
	    'Metadata-Flavor' => 'Google'], $text];
}

my $ACCOUNT = '/instance/service-accounts/default';

sub _metadata {
	my ($cloud, $request, $path) = @_;
	return _plain(200, "computeMetadata/\n") if $path eq '/';
	return [403, ['Content-Type' => 'text/html'],
	    "Missing Metadata-Flavor:Google header.\n"]
	    if ($request->{headers}{'metadata-flavor'} // '') ne 'Google';
	return Stagedoor::Fake::CloudServer::json(200, {
		access_token => $cloud->issue('metadata-token'),
		expires_in => $cloud->expires_in(3599),
		token_type => 'Bearer',
	}, 'Metadata-Flavor' => 'Google') if $path eq "$ACCOUNT/token";
	return Stagedoor::Fake::CloudServer::json(200, { email => EMAIL,
		aliases => ['default'], scopes => [SCOPE],
	}, 'Metadata-Flavor' => 'Google') if $path eq "$ACCOUNT/";
	my %text = ('/instance' => "service-accounts/\n",
	    '/project/project-id' => $cloud->option(project => 'proj'),
	    "$ACCOUNT/email" => EMAIL, "$ACCOUNT/scopes" => SCOPE . "\n",
	    '/universe/universe-domain' => 'googleapis.com');
	return _plain(404, "not found\n") if !defined $text{$path};
	return _plain(200, $text{$path});
}

# --- Federation and impersonation -------------------------------------------

sub _subject_token { return $_[0]->option(subject_token => 'subject-token') }

sub _subject {
	my ($cloud, $request, $json) = @_;
	return Stagedoor::Fake::CloudServer::json(200,
	    { token => _subject_token($cloud) }) if $json;
	return _plain(200, _subject_token($cloud));
}

# The token of the options, or a request to AWS's STS that is signed for us.
sub _is_subject {
	my ($cloud, $token, $audience) = @_;
	return $token eq _subject_token($cloud) if $token !~ /^(?:%7B|\{)/i;
	my $request = eval { decode_json(unescape($token)) } or return 0;
	return Stagedoor::Fake::AWS::is_signed_subject($cloud, $request,
	    $audience);
}

sub _exchange {
	my ($cloud, $request) = @_;
	my $form = $request->{form} // {};
	my %want = (grant_type => URN . ':grant-type:token-exchange',
	    requested_token_type => URN . ':token-type:access_token');
	for my $name (sort keys %want) {
		return _oauth_error($cloud, 400, 'invalid_request',
		    "Invalid value for \"$name\".")
		    if ($form->{$name} // '') ne $want{$name};
	}
	for my $name (qw(audience scope subject_token_type)) {
		return _oauth_error($cloud, 400, 'invalid_request',
		    "Missing \"$name\".") if ($form->{$name} // '') eq '';
	}
	return _oauth_error($cloud, 400, 'invalid_grant',
	    'Unable to parse the ID Token.')
	    if !_is_subject($cloud, $form->{subject_token} // '',
	    $form->{audience});
	return Stagedoor::Fake::CloudServer::json(200, {
		access_token => $cloud->issue('google-sts-token'),
		issued_token_type => $want{requested_token_type},
		token_type => 'Bearer', expires_in => $cloud->expires_in(3600),
	});
}

sub _api_error {
	my ($cloud, $status, $message) = @_;
	my %name = (400 => 'INVALID_ARGUMENT', 401 => 'UNAUTHENTICATED',
	    403 => 'PERMISSION_DENIED', 404 => 'NOT_FOUND',
	    429 => 'RESOURCE_EXHAUSTED', 503 => 'UNAVAILABLE');
	return Stagedoor::Fake::CloudServer::json($status, { error => {
		code => 0 + $status, status => $name{$status} // 'INTERNAL',
		message => $message // "the fake Google answers $status",
	} });
}

sub _unauthenticated {
	my ($cloud, $request) = @_;
	my ($token) = ($request->{headers}{authorization} // '')
	    =~ /^Bearer (.*)$/;
	my $known = $cloud->issued($token);
	return undef if defined $token && ($known
	    ? $known->{expires} > $cloud->now
	    : grep { $_ eq $token } @{$cloud->option(google_tokens => [])});
	return _api_error($cloud, 401, 'Request had invalid authentication '
	    . 'credentials. Expected OAuth 2 access token, login cookie or '
	    . 'other valid authentication credential.');
}

sub _impersonate {
	my ($cloud, $request, $email) = @_;
	my $refused = _unauthenticated($cloud, $request);
	return $refused if $refused;
	my $form = $request->{form} // {};
	my ($seconds) = ($form->{lifetime} // '3600s') =~ /^(\d+)s$/;
	return _api_error($cloud, 400) if !$seconds || $seconds > 43200
	    || ref $form->{scope} ne 'ARRAY' || !@{$form->{scope}};
	my $token = $cloud->issue('iam-token', asked => $seconds);
	return Stagedoor::Fake::CloudServer::json(200, {
	    accessToken => $token, expireTime =>
	    Stagedoor::Fake::CloudServer::utc(
	    $cloud->issued($token)->{expires}) });
}

# --- GKE --------------------------------------------------------------------

sub _clusters {
	my ($cloud, $request, $project, $location) = @_;
	my $refused = _unauthenticated($cloud, $request);
	return $refused if $refused;
	my $of = $cloud->option(gke => {})->{$project}
	    or return _api_error($cloud, 404, "Not found: projects/$project.");
	my @clusters = grep { $location eq '-' || $location eq
	    ($_->{location} // '') } @{$of->{clusters} // []};
	return Stagedoor::Fake::CloudServer::json(200, {
	    @clusters ? (clusters => \@clusters) : (),
	    $of->{missingZones} ? (missingZones => $of->{missingZones}) : () });
}

# --- Files ------------------------------------------------------------------

my %FILES = (
	service_account => \&_service_account,
	authorized_user => sub { (client_id => 'google-client',
	    client_secret => 'google-secret',
	    refresh_token => 'google-refresh') },
	external_account => \&_external,
	impersonated_service_account => sub { my ($cloud) = @_;
	    (service_account_impersonation_url => _iam_url($cloud),
		delegates => [],
		source_credentials => file($cloud, 'authorized_user')) },
);

# file(CLOUD, TYPE, name => value to add or replace).
sub file {
	my ($cloud, $type, %more) = @_;
	my $make = $FILES{$type} // die "no Google file of type '$type'\n";
	return { type => $type, token_uri => $cloud->url('/token'),
	    $make->($cloud), %more };
}

sub _service_account {
	my ($cloud) = @_;
	my $name = $cloud->dir . '/google';
	rsa_key($cloud->dir, 'google') if !-e "$name.key";
	return (project_id => 'proj', private_key_id => 'google-key-1',
	    client_email => EMAIL, private_key => slurp("$name.key"));
}

sub _external {
	my ($cloud) = @_;
	return (audience => '//iam.googleapis.com/projects/1/locations/global'
	    . '/workloadIdentityPools/pool/providers/provider',
	    subject_token_type => URN . ':token-type:jwt',
	    token_url => $cloud->url('/v1/token'),
	    credential_source => { url => $cloud->url('/subject.json'),
		format => { type => 'json',
		    subject_token_field_name => 'token' } });
}

sub _iam_url {
	my ($cloud) = @_;
	return $cloud->url('/v1/projects/-/serviceAccounts/' . EMAIL
	    . ':generateAccessToken');
}

1;
