# SPDX-License-Identifier: Apache-2.0
package Stagedoor::Cluster;

# A real Kubernetes API server on loopback: etcd and kube-apiserver in a
# temporary folder, and kubectl to fill it with. There are no nodes and no
# controllers: pods stay Pending, deployments make no pods.
#
#	my $k = Stagedoor::Cluster->start;	# or the test is skipped
#	$k->apply($yaml);
#	my $token = $k->token('reader', 'demo');
#	$k->url; $k->ca_file; $k->admin_kubectl(qw(get pods));
#
# It ends with the test.

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Spec;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Stagedoor::Process;
use Test::More ();
use Time::HiRes qw(sleep time);

my $sources = File::Spec->rel2abs(dirname(__FILE__) . '/../../cluster');
my $ready_seconds = 90;		# three are enough on a machine that is idle
my $token_cache_seconds = 10;	# how long it trusts a token it has checked
my $count = 0;

# --- starting and stopping ------------------------------------------------

sub start {
	my ($class) = @_;
	my $bin = programs();
	my $self = bless {
		bin => $bin,
		dir => Stagedoor::Process::dir() . '/cluster-' . ++$count,
	}, $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	$self->make_certificates;
	$self->start_etcd;
	$self->start_apiserver;
	$self->{admin} = $self->kubeconfig('admin', server => $self->url,
		ca_file => $self->ca_file, user => {
			'client-certificate' => $self->path('admin.crt'),
			'client-key' => $self->path('admin.key'),
		});
	$self->wait_until_ready;
	return $self;
}

# The folder of the programs; builds them if this is the first time.
sub programs {
	for my $tool (qw(openssl sha256sum flock)) {
		skip_all("no $tool on this machine") unless on_path($tool);
	}
	skip_all('no Go on this machine to build kube-apiserver with')
	    unless on_path('go');
	open my $build, '-|', "$sources/build" or die "build: $!";
	chomp(my $dir = <$build> // '');
	close $build;
	return $dir if $dir ne '' && -x "$dir/kube-apiserver";
	die "cannot build kube-apiserver: status $?\n" if $ENV{CI};
	skip_all('kube-apiserver does not build here: see above');
}

sub on_path {
	my ($tool) = @_;
	return grep { -x "$_/$tool" } File::Spec->path;
}

sub skip_all {
	my ($why) = @_;
	die "$why, and CI=true forbids to skip\n" if $ENV{CI};
	Test::More::plan(skip_all => $why);
}

# Nothing in here outlives the test, so there is nothing to save by asking
# kindly: kube-apiserver takes seconds to say goodbye.
sub spawn {
	my ($self, $name, @command) = @_;
	$self->{process}{$name} = Stagedoor::Process->start(name => $name,
		log => $self->path("$name.log"), stop_signal => 'KILL',
		command => \@command);
}

sub start_etcd {
	my ($self) = @_;
	my ($client, $peer) = map { "http://127.0.0.1:" . free_port() } 1, 2;
	$self->{etcd} = $client;
	$self->spawn('etcd', "$self->{bin}/etcd",
		'--name=test', "--data-dir=$self->{dir}/etcd",
		'--unsafe-no-fsync', '--log-level=warn',
		"--listen-client-urls=$client",
		"--advertise-client-urls=$client",
		"--listen-peer-urls=$peer",
		"--initial-advertise-peer-urls=$peer",
		"--initial-cluster=test=$peer");
	my ($port) = $client =~ /:(\d+)$/;
	$self->wait_for('etcd', sub {
		IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $port);
	});
}

sub start_apiserver {
	my ($self) = @_;
	$self->{port} = free_port();
	my $url = $self->url;
	$self->write('audit.yaml', <<'END');
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
END
	$self->spawn('kube-apiserver', "$self->{bin}/kube-apiserver",
		"--etcd-servers=$self->{etcd}",
		'--bind-address=127.0.0.1', "--secure-port=$self->{port}",
		'--advertise-address=127.0.0.1',
		'--endpoint-reconciler-type=none',
		'--service-cluster-ip-range=10.96.0.0/16',
		"--tls-cert-file=" . $self->path('apiserver.crt'),
		"--tls-private-key-file=" . $self->path('apiserver.key'),
		"--client-ca-file=" . $self->ca_file,
		"--cert-dir=" . $self->path('apiserver-certs'),
		'--authorization-mode=RBAC',
		"--service-account-issuer=$url",
		"--service-account-key-file=" . $self->path('sa.pub'),
		"--service-account-signing-key-file=" . $self->path('sa.key'),
		"--audit-policy-file=" . $self->path('audit.yaml'),
		"--audit-log-path=" . $self->path('audit.log'),
		'--profiling=false');
}

sub wait_until_ready {
	my ($self) = @_;
	$self->wait_for('kube-apiserver', sub {
		my ($status, $text) = $self->try_kubectl($self->{admin},
			qw(get --raw /readyz));
		return $status == 0 && $text eq 'ok';
	});
}

sub wait_for {
	my ($self, $name, $ready) = @_;
	my $until = time + $ready_seconds;
	while (!$ready->()) {
		die "$name ended" if $self->{process}{$name}->ended;
		die "$name is not ready" if time > $until;
		sleep 0.1;
	}
}

sub free_port {
	my $socket = IO::Socket::INET->new(Listen => 1,
		LocalAddr => '127.0.0.1') or die "no free port: $!";
	return $socket->sockport;
}

# --- files ----------------------------------------------------------------

sub path {
	my ($self, $name) = @_;
	return "$self->{dir}/$name";
}

sub write {
	my ($self, $name, $text) = @_;
	open my $file, '>', $self->path($name) or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
	return $self->path($name);
}

sub slurp {
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file>;
}

# --- certificates ---------------------------------------------------------

sub make_certificates {
	my ($self) = @_;
	$self->make_ca('ca', 'the cluster');
	$self->make_ca('other-ca', 'someone else');
	my $loopback = 'IP:127.0.0.1,DNS:localhost';
	$self->make_certificate('apiserver', '/CN=kube-apiserver',
		"extendedKeyUsage=serverAuth\nsubjectAltName=$loopback");
	$self->make_certificate('web', '/CN=localhost',
		"extendedKeyUsage=serverAuth\nsubjectAltName=$loopback");
	$self->make_certificate('admin', '/O=system:masters/CN=admin',
		'extendedKeyUsage=clientAuth');
	$self->openssl(qw(genrsa -out sa.key 2048));
	$self->openssl(qw(rsa -in sa.key -pubout -out sa.pub));
}

sub make_key {
	my ($self, $name) = @_;
	$self->openssl(qw(ecparam -name prime256v1 -genkey -noout -out),
		"$name.key");
}

sub make_ca {
	my ($self, $name, $of) = @_;
	$self->make_key($name);
	$self->openssl(qw(req -x509 -new -sha256 -days 2),
		-key => "$name.key", -out => "$name.crt",
		-subj => "/CN=authority of $of",
		-addext => 'basicConstraints=critical,CA:TRUE',
		-addext => 'keyUsage=critical,keyCertSign,cRLSign');
}

sub make_certificate {
	my ($self, $name, $subject, $extensions) = @_;
	$self->make_key($name);
	$self->openssl(qw(req -new), -key => "$name.key",
		-subj => $subject, -out => "$name.csr");
	$self->write("$name.ext", "basicConstraints=critical,CA:FALSE\n" .
		"keyUsage=critical,digitalSignature\n$extensions\n");
	$self->openssl(qw(x509 -req -sha256 -days 2 -CA ca.crt -CAkey ca.key),
		-set_serial => int(rand 2 ** 31) + 1, -in => "$name.csr",
		-extfile => "$name.ext", -out => "$name.crt");
}

sub openssl {
	my ($self, @arguments) = @_;
	my ($status, $text) = run({ dir => $self->{dir} }, 'openssl',
		@arguments);
	die "openssl @arguments: $text" if $status != 0;
}

# --- what tests use -------------------------------------------------------

sub url { return "https://127.0.0.1:$_[0]{port}" }
sub port { return $_[0]{port} }
sub ca_file { return $_[0]->path('ca.crt') }
sub ca_data { return encode_base64(slurp($_[0]->ca_file), '') }
sub other_ca_file { return $_[0]->path('other-ca.crt') }
sub other_ca_data { return encode_base64(slurp($_[0]->other_ca_file), '') }
# For a web server in front of it: signed by ca_file, for 127.0.0.1.
sub web_certificate { return ($_[0]->path('web.crt'), $_[0]->path('web.key')) }
sub demo_file { return "$sources/demo.yaml" }
sub token_cache_seconds { return $token_cache_seconds }

# Writes a kubeconfig of one context, called like the file; returns its path.
# user holds what stands in the user's entry, such as token.
sub kubeconfig {
	my ($self, $name, %of) = @_;
	my $user = join ', ',
	    map { qq("$_": "$of{user}{$_}") } sort keys %{$of{user}};
	my $cluster = qq(server: "$of{server}");
	$cluster .= qq(, certificate-authority: "$of{ca_file}")
	    if $of{ca_file};
	return $self->write("$name.kubeconfig", <<"END");
apiVersion: v1
kind: Config
clusters: [{name: "$name", cluster: {$cluster}}]
users: [{name: "$name", user: {$user}}]
contexts: [{name: "$name", context: {cluster: "$name", user: "$name"}}]
current-context: "$name"
END
}

# The command line of kubectl, for tests that run it themselves.
sub kubectl_command {
	my ($self, $kubeconfig, @arguments) = @_;
	return ('env', "HOME=$self->{dir}", "$self->{bin}/kubectl",
		"--kubeconfig=$kubeconfig", @arguments);
}

# (exit status, output and errors together).
sub try_kubectl {
	my ($self, $kubeconfig, @arguments) = @_;
	return run({}, $self->kubectl_command($kubeconfig, @arguments));
}

# As the administrator, straight to the API server; dies if it fails.
sub admin_kubectl {
	my ($self, @arguments) = @_;
	my ($status, $text) = $self->try_kubectl($self->{admin}, @arguments);
	die "kubectl @arguments: $text" if $status != 0;
	chomp $text;
	return $text;
}

sub apply {
	my ($self, $yaml) = @_;
	my $file = $self->write('apply-' . ++$self->{applied} . '.yaml', $yaml);
	return $self->admin_kubectl('apply', '--server-side', '-f', $file);
}

# A namespace "demo" with the objects and accounts of demo.yaml. What is of a
# kind that the file itself defines stands behind "# then".
sub fill {
	my ($self) = @_;
	my ($first, @then) = split /^# then\n/m, slurp($self->demo_file);
	$self->apply($first);
	$self->admin_kubectl(qw(wait --for=condition=Established --timeout=30s
		crd --all));
	$self->apply($_) for @then;
}

# A token of a service account, good for an hour.
sub token {
	my ($self, $account, $namespace) = @_;
	return $self->admin_kubectl('-n', $namespace // 'demo', 'create',
		'token', $account, '--duration=1h');
}

# What the API server wrote into its audit log: one hash a request.
sub audit {
	my ($self) = @_;
	require JSON::PP;
	my $json = JSON::PP->new->utf8;
	return map { $json->decode($_) }
	    split /\n/, slurp($self->path('audit.log'));
}

# (exit status, output and errors together); -1 if it did not start.
sub run {
	my ($options, @command) = @_;
	my $pid = open(my $out, '-|') // die "fork: $!";
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDERR, '>&', \*STDOUT;
		chdir $options->{dir} if $options->{dir};
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	my $text = do { local $/; <$out> } // '';
	close $out;
	return ($? >> 8, $text);
}

1;
