#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A server where somebody ran `az login`, with the real az: its Entra and its
# Azure are played under their own names.
use FindBin;
use lib "$FindBin::Bin/../lib";
use Stagedoor::Test;
use Stagedoor::Fake::Proxy;

# It is of a size that nobody is made to install.
my $az = have_program('az');
skip_or_fail('no az here') if !defined $az;

my $TENANT = '11111111-2222-4333-8444-555555555555';
my $CLIENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
my $SECRET = 'azure+secret/%&';

my $cloud = cloud(tenant => $TENANT, client_id => $CLIENT,
    client_secret => $SECRET);
my ($entra) = $cloud->url =~ /:(\d+)/;
# Asked at the login which subscriptions there are: none.
my $fake = fake(clusters => [{ name => 'aks' }, { name => 'azure',
    handler => sub {
	my (undef, $conn) = @_;
	$conn->reply(200, ['Content-Type' => 'application/json'],
	    '{"value":[]}');
	return 1;
    } }]);
my $proxy = Stagedoor::Fake::Proxy->start(
    'login.microsoftonline.com' => $entra,
    'management.azure.com' => $fake->port('azure'));

my %none = map { $_ => undef } grep { /^AZURE_|_proxy$/i } keys %ENV;
my %env = (%none, HOME => tempdir(), AZURE_CONFIG_DIR => tempdir() . '/az',
    HTTPS_PROXY => $proxy->url, NO_PROXY => '127.0.0.1',
    REQUESTS_CA_BUNDLE => $proxy->ca_file,
    AZURE_CORE_COLLECT_TELEMETRY => 'false',
    TZ => 'NST3:30');	# az before 2.54 prints local time

sub server {
	return pool(settings => settings(fake => $fake, clusters => [
	    { name => 'aks', authProvider => 'azure' }]),
	    env => { %env, AZURE_TOKEN_CREDENTIALS => 'AzureCliCredential' });
}
my $pool = server();

# az takes longer than a request waits, where much else goes on.
sub ask {
	return wait_for(sub {
		my $answer = get($pool, '/clusters/aks/proxy/version',
		    as => 'ann', timeout => 60);
		return $answer->{body} =~ /not there yet/ ? undef : $answer;
	}, 60, 'az');
}

my $answer = ask();
cmp_ok $answer->{status}, '>=', 400, 'nothing before the login';
like $answer->{body}, qr/az login/, 'and it says what to do';
$pool->stop;

my $login = run_command([$az, 'login', '--service-principal',
    '--allow-no-subscriptions', '-u', $CLIENT, '-p', $SECRET,
    '--tenant', $TENANT], env => \%env, timeout => 120);
is $login->{code}, 0, 'az login' or diag $login->{err};

$pool = server();
is ask()->{status}, 200, 'after it the cluster is asked';
my $token = ($fake->last_request('aks')->{headers}{authorization} // '');
like $token, qr/^Bearer entra-token/, 'with a token';
my ($asked) = grep { ($_->{form}{scope} // '') =~ /^6dae42f8-/ }
    @{$cloud->requests('entra')};
is $asked->{form}{scope}, '6dae42f8-4368-4678-94ff-3960e28e3630/.default',
    'that was asked for AKS';
my $requests = @{$cloud->requests('entra')};
ask() for 1 .. 3;
is scalar @{$cloud->requests('entra')}, $requests,
    'and is kept: az printed when it ends, in a form that was understood';
log_has_no('no token is in a log', $token =~ s/^Bearer //r, $SECRET);
done_testing;
