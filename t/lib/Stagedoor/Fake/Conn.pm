# SPDX-License-Identifier: Apache-2.0
# One HTTP/1.1 connection of a fake server: kept alive, pipelined, bodies
# counted or chunked, answers whole, chunked or cut off. Its server has the
# method handle(REQUEST, CONNECTION), called when the request is complete.
package Stagedoor::Fake::Conn;

use strict;
use warnings;

use Digest::SHA;
use Encode ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);

use constant KEEP => 65536;	# of a body; of the rest the digest is enough

# Headers of which a second one does not count, as in many servers.
my %ONCE = map { $_ => 1 } qw(authorization content-length content-type
    from host if-modified-since if-unmodified-since max-forwards
    proxy-authorization referer user-agent);

my %REASON = (200 => 'OK', 201 => 'Created', 204 => 'No Content',
    302 => 'Found', 304 => 'Not Modified', 400 => 'Bad Request',
    401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found',
    409 => 'Conflict', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 503 => 'Service Unavailable');

sub new {
	my ($class, $loop, $socket, $server, $id) = @_;
	my $self = bless {
		loop => $loop, socket => $socket, server => $server,
		id => $id, in => '', out => '', on_close => [],
	}, $class;
	$socket->blocking(0);
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
	$self->_watch;
	return $self;
}

sub id { return $_[0]{id} }
sub open { return defined $_[0]{socket} }

# Call this when the connection ends.
sub on_close {
	my ($self, $call) = @_;
	push @{$self->{on_close}}, $call;
}

sub _watch {
	my ($self) = @_;
	return if !$self->open;
	my $more = length $self->{out} || $self->{source};
	$self->{loop}->watch($self->{socket}, $self,
	    read => 1, write => $more ? 1 : 0);
}

sub close {
	my ($self) = @_;
	my $socket = delete $self->{socket} or return;
	$self->{loop}->watch($socket, $self);
	CORE::close($socket);
	$_->() for @{delete $self->{on_close}};
	delete @$self{qw(source request)};
	$self->{server}->gone($self) if $self->{server}->can('gone');
}

# End it with a reset, not in order.
sub reset {
	my ($self) = @_;
	my $socket = $self->{socket} or return;
	setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('II', 1, 0);
	$self->close;
}

# --- Requests ---------------------------------------------------------------

sub readable {
	my ($self) = @_;
	my $n = sysread $self->{socket}, $self->{in}, 262144,
	    length $self->{in};
	return if !defined $n && $!{EAGAIN};
	return $self->close if !$n;
	return $self->{tunnel}->($self) if $self->{tunnel};
	$self->_read_requests;
}

sub _read_requests {
	my ($self) = @_;
	while ($self->open && !$self->{busy}) {
		if (!$self->{request}) {
			return if !$self->_read_head;
		}
		return if !$self->_read_body;
		$self->{busy} = 1;
		my $request = delete $self->{request};
		$self->{current} = $request;
		_finish_body($request);
		$self->{server}->handle($request, $self);
	}
}

sub _read_head {
	my ($self) = @_;
	$self->{in} =~ s/\A(?:\r\n)+//;
	return 0 if $self->{in} !~ s/\A(.*?)\r\n\r\n//s;
	my ($first, @lines) = split /\r\n/, $1;
	my ($method, $target, $version)
	    = $first =~ m{^(\S+) (\S+) HTTP/1\.([01])$}
	    or return $self->_bad_request;
	my %request = (
		method => $method, target => $target, minor => $version,
		headers => _headers(@lines), body => '', length => 0,
		digest => Digest::SHA->new(256),
	);
	$self->{request} = \%request;
	_body_kind(\%request);
	$self->_write("HTTP/1.1 100 Continue\r\n\r\n")
	    if lc($request{headers}{expect} // '') eq '100-continue';
	return 1;
}

sub _bad_request {
	my ($self) = @_;
	$self->_write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
	$self->{close_after} = 1;
	$self->writable;
	return 0;
}

sub _headers {
	my (@lines) = @_;
	my %headers;
	for (@lines) {
		my ($name, $value) = /^([^:]+):[ \t]*(.*?)[ \t]*$/ or next;
		$name = lc $name;
		my $glue = $name eq 'cookie' ? '; ' : ', ';
		if (!exists $headers{$name}) {
			$headers{$name} = $value;
		} elsif (!$ONCE{$name}) {
			$headers{$name} .= $glue . $value;
		}
	}
	return \%headers;
}

sub _body_kind {
	my ($request) = @_;
	my $headers = $request->{headers};
	if (lc($headers->{'transfer-encoding'} // '') =~ /chunked/) {
		$request->{chunked} = 'head';
	} else {
		$request->{left} = $headers->{'content-length'} // 0;
	}
}

# Take what is there of the body; true when it is complete.
sub _read_body {
	my ($self) = @_;
	my $request = $self->{request};
	return $self->_read_chunks($request) if $request->{chunked};
	$self->_take($request);
	return $request->{left} == 0;
}

sub _take {
	my ($self, $request) = @_;
	my $part = substr $self->{in}, 0, $request->{left}, '';
	return if $part eq '';
	$request->{left} -= length $part;
	$request->{length} += length $part;
	$request->{digest}->add($part);
	$request->{body} .= substr $part, 0, KEEP
	    if length $request->{body} < KEEP;
}

sub _read_chunks {
	my ($self, $request) = @_;
	while (1) {
		if ($request->{chunked} eq 'head') {
			return 0 if $self->{in} !~ s/\A([0-9a-fA-F]+)[^\n]*\n//;
			$request->{left} = hex $1;
			$request->{chunked}
			    = $request->{left} ? 'data' : 'trailer';
		} elsif ($request->{chunked} eq 'data') {
			$self->_take($request);
			return 0 if $request->{left} > 0
			    || $self->{in} !~ s/\A\r\n//;
			$request->{chunked} = 'head';
		} else {
			return 0 if $self->{in} !~ s/\A([^\n]*)\n//;
			return 1 if $1 eq "\r" || $1 eq '';
		}
	}
}

sub _finish_body {
	my ($request) = @_;
	$request->{sha256} = (delete $request->{digest})->hexdigest;
	my ($path, $query) = split /\?/, $request->{target}, 2;
	$request->{raw_path} = $path;
	$request->{query} = $query // '';
}

# The body as it is recorded.
sub body_note {
	my ($request) = @_;
	my $length = $request->{length};
	return Encode::decode('UTF-8', $request->{body}) if $length < 2000;
	return "<$length bytes sha256:$request->{sha256}>";
}

# --- Answers ----------------------------------------------------------------

# A whole answer: reply(200, [name => value...], BYTES).
sub reply {
	my ($self, $status, $headers, $body) = @_;
	return if !$self->open;
	my $bare = $status == 204 || $status == 304;
	$self->_head($status, [@$headers,
	    $bare ? () : ('Content-Length', length $body)]);
	$self->_write($body)
	    if !$bare && $self->{current}{method} ne 'HEAD';
	$self->finish;
}

# An answer in pieces: start, write..., finish. A Content-Length among the
# headers promises that many bytes; without one the pieces are chunks.
sub start {
	my ($self, $status, $headers) = @_;
	return if !$self->open;
	my %names = map { lc } @$headers;
	$self->{chunks} = !exists $names{'content-length'}
	    && $self->{current}{minor} > 0
	    && $self->{current}{method} ne 'HEAD';
	$self->{close_after} = 1 if !$self->{current}{minor};
	$self->_head($status, [@$headers,
	    $self->{chunks} ? ('Transfer-Encoding', 'chunked') : ()]);
}

sub write {
	my ($self, $bytes) = @_;
	return if !$self->open || $bytes eq ''
	    || $self->{current}{method} eq 'HEAD';
	$bytes = sprintf("%x\r\n", length $bytes) . "$bytes\r\n"
	    if $self->{chunks};
	$self->_write($bytes);
}

# Pieces made only as fast as they are taken: a sub that gives bytes or undef.
sub source {
	my ($self, $make) = @_;
	return if !$self->open;
	$self->{source} = $make;
	$self->_watch;
}

sub finish {
	my ($self) = @_;
	return if !$self->open;
	$self->_write("0\r\n\r\n") if $self->{chunks};
	delete @$self{qw(chunks busy)};
	$self->writable;
	# Not from within itself: a handler answers at once, or later.
	$self->{loop}->after(0, sub { $self->_read_requests })
	    if $self->open && length $self->{in};
}

sub _head {
	my ($self, $status, $headers) = @_;
	my $request = $self->{current};
	my $connection = lc($request->{headers}{connection} // '');
	$self->{close_after} = 1 if $connection =~ /close/
	    || (!$request->{minor} && $connection !~ /keep-alive/);
	my $reason = $REASON{$status} // 'Other';
	my $head = "HTTP/1.1 $status $reason\r\n";
	my @list = @$headers;
	while (my ($name, $value) = splice @list, 0, 2) {
		$head .= "$name: $value\r\n";
	}
	$head .= 'Connection: '
	    . ($self->{close_after} ? 'close' : 'keep-alive') . "\r\n";
	$self->_write("$head\r\n");
}

sub _write {
	my ($self, $bytes) = @_;
	$self->{out} .= $bytes;
	$self->_watch;
}

# Bytes as they are, after an upgrade.
sub raw_write {
	my ($self, $bytes) = @_;
	return if !$self->open;
	$self->_write($bytes);
	$self->writable;
}

sub tunnel {
	my ($self, $call) = @_;
	$self->{tunnel} = $call;
	$call->($self) if length $self->{in};
}

sub writable {
	my ($self) = @_;
	return if !$self->open;
	$self->_fill if $self->{source} && length $self->{out} < 262144;
	if (length $self->{out}) {
		my $n = syswrite $self->{socket}, $self->{out};
		return $self->close if !defined $n && !$!{EAGAIN};
		substr $self->{out}, 0, $n, '' if $n;
	}
	return $self->close if $self->{close_after} && !$self->{busy}
	    && !length $self->{out} && !$self->{source};
	$self->_watch;
}

sub _fill {
	my ($self) = @_;
	my $bytes = $self->{source}->();
	return $self->write($bytes) if defined $bytes;
	delete $self->{source};
	$self->finish;
}

1;
