#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What each source of Azure tokens makes of each fault: the table.
# lib/Stagedoor/Faults.pm says how to read it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Faults;

have_program('openssl') or skip_or_fail('no openssl');
have_program('nginx') or skip_or_fail('no nginx');

my $SECRET = 'azure+secret/%&';
my $nobody = 'http://127.0.0.1:' . free_port();
my %APP = (AZURE_TENANT_ID => '11111111-2222-4333-8444-555555555555',
    AZURE_CLIENT_ID => 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee');
my %NOWHERE = (AZURE_POD_IDENTITY_AUTHORITY_HOST => $nobody,
    HOME => '/nonexistent', PATH => '/nonexistent', TZ => undef,
    map { $_ => undef } qw(IDENTITY_ENDPOINT IDENTITY_HEADER
	IDENTITY_SERVER_THUMBPRINT IMDS_ENDPOINT MSI_ENDPOINT));

sub app {
	my ($cloud, %more) = @_;
	return (env => { $cloud->env('entra'), %APP, %more });
}

sub federated {
	my ($text) = @_;
	return sub { app($_[0], AZURE_FEDERATED_TOKEN_FILE =>
	    write_file("$_[1]/federated", $text)) };
}

sub az {
	my ($seconds, $before) = @_;
	return ($before // '') . 'echo \'' . encode_json({ accessToken =>
	    'tok-az', expires_on => int(time) + $seconds }) . '\'';
}

my %SOURCES = (
	secret => { at => 'entra', gets => 'entra-token-1', with => sub {
		app($_[0], AZURE_CLIENT_SECRET => $SECRET) } },
	certificate => { at => 'entra', gets => 'entra-token-1',
	    with => sub { app($_[0], AZURE_CLIENT_CERTIFICATE_PATH =>
		$_[0]->azure_certificate) } },
	workload => { at => 'entra', gets => 'entra-token-1',
	    with => federated("federated-token\n") },
	'workload, an old token' => { at => 'entra', gets => 'entra-token-1',
	    with => federated("old-federated-token\n") },
	app_service => { at => 'app_service', gets => 'app-service-token-1',
	    with => sub { (env => { $_[0]->env('app_service') }) } },
	imds => { at => 'azure_imds', gets => 'azure-imds-token-1',
	    with => sub { (env => { $_[0]->env('azure_imds') }) } },
	az => { gets => 'tok-az', program => 'az', with => sub {
		(env => { PATH => "$_[1]:/usr/bin:/bin" }) }, faults => {
		ok => az(3600),
		slow => az(3600, 'sleep 2;'),
		'8 s' => az(3600, 'sleep 8;'),
		hangs => 'sleep 30',
		expired => az(-60),
		malformed => 'echo \'{"accessToken": "tok-az", "expi\'',
		'no token' => 'echo \'{"tokenType": "Bearer"}\'',
		oversized => 'exec head -c 3000000 /dev/zero',
		exits => 'echo \'ERROR: {"accessToken": "tok-az"} broken\' >&2;'
		    . 'exit 1',
		'not logged in' => 'echo "ERROR: Please run \'az login\' to '
		    . 'setup account." >&2; exit 1',
	} },
);

my $ENTRA = qr{https://127\.0\.0\.1:\d+ answered};
my $MANAGED = qr/managed identity\)?: \S+ answered/;

# What Entra does, whatever shows who we are.
sub entra {
	my ($source, $name) = @_;
	return (
		[$source => 'ok', 1],
		[$source => 'slow:2', 1, after => 2],
		[$source => '503,500', 3, within => 5],
		[$source => '503', 3, says => qr/$name: $ENTRA 503: AADSTS/,
		    within => 5],
		[$source => '429:1,ok', 2, after => 1],
		[$source => '429:60', 1, says => qr/$name: $ENTRA 429/,
		    later => [2.5, 1]],
		[$source => 'reset,ok', 2],
		[$source => 'denied', 1, says =>
		    qr/$name: $ENTRA 401: AADSTS7000215: Invalid client/],
		[$source => 'denied,ok', 1, says => qr/$ENTRA 401/,
		    later => [1.5, 2, 'entra-token-1']],
		[$source => '400:invalid_grant', 1, says => qr/$ENTRA 400: /],
		[$source => 'echo', 1, says => qr/$ENTRA 400: you sent/],
		[$source => 'expired', 1, says => qr/has expired already/],
		[$source => 'malformed', 1, says => qr/there is no token/],
		[$source => 'body:<html>login</html>', 1, says =>
		    qr/$name: .*there is no token/],
		[$source => 'oversized', 1, says => qr/1048576 bytes/],
		[$source => 'redirect', 1, says => qr/$ENTRA 302/],
		[$source => 'skew:600', 1],
		# An assertion that was of the future is made again.
		[$source => 'skew:-600', $source eq 'certificate' ? 2 : 1],
		[$source => 'skew:-600', $source eq 'certificate' ? 2 : 1,
		    lifetime => 300],
		[$source => 'skew:600', 1, lifetime => 4,
		    later => [3, 2, 'entra-token-2']],
	);
}

my @TABLE = (
	entra(secret => qr/\(environment\)/),
	entra(certificate => qr/\(environment\)/),
	entra(workload => qr/\(workload identity\)/),
	['workload, an old token' => 'denied', 1, says => qr/$ENTRA 401/,
	    rotate => [federated => "federated-token\n"]],
	['workload, an old token' => 'slow:1', 1, says => qr/$ENTRA 401/,
	    rotate => [federated => "federated-token\n"],
	    later => [1.5, 2, 'entra-token-1']],

	[app_service => 'ok', 1],
	[app_service => 'slow:2', 1, after => 2],
	[app_service => '503,ok', 2],
	[app_service => 'denied', 1, says => qr/$MANAGED 403/],
	[app_service => '400', 1, says => qr/$MANAGED 400/],
	[app_service => 'echo', 1, says => qr/$MANAGED 400/],
	[app_service => 'expired', 1, says => qr/has expired already/],
	[app_service => 'malformed', 1, says => qr/there is no token/],
	[app_service => 'oversized', 1, says => qr/1048576 bytes/],
	[app_service => 'redirect', 1, says => qr/$MANAGED 302/],
	[app_service => 'skew:600', 1],
	[app_service => 'skew:-600', 1],
	[app_service => 'skew:-600', 1, lifetime => 300],
	[app_service => 'skew:600', 1, lifetime => 4,
	    later => [3, 2, 'app-service-token-2']],

	[imds => 'ok', 1],
	[imds => '404,ok', 2],
	[imds => '410,429,ok', 3, within => 5],
	[imds => 'denied', 1, says => qr/$MANAGED 403/],
	[imds => '400', 1, says => qr/$MANAGED 400.*CLI: there is no az/],
	[imds => 'echo', 1, says => qr/$MANAGED 400/],
	[imds => 'expired', 1, says => qr/has expired already/],
	[imds => 'malformed', 1, says => qr/there is no token/],
	[imds => 'oversized', 1, says => qr/1048576 bytes/],
	[imds => 'redirect', 1, says => qr/$MANAGED 302/],
	[imds => 'skew:600', 1],
	[imds => 'skew:-600', 1, lifetime => 300],
	[imds => 'skew:600', 1, lifetime => 4,
	    later => [3, 2, 'azure-imds-token-2']],

	[az => 'ok', 1],
	[az => 'slow', 1, after => 2],
	[az => '8 s', 1, after => 8],
	[az => 'hangs', 1, says => qr/Azure CLI/, after => 9, within => 12],
	[az => 'expired', 1, says => qr/Azure CLI.*expired already/],
	[az => 'malformed', 1, says => qr/Azure CLI/],
	[az => 'no token', 1, says => qr/Azure CLI/],
	[az => 'oversized', 1, says => qr/Azure CLI/],
	[az => 'exits', 1, says => qr/Azure CLI/],
	[az => 'not logged in', 1, says => qr/Azure CLI.*az login/],
);

Stagedoor::Faults->new(provider => 'azure', env => \%NOWHERE, tls => 1,
    sources => \%SOURCES, tokens => ['tok-az'],
    secrets => qr{\Q$SECRET\E|azure%2B|identity-header|eyJ|PRIVATE\ KEY
	|federated-token|(?:entra|service|imds)-token-\d|tok-az}x)
    ->run(@TABLE);
done_testing;
