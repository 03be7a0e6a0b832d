# SPDX-License-Identifier: Apache-2.0
# A node for Stagedoor::Cluster, whose pods run and can be looked into: kwok,
# which says that they do and answers for the kubelet. What is run in a pod
# runs on this machine, in a folder of this test.
#
#	my $cluster = Stagedoor::Cluster->start(kubelet => 1);
#	my $kwok = Stagedoor::Kwok->start(cluster => $cluster,
#	    forward => { 80 => $port });	# ports of pods; 7 is an echo
#	$kwok->namespace('shop', 'pod-1');	# containers c1 and c2
#	$kwok->says('c1', 'a line', stderr => 1);	# in the log of all c1
#	write_file($kwok->folder . '/file', ...);	# where programs run
#
# It is not all that a kubelet is, so tests keep off the rest: exit codes of
# programs are lost, a program does not see the end of its input, what one says
# to a terminal just before it ends may be lost, attach has no input, and a
# program that reads nothing outlives its client. Everybody who reaches its
# port may run programs as us, so it listens on loopback only.
package Stagedoor::Kwok;

use strict;
use warnings;

use POSIX qw(strftime);
use Stagedoor::HTTP;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(free_port skip_or_fail top wait_for write_file);

use constant NODE => 'kwok-1';

my $ready_seconds = 60;		# two are enough on a machine that is idle

sub start {
	my ($class, %opt) = @_;
	my $cluster = $opt{cluster};
	my $self = bless { cluster => $cluster, port => free_port(),
	    forward => $opt{forward} // {}, bin => programs(),
	    dir => $cluster->path('kwok') }, $class;
	for my $dir ('', qw(/logs /root /home)) {
		mkdir "$self->{dir}$dir" or die "$self->{dir}$dir: $!";
	}
	write_file("$self->{dir}/logs/$_.log", '') for qw(c1 c2);
	$self->_launch;
	$cluster->apply(encode_json({ apiVersion => 'v1', kind => 'Node',
	    metadata => { name => NODE } }));
	$cluster->kubectl(qw(wait --for=condition=Ready),
	    'node/' . NODE, "--timeout=${ready_seconds}s");
	return $self;
}

# The folder of the program; builds it if this is the first time.
sub programs {
	open my $build, '-|', top() . '/t/cluster/kwok/build'
	    or die "build: $!";
	chomp(my $dir = <$build> // '');
	return $dir if close $build && -x "$dir/kwok";
	skip_or_fail('kwok does not build here');
}

# In a group of its own, with what it runs in pods.
sub _launch {
	my ($self) = @_;
	my ($cluster, $port) = @$self{qw(cluster port)};
	$self->{process} = Stagedoor::Process->start(name => 'kwok',
	    stop_signal => 'KILL', group => 1, env => {
		HOME => "$self->{dir}/home",
	    }, command => ["$self->{bin}/kwok",
		"--kubeconfig=$cluster->{admin}",
		"--config=" . $self->_config, '--manage-all-nodes',
		'--node-ip=127.0.0.1', "--node-port=$port",
		# Without it, it listens on all addresses.
		"--server-address=127.0.0.1:$port",
		'--cidr=127.128.0.0/16',
		'--tls-cert-file=' . $cluster->path('kubelet.crt'),
		'--tls-private-key-file=' . $cluster->path('kubelet.key')]);
	wait_for(sub { $self->{process}->ended || Stagedoor::HTTP::connect_to(
	    { host => '127.0.0.1', port => $port }) }, $ready_seconds, 'kwok');
	die "kwok does not start\n" if $self->{process}->ended;
}

sub _config {
	my ($self) = @_;
	my $logs = "$self->{dir}/logs";
	my %spec = (
		ClusterLogs => { logs => [map { { containers => [$_],
		    logsFile => "$logs/$_.log", follow => \1 } } qw(c1 c2)] },
		ClusterAttach => { attaches => [map { { containers => [$_],
		    logsFile => "$logs/$_.log" } } qw(c1 c2)] },
		ClusterExec => { execs => [{ local => {
		    workDir => $self->folder, envs => [
			{ name => 'IN_POD', value => 'yes' }] } }] },
		ClusterPortForward => { forwards => [
		    { ports => [7], command => ['cat'] },
		    map { { ports => [0 + $_], target =>
			{ address => '127.0.0.1',
			    port => 0 + $self->{forward}{$_} } } }
		    sort keys %{$self->{forward}}] },
	);
	# What is YAML is JSON, too.
	return write_file("$self->{dir}/kwok.yaml",
	    slurp("$self->{bin}/stages.yaml"), map { "---\n"
	    . encode_json({ apiVersion => 'kwok.x-k8s.io/v1alpha1',
	    kind => $_, metadata => { name => 'all' },
	    spec => $spec{$_} }) . "\n" } sort keys %spec);
}

# --- What tests use ---------------------------------------------------------

sub folder { return "$_[0]{dir}/root" }
sub process { return $_[0]{process} }
sub stop { return $_[0]{process}->stop }

# A namespace with these pods; waits until they run.
sub namespace {
	my ($self, $name, @pods) = @_;
	my $cluster = $self->{cluster};
	$cluster->apply(join '', map { "---\n$_\n" } map { encode_json($_) }
	    { apiVersion => 'v1', kind => 'Namespace',
		metadata => { name => $name } },
	    { apiVersion => 'v1', kind => 'ServiceAccount',
		metadata => { name => 'default', namespace => $name } },
	    map { _pod($name, $_) } @pods);
	$cluster->kubectl('-n', $name, qw(wait --for=condition=Ready),
	    "--timeout=${ready_seconds}s", map { "pod/$_" } @pods);
}

sub _pod {
	my ($namespace, $name) = @_;
	my @containers = map { { name => $_,
	    image => 'registry.invalid/none:1', stdin => \1,
	    tty => $_ eq 'c2' ? \1 : \0 } } qw(c1 c2);
	return { apiVersion => 'v1', kind => 'Pod',
	    metadata => { name => $name, namespace => $namespace,
		labels => { 'backstage.io/kubernetes-id' => 'shop' } },
	    spec => { nodeName => NODE, containers => \@containers } };
}

# A line for the log of every container of that name.
sub says {
	my ($self, $container, $text, %opt) = @_;
	my $from = $opt{stderr} ? 'stderr' : 'stdout';
	open my $log, '>>', "$self->{dir}/logs/$container.log"
	    or die "log of $container: $!";
	print $log strftime('%Y-%m-%dT%H:%M:%S.000000000Z', gmtime),
	    " $from F $text\n" or die "log of $container: $!";
	close $log or die "log of $container: $!";
}

1;
