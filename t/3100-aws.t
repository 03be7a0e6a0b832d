#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The provider aws in the whole program: keys from settings, environment and
# files, and rows that say why there are none.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::AWS qw(is_token token_seen);

my $SECRET = 'fakesecretfakesecretfakesecret';
my @KEYS = (accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
    secretAccessKey => $SECRET);
my %NOWHERE = (AWS_REGION => undef, AWS_PROFILE => undef,
    AWS_ACCESS_KEY_ID => undef, AWS_SECRET_ACCESS_KEY => undef,
    AWS_WEB_IDENTITY_TOKEN_FILE => undef,
    AWS_CONTAINER_CREDENTIALS_FULL_URI => undef,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI => undef,
    AWS_SESSION_TOKEN => undef, AWS_CREDENTIAL_EXPIRATION => undef,
    AWS_CONFIG_FILE => '/nonexistent', HOME => '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE => '/nonexistent',
    AWS_EC2_METADATA_DISABLED => 'true');

my $fake = fake(clusters => [{ name => 'eks' }, { name => 'other' }],
    backstage => 1);
$fake->add_entity({ apiVersion => 'v1', kind => 'Component',
    metadata => { name => 'shop', namespace => 'default', annotations =>
	{ 'backstage.io/kubernetes-id' => 'shop' } } });

sub pool_with {
	my ($aws, $env, %cluster) = @_;
	my $settings = settings(fake => $fake, clusters => [
		{ name => 'eks', authProvider => 'aws', %cluster },
		{ name => 'other' } ]);
	$settings->{aws} = $aws if $aws;
	return pool(settings => $settings, env => { %NOWHERE, %$env });
}

# The rows of a query, by cluster.
sub rows {
	my ($pool) = @_;
	my $answer = post($pool, '/resources/workloads/query',
	    as => 'user:default/alice',
	    json => { entityRef => 'component:default/shop' });
	is $answer->{status}, 200, 'the query is answered';
	return map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items} // []};
}

sub token_of {
	my ($pool) = @_;
	$fake->reset;
	my $answer = get($pool, '/clusters/eks/proxy/version',
	    as => 'user:default/alice');
	is $answer->{status}, 200, 'the cluster is asked' or diag
	    $answer->{body};
	my ($token) = ($fake->last_request('eks')->{headers}{authorization}
	    // '') =~ /^Bearer (.*)/;
	ok is_token($token), 'with a token for EKS' or return {};
	my $seen = token_seen($token, 'eks', 'real');
	unlike $pool->log_text, qr/\Q$token\E|\Q$SECRET\E/,
	    'that is in no log';
	return $seen;
}

my $pool = pool_with({ mainAccount => { @KEYS } }, {});
my $seen = token_of($pool);
is $seen->{host}, 'sts.us-east-1.amazonaws.com', 'keys of the settings';
is $seen->{signatureValidForClusterId}, 'eks', 'sign the cluster\'s name';
$pool->reload;
is token_of($pool)->{signatureValidForClusterId}, 'eks', 'after a reload too';
$pool->stop;

$pool = pool_with(undef, { AWS_ACCESS_KEY_ID => $KEYS[1],
    AWS_SECRET_ACCESS_KEY => $SECRET, AWS_SESSION_TOKEN => 'a+/=b',
    AWS_REGION => 'cn-north-1' },
    authMetadata => { 'kubernetes.io/x-k8s-aws-id' => 'real' });
$seen = token_of($pool);
is $seen->{host}, 'sts.cn-north-1.amazonaws.com.cn',
    'keys of the environment, in China';
is $seen->{signatureValidForClusterId}, 'real', 'sign the name in EKS';
is $seen->{params}{'X-Amz-Security-Token'}, 'a+/=b', 'with the session';
$pool->stop;

# Backstage's documentation has it; the account's region counts.
$pool = pool_with({ accounts => [{ accountId => '111111111111', @KEYS,
    region => 'eu-central-1' }] }, { AWS_REGION => 'eu-west-1' });
is token_of($pool)->{host}, 'sts.eu-central-1.amazonaws.com',
    'the only account, with a region and no role';
$pool->stop;

my $file = write_file(tempdir() . '/credentials',
    "[one]\naws_access_key_id = $KEYS[1]\n"
    . "aws_secret_access_key = $SECRET\n");
$pool = pool_with({ mainAccount => { profile => 'one' } },
    { AWS_SHARED_CREDENTIALS_FILE => $file });
is token_of($pool)->{signatureValidForClusterId}, 'eks',
    'a profile of the settings';
write_file($file, "[two]\n");
my %rows = rows($pool);
like $rows{eks}{errors}[0]{message}, qr/no AWS profile 'one'/,
    'a profile that is gone is said in the row';
is_deeply $rows{other}{errors}, [], 'and the other cluster answers';
$pool->stop;

my $closed = 'http://127.0.0.1:' . free_port();
for my $case (
	[undef, {}, {}, qr/no AWS credentials for cluster 'eks'/],
	[undef, { AWS_EC2_METADATA_DISABLED => undef,
	    AWS_EC2_METADATA_SERVICE_ENDPOINT => $closed }, {},
	    qr/no AWS credentials.*\(IMDSv2\) cannot be asked/],
	[{ mainAccount => { @KEYS } }, { AWS_ENDPOINT_URL_STS => $closed },
	    { assumeRole => 'arn:aws:iam::222222222222:role/k8s' },
	    qr{cannot assume role 'arn:aws:iam::222222222222:role/k8s': STS}],
	[{ mainAccount => { @KEYS } }, {}, { assumeRole => 'k8s' },
	    qr/assumeRole of cluster 'eks' is no ARN/]) {
	my ($aws, $env, $cluster, $told) = @$case;
	my $one = pool_with($aws, $env, %$cluster);
	my %items = rows($one);
	like $items{eks}{errors}[0]{message}, $told, "the row says $told";
	is_deeply $items{other}{errors}, [], 'and the other cluster answers';
	$one->stop;
}
done_testing;
