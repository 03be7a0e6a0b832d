# SPDX-License-Identifier: Apache-2.0
# STS for who can be told no other address: behind a CONNECT proxy, under the
# names of the real hosts, with certificates of a test's own CA. It answers
# GetCallerIdentity and nothing else, and only to who signed for it rightly.
#
#	my $sts = Stagedoor::Fake::STS->start(identities => {
#	    AKIA... => { secret => '...', session_token => '...' or undef,
#		arn => '...', user_id => '...' } },
#	    hosts => ['sts.eu-west-1.amazonaws.com'...]);
#	$sts->proxy; $sts->ca_file;
package Stagedoor::Fake::STS;

use strict;
use warnings;

use IO::Socket::INET;
use Stagedoor::Fake::Conn;
use Stagedoor::Fake::Loop;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::SigV4 qw(pairs_of signature);
use Stagedoor::TLS qw(make_ca make_cert tls_front);
use Stagedoor::Util qw(free_port);
use Time::Local qw(timegm);

use constant LIFE => 15 * 60;

my $count = 0;

sub start {
	my ($class, %opt) = @_;
	my $name = 'sts-' . ++$count;
	my $self = bless { %opt, name => $name,
	    dir => Stagedoor::Process::dir() . "/$name",
	    tls_port => free_port() }, $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	make_ca($self->{dir}, 'ca');
	make_cert($self->{dir}, 'sts', 'ca', names => $opt{hosts});
	$self->_start_servers;
	tls_front(listen => $self->{tls_port}, to => $self->{port},
	    map { $_ => "$self->{dir}/sts." . ($_ eq 'cert' ? 'crt' : 'key') }
	    qw(cert key));
	return $self;
}

sub proxy { return "http://127.0.0.1:$_[0]{proxy_port}" }
sub ca_file { return "$_[0]{dir}/ca.crt" }

sub _start_servers {
	my ($self) = @_;
	my %socket = map { $_ => IO::Socket::INET->new(
		LocalAddr => '127.0.0.1', Listen => 64) } qw(port proxy_port);
	$self->{$_} = $socket{$_}->sockport for keys %socket;
	my $log = "$self->{dir}/log";
	my $pid = fork() // die "fork: $!";
	$self->_serve(\%socket, $log) if $pid == 0;
	Stagedoor::Process->adopt(name => $self->{name}, pid => $pid,
	    log => $log);
}

sub _serve {
	my ($self, $sockets, $log) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD __DIE__);
	open STDERR, '>>', $log;
	my $loop = $self->{loop} = Stagedoor::Fake::Loop->new;
	for my $socket (values %$sockets) {
		$loop->watch($socket, Stagedoor::Fake::STS::Listener->new(
		    $socket, $self), read => 1);
	}
	$loop->run;
}

sub handle {
	my ($self, $request, $conn) = @_;
	return $self->_connect($request, $conn)
	    if $request->{method} eq 'CONNECT';
	my ($status, $answer) = $self->_answer($request);
	$conn->reply($status, ['Content-Type' => 'application/json'],
	    encode_json($answer));
}

# --- The proxy --------------------------------------------------------------

sub _connect {
	my ($self, $request, $conn) = @_;
	my ($host) = $request->{target} =~ /^([^:]+):443$/;
	return $conn->reply(403, [], 'not a host of STS')
	    if !grep { $_ eq ($host // '') } @{$self->{hosts}};
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $self->{tls_port}) or return $conn->reset;
	my $far = Stagedoor::Fake::STS::Far->new($self->{loop}, $socket, $conn);
	$conn->raw_write("HTTP/1.1 200 Connection established\r\n\r\n");
	$conn->tunnel(sub {
		my ($near) = @_;
		$far->send($near->{in});
		$near->{in} = '';
	});
	$conn->on_close(sub { $far->close });
}

# --- STS --------------------------------------------------------------------

sub _refusal {
	my ($code, $message) = @_;
	return (403, { Error => { Code => $code, Message => $message,
	    Type => 'Sender' }, RequestId => 'fake' });
}

sub _answer {
	my ($self, $request) = @_;
	my %query = map { @$_ } pairs_of($request->{query});
	return _refusal(InvalidAction => 'not GetCallerIdentity')
	    if $request->{method} ne 'GET' || $request->{raw_path} ne '/'
	    || ($query{Action} // '') ne 'GetCallerIdentity'
	    || ($query{Version} // '') ne '2011-06-15';
	my ($key, $scope) = split m{/}, $query{'X-Amz-Credential'} // '', 2;
	my $identity = $self->{identities}{$key // ''}
	    or return _refusal(InvalidClientTokenId => 'unknown key');
	my $wrong = _wrong_with($request, \%query, $scope, $identity);
	return _refusal(@$wrong) if $wrong;
	return _refusal(SignatureDoesNotMatch => 'the signature is wrong')
	    if !_is_signed($request, \%query, $scope, $identity->{secret});
	my ($account) = $identity->{arn} =~ /^arn:[^:]+:\w+::(\d+):/;
	return (200, { GetCallerIdentityResponse => {
		GetCallerIdentityResult => { Account => $account,
		    Arn => $identity->{arn}, UserId => $identity->{user_id} },
		ResponseMetadata => { RequestId => 'fake' } } });
}

# Everything but the signature: [code, message] if there is something.
sub _wrong_with {
	my ($request, $query, $scope, $identity) = @_;
	my ($region) = ($request->{headers}{host} // '') =~ /^sts\.([^.]+)\./;
	my $date = $query->{'X-Amz-Date'} // '';
	my $time = _time_of($date) // 0;
	return ['SignatureDoesNotMatch', 'scope'] if ($scope // '') ne
	    substr($date, 0, 8) . '/' . ($region // '') . '/sts/aws4_request';
	return ['InvalidClientTokenId', 'session token']
	    if ($query->{'X-Amz-Security-Token'} // '')
	    ne ($identity->{session_token} // '');
	return ['SignatureDoesNotMatch', 'expired or not yet valid']
	    if $time + LIFE < time || $time - LIFE > time;
	return undef;
}

sub _time_of {
	my ($date) = @_;
	my ($y, $mon, @rest) = $date
	    =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/ or return undef;
	return eval { timegm(reverse(@rest), $mon - 1, $y) };
}

sub _is_signed {
	my ($request, $query, $scope, $secret) = @_;
	my $names = $query->{'X-Amz-SignedHeaders'} // '';
	return 0 if $names !~ /(?:^|;)host(?:;|$)/;
	my $unsigned = join '&', grep { !/^X-Amz-Signature=/ }
	    split /&/, $request->{query};
	return ($query->{'X-Amz-Signature'} // '') eq signature($secret,
	    method => 'GET', query => $unsigned, names => $names,
	    headers => $request->{headers}, scope => $scope,
	    date => $query->{'X-Amz-Date'});
}

# --- Sockets ----------------------------------------------------------------

package Stagedoor::Fake::STS::Listener;

my $connections = 0;

sub new {
	my ($class, $socket, $server) = @_;
	return bless { socket => $socket, server => $server }, $class;
}

sub readable {
	my ($self) = @_;
	my $socket = $self->{socket}->accept or return;
	Stagedoor::Fake::Conn->new($self->{server}{loop}, $socket,
	    $self->{server}, ++$connections);
}

# The far end of a tunnel: what comes from there goes to the near one.
package Stagedoor::Fake::STS::Far;

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
