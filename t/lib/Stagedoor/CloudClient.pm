# SPDX-License-Identifier: Apache-2.0
# A client that asks the fake clouds as a program should, or wrongly where a
# test wants that: ask(ENDPOINT) is a right request for each of them.
#
#	my $client = Stagedoor::CloudClient->new($cloud);
#	$client->ask('entra');
#	$client->assume({ AWS_KEYS, secret => 'wrong' }, ExternalId => 'x');
package Stagedoor::CloudClient;

use strict;
use warnings;

use parent 'Stagedoor::HTTP';

use Digest::SHA qw(sha256);
use Exporter qw(import);
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::CloudServer;
use Stagedoor::Fake::JWT qw(base64url jwt_make);
use Stagedoor::SigV4 qw(escape signature signed_headers);
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(tempdir write_file);
use Time::Local qw(timegm);

our @EXPORT_OK = qw(code_of keys_of xml_of form_of date_now seconds_to
    AWS_KEYS ROLE AKS APP ENTRA IMDS_ROLE);

use constant {
	ROLE => 'arn:aws:iam::222222222222:role/path/k8s',
	AKS => '6dae42f8-4368-4678-94ff-3960e28e3630',
	APP => 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
	ENTRA => '/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token',
	IMDS_ROLE => '/latest/meta-data/iam/security-credentials/node-role',
};
use constant AWS_KEYS => (id => 'AKIAFAKEFAKEFAKEFAKE',
    secret => 'fakesecretfakesecretfakesecret');

my %ASK = (
	sts => sub { $_[0]->assume({ AWS_KEYS }) },
	imds => sub { $_[0]->get(IMDS_ROLE, headers => $_[0]->session) },
	container => sub { $_[0]->get('/v2/credentials', headers =>
	    { Authorization => 'container-authorization' }) },
	entra => sub { $_[0]->entra(client_secret => 'azure+secret/%&') },
	app_service => sub { $_[0]->get('/msi/token?api-version=2019-08-01&'
	    . 'resource=' . AKS, headers =>
	    { 'X-IDENTITY-HEADER' => 'identity-header' }) },
	azure_imds => sub { $_[0]->get('/metadata/identity/oauth2/token?'
	    . 'api-version=2018-02-01&resource=' . AKS,
	    headers => { Metadata => 'true' }) },
	google_token => sub { $_[0]->google_assertion },
	metadata => sub { $_[0]->get('/computeMetadata/v1/instance/'
	    . 'service-accounts/default/token',
	    headers => { 'Metadata-Flavor' => 'Google' }) },
	google_sts => sub { $_[0]->exchange('subject-token') },
	subject => sub { $_[0]->get('/subject.json') },
	iam => sub { $_[0]->impersonate($_[0]->bearer) },
	gke => sub { $_[0]->gke('-', $_[0]->bearer) },
);

sub new {
	my ($class, $cloud) = @_;
	return bless { host => '127.0.0.1', port => $cloud->port,
	    cloud => $cloud, jti => 0 }, $class;
}

sub endpoints { return sort keys %ASK }
sub ask { return $ASK{$_[1]}->($_[0]) }

sub form_of {
	my (%of) = @_;
	return join '&', map { escape($_) . '=' . escape($of{$_}) }
	    sort keys %of;
}

sub post_form {
	my ($self, $path, %form) = @_;
	return $self->post($path, body => form_of(%form), headers =>
	    { 'content-type' => 'application/x-www-form-urlencoded' });
}

# --- AWS --------------------------------------------------------------------

# "20250102T030405Z", so many seconds from now.
sub date_now {
	my ($off) = @_;
	return Stagedoor::Fake::CloudServer::utc(time + ($off // 0))
	    =~ tr/-://dr;
}

# sts({ id, secret, token, off => seconds that our clock is wrong, change =>
# headers that are otherwise than what was signed }, form...).
sub sts {
	my ($self, $keys, %form) = @_;
	my $body = form_of(Version => '2011-06-15', %form);
	my $signed = signed_headers(host => "127.0.0.1:$self->{port}",
	    body => $body, date => date_now($keys->{off}), %$keys);
	return $self->post('/', body => $body,
	    headers => { %$signed, %{$keys->{change} // {}} });
}

sub assume {
	my ($self, $keys, %form) = @_;
	return $self->sts($keys, Action => 'AssumeRole', RoleArn => ROLE,
	    RoleSessionName => 'backstage', %form);
}

sub web_identity {
	my ($self, $token) = @_;
	return $self->post_form('/', Action => 'AssumeRoleWithWebIdentity',
	    Version => '2011-06-15', RoleArn => ROLE,
	    RoleSessionName => 'web', WebIdentityToken => $token);
}

sub xml_of { return { $_[0]{body} =~ m{<(\w+)>([^<\n]+)</\1>}g } }
sub code_of { return "$_[0]{status} " . (xml_of($_[0])->{Code} // '') }

# The keys in an answer, of STS or of metadata.
sub keys_of {
	my ($answer) = @_;
	my $of = $answer->{body} =~ /^</ ? xml_of($answer)
	    : Stagedoor::HTTP::json($answer);
	return { id => $of->{AccessKeyId}, secret => $of->{SecretAccessKey},
	    token => $of->{SessionToken} // $of->{Token} };
}

# Seconds from now to a time like 2025-01-02T03:04:05Z.
sub seconds_to {
	my ($text) = @_;
	my ($year, $month, @rest) = $text
	    =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/
	    or die "no time: '$text'";
	return timegm(reverse(@rest), $month - 1, $year) - time;
}

sub eks_token {
	my ($self, $keys, $cluster) = @_;
	my ($host, $date) = ('sts.eu-west-1.amazonaws.com', date_now());
	my $scope = substr($date, 0, 8) . '/eu-west-1/sts/aws4_request';
	my %of = (names => 'host;x-k8s-aws-id', date => $date,
	    headers => { host => $host, 'x-k8s-aws-id' => $cluster },
	    scope => $scope);
	my $query = form_of(Action => 'GetCallerIdentity',
	    Version => '2011-06-15', 'X-Amz-Algorithm' => 'AWS4-HMAC-SHA256',
	    'X-Amz-Credential' => "$keys->{id}/$scope",
	    'X-Amz-Date' => $date, 'X-Amz-Expires' => 60,
	    'X-Amz-Security-Token' => $keys->{token},
	    'X-Amz-SignedHeaders' => $of{names});
	my $hex = signature($keys->{secret}, method => 'GET',
	    query => $query, %of);
	return 'k8s-aws-v1.' . base64url(
	    "https://$host/?$query&X-Amz-Signature=$hex");
}

# The header that opens IMDS.
sub session {
	my ($self) = @_;
	$self->{session} //= $self->request(PUT => '/latest/api/token',
	    headers => { 'x-aws-ec2-metadata-token-ttl-seconds' => 21600 })
	    ->{body};
	return { 'x-aws-ec2-metadata-token' => $self->{session} };
}

# --- Azure ------------------------------------------------------------------

sub entra {
	my ($self, %form) = @_;
	return $self->post_form(ENTRA, grant_type => 'client_credentials',
	    client_id => APP, scope => AKS . '/.default', %form);
}

sub with_assertion {
	my ($self, $assertion) = @_;
	return $self->entra(client_assertion => $assertion,
	    client_assertion_type =>
	    'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
}

# An assertion by the certificate; more claims may be wrong ones.
sub assertion {
	my ($self, $alg, %more) = @_;
	my $pem = $self->{cloud}->azure_certificate;
	my ($der) = map { decode_base64($_) } slurp($pem)
	    =~ /BEGIN CERTIFICATE-----\n(.*?)-----END/s;
	return jwt_make({ alg => $alg, typ => 'JWT',
	    'x5t#S256' => base64url(sha256($der)) }, {
		aud => $self->{cloud}->url(ENTRA), iss => APP, sub => APP,
		nbf => time, exp => time + 600, jti => 'j' . $self->{jti}++,
		%more }, $pem, tempdir());
}

# --- Google -----------------------------------------------------------------

sub google_assertion {
	my ($self, %more) = @_;
	my $of = $self->{cloud}->google_file('service_account');
	my $key = write_file(tempdir() . '/google.pem', $of->{private_key});
	return $self->post_form('/token', grant_type =>
	    'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion =>
	    jwt_make({ alg => 'RS256', typ => 'JWT',
		kid => $of->{private_key_id} }, {
		iss => $of->{client_email}, iat => time, exp => time + 3600,
		aud => 'https://oauth2.googleapis.com/token',
		scope => 'https://www.googleapis.com/auth/cloud-platform',
		%more }, $key, tempdir()));
}

sub refresh {
	my ($self, %more) = @_;
	my $file = $self->{cloud}->google_file('authorized_user');
	delete @$file{qw(type token_uri)};
	return $self->post_form('/token', grant_type => 'refresh_token',
	    %$file, %more);
}

sub exchange {
	my ($self, $subject) = @_;
	my $of = $self->{cloud}->google_file('external_account');
	my $urn = 'urn:ietf:params:oauth';
	return $self->post_form('/v1/token', audience => $of->{audience},
	    scope => 'x', grant_type => "$urn:grant-type:token-exchange",
	    requested_token_type => "$urn:token-type:access_token",
	    subject_token_type => $of->{subject_token_type},
	    subject_token => $subject);
}

# A call to AWS that is signed instead of a subject token.
sub aws_subject {
	my ($self, $keys, $audience) = @_;
	my ($host, $date) = ('sts.eu-west-1.amazonaws.com', date_now());
	my $query = 'Action=GetCallerIdentity&Version=2011-06-15';
	my $scope = substr($date, 0, 8) . '/eu-west-1/sts/aws4_request';
	my %of = (host => $host, 'x-amz-date' => $date);
	my $hex = signature($keys->{secret}, method => 'POST', scope => $scope,
	    query => $query, headers => { %of }, names => 'host;x-amz-date',
	    date => $date);
	$of{'x-goog-cloud-target-resource'} = $audience;
	$of{Authorization} = "AWS4-HMAC-SHA256 Credential=$keys->{id}/$scope, "
	    . "SignedHeaders=host;x-amz-date, Signature=$hex";
	return escape(Stagedoor::JSON::encode_json({ method => 'POST',
	    url => "https://$host?$query", headers =>
	    [map { { key => $_, value => $of{$_} } } sort keys %of] }));
}

# A token that Google's own endpoints take.
sub bearer {
	my ($self) = @_;
	return $self->{bearer} //= Stagedoor::HTTP::json($self->refresh)
	    ->{access_token};
}

sub impersonate {
	my ($self, $token) = @_;
	my ($path) = $self->{cloud}->google_file(
	    'impersonated_service_account')
	    ->{service_account_impersonation_url} =~ m{//[^/]+(.*)};
	return $self->post($path, headers => { Authorization =>
	    "Bearer $token", 'content-type' => 'application/json' },
	    json => { scope => ['x'], lifetime => '600s' });
}

sub gke {
	my ($self, $location, $token) = @_;
	return $self->get("/v1/projects/proj/locations/$location/clusters",
	    headers => { Authorization => "Bearer $token" });
}

1;
