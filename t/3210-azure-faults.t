#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What Azure's endpoints do wrong, one by one, and what comes of it: another
# try, an error in the row that says who answered what, or the old token for
# as long as it is good. Never a state that only a restart ends.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Azure qw(azure_pool token_at row_errors fake_az app_env
    clusters);

have_program('openssl') or skip_or_fail('no openssl');
have_program('nginx') or skip_or_fail('no nginx');

my $cloud = cloud();
my %ENV_OF = (
	entra => { app_env($cloud), AZURE_CLIENT_SECRET => 'azure+secret/%&' },
	app_service => { $cloud->env('app_service') },
	azure_imds => { $cloud->env('azure_imds') },
);
my $TOKEN = qr/^[a-z-]+-token-\d+$/;

# Source, fault, what comes of it, how often the endpoint was asked.
my @TABLE = (
	[entra => 'slow:0.5', $TOKEN, 1],
	[entra => '503,500', $TOKEN, 3],
	[entra => '429:1,ok', $TOKEN, 2],
	[entra => '429:60', qr/answered 429/, 1],
	[entra => '503', qr/\(environment\): https:\S+ answered 503: AADSTS/,
	    3],
	[entra => 'denied', qr/answered 401: AADSTS7000215: Invalid client/,
	    1],
	[entra => '400:invalid_grant', qr/answered 400: /, 1],
	[entra => 'expired', qr/its token has expired already/, 1],
	[entra => 'malformed', qr/there is no token/, 1],
	[entra => 'oversized', qr/1048576 bytes/, 1],
	[entra => 'redirect', qr/answered 302/, 1],
	[entra => 'reset,ok', $TOKEN, 2],
	[entra => 'skew:600', $TOKEN, 1],
	[entra => 'skew:-600', $TOKEN, 1],
	[entra => 'body:<html>login</html>', qr/there is no token/, 1],
	[app_service => '503,ok', $TOKEN, 2],
	[app_service => 'denied', qr/\(managed identity\): \S+ answered 403/,
	    1],
	[app_service => '400', qr/answered 400/, 1],
	[app_service => 'expired', qr/its token has expired already/, 1],
	[app_service => 'malformed', qr/there is no token/, 1],
	[app_service => 'skew:600', $TOKEN, 1],
	[app_service => 'skew:-600', $TOKEN, 1],
	[app_service => 'redirect', qr/answered 302/, 1],
	[azure_imds => '404,ok', $TOKEN, 2],
	[azure_imds => '410,429,ok', $TOKEN, 3],
	[azure_imds => 'denied', qr/\(managed identity\): \S+ answered 403/,
	    1],
	[azure_imds => '400', qr/answered 400.*; Azure CLI: there is no az/,
	    1],
	[azure_imds => 'expired', qr/its token has expired already/, 1],
	[azure_imds => 'oversized', qr/1048576 bytes/, 1],
	[azure_imds => 'redirect', qr/answered 302/, 1],
);

for my $case (@TABLE) {
	my ($source, $fault, $want, $n) = @$case;
	my $what = "$source $fault";
	$cloud->reset;
	$cloud->behave($source => $fault);
	my $pool = azure_pool($ENV_OF{$source}, cloud => $cloud);
	my $got = token_at($pool);
	like $got, $want, $what;
	unlike $got, qr/azure\+secret|azure%2B|identity-header/,
	    "$what: no secret in it";
	is $cloud->count($source), $n, "$what: asked $n times";
	is $cloud->count('elsewhere'), 0, "$what: nobody else";
	$pool->stop;
	$cloud->behave($source => 'ok');
}

# --- The old one, as long as it is good -------------------------------------

$cloud->reset;
$cloud->set(lifetime => 10);
my $pool = azure_pool($ENV_OF{entra}, cloud => $cloud);
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

my $dir = fake_az('sleep 3; echo "{\"accessToken\": \"tok-az\", '
    . '\"expires_on\": ' . (time + 3600) . '}"');
$pool = azure_pool({ PATH => "$dir:/usr/bin:/bin" });
my ($took, $errors) = row_errors($pool);
is_deeply $errors, { aks => '', aks2 => '', other => '' }, 'az takes 3 s';
cmp_ok $took, '>', 2.5, 'and its rows wait';
is slurp("$dir/args") =~ tr/\n//, 1, 'for one run of it';
($took, $errors) = row_errors($pool);
cmp_ok $took, '<', 1, 'once';
$pool->stop;

# Longer than the rows wait: they say so, and the next request has it.
$dir = fake_az('sleep 8; echo "{\"accessToken\": \"tok-az\", '
    . '\"expires_on\": ' . (time + 3600) . '}"');
$pool = azure_pool({ PATH => "$dir:/usr/bin:/bin" });
($took, $errors) = row_errors($pool);
like $errors->{aks}, qr/azure token.*not there yet/, 'az takes 8 s';
is $errors->{other}, '', 'the other cluster answers';
wait_for(sub { token_at($pool) eq 'tok-az' }, 8, 'the token');
is slurp("$dir/args") =~ tr/\n//, 1, 'of the same run';
$pool->stop;
done_testing;
