#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The fake clouds: each endpoint hands out what it should to who asks rightly
# and refuses who does not.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256_hex);
use Stagedoor::CloudClient qw(code_of keys_of xml_of AWS_KEYS ROLE AKS APP
    ENTRA IMDS_ROLE);
use Stagedoor::JSON qw(read_json);
use Stagedoor::SigV4 qw(signature);

have_program('openssl') or skip_or_fail('no openssl');

my $cloud = cloud();
my $client = Stagedoor::CloudClient->new($cloud);

sub status_of {
	my ($path, %headers) = @_;
	return $client->get($path, headers => \%headers)->{status};
}

# --- STS --------------------------------------------------------------------

# The signatures of the library itself, against recorded ones.
my $recorded = read_json("$FindBin::Bin/vectors/aws_sts_calls.json");
for my $case (grep { $_->{expected}{authorization} } @{$recorded->{cases}}) {
	my ($in, $want) = @$case{qw(inputs expected)};
	my ($host) = $want->{url} =~ m{//([^/]+)};
	my ($names) = $want->{authorization} =~ /SignedHeaders=([^,]+)/;
	my ($scope) = $want->{string_to_sign} =~ /\n(\S+aws4_request)\n/;
	my $hex = signature($in->{secret_access_key}, method => 'POST',
	    names => $names, scope => $scope, date => $want->{x_amz_date},
	    headers => { host => $host, 'x-amz-date' => $want->{x_amz_date},
		'content-type' => $want->{content_type},
		'x-amz-security-token' => $want->{x_amz_security_token} },
	    hash => sha256_hex($want->{body}));
	like $want->{authorization}, qr/Signature=$hex$/,
	    "signature of $case->{id}";
}

my $answer = $client->ask('sts');
is $answer->{status}, 200, 'a role is assumed' or diag $answer->{body};
is xml_of($answer)->{SessionToken}, 'sts-token-1+/=', 'with a token';
like xml_of($answer)->{Expiration}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/,
    'that expires';
my $first = keys_of($answer);
is xml_of($client->sts($first, Action => 'GetCallerIdentity'))->{Arn},
    'arn:aws:sts::222222222222:assumed-role/k8s/backstage',
    'its keys sign for the role';
is $client->assume($first)->{status}, 200, 'and assume another';
for my $wrong (
	[{ AWS_KEYS, secret => 'x' }, {}, '403 SignatureDoesNotMatch',
	    'a wrong secret'],
	[{ AWS_KEYS, id => 'AKIAX' }, {}, '403 InvalidClientTokenId',
	    'an unknown key'],
	[{ %$first, token => undef }, {}, '403 InvalidClientTokenId',
	    'temporary keys without their token'],
	[{ AWS_KEYS, change => { host => 'x' } }, {},
	    '403 SignatureDoesNotMatch', 'another host'],
	[{ AWS_KEYS, change => { 'x-amz-more' => 'x' } }, {},
	    '403 SignatureDoesNotMatch', 'a header that is not signed'],
	[{ AWS_KEYS, region => '?' }, {}, '403 SignatureDoesNotMatch',
	    'no region'],
	[{ AWS_KEYS, date => 'yesterday' }, {}, '400 IncompleteSignature',
	    'no date'],
	[{ AWS_KEYS }, { DurationSeconds => 60 }, '400 ValidationError',
	    'a life too short'],
	[{ AWS_KEYS }, { RoleSessionName => 'a b' }, '400 ValidationError',
	    'a bad name'],
	[{ AWS_KEYS }, { Action => 'Dance' }, '400 InvalidAction',
	    'no action']) {
	my ($keys, $form, $code, $what) = @$wrong;
	is code_of($client->assume($keys, %$form)), $code, $what;
}
is code_of($client->post_form('/', Action => 'AssumeRole',
    Version => '2011-06-15')), '403 MissingAuthenticationToken', 'unsigned';

$cloud->set(roles => { (ROLE) => { external_id => 'ext',
    from => ':user/x$' } });
is code_of($client->ask('sts')), '403 AccessDenied', 'no external id';
is $client->assume({ AWS_KEYS }, ExternalId => 'ext')->{status}, 200,
    'the right one';
is code_of($client->assume($first, ExternalId => 'ext')), '403 AccessDenied',
    'a role that trusts another';
is code_of($client->assume({ AWS_KEYS }, RoleArn => ROLE . 'x')),
    '403 AccessDenied', 'a role that is not there';
$cloud->set(roles => undef);

is $client->web_identity('web-identity-token')->{status}, 200,
    'a web identity';
is code_of($client->web_identity("web-identity-token\n")),
    '400 InvalidIdentityToken', 'as it is and not otherwise';

my $eks = $client->eks_token($first, 'eks');
like $cloud->eks_identity($eks, 'eks')->{Arn}, qr{assumed-role/k8s/backstage},
    'whose an EKS token is';
is $cloud->eks_identity($eks, 'other')->{Code}, 'SignatureDoesNotMatch',
    'for one cluster only';
like $cloud->eks_identity($client->eks_token($first, 'odd name'),
    'odd   name')->{Arn}, qr/k8s/, 'however many blanks are in it';
is $cloud->eks_identity('x', 'eks')->{Code}, 'NoToken', 'what is none';

SKIP: {
	skip_one('no curl'), last SKIP if !have_program('curl');
	my %keys = (AWS_KEYS);
	my $run = run_command(['curl', '-s', '--aws-sigv4',
	    'aws:amz:us-east-1:sts', '--user', "$keys{id}:$keys{secret}", '-d',
	    'Action=GetCallerIdentity&Version=2011-06-15', $cloud->url('/')]);
	like $run->{out}, qr{<Arn>arn:aws:iam::111111111111:user/x</Arn>},
	    'curl signs so too';
}

# --- Metadata and containers ------------------------------------------------

my ($folder) = IMDS_ROLE =~ m{^(.*/)};
is $client->get($folder, headers => $client->session)->{body}, 'node-role',
    'IMDS names its role';
$answer = $client->ask('imds');
is body_of($answer)->{Code}, 'Success', 'and has keys';
is $client->assume(keys_of($answer))->{status}, 200, 'that sign';
is status_of(IMDS_ROLE), 401, 'but not without a session';
is status_of(IMDS_ROLE, 'x-aws-ec2-metadata-token' => 'x'), 401,
    'a right one';
is $client->request(PUT => '/latest/api/token')->{status}, 400,
    'which lasts a given time';
$answer = $client->ask('container');
is body_of($answer)->{Token}, 'container-token-1+/=', 'keys of a container';
is $client->assume(keys_of($answer))->{status}, 200, 'that sign';
is status_of('/v2/credentials'), 401, 'for its token only';

# --- Entra and managed identities -------------------------------------------

$answer = $client->ask('entra');
is body_of($answer)->{access_token}, 'entra-token-1', 'an app\'s secret';
is body_of($answer)->{expires_in}, 3599, 'for an hour';
is $client->with_assertion('federated-token')->{status}, 200,
    'a federated token';
is $client->with_assertion("federated-token\n")->{status}, 401,
    'and no other';
$answer = $client->entra(client_secret => 'wrong');
is "$answer->{status} " . body_of($answer)->{error}, '401 invalid_client',
    'a wrong secret';
like body_of($answer)->{error_description}, qr/^AADSTS7000215: /,
    'with its number';
for my $wrong ([client_id => 'x'], [grant_type => 'x'], [scope => AKS]) {
	is $client->entra(client_secret => 'azure+secret/%&', @$wrong)
	    ->{status}, 400, "a wrong $wrong->[0]";
}

for my $alg (qw(PS256 RS256)) {
	is $client->with_assertion($client->assertion($alg))->{status}, 200,
	    "a certificate, by $alg";
}
my $once = $client->assertion('PS256');
is $client->with_assertion($once)->{status}, 200, 'an assertion';
is $client->with_assertion($once)->{status}, 401, 'is good once';
for my $wrong ([aud => 'https://x/'], [iss => 'x'], [exp => time - 600],
	[jti => '']) {
	is $client->with_assertion($client->assertion('PS256', @$wrong))
	    ->{status}, 401, "a wrong $wrong->[0]";
}
my ($one, $two) = map { [split /\./, $client->assertion('PS256')] } 1, 2;
my $forged = join '.', @$one[0, 1], $two->[2];
is $client->with_assertion($forged)->{status}, 401, 'a forged signature';

like body_of($client->ask('app_service'))->{expires_on}, qr/^\d{10}$/,
    'App Service tells when its token expires';
my $asked = 'resource=' . AKS . '&api-version';
is status_of("/msi/token?$asked=2019-08-01"), 401, 'and wants its header';
is status_of("/msi/token?$asked=2018-02-01", 'X-IDENTITY-HEADER' =>
    'identity-header'), 400, 'and its version';
for my $slash ('', '/') {
	my $path = "/metadata/identity/oauth2/token$slash?$asked=2018-02-01";
	is status_of($path, Metadata => 'true'), 200,
	    "a machine's identity at token$slash";
	is status_of($path), 400, 'with Metadata only';
}

# --- Google -----------------------------------------------------------------

is body_of($client->ask('google_token'))->{access_token}, 'google-token-1',
    'a service account';
for my $wrong ([aud => 'x'], [iss => 'x'], [exp => time + 7200],
	[iat => time - 7200], [scope => 'x']) {
	like body_of($client->google_assertion(@$wrong))->{error},
	    qr/^invalid_(?:grant|scope)$/, "a wrong $wrong->[0]";
}
is $client->refresh->{status}, 200, 'a user';
is $client->refresh(client_secret => 'x')->{status}, 401,
    'with the right secret';
is $client->refresh(refresh_token => 'x')->{status}, 400, 'and token';

$answer = $client->ask('metadata');
is body_of($answer)->{access_token}, 'metadata-token-1', 'the metadata server';
is $answer->{headers}{'metadata-flavor'}, 'Google', 'has its flavour';
is status_of('/computeMetadata/v1/instance'), 403, 'and wants it';

my $subject = body_of($client->ask('subject'))->{token};
my $federated = body_of($client->exchange($subject))->{access_token};
is $federated, 'google-sts-token-1', 'a federated identity';
is $client->exchange("$subject\n")->{status}, 400, 'a token that is another';
my $audience = $cloud->google_file('external_account')->{audience};
for my $case ([{}, $audience, 200, 'that is signed'],
	[{ secret => 'x' }, $audience, 400, 'with a wrong secret'],
	[{}, 'x', 400, 'for somebody else']) {
	my ($keys, $for, $status, $what) = @$case;
	is $client->exchange($client->aws_subject({ AWS_KEYS, %$keys }, $for))
	    ->{status}, $status, "a call to AWS $what";
}

is body_of($client->impersonate($federated))->{accessToken}, 'iam-token-1',
    'it acts as a service account';
is $client->impersonate('x')->{status}, 401, 'others do not';

is $client->ask('gke')->{status}, 404, 'no project of GKE';
$cloud->set(gke => { proj => { missingZones => ['z'], clusters => [
    { name => 'a', location => 'r1' }, { name => 'b', location => 'r2' }] } });
is_deeply [map { $_->{name} } @{body_of($client->ask('gke'))->{clusters}}],
    [qw(a b)], 'clusters of GKE';
is_deeply body_of($client->gke('r2', 'iam-token-1')), {
    missingZones => ['z'], clusters => [{ name => 'b', location => 'r2' }] },
    'of one region';
is $client->gke('-', 'x')->{status}, 401, 'for tokens that were handed out';

# --- Recording --------------------------------------------------------------

$cloud->reset;
$client->ask('entra');
my ($seen) = @{$cloud->requests('entra')};
is_deeply [@$seen{qw(endpoint method path)}, $seen->{form}{client_secret}],
    ['entra', 'POST', ENTRA, 'azure+secret/%&'], 'a request is recorded';
is $seen->{headers}{'content-type'}, 'application/x-www-form-urlencoded',
    'with its headers';
$client->impersonate('x');
is_deeply $cloud->requests('iam')->[0]{form}, { scope => ['x'],
    lifetime => '600s' }, 'JSON is decoded too';
is join(' ', map { $cloud->count($_) } qw(entra iam sts)), '1 1 0',
    'requests are counted by endpoint';
is $cloud->count, 2, 'and in all';
is status_of('/other'), 404, 'what is no endpoint';
is $cloud->count('elsewhere'), 1, 'is counted apart';

# --- Two at once, and a cluster behind them ---------------------------------

my $other = cloud(keys => { AKIAOTHER => 'other' });
my $asks_other = Stagedoor::CloudClient->new($other);
is code_of($asks_other->ask('sts')), '403 InvalidClientTokenId',
    'a second one has its own keys';
is $asks_other->assume({ id => 'AKIAOTHER', secret => 'other' })->{status},
    200, 'of its options';
my $fake = fake(clusters => [{ name => 'one' }]);
is(Stagedoor::HTTP->new(port => $fake->port('one'))->get('/version',
    headers => { Authorization => "Bearer $_->[0]" })->{status}, $_->[1],
    "'$_->[0]' at a fake cluster")
    for ['entra-token-1', 200], ['entra-token', 401];

# --- https ------------------------------------------------------------------

SKIP: {
	skip_one('no nginx or curl'), last SKIP
	    if grep { !have_program($_) } qw(nginx curl);
	my %env = $cloud->env('sts', 'entra');
	is $env{AZURE_AUTHORITY_HOST}, $cloud->https_url, 'Entra is https';
	my $url = $cloud->https_url(ENTRA);
	my @ca = ('--cacert', $cloud->ca_file);
	my $curl = sub { run_command(['curl', '-s', @_]) };
	my @form = map { ('--data-urlencode', $_) } 'client_id=' . APP,
	    'grant_type=client_credentials', 'scope=' . AKS . '/.default',
	    'client_secret=azure+secret/%&';
	like $curl->(@ca, @form, $url)->{out}, qr/entra-token-\d+/,
	    'with the test\'s CA';
	is $curl->(@form, $url)->{code}, 60, 'and no other';
	like $curl->(@ca, @form[0 .. 5], '-d', 'client_assertion='
	    . $client->assertion('PS256', aud => $url), '--data-urlencode',
	    'client_assertion_type=urn:ietf:params:oauth:'
	    . 'client-assertion-type:jwt-bearer', $url)->{out},
	    qr/entra-token-\d+/, 'an assertion for the https address';
	my %keys = (AWS_KEYS);
	like $curl->(@ca, '--aws-sigv4', 'aws:amz:us-east-1:sts', '--user',
	    "$keys{id}:$keys{secret}", '-d',
	    'Action=GetCallerIdentity&Version=2011-06-15',
	    $cloud->https_url('/'))->{out}, qr{user/x}, 'a signature too';
	$cloud->behave(entra => 'reset');
	is $curl->(@ca, @form, $url)->{code}, 52,
	    'a connection that closes is one here as well';
}
done_testing;
