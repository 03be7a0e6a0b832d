# SPDX-License-Identifier: Apache-2.0
# A plain HTTP/1.1 client that hides nothing: it sends the bytes it is given
# and shows the bytes that came, with the moment at which the first of them
# did. One request a connection.
package Stagedoor::HTTP;

use strict;
use warnings;

use Compress::Raw::Zlib qw(Z_OK Z_STREAM_END WANT_GZIP_OR_ZLIB);
use IO::Socket::INET;
use IO::Socket::UNIX;
use Stagedoor::JSON qw(decode_json encode_json);
use Time::HiRes qw(time);

# new(host => '127.0.0.1', port => N) or new(path => SOCKET).
sub new {
	my ($class, %opt) = @_;
	return bless { host => '127.0.0.1', %opt }, $class;
}

sub connect_to {
	my ($to) = @_;
	if (defined $to->{path}) {
		return IO::Socket::UNIX->new(Peer => $to->{path});
	}
	return IO::Socket::INET->new(
		PeerAddr => $to->{host}, PeerPort => $to->{port},
		Proto => 'tcp', Timeout => 5,
	);
}

# request(METHOD, TARGET, headers => [[name, value]...] or {...}, body => BYTES,
# json => VALUE, chunked => 1, timeout => SECONDS, on_body => sub, more => sub
# that gives further bytes to send): an answer (see below).
# TARGET goes out as it is.
sub request {
	my ($self, $method, $target, %opt) = @_;
	return $self->raw(_request_bytes($self, $method, $target, \%opt),
	    %opt, head => $method eq 'HEAD');
}

sub get { my $self = shift; return $self->request(GET => @_) }
sub post { my $self = shift; return $self->request(POST => @_) }

# The same for bytes that need not be a request at all. An answer has status,
# headers (names in lower case, values joined by ", "), list (pairs as they
# came), body (unchunked), first and end (times), and one of: timeout, error
# (closed, or what the system said), if there is no whole answer.
sub raw {
	my ($self, $bytes, %opt) = @_;
	my $deadline = time + ($opt{timeout} // 15);
	my $socket = connect_to($self)
	    or return { error => "connect: $!", headers => {}, body => '' };

	my $answer = _exchange($socket, $bytes, $deadline, \%opt);
	close $socket;
	return $answer;
}

sub _request_bytes {
	my ($self, $method, $target, $opt) = @_;
	my @headers = header_pairs($opt->{headers});
	my %have = map { lc $_->[0] => 1 } @headers;
	my $body = $opt->{body};

	if (exists $opt->{json}) {
		$body = encode_json($opt->{json});
		push @headers, ['Content-Type', 'application/json']
		    if !$have{'content-type'};
	}
	unshift @headers, ['Host', _host($self)] if !$have{host};
	if ($opt->{chunked}) {
		push @headers, ['Transfer-Encoding', 'chunked'];
		$body = chunks($body // '', 7);
	} elsif (defined $body && !$have{'content-length'}) {
		push @headers, ['Content-Length', length $body];
	}
	return "$method $target HTTP/1.1\r\n"
	    . join('', map { "$_->[0]: $_->[1]\r\n" } @headers)
	    . "\r\n" . ($body // '');
}

sub _host {
	my ($self) = @_;
	return defined $self->{path} ? 'localhost'
	    : "$self->{host}:$self->{port}";
}

sub header_pairs {
	my ($headers) = @_;
	return () if !defined $headers;
	return map { [$_, $headers->{$_}] } sort keys %$headers
	    if ref $headers eq 'HASH';
	return @$headers;
}

sub chunks {
	my ($body, $size) = @_;
	my $out = '';
	for (my $at = 0; $at < length $body; $at += $size) {
		my $part = substr $body, $at, $size;
		$out .= sprintf("%x\r\n", length $part) . "$part\r\n";
	}
	return "${out}0\r\n\r\n";
}

sub _exchange {
	my ($socket, $bytes, $deadline, $opt) = @_;
	my $reader = Stagedoor::HTTP::Reader->new(%$opt);
	my $pump = Stagedoor::HTTP::Pump->new($socket, $bytes, $opt);

	while (!$reader->done) {
		my ($what, $data) = $pump->step($deadline);
		return $reader->answer(timeout => 1) if $what eq 'timeout';
		return $reader->eof if $what eq 'closed';
		return $reader->answer(error => $what) if $what ne 'data';
		$reader->feed($data);
	}
	return $reader->answer;
}

# --- Helpers for answers ----------------------------------------------------

# The body without its content encoding; undef if that cannot be undone.
sub decoded {
	my ($answer) = @_;
	my $encoding = $answer->{headers}{'content-encoding'}
	    // return $answer->{body};
	return inflated($answer->{body});
}

sub inflated {
	my ($bytes) = @_;
	my $z = Compress::Raw::Zlib::Inflate->new(
		-WindowBits => WANT_GZIP_OR_ZLIB, -ConsumeInput => 1);
	my $out = '';
	my $status = $z->inflate($bytes, $out);
	return undef if $status != Z_OK && $status != Z_STREAM_END;
	return $out;
}

sub json {
	my ($answer) = @_;
	return eval { decode_json(decoded($answer)) };
}

package Stagedoor::HTTP::Pump;

use strict;
use warnings;

use IO::Select;
use Time::HiRes qw(time);

# Writes and reads at once: a server may answer before it has read all.
# Options: more => sub that gives further bytes or undef, half_close => 1.
sub new {
	my ($class, $socket, $bytes, $opt) = @_;
	$socket->blocking(0);
	shutdown $socket, 1 if $opt->{half_close} && $bytes eq '';
	return bless {
		socket => $socket, out => $bytes, at => 0,
		more => $opt->{more}, half_close => $opt->{half_close},
		select => IO::Select->new($socket),
	}, $class;
}

# ('data', BYTES), or ('timeout'), ('closed') or (what the system said).
sub step {
	my ($self, $deadline) = @_;
	while (1) {
		my $left = $deadline - time;
		return 'timeout' if $left <= 0;
		my $want = $self->_has_output ? $self->{select} : undef;
		my ($in, $out) = IO::Select->select($self->{select}, $want,
		    undef, $left);
		$self->_write if $out && @$out;
		next if !$in || !@$in;
		my $n = sysread $self->{socket}, my $buf, 65536;
		next if !defined $n && $!{EAGAIN};
		return "read: $!" if !defined $n;
		return $n ? ('data', $buf) : 'closed';
	}
}

sub _has_output {
	my ($self) = @_;
	return 1 if $self->{at} < length $self->{out};
	return 0 if !$self->{more};
	my $more = $self->{more}->();
	if (!defined $more) {
		delete $self->{more};
		return 0;
	}
	@$self{qw(out at)} = ($more, 0);
	return 1;
}

sub _write {
	my ($self) = @_;
	my $n = syswrite $self->{socket}, $self->{out}, 65536, $self->{at};
	if (!defined $n) {
		return if $!{EAGAIN};
		@$self{qw(out at more)} = ('', 0, undef);
		return;
	}
	$self->{at} += $n;
	shutdown $self->{socket}, 1
	    if $self->{half_close} && !$self->_has_output;
}

package Stagedoor::HTTP::Reader;

use strict;
use warnings;

use Time::HiRes qw(time);

# Takes an answer in pieces, as they come.
sub new {
	my ($class, %opt) = @_;
	return bless {
		head => $opt{head}, buf => '', state => 'head',
		body => '', headers => {}, list => [], on_body => $opt{on_body},
	}, $class;
}

sub done { return $_[0]{state} eq 'done' }

sub feed {
	my ($self, $bytes) = @_;
	$self->{buf} .= $bytes;
	while (1) {
		my $state = $self->{state};
		my $step = $self->can("_in_$state") or return;
		return if !$step->($self);
	}
}

sub _in_head {
	my ($self) = @_;
	return 0 if $self->{buf} !~ s/\A(.*?)\r\n\r\n//s;
	my ($first, @lines) = split /\r\n/, $1;
	if ($first !~ m{^HTTP/1\.[01] (\d{3})(?: (.*))?$}) {
		$self->{error} = "no HTTP: $first";
		return $self->_to('done');
	}
	return 1 if $1 == 100;
	$self->{status} = 0 + $1;
	$self->_header($_) for @lines;
	return $self->_body_follows;
}

sub _header {
	my ($self, $line) = @_;
	my ($name, $value) = $line =~ /^([^:]*):[ \t]*(.*?)[ \t]*$/ or return;
	push @{$self->{list}}, [$name, $value];
	my $h = $self->{headers};
	$name = lc $name;
	$h->{$name} = defined $h->{$name} ? "$h->{$name}, $value" : $value;
}

sub _body_follows {
	my ($self) = @_;
	my $h = $self->{headers};
	my $status = $self->{status};

	return $self->_to('done') if $self->{head} || $status == 204
	    || $status == 304;
	return $self->_to('rest') if $status == 101;
	return $self->_to('chunk_head')
	    if lc($h->{'transfer-encoding'} // '') eq 'chunked';
	if (defined $h->{'content-length'}) {
		$self->{left} = $h->{'content-length'};
		return $self->_to($self->{left} ? 'counted' : 'done');
	}
	return $self->_to('rest');
}

sub _to {
	my ($self, $state) = @_;
	$self->{state} = $state;
	return $state ne 'done';
}

sub _take {
	my ($self, $n) = @_;
	my $part = substr $self->{buf}, 0, $n, '';
	return if $part eq '';
	$self->{first} //= time;
	if ($self->{on_body}) {
		$self->{on_body}->($part);
	} else {
		$self->{body} .= $part;
	}
	push @{$self->{pieces}}, [time, length $part];
	$self->{left} -= length $part if defined $self->{left};
}

sub _in_rest {
	my ($self) = @_;
	$self->_take(length $self->{buf});
	return 0;
}

sub _in_counted {
	my ($self) = @_;
	my $have = length $self->{buf};
	$self->_take($have < $self->{left} ? $have : $self->{left});
	return $self->{left} > 0 ? 0 : $self->_to('done');
}

sub _in_chunk_head {
	my ($self) = @_;
	return 0 if $self->{buf} !~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//;
	$self->{left} = hex $1;
	return $self->_to($self->{left} ? 'chunk_data' : 'trailer');
}

sub _in_chunk_data {
	my ($self) = @_;
	my $have = length $self->{buf};
	$self->_take($have < $self->{left} ? $have : $self->{left});
	return 0 if $self->{left} > 0;
	return $self->_to('chunk_end');
}

sub _in_chunk_end {
	my ($self) = @_;
	return 0 if $self->{buf} !~ s/\A\r\n//;
	return $self->_to('chunk_head');
}

sub _in_trailer {
	my ($self) = @_;
	while ($self->{buf} =~ s/\A([^\r\n]*)\r\n//) {
		return $self->_to('done') if $1 eq '';
	}
	return 0;
}

sub eof {
	my ($self) = @_;
	return $self->answer if $self->{state} eq 'rest';
	return $self->answer(error => 'closed');
}

sub answer {
	my ($self, @more) = @_;
	my %answer = map { $_ => $self->{$_} } grep { defined $self->{$_} }
	    qw(status headers list body first error pieces);
	return { %answer, end => time, rest => $self->{buf}, @more };
}

1;
