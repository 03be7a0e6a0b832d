# SPDX-License-Identifier: Apache-2.0
# Fake clusters and the Backstage stub: one process, any number of loopback
# ports, every request recorded.
#
#	my $fake = Stagedoor::Fake->start(clusters => [
#	    { name => 'one' }, { name => 'bad', behaviour => 'hang' }]);
#	$fake->url('one'); $fake->requests('one'); $fake->reset;
#
# A cluster without a port gets a free one (Stagedoor::Fake::Cluster tells
# what else it may have). backstage => 1 starts the stub too. What is no
# cluster names the class that answers (Stagedoor::Fake::Cloud does).
package Stagedoor::Fake;

use strict;
use warnings;

use File::Basename qw(dirname);
use IO::Socket::INET;
use POSIX ();
use Stagedoor::Fake::Backstage;
use Stagedoor::Fake::Cluster;
use Stagedoor::Fake::Conn;
use Stagedoor::Fake::Data;
use Stagedoor::Fake::Loop;
use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json encode_json read_json);
use Stagedoor::Process;
use Time::HiRes qw(sleep time);

my $CONTRACT = dirname(__FILE__) . '/../../contract';

sub data_folder { return $CONTRACT }

sub start {
	my ($class, %opt) = @_;
	my @clusters = map { { %$_ } } @{$opt{clusters} // []};
	my $self = bless { ports => {} }, $class;
	my @servers = map { $self->_listen($_) } @clusters;
	push @servers, $self->_listen({ name => '@backstage',
	    port => $opt{backstage_port} }) if $opt{backstage};
	push @servers, $self->_listen({ name => '@control' });

	my $log = Stagedoor::Process::dir() . '/fake.log';
	my $pid = fork() // die "fork: $!";
	_serve(\@servers, \%opt, $log) if $pid == 0;
	close $_->{socket} for @servers;
	$self->{process} = Stagedoor::Process->adopt(name => 'fake',
	    pid => $pid, log => $log);
	$self->{control} = Stagedoor::HTTP->new(
	    port => $self->{ports}{'@control'});
	return $self;
}

sub _listen {
	my ($self, $config) = @_;
	my $socket = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1', LocalPort => $config->{port} // 0,
		Listen => 512, ReuseAddr => 1, Proto => 'tcp',
	) or die "cannot listen on port $config->{port} for the fake cluster "
	    . "'$config->{name}': $! (does another test run?)\n";
	$config->{port} = $socket->sockport;
	$self->{ports}{$config->{name}} = $config->{port};
	return { config => $config, socket => $socket };
}

sub port { return $_[0]{ports}{$_[1]} // die "no fake cluster '$_[1]'" }
sub url { return 'http://127.0.0.1:' . $_[0]->port($_[1]) }
sub backstage_url { return $_[0]->url('@backstage') }
sub has_backstage { return exists $_[0]{ports}{'@backstage'} }
sub stop { return $_[0]{process}->stop }

sub cluster_names {
	my ($self) = @_;
	return [grep { !/^\@/ } sort keys %{$self->{ports}}];
}

# All requests since the last reset, or those of one cluster. Each has
# cluster, method, rawPath, query, headers, body, length, sha256, time and
# connection; over TLS also tls_subject, tls_connection and tls_protocol.
sub requests {
	my ($self, $cluster) = @_;
	my $all = $self->_control('/requests');
	return $all if !defined $cluster;
	return [grep { $_->{cluster} eq $cluster } @$all];
}

sub last_request { return $_[0]->requests($_[1])->[-1] }

# Wait until no more requests come, then give them.
sub settled {
	my ($self, $cluster) = @_;
	my ($last, $same) = (-1, 0);
	for (1 .. 60) {
		my $n = @{$self->requests};
		$same = $n == $last ? $same + 1 : 0;
		last if $same >= 2;
		$last = $n;
		sleep 0.03;
	}
	return $self->requests($cluster);
}

# { accepted, open } of a cluster's connections.
sub connections {
	my ($self, $cluster) = @_;
	return $self->_control('/conns')->{$cluster};
}

sub reset { $_[0]->_control('/reset') }

sub add_entity {
	my ($self, $entity) = @_;
	$self->_control('/entity', $entity);
}

# Change how a cluster behaves from now on.
sub behave {
	my ($self, $cluster, $behaviour) = @_;
	$self->_control('/behave', { cluster => $cluster,
	    behaviour => $behaviour });
}

# What Backstage's back ends answer from now on: Stagedoor::Fake::Backstage
# tells what there is.
sub backstage_says {
	my ($self, %options) = @_;
	$self->_control('/tell', ['@backstage', 'set', \%options]);
}

# Call a method of a cluster's class, in its process.
sub tell {
	my ($self, $cluster, $method, @arguments) = @_;
	return $self->_control('/tell', [$cluster, $method, @arguments]);
}

sub _control {
	my ($self, $path, $json) = @_;
	my $answer = $self->{control}->post($path, json => $json);
	die 'no answer from the fake clusters: '
	    . ($answer->{error} // 'timeout') . "\n" if !$answer->{status};
	return decode_json($answer->{body});
}

# --- In the child -----------------------------------------------------------

sub _serve {
	my ($servers, $opt, $log) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	$SIG{PIPE} = 'IGNORE';
	open STDOUT, '>>', $log;
	open STDERR, '>&', \*STDOUT;
	STDERR->autoflush(1);
	eval { Stagedoor::Fake::World->new($servers, $opt)->run };
	print STDERR "fake clusters ended: $@\n";
	POSIX::_exit(1);
}

package Stagedoor::Fake::World;

use strict;
use warnings;

use Stagedoor::JSON qw(decode_json encode_json read_json);
use Time::HiRes qw(time);

# Everything that the child knows: the loop, the servers, the record.
sub new {
	my ($class, $servers, $opt) = @_;
	my $folder = Stagedoor::Fake::data_folder();
	my $self = bless { loop => Stagedoor::Fake::Loop->new,
	    recorded => [], next_id => 1, servers => {} }, $class;
	my $data = Stagedoor::Fake::Data->new("$folder/data.json");
	for my $listener (@$servers) {
		my $server = $self->_server($listener->{config}, $opt, $data);
		$self->{servers}{$server->{name}} = $server;
		$self->_accept_on($listener->{socket}, $server);
	}
	return $self;
}

sub run { $_[0]{loop}->run }

sub _server {
	my ($self, $config, $opt, $data) = @_;
	my $record = sub { $self->_record(@_) };
	my %common = (loop => $self->{loop}, record => $record);
	my $name = $config->{name};

	return Stagedoor::Fake::Control->new($self) if $name eq '@control';
	if ($name eq '@backstage') {
		my $folder = Stagedoor::Fake::data_folder();
		return Stagedoor::Fake::Backstage->new(%common,
		    entities => $opt->{entities}
			// read_json("$folder/entities.json"),
		    jwks => $opt->{jwks} // read_json("$folder/jwks.json"));
	}
	my $class = $config->{class} // 'Stagedoor::Fake::Cluster';
	return $class->new(%common, data => $data, %$config);
}

sub _record {
	my ($self, $name, $request, $conn) = @_;
	my $headers = $request->{headers};
	push @{$self->{recorded}}, {
		_tls_facts($headers), time => time, cluster => $name,
		connection => $conn->id,
		method => _method($request), rawPath => $request->{raw_path},
		query => $request->{query}, headers => $headers,
		body => Stagedoor::Fake::Conn::body_note($request),
		length => $request->{length}, sha256 => $request->{sha256},
		form => $request->{form},
	};
}

# What the web server that ends TLS adds, taken out of the headers.
sub _tls_facts {
	my ($headers) = @_;
	my %facts;
	for my $what (qw(subject connection protocol resumed)) {
		my $value = delete $headers->{"x-test-$what"} // next;
		$facts{"tls_$what"} = $value;
	}
	return %facts;
}

sub _method {
	my ($request) = @_;
	return Stagedoor::Fake::WebSocket::wanted($request)
	    ? 'UPGRADE' : $request->{method};
}

sub _accept_on {
	my ($self, $socket, $server) = @_;
	$socket->blocking(0);
	my $acceptor = bless { world => $self, socket => $socket,
	    server => $server }, 'Stagedoor::Fake::Acceptor';
	$self->{loop}->watch($socket, $acceptor, read => 1);
}

package Stagedoor::Fake::Acceptor;

use strict;
use warnings;

sub readable {
	my ($self) = @_;
	my ($world, $server) = @$self{qw(world server)};
	while (my $socket = $self->{socket}->accept) {
		$server->{accepted}++;
		$server->{open}++;
		Stagedoor::Fake::Conn->new($world->{loop}, $socket, $server,
		    $world->{next_id}++);
	}
}

package Stagedoor::Fake::Control;

use strict;
use warnings;

use Stagedoor::JSON qw(decode_json encode_json);

sub new {
	my ($class, $world) = @_;
	return bless { name => '@control', world => $world }, $class;
}

sub handle {
	my ($self, $request, $conn) = @_;
	my ($name) = $request->{target} =~ m{^/(\w+)$};
	my $call = $self->can('_do_' . ($name // ''));
	return $conn->reply(404, [], '') if !$call;
	my $argument = decode_json($request->{body} || 'null');
	$conn->reply(200, ['Content-Type' => 'application/json'],
	    encode_json($call->($self->{world}, $argument)));
}

sub _do_ping { return 'pong' }

sub _do_reset {
	my ($world) = @_;
	$world->{recorded} = [];
	return 'ok';
}

sub _do_requests {
	my ($world) = @_;
	return $world->{recorded};
}

sub _do_conns {
	my ($world) = @_;
	my $servers = $world->{servers};
	return { map { $_ => { accepted => $servers->{$_}{accepted} // 0,
	    open => $servers->{$_}{open} // 0 } } keys %$servers };
}

sub _do_entity {
	my ($world, $entity) = @_;
	$world->{servers}{'@backstage'}->add_entity($entity);
	return 'ok';
}

# A method of a server, for those that have more to be told.
sub _do_tell {
	my ($world, $what) = @_;
	my ($name, $method, @arguments) = @$what;
	return $world->{servers}{$name}->$method(@arguments);
}

sub _do_behave {
	my ($world, $what) = @_;
	$world->{servers}{$what->{cluster}}{behaviour} = $what->{behaviour};
	return 'ok';
}

1;
