# SPDX-License-Identifier: Apache-2.0
# The WebSocket of a fake cluster, for any path. It takes the first of the
# client's subprotocols that it knows; with one, frames are Kubernetes's
# (what comes for channel 0 goes back on channel 1), without one text comes
# back as "echo:TEXT". It says nothing of its own but what the query asks for:
#
#	chatter=SECONDS		a piece of channel 1 that often
#	bye=1			closes when it has answered once
package Stagedoor::Fake::WebSocket;

use strict;
use warnings;

use Stagedoor::Fake::URL qw(query_of);
use Stagedoor::WebSocket qw(accept_of frame take_frame CLOSE PING PONG TEXT
    BINARY);

my %KNOWN = map { $_ => 1 } map { $_, "base64.$_" } map { $_,
    "v4.$_", "v5.$_" } 'channel.k8s.io';

# upgrade(REQUEST, CONNECTION): 101, or a 403 as an API server's.
sub upgrade {
	my ($request, $conn) = @_;
	my $headers = $request->{headers};
	my @offered = split /\s*,\s*/,
	    $headers->{'sec-websocket-protocol'} // '';
	my ($protocol) = grep { $KNOWN{$_} } @offered;
	return _refuse($conn) if @offered && !defined $protocol;
	my $accept = accept_of($headers->{'sec-websocket-key'} // '');
	$conn->raw_write("HTTP/1.1 101 Switching Protocols\r\n"
	    . "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    . "Sec-WebSocket-Accept: $accept\r\n"
	    . (defined $protocol ? "Sec-WebSocket-Protocol: $protocol\r\n" : '')
	    . "\r\n");
	my $self = bless { protocol => $protocol,
	    query => query_of($request->{query}) }, __PACKAGE__;
	$self->_chatter($conn) if $self->{query}{chatter};
	$conn->tunnel(sub { $self->_frames($conn) });
}

sub _refuse {
	my ($conn) = @_;
	$conn->reply(403, ['Content-Type' => 'text/plain; charset=utf-8'],
	    "403 Forbidden: no subprotocol of these is known\n");
}

sub _chatter {
	my ($self, $conn) = @_;
	$conn->{loop}->every($self->{query}{chatter}, sub {
		return 0 if !$conn->open;
		$conn->raw_write(frame(BINARY, "\1tick\n"));
		return 1;
	});
}

sub _frames {
	my ($self, $conn) = @_;
	while ($conn->open) {
		my $frame = take_frame(\$conn->{in}) // last;
		$self->_answer($conn, $frame);
	}
}

sub _answer {
	my ($self, $conn, $frame) = @_;
	my ($op, $data) = @$frame{qw(op data)};
	return $conn->raw_write(frame(PONG, $data)) if $op == PING;
	return if $op == PONG;
	return _close($conn) if $op == CLOSE;
	if (!defined $self->{protocol}) {
		$conn->raw_write(frame(TEXT, "echo:$data"));
	} elsif (length $data > 1 && substr($data, 0, 1) eq "\0") {
		$conn->raw_write(frame(BINARY, "\1" . substr $data, 1));
	}
	_close($conn) if $self->{query}{bye};
}

sub _close {
	my ($conn) = @_;
	$conn->raw_write(frame(CLOSE, ''));
	$conn->close;
}

1;
