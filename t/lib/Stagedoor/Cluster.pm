# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes API server on loopback: etcd and kube-apiserver in the
# folder of this test, and kubectl to fill them. There are no nodes and no
# controllers: pods stay Pending, deployments make no pods. Stagedoor::Kwok
# adds a node whose pods run.
#
#	my $cluster = Stagedoor::Cluster->start;	# or the test is skipped
#	    # webhook => FILE: a kubeconfig of who knows about tokens;
#	    # jwt => [{ issuer => URL, audiences => [...], ca_file => FILE,
#	    #	username => 'email', groups => 'groups', prefix => 'oidc:' }]:
#	    # issuers whose id tokens it accepts;
#	    # kubelet => 1: nodes show a certificate of ca_file
#	$cluster->fill;				# see t/cluster/demo.yaml
#	my $token = $cluster->token('reader');
#	$cluster->url; $cluster->ca_file; $cluster->kubectl(qw(get pods));
#
# It ends with the test.
package Stagedoor::Cluster;

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Process;
use Stagedoor::TLS qw(make_ca make_cert slurp);
use Stagedoor::Util qw(free_port have_program program run_command
    skip_or_fail tempdir top wait_for write_file);

# How long it goes on trusting a token that it has checked.
use constant TOKEN_CACHE_SECONDS => 10;

my $ready_seconds = 90;		# three are enough on a machine that is idle
my $count = 0;

sub start {
	my ($class, %opt) = @_;
	my $self = bless {
		%opt, bin => programs(), applied => 0,
		dir => tempdir() . '/cluster-' . ++$count,
	}, $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	$self->_make_certificates;
	$self->_start_etcd;
	$self->_start_apiserver;
	$self->{admin} = $self->kubeconfig('admin', user => {
		'client-certificate' => $self->path('admin.crt'),
		'client-key' => $self->path('admin.key'),
	});
	$self->_wait_until_ready;
	return $self;
}

# The folder of the programs; builds them if this is the first time.
sub programs {
	program($_) for qw(openssl sha256sum flock);
	have_program('go')
	    or skip_or_fail('no Go to build kube-apiserver with');
	# What it has to say goes to the screen: the first time takes long.
	open my $build, '-|', top() . '/t/cluster/build' or die "build: $!";
	chomp(my $dir = <$build> // '');
	return $dir if close $build && -x "$dir/kube-apiserver";
	skip_or_fail('kube-apiserver does not build here');
}

sub _make_certificates {
	my ($self) = @_;
	my $dir = $self->{dir};
	make_ca($dir, $_) for qw(ca other-ca);
	# A real one's certificate has a name as well; nginx holds it to that.
	make_cert($dir, $_, 'ca', names => ['kubernetes.default.svc'])
	    for qw(apiserver web),
	    $self->{kubelet} ? 'kubelet' : ();
	make_cert($dir, 'admin', 'ca', client => 1,
		subject => '/O=system:masters/CN=admin');
	for my $args ([qw(genrsa -out sa.key 2048)],
	    [qw(rsa -in sa.key -pubout -out sa.pub)]) {
		s{^(sa\.)}{$dir/$1} for @$args;
		my $made = run_command([ 'openssl', @$args ]);
		die "openssl: $made->{err}" if $made->{code} != 0;
	}
}

# Nothing in here outlives the test, so there is nothing to save by asking
# kindly: kube-apiserver takes seconds to say goodbye.
sub _spawn {
	my ($self, $name, @args) = @_;
	$self->{process}{$name} = Stagedoor::Process->start(name => $name,
		stop_signal => 'KILL',
		command => [ "$self->{bin}/$name", @args ]);
}

sub _start_etcd {
	my ($self) = @_;
	my ($client, $peer) = (free_port(), free_port());
	$self->{etcd} = "http://127.0.0.1:$client";
	my $peer_url = "http://127.0.0.1:$peer";
	my $process = $self->_spawn('etcd', '--name=test',
		'--data-dir=' . $self->path('etcd'),
		'--unsafe-no-fsync', '--log-level=warn',
		"--listen-client-urls=$self->{etcd}",
		"--advertise-client-urls=$self->{etcd}",
		"--listen-peer-urls=$peer_url",
		"--initial-advertise-peer-urls=$peer_url",
		"--initial-cluster=test=$peer_url");
	wait_for(sub { $process->ended || Stagedoor::HTTP::connect_to(
		{ host => '127.0.0.1', port => $client }) },
		$ready_seconds, 'etcd');
}

sub _start_apiserver {
	my ($self) = @_;
	$self->{port} //= free_port();
	my $url = $self->url;
	write_file($self->path('audit.yaml'), <<'END');
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
END
	my @who = map { "--authentication-token-webhook-config-file=$_" }
	    grep { defined } $self->{webhook};
	push @who, '--authentication-config=' . $self->_issuers
	    if $self->{jwt};
	push @who, '--kubelet-certificate-authority=' . $self->ca_file,
	    '--kubelet-preferred-address-types=InternalIP'
	    if $self->{kubelet};
	$self->_spawn('kube-apiserver', "--etcd-servers=$self->{etcd}",
		@who,
		'--bind-address=127.0.0.1', "--secure-port=$self->{port}",
		'--advertise-address=127.0.0.1',
		'--endpoint-reconciler-type=none',
		'--service-cluster-ip-range=10.96.0.0/16',
		'--tls-cert-file=' . $self->path('apiserver.crt'),
		'--tls-private-key-file=' . $self->path('apiserver.key'),
		'--client-ca-file=' . $self->ca_file,
		'--cert-dir=' . $self->path('apiserver-certs'),
		'--authorization-mode=RBAC',
		"--service-account-issuer=$url",
		'--service-account-key-file=' . $self->path('sa.pub'),
		'--service-account-signing-key-file=' . $self->path('sa.key'),
		'--audit-policy-file=' . $self->path('audit.yaml'),
		'--audit-log-path=' . $self->path('audit.log'),
		'--profiling=false');
}

# A claim "email" becomes "oidc:bob@example.test". Issuers must be there before
# the API server is: it asks for their keys at once, and then seldom.
sub _issuers {
	my ($self) = @_;
	my @all = map { my $of = $_;
	    my $prefix = $of->{prefix} // 'oidc:';
	    { issuer => { url => $of->{issuer},
		    audiences => $of->{audiences} // ['stagedoor'],
		    certificateAuthority => slurp($of->{ca_file}) },
		claimMappings => {
		    username => { claim => $of->{username} // 'email',
			prefix => $prefix },
		    groups => { claim => $of->{groups} // 'groups',
			prefix => $prefix } } } } @{$self->{jwt}};
	# What is YAML is JSON, too.
	return write_file($self->path('authentication.yaml'), encode_json({
		apiVersion => 'apiserver.config.k8s.io/v1',
		kind => 'AuthenticationConfiguration', jwt => \@all,
		anonymous => { enabled => \1, conditions => [
		    map { { path => $_ } } qw(/livez /readyz /healthz)] } }));
}

sub _wait_until_ready {
	my ($self) = @_;
	my $process = $self->{process}{'kube-apiserver'};
	wait_for(sub {
		my $answer = $self->run_kubectl(qw(get --raw /readyz));
		return $process->ended || $answer->{out} eq 'ok';
	}, $ready_seconds, 'kube-apiserver');
	die "kube-apiserver does not start\n" if $process->ended;
}

# --- What tests use ---------------------------------------------------------

sub path { return "$_[0]{dir}/$_[1]" }
sub url { return "https://127.0.0.1:$_[0]{port}" }
sub port { return $_[0]{port} }
# Of the certificate that the API server shows, and one that it is not of.
sub ca_file { return $_[0]->path('ca.crt') }
sub ca_data { return encode_base64(slurp($_[0]->ca_file), '') }
sub other_ca_file { return $_[0]->path('other-ca.crt') }
sub other_ca_data { return encode_base64(slurp($_[0]->other_ca_file), '') }
# (certificate, key) for a web server on loopback, signed by ca_file.
sub web_certificate { return map { $_[0]->path("web.$_") } qw(crt key) }

# Writes a kubeconfig of one context, called like the file; returns its path.
# user => {...} is what stands in the user's entry; server and ca_file are the
# API server's if not given.
sub kubeconfig {
	my ($self, $name, %opt) = @_;
	my $server = $opt{server} // $self->url;
	my $ca = $opt{ca_file} // $self->ca_file;
	my $user = join ', ', map { qq("$_": "$opt{user}{$_}") }
	    sort keys %{$opt{user}};
	return write_file($self->path("$name.kubeconfig"), <<"END");
apiVersion: v1
kind: Config
clusters:
- {name: "$name", cluster: {server: "$server", certificate-authority: "$ca"}}
users: [{name: "$name", user: {$user}}]
contexts: [{name: "$name", context: {cluster: "$name", user: "$name"}}]
current-context: "$name"
END
}

# The command of kubectl with that kubeconfig, for who starts it himself.
sub kubectl_command {
	my ($self, $kubeconfig, @args) = @_;
	return ('env', 'HOME=' . $self->{dir}, "$self->{bin}/kubectl",
		"--kubeconfig=$kubeconfig", @args);
}

# Ends the API server at once and starts another one, on the same port, of
# the same etcd. between => sub: meanwhile.
sub restart {
	my ($self, %opt) = @_;
	$self->{process}{'kube-apiserver'}->stop;
	$opt{between}->() if $opt{between};
	$self->_start_apiserver;
	$self->_wait_until_ready;
}

# etcd forgets what is older than now: who watches from there gets a 410.
sub compact {
	my ($self) = @_;
	my ($port) = $self->{etcd} =~ /:(\d+)$/;
	my $etcd = Stagedoor::HTTP->new(host => '127.0.0.1', port => $port);
	my $now = $etcd->post('/v3/kv/range', json => { key => 'AA==' });
	my $revision = decode_json($now->{body})->{header}{revision};
	my $done = $etcd->post('/v3/kv/compaction',
		json => { revision => $revision, physical => \1 });
	die "etcd: $done->{body}" if $done->{status} != 200;
}

# As that kubeconfig says: { code, out, err }.
sub kubectl_as {
	my ($self, $kubeconfig, @args) = @_;
	return run_command([ $self->kubectl_command($kubeconfig, @args) ]);
}

# As the administrator, straight to the API server.
sub run_kubectl {
	my ($self, @args) = @_;
	return $self->kubectl_as($self->{admin}, @args);
}

# The same; dies if it fails, returns what it said.
sub kubectl {
	my ($self, @args) = @_;
	my $ran = $self->run_kubectl(@args);
	die "kubectl @args: $ran->{err}" if $ran->{code} != 0;
	chomp $ran->{out};
	return $ran->{out};
}

sub apply {
	my ($self, $yaml) = @_;
	my $file = $self->path('apply-' . ++$self->{applied} . '.yaml');
	write_file($file, $yaml);
	return $self->kubectl('apply', '--server-side', '-f', $file);
}

# What t/cluster/demo.yaml holds. Objects whose kind it defines itself stand
# there behind "# then".
sub fill {
	my ($self) = @_;
	my ($kinds, $objects) = split /^# then\n/m,
	    slurp(top() . '/t/cluster/demo.yaml');
	$self->apply($kinds);
	$self->kubectl(qw(wait --for=condition=Established --timeout=60s crd
		--all));
	$self->apply($objects);
}

# A token of a service account in "demo", good for an hour.
sub token {
	my ($self, $account) = @_;
	return $self->kubectl(qw(-n demo create token), $account,
		'--duration=1h');
}

# How many connections to the API server that process has.
sub connections_of {
	my ($self, $pid) = @_;
	my $port = sprintf ':%04X', $self->{port};
	my %inode;
	for (split /\n/, slurp('/proc/net/tcp')) {
		my (undef, undef, $to, $state, @rest) = split;
		$inode{"socket:[$rest[5]]"} = 1
		    if $state eq '01' && $to =~ /$port$/;
	}
	return scalar grep { $inode{readlink($_) // ''} }
	    glob "/proc/$pid/fd/*";
}

# What the API server logged of requests whose URI matches, the oldest first:
# hashes with user, verb, requestURI, responseStatus and more.
sub audit {
	my ($self, $uri) = @_;
	return grep { $_->{requestURI} =~ $uri } map { decode_json($_) }
	    split /\n/, slurp($self->path('audit.log'));
}

1;
