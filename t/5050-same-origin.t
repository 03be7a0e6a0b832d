#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A session cookie is not consent. Where the web server says who asks, a
# request that changes something must come from our own pages: by its Origin,
# or because the browser says so (Sec-Fetch-Site).
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Bad qw(error_is);

my $home = 'https://portal.example.com';
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);

sub settings_with {
	my (%stagedoor) = @_;
	my $settings = settings(fake => $fake, source => 'params',
	    stagedoor => { %stagedoor });
	$settings->{stagedoor}{identity}{source} = 'params';
	return $settings;
}
my $pool = pool(settings => settings_with(publicUrl => "$home/"));

my $pods = '/clusters/one/proxy/api/v1/namespaces/default/pods';
my @unsafe = (
	[POST => '/resources/workloads/query'],
	[POST => '/resources/custom/query'],
	[POST => '/services/x'],
	[POST => $pods], [PUT => "$pods/shop-1"], [PATCH => "$pods/shop-1"],
	[DELETE => "$pods/shop-1"], [DELETE => $pods], [MKCOL => $pods],
);
my @foreign = (
	['no word of it' => {}],
	['another origin' => { Origin => 'https://evil.example.com' }],
	['a longer origin' => { Origin => "$home.evil.com" }],
	['a shorter origin' => { Origin => 'https://portal.example.co' }],
	['another scheme' => { Origin => 'http://portal.example.com' }],
	['another port' => { Origin => "$home:8443" }],
	['an origin with a path' => { Origin => "$home/" }],
	['two origins' => [[Origin => $home],
	    [Origin => 'https://evil.example.com']]],
	['no origin' => { Origin => 'null' }],
	['an empty origin' => { Origin => '' }],
	['a foreign page' => { 'Sec-Fetch-Site' => 'cross-site' }],
	['a sister page' => { 'Sec-Fetch-Site' => 'same-site' }],
	['no page' => { 'Sec-Fetch-Site' => 'none' }],
	['two words' => [['Sec-Fetch-Site', 'same-origin'],
	    ['Sec-Fetch-Site', 'cross-site']]],
	['a referer only' => { Referer => "$home/catalog" }],
	['a host only' => { Host => 'portal.example.com' }],
);
my @own = (
	['our origin' => { Origin => $home }],
	['the browser\'s word' => { 'Sec-Fetch-Site' => 'same-origin' }],
);

sub ask {
	my ($it, $headers, %opt) = @_;
	my @headers = Stagedoor::HTTP::header_pairs($headers);
	return request($pool, @$it, as => 'alice', body => '{}', %opt,
	    headers => [@headers, ['Content-Type', 'application/json']]);
}

for my $it (@unsafe) {
	$fake->reset;
	my @let = grep { (ask($it, $_->[1])->{status} // 0) != 403 } @foreign;
	is join(', ', map { $_->[0] } @let), '',
	    "@$it: refused in all " . @foreign . ' cases';
	is scalar @{$fake->settled}, 0, 'and nothing is asked of anyone';
	my @not = grep { (ask($it, $_->[1])->{status} // 403) == 403 } @own;
	is join(', ', map { $_->[0] } @not), '', 'but let in from our pages';
}
my $error = error_is(ask($unsafe[0], {}), 403, 'NotAllowedError',
    'a refusal in the contract\'s form');
like $error->{error}{message}, qr/origin/i, 'says why';

# --- Safe methods and upgrades ----------------------------------------------

my %evil = (Origin => 'https://evil.example.com');
is ask([GET => '/clusters'], \%evil)->{status}, 200,
    'reading needs no origin';
is ask([HEAD => '/clusters/one/proxy/version'], \%evil)->{status}, 200,
    'nor does HEAD';
is ask([OPTIONS => '/clusters'], \%evil)->{status}, 200, 'nor OPTIONS';
for my $upgrade ({ Connection => 'Upgrade', Upgrade => 'websocket' },
    { Upgrade => 'websocket' }, { Connection => 'keep-alive, upgrade' }) {
	is ask([GET => '/clusters/one/proxy/version'], { %evil, %$upgrade })
	    ->{status}, 403, 'but an upgrade does: '
	    . join ', ', map { "$_: $upgrade->{$_}" } sort keys %$upgrade;
}
my %ours = ('Sec-Fetch-Site' => 'same-origin', Connection => 'Upgrade');
is ask([GET => '/clusters/one/proxy/version'],
    { %ours, Upgrade => $_ })->{status}, 501,
    "one to $_ is refused, not passed on as something else"
    for qw(websocket SPDY/3.1);
is ask([GET => '/clusters/one/proxy/version'],
    { %ours, Upgrade => 'h2c' })->{status}, 200,
    'an offer of HTTP/2 is not taken, and harms nothing';

# --- Forms, which need no script --------------------------------------------

for my $type ('application/x-www-form-urlencoded', 'text/plain',
    'multipart/form-data; boundary=x') {
	my $answer = request($pool, POST => '/resources/workloads/query',
	    as => 'alice', body => '{"entityRef":"component:default/shop"}',
	    headers => { 'Content-Type' => $type });
	is $answer->{status}, 403, "a form as $type";
}

# --- Bearer tokens, guests, more origins ------------------------------------

my $token = 'static-token-of-a-service';
my $service = pool(settings => settings(fake => $fake, auth => {
    externalAccess => [{ type => 'static',
	options => { token => $token, subject => 'ci' } }] }));
is request($service, POST => '/resources/workloads/query',
    json => { entityRef => 'component:default/shop' },
    headers => { Authorization => "Bearer $token", %evil })->{status}, 200,
    'a Bearer token needs no origin: no browser adds it by itself';

my $guests = pool(settings => settings_with(publicUrl => $home));
$guests->stop;
my $more = settings_with(publicUrl => $home);
$more->{stagedoor}{identity}{origins} = ['https://other.example.com'];
$pool->stop;
$pool = pool(settings => $more);
isnt ask($unsafe[0], { Origin => 'https://other.example.com' })->{status},
    403, 'identity.origins names our pages';
is ask($unsafe[0], { Origin => $home })->{status}, 403,
    'and then publicUrl does not';
done_testing;
