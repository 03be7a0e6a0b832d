#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The fake clouds: each endpoint hands out what it should to who asks rightly
# and refuses who does not; and each fault that a test can order.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(decode_base64 encode_base64);
use Stagedoor::Fake::CloudServer;
use Stagedoor::Fake::JWT qw(base64url jwt_make);
use Stagedoor::JSON qw(read_json);
use Stagedoor::SigV4 qw(escape signature signed_headers);
use Time::HiRes qw(time);

have_program('openssl') or skip_or_fail('no openssl');

my $SECRET = 'fakesecretfakesecretfakesecret';
my @KEYS = (id => 'AKIAFAKEFAKEFAKEFAKE', secret => $SECRET);
my $ROLE = 'arn:aws:iam::222222222222:role/path/k8s';
my $AKS = '6dae42f8-4368-4678-94ff-3960e28e3630';

my $cloud = cloud();
my $client = Stagedoor::HTTP->new(port => $cloud->port);

sub form {
	my (%of) = @_;
	return join '&', map { escape($_) . '=' . escape($of{$_}) }
	    sort keys %of;
}

sub post_form {
	my ($path, $headers, %form) = @_;
	return $client->post($path, body => form(%form), headers => {
	    'content-type' => 'application/x-www-form-urlencoded',
	    %$headers });
}

sub get_with {
	my ($path, %headers) = @_;
	return $client->get($path, headers => \%headers);
}

# --- STS --------------------------------------------------------------------

# The signatures of the library itself, against recorded ones.
my $recorded = read_json("$FindBin::Bin/vectors/aws_sts_calls.json");
for my $case (@{$recorded->{cases}}) {
	my ($in, $want) = @$case{qw(inputs expected)};
	next if !$want->{authorization};
	my ($host) = $want->{url} =~ m{//([^/]+)};
	my ($names) = $want->{authorization} =~ /SignedHeaders=([^,]+)/;
	my ($scope) = $want->{string_to_sign} =~ /\n(\S+aws4_request)\n/;
	my $hex = signature($in->{secret_access_key}, method => 'POST',
	    names => $names, scope => $scope, date => $want->{x_amz_date},
	    headers => { host => $host, 'x-amz-date' => $want->{x_amz_date},
		'content-type' => $want->{content_type},
		'x-amz-security-token' => $want->{x_amz_security_token} },
	    hash => Digest::SHA::sha256_hex($want->{body}));
	like $want->{authorization}, qr/Signature=$hex$/,
	    "signature of $case->{id}";
}

sub sts {
	my ($keys, %form) = @_;
	my $body = form(Version => '2011-06-15', %form);
	my $date = Stagedoor::Fake::CloudServer::utc(time + ($keys->{off} // 0))
	    =~ tr/-://dr;
	return $client->post('/', body => $body,
	    headers => signed_headers(host => '127.0.0.1:' . $cloud->port,
	    date => $date, body => $body, %$keys));
}

sub assume {
	my ($keys, %form) = @_;
	return sts($keys, Action => 'AssumeRole', RoleArn => $ROLE,
	    RoleSessionName => 'backstage', %form);
}

sub xml_of { return { $_[0]{body} =~ m{<(\w+)>([^<\n]+)</\1>}g } }

sub keys_of {
	my ($answer) = @_;
	my $of = $answer->{body} =~ /^</ ? xml_of($answer) : body_of($answer);
	return { id => $of->{AccessKeyId}, secret => $of->{SecretAccessKey},
	    token => $of->{SessionToken} // $of->{Token} };
}

sub code_of { return "$_[0]{status} " . (xml_of($_[0])->{Code} // '') }

my $answer = assume({ @KEYS });
is $answer->{status}, 200, 'a role is assumed' or diag $answer->{body};
is xml_of($answer)->{SessionToken}, 'sts-token-1+/=', 'with a token';
like xml_of($answer)->{Expiration}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/,
    'that expires';
my $first = keys_of($answer);
is xml_of(sts($first, Action => 'GetCallerIdentity'))->{Arn},
    'arn:aws:sts::222222222222:assumed-role/k8s/backstage',
    'its keys sign for the role';
is assume($first)->{status}, 200, 'and assume another';
is code_of(assume({ @KEYS, secret => 'x' })), '403 SignatureDoesNotMatch',
    'a wrong secret';
is code_of(assume({ @KEYS, id => 'AKIAX' })), '403 InvalidClientTokenId',
    'an unknown key';
is code_of(assume({ %$first, token => undef })), '403 InvalidClientTokenId',
    'temporary keys without their token';
is code_of(assume({ @KEYS }, DurationSeconds => 60)), '400 ValidationError',
    'a life too short';
is code_of(post_form('/', {}, Action => 'AssumeRole',
    Version => '2011-06-15')), '403 MissingAuthenticationToken', 'unsigned';

$cloud->set(roles => { $ROLE => { external_id => 'ext',
    from => ':user/x$' } });
is code_of(assume({ @KEYS })), '403 AccessDenied', 'no external id';
is assume({ @KEYS }, ExternalId => 'ext')->{status}, 200, 'the right one';
is code_of(assume($first, ExternalId => 'ext')), '403 AccessDenied',
    'a role that trusts another';
is code_of(assume({ @KEYS }, RoleArn => "${ROLE}x")), '403 AccessDenied',
    'a role that is not there';
$cloud->set(roles => undef);

sub web_identity {
	my ($token) = @_;
	return post_form('/', {}, Action => 'AssumeRoleWithWebIdentity',
	    Version => '2011-06-15', RoleArn => $ROLE,
	    RoleSessionName => 'web', WebIdentityToken => $token);
}
is web_identity('web-identity-token')->{status}, 200, 'a web identity';
is code_of(web_identity("web-identity-token\n")), '400 InvalidIdentityToken',
    'as it is and not otherwise';

# An EKS token, made with the keys of an answer.
sub eks_token {
	my ($keys, $cluster, %of) = @_;
	my $host = 'sts.eu-west-1.amazonaws.com';
	my $date = Stagedoor::Fake::CloudServer::utc(time) =~ tr/-://dr;
	my $scope = substr($date, 0, 8) . '/eu-west-1/sts/aws4_request';
	my $query = form(Action => 'GetCallerIdentity',
	    Version => '2011-06-15', 'X-Amz-Algorithm' => 'AWS4-HMAC-SHA256',
	    'X-Amz-Credential' => "$keys->{id}/$scope",
	    'X-Amz-Date' => $date, 'X-Amz-Expires' => 60,
	    'X-Amz-Security-Token' => $keys->{token},
	    'X-Amz-SignedHeaders' => 'host;x-k8s-aws-id');
	my $hex = signature($keys->{secret}, method => 'GET',
	    query => $query, names => 'host;x-k8s-aws-id', date => $date,
	    headers => { host => $host, 'x-k8s-aws-id' => $cluster },
	    scope => $scope);
	return 'k8s-aws-v1.' . base64url(
	    "https://$host/?$query&X-Amz-Signature=$hex");
}
my $eks = eks_token($first, 'eks');
like $cloud->eks_identity($eks, 'eks')->{Arn}, qr{assumed-role/k8s/backstage},
    'whose an EKS token is';
is $cloud->eks_identity($eks, 'other')->{Code}, 'SignatureDoesNotMatch',
    'for one cluster only';

SKIP: {
	skip_one('no curl'), last SKIP if !have_program('curl');
	my $run = run_command(['curl', '-s', '--aws-sigv4',
	    'aws:amz:us-east-1:sts', '--user', "$KEYS[1]:$SECRET", '-d',
	    'Action=GetCallerIdentity&Version=2011-06-15', $cloud->url('/')]);
	like $run->{out}, qr{<Arn>arn:aws:iam::111111111111:user/x</Arn>},
	    'curl signs so too';
}

# --- Metadata and containers ------------------------------------------------

my $TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
my $folder = '/latest/meta-data/iam/security-credentials/';
my $imds = $client->request(PUT => '/latest/api/token',
    headers => { $TTL => 21600 });
my %session = ('x-aws-ec2-metadata-token' => $imds->{body});
is get_with($folder, %session)->{body}, 'node-role', 'IMDS names its role';
$answer = get_with("${folder}node-role", %session);
is body_of($answer)->{Code}, 'Success', 'and has keys';
is assume(keys_of($answer))->{status}, 200, 'that sign';
is get_with($folder)->{status}, 401, 'but not without a session';
is $client->request(PUT => '/latest/api/token')->{status}, 400,
    'which lasts a given time';
$answer = get_with('/v2/credentials',
    Authorization => 'container-authorization');
is body_of($answer)->{Token}, 'container-token-1+/=', 'keys of a container';
is assume(keys_of($answer))->{status}, 200, 'that sign';
is get_with('/v2/credentials')->{status}, 401, 'for its token only';

# --- Entra and managed identities -------------------------------------------

my $TENANT = '11111111-2222-4333-8444-555555555555';
my $APP = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
my $entra = "/$TENANT/oauth2/v2.0/token";

sub entra {
	my (%form) = @_;
	return post_form($entra, {}, grant_type => 'client_credentials',
	    client_id => $APP, scope => "$AKS/.default", %form);
}

sub with_assertion {
	my ($assertion) = @_;
	return entra(client_assertion => $assertion, client_assertion_type =>
	    'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
}

$answer = entra(client_secret => 'azure+secret/%&');
is body_of($answer)->{access_token}, 'entra-token-1', 'an app\'s secret';
is body_of($answer)->{expires_in}, 3599, 'for an hour';
is with_assertion('federated-token')->{status}, 200, 'a federated token';
$answer = entra(client_secret => 'wrong');
is "$answer->{status} " . body_of($answer)->{error}, '401 invalid_client',
    'a wrong secret';
like body_of($answer)->{error_description}, qr/^AADSTS7000215: /,
    'with its number';

my $pem = $cloud->azure_certificate;
my ($der) = map { decode_base64($_) } slurp($pem)
    =~ /BEGIN CERTIFICATE-----\n(.*?)-----END/s;

my $jti = 0;

sub assertion {
	my ($alg, %more) = @_;
	return jwt_make({ alg => $alg, typ => 'JWT',
	    'x5t#S256' => base64url(sha256($der)) }, {
		aud => $cloud->url($entra), iss => $APP, sub => $APP,
		nbf => int time, exp => int(time) + 600, jti => 'j' . $jti++,
		%more }, $pem, tempdir());
}
is with_assertion(assertion('PS256'))->{status}, 200, 'a certificate';
is with_assertion(assertion('RS256'))->{status}, 200, 'in the old way';
my $good = assertion('PS256', jti => 'again');
is with_assertion($good)->{status}, 200, 'an assertion';
is with_assertion($good)->{status}, 401, 'is good once';
for my $wrong ([aud => 'https://x/'], [iss => 'x'],
	[exp => int(time) - 600], [jti => '']) {
	is with_assertion(assertion('PS256', @$wrong))->{status}, 401,
	    "a wrong $wrong->[0]";
}
my $forged = assertion('PS256') =~ s/(\.[^.]{20}).([^.]*)$/$1x$2/r;
is with_assertion($forged)->{status}, 401, 'a forged signature';

my $asked = "resource=$AKS&api-version";
$answer = get_with("/msi/token?$asked=2019-08-01",
    'X-IDENTITY-HEADER' => 'identity-header');
is body_of($answer)->{access_token}, 'app-service-token-1', 'App Service';
like body_of($answer)->{expires_on}, qr/^\d{10}$/, 'tells when it expires';
is get_with("/msi/token?$asked=2019-08-01")->{status}, 401,
    'and wants its header';
for my $slash ('', '/') {
	my $path = "/metadata/identity/oauth2/token$slash?$asked=2018-02-01";
	is get_with($path, Metadata => 'true')->{status}, 200,
	    "a machine's identity at token$slash";
	is get_with($path)->{status}, 400, 'with Metadata only';
}

# --- Google -----------------------------------------------------------------

my $account = $cloud->google_file('service_account');
my $key = write_file(tempdir() . '/google.pem', $account->{private_key});

sub google_assertion {
	my (%more) = @_;
	return post_form('/token', {}, grant_type =>
	    'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion =>
	    jwt_make({ alg => 'RS256', typ => 'JWT',
		kid => $account->{private_key_id} }, {
		iss => $account->{client_email},
		aud => 'https://oauth2.googleapis.com/token',
		scope => 'https://www.googleapis.com/auth/cloud-platform',
		iat => int time, exp => int(time) + 3600, %more },
		$key, tempdir()));
}
$answer = google_assertion();
is body_of($answer)->{access_token}, 'google-token-1', 'a service account';
for my $wrong ([aud => 'x'], [iss => 'x'], [exp => int(time) + 7200],
	[iat => int(time) - 7200]) {
	is body_of(google_assertion(@$wrong))->{error}, 'invalid_grant',
	    "a wrong $wrong->[0]";
}
my $user = $cloud->google_file('authorized_user');
my %refresh = map { $_ => $user->{$_} }
    qw(client_id client_secret refresh_token);
is post_form('/token', {}, grant_type => 'refresh_token',
    %refresh)->{status}, 200, 'a user';
is post_form('/token', {}, grant_type => 'refresh_token',
    %refresh, client_secret => 'x')->{status}, 401, 'with the right secret';

my $metadata = '/computeMetadata/v1/instance/service-accounts/default/token';
$answer = get_with($metadata, 'Metadata-Flavor' => 'Google');
is body_of($answer)->{access_token}, 'metadata-token-1', 'the metadata server';
is $answer->{headers}{'metadata-flavor'}, 'Google', 'has its flavour';
is get_with($metadata)->{status}, 403, 'and wants it';

my $external = $cloud->google_file('external_account');
my ($subject_path) = $external->{credential_source}{url} =~ m{//[^/]+(.*)};
my $subject = body_of(get_with($subject_path))->{token};
my %exchange = (audience => $external->{audience}, scope => 'x',
    grant_type => 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type => 'urn:ietf:params:oauth:token-type:access_token',
    subject_token_type => $external->{subject_token_type});
my $federated = body_of(post_form('/v1/token', {}, %exchange,
    subject_token => $subject))->{access_token};
is $federated, 'google-sts-token-1', 'a federated identity';
is post_form('/v1/token', {}, %exchange, subject_token => "$subject\n")
    ->{status}, 400, 'a token that is another';

# A signed call to AWS instead, "for STS" of Google.
sub aws_subject {
	my ($secret, $audience) = @_;
	my $host = 'sts.eu-west-1.amazonaws.com';
	my $query = 'Action=GetCallerIdentity&Version=2011-06-15';
	my $date = Stagedoor::Fake::CloudServer::utc(time) =~ tr/-://dr;
	my $scope = substr($date, 0, 8) . '/eu-west-1/sts/aws4_request';
	my %headers = (host => $host, 'x-amz-date' => $date);
	my $hex = signature($secret, method => 'POST', query => $query,
	    headers => \%headers, names => 'host;x-amz-date',
	    date => $date, scope => $scope);
	%headers = (%headers, 'x-goog-cloud-target-resource' => $audience,
	    Authorization => "AWS4-HMAC-SHA256 Credential=$KEYS[1]/$scope, "
	    . "SignedHeaders=host;x-amz-date, Signature=$hex");
	return escape(encode_json({ method => 'POST',
	    url => "https://$host?$query", headers =>
	    [map { { key => $_, value => $headers{$_} } } keys %headers] }));
}
is post_form('/v1/token', {}, %exchange, subject_token => aws_subject(@$_[0,
    1]))->{status}, $_->[2], "a call to AWS $_->[3]"
    for [$SECRET, $external->{audience}, 200, 'that is signed'],
	['x', $external->{audience}, 400, 'with a wrong secret'],
	[$SECRET, 'x', 400, 'for somebody else'];

my ($iam) = $cloud->google_file('impersonated_service_account')
    ->{service_account_impersonation_url} =~ m{//[^/]+(.*)};

sub impersonate {
	my ($token) = @_;
	return $client->post($iam, headers => {
	    Authorization => "Bearer $token",
	    'content-type' => 'application/json' },
	    json => { scope => ['x'], lifetime => '600s' });
}
is body_of(impersonate($federated))->{accessToken}, 'iam-token-1',
    'it acts as a service account';
is impersonate('x')->{status}, 401, 'others do not';

$cloud->set(gke => { proj => { missingZones => ['z'], clusters => [
    { name => 'a', location => 'r1' }, { name => 'b', location => 'r2' }] } });

sub gke {
	my ($location, $token) = @_;
	return get_with("/v1/projects/proj/locations/$location/clusters",
	    Authorization => "Bearer $token");
}
is_deeply [map { $_->{name} } @{body_of(gke('-', 'iam-token-1'))->{clusters}}],
    [qw(a b)], 'clusters of GKE';
is_deeply body_of(gke('r2', $federated)), { missingZones => ['z'],
    clusters => [{ name => 'b', location => 'r2' }] }, 'of one region';
is gke('-', 'x')->{status}, 401, 'for tokens that were handed out';

# --- Recording --------------------------------------------------------------

$cloud->reset;
entra(client_secret => 'azure+secret/%&');
my ($seen) = @{$cloud->requests('entra')};
is_deeply [@$seen{qw(endpoint method path)}, $seen->{form}{client_secret}],
    ['entra', 'POST', $entra, 'azure+secret/%&'], 'a request is recorded';
is $seen->{headers}{'content-type'}, 'application/x-www-form-urlencoded',
    'with its headers';
impersonate('x');
is_deeply $cloud->requests('iam')->[0]{form}, { scope => ['x'],
    lifetime => '600s' }, 'JSON is decoded too';
is join(' ', map { $cloud->count($_) } qw(entra iam sts)), '1 1 0',
    'requests are counted by endpoint';
is $cloud->count, 2, 'and in all';
is get_with('/other')->{status}, 404, 'what is no endpoint';
is $cloud->count('elsewhere'), 1, 'is counted apart';

# --- Faults -----------------------------------------------------------------

sub statuses {
	my ($n, $ask) = @_;
	return join ' ', map { my $seen = $ask->();
	    $seen->{status} // $seen->{error} } 1 .. $n;
}
my $ask = sub { assume({ @KEYS }) };
$cloud->behave(sts => '503,429,ok');
is statuses(4, $ask), '503 429 200 200', 'a sequence, and then well';
$cloud->behave(sts => '503*2');
is statuses(3, $ask), '503 503 200', 'one fault for some requests';
$cloud->behave(sts => '503');
is statuses(3, $ask), '503 503 503', 'one fault for all';
is code_of($ask->()), '503 ServiceUnavailable', 'as STS says it';
$cloud->behave(sts => '429:3', entra => '429:7');
is $ask->()->{headers}{'retry-after'}, 3, 'when to come again';
is entra()->{headers}{'retry-after'}, 7, 'for each endpoint by itself';
$cloud->behave(sts => 'ok', entra => 'ok');
is $ask->()->{status}, 200, 'and well again';

$cloud->behave(sts => 'slow:0.5');
$answer = $ask->();
cmp_ok $answer->{end} - $cloud->requests('sts')->[-1]{time}, '>', 0.45,
    'a slow answer';
is $answer->{status}, 200, 'comes';
$cloud->behave(sts => 'reset');
like statuses(1, $ask), qr/closed|reset/, 'a connection that closes';
$cloud->behave(sts => 'redirect');
$answer = $ask->();
is "$answer->{status} $answer->{headers}{location}",
    '302 ' . $cloud->url('/elsewhere'), 'a redirect';
$cloud->behave(sts => 'oversized');
$answer = $ask->();
cmp_ok length $answer->{body}, '>=', 3e6, 'an answer too long';
like xml_of($answer)->{SessionToken}, qr/^sts-token/, 'but a right one';
$cloud->behave(sts => 'body:a,b');
is $ask->()->{body}, 'a,b', 'a body that the test gives';
$cloud->behave(sts => 'without:Content-Type');
is $ask->()->{headers}{'content-type'}, undef, 'a header that is missing';

# Half of an answer is neither XML nor JSON.
my @all = (
	[sts => $ask],
	[imds => sub { get_with("${folder}node-role", %session) }],
	[container => sub { get_with('/v2/credentials',
	    Authorization => 'container-authorization') }],
	[entra => sub { entra(client_secret => 'azure+secret/%&') }],
	[app_service => sub { get_with("/msi/token?$asked=2019-08-01",
	    'X-IDENTITY-HEADER' => 'identity-header') }],
	[azure_imds => sub { get_with('/metadata/identity/oauth2/token?'
	    . "$asked=2018-02-01", Metadata => 'true') }],
	[google_token => \&google_assertion],
	[metadata => sub { get_with($metadata, 'Metadata-Flavor' =>
	    'Google') }],
	[google_sts => sub { post_form('/v1/token', {}, %exchange,
	    subject_token => $subject) }],
	[iam => sub { impersonate($federated) }],
	[gke => sub { gke('-', $federated) }],
);
for (@all) {
	my ($name, $call) = @$_;
	$cloud->behave($name => 'malformed');
	my $half = $call->();
	is $half->{status}, 200, "$name: half an answer";
	ok !body_of($half) && $half->{body} !~ m{</\w+Response>},
	    'that is cut';
	$cloud->behave($name => 'ok');
	like statuses(1, $call), qr/^200$/, 'and a whole one';
}

# The cloud's "no".
my %no = (sts => '403 AccessDenied', imds => 403, container => 403,
    entra => '401 invalid_client AADSTS7000215', app_service => 403,
    azure_imds => 403, google_token => '400 invalid_grant', metadata => 403,
    google_sts => '400 invalid_grant', iam => '403 PERMISSION_DENIED',
    gke => '403 PERMISSION_DENIED');
for (@all) {
	my ($name, $call) = @$_;
	$cloud->behave($name => 'denied');
	my $denied = $call->();
	my ($status, @words) = split / /, $no{$name};
	is $denied->{status}, $status, "$name says no";
	like $denied->{body}, qr/$_/, "and $_" for @words;
	$cloud->behave($name => 'ok');
}

# --- Time -------------------------------------------------------------------

# Seconds from now to a time like 2025-01-02T03:04:05Z.
sub seconds_to {
	my ($text) = @_;
	require Time::Local;
	my @part = $text =~ /(\d+)/g;
	return Time::Local::timegm(reverse(@part[3 .. 5]), $part[2],
	    $part[1] - 1, $part[0]) - time;
}
$cloud->behave(map { $_->[0] => 'expired' } @all);
cmp_ok seconds_to(xml_of($ask->())->{Expiration}), '<', 0,
    'expired: STS';
cmp_ok seconds_to(body_of($all[2][1]->())->{Expiration}), '<', 0,
    'a container';
cmp_ok body_of($all[4][1]->())->{expires_on}, '<', time, 'App Service';
is body_of($all[3][1]->())->{expires_in}, 0, 'Entra';
cmp_ok seconds_to(body_of(impersonate($federated))->{expireTime}), '<', 0,
    'iamcredentials';
$cloud->behave(map { $_->[0] => 'ok' } @all);

$cloud->behave(sts => 'expired,ok');
my $dead = keys_of($ask->());
is code_of(assume($dead)), '403 ExpiredToken', 'expired keys sign nothing';

$cloud->set(lifetime => 60);
cmp_ok abs(seconds_to(xml_of($ask->())->{Expiration}) - 60), '<', 3,
    'a short life of keys';
is body_of($all[3][1]->())->{expires_in}, 60, 'and of tokens';
$cloud->set(lifetime => undef);
cmp_ok abs(seconds_to(xml_of(assume({ @KEYS }, DurationSeconds => 900))
    ->{Expiration}) - 900), '<', 3, 'else it is what was asked for';

for my $case ([600, -600, 'is now earlier than .* - 5 min'],
	[-600, 600, 'is still later than .* \+ 5 min']) {
	my ($skew, $off, $text) = @$case;
	$cloud->behave(sts => "skew:$skew", google_token => "skew:$skew",
	    entra => "skew:$skew");
	$answer = $ask->();
	is code_of($answer), '403 SignatureDoesNotMatch',
	    "a clock that is off by $skew";
	like xml_of($answer)->{Message}, qr/$text/, 'with its reason';
	my $skewed = assume({ @KEYS, off => $skew });
	is $skewed->{status}, 200, 'who goes by its time is heard';
	cmp_ok abs(seconds_to(xml_of($skewed)->{Expiration}) - 3600 - $skew),
	    '<', 3, 'and gets its times';
	my ($clock) = $skewed->{headers}{date} =~ /(\d\d:\d\d):\d\d GMT$/;
	like Stagedoor::Fake::CloudServer::utc(time + $skew),
	    qr/T$clock/, 'that the Date shows';
}
is body_of(google_assertion())->{error}, 'invalid_grant',
    'an assertion from the future';
is with_assertion(assertion('PS256', nbf => int(time) + 100))->{status}, 401,
    'is none for Entra either';
$cloud->behave(sts => 'skew:1200', google_token => 'ok', entra => 'ok');
is code_of($ask->()), '400 RequestExpired', 'long ago';
$cloud->behave(sts => 'ok');

for my $wrong (sub { $cloud->behave(sts => 'slw:3') },
	sub { $cloud->behave(st => 'ok') }, sub { $cloud->count('st') },
	sub { $cloud->env('gke') }) {
	ok !eval { $wrong->(); 1 }, 'a mistake of a test is told: ' . $@;
}

# --- https ------------------------------------------------------------------

SKIP: {
	skip_one('no nginx or curl'), last SKIP
	    if grep { !have_program($_) } qw(nginx curl);
	my %env = $cloud->env('sts', 'entra');
	is $env{AZURE_AUTHORITY_HOST}, $cloud->https_url, 'Entra is https';
	my $curl = sub { run_command(['curl', '-s', '--cacert',
	    $cloud->ca_file, @_]) };
	my @form = map { ('--data-urlencode', $_) } "client_id=$APP",
	    'grant_type=client_credentials', "scope=$AKS/.default",
	    'client_secret=azure+secret/%&';
	like $curl->(@form, $cloud->https_url($entra))->{out},
	    qr/entra-token-\d+/, 'with the test\'s CA';
	is run_command(['curl', '-s', @form, $cloud->https_url($entra)])
	    ->{code}, 60, 'and no other';
	my $signed = assertion('PS256', aud => $cloud->https_url($entra));
	like $curl->(@form[0 .. 5], '-d', "client_assertion=$signed",
	    '--data-urlencode', 'client_assertion_type=urn:ietf:params:oauth:'
	    . 'client-assertion-type:jwt-bearer', $cloud->https_url($entra))
	    ->{out}, qr/entra-token-\d+/, 'an assertion for the https address';
	like $curl->('--aws-sigv4', 'aws:amz:us-east-1:sts', '--user',
	    "$KEYS[1]:$SECRET", '-d',
	    'Action=GetCallerIdentity&Version=2011-06-15',
	    $cloud->https_url('/'))->{out}, qr/user\/x/, 'a signature too';
	$cloud->behave(entra => 'reset');
	is $curl->(@form, $cloud->https_url($entra))->{code}, 52,
	    'a connection that closes is one here as well';
}
done_testing;
