# SPDX-License-Identifier: Apache-2.0
# What every web server must do with its include file, and what each can do
# beyond that. A test file starts one and calls these with it.
#
#	my $world = Stagedoor::WebChecks->new;
#	my $pool = pool(settings => $world->settings_for);
#	$world->everything($web);
#	$world->streams_answers($web); ...
#
# alice may use both clusters, bob only one of them; both have the password
# "secret". The cluster "odd" is a server of ours that tells what it saw and
# says what no cluster should.
package Stagedoor::WebChecks;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Stagedoor::Exposition;
use Stagedoor::HTTP;
use Stagedoor::Process;
use Stagedoor::Test;
use Stagedoor::WebSocket;
use Time::HiRes qw(sleep time);

my @SAME_ORIGIN = (['Sec-Fetch-Site', 'same-origin']);

sub new {
	my ($class) = @_;
	my $self = bless { fake => fake(clusters => [{ name => 'one' }],
	    backstage => 1) }, $class;
	$self->{odd} = $self->_start_odd;
	return $self;
}

sub fake_cluster { return $_[0]{fake} }

# Settings as a hash. remote_user: REMOTE_USER may say who asks.
sub settings_for {
	my ($self, %opt) = @_;
	my $settings = settings(fake => $self->{fake}, source => 'params',
	    clusters => ['one',
		{ name => 'alices', of => 'one',
		    allow => ['user:default/alice'] },
		{ name => 'odd', url => "http://127.0.0.1:$self->{odd}",
		    allow => ['user:default/carol'] }],
	    stagedoor => { $opt{stagedoor} ? %{$opt{stagedoor}} : () });
	$settings->{stagedoor}{identity}{remoteUser} = \1
	    if $opt{remote_user};
	return $settings;
}

# A file of them, for servers that start the program themselves.
sub settings_file {
	my ($self, %opt) = @_;
	my $file = tempdir() . '/settings-of-web.yaml';
	write_file($file, encode_json($self->settings_for(%opt)));
	chmod 0644, $file or die "$file: $!";
	return $file;
}

sub password_file {
	my $file = tempdir() . '/passwords';
	write_file($file, map { "$_:" . crypt('secret', '$5$saltsalt$') . "\n" }
	    qw(alice bob carol));
	chmod 0644, $file or die "$file: $!";
	return $file;
}

sub as {
	my ($user, @headers) = @_;
	return (headers => [
		['Authorization', 'Basic ' . encode_base64("$user:secret", '')],
		@headers]);
}

sub _names {
	my ($answer) = @_;
	my $body = body_of($answer);
	return join ' ', map { $_->{name} } @{$body->{items} // []};
}

# --- What all of them do ----------------------------------------------------

sub everything {
	my ($self, $web) = @_;
	$self->tells_who_asks($web);
	$self->answers_queries($web);
	$self->passes_paths($web);
	$self->passes_bodies($web);
	$self->hides_headers($web);
	$self->tells_of_upgrades($web);
	$self->keeps_quiet($web);
}

sub tells_who_asks {
	my ($self, $web) = @_;
	is get($web, '/clusters')->{status}, 401, 'nobody gets in';
	is _names(get($web, '/clusters', as('alice'))), 'one alices',
	    'alice sees hers';
	is _names(get($web, '/clusters', as('bob'))), 'one',
	    'bob does not see hers';
	for my $name (qw(Stagedoor-User STAGEDOOR_USER Stagedoor_User
	    X-Stagedoor-User HTTP_STAGEDOOR_USER Http-Stagedoor-User
	    Remote-User REMOTE_USER X-Remote-User X-Forwarded-User
	    stagedoor.user Redirect-Stagedoor-User)) {
		is _names(get($web, '/clusters', as('bob', [$name, 'alice']))),
		    'one', "nor when he sends $name";
	}
	is _names(get($web, '/clusters?STAGEDOOR_USER=alice', as('bob'))),
	    'one', 'nor by a query';
}

sub answers_queries {
	my ($self, $web) = @_;
	my @query = ('/resources/workloads/query',
	    json => { entityRef => 'component:default/on-alpha' });
	is post($web, @query, as('bob'))->{status}, 403,
	    'a POST that another site could have sent is refused';
	my $answer = post($web, @query, as('bob', @SAME_ORIGIN));
	is $answer->{status}, 200, 'the query is answered';
	my $items = body_of($answer)->{items};
	is $items->[0]{cluster}{name}, 'one', 'with the cluster';
	cmp_ok scalar @{$items->[0]{resources} // []}, '>', 10,
	    'and its lists';
	my $again = post($web, @query,
	    as('bob', @SAME_ORIGIN, ['Accept-Encoding', 'gzip']));
	is_deeply body_of($again), body_of($answer),
	    'the same where the client takes gzip';
}

# gzip by the web server: of JSON, from a certain size on.
sub compresses {
	my ($self, $web) = @_;
	my $answer = get($web, '/clusters/one/proxy/bigjson',
	    as('bob', ['Accept-Encoding', 'gzip']));
	is $answer->{headers}{'content-encoding'}, 'gzip', 'JSON is compressed';
	cmp_ok length $answer->{body}, '<', 2000, 'to a fraction';
	is length body_of($answer)->{pad}, 20000, 'and whole';
}

sub passes_paths {
	my ($self, $web) = @_;
	my $path = '/echo/a%2Fb/%41%c3%a9/c:d;e?x=%20&y=a+b&z=%2F';
	my $answer = get($web, "/proxy$path",
	    as('bob', ['Backstage-Kubernetes-Cluster', 'one']));
	is $answer->{status}, 200, '/proxy is answered';
	is body_of($answer)->{url}, $path,
	    'the path reaches the cluster byte for byte';
	$answer = get($web, '/clusters/one/proxy/status/404', as('bob'));
	is $answer->{status}, 404, 'a status of the cluster comes back';
	is body_of($answer)->{reason}, 'R404', 'with its body';
	$answer = $web->request('HEAD', BASE . '/clusters/one/proxy/version',
	    as('bob'));
	is $answer->{status}, 200, 'HEAD is answered';
}

sub passes_bodies {
	my ($self, $web) = @_;
	my $body = join '', map { chr($_ * 7 % 256) x 37 } 1 .. 60000;
	my $answer = post($web, '/clusters/one/proxy/sink', body => $body,
	    as('bob', @SAME_ORIGIN, ['Content-Type', 'application/x-tar']),
	    timeout => 30);
	is $answer->{status}, 200, 'a body of 2 MB is taken';
	my $seen = body_of($answer);
	is $seen->{length}, length $body, 'all of it';
	is $seen->{sha256}, sha256_hex($body), 'as it was';
}

sub passes_chunked {
	my ($self, $web) = @_;
	my $answer = post($web, '/clusters/one/proxy/sink',
	    body => 'chunks of a body', chunked => 1, as('bob', @SAME_ORIGIN));
	is body_of($answer)->{length}, 16, 'a chunked body arrives';
}

# Headers for the web server do not reach the client, whoever sent them, nor
# do a cluster's commands to the web server work.
sub hides_headers {
	my ($self, $web) = @_;
	my $answer = get($web, '/clusters/odd/proxy/evil', as('carol'));
	is $answer->{status}, 200, 'what a cluster says is passed on';
	is $answer->{body}, "evil\n", 'and is no command to the web server';
	my @told = grep { /^x-stagedoor-|^x-accel-|^x-sendfile/i }
	    map { $_->[0] } @{$answer->{list}};
	is "@told", '', 'and headers for the web server are not passed on';
	for my $path ('/authorize', '/Authorize/', '/%61uthorize', '/metrics',
	    '/metrics/', '/Metrics', '/%6detrics', '/./metrics', '/healthz',
	    '/readyz', '/readyz/?verbose') {
		my $refused = get($web, $path, as('alice'));
		like $refused->{status}, qr/^40[34]$/,
		    "$path is not for clients";
		like $refused->{body}, qr/<html/, 'says the web server';
	}
}

# Without the direct lane no upgrade passes, and who wants one is told.
sub tells_of_upgrades {
	my ($self, $web) = @_;
	my $ws = Stagedoor::WebSocket->connect($web, BASE . '/clusters/one'
	    . '/proxy/api/v1/namespaces/default/pods/shop-1/exec',
	    as('alice', @SAME_ORIGIN), protocols => ['v5.channel.k8s.io']);
	is $ws->status, 501, 'an upgrade does not pass';
	like $ws->answer->{body}, qr/direct lane.*not switched on/,
	    'and why is said';
}

# The listener for machines that watch: these routes and no others.
sub serves_watchers {
	my ($self, $port) = @_;
	my $inside = bless { host => '127.0.0.1', port => $port },
	    'Stagedoor::HTTP';
	my $answer = get($inside, '/metrics');
	is $answer->{status}, 200, 'metrics are read where they may be';
	is_deeply(Stagedoor::Exposition->parse($answer->{body})->wrong, [],
	    'whole');
	is get($inside, '/healthz')->{body}, "ok\n", 'it serves';
	like get($inside, '/readyz?verbose')->{body}, qr/^cluster one: ok/m,
	    'it is ready';
	for ('/clusters', '/authorize', '/metrics/../clusters',
	    '/clusters/one/proxy/version') {
		like get($inside, $_)->{status}, qr/^40[0134]$/,
		    "$_ is not served there";
	}
}

sub keeps_quiet {
	my ($self, $web) = @_;
	get($web, '/clusters/one/proxy/version?token=in-the-query', as('bob'));
	sleep 0.2;
	log_has_no('no log has a query, a password or a token',
	    'in-the-query', 'alpha-token', encode_base64('bob:secret', ''));
	log_has_no('no sanitizer complains', 'Sanitizer:', 'runtime error:');
}

# --- What some of them do ---------------------------------------------------

# Pieces come when the cluster sends them (0.15 s apart).
sub streams_answers {
	my ($self, $web, @headers) = @_;
	my $how = @headers ? 'compressed' : 'plain';
	for my $path ('/api/v1/namespaces/x/pods/y/log?follow=true',
	    '/api/v1/pods?watch=true') {
		my ($name) = $path =~ /(log|watch)/;
		my $answer = get($web, "/clusters/one/proxy$path",
		    as('bob', @headers));
		is $answer->{status}, 200, "$name, $how: 200";
		my @at = map { $_->[0] } @{$answer->{pieces}};
		cmp_ok scalar @at, '>=', 3, 'in pieces';
		cmp_ok $at[-1] - $at[0], '>', 0.2, 'as they come';
		like Stagedoor::HTTP::decoded($answer),
		    qr/line 4\n\z|"e3"\}\}\}\n\z/, 'to the end';
	}
}

# How long after the first byte of a body the last one reached the cluster,
# when the client waits for half a second in between.
sub body_delay {
	my ($self, $web) = @_;
	my $sent = 0;
	my $head = "POST " . BASE . "/clusters/odd/proxy/times HTTP/1.1\r\n"
	    . "Host: localhost\r\nContent-Length: 131072\r\n"
	    . join('', map { "$_->[0]: $_->[1]\r\n" }
		@{{as('carol', @SAME_ORIGIN)}->{headers}})
	    . "\r\n" . 'x' x 65536;
	my $answer = $web->raw($head, more => sub {
		return undef if $sent++;
		sleep 0.5;
		return 'x' x 65536;
	});
	is $answer->{status}, 200, 'a body in two parts arrives'
	    or return -1;
	return body_of($answer)->{seconds};
}

sub streams_bodies {
	my ($self, $web) = @_;
	cmp_ok $self->body_delay($web), '>', 0.3, 'and as it comes';
}

sub gathers_bodies {
	my ($self, $web) = @_;
	cmp_ok $self->body_delay($web), '<', 0.3, 'but whole, at its end';
}

# The work on the cluster ends with its client. kind: "forever" says something
# every tenth of a second, "silent" says one thing and waits.
sub notices_who_left {
	my ($self, $web, $kind) = @_;
	my $socket = Stagedoor::HTTP::connect_to($web);
	unlink _mark($kind);
	_ask_odd($socket, $kind);
	like read_until($socket, qr/tick/), qr/tick/,
	    "an endless answer begins ($kind)";
	ok !-e _mark($kind), 'and goes on';
	close $socket;
	ok eval { wait_for(sub { -e _mark($kind) }, 8, 'the end') },
	    'the client leaves, and the cluster is left too';
}

# A cluster that has nothing to say yet has answered all the same, however long
# the head of its answer is.
sub begins_at_once {
	my ($self, $web) = @_;
	my @late;
	for my $length (1 .. 8) {
		my $socket = Stagedoor::HTTP::connect_to($web);
		_ask_odd($socket, "mute-$length");
		push @late, $length
		    if read_until($socket, qr/\r\n\r\n/, 2) !~ m{^HTTP/1.1 200};
	}
	is "@late", '', 'an answer begins before there is any of its body';
}

sub _ask_odd {
	my ($socket, $kind) = @_;
	my %as = as('carol');
	print $socket 'GET ' . BASE . "/clusters/odd/proxy/$kind HTTP/1.1\r\n"
	    . "Host: localhost\r\n"
	    . join('', map { "$_->[0]: $_->[1]\r\n" } @{$as{headers}})
	    . "\r\n";
}

# What comes from a socket until it matches, or ends, or the seconds (ten) are
# over.
sub read_until {
	my ($socket, $pattern, $seconds) = @_;
	my ($select, $got, $end) = (IO::Select->new($socket), '',
	    time + ($seconds // 10));
	while ($got !~ $pattern && $select->can_read($end - time)) {
		sysread $socket, $got, 65536, length $got or last;
	}
	return $got;
}

sub _mark { return tempdir() . "/left-$_[0]" }

# --- The odd cluster --------------------------------------------------------

sub _start_odd {
	my ($self) = @_;
	my $listener = IO::Socket::INET->new(Listen => 16,
	    LocalAddr => '127.0.0.1') or die "odd cluster: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$SIG{CHLD} = 'IGNORE';
		while (1) {
			my $socket = $listener->accept or next;
			next if fork();
			eval { _odd($socket) };
			POSIX::_exit(0);
		}
	}
	Stagedoor::Process->adopt(name => 'odd', pid => $pid);
	return $listener->sockport;
}

sub _odd {
	my ($socket) = @_;
	my ($in, $first) = ('');
	while ($in !~ /\r\n\r\n/) {
		sysread $socket, $in, 65536, length $in or return;
	}
	my ($head, $body) = split /\r\n\r\n/, $in, 2;
	my $length = $head =~ /^content-length: (\d+)/mi ? $1 : 0;
	$first = time if length $body;
	while (length $body < $length) {
		sysread $socket, $body, 65536, length $body or return;
		$first //= time;
	}
	return _endless($socket, $1, $2)
	    if $head =~ m{ /(forever|silent|mute)(?:-(\d))? };
	my $text = $head =~ m{ /evil } ? "evil\n"
	    : sprintf '{"seconds":%.3f}', time - ($first // time);
	syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	    . "Content-Length: " . length($text) . "\r\n"
	    . "Connection: close\r\n"
	    . "X-Stagedoor-User: root\r\nX-Stagedoor-Authorization: x\r\n"
	    . "X-Stagedoor-Impersonate-Group-16: x\r\n"
	    . "X-Accel-Redirect: " . BASE . "/clusters\r\n"
	    . "X-Accel-Limit-Rate: 1\r\nX-Sendfile: /etc/passwd\r\n"
	    . "X-LIGHTTPD-send-file: /etc/passwd\r\n"
	    . "Location: " . BASE . "/clusters\r\n\r\n$text";
	close $socket;
}

sub _endless {
	my ($socket, $kind, $length) = @_;
	my $select = IO::Select->new($socket);
	syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	    . 'X-Filler: ' . ('x' x ($length // 0)) . "\r\n"
	    . "Connection: close\r\n\r\n"
	    . ($kind eq 'mute' ? '' : "tick\n");
	# It becomes readable when the other side closes it.
	until ($select->can_read(0.1)) {
		syswrite $socket, "tick\n" if $kind eq 'forever';
	}
	write_file(_mark($kind), 'left');
}

1;
