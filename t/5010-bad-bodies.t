#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Bodies that no front end sends: broken, of the wrong types, too large, too
# deep, oddly encoded. Each gets a clear error, costs one line of log, and
# reaches no cluster.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Compress::Zlib ();
use Stagedoor::Bad qw(error_is one_line_for refused_is still_well vitals);

use constant THREADS => 4;

my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my $pool = pool(threads => THREADS, settings => settings(fake => $fake,
    clusters => ['one', { name => 'client', of => 'one',
	authProvider => 'aks' }]));
my $query = '/resources/workloads/query';
my $custom = '/resources/custom/query';
my $services = '/services/x';
get($pool, '/clusters');
my $before = vitals($pool);

sub send_body {
	my ($path, $body, %opt) = @_;
	return post($pool, $path, body => $body,
	    headers => { 'Content-Type' => 'application/json' }, %opt);
}

# --- What is no JSON --------------------------------------------------------

my %broken = (
	'not closed' => '{"entityRef": "component:default/x"',
	'single quotes' => "{'entityRef': 'x'}",
	'a comma too many' => '{"entityRef": "x",}',
	'a comment' => '{/* */}',
	'something behind it' => '{} {}',
	'a raw control character' => qq({"entityRef": "a\nb"}),
	'a NUL byte' => qq({"entityRef": "a"}\0),
	'a NUL in a string' => '{"entityRef": "component:default/a\u0000b"}',
	'a NUL in a name' => '{"entity\u0000Ref": "x"}',
	'half an escape' => '{"entityRef": "\u00"}',
	'bytes that are no UTF-8' => qq({"entityRef": "\xff\xfe"}),
	'UTF-8 cut short' => qq({"entityRef": "\xe2\x98"}),
	'an overlong slash' => qq({"entityRef": "\xc0\xaf"}),
	'null' => 'null', 'a number' => '42', 'a string' => '"x"',
	'true' => 'true', 'NaN' => '{"entityRef": NaN}',
	'brackets without end' => '[' x 50000,
	'deep nesting' => '{"a":' x 5000 . '1' . '}' x 5000,
	'deep nesting in auth' => '{"entityRef":"component:default/shop",'
	    . '"auth":' . '[' x 3000 . ']' x 3000 . '}',
);
for my $what (sort keys %broken) {
	for my $path ($query, $custom, $services) {
		my $answer = send_body($path, $broken{$what});
		is $answer->{status}, 400, "$what, to $path";
		refused_is($answer, 'is told so');
	}
}

my $error = error_is(send_body($query, '{"a"'), 400, 'SyntaxError',
    'broken JSON is a SyntaxError')->{error};
delete $error->{message};
is_deeply $error, { name => 'SyntaxError', expose => JSON::PP::true,
    statusCode => 400, status => 400, body => '{"a"',
    type => 'entity.parse.failed' }, 'with what the front end knows';

like body_of(send_body($query, '{"entityRef": 1e999}'))->{error}{message},
    qr/must be a string/, 'a number out of range is a number';

my $fine = '{"x":' . '[' x 20 . ']' x 20 . ',"entityRef":""}';
like body_of(send_body($query, $fine))->{error}{message},
    qr/entity is a required field/, 'some nesting is fine';
is send_body($query, qq(\xef\xbb\xbf{"entityRef":"component:default/shop"}))
    ->{status}, 200, 'a byte order mark is skipped';

# --- Wrong types ------------------------------------------------------------

my $shop = 'component:default/shop';
for my $ref (1, 0, -1.5, JSON::PP::true, [], [$shop], {}, { a => 1 }, undef,
    '', ' ', ':', '/', 'component:', ':default/x', 'component:default/',
    'component:/x', "a:b/c\r\nX: y", 'x' x 5000, '../../x',
    'component:default/..%2f..', "component:d\x{e9}/\x{2603}") {
	refused_is(post($pool, $query, json => { entityRef => $ref }),
	    'entityRef ' . substr encode_json($ref), 0, 40);
}

my @no_tokens = (1, 'x', [], [1], JSON::PP::true, { aks => undef },
    { aks => '' }, { aks => {} }, { aks => [] }, { oidc => 'x' });
for my $auth (@no_tokens) {
	my $answer = post($pool, $query,
	    json => { entityRef => $shop, auth => $auth });
	my $text = encode_json($auth);
	ok $answer->{status} == 200 || $answer->{status} == 400,
	    "auth $text: no failure of ours" or diag explain $answer;
	next if $answer->{status} != 200;
	my ($row) = grep { $_->{cluster}{name} eq 'client' }
	    @{body_of($answer)->{items}};
	ok $row && @{$row->{errors}}, 'an error in the row of its cluster';
}

my %bad_custom = (
	'nothing' => undef, 'a string' => 'x', 'an object' => {},
	'an empty list' => [], 'a number' => 3,
);
for my $what (sort keys %bad_custom) {
	error_is(post($pool, $custom, json => { entityRef => $shop,
	    customResources => $bad_custom{$what} }), 400, 'InputError',
	    "customResources is $what");
}
for my $element (undef, 1, 'x', [], {}, { group => {} },
    { group => 'a', apiVersion => [], plural => 'c' },
    { group => "a\r\nb", apiVersion => 'v1', plural => 'c' },
    { group => '../..', apiVersion => '..', plural => '..' }) {
	$fake->reset;
	my $answer = post($pool, $custom, json => { entityRef => $shop,
	    customResources => [$element] });
	my $text = encode_json($element);
	cmp_ok $answer->{status}, '<', 500, "customResources [$text]";
	my @out = grep { $_->{rawPath} !~ m{^/apis?/} }
	    @{$fake->settled('one')};
	is scalar @out, 0, 'asks nothing outside of the API';
}

for my $entity (undef, 1, 'x', [], {}, { kind => 1 }, { kind => 'Component' },
    { kind => 'Component', metadata => 'x' },
    { kind => 'Component', metadata => { name => [] } },
    { kind => {}, metadata => { name => 'x' } },
    { kind => 'Component', metadata => { name => 'x', namespace => 5 } }) {
	my $answer = post($pool, $services, json => { entity => $entity });
	my $status = $answer->{status} // 0;
	my $body = body_of($answer);
	ok $body && $body->{error} && ($status == 403 || $status == 400
	    || $status == 500 && !ref $body->{error}),
	    'entity ' . encode_json($entity) or diag explain $answer;
}

# --- Tokens that would split a request --------------------------------------

$fake->reset;
for my $token ("t\r\nX-Evil: 1", "t\nX-Evil: 1", "t\x7f",
    "t\x{2603}", 'x' x 70000) {
	my $answer = post($pool, $query,
	    json => { entityRef => $shop, auth => { aks => $token } });
	is $answer->{status}, 200, 'an odd token: ' . length $token;
	my ($row) = grep { $_->{cluster}{name} eq 'client' }
	    @{body_of($answer)->{items}};
	ok $row && @{$row->{errors}}, 'fails in its row';
}
my @evil = grep { exists $_->{headers}{'x-evil'} } @{$fake->settled};
is scalar @evil, 0, 'and splits nothing';

# --- Size and encoding ------------------------------------------------------

my $limit = 102400;
sub padded {
	my ($length) = @_;
	my $json = '{"entityRef":"","pad":""}';
	return substr($json, 0, -2) . 'x' x ($length - length $json) . '"}';
}
is send_body($query, padded($limit))->{status}, 400,
    'a body of just the limit is read';
$error = error_is(send_body($query, padded($limit + 1)), 413,
    'PayloadTooLargeError', 'one byte more is not')->{error};
is_deeply [@$error{qw(expected length limit type)}],
    [$limit + 1, $limit + 1, $limit, 'entity.too.large'], 'with its size';
error_is(send_body($query, padded(5_000_000)), 413, 'PayloadTooLargeError',
    'five megabytes are not read');
error_is(send_body($query, padded($limit + 1), length => undef,
    headers => { 'Content-Type' => 'application/json',
    'Transfer-Encoding' => 'chunked' }), 413, 'PayloadTooLargeError',
    'nor one that does not say how long it is');

my %gzip = ('Content-Type' => 'application/json',
    'Content-Encoding' => 'gzip');
my $bomb = Compress::Zlib::memGzip(padded(20_000_000));
cmp_ok length $bomb, '<', $limit, 'a small bomb';
error_is(send_body($query, $bomb, headers => \%gzip), 413,
    'PayloadTooLargeError', 'is not let off');
error_is(send_body($query, 'no gzip at all', headers => \%gzip), 400,
    'InputError', 'what is said to be gzip must be');
refused_is(send_body($query, substr($bomb, 0, 100), headers => \%gzip),
    'a gzip body cut short');
is error_is(send_body($query, '{}', headers => { %gzip, 'Content-Encoding' =>
    'Odd' }), 415, 'UnsupportedMediaTypeError', 'an encoding that we do not '
    . 'know')->{error}{message}, 'unsupported content encoding "odd"',
    'is named, too';
$error = error_is(send_body($query, '{}', headers => { 'Content-Type' =>
    'application/json; charset=latin1' }), 415, 'UnsupportedMediaTypeError',
    'a charset that we do not know')->{error};
is_deeply [@$error{qw(charset type)}], ['latin1', 'charset.unsupported'],
    'is named' or diag explain $error;

for my $type (undef, '', 'text/plain', 'application/vnd.x+json', 'nonsense',
    'application/jsonx', ';', 'x' x 3000) {
	my $answer = post($pool, $query, body => '{"entityRef":"' . $shop
	    . '"}', headers => defined $type ? { 'Content-Type' => $type }
	    : {});
	like body_of($answer)->{error}{message} // '', qr/required field/,
	    'content type ' . substr($type // 'missing', 0, 30)
	    . ': the body is not looked at';
}

# --- Bodies that are not as long as they say --------------------------------

for my $length ('-1', 'x', '1e3', '99999999999999999999999', '0x10') {
	my $answer = send_body($query, '{}', length => $length);
	is $answer->{status}, 400, "Content-Length $length";
}
refused_is(send_body($query, padded(100), length => 50),
    'a body that is longer than said is cut');

# --- Through nginx, which does not keep bodies for us -----------------------

SKIP: {
	skip_one('no nginx'), last SKIP if !have_program('nginx');
	my $web = nginx(pool => $pool);
	my %json = (headers => { 'Content-Type' => 'application/json' });
	for my $size ($limit + 1, 1_000_000, 30_000_000) {
		error_is(post($web, $query, %json, body => padded($size)), 413,
		    'PayloadTooLargeError', "nginx: $size bytes are refused,"
		    . ' and who sent them is told');
	}
	error_is(post($web, $query, %json, body => padded($limit + 1),
	    chunked => 1), 413, 'PayloadTooLargeError', 'nginx: in chunks');
	error_is(post($web, $query, %json, body => padded(3_000_000) . '}'),
	    413, 'PayloadTooLargeError', 'nginx: whatever is in them');
	is get($web, '/clusters', headers => { 'Content-Type' => 'text/plain' },
	    body => 'x' x 500_000)->{status}, 200, 'nginx: a body with a GET';
	$web->stop;
}

# --- Log, leaks and life ----------------------------------------------------

my $secret = 'the-secret-of-this-request';
my $line = one_line_for($pool, 'a bad request costs one line', sub {
	post($pool, "$query?token=$secret", body => qq({"auth":"$secret"),
	    headers => { 'Content-Type' => 'application/json',
	    Authorization => "Basic $secret", Cookie => $secret });
});
like $line, qr/\b400\b/, 'that has its status';
unlike $line, qr/\Q$secret\E/, 'and no secret';
log_has_no('no secret is in any log', $secret, 'X-Evil', 'alpha-token');

still_well($pool, $before, THREADS, 'after all this');
is $pool->process->ended, 0, 'the pool lives';
is $pool->stop, 0, 'and ends in order';
done_testing;
