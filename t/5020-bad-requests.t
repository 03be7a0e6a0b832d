#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Requests that no browser sends, without a web server that would refuse them
# first: illegal escapes, dot segments that climb, odd methods and targets,
# headers without end.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Bad qw(empty_404_is error_is one_line_for refused_is
    still_well vitals);
use Stagedoor::Fake::URL qw(path_of unescape);
use Stagedoor::FastCGI;

use constant THREADS => 4;

my $fake = fake(clusters => [{ name => 'one', prefix => '/base/here' },
    { name => 'two' }], backstage => 1);
my $pool = pool(threads => THREADS, settings => settings(fake => $fake,
    clusters => [{ name => 'one', url => $fake->url('one') . '/base/here' },
	'two']));
get($pool, '/clusters');
my $before = vitals($pool);
my @one = (headers => { 'Backstage-Kubernetes-Cluster' => 'one' });

# --- Unknown routes and methods ---------------------------------------------

empty_404_is(get($pool, $_), "no route $_") for qw(/ /nope /clusters/x
    /services /services/ /services/a/b /resources /resources/workloads
    /resources/workloads/query/x /resources//workloads/query /proxyx
    /clusters/one/proxyx /clusters//proxy/version /CLUSTERSX
    /clusters%2f /resources%2fworkloads/query);
empty_404_is(request($pool, $_->[0], $_->[1]), "no method $_->[0] $_->[1]")
    for [POST => '/clusters'], [PUT => '/clusters'], [DELETE => '/clusters'],
    [GET => '/resources/workloads/query'], [PUT => '/services/x'],
    [HEAD => '/resources/custom/query'], [BREW => '/clusters'];
empty_404_is($pool->get($_), "not ours: $_") for '/', '/api', '/api/other/x',
    '/api/kubernetesx', '/other/api/kubernetes/clusters';
is get($pool, $_)->{status}, 200, "but $_ is a route" for qw(/clusters
    /clusters/ /CLUSTERS /clusters?x);
refused_is(get($pool, '/clust%65rs'),
    'a route that only shows when escapes are undone');

# --- Illegal escapes --------------------------------------------------------

for my $path ('/clusters%', '/clusters/%', '/%zz', '/services/%g0',
    '/services/a%2', '/proxy/%', '/proxy/api/%xx/pods',
    '/clusters/one/proxy/%2', '/clusters/%ff%/proxy/x') {
	my $answer = request($pool, $path =~ /services/ ? 'POST' : 'GET',
	    $path, @one);
	is $answer->{status}, 400, "an illegal escape: $path"
	    or diag explain $answer;
	refused_is($answer, 'in the contract\'s form');
}
is error_is(request($pool, 'POST', '/services/%zz'), 400, 'URIError',
    'has a name')->{request}{url}, '/services/%zz', 'and the path as sent';

# --- Dot segments -----------------------------------------------------------

# What reaches the cluster stays below its base path however it is read: as
# it is, or with its escapes undone.
sub stays_inside {
	my ($path, $what, @more) = @_;
	$fake->reset;
	my $answer = get($pool, $path, @one, @more);
	my @seen = map { $_->{rawPath} } @{$fake->settled};
	my @outside;
	for my $raw (@seen) {
		my $read = $raw;
		for (1 .. 2) {
			push @outside, $raw if path_of($read =~ tr{\\}{/}r)
			    !~ m{^/base/here(?:/|$)};
			$read = unescape($read);
		}
	}
	is "@outside", '', "$what: $path";
	refused_is($answer, 'is refused') if !@seen;
}

stays_inside($_, 'climbing') for map { "/proxy$_" }
    '/..', '/../x', '/../../x', '/a/../../x', '/./../x', '/%2e%2e/x',
    '/.%2e/x', '/%2E./x', '/..%2fx', '/%2e%2e%2fx', '/..%5cx', '/..\\x',
    '/a/..%2f..%2f..%2fx', '/..;/x', '/..;a=b/x', '//../x', '/a//../../x',
    '/..//..//x', '/a/b/../../..';
stays_inside("/clusters/one/proxy$_", 'climbing') for '/..', '/../../x',
    '/%2e%2e/%2e%2e/x', '/a/..%2f../x';
for my $path ('/proxy/../clusters', '/proxy/%2e%2e/clusters',
    '/clusters/one/proxy/../../../clusters', '/x/../proxy/version',
    '/clusters/../proxy/version', '/proxy/../../kubernetes/clusters') {
	$fake->reset;
	my $answer = get($pool, $path, @one);
	ok $answer->{status} == 400 || $answer->{status} == 404,
	    "leads to another route: $path" or diag explain $answer;
	is scalar @{$fake->settled}, 0, 'goes nowhere';
}
$fake->reset;
is get($pool, '/proxy/a/../version', @one)->{status}, 200,
    'dot segments that stay inside pass';
is $fake->last_request('one')->{rawPath}, '/base/here/a/../version',
    'byte for byte';

# --- Names of clusters ------------------------------------------------------

for my $name ('nope', 'One', 'one,two', 'one, two', ' ', "one\x7f", '../one',
    'x' x 9000, "\xff\xfe", "caf\xc3\xa9") {
	my $answer = get($pool, '/proxy/version', headers =>
	    { 'Backstage-Kubernetes-Cluster' => $name });
	my $short = substr $name, 0, 20;
	is $answer->{status}, $name eq ' ' ? 404 : 404,
	    "no cluster '$short'" or diag explain $answer;
	refused_is($answer, 'is said as JSON');
}
is get($pool, "/clusters/$_/proxy/version")->{status}, 404,
    "no cluster $_ in the path" for 'nope', '%6Fnex', 'one%00', 'ONE';

# --- Methods and targets ----------------------------------------------------

sub with_params {
	my (@pairs) = @_;
	return $pool->raw(Stagedoor::FastCGI::begin()
	    . Stagedoor::FastCGI::stream(Stagedoor::FastCGI::FCGI_PARAMS,
	    Stagedoor::FastCGI::pairs(@pairs))
	    . Stagedoor::FastCGI::stream(Stagedoor::FastCGI::FCGI_STDIN, ''));
}

my $list = '/api/kubernetes/clusters';
for my $method ('', 'get', 'G', 'GET ', "GET\r\nX: y", 'GE-T', 'G' x 33,
    'G' x 5000, "\xff") {
	my $answer = with_params(REQUEST_METHOD => $method,
	    REQUEST_URI => $list);
	ok $answer->{status} == 400 || $answer->{status} == 404,
	    'method ' . encode_json(substr $method, 0, 12)
	    or diag explain $answer;
}
is with_params(REQUEST_URI => $list)->{status}, 400, 'no method';
is with_params(REQUEST_METHOD => 'GET')->{status}, 404, 'no target';
is with_params()->{status}, 400, 'nothing at all';
is with_params(REQUEST_METHOD => 'GET', SCRIPT_NAME => '/api/kubernetes',
    PATH_INFO => '/clusters')->{status}, 200, 'a target in two parts';
is with_params(REQUEST_METHOD => 'GET', REQUEST_URI => "$_")->{status}, 400,
    'a target with a control character' for "$list\n", "$list?a\tb",
    "/api/kubernetes/\x01", "$list\x7f", "$list ";
is with_params(REQUEST_METHOD => 'GET', REQUEST_URI => "http://h$list")
    ->{status}, 200, 'a target in absolute form';
my $long = $list . '?' . 'x' x 40000;
ok with_params(REQUEST_METHOD => 'GET', REQUEST_URI => $long)->{status} >= 400,
    'a target of 40 KB is refused';
for my $method (qw(TRACE CONNECT)) {
	$fake->reset;
	refused_is(request($pool, $method, '/proxy/version', @one),
	    "$method does not pass");
	is scalar @{$fake->settled}, 0, 'at all';
}

# --- Headers ----------------------------------------------------------------

sub many_headers {
	my ($n, $length) = @_;
	my @list = map { ["X-Many-$_", 'v' x $length] } 1 .. $n;
	return [@list, ['Backstage-Kubernetes-Cluster', 'two']];
}

for my $path ('/clusters', '/proxy/version') {
	for my $size ([300, 10], [1, 65536], [3000, 10], [100, 20000]) {
		my $answer = get($pool, $path, headers => many_headers(@$size));
		my $what = "$size->[0] headers of $size->[1] bytes, $path";
		if (($answer->{status} // 0) == 200) {
			pass "$what: answered";
		} else {
			refused_is($answer, "$what: refused");
		}
	}
}

# --- The same through nginx, which refuses some of it itself ----------------

SKIP: {
	skip_one('no nginx'), last SKIP if !have_program('nginx');
	my $web = nginx(pool => $pool);
	my %want = (
		"GET $list HTTP/1.1\r\nHost: x\r\n\r\n" => qr/^200$/,
		"GET $list%zz HTTP/1.1\r\nHost: x\r\n\r\n" => qr/^400$/,
		"GET $list%00 HTTP/1.1\r\nHost: x\r\n\r\n" => qr/^400$/,
		"GET /api/kubernetes/../../etc HTTP/1.1\r\nHost: x\r\n\r\n"
		    => qr/^40[04]$/,
		"GET $list HTTP/1.1\r\nHost: x\r\nX: " . 'v' x 65536
		    . "\r\n\r\n" => qr/^4\d\d$/,
		"G\@T $list HTTP/1.1\r\nHost: x\r\n\r\n" => qr/^40\d$/,
		"GET $list\r\n\r\n" => qr/^(?:200|400|closed)$/,
		"GET $list HTTP/1.1\r\n\r\n" => qr/^400$/,
		"\x16\x03\x01\x02\x00\x01\x00" . "\r\n\r\n" => qr/^400$/,
		"POST $list HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
		    . "\r\n\r\nzz\r\n" => qr/^(?:400|404|closed)$/,
		"GET $list HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
		    . "Content-Length: 6\r\n\r\nhello" => qr/^400$/,
	);
	for my $bytes (sort keys %want) {
		my $answer = $web->raw($bytes, timeout => 5);
		my ($first) = $bytes =~ /^([\x20-\x7e]{0,60})/;
		like $answer->{status} // $answer->{error} // 'timeout',
		    $want{$bytes}, "nginx: $first";
	}
	my @many = map { ["X-$_", 'v'] } 1 .. 300;
	is get($web, '/clusters', headers => \@many)->{status}, 200,
	    '300 headers through nginx';
	$web->stop;
}

# --- Log, leaks and life ----------------------------------------------------

my $line = one_line_for($pool, 'a refused path costs one line', sub {
	get($pool, "/proxy/../x?token=secret-in-query", headers => {
	    'Backstage-Kubernetes-Cluster' => 'one',
	    'Backstage-Kubernetes-Authorization' => 'Bearer secret-one',
	    Authorization => 'Basic secret-two', Cookie => 'secret-three' });
});
like $line, qr/\b400\b/, 'with its status';
one_line_for($pool, 'a line cannot be forged', sub {
	with_params(REQUEST_METHOD => 'GET', REQUEST_URI => $list,
	    STAGEDOOR_REQUEST_ID => "x\nforged", HTTP_X => "a\nforged");
});
log_has_no('no secret is in any log', 'secret-in-query', 'secret-one',
    'secret-two', 'secret-three', 'alpha-token');
still_well($pool, $before, THREADS, 'after all this');
is $pool->stop, 0, 'the pool ends in order';
done_testing;
