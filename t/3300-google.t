#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The provider googleServiceAccount in the whole program: every kind of
# credentials of Google's, where they are looked for, and what a cluster's row
# says of what cannot work. What comes of faults is in 3720-faults-google.t.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep);

have_program('openssl') or skip_or_fail('no openssl');

my %NOWHERE = (GOOGLE_APPLICATION_CREDENTIALS => undef,
    CLOUDSDK_CONFIG => undef, HOME => '/nonexistent',
    GCE_METADATA_HOST => undef, GCE_METADATA_IP => undef,
    METADATA_SERVER_DETECTION => 'none', NO_GCE_CHECK => undef,
    AWS_ACCESS_KEY_ID => undef, AWS_SECRET_ACCESS_KEY => undef,
    AWS_SESSION_TOKEN => undef, AWS_REGION => undef,
    AWS_DEFAULT_REGION => undef);
my $ALICE = 'user:default/alice';

my $fake = fake(clusters => [{ name => 'one' }, { name => 'two' },
    { name => 'other' }], backstage => 1);
$fake->add_entity({ apiVersion => 'v1', kind => 'Component',
    metadata => { name => 'shop', namespace => 'default', annotations =>
	{ 'backstage.io/kubernetes-id' => 'shop' } } });
my $cloud = cloud();
my $dir = tempdir();

# google: under kubernetes; the rest is environment.
sub pool_with {
	my ($google, %env) = @_;
	my $settings = settings(fake => $fake, clusters => [
		{ name => 'one', authProvider => 'googleServiceAccount' },
		{ name => 'two', authProvider => 'googleServiceAccount' },
		{ name => 'other' } ], kubernetes => $google // {});
	$cloud->reset;
	return pool(settings => $settings, env => { %NOWHERE, %env });
}

sub rows {
	my ($pool) = @_;
	my $answer = post($pool, '/resources/workloads/query', as => $ALICE,
	    json => { entityRef => 'component:default/shop' });
	is $answer->{status}, 200, 'the query is answered';
	return map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items} // []};
}

sub json_file {
	my ($name, $value) = @_;
	return write_file("$dir/$name", encode_json($value));
}

# Both clusters are opened by one token, that is of this kind; returns it.
sub opens {
	my ($pool, $kind, $what) = @_;
	$fake->reset;
	my %rows = rows($pool);
	my %seen;
	for my $name (qw(one two)) {
		is_deeply $rows{$name}{errors}, [], "$what: no errors of $name"
		    or diag encode_json($rows{$name}{errors});
		$seen{$_->{headers}{authorization} // ''} = 1
		    for @{$fake->requests($name)};
	}
	my ($token) = join(' ', keys %seen) =~ /^Bearer (\Q$kind\E-\d+)$/;
	ok defined $token, "one $kind opens both" or diag join ' ', keys %seen;
	unlike $pool->log_text, qr/\Q$kind\E-\d|PRIVATE KEY|google-refresh/,
	    'and is in no log';
	return $token;
}

# --- Every kind -------------------------------------------------------------

my $account = $cloud->google_file('service_account');
my $pool = pool_with({ googleServiceAccountCredentials =>
    encode_json($account) });
my $first = opens($pool, 'google-token', 'a key in the settings');
is $cloud->count('google_token'), 1, 'one token is asked for';
is opens($pool, 'google-token', 'again'), $first, 'the same again';
is $cloud->count, 1, 'which was kept';
is get($pool, '/clusters/one/proxy/version', as => $ALICE)->{status}, 200,
    '/proxy too';
is $cloud->count, 1, 'uses it';
like $cloud->requests('google_token')->[0]{form}{assertion}, qr/^eyJ/,
    'got with an assertion';
$pool->stop;

my $named = json_file('named.json', $account);
$pool = pool_with({ googleServiceAccountCredentialsFile => $named });
opens($pool, 'google-token', 'a file that the settings name');
# Another key in the file is another account.
json_file('named.json', $cloud->google_file('authorized_user'));
opens($pool, 'google-token', 'a file with other credentials');
is $cloud->requests('google_token')->[1]{form}{grant_type}, 'refresh_token',
    'of another kind';
$pool->stop;

$pool = pool_with(undef, GOOGLE_APPLICATION_CREDENTIALS =>
    json_file('user.json', $cloud->google_file('authorized_user')));
opens($pool, 'google-token', 'GOOGLE_APPLICATION_CREDENTIALS');
$pool->stop;

my $iam = $cloud->google_file('impersonated_service_account')
    ->{service_account_impersonation_url};
mkdir "$dir/gcloud" or die $!;
json_file('gcloud/application_default_credentials.json',
    $cloud->google_file('impersonated_service_account'));
$pool = pool_with(undef, CLOUDSDK_CONFIG => "$dir/gcloud");
opens($pool, 'iam-token', 'gcloud\'s folder, an impersonated account');
is $cloud->requests('iam')->[0]{form}{lifetime}, '3600s', 'for an hour';
$pool->stop;

mkdir "$dir/.config" or die $!;
rename "$dir/gcloud", "$dir/.config/gcloud" or die $!;
json_file('.config/gcloud/application_default_credentials.json',
    $cloud->google_file('external_account'));
$pool = pool_with(undef, HOME => $dir);
opens($pool, 'google-sts-token', 'gcloud\'s own, a workload identity');
is join(' ', map { $_->{endpoint} } @{$cloud->requests}),
    'subject google_sts', 'whose token comes from a URL';
$pool->stop;

my $aws = $cloud->google_file('external_account',
    subject_token_type => 'urn:ietf:params:aws:token-type:aws4_request',
    service_account_impersonation_url => $iam, credential_source => {
	environment_id => 'aws1',
	imdsv2_session_token_url => $cloud->url('/latest/api/token'),
	region_url => $cloud->url('/latest/meta-data/placement/'
	    . 'availability-zone'),
	url => $cloud->url('/latest/meta-data/iam/security-credentials/'),
    });
$pool = pool_with({ googleServiceAccountCredentials => encode_json($aws) },
    AWS_ACCESS_KEY_ID => 'AKIAFAKEFAKEFAKEFAKE', AWS_REGION => 'eu-west-1',
    AWS_SECRET_ACCESS_KEY => 'fakesecretfakesecretfakesecret');
opens($pool, 'iam-token', 'AWS keys of the environment');
is $cloud->count('imds'), 0, 'that asks no instance';
$pool->stop;
$pool = pool_with({ googleServiceAccountCredentials => encode_json($aws) });
opens($pool, 'iam-token', 'AWS keys of the instance');
is $cloud->count('imds'), 4, 'session, region, role and keys';
$pool->stop;

my %METADATA = ($cloud->env('metadata'),
    METADATA_SERVER_DETECTION => undef);
$pool = pool_with(undef, %METADATA);
opens($pool, 'metadata-token', 'the metadata server');
$pool->stop;

# --- Tokens that end --------------------------------------------------------

# A file with the other issuer's token is read for each token.
write_file("$dir/subject", "first\n");
my $of_file = $cloud->google_file('external_account',
    credential_source => { file => "$dir/subject" });
$cloud->set(subject_token => 'first', lifetime => 4);
$pool = pool_with({ googleServiceAccountCredentials =>
    encode_json($of_file) });
opens($pool, 'google-sts-token', 'a token in a file');
write_file("$dir/subject", "second\n");
$cloud->set(subject_token => 'second');
sleep 4.2;
opens($pool, 'google-sts-token', 'and another, later');
$cloud->set(subject_token => 'subject-token', lifetime => undef);
$pool->stop;

# The metadata server keeps tokens to their end: nobody loops for a better.
$cloud->set(lifetime => 60);
$pool = pool_with(undef, %METADATA);
opens($pool, 'metadata-token', 'a token with a minute left');
rows($pool) for 1 .. 3;
is $cloud->count('metadata'), 1, 'is used';
$cloud->set(lifetime => undef);
$pool->stop;

# --- What cannot work -------------------------------------------------------

# There is one, and it cannot be read: nobody goes on to the metadata server.
mkdir "$dir/odd" or die $!;
mkdir "$dir/odd/application_default_credentials.json" or die $!;

for my $case (
	[undef, {}, qr/no Google credentials.*METADATA_SERVER_DETECTION/],
	[undef, { GOOGLE_APPLICATION_CREDENTIALS => '/nonexistent/g.json' },
	    qr/GOOGLE_APPLICATION_CREDENTIALS names: the file/],
	[undef, { %METADATA, CLOUDSDK_CONFIG => "$dir/odd" },
	    qr/gcloud's application_default_credentials.json: the file/],
	[{ googleServiceAccountCredentials => '{' }, {}, qr/no JSON object/],
	[{ googleServiceAccountCredentials => encode_json(
	    $cloud->google_file('external_account',
	    token_url => 'https://example.com/v1/token')) }, {},
	    qr/token_url is not https with a host of googleapis.com/],
	[{ googleServiceAccountCredentials => encode_json(
	    $cloud->google_file('external_account',
	    credential_source => { executable => { command => '/x' } })) },
	    {}, qr/'executable', which cannot be used/]) {
	my ($google, $env, $told) = @$case;
	my $one = pool_with($google, %$env);
	my %items = rows($one);
	like $items{one}{errors}[0]{message}, $told, "the row says $told";
	unlike $items{one}{errors}[0]{message}, qr/nonexistent|\Q$dir\E/,
	    'and no path';
	is_deeply $items{other}{errors}, [], 'and the other cluster answers';
	is $cloud->count, 0, 'and nobody was asked';
	$one->stop;
}

done_testing;
