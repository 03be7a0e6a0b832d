#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor explain over clusters whose credentials come from clouds: the
# steps on the way, what the clouds refuse, what processes share, and never a
# secret of all that went into it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my %secret = (aws => 'aws-secret-of-settings', entra => 'azure+secret/%&',
    key => 'PRIVATE KEY', session => '-secret-\d', token => '-token-\d',
    eks => 'k8s-aws-v1', signature => 'X-Amz-Signature',
    refresh => 'google-refresh');
my $role = 'arn:aws:iam::222222222222:role/k8s';
my $dir = tempdir();
my $cloud = cloud(keys => { AKIACROWD => $secret{aws} });
my $fake = fake(clusters => [{ name => 'one', handler => sub {
	my ($request, $conn) = @_;
	$conn->reply(201, [], encode_json({ status => { userInfo => {
	    username => 'known', extra => { echo =>
	    [$request->{headers}{authorization} // 'none'] } } } }));
	return 1;
} }]);
my $plugin = write_file("$dir/plugin", <<'END');
#!/bin/sh
echo "failed: $PLUGIN_SECRET" >&2
exit 3
END
chmod 0755, $plugin;
write_file("$dir/keys", "1:" . 'A' x 43 . "=\n");
chmod 0600, "$dir/keys";
mkdir "$dir/store", 0700;
my %env = ($cloud->env(qw(sts entra)), AZURE_CLIENT_SECRET => $secret{entra},
    AZURE_CLIENT_ID => 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
    AZURE_TENANT_ID => '11111111-2222-4333-8444-555555555555',
    AWS_CONFIG_FILE => '/nonexistent', HOME => '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE => '/nonexistent', TZ => 'UTC',
    AWS_REGION => 'eu-west-1', METADATA_SERVER_DETECTION => 'none',
    PLUGIN_SECRET => 'tok-of-a-plugin');

my @clusters = map { { of => 'one', %$_ } } (
	{ name => 'aws', authProvider => 'aws', assumeRole => $role },
	{ name => 'same', authProvider => 'aws', assumeRole => $role },
	{ name => 'azure', authProvider => 'azure' },
	{ name => 'google', authProvider => 'googleServiceAccount' },
	{ name => 'plugin', authProvider => 'exec',
	    exec => { command => $plugin } },
);

sub config {
	my (%stagedoor) = @_;
	my $settings = settings(fake => $fake, clusters => \@clusters,
	    source => 'params', kubernetes => {
		googleServiceAccountCredentials => encode_json(
		    $cloud->google_file('service_account')) },
	    stagedoor => { caFile => $cloud->ca_file, %stagedoor });
	$settings->{aws}{mainAccount} = { accessKeyId => 'AKIACROWD',
	    secretAccessKey => $secret{aws} };
	return write_file("$dir/settings.yaml", encode_json($settings));
}

my $said = '';

sub run {
	my (@args) = @_;
	my $ran = Stagedoor::Pool->run([@args, '-c', "$dir/settings.yaml",
	    '--user', 'ann'], env => \%env);
	$said .= "$ran->{out}$ran->{err}" if $args[0] eq 'explain';
	$ran->{of} = { $ran->{out} =~ /^cluster (\S+)\n(.*?)(?=^\S|\z)/msg };
	return $ran;
}

# --- What works -------------------------------------------------------------

config();
my $of = run('explain')->{of};
for (['aws', qr/role '\Q$role\E'/, '1[34] min'],
    ['azure', qr/environment: has a token/, '(?:59|60) min'],
    ['google', qr/googleServiceAccountCredentials is set/, '\d+ min']) {
	my ($name, $step, $left) = @$_;
	like $of->{$name}, qr/^  steps:\n(?:    .*\n)*    .*$step/m,
	    "$name: the steps";
	like $of->{$name}, qr/credential: a token \([0-9a-f]{8}\), until /,
	    'that there is a token';
	like $of->{$name}, qr/\(in $left\)$/m, 'for how long';
	like $of->{$name}, qr/takes it for: known\n/, 'that it works';
	like $of->{$name}, qr/ = Bearer \*\*\*\n  can be used/,
	    'and not what it is, though the cluster says it';
}
is scalar(grep { $of->{$_} =~ /: one is at hand\n/ } qw(aws same)), 1,
    'one of two clusters with one role gets it, and the other says so';
is scalar(grep { $_->{method} eq 'POST' } @{$cloud->requests('sts')}), 1,
    'for the cloud was asked once';
like $of->{plugin}, qr/credential: none\n.*exit code 3/,
    'a plug-in that fails, and how';

# --- What is refused --------------------------------------------------------

$cloud->behave(map { $_ => 'denied' } qw(sts entra google_token));
$of = run('explain')->{of};
for (['aws', qr/STS answered 403.*AccessDenied/], ['azure', qr/AADSTS\d+/],
    ['google', qr/invalid_grant/]) {
	my ($name, $why) = @$_;
	like $of->{$name}, qr/credential: none\n.*$why/, "$name: who refused";
	like $of->{$name}, qr/^  cannot be used/m, 'and that';
}
my $ran = run('credential', '--cluster', 'aws');
is $ran->{code}, 1, 'then kubectl is given none';
like $ran->{err}, qr/AccessDenied/, 'and told why';
is $ran->{out}, '', 'and no more';
$cloud->behave(map { $_ => 'ok' } qw(sts entra google_token));

# --- What processes share ---------------------------------------------------

config(store => { type => 'sqlite', path => "$dir/store/s.db",
    keyFile => "$dir/keys" });
$cloud->reset;
is run('credential', '--cluster', 'aws')->{code}, 0, 'one is got'
    or diag run('credential', '--cluster', 'aws')->{err};
like run('explain', '--cluster', 'aws')->{of}{aws},
    qr/: one is in the store\n(?:.*\n)*  can be used/,
    'another process finds it in the store';
is scalar(grep { $_->{method} eq 'POST' } @{$cloud->requests('sts')}), 1,
    'and the cloud was asked once';

for my $what (sort keys %secret) {
	my $text = $what =~ /^(?:session|token)$/ ? qr/$secret{$what}/
	    : qr/\Q$secret{$what}\E/;
	unlike $said, $text, "nothing of a secret was said: $what";
}
unlike $said, qr/tok-of-a-plugin/, 'nor of a plug-in\'s';
done_testing;
