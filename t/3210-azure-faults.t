#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What becomes of Azure's tokens in bad times: the old one is used as long as
# it is good, a slow az delays its own rows, and there is never a state that
# only a restart ends. What comes of each fault is in 3710-faults-azure.t.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Azure qw(azure_pool token_at row_errors fake_az app_env
    clusters);

have_program('openssl') or skip_or_fail('no openssl');
have_program('nginx') or skip_or_fail('no nginx');

my $cloud = cloud();
my %SECRET = (app_env($cloud), AZURE_CLIENT_SECRET => 'azure+secret/%&');
my $TOKEN = qr/^[a-z-]+-token-\d+$/;

# --- The old one, as long as it is good -------------------------------------

$cloud->reset;
$cloud->set(lifetime => 10);
my $pool = azure_pool(\%SECRET, cloud => $cloud);
my $first = token_at($pool);
my $begun = time;
like $first, $TOKEN, 'a token of 10 s';
$cloud->behave(entra => 'denied');
wait_for(sub { token_at($pool); $cloud->count('entra') > 1 }, 8,
    'a try to renew it');
is token_at($pool), $first, 'it fails, and the old one is used';
is token_at($pool, 'aks2'), $first, 'for all';
wait_for(sub { token_at($pool) ne $first }, 10, 'its end');
like token_at($pool), qr/^500 .*AADSTS7000215/, 'then the row says why';
cmp_ok time - $begun, '>=', 5, 'not before';
$cloud->behave(entra => 'ok');
$cloud->set(lifetime => 3600);
wait_for(sub { token_at($pool) =~ $TOKEN }, 20, 'and it comes back');
$pool->stop;

# --- A slow program ----------------------------------------------------------

# Longer than the rows wait: they say so, and the next request has it. The
# first client does not even wait for that.
my $dir = fake_az('sleep 8; echo "{\"accessToken\": \"tok-az\", '
    . '\"expires_on\": ' . (time + 3600) . '}"');
$pool = azure_pool({ PATH => "$dir:/usr/bin:/bin" });
post($pool, '/resources/workloads/query', timeout => 0.5,
    as => 'user:default/alice',
    json => { entityRef => 'component:default/shop' });
$begun = Time::HiRes::time();
is token_at($pool, 'other'), 'alpha-token', 'who does not need az';
cmp_ok Time::HiRes::time() - $begun, '<', 1, 'does not wait';
my (undef, $errors) = row_errors($pool);
like $errors->{aks}, qr/azure token.*not there yet/, 'az takes 8 s';
is $errors->{other}, '', 'the other cluster answers';
wait_for(sub { token_at($pool) eq 'tok-az' }, 8, 'the token');
is slurp("$dir/args") =~ tr/\n//, 1, 'of the same run';
$pool->stop;
done_testing;
