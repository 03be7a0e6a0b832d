#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The direct lane: nginx asks the pool and moves the bytes itself, with the
# files that users include and what `stagedoor nginx` writes. What goes to a
# cluster, what comes back, and that nobody but nginx sees a credential, even
# with clusters that do their worst. Upgrades: 6210-upgrades.t.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::HTTP;
use Stagedoor::WebSocket;

# A cluster of its own making; what it says is chosen by the path.
my %WORST = (
	echo => sub { my ($request) = @_; join "\r\n", 'HTTP/1.1 200 OK',
	    'X-Stagedoor-Authorization: Bearer alpha-token',
	    'X-Stagedoor-Upstream: x', 'X-Stagedoor-Path: /secret',
	    'X-Stagedoor-Impersonate-Group-16: g', 'Set-Cookie: a=b',
	    'Authorization: ' . ($request->{headers}{authorization} // ''),
	    'X-Accel-Buffering: yes', 'X-Accel-Expires: 60',
	    'Cache-Control: max-age=60', 'Content-Length: 2', '', 'ok' },
	redirect => sub { join "\r\n", 'HTTP/1.1 302 Found',
	    'Location: https://evil.example.org/', 'Content-Length: 0', '', ''
	    },
	accel => sub { join "\r\n", 'HTTP/1.1 200 OK',
	    'X-Accel-Redirect: /_stagedoor/lane/authorize',
	    'Content-Length: 4', '', 'mine' },
	early => sub { join "\r\n", 'HTTP/1.1 103 Early Hints',
	    'Link: </x>; rel=preload', '', 'HTTP/1.1 200 OK',
	    'Content-Length: 2', '', 'ok' },
	nonsense => sub { "alpha-token\0\r\n\r\n" },
	huge => sub { "HTTP/1.1 200 OK\r\nX-Big: " . 'x' x 100_000
	    . "\r\n\r\n" },
	dies => sub { '' },
	cut => sub { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" },
	unauthorized => sub { join "\r\n", 'HTTP/1.1 401 Unauthorized',
	    'WWW-Authenticate: Bearer', 'Content-Length: 4', '', 'none' },
);
sub worst {
	my ($request, $conn) = @_;
	my ($what) = $request->{raw_path} =~ m{^/worst/(\w+)} or return 0;
	$conn->raw_write($WORST{$what}->($request));
	$conn->close;
	return 1;
}

my $fake = fake(clusters => [{ name => 'one', handler => \&worst },
    { name => 'deep', prefix => '/a/b' }]);
my %acting = (impersonate => { user => '{user}', uid => '{name}', groups =>
	['{groups}', 'portal'], extra => { 'example.org/e_Mail' => '{email}',
	    email => '{email}' } });
my $config = settings(fake => $fake, source => 'params', clusters => ['one',
	{ name => 'deep', url => $fake->url('deep') . '/a/b/' },
	{ name => 'acting', of => 'one', %acting },
	{ name => 'reading', of => 'one', readOnly => \1 },
	{ name => 'bobs', of => 'one', allow => ['user:default/bob'] },
	{ name => 'gone', url => 'http://127.0.0.1:' . free_port() },
	{ name => 'new', of => 'one', serviceAccountToken => 'file-token' }],
    stagedoor => { publicUrl => 'https://portal.example.org',
	identity => { source => 'params' } });
my $pool = pool(settings => $config);
my $server = 'set $stagedoor_user $http_x_who; '
    . 'set $stagedoor_groups $http_x_groups; '
    . 'set $stagedoor_email "ann@example.org"; '
    . 'set $stagedoor_direct $http_x_direct;';
my $web = nginx(pool => $pool, lane => 1, server => "$server
	error_page 500 502 503 504 /oops;
	location = /oops { internal; ssi on; ssi_types *; return 200
	    'oops \$stagedoor_authorization'; }");

# Through the lane, as ann.
sub direct {
	my ($method, $path, %opt) = @_;
	return request($web, $method, $path, %opt, headers => [
	    ['X-Who', $opt{who} // 'ann'], ['X-Direct', $opt{direct} // 'all'],
	    ['Sec-Fetch-Site', 'same-origin'], @{$opt{headers} // []}]);
}
sub one { return direct('GET', "/clusters/one/proxy$_[0]", @_[1 .. $#_]) }

# What goes through the lane has the status of /authorize there: 204.
sub audits { return $pool->log_text =~ /^(\{.*"event":"request".*\})$/mg }
sub last_audit { return decode_json((audits())[-1]) }

# --- There ------------------------------------------------------------------

for my $path ('/version', '/a%2Fb/%41%c3%a9/c:d;e', '/x?a=b%20c&d=%2F?e',
    '/x?', '/echo//a///b', '/' . 'long/' x 800) {
	$fake->reset;
	my $answer = one($path);
	isnt $answer->{status}, undef, substr "an answer to $path", 0, 60;
	is last_audit()->{status}, 204, 'in the lane';
	my $seen = $fake->last_request('one');
	my ($plain, $query) = $path =~ /^([^?]*)(\?.*)?$/;
	is $seen->{rawPath}, $plain =~ s{/+}{/}gr, 'path byte for byte';
	is $seen->{query} // '', ($query // '') =~ s/^\?//r, 'and query';
}
is direct('GET', '/clusters/deep/proxy/version')->{status}, 200,
    'below a base path';
is $fake->last_request('deep')->{rawPath}, '/a/b/version', 'which is kept';
is direct('GET', '/proxy/version', headers => [['Backstage-Kubernetes-Cluster',
    'deep']])->{status}, 200, 'the cluster by header';

$fake->reset;
my $answer = direct('POST', '/clusters/one/proxy/echo', body => 'x' x 300_000,
    headers => [[Authorization => 'Bearer mine'], [Cookie => 'session=1'],
	['Impersonate-User' => 'root'], ['Impersonate-Extra-x' => 'y'],
	['Backstage-Kubernetes-Authorization-Google' => 'other'],
	['X-Stagedoor-User' => 'root'], ['Stagedoor-X' => 1],
	['Proxy-Authorization' => 'x'], [TE => 'trailers'],
	['X-Forwarded-For' => '192.0.2.1'], ['Content-Type' => 'text/x'],
	['Accept' => 'application/json'], ['User-Agent' => 'kubectl/1'],
	[Connection => 'x-forwarded-for'], ['Audit-ID' => 'mine']]);
is $answer->{status}, 200, 'a body goes through';
my $seen = $fake->last_request('one');
is $seen->{length}, 300_000, 'all of it';
my %got = %{$seen->{headers}};
is delete $got{authorization}, 'Bearer alpha-token', 'our credential';
is delete $got{host}, '127.0.0.1:' . $fake->port('one'), 'its own name';
like $got{'audit-id'}, qr/^[0-9a-f]{32}$/, 'our id of the request';
is delete $got{'x-request-id'}, delete $got{'audit-id'}, 'under both names';
is_deeply \%got, { accept => 'application/json', 'content-length' => 300_000,
    'content-type' => 'text/x', 'user-agent' => 'kubectl/1',
    'x-forwarded-for' => '192.0.2.1' }, 'and nothing else of the client\'s'
    or diag explain \%got;

# --- Acting for somebody ----------------------------------------------------

direct('GET', '/clusters/acting/proxy/version', headers =>
    [['X-Groups', join ',', map { "g$_" } 1 .. 15]]);
%got = %{$fake->last_request('one')->{headers}};
is last_audit()->{status}, 204, 'fifteen groups and one: in the lane';
is $got{'impersonate-user'}, 'user:default/ann', 'whom it acts for';
is $got{'impersonate-uid'}, 'ann', 'uid';
is $got{'impersonate-group'}, join(', ', (map { "group:default/g$_" }
    1 .. 15), 'portal'), 'groups';
is $got{'impersonate-extra-email'}, 'ann@example.org', 'an extra key';
is $got{'impersonate-extra-example.org%2fe%5fmail'}
    // $got{'impersonate-extra-example.org%2Fe%5FMail'}
    // $got{'impersonate-extra-example.org%2fe%5f%4dail'},
    'ann@example.org', 'one with odd characters' or diag explain \%got;
$fake->reset;
is direct('GET', '/clusters/acting/proxy/version', headers =>
    [['X-Groups', join ',', map { "g$_" } 1 .. 16]])->{status}, 200,
    'more than sixteen are not cut: they go through the module';
is scalar(split /, /, $fake->last_request('one')->{headers}
    {'impersonate-group'}), 17, 'all of them';
my @carol = (['Backstage-Kubernetes-Authorization' => 'Bearer user-token'],
    ['Impersonate-User' => 'carol'], ['Impersonate-Group' => 'singers']);
one('/version', headers => \@carol);
%got = %{$fake->last_request('one')->{headers}};
is join(' ', map { $_ // '-' } @got{qw(authorization impersonate-user
    impersonate-group backstage-kubernetes-authorization)}),
    'Bearer user-token carol singers -', 'with a credential of their own '
    . 'clients impersonate themselves';

# --- Who may not ------------------------------------------------------------

my @no = (
	['nobody', 401, 'GET', 'one', who => ''],
	['an unknown cluster', 404, 'GET', 'none'],
	["somebody else's cluster", 404, 'GET', 'bobs'],
	['writing what is for reading', 403, 'DELETE', 'reading'],
	['a foreign page that writes', 403, 'POST', 'one', headers =>
	    [['Sec-Fetch-Site', 'cross-site']]],
);
for my $no (@no) {
	my ($what, $status, $method, $cluster, %opt) = @$no;
	$fake->reset;
	my $answer = direct($method, "/clusters/$cluster/proxy/version", %opt);
	is $answer->{status}, $status, $what;
	ok body_of($answer)->{error}{message}, 'and the answer says why';
	is scalar @{$fake->settled('one')}, 0, 'no cluster heard of it';
}
for my $climbs ('/../x', '/a/%2e%2e/%2e%2e/b', '/a/..%2f..%2fb') {
	is one($climbs)->{status}, 400, "$climbs leads nowhere";
}
for my $inside ('/_stagedoor/lane', '/_stagedoor/lane/asked',
    '/_stagedoor/lane/authorize', '/_stagedoor/lane/to/',
    '/_stagedoor/lane/to/x', '/_stagedoor/lane/to/stagedoor-one-0',
    BASE . '/authorize') {
	is $web->get($inside, headers => [['X-Who', 'ann']])->{status}, 404,
	    "$inside is for nginx alone";
}

# --- Which requests ---------------------------------------------------------

my %lane = (
	'' => { '/version' => 0, '/x?watch=1' => 0 },
	long => { '/version' => 0, '/x?watch=1' => 1, '/x?a&watch=true' => 1,
	    '/x?watch' => 1, '/x?watch=0' => 0, '/x?watch=FALSE&a' => 0,
	    '/x?follow=true' => 1, '/x?unwatch=1' => 0,
	    '/api/v1/watch/pods' => 1, '/x?a=/watch/' => 0 },
	all => { '/version' => 1, '/x?watch=1' => 1 },
);
for my $which (sort keys %lane) {
	for my $path (sort keys %{$lane{$which}}) {
		my $before = () = audits();
		my $client = Stagedoor::HTTP::connect_to($web);
		print $client "GET @{[BASE]}/clusters/one/proxy$path "
		    . "HTTP/1.1\r\nHost: x\r\nX-Who: ann\r\n"
		    . "X-Direct: $which\r\n\r\n";
		sysread $client, my $some, 10;
		close $client;
		wait_for(sub { (() = audits()) > $before }, 5, 'its line');
		is last_audit()->{status} == 204 ? 1 : 0,
		    $lane{$which}{$path}, "'$which': $path";
	}
}
is direct('GET', '/clusters')->{status}, 200, 'other routes stay with the pool';

# --- Back, from clusters that do their worst --------------------------------

sub tells_nothing {
	my ($answer, $what) = @_;
	my $all = join "\n", $answer->{body} // '', map { join ': ', @$_ }
	    @{$answer->{list} // []};
	unlike $all, qr/alpha-token|x-stagedoor|set-cookie|x-accel/i,
	    "$what: nothing is told" or diag $all;
}
my %after = (echo => 200, redirect => 302, accel => 200, nonsense => undef,
    huge => 502, dies => 502, cut => 200, unauthorized => 401);
for my $worst (sort keys %WORST) {
	my $answer = one("/worst/$worst", timeout => 1);
	is $answer->{status}, $after{$worst}, "$worst: the status"
	    if defined $after{$worst};
	tells_nothing($answer, $worst);
}
is one('/worst/redirect')->{headers}{location}, 'https://evil.example.org/',
    'a redirect is the client\'s to follow';
is one('/worst/accel')->{body}, 'mine', 'X-Accel-Redirect is no command';
is one('/worst/unauthorized')->{body}, 'none', 'its 401 as it is';
my $gone = direct('GET', '/clusters/gone/proxy/version');
is $gone->{status}, 502, 'one that is not there';
like body_of($gone)->{error}{message}, qr/does not answer/, 'in words';
tells_nothing($gone, 'gone');
is one('/version')->{status}, 200, 'the others answer';

# --- Changes ----------------------------------------------------------------

my ($new) = grep { $_->{name} eq 'new' }
    @{$config->{kubernetes}{clusterLocatorMethods}[0]{clusters}};
$new->{url} = $fake->url('deep') . '/a/b';
$pool->reload($config);
wait_for(sub { $pool->log_text =~ /settings are read again/ }, 5, 'a reload');
$fake->reset;
my @new = ('GET', '/clusters/new/proxy/version');
is direct(@new)->{status}, 200, 'a cluster that has moved is reached';
is scalar @{$fake->settled('one')}, 0, 'not where it was';
isnt last_audit()->{status}, 204, 'but through the pool';
my $ws = Stagedoor::WebSocket->connect($web,
    BASE . '/clusters/new/proxy/x', headers => { 'X-Who' => 'ann',
	'Sec-Fetch-Site' => 'same-origin' });
is $ws->status, 503, 'an upgrade has to wait';
like body_of($ws->answer)->{error}{message}, qr/stagedoor nginx/, 'for this';
$web->update_lane;
is direct(@new)->{status}, 200, 'nginx knows it';
is last_audit()->{status}, 204, 'in the lane';

# --- Traces -----------------------------------------------------------------

is join(' ', grep { -f } glob "$web->{dir}/{proxy,fastcgi,body}/*"), '',
    'nothing was written to a disk on the way';
log_has_no('no log has a credential', qw(alpha-token user-token file-token));
done_testing;
