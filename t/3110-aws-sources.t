#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Where AWS credentials come from, in the whole program and from fake clouds:
# whom the cluster's side sees behind the token, and how often which endpoint is
# asked. What comes of faults is in 3700-faults-aws.t.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $SECRET = 'fakesecretfakesecretfakesecret';
my @KEYS = (accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
    secretAccessKey => $SECRET);
my %MAIN = (mainAccount => { @KEYS });
my $K8S = 'arn:aws:iam::222222222222:role/k8s';
my %NOWHERE = (AWS_CONFIG_FILE => '/nonexistent', HOME => '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE => '/nonexistent',
    AWS_EC2_METADATA_DISABLED => 'true', AWS_REGION => 'eu-west-1',
    map { $_ => undef } qw(AWS_PROFILE AWS_ACCESS_KEY_ID AWS_ENDPOINT_URL
	AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_CREDENTIAL_EXPIRATION
	AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME
	AWS_CONTAINER_CREDENTIALS_RELATIVE_URI));

my $dir = tempdir();
my $cloud = cloud();
my $fake = fake(clusters => [{ name => 'eks' }, { name => 'two' },
    { name => 'other' }], backstage => 1);
$fake->add_entity({ apiVersion => 'v1', kind => 'Component',
    metadata => { name => 'shop', namespace => 'default', annotations =>
	{ 'backstage.io/kubernetes-id' => 'shop' } } });

# --- Asking -----------------------------------------------------------------

# A pool: aws and stagedoor => settings, env => variables, endpoints of the
# cloud that it is led to, cluster => keys of the cluster.
sub pool_with {
	my (%of) = @_;
	my %cluster = %{$of{cluster} || {}};
	my $settings = settings(fake => $fake,
	    stagedoor => $of{stagedoor} // {}, clusters => [
		{ name => 'eks', authProvider => 'aws', %cluster },
		{ name => 'two', authProvider => 'aws', %cluster },
		{ name => 'other' } ]);
	$settings->{aws} = $of{aws} if $of{aws};
	$cloud->reset;
	return pool(settings => $settings, env => { %NOWHERE,
	    $cloud->env('sts', @{$of{endpoints} // []}),
	    %{$of{env} // {}} });
}

sub ask {
	my ($pool, $cluster) = @_;
	return get($pool, "/clusters/$cluster/proxy/version",
	    as => 'user:default/alice');
}

sub bearer {
	my ($cluster) = @_;
	return ($fake->last_request($cluster)->{headers}{authorization}
	    // '') =~ s/^Bearer //r;
}

# The requests of ours to the cloud, without those of the cluster's side.
sub asked {
	return grep { $_->{endpoint} ne 'sts' || $_->{method} eq 'POST' }
	    @{$cloud->requests};
}

# Whom the cluster's side sees: an ARN, or what is wrong.
sub arn_of {
	my ($pool) = @_;
	$fake->reset;
	my $answer = ask($pool, 'eks');
	return "$answer->{status} $answer->{body}"
	    if $answer->{status} != 200;
	my $seen = $cloud->eks_identity(bearer('eks'), 'eks');
	return $seen->{Arn} // "$seen->{Code} $seen->{Message}";
}

sub no_secrets {
	my ($pool, $what) = @_;
	unlike $pool->log_text, qr{fakesecret|-secret-\d|-token-\d
	    |web-identity-token|container-authorization|k8s-aws-v1}x,
	    "$what: no secret in the log";
}

# --- Sources ----------------------------------------------------------------

my $token_file = write_file("$dir/token", "web-identity-token\n");
my $assumed = 'arn:aws:sts::222222222222:assumed-role';
my %MORE = (
	imds => { endpoints => ['imds'],
	    env => { AWS_EC2_METADATA_DISABLED => undef } },
	container => { endpoints => ['container'] },
	role => { aws => \%MAIN, cluster => { assumeRole => $K8S } },
	web => { env => { AWS_ROLE_ARN => $K8S,
	    AWS_WEB_IDENTITY_TOKEN_FILE => $token_file,
	    AWS_ROLE_SESSION_NAME => 'me' } },
);

sub config {
	my ($name, $text) = @_;
	return (AWS_CONFIG_FILE => write_file("$dir/$name", $text));
}

my $keys_in_file = "aws_access_key_id = $KEYS[1]\n"
    . "aws_secret_access_key = $SECRET\n";
my $program = write_file("$dir/program", <<"END");
#!/bin/sh
test "\$1 \$2" = "a b c" || exit 3
test -z "\$BACKSTAGE_SECRET" || exit 4
echo '{"Version": 1, "AccessKeyId": "$KEYS[1]",' \\
    '"SecretAccessKey": "$SECRET"}'
END
chmod 0755, $program;

my @CASES = (
	['a container', $MORE{container}, ['container'],
	    'arn:aws:sts::111111111111:assumed-role/pod-role/pod'],
	['an instance', $MORE{imds}, ['imds', 'imds', 'imds'],
	    'arn:aws:sts::111111111111:assumed-role/node-role/i-0'],
	['a web identity', $MORE{web}, ['sts'], "$assumed/k8s/me"],
	['a cluster\'s role', $MORE{role}, ['sts'],
	    qr{^$assumed/k8s/aws-sdk-js-\d+$}],
	['a profile\'s roles, one on the other', { env => {
	    AWS_PROFILE => 'c', config('chain', <<"END") } },
[profile c]
role_arn = arn:aws:iam::222222222222:role/c
source_profile = b
role_session_name = sc
[profile b]
role_arn = arn:aws:iam::222222222222:role/b
source_profile = a
[profile a]
$keys_in_file
END
	    ['sts', 'sts'], "$assumed/c/sc"],
	['a profile\'s role with the container\'s keys', { %{$MORE{container}},
	    env => { AWS_PROFILE => 'p', config('place', <<"END") } },
[profile p]
role_arn = $K8S
credential_source = EcsContainer
role_session_name = sp
END
	    ['container', 'sts'], "$assumed/k8s/sp"],
	['a program', { env => { AWS_PROFILE => 'p',
	    BACKSTAGE_SECRET => 'x', config('with-program',
		"[profile p]\ncredential_process = $program a 'b c'\n") } },
	    [], 'arn:aws:iam::111111111111:user/x'],
	['an account\'s role, the cluster\'s on top', { aws => { %MAIN,
	    accounts => [{ accountId => '222222222222',
		roleName => 'backstage', externalId => 'x' }] },
	    cluster => { assumeRole => $K8S, externalId => 'y' } },
	    ['sts', 'sts'], qr{^$assumed/k8s/aws-sdk-js-\d+$}],
	['a role by https, at the settings\' address', { %{$MORE{role}},
	    stagedoor => { caFile => $cloud->ca_file,
		cloud => { stsEndpoint => $cloud->https_url } } },
	    ['sts'], qr{^$assumed/k8s/aws-sdk-js-\d+$}],
	['the defaults\' role, the cluster\'s on top', { aws => { %MAIN,
	    accountDefaults => { roleName => 'backstage' } },
	    cluster => { assumeRole => $K8S } },
	    ['sts', 'sts'], qr{^$assumed/k8s/aws-sdk-js-\d+$}],
	['an account\'s web identity, the cluster\'s role on top', { aws =>
	    { %MAIN, accounts => [{ accountId => '222222222222',
		roleName => 'irsa', webIdentityTokenFile => $token_file }] },
	    cluster => { assumeRole => $K8S } },
	    ['sts', 'sts'], qr{^$assumed/k8s/aws-sdk-js-\d+$}],
	# Backstage's documentation shows this one; who we are is asked.
	['the main account\'s role', { aws => { mainAccount => { @KEYS,
	    roleName => 'backstage', region => 'eu-west-1' } } },
	    ['sts', 'sts'],
	    'arn:aws:sts::111111111111:assumed-role/backstage/backstage'],
);

for my $case (@CASES) {
	my ($what, $of, $endpoints, $arn) = @$case;
	my $pool = pool_with(%$of);
	like arn_of($pool), ref $arn ? $arn : qr/^\Q$arn\E$/, "$what opens";
	is_deeply [map { $_->{endpoint} } asked()], $endpoints,
	    'after these requests';
	is ask($pool, 'eks')->{status}, 200, 'again';
	is ask($pool, 'two')->{status}, 200, 'and another cluster';
	is scalar(asked()), scalar @$endpoints, 'with the same credentials';
	no_secrets($pool, $what);
	$pool->stop;
}

done_testing;
