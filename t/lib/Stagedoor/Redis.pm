# SPDX-License-Identifier: Apache-2.0
# A real Redis in the folder of this test, on a Unix socket and a free port of
# loopback.
#
#	my $redis = Stagedoor::Redis->start(password => 'x',
#	    durable => 1);
#	stagedoor => { store => { $redis->store, keyFile => ... } }
#	$redis->command(qw(GET name)); $redis->restart; $redis->pause(1);
#
# durable: every write is on the disk before it is acknowledged, and a restart
# finds it. The server wants a password only if there is one.
package Stagedoor::Redis;

use strict;
use warnings;

use IO::Socket::UNIX;
use Stagedoor::Process;
use Stagedoor::Util qw(free_port program wait_for write_file);

my $count = 0;

sub start {
	my ($class, %opt) = @_;
	my $dir = Stagedoor::Process::dir() . '/redis-' . ++$count;
	mkdir $dir or die "$dir: $!";
	my $self = bless { %opt, dir => $dir, socket => "$dir/redis.sock",
	    port => $opt{port} // free_port() }, $class;
	$self->_configure;
	return $self->_run;
}

sub _configure {
	my ($self) = @_;
	my $password = defined $self->{password}
	    ? qq(requirepass "$self->{password}"\n) : '';
	my $durable = $self->{durable} ? "appendonly yes\nappendfsync always\n"
	    : "appendonly no\n";
	my $more = $self->{config} // '';
	write_file("$self->{dir}/redis.conf", <<"END");
bind 127.0.0.1
port $self->{port}
unixsocket $self->{socket}
unixsocketperm 700
dir $self->{dir}
daemonize no
save ""
$password$durable$more
END
}

sub _run {
	my ($self) = @_;
	my $process = Stagedoor::Process->start(name => 'redis',
	    command => [program('redis-server'), "$self->{dir}/redis.conf"]);
	$self->{process} = $process;
	wait_for(sub { $process->ended || ($self->ping // '') eq 'PONG' }, 20,
	    'redis');
	die "redis does not start:\n" . $process->log_text if $process->ended;
	return $self;
}

sub process { return $_[0]{process} }
sub port { return $_[0]{port} }
sub socket { return $_[0]{socket} }
sub url { return "redis://127.0.0.1:$_[0]{port}/" . ($_[1] // 0) }
sub unix_url { return "unix:$_[0]{socket}" }

# For stagedoor.store: type, url (over TCP) and password.
sub store {
	my ($self) = @_;
	return (type => 'redis', url => $self->url,
	    defined $self->{password} ? (password => $self->{password}) : ());
}

sub stop { return $_[0]{process}->stop }
sub kill { $_[0]{process}->signal('KILL'); $_[0]{process}->wait_end(5) }

# On the same port and socket, with what it kept. start_again after stop or
# kill.
sub start_again { return $_[0]->_run }
sub restart { $_[0]->stop; return $_[0]->_run }

# It lives, but says nothing: pause(1), and pause(0) wakes it.
sub pause { $_[0]{process}->signal($_[1] ? 'STOP' : 'CONT') }

# The answer of a command: text, undef, a number, a list; dies on an error.
sub command {
	my ($self, @words) = @_;
	my $socket = $self->_connected;
	return _ask($socket, @words);
}

sub _connected {
	my ($self) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $self->{socket})
	    or die "redis: $!\n";
	_ask($socket, AUTH => $self->{password}) if defined $self->{password};
	return $socket;
}

sub ping {
	my ($self) = @_;
	return eval { $self->command('PING') };
}

# All keys that match the pattern.
sub keys { return sort @{$_[0]->command(KEYS => $_[1] // '*')} }

sub _ask {
	my ($socket, @words) = @_;
	print $socket '*' . @words . "\r\n",
	    map { '$' . length($_) . "\r\n$_\r\n" } @words;
	$socket->flush;
	return _answer($socket);
}

sub _answer {
	my ($socket) = @_;
	my $line = <$socket> // die "redis: closed\n";
	my ($kind, $rest) = $line =~ /^(.)(.*)\r\n$/ or die "redis: $line\n";
	return $rest if $kind eq '+' || $kind eq ':';
	die "redis: $rest\n" if $kind eq '-';
	return undef if $rest == -1;
	return [map { _answer($socket) } 1 .. $rest] if $kind eq '*';
	read $socket, my $text, $rest + 2;
	return substr $text, 0, $rest;
}

1;
