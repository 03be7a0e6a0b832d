# SPDX-License-Identifier: Apache-2.0
# The event loop of the fake servers: sockets and timers, one process, no
# blocking. An object that is watched has the methods readable and writable.
package Stagedoor::Fake::Loop;

use strict;
use warnings;

use IO::Poll qw(POLLIN POLLOUT POLLHUP POLLERR);
use Time::HiRes qw(time);

sub new {
	my ($class) = @_;
	return bless {
		poll => IO::Poll->new, objects => {}, timers => [], next => 1,
	}, $class;
}

# Want to read, to write, or both; neither forgets the socket.
sub watch {
	my ($self, $fh, $object, %want) = @_;
	my $mask = ($want{read} ? POLLIN : 0) | ($want{write} ? POLLOUT : 0);
	my $fd = fileno $fh;

	if ($mask == 0) {
		$self->{poll}->remove($fh);
		delete $self->{objects}{$fd};
		return;
	}
	$self->{poll}->mask($fh => $mask);
	$self->{objects}{$fd} = [$object, $fh];
}

# Call after so many seconds; returns what cancel takes.
sub after {
	my ($self, $seconds, $call) = @_;
	my $timer = [time + $seconds, $call];
	my $timers = $self->{timers};
	my $at = @$timers;
	$at-- while $at > 0 && $timers->[$at - 1][0] > $timer->[0];
	splice @$timers, $at, 0, $timer;
	return $timer;
}

sub cancel {
	my ($self, $timer) = @_;
	@{$self->{timers}} = grep { $_ != $timer } @{$self->{timers}};
}

# Call again and again until it returns false.
sub every {
	my ($self, $seconds, $call) = @_;
	my $again;
	$again = sub {
		if ($call->()) {
			$self->after($seconds, $again);
		} else {
			undef $again;
		}
	};
	$self->after($seconds, $again);
}

sub _run_timers {
	my ($self) = @_;
	my $timers = $self->{timers};
	while (@$timers && $timers->[0][0] <= time) {
		my $timer = shift @$timers;
		$timer->[1]->();
	}
}

sub _until_timer {
	my ($self) = @_;
	my $first = $self->{timers}[0] or return 60;
	my $left = $first->[0] - time;
	return $left > 0 ? $left : 0;
}

sub run {
	my ($self) = @_;
	while (1) {
		$self->{poll}->poll($self->_until_timer);
		$self->_dispatch;
		$self->_run_timers;
	}
}

sub _dispatch {
	my ($self) = @_;
	my $poll = $self->{poll};
	for my $fh ($poll->handles(POLLIN | POLLHUP | POLLERR)) {
		my $entry = $self->{objects}{fileno $fh // next} or next;
		$entry->[0]->readable if $entry->[1] == $fh;
	}
	for my $fh ($poll->handles(POLLOUT)) {
		my $entry = $self->{objects}{fileno $fh // next} or next;
		$entry->[0]->writable if $entry->[1] == $fh;
	}
}

1;
