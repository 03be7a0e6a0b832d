# SPDX-License-Identifier: Apache-2.0
# A client of WebSockets (RFC 6455) that shows what comes, and the frames that
# servers need, too.
#
#	my $ws = Stagedoor::WebSocket->connect($web, '/path?query',
#	    headers => {...}, protocols => ['channel.k8s.io']);
#	is $ws->status, 101, 'upgraded';	# else ->answer is an answer
#	$ws->send("\0ls\n");			# to channel 0 of Kubernetes
#	like $ws->reads(1, qr/file/), ...;	# all that channel 1 said
#	$ws->next(5);				# or frame by frame
#	$ws->close; $ws->drop;			# politely, or not at all
#
# Other upgrades, of which only bytes are known: connect(..., method => 'POST',
# upgrade => 'SPDY/3.1'), ->write(BYTES), ->take(N).
package Stagedoor::WebSocket;

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use Exporter qw(import);
use IO::Select;
use Stagedoor::HTTP;
use Time::HiRes qw(time);

use constant { TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10 };

# The key is always that of the RFC's example.
use constant KEY => 'dGhlIHNhbXBsZSBub25jZQ==';

our @EXPORT_OK = qw(accept_of frame take_frame CLOSE PING PONG TEXT BINARY);

# --- Frames -----------------------------------------------------------------

# What a server answers to a key.
sub accept_of {
	my ($key) = @_;
	return sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
	    . '=';
}

# frame(OPCODE, BYTES, mask => 1 as clients must).
sub frame {
	my ($op, $data, %opt) = @_;
	my ($n, $bit) = (length $data, $opt{mask} ? 128 : 0);
	my $head = $n < 126 ? pack('CC', 128 | $op, $bit | $n)
	    : $n < 65536 ? pack('CCn', 128 | $op, $bit | 126, $n)
	    : pack('CCQ>', 128 | $op, $bit | 127, $n);
	return $head . $data if !$opt{mask};
	my $mask = pack 'N', int rand 2 ** 32;
	return $head . $mask . _masked($data, $mask);
}

sub _masked {
	my ($data, $mask) = @_;
	my $n = length $data;
	return $data ^ substr $mask x (1 + $n / 4), 0, $n;
}

# Takes the first frame out of the buffer: { op, data, last }, or undef if it
# is not all there.
sub take_frame {
	my ($buffer) = @_;
	return undef if length $$buffer < 2;
	my ($first, $second) = unpack 'CC', $$buffer;
	my ($n, $at) = ($second & 127, 2);
	if ($n >= 126) {
		my ($size, $how) = $n == 126 ? (2, 'n') : (8, 'Q>');
		return undef if length $$buffer < 2 + $size;
		$n = unpack "x2 $how", $$buffer;
		$at += $size;
	}
	my $mask = $second & 128 ? substr($$buffer, $at, 4) : undef;
	$at += 4 if defined $mask;
	return undef if length $$buffer < $at + $n;
	my $data = substr $$buffer, $at, $n;
	substr $$buffer, 0, $at + $n, '';
	$data = _masked($data, $mask) if defined $mask;
	return { op => $first & 15, data => $data, last => $first & 128 };
}

# --- The client -------------------------------------------------------------

# The target has host and port. Headers given here come instead of those of
# the same name.
sub connect {
	my ($class, $target, $path, %opt) = @_;
	my $socket = Stagedoor::HTTP::connect_to($target)
	    or die "connect: $!\n";
	my $self = bless { socket => $socket, in => '', said => {},
	    select => IO::Select->new($socket) }, $class;
	my @given = Stagedoor::HTTP::header_pairs($opt{headers});
	my %given = map { lc $_->[0] => 1 } @given;
	my @headers = (grep({ !$given{lc $_->[0]} }
	    ['Host', Stagedoor::HTTP::_host($target)],
	    _upgrade_headers(\%opt)), @given);
	my $method = $opt{method} // 'GET';
	$self->{answer} = $self->_handshake("$method $path HTTP/1.1\r\n"
	    . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n",
	    time + ($opt{timeout} // 15));
	return $self;
}

sub _upgrade_headers {
	my ($opt) = @_;
	my $protocols = join ', ', @{$opt->{protocols} // []};
	return (['Connection', 'Upgrade'], ['Upgrade', $opt->{upgrade}])
	    if defined $opt->{upgrade};
	return (['Connection', 'Upgrade'], ['Upgrade', 'websocket'],
	    ['Sec-WebSocket-Version', 13], ['Sec-WebSocket-Key', KEY],
	    $protocols ne '' ? ['Sec-WebSocket-Protocol', $protocols] : ());
}

sub _handshake {
	my ($self, $bytes, $until) = @_;
	my $reader = Stagedoor::HTTP::Reader->new;
	print {$self->{socket}} $bytes;
	$self->{socket}->flush;
	while (!$reader->done) {
		my $got = $self->_read($until);
		return $reader->answer(timeout => 1) if !defined $got;
		return $reader->eof if $got eq '';
		$reader->feed($got);
		last if ($reader->{status} // 0) == 101;
	}
	my $answer = $reader->answer;
	$self->{in} = $answer->{body} if ($answer->{status} // 0) == 101;
	return $answer;
}

# Bytes, '' at the end, undef if none came in time.
sub _read {
	my ($self, $until) = @_;
	my $left = $until - time;
	return undef if !$self->{select}->can_read($left > 0 ? $left : 0);
	my $n = sysread $self->{socket}, my $bytes, 65536;
	return $n ? $bytes : '';
}

sub answer { return $_[0]{answer} }
sub status { return $_[0]{answer}{status} // 0 }
sub protocol { return $_[0]{answer}{headers}{'sec-websocket-protocol'} }

sub send {
	my ($self, $data, $op) = @_;
	return $self->write(frame($op // BINARY, $data, mask => 1));
}

# Bytes as they are; false if they could not be written.
sub write {
	my ($self, $bytes) = @_;
	while (length $bytes) {
		my $n = syswrite $self->{socket}, $bytes;
		return 0 if !$n;
		substr $bytes, 0, $n, '';
	}
	return 1;
}

# So many bytes as they are, or fewer if no more came.
sub take {
	my ($self, $n, $seconds) = @_;
	my $until = time + ($seconds // 15);
	while (length $self->{in} < $n && !$self->{ended}) {
		my $got = $self->_read($until) // last;
		$self->{ended} = 1 if $got eq '';
		$self->{in} .= $got;
	}
	return substr $self->{in}, 0, $n, '';
}

# The next frame; undef if none came in time, or at the end ({ended} then).
sub next {
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // 15);
	while (1) {
		my $frame = take_frame(\$self->{in});
		if (!$frame) {
			return undef if $self->{ended};
			my $got = $self->_read($until);
			return undef if !defined $got;
			$self->{ended} = 1 if $got eq '';
			$self->{in} .= $got;
			next;
		}
		return $frame if $frame->{op} != PING;
		$self->send($frame->{data}, PONG);
	}
}

# Read until that channel has said this; returns all that it has said so far.
sub reads {
	my ($self, $channel, $pattern, $seconds) = @_;
	my $until = time + ($seconds // 15);
	while (($self->{said}{$channel} // '') !~ $pattern) {
		my $frame = $self->next($until - time) // last;
		last if $frame->{op} == CLOSE;
		my ($to, $text) = unpack 'C a*', $frame->{data};
		$self->{said}{$to} .= $text if defined $to;
	}
	return $self->{said}{$channel} // '';
}

# Has the other side closed it, within so many seconds?
sub is_closed {
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // 15);
	while (!$self->{ended}) {
		my $frame = $self->next($until - time);
		return 1 if $frame && $frame->{op} == CLOSE;
		last if !$frame;
	}
	return $self->{ended} ? 1 : 0;
}

sub close {
	my ($self) = @_;
	$self->send(pack('n', 1000), CLOSE);
	return $self->is_closed(5);
}

sub drop { CORE::close(delete $_[0]{socket}) }

1;
