# SPDX-License-Identifier: Apache-2.0
# For programs that can be told no other address: a CONNECT proxy behind which
# hosts of that name are servers on loopback, with a certificate of its own CA
# for all of them. Every other host is refused.
#
#	my $proxy = Stagedoor::Fake::Proxy->start('sts.amazonaws.com' => PORT);
#	$proxy->url; $proxy->ca_file;
package Stagedoor::Fake::Proxy;

use strict;
use warnings;

use IO::Socket::INET;
use Stagedoor::Fake::Conn;
use Stagedoor::Fake::Loop;
use Stagedoor::Process;
use Stagedoor::TLS qw(make_ca make_cert tls_front);
use Stagedoor::Util qw(free_port);

my $count = 0;

# start(HOST => PORT...): plain HTTP at those ports of loopback.
sub start {
	my ($class, %hosts) = @_;
	my $name = 'proxy-' . ++$count;
	my $self = bless { name => $name, tls => {},
	    dir => Stagedoor::Process::dir() . "/$name" }, $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	make_ca($self->{dir}, 'ca');
	make_cert($self->{dir}, 'hosts', 'ca', names => [sort keys %hosts]);
	my %front;
	$self->{tls}{$_} = $front{$hosts{$_}} //= $self->_front($hosts{$_})
	    for sort keys %hosts;
	$self->_start_server;
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}" }
sub ca_file { return "$_[0]{dir}/ca.crt" }

sub _front {
	my ($self, $port) = @_;
	my $listen = free_port();
	tls_front(listen => $listen, to => $port,
	    cert => "$self->{dir}/hosts.crt", key => "$self->{dir}/hosts.key");
	return $listen;
}

sub _start_server {
	my ($self) = @_;
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
	    Listen => 64) or die "no proxy: $!";
	$self->{port} = $socket->sockport;
	my $log = "$self->{dir}/log";
	my $pid = fork() // die "fork: $!";
	$self->_serve($socket, $log) if $pid == 0;
	Stagedoor::Process->adopt(name => $self->{name}, pid => $pid,
	    log => $log);
}

sub _serve {
	my ($self, $socket, $log) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD __DIE__);
	open STDERR, '>>', $log;
	$self->{loop} = Stagedoor::Fake::Loop->new;
	$self->{socket} = $socket;
	$self->{loop}->watch($socket, $self, read => 1);
	$self->{loop}->run;
}

sub readable {
	my ($self) = @_;
	my $socket = $self->{socket}->accept or return;
	Stagedoor::Fake::Conn->new($self->{loop}, $socket, $self,
	    ++$self->{connections});
}

sub handle {
	my ($self, $request, $conn) = @_;
	my ($host) = $request->{target} =~ /^([^:]+):443$/;
	my $port = $self->{tls}{$host // ''};
	return $conn->reply(403, [], "no way to $request->{target}")
	    if $request->{method} ne 'CONNECT' || !$port;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $port) or return $conn->reset;
	my $far = Stagedoor::Fake::Proxy::Far->new($self->{loop}, $socket,
	    $conn);
	$conn->raw_write("HTTP/1.1 200 Connection established\r\n\r\n");
	$conn->tunnel(sub {
		my ($near) = @_;
		$far->send($near->{in});
		$near->{in} = '';
	});
	$conn->on_close(sub { $far->close });
}

# The far end of a tunnel: what comes from there goes to the near one.
package Stagedoor::Fake::Proxy::Far;

sub new {
	my ($class, $loop, $socket, $near) = @_;
	my $self = bless { loop => $loop, socket => $socket, near => $near },
	    $class;
	$loop->watch($socket, $self, read => 1);
	return $self;
}

# So little that it always fits.
sub send {
	my ($self, $bytes) = @_;
	syswrite $self->{socket}, $bytes if $self->{socket};
}

sub readable {
	my ($self) = @_;
	return if !$self->{socket};
	return $self->close if !sysread $self->{socket}, my $bytes, 65536;
	$self->{near}->raw_write($bytes);
}

sub close {
	my ($self) = @_;
	my $socket = delete $self->{socket} or return;
	$self->{loop}->watch($socket, $self);
	close $socket;
	(delete $self->{near})->close;
}

1;
