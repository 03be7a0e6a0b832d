# SPDX-License-Identifier: Apache-2.0
# Passes TCP connections on to another port, and cuts them all when it is
# told to: for what must live with a peer that goes away.
#
#	my $relay = Stagedoor::Relay->start(port => 6443);
#	$relay->port; $relay->cut;
#
# Each connection has a process of its own. They end with the test.
package Stagedoor::Relay;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Stagedoor::Util qw(wait_for);

sub start {
	my ($class, %opt) = @_;
	my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
		Listen => 64, Proto => 'tcp') or die "relay: $!";
	my $self = bless { to => $opt{port}, port => $listen->sockport,
		parent => $$ }, $class;
	$self->{pid} = fork // die "fork: $!";
	return $self if $self->{pid};
	$self->_serve($listen);
	require POSIX;
	POSIX::_exit(0);
}

sub port { return $_[0]{port} }

# Ends every connection that there is; the next ones are served.
sub cut {
	my ($self) = @_;
	kill USR1 => $self->{pid};
}

sub _serve {
	my ($self, $listen) = @_;
	my (%child, $cut);
	local $SIG{USR1} = sub { $cut = 1 };
	local $SIG{TERM} = 'DEFAULT';
	local $SIG{CHLD} = 'DEFAULT';
	my $parent = getppid;
	my $select = IO::Select->new($listen);
	while (getppid == $parent) {
		my ($ready) = $select->can_read(0.2);
		while ((my $gone = waitpid -1, 1) > 0) { delete $child{$gone} }
		if ($cut) {
			kill KILL => keys %child;
			$cut = 0;
		}
		my $from = $ready ? $listen->accept : undef or next;
		my $pid = fork // next;
		$child{$pid} = 1, next if $pid;
		close $listen;
		_pass($from, $self->{to});
		require POSIX;
		POSIX::_exit(0);
	}
	kill KILL => keys %child;
}

sub _pass {
	my ($from, $port) = @_;
	my $to = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $port, Proto => 'tcp') or return;
	my %other = ($from => $to, $to => $from);
	my $select = IO::Select->new($from, $to);
	for (;;) {
		for my $side ($select->can_read(10)) {
			sysread $side, my $bytes, 65536 or return;
			while (length $bytes) {
				my $n = syswrite $other{$side}, $bytes
				    or return;
				substr $bytes, 0, $n, '';
			}
		}
		return if getppid == 1;
	}
}

sub DESTROY {
	my ($self) = @_;
	return if ($self->{parent} // 0) != $$ || !$self->{pid};
	local ($?, $!);
	kill TERM => $self->{pid};
	waitpid $self->{pid}, 0;
}

1;
