#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The provider azure in the whole program: each of its sources opens the
# clusters, one token for all of them, and the secret is nowhere else.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Azure qw(azure_pool token_at row_errors fake_az app_env
    clusters);
use POSIX qw(strftime);

have_program('openssl') or skip_or_fail('no openssl');
have_program('nginx') or skip_or_fail('no nginx');

my $AKS = '6dae42f8-4368-4678-94ff-3960e28e3630';
my $SECRET = 'azure+secret/%&';
my $cloud = cloud();
my @APP = app_env($cloud);

sub no_secret_in {
	my ($pool) = @_;
	my $log = $pool->log_text;
	unlike $log, qr/\Q$SECRET\E|azure%2B|federated-token|identity-header/,
	    'no secret in the log';
	unlike $log, qr/-token-\d|tok-az/, 'and no token';
}

# --- Entra ------------------------------------------------------------------

my $pool = azure_pool({ @APP, AZURE_CLIENT_SECRET => $SECRET },
    cloud => $cloud);
my ($took, $errors) = row_errors($pool);
is_deeply $errors, { aks => '', aks2 => '', other => '' },
    'a secret opens the clusters' or diag explain $errors, $pool->log_text;
is token_at($pool), 'entra-token-1', 'with the token of Entra';
is token_at($pool, 'aks2'), 'entra-token-1', 'that all have';
is token_at($pool, 'other'), 'alpha-token', 'but for the others';
is $cloud->count('entra'), 1, 'one request for it';
$pool->reload;
is token_at($pool), 'entra-token-1', 'a reload keeps it';
no_secret_in($pool);
$pool->stop;

# By the settings' host, which beats the variable.
$cloud->reset;
my ($host) = $cloud->https_url =~ m{//(.*)};
$pool = azure_pool({ @APP, AZURE_CLIENT_SECRET => $SECRET,
    AZURE_AUTHORITY_HOST => 'https://127.0.0.1:1' }, cloud => $cloud,
    stagedoor => { cloud => { entraHost => $host } });
like token_at($pool), qr/^entra-token-\d+$/, 'cloud.entraHost';
$pool->stop;

$pool = azure_pool({ @APP, AZURE_CLIENT_CERTIFICATE_PATH =>
    $cloud->azure_certificate }, cloud => $cloud);
like token_at($pool), qr/^entra-token-\d+$/, 'a certificate';
no_secret_in($pool);
$pool->stop;

# The file is read for each token: short lives, and a new file.
my $file = write_file(tempdir() . '/federated', "federated-token\n");
$cloud->set(lifetime => 4);
$pool = azure_pool({ @APP, AZURE_FEDERATED_TOKEN_FILE => $file },
    cloud => $cloud);
my $first = token_at($pool);
like $first, qr/^entra-token-\d+$/, 'a workload identity';
write_file($file, "rotated-token\n");
$cloud->set(federated_token => 'rotated-token', lifetime => 3600);
sleep 2;
wait_for(sub { token_at($pool) ne $first }, 5, 'another token');
like token_at($pool), qr/^entra-token-\d+$/, 'of the file that was rotated';
no_secret_in($pool);
$pool->stop;

# --- Managed identities -----------------------------------------------------

$pool = azure_pool({ $cloud->env('app_service') });
is token_at($pool), 'app-service-token-1', 'App Service';
no_secret_in($pool);
$pool->stop;
$pool = azure_pool({ $cloud->env('azure_imds'),
    AZURE_CLIENT_ID => 'user-assigned' });
is token_at($pool), 'azure-imds-token-1', 'the metadata service';
my ($seen) = @{$cloud->requests('azure_imds')}[-1];
like $seen->{query}, qr/[?&]?client_id=user-assigned/, 'for one identity';
$pool->stop;

# --- Azure CLI --------------------------------------------------------------

my $dir = fake_az('echo "{\"accessToken\": \"tok-az\", \"expires_on\": '
    . (time + 3600) . ', \"tokenType\": \"Bearer\"}"');
my %az = (PATH => $dir, HOME => '/home/user', AZURE_CONFIG_DIR => '/cfg',
    AZURE_CLIENT_SECRET => $SECRET);
$pool = azure_pool({ %az });
is token_at($pool), 'tok-az', 'az login is enough';
is slurp("$dir/args"),
    "account get-access-token --output json --resource $AKS\n",
    'az was run once';
my $env = slurp("$dir/env");
like $env, qr/^HOME=\/home\/user$/m, 'with HOME';
like $env, qr/^AZURE_CONFIG_DIR=\/cfg$/m, 'and where its login is';
unlike $env, qr/\Q$SECRET\E/, 'and without secrets';
no_secret_in($pool);
$pool->stop;

# Debian's prints local time only.
{
	local $ENV{TZ} = 'EST5EDT';
	POSIX::tzset();
	my $end = strftime('%Y-%m-%d %H:%M:%S.123456', localtime time + 3600);
	my $old = fake_az("echo '{\"accessToken\": \"tok-az\","
	    . " \"expiresOn\": \"$end\"}'");
	$pool = azure_pool({ PATH => $old, TZ => 'EST5EDT' });
	is token_at($pool), 'tok-az', 'the form of az 2.45';
	like slurp("$old/env"), qr/^TZ=EST5EDT$/m, 'which has our zone';
	$pool->stop;
	$pool = azure_pool({ PATH => $old, TZ => 'UTC' });
	like token_at($pool), qr/^500 .*az: its token has expired already/,
	    'is local time';
	$pool->stop;
}
POSIX::tzset();

# --- None, and pins ---------------------------------------------------------

$pool = azure_pool({});
($took, $errors) = row_errors($pool);
like $errors->{$_}, qr/no source has an Azure token: environment: (?#
    )AZURE_TENANT_ID is not set; .*; Azure CLI: there is no az in PATH/,
    "$_ says what was looked at" for qw(aks aks2);
is $errors->{other}, '', 'the other cluster answers';
$pool->stop;

$dir = fake_az("echo \"ERROR: Please run 'az login' to setup account.\" >&2\n"
    . 'exit 1');
$pool = azure_pool({ PATH => $dir });
like token_at($pool), qr/^500 .*nobody is logged in to az: run 'az login'/,
    'nobody is logged in';
$pool->stop;

$dir = fake_az('echo "oops \"accessToken\": \"tok-az\"" >&2; exit 3');
$pool = azure_pool({ %az, PATH => $dir, @APP,
    AZURE_TOKEN_CREDENTIALS => 'AzureCliCredential' }, cloud => $cloud);
like token_at($pool), qr/^500 .*az ended with 3: oops "accessToken": "\*{3}"/,
    'pinned to az, which fails';
no_secret_in($pool);
$pool->stop;
done_testing;
