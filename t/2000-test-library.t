#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The tests' own tools: a comparison that sees every difference, clients that
# read what servers send, fake clusters that behave and misbehave as told.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Compare qw(compare);
use Stagedoor::Differences;
use Stagedoor::Fake::Data;
use Stagedoor::Fake::URL qw(path_of);
use Stagedoor::JSON qw(kind_of member_text spaced);
use Stagedoor::Replay;
use Stagedoor::WebSocket;

# --- Values and their kinds -------------------------------------------------

my $kinds = decode_json('[1, "1", 1.5, true, null, [], {}]');
is join(' ', map { kind_of($_) } @$kinds),
    'number string number bool null array object', 'kinds are told apart';
is spaced(member_text('{"a":0,"b":{"z":[1,{"y":"\u00e9\n"}],"a":null}}', 'b')),
    qq({"z": [1, {"y": "\xc3\xa9\\n"}], "a": null}),
    'the text of a member keeps its order';

# --- Comparison -------------------------------------------------------------

sub parts {
	my ($want, $got) = @_;
	return join ' ', map { $_->{part} }
	    compare(decode_json($want), decode_json($got));
}

my @same = (
	['{"status":200,"body":{"a":[1]}}',
	    '{"body":{"a":[1.0]},"status":200}'],
	['{"body":{"n":9007199254740993}}', '{"body":{"n":9007199254740992}}'],
	['{"status":{"$oneOf":[500,502]}}', '{"status":502}'],
	['{"body":{"$any":true}}', '{"body":null}'],
	['{"body":{"m":{"$match":"^x.z$"}}}', '{"body":{"m":"xyz"}}'],
	['{"headers":{"etag":"1"}}', '{"headers":{"etag":"2"}}'],
	['{"upstream":null}', '{"upstream":[{"path":"/x"}]}'],
);
is parts(@$_), '', "the same: $_->[0]" for @same;

my @differ = (
	['{"status":200}', '{"status":404}', 'status'],
	['{"status":200}', '{"timeout":true}', 'status timeout'],
	['{"body":{"a":"1"}}', '{"body":{"a":1}}', 'body.a'],
	['{"body":{"a":1}}', '{"body":{"a":true}}', 'body.a'],
	['{"body":{"a":1}}', '{"body":{"b":1}}', 'body.a body.b'],
	['{"body":[1,2]}', '{"body":[1,3,4]}', 'body.length body[1]'],
	['{"body":null}', '{"body":{}}', 'body'],
	['{"headers":{"location":"/"}}', '{}', 'headers.location'],
	['{"body":{"$clusters":{"a":"ok","b":"error"}}}',
	    '{"body":{"items":[{"cluster":{"name":"a"},"errors":[{}]}]}}',
	    'body.a body.b'],
	['{"upstream":[{"cluster":"a","method":"GET","path":"/x","query":""}]}',
	    '{"upstream":[{"cluster":"a","method":"GET","path":"/x",'
	    . '"query":"q"}]}', 'upstream.query'],
	['{"upstream":[{"path":"/x"}]}', '{"upstream":[]}',
	    'upstream.missing'],
	['{"upstream":[]}', '{"upstream":[{"path":"/x"}]}',
	    'upstream.unexpected'],
	['{"upstream":[{"path":"/x","headers":{"te":"a","cookie":"b"}}]}',
	    '{"upstream":[{"path":"/x","headers":{}}]}',
	    'upstream.headers.te'],
);
is parts(@$_[0, 1]), $_->[2], "differ: $_->[0]" for @differ;

sub lists {
	my (@paths) = @_;
	my @all = map { { cluster => 'a', method => 'GET', path => $_,
	    query => [] } } @paths;
	return encode_json({ upstream => \@all });
}
is parts(lists('/api/v1/pods', '/api/v1/namespaces/x/pods'),
    lists('/api/v1/pods')), '', 'pods may be listed once';
is parts(lists('/api/v1/namespaces/x/pods'), lists()), 'upstream.missing',
    'but must be listed';
is parts(lists('/a', '/a'), lists('/a')), '', 'how often does not count';

# --- The list of differences on purpose -------------------------------------

my $listed = Stagedoor::Differences->new(
    write_file(tempdir() . '/list', <<'END'));
# A comment.
status
  reason: because
  part: status
  ours: 404
  cases: one
message
  reason: our own words
  part: body.rows[*].message headers.*
  ours: text
  beside: errorType=FETCH_ERROR
  cases: one
      two
END

sub judged {
	my ($name, $want, $got, %opt) = @_;
	my @found = compare(decode_json($want), decode_json($got));
	return $listed->judge({ name => $name }, \@found, known => 1, %opt);
}
my $row = '{"body":{"rows":[{"errorType":"FETCH_ERROR","message":"%s"}]}}';
my ($theirs, $ours) = map { sprintf $row, $_ } qw(theirs ours);
ok judged('two', $theirs, $ours)->{ok}, 'a listed difference is one';
ok !judged('two', $theirs, $theirs)->{ok}, 'it must differ';
ok !judged('two', $theirs, sprintf($row, ''))->{ok}, 'and in the way listed';
ok !judged('two', $theirs =~ s/FETCH/X/r, $ours =~ s/FETCH/X/r)->{ok},
    'only in rows of that error';
ok !judged('one', $theirs, $ours)->{ok}, 'in all the parts listed';
ok !judged('three', $theirs, $ours)->{ok}, 'others must not differ';
ok judged('three', $theirs, $ours, known => 0)->{ok},
    'cases from elsewhere may, in these parts';
ok !judged('three', '{"status":200}', '{"status":500}', known => 0)->{ok},
    'and in no others';
is join(' ', $listed->case_names), 'one two', 'it knows the cases it lists';

# --- Reading answers --------------------------------------------------------

sub read_as {
	my ($bytes, $size) = @_;
	my $reader = Stagedoor::HTTP::Reader->new;
	$reader->feed($_) for unpack "(a$size)*", $bytes;
	return $reader->done ? $reader->answer : $reader->eof;
}

my $chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n"
    . "a: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nT: t\r\n\r\nrest";
for my $size (1, 7, 1000) {
	my $answer = read_as($chunked, $size);
	is $answer->{body}, 'hello!', "chunks in pieces of $size";
	is $answer->{headers}{a}, '1, 2', 'a header that came twice';
}
is read_as("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 4)->{error},
    'closed', 'an answer cut short is not whole';
is read_as("HTTP/1.0 200 OK\r\n\r\nall", 4)->{body}, 'all',
    'without a length it ends with the connection';

# --- Paths and selectors ----------------------------------------------------

my %paths = ('/a/../b/./c?x' => '/b/c', '/a/%2e%2E/b' => '/b', '//h/x' => '/x',
    '/a/..' => '/', '/..' => '/', '/a//b' => '/a//b', '' => '/');
is path_of($_), $paths{$_}, "path of '$_'" for sort keys %paths;

my %labels = (app => 'shop', tier => 'front');
my %selects = ('app=shop' => 1, 'app==shop,tier' => 1, 'app!=shop' => '',
    'app in (x, shop),!none' => 1, 'app notin (shop)' => '', '!app' => '',
    'app=shop,tier=back' => '', '' => 1);
is !!Stagedoor::Fake::Data::selects($_, \%labels), $selects{$_} ? 1 : '',
    "'$_' selects" for sort keys %selects;

# --- Fake clusters ----------------------------------------------------------

my $fake = fake(backstage => 1, clusters => [
    { name => 'good' }, { name => 'hang', behaviour => 'hang' },
    { name => 'reset', behaviour => 'rst' },
    { name => 'short', behaviour => 'truncated' },
    { name => 'pods', behaviour => 'except:pods=403' },
    { name => 'mine', handler => sub {
	my ($request, $conn) = @_;
	$conn->reply(418, ['X-Mine' => 'yes'], 'tea');
	return 1;
    } },
]);

sub ask {
	my ($cluster, $path, %opt) = @_;
	my $client = Stagedoor::HTTP->new(port => $fake->port($cluster));
	return $client->request($opt{method} // 'GET', $path, %opt,
	    headers => { Authorization => 'Bearer alpha-token' });
}

my $pods = ask(good =>
    '/api/v1/namespaces/default/pods?labelSelector=app%3Dshop');
is $pods->{status}, 200, 'a list';
is join(' ', map { $_->{metadata}{name} } @{body_of($pods)->{items}}),
    'shop-1 shop-2', 'has what the selector selects';
like $pods->{body}, qr/"big":9007199254740993\b.*"f":1\.10\b/s,
    'numbers keep their spelling';
is ask(good => '/nope')->{status}, 404, 'an unknown path';
is ask(pods => '/api/v1/pods')->{status}, 403, 'a list refused';
is ask(hang => '/version', timeout => 0.3)->{timeout}, 1, 'a cluster hangs';
is ask(reset => '/version')->{error}, 'closed', 'one resets';
is ask(short => '/version')->{error}, 'closed', 'one breaks off';
is ask(mine => '/')->{body}, 'tea', 'one does what a test wants';
my $log = ask(good => '/api/v1/namespaces/a/pods/b/log');
is $log->{body}, "line 1\nline 2\nline 3\nline 4\n", 'a log';
cmp_ok $log->{end} - $log->{first}, '>', 0.3, 'comes line by line';
is length ask(good => '/bytes/5000000')->{body}, 5000000, 'many bytes';
my $sent = ask(good => '/sink', method => 'POST', body => 'x' x 3000000,
    chunked => 0);
is body_of($sent)->{length}, 3000000, 'a large body arrives';

$fake->reset;
ask(good => '/echo?x=1', method => 'PUT', body => "h\xc3\xa9", chunked => 1);
my $seen = $fake->last_request('good');
is_deeply [@$seen{qw(method rawPath query body)}],
    ['PUT', '/echo', 'x=1', "h\x{e9}"], 'requests are recorded';
is $seen->{headers}{authorization}, 'Bearer alpha-token', 'with headers';
is scalar @{$fake->settled}, 1, 'one request was one';

my $stub = Stagedoor::HTTP->new(port => $fake->port('@backstage'));
my $entity = '/api/catalog/entities/by-name/component/default/shop';
is body_of($stub->get($entity))->{metadata}{name}, 'shop',
    'the catalog knows entities';
is $stub->get("$entity-x")->{status}, 404, 'and not others';

# --- TLS --------------------------------------------------------------------

SKIP: {
	skip_one('no nginx or openssl'), last SKIP
	    if grep { !have_program($_) } qw(nginx openssl curl);
	my $dir = tempdir();
	Stagedoor::TLS::make_ca($dir, 'ca');
	Stagedoor::TLS::make_cert($dir, 'server', 'ca');
	Stagedoor::TLS::make_cert($dir, 'client', 'ca', client => 1,
	    subject => '/CN=alice');
	my $port = free_port();
	Stagedoor::TLS::tls_front(listen => $port, http2 => 1,
	    to => $fake->port('good'), cert => "$dir/server.crt",
	    key => "$dir/server.key", client_ca => "$dir/ca.crt");
	my $run = run_command(['curl', '-s', '--cacert', "$dir/ca.crt",
	    '--cert', "$dir/client.crt", '--key', "$dir/client.key",
	    '-H', 'Authorization: Bearer alpha-token',
	    "https://127.0.0.1:$port/version"]);
	like $run->{out}, qr/gitVersion/, 'a fake cluster behind TLS';
	my $over = $fake->last_request('good');
	is $over->{tls_subject}, 'CN=alice', 'knows the certificate';
	is $over->{tls_protocol}, 'HTTP/2.0', 'and the protocol';
}
# --- WebSockets -------------------------------------------------------------

subtest 'WebSockets' => sub {
	my $other = fake(clusters => [{ name => 'one' }]);
	my $to = Stagedoor::HTTP->new(port => $other->port('one'));
	my $open = sub {
		my ($query, @protocols) = @_;
		return Stagedoor::WebSocket->connect($to, "/x$query",
		    headers => { Authorization => 'Bearer alpha-token' },
		    protocols => \@protocols);
	};
	my $ws = $open->('');
	is $ws->answer->{headers}{'sec-websocket-accept'},
	    's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the answer of RFC 6455, 1.3';
	$ws->send('hello', Stagedoor::WebSocket::TEXT);
	is $ws->next->{data}, 'echo:hello', 'an echo';
	ok $ws->close, 'closed by both';
	$ws = $open->('', 'unknown', 'channel.k8s.io');
	is $ws->protocol, 'channel.k8s.io', 'the subprotocol that is known';
	for my $n (1, 124, 125, 65534, 65535, 300000) {
		$ws->send("\0" . 'x' x $n);
		is length $ws->next->{data}, 1 + $n, "$n bytes";
	}
	$ws->drop;
	ok wait_for(sub { $other->connections('one')->{open} == 0 }, 5,
	    'the end'), 'left without a word';
	is $open->('', 'unknown')->status, 403, 'none that is known';
	like $open->('?chatter=0.02', 'channel.k8s.io')
	    ->reads(1, qr/tick\ntick/), qr/tick/, 'one that speaks up';
};

done_testing;
