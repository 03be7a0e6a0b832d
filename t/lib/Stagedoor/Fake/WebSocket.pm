# SPDX-License-Identifier: Apache-2.0
# The WebSocket of a fake cluster, for any path. It takes the first of the
# client's subprotocols that it knows. Text comes back as "echo:TEXT"; with a
# subprotocol bytes are Kubernetes's, and what comes for channel 0 goes back on
# channel 1. It says nothing of its own but what the query asks for:
#
#	chatter=SECONDS		a piece of channel 1 that often
#	bye=1			closes when it has answered once
#
# An upgrade to SPDY is granted too, but gives back the bytes that it gets.
package Stagedoor::Fake::WebSocket;

use strict;
use warnings;

use Stagedoor::Fake::URL qw(query_of);
use Stagedoor::WebSocket qw(accept_of frame take_frame CLOSE PING PONG TEXT
    BINARY);

my %KNOWN = map { $_ => 1 } map { $_, "base64.$_" } map { $_,
    "v4.$_", "v5.$_" } 'channel.k8s.io';

my $SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";

sub wanted {
	my ($request) = @_;
	my $to = $request->{headers}{upgrade} // '';
	return lc $to eq 'websocket' || $to eq 'SPDY/3.1';
}

# upgrade(REQUEST, CONNECTION): 101, or a 403 as an API server's.
sub upgrade {
	my ($request, $conn) = @_;
	my $headers = $request->{headers};
	return _spdy($conn) if $headers->{upgrade} =~ /^SPDY/;
	my @offered = split /\s*,\s*/,
	    $headers->{'sec-websocket-protocol'} // '';
	my ($protocol) = grep { $KNOWN{$_} } @offered;
	return _refuse($conn) if @offered && !defined $protocol;
	my $accept = accept_of($headers->{'sec-websocket-key'} // '');
	$conn->raw_write("${SWITCHING}Upgrade: websocket\r\n"
	    . "Sec-WebSocket-Accept: $accept\r\n"
	    . (defined $protocol ? "Sec-WebSocket-Protocol: $protocol\r\n" : '')
	    . "\r\n");
	my $self = bless { protocol => $protocol,
	    query => query_of($request->{query}) }, __PACKAGE__;
	$self->_chatter($conn) if $self->{query}{chatter};
	$conn->tunnel(sub { $self->_frames($conn) });
}

sub _spdy {
	my ($conn) = @_;
	$conn->raw_write("${SWITCHING}Upgrade: SPDY/3.1\r\n"
	    . "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n");
	$conn->tunnel(sub { $conn->raw_write(substr $conn->{in}, 0,
	    length $conn->{in}, '') });
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
	if ($op == TEXT) {
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
