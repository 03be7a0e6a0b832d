# SPDX-License-Identifier: Apache-2.0
# A FastCGI client, for what no web server would send: records cut short,
# parameters twice, illegal escapes, other roles. And the quick way to ask a
# pool without a web server.
package Stagedoor::FastCGI;

use strict;
use warnings;

use Stagedoor::HTTP;
use Stagedoor::JSON qw(encode_json);
use Time::HiRes qw(time);

use constant {
	FCGI_BEGIN_REQUEST => 1, FCGI_ABORT_REQUEST => 2,
	FCGI_END_REQUEST => 3, FCGI_PARAMS => 4, FCGI_STDIN => 5,
	FCGI_STDOUT => 6, FCGI_STDERR => 7, FCGI_DATA => 8,
	FCGI_GET_VALUES => 9, FCGI_GET_VALUES_RESULT => 10,
	FCGI_RESPONDER => 1, FCGI_AUTHORIZER => 2, FCGI_FILTER => 3,
	FCGI_KEEP_CONN => 1,
};

# new(path => SOCKET) or new(port => N).
sub new {
	my ($class, %opt) = @_;
	return bless { host => '127.0.0.1', %opt }, $class;
}

# One record, padded to eight bytes as web servers do.
sub record {
	my ($type, $content, $id) = @_;
	my $pad = -length($content) % 8;
	return pack('CCnnCx', 1, $type, $id // 1, length $content, $pad)
	    . $content . "\0" x $pad;
}

sub begin {
	my ($role, $flags, $id) = @_;
	return record(FCGI_BEGIN_REQUEST,
	    pack('nCx5', $role // FCGI_RESPONDER, $flags // 0), $id);
}

# A stream of records, with the empty one at its end.
sub stream {
	my ($type, $bytes, $id) = @_;
	my $out = '';
	for (my $at = 0; $at < length $bytes; $at += 32768) {
		$out .= record($type, substr($bytes, $at, 32768), $id);
	}
	return $out . record($type, '', $id);
}

sub pairs {
	my (@pairs) = @_;
	my $out = '';
	while (my ($name, $value) = splice @pairs, 0, 2) {
		$out .= _length($name) . _length($value) . $name . $value;
	}
	return $out;
}

sub _length {
	my $n = length $_[0];
	return $n < 128 ? pack('C', $n) : pack('N', $n | 0x80000000);
}

# The parameters a web server would send for a request, as a flat list.
# Options: headers, body, length (of the body; undef leaves it out), params
# (flat list, appended as it is), as (who asks), from (the address).
sub params_for {
	my ($method, $target, %opt) = @_;
	my ($path, $query) = split /\?/, $target, 2;
	my @params = (
		REQUEST_METHOD => $method, REQUEST_URI => $target,
		DOCUMENT_URI => $path, QUERY_STRING => $query // '',
		SERVER_PROTOCOL => 'HTTP/1.1', SERVER_SOFTWARE => 'test',
		GATEWAY_INTERFACE => 'CGI/1.1',
		REMOTE_ADDR => $opt{from} // '127.0.0.1',
		SERVER_NAME => 'localhost', SERVER_PORT => '80',
	);
	push @params, CONTENT_LENGTH => length $opt{body}
	    if defined $opt{body} && !exists $opt{length};
	push @params, CONTENT_LENGTH => $opt{length} if defined $opt{length};
	push @params, _header_params($opt{headers});
	push @params, STAGEDOOR_USER => $opt{as} if defined $opt{as};
	return (@params, @{$opt{params} // []});
}

sub _header_params {
	my ($headers) = @_;
	my @params;
	for my $pair (Stagedoor::HTTP::header_pairs($headers)) {
		my ($name, $value) = @$pair;
		$name =~ tr/a-z-/A-Z_/;
		push @params, $name eq 'CONTENT_TYPE' ? $name : "HTTP_$name",
		    $value;
	}
	return @params;
}

# Ask as a web server does: request(METHOD, TARGET, options of params_for,
# json => VALUE, timeout => SECONDS). Gives an answer as Stagedoor::HTTP does,
# and stderr, app_status and protocol_status.
sub request {
	my ($self, $method, $target, %opt) = @_;
	_json_body(\%opt) if exists $opt{json};
	my $bytes = begin($opt{role}, $opt{flags})
	    . stream(FCGI_PARAMS, pairs(params_for($method, $target, %opt)))
	    . stream(FCGI_STDIN, $opt{body} // '');
	return $self->raw($bytes, %opt, head => $method eq 'HEAD');
}

sub get { my $self = shift; return $self->request(GET => @_) }
sub post { my $self = shift; return $self->request(POST => @_) }

sub _json_body {
	my ($opt) = @_;
	$opt->{body} = encode_json($opt->{json});
	my @headers = Stagedoor::HTTP::header_pairs($opt->{headers});
	push @headers, ['Content-Type', 'application/json']
	    if !grep { lc $_->[0] eq 'content-type' } @headers;
	$opt->{headers} = \@headers;
}

# Send these bytes; half_close => 1 ends our side after them.
sub raw {
	my ($self, $bytes, %opt) = @_;
	my $deadline = time + ($opt{timeout} // 15);
	my $socket = Stagedoor::HTTP::connect_to($self)
	    or return { error => "connect: $!", headers => {}, body => '' };

	my $reader = Stagedoor::FastCGI::Reader->new;
	my $why = _exchange($socket, $bytes, $deadline, $reader, \%opt);
	close $socket;
	return $reader->answer($why);
}

sub _exchange {
	my ($socket, $bytes, $deadline, $reader, $opt) = @_;
	my $pump = Stagedoor::HTTP::Pump->new($socket, $bytes, $opt);

	while (!$reader->done) {
		my ($what, $data) = $pump->step($deadline);
		return $what if $what ne 'data';
		$reader->feed($data);
	}
	return undef;
}

package Stagedoor::FastCGI::Reader;

use strict;
use warnings;

use Time::HiRes qw(time);

sub new { return bless { buf => '', out => '', stderr => '' }, shift }

sub done { return $_[0]{ended} }

sub feed {
	my ($self, $bytes) = @_;
	$self->{buf} .= $bytes;
	while (length $self->{buf} >= 8) {
		my ($version, $type, $id, $length, $pad)
		    = unpack 'CCnnC', $self->{buf};
		return if length $self->{buf} < 8 + $length + $pad;
		my $content = substr $self->{buf}, 8, $length;
		substr $self->{buf}, 0, 8 + $length + $pad, '';
		$self->_record($type, $content);
	}
}

sub _record {
	my ($self, $type, $content) = @_;
	if ($type == Stagedoor::FastCGI::FCGI_STDOUT) {
		$self->{first} //= time if $content ne '';
		$self->{out} .= $content;
	} elsif ($type == Stagedoor::FastCGI::FCGI_STDERR) {
		$self->{stderr} .= $content;
	} elsif ($type == Stagedoor::FastCGI::FCGI_END_REQUEST) {
		@$self{qw(app_status protocol_status)} = unpack 'NC', $content;
		$self->{ended} = 1;
	}
}

sub answer {
	my ($self, $why) = @_;
	my %answer = map { $_ => $self->{$_} } grep { defined $self->{$_} }
	    qw(stderr app_status protocol_status first);
	$answer{timeout} = 1 if defined $why && $why eq 'timeout';
	$answer{error} = $why if defined $why && $why ne 'timeout';
	return { %answer, end => time, %{_parsed($self->{out})} };
}

sub _parsed {
	my ($out) = @_;
	my ($head, $body) = $out =~ /\A(.*?)\r?\n\r?\n(.*)\z/s
	    or return { headers => {}, list => [], body => $out };
	my $reader = Stagedoor::HTTP::Reader->new;
	$reader->_header($_) for split /\r?\n/, $head;
	my $status = delete $reader->{headers}{status} // '200';
	my ($code) = $status =~ /^(\d{3})/;
	return { status => $code + 0, headers => $reader->{headers},
	    list => $reader->{list}, body => $body };
}

1;
