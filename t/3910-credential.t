#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor credential: what kubectl is given, in which version, and what it
# is not given, with a reason and without a secret.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::Local qw(timegm);

my $dir = tempdir();
my %secret = (token => 'settings-0001', file => 'in-a-file-0002',
    aws => 'fakesecretfakesecretfakesecret');
Stagedoor::TLS::make_ca($dir, 'ca');
Stagedoor::TLS::make_cert($dir, 'ann', 'ca', client => 1,
    subject => '/CN=ann');
my $ended = `openssl x509 -in $dir/ann.crt -noout -enddate`;
write_file("$dir/kubeconfig", <<"END");
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {tokenFile: "$dir/token"}}]
contexts: [{name: from-file, context: {cluster: c, user: u}}]
END
write_file("$dir/token", "$secret{file}\n");

my %both = (token => $secret{token}, map { $_->[0] =>
    slurp("$dir/$_->[1]") =~ s/\n\z//r } [clientCertificateData => 'ann.crt'],
    [clientKeyData => 'ann.key']);
write_file("$dir/both", "#!/bin/sh\ncat <<'END'\n" . encode_json({
    kind => 'ExecCredential', apiVersion =>
    'client.authentication.k8s.io/v1', status => \%both }) . "\nEND\n");
chmod 0755, "$dir/both" or die "$dir/both: $!";

my @at = (url => 'https://127.0.0.1:1');
my %x509 = (authProvider => 'x509', clientCertificateFile => "$dir/ann.crt",
    clientKeyFile => "$dir/ann.key");
my @token = (serviceAccountToken => $secret{token});
my @clusters = map { { @at, %$_ } } (
	{ name => 'token', @token, skipTLSVerify => \1 },
	{ name => 'x509', %x509 },
	{ name => 'eks', authProvider => 'aws' },
	{ name => 'both', authProvider => 'exec', exec => {
	    command => "$dir/both" } },
	{ name => 'acting', @token, impersonate => {} },
	{ name => 'reading', @token, readOnly => \1 },
	{ name => 'bobs', @token, allow => ['user:default/bob', 'group:x/b'] },
	{ name => 'no-guests', @token, guests => \0 },
	{ name => 'local', authProvider => 'localKubectlProxy' },
	{ name => 'pod', authProvider => 'serviceAccount' },
	{ name => 'lost', %x509, clientKeyFile => "$dir/nowhere.key" },
	map({ { name => $_, authProvider => $_ } } qw(aks google)),
	{ name => 'oidc', authProvider => 'oidc', oidcTokenProvider => 'o' },
);
my $settings = settings(clusters => \@clusters, source => 'params',
    stagedoor => { identity => { guest => 'guest' } });
push @{$settings->{kubernetes}{clusterLocatorMethods}},
    { type => 'kubeconfig', path => "$dir/kubeconfig" };
$settings->{aws}{mainAccount} = { accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
    secretAccessKey => $secret{aws} };
my $file = write_file("$dir/settings.yaml", encode_json($settings));

sub credential {
	my ($cluster, %opt) = @_;
	return Stagedoor::Pool->run(['credential', '-c', $file, '--user',
	    $opt{user} // 'ann', '--cluster', $cluster,
	    @{$opt{args} // []}], env => { KUBERNETES_EXEC_INFO =>
	    $opt{info} });
}

# The status of what is printed; all else must be as kubectl wants it.
sub given {
	my ($cluster, %opt) = @_;
	my $version = delete $opt{version} // 'v1';
	my $ran = credential($cluster, %opt);
	is $ran->{code}, 0, "$cluster: there is one" or diag $ran->{err};
	is $ran->{err}, '', 'without a word more, for kubectl would show it';
	my $json = decode_json($ran->{out} || 'null') // {};
	is_deeply [@$json{qw(kind apiVersion)}], ['ExecCredential',
	    "client.authentication.k8s.io/$version"], "in $version";
	return $json->{status} // {};
}

sub seconds_of {
	my ($stamp) = @_;
	my @parts = ($stamp // '')
	    =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/ or return 0;
	return timegm(@parts[5, 4, 3, 2], $parts[1] - 1, $parts[0]);
}

# --- What is given ----------------------------------------------------------

is_deeply given('token'), { token => $secret{token} }, 'a token';
is_deeply given('from-file'), { token => $secret{file} },
    'the token of a kubeconfig';
my $status = given('x509');
my $ends = delete $status->{expirationTimestamp};
is_deeply $status, { clientCertificateData => slurp("$dir/ann.crt") =~
	s/\n\z//r, clientKeyData => slurp("$dir/ann.key") =~ s/\n\z//r },
    'a certificate and its key';
my ($year, $clock) = $ended =~ /=\w+ +\d+ ([\d:]+) (\d+) GMT/
    ? ($2, $1) : ('', '');
like $ends, qr/^$year-\d\d-\d\dT\Q$clock\EZ$/, 'until the certificate ends';
$status = given('both');
delete $status->{expirationTimestamp};
is_deeply $status, \%both, 'a token and a certificate, as a plug-in gives both';
$status = given('eks');
like $status->{token}, qr/^k8s-aws-v1\.[\w-]+$/, 'a token for EKS';
my $left = seconds_of($status->{expirationTimestamp}) - time;
ok $left > 800 && $left <= 840, 'until it ends' or diag $left;
is given('bobs', user => 'user:default/bob')->{token}, $secret{token},
    'who may, is given it';
is given('bobs', args => ['--groups', 'y,group:x/b'])->{token},
    $secret{token}, 'also by a group';
is given('token', user => '')->{token}, $secret{token}, 'and a guest';

# --- In which version -------------------------------------------------------

sub info {
	my ($version) = @_;
	return encode_json({ kind => 'ExecCredential', apiVersion =>
	    "client.authentication.k8s.io/$version", spec => {
	    interactive => \0 } });
}

given('token', info => info($_), version => $_) for qw(v1 v1beta1);
for my $bad (info('v1alpha1'), info('v2'), 'nonsense', '[]', '{}') {
	my $ran = credential('token', info => $bad);
	is $ran->{code}, 1, "not in a version that we do not know: $bad";
	like $ran->{err}, qr/^stagedoor: KUBERNETES_EXEC_INFO /, 'is said';
	is $ran->{out}, '', 'and nothing given';
}

# --- What is not given ------------------------------------------------------

my $said = '';
for (['acting', qr/'acting': it has `impersonate`/],
    ['reading', qr/'reading': it is `readOnly`/],
    ['bobs', qr/'bobs': this user may not use it/],
    ['no-guests', qr/'no-guests': this user may not/, user => ''],
    ['local', qr/'local': requests to it go out without/],
    ['pod', qr/there is none in the settings: cannot read '\/var/],
    ['lost', qr/client key of cluster 'lost'.*nowhere\.key': No such file/],
    ['aks', qr/'aks': sign in/], ['google', qr/'google': sign in/],
    ['oidc', qr/'oidc': sign in/]) {
	my ($cluster, $why, %opt) = @$_;
	my $ran = credential($cluster, %opt);
	is $ran->{code}, 1, "$cluster: there is none";
	like $ran->{err}, qr/^stagedoor: .*$why/, 'and why';
	is $ran->{err} =~ tr/\n//, 1, 'in one line';
	is $ran->{out}, '', 'and nothing given';
	$said .= $ran->{err};
}
my ($key) = (split /\n/, slurp("$dir/ann.key"))[1];
is scalar(grep { index($said, $_) >= 0 } values %secret, $key), 0,
    'without a secret';

# --- Usage ------------------------------------------------------------------

my $ran = credential('tokem');
is $ran->{code}, 2, 'a cluster that is not there gives 2';
like $ran->{err}, qr/no cluster 'tokem'; did you mean 'token'\?/,
    'with the one that is';
my $help = stagedoor('credential', '--help');
is $help->{code}, 0, '--help gives 0';
for my $args ([], [qw(--user a)], [qw(--cluster token)],
    [qw(--user a --cluster token more)],
    [qw(--user a --cluster token --cluster x509)]) {
	$ran = stagedoor('credential', '-c', $file, @$args);
	is $ran->{code}, 2, "'@$args' gives 2";
	like $ran->{err}, qr/^usage: stagedoor credential /m, 'with the usage';
	is $ran->{out}, '', 'and nothing given';
}
my @args = ('credential', '-c', $file, qw(--user a --cluster token));
$ran = run_command(['sh', '-c', 'exec "$@" >/dev/full', 'sh', stagedoor_bin(),
    @args]);
is $ran->{code}, 1, 'what cannot be written gives 1';
like $ran->{err}, qr/cannot write the credential: No space/, 'and is said';

SKIP: {
	skip_one('no script') if !have_program('script');
	$ran = run_command(['script', '-qec', join(' ', stagedoor_bin(),
	    @args), '/dev/null']);
	like $ran->{out}, qr/this is a secret.*\Q$secret{token}\E/s,
	    'on a terminal it is called a secret, and printed as asked';
}

# --- What holds a secret leaves no core file --------------------------------

my $slow = write_file("$dir/slow", "#!/bin/sh\nexec sleep 20\n");
chmod 0755, $slow;
push @clusters, { @at, name => 'slow', authProvider => 'exec',
	exec => { command => $slow } };
my $slow_file = write_file("$dir/slow.yaml",
    encode_json(settings(clusters => [$clusters[-1]], source => 'params')));
for my $command (qw(explain credential)) {
	my $process = Stagedoor::Process->start(name => $command, command =>
	    [stagedoor_bin(), $command, '-c', $slow_file,
	    qw(--user a --cluster slow)]);
	ok wait_for(sub { slurp('/proc/' . $process->pid . '/limits')
	    =~ /^Max core file size\s+0\s+0\s/m }, 5, 'no core file'),
	    "$command leaves no core file";
	$process->signal('KILL');
	$process->stop;
}

# The README shows how, in options that there are.
my ($readme) = slurp(top() . '/README.md')
    =~ /^(`stagedoor credential.*?interactiveMode: \w+\n)/ms;
like $readme // '', qr/command: stagedoor\n +args: \[credential, /,
    'the README tells of it';
for my $option (($readme // '') =~ /(--\w+)/g) {
	like $help->{out}, qr/\Q$option\E\b/, "$option is in --help";
}
done_testing;
