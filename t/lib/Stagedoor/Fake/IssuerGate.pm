# SPDX-License-Identifier: Apache-2.0
# A gate before a real issuer: it passes requests on and records them, counts
# refreshes, and misbehaves as the fake issuer does (Fake/IssuerServer.pm), as
# far as somebody can who does not have the issuer's keys.
package Stagedoor::Fake::IssuerGate;

use strict;
use warnings;

use parent -norequire, 'Stagedoor::Fake::IssuerServer';

use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use Stagedoor::Fake::IssuerServer;
use Stagedoor::Fake::URL qw(path_of);
use Stagedoor::JSON qw(decode_json);

my %HOP = map { $_ => 1 } qw(connection keep-alive transfer-encoding
    content-length);

# Options: loop, record, base (as the world sees it), upstream (a port), paths
# (ENDPOINT => path), options.
sub new {
	my ($class, %opt) = @_;
	return bless { accepted => 0, open => 0, behaviour => {},
	    counters => {}, used => {}, %opt }, $class;
}

sub _endpoint {
	my ($self, $target) = @_;
	my $path = path_of($target);
	my ($name) = grep { $self->{paths}{$_} eq $path }
	    sort keys %{$self->{paths}};
	return $name // 'elsewhere';
}

sub url {
	my ($self, $endpoint) = @_;
	my $path = $self->{paths}{$endpoint} // return undef;
	return $self->{base} . $path;
}

sub _work {
	my ($self, $name, $request, $conn) = @_;
	my $step = $self->{step};
	return $self->SUPER::_work($name, $request, $conn)
	    if grep { /^(?:\d{3}|body:|redirect|echo)/ } @$step;
	$self->_before($name, $request);
	Stagedoor::Fake::Exchange->start($self->{loop}, $self->{upstream},
	    $self->_bytes($request), $request->{method}, sub {
		local $self->{step} = $step;
		$self->_after($name, $request, $conn, @_);
	    });
}

sub _after {
	my ($self, $name, $request, $conn, $answer) = @_;
	return $conn->reset if !$answer;
	$self->_count($name, $request, $answer);
	return $conn->reset if $self->told('lost');
	$self->_change_members($answer);
	my $slow = $self->told('slow');
	return $conn->reply(@$answer) if !$slow;
	$self->{loop}->after($slow, sub { $conn->reply(@$answer) });
}

# An old refresh token that is shown again is a reuse, whatever is said to it.
sub _before {
	my ($self, $name, $request) = @_;
	my $token = ($request->{form} // {})->{refresh_token} // return;
	$self->bump('reuses') if $self->{used}{sha256_hex($token)};
}

sub _count {
	my ($self, $name, $request, $answer) = @_;
	return if $name ne 'token';
	my $form = $request->{form} // {};
	my $grant = $form->{grant_type} // '';
	return $self->bump('refused') if $answer->[0] != 200;
	return $self->bump('codes') if $grant ne 'refresh_token';
	$self->bump('rotations');
	my $new = (eval { decode_json($answer->[2]) } // {})->{refresh_token};
	$self->{used}{sha256_hex($form->{refresh_token})} = 1
	    if defined $new && $new ne $form->{refresh_token};
}

# As a web server that ends TLS passes it on.
sub _bytes {
	my ($self, $request) = @_;
	my ($scheme, $host) = $self->{base} =~ m{^(\w+)://([^/]+)};
	my %headers = (%{$request->{headers}}, host => $host,
	    connection => 'close', 'x-forwarded-proto' => $scheme,
	    'x-forwarded-host' => $host,
	    'content-length' => length $request->{body});
	delete @headers{qw(transfer-encoding keep-alive expect
	    accept-encoding)};
	return "$request->{method} $request->{target} HTTP/1.1\r\n"
	    . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
	    . "\r\n$request->{body}";
}

package Stagedoor::Fake::Exchange;

use strict;
use warnings;

# One request to a server on loopback, and its whole answer, in the loop:
# call([STATUS, HEADERS, BODY]), or call() if there is none.
sub start {
	my ($class, $loop, $port, $bytes, $method, $call) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $port, Proto => 'tcp') or return $call->();
	$socket->blocking(0);
	my $self = bless { loop => $loop, socket => $socket, out => $bytes,
	    in => '', method => $method, call => $call }, $class;
	$loop->watch($socket, $self, read => 1, write => 1);
}

sub writable {
	my ($self) = @_;
	return if !$self->{socket};
	my $n = syswrite $self->{socket}, $self->{out};
	substr $self->{out}, 0, $n, '' if $n;
	$self->{loop}->watch($self->{socket}, $self, read => 1)
	    if !length $self->{out};
}

sub readable {
	my ($self) = @_;
	return if !$self->{socket};
	my $n = sysread $self->{socket}, $self->{in}, 262144,
	    length $self->{in};
	return if $n || (!defined $n && $!{EAGAIN});
	my $socket = delete $self->{socket};
	$self->{loop}->watch($socket, $self);
	close $socket;
	$self->{call}->($self->_answer);
}

sub _answer {
	my ($self) = @_;
	$self->{in} =~ s/\AHTTP\/1\.[01] (\d{3})[^\r]*\r\n(.*?)\r\n\r\n//s
	    or return;
	my ($status, @headers) = ($1, map { /^([^:]+):\s*(.*)$/ ? ($1, $2)
	    : () } split /\r\n/, $2);
	my $body = $self->{in};
	my (@kept, $chunked);
	while (my ($name, $value) = splice @headers, 0, 2) {
		$chunked = 1 if lc $name eq 'transfer-encoding';
		push @kept, $name, $value if !$HOP{lc $name};
	}
	return [$status, \@kept, $chunked ? _unchunked($body) : $body];
}

sub _unchunked {
	my ($text) = @_;
	my $body = '';
	while ($text =~ s/\A([0-9a-fA-F]+)[^\n]*\n//) {
		my $n = hex $1 or last;
		$body .= substr $text, 0, $n, '';
		$text =~ s/\A\r\n//;
	}
	return $body;
}

1;
