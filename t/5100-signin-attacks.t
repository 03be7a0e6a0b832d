#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Attacks on signing in: forged requests, mixed-up issuers, replays, planted
# sessions, open redirects, polluted parameters, old and altered cookies, and
# texts of others on our page. For each: nobody is connected who should not
# be, and the issuer is not asked for tokens in vain.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Fake::URL qw(escape);
use Stagedoor::Visitor;

have_program('openssl') or skip_or_fail('no openssl');
my $issuer = issuer();
my $other = issuer();
my $fake = fake(clusters => [{ name => 'one' }, { name => 'two' }]);
my $port = free_port();
my $home = "http://127.0.0.1:$port";
my $back = BASE . '/connect';
my $dir = tempdir();
my $audit = "$dir/audit.jsonl";
my $keys = write_file("$dir/keys", stagedoor('key')->{out});
chmod 0600, $keys;

my $settings = settings(fake => $fake, source => 'params', clusters => [
	map { { name => $_->[0], authProvider => 'oidc', oidcTokenProvider =>
	    $_->[1], signIn => 'stagedoor' } } ['one', 'a'], ['two', 'b']
    ], stagedoor => {
	publicUrl => $home, audit => "file:$audit",
	login => [$issuer->login('a'), $other->login('b')],
	store => { type => 'sqlite', path => "$dir/store.db",
	    keyFile => $keys },
    });
my $pool = pool(settings => $settings);
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER);

my $number = 0;

# Somebody new each time, so that nothing is left of another test.
sub visitor {
	my ($name) = @_;
	return Stagedoor::Visitor->new(web => $web, issuer => $issuer,
	    user => $name . '-' . ++$number);
}

sub connected {
	my ($visitor, $cluster) = @_;
	return $visitor->sees($cluster // 'one')->{connected} ? 1 : 0;
}

# The code must connect none of these, and may ask for tokens $asked times.
# The answer, if any, must be a way back to our page that failed so.
sub refused {
	my ($what, $failed, $code, %opt) = @_;
	my $before = $issuer->count('token') + $other->count('token');
	my $answer = $code->();
	my $asked = $issuer->count('token') + $other->count('token') - $before;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like $answer->{headers}{location} // $answer->{status},
	    qr/^\Q$home$back?failed=$failed\E(?:&login=oidc\/[ab])?$/,
	    "$what: refused" if defined $failed;
	is $asked, $opt{asked} // 0, '... nobody is asked for tokens'
	    if !defined $opt{asked} || $opt{asked} == 0;
	is join(' ', map { $_->{user} } grep { connected($_)
	    || connected($_, 'two') } @{$opt{nobody}}), '',
	    '... and nobody is connected';
	return $answer;
}

sub last_failure {
	my ($last) = reverse grep { $_->{event} eq 'sign-in-failed' }
	    map { decode_json($_) } split /^/, slurp($audit);
	return $last->{result};
}

sub callback_with {
	my (%query) = @_;
	return '/connect/callback?' . join '&', map { "$_="
	    . escape($query{$_}) } sort keys %query;
}

my $first = visitor('alice');
is $first->sign_in('oidc/a')->{status}, 303, 'given: signing in works';
is connected($first), 1, 'and connects';

# --- Forged starts and ends -------------------------------------------------

my $ann = visitor('ann');
for (['POST', '/connect/oidc/a'], ['POST', '/connect/oidc/a/disconnect'],
    ['DELETE', '/connect/oidc/a']) {
	my ($method, $path) = @$_;
	my %at = ('another site' => { 'Sec-Fetch-Site' => 'cross-site' },
	    'a sister site' => { 'Sec-Fetch-Site' => 'same-site' },
	    'another origin' => { 'Sec-Fetch-Site' => 'cross-site',
		Origin => 'https://evil.example' },
	    'nowhere' => { 'Sec-Fetch-Site' => 'none' });
	is $first->request($method, $path, headers => $at{$_},
	    form => {})->{status}, 403, "$method $path from $_"
	    for sort keys %at;
	is $ann->get($path)->{status}, 404, "and never by GET";
}
is connected($first), 1, 'nobody was signed out';
is_deeply [$ann->cookies], [], 'and nothing begun';

my $start = $ann->post('/connect/oidc/a', headers => {
    Host => 'evil.example', 'X-Forwarded-Host' => 'evil.example' });
is Stagedoor::Issuer::parameters_of($start->{headers}{location})
    ->{redirect_uri}, "$home$back/callback", 'whatever the Host, back to us';

# --- Forged callbacks -------------------------------------------------------

# Mallory's own sign-in, handed to Ann: she would be connected as Mallory.
my $mallory = visitor('mallory');
my $evil = $mallory->come_back('oidc/a', as => 'carol');
refused('a callback that another browser began', 'strange',
    sub { $ann->get($evil, foreign => 1) }, nobody => [$ann]);
$ann->begin('oidc/a');
my ($anns) = grep { /signin/ } $ann->cookies;
refused('though one is under way here', 'strange',
    sub { $ann->get($evil, foreign => 1) }, nobody => [$ann]);
my ($his) = grep { /signin/ } $mallory->cookies;
$ann->{cookies}{$his} = { %{$ann->{cookies}{$anns}} };
refused('with a cookie of hers under his name', 'strange',
    sub { $ann->get($evil, foreign => 1) }, nobody => [$ann]);
refused('without a state', 'strange', sub {
    $ann->get(callback_with(code => 'x')) }, nobody => [$ann]);
refused('with a state that is none', 'strange', sub {
    $ann->get(callback_with(code => 'x', state => '')) }, nobody => [$ann]);

# --- Planted sessions -------------------------------------------------------

$ann->{cookies}{$his} = { %{$mallory->{cookies}{$his}} };
refused('with his cookie planted in her browser', 'other-user',
    sub { $ann->get($evil, foreign => 1) }, nobody => [$ann, $mallory]);
is scalar(grep { $_ eq $his } $ann->cookies), 0, 'the cookie goes, too';
my $answer = $mallory->get($evil, foreign => 1);
like $answer->{headers}{location}, qr/done=connected/,
    'he can still complete it himself';

# Ann's sign-in, seen and completed by Mallory, would give him her tokens.
my $hers = $ann->come_back('oidc/a');
$mallory = visitor('mallory');
$mallory->{cookies} = { %{$ann->{cookies}} };
refused('her sign-in in his session', 'other-user',
    sub { $mallory->get($hers, foreign => 1) }, nobody => [$mallory, $ann]);
my $guest = Stagedoor::Visitor->new(web => $web);
$guest->{cookies} = { %{$ann->{cookies}} };
is refused('nor in nobody\'s', undef, sub { $guest->get($hers) },
    nobody => [$ann])->{status}, 401, '... who is not let in at all';

# --- Mix-up -----------------------------------------------------------------

$ann = visitor('ann');
$ann->begin('oidc/a');
my $state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
my $theirs = Stagedoor::Issuer::parameters_of(visitor('ann')
    ->come_back('oidc/b', issuer => $other));
refused('the iss of another issuer', 'refused', sub {
    $ann->get(callback_with(state => $state, code => $theirs->{code},
	iss => $other->issuer)) }, nobody => [$ann]);
$ann->begin('oidc/a');
$state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
refused('no iss, though the issuer says one', 'refused', sub {
    $ann->get(callback_with(state => $state, code => $theirs->{code})) },
    nobody => [$ann]);
$ann->begin('oidc/a');
$state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
refused('a code of another issuer', 'refused', sub {
    $ann->get(callback_with(state => $state, code => $theirs->{code},
	iss => $issuer->issuer)) }, nobody => [$ann], asked => 1);
# A code that Mallory got for himself, put into Ann's sign-in.
my $stolen = Stagedoor::Issuer::parameters_of(visitor('mallory')
    ->come_back('oidc/a', as => 'carol'));
$ann->begin('oidc/a');
$state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
refused('a code of another sign-in', 'refused', sub {
    $ann->get(callback_with(state => $state, code => $stolen->{code},
	iss => $issuer->issuer)) }, nobody => [$ann], asked => 1);

# --- Replay -----------------------------------------------------------------

$ann = visitor('ann');
my $again = $ann->come_back('oidc/a');
my %kept = %{$ann->{cookies}};
like $ann->get($again, foreign => 1)->{headers}{location},
    qr/done=connected/, 'given: it is completed once';
refused('a second time, without the cookie', 'strange', sub {
    $ann->get($again, foreign => 1) }, nobody => []);
$ann->{cookies} = { %kept };
refused('a second time, with the cookie kept', 'used', sub {
    $ann->get($again, foreign => 1) }, nobody => []);
my $second = pool(settings => $settings, name => 'second');
my $cookie = join '; ', map { "$_=$kept{$_}{value}" } keys %kept;
refused('at another process', 'used', sub {
    $second->get($again =~ s{^https?://[^/]+}{}r, as => $ann->{user},
	headers => { Cookie => $cookie }) }, nobody => []);
$ann->post('/connect/oidc/a/disconnect', form => {});
$ann->{cookies} = { %kept };
refused('after signing out', 'used', sub {
    $ann->get($again, foreign => 1) }, nobody => [$ann]);
$ann = visitor('ann');
$again = $ann->come_back('oidc/a');
%kept = %{$ann->{cookies}};
$ann->get($again =~ s/code=/x=/r . '&error=access_denied', foreign => 1);
$ann->{cookies} = { %kept };
refused('once an error used it up', 'used', sub {
    $ann->get($again, foreign => 1) }, nobody => [$ann]);

# --- Old and altered cookies ------------------------------------------------

$ann = visitor('ann');
$hers = $ann->come_back('oidc/a');
my ($name) = grep { /signin/ } $ann->cookies;
my %good = %{$ann->{cookies}{$name}};
my ($expires, $sealed) = split /\./, $good{value};
my %altered = (
	'a byte' => "$expires." . ($sealed ^ "\0" x 40 . "\1"),
	'its end' => ($expires + 60000) . ".$sealed",
	'its length' => substr($good{value}, 0, -4),
	'more at its end' => "$good{value}AAAA",
	'all of it' => "$expires." . 'A' x length $sealed,
	'nothing left' => '', 'no seal' => "$expires.", 'no end' => $sealed,
);
for (sort keys %altered) {
	$ann->{cookies}{$name} = { %good, value => $altered{$_} };
	refused("a cookie altered: $_", 'strange',
	    sub { $ann->get($hers, foreign => 1) }, nobody => [$ann]);
}
SKIP: {
	my $clock = later_clock(601) // last SKIP;
	my $late = pool(settings => $settings, name => 'late', env => {
	    LD_PRELOAD => $clock });
	refused('eleven minutes later', 'strange', sub {
	    $late->get($hers =~ s{^https?://[^/]+}{}r, as => $ann->{user},
		headers => { Cookie => "$name=$good{value}" }) },
	    nobody => [$ann]);
	like last_failure(), qr/longer than ten minutes/, '... and says why';
	$late->stop;
}
$ann->{cookies}{$name} = { %good };
like $ann->get($hers, foreign => 1)->{headers}{location},
    qr/done=connected/, 'in between it was good all the time';

# A library that sets the clock forward, or undef and skipped.
sub later_clock {
	my ($seconds) = @_;
	my $cc = have_program('cc');
	skip_one('no compiler'), return undef if !$cc;
	# Their libraries want to be the first.
	Test::More->builder->skip('not with sanitizers'), return undef
	    if ($ENV{SANITIZERS} // '') !~ /^(?:no)?$/;
	my $source = write_file("$dir/later.c", <<"END");
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	if (r == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += $seconds;
	return r;
}
END
	my $run = run_command([$cc, '-shared', '-fPIC', '-o',
	    "$dir/later.so", $source]);
	is $run->{code}, 0, 'a clock is made' or diag $run->{err};
	return "$dir/later.so";
}

# --- Parameters twice -------------------------------------------------------

for my $more ('code=x', '%63ode=x', 'state=x', '%73tate=x', 'state=SAME',
    'code=SAME', 'iss=x', 'error=x&error=y', 'code[]=%zz&code=%zz',
    'error=' . 'x' x 200) {
	$ann = visitor('ann');
	$hers = $ann->come_back('oidc/a');
	my $of = Stagedoor::Issuer::parameters_of($hers);
	my $extra = $more =~ s/(\w+)=SAME/"$1=$of->{$1}"/er;
	my $short = length $more > 60 ? substr($more, 0, 10) . '...' : $more;
	refused("and '$short'", 'garbled', sub {
	    $ann->get("$hers&$extra", foreign => 1) }, nobody => [$ann]);
	is scalar(() = $ann->cookies), $more =~ /tate=/ ? 1 : 0,
	    '... and the cookie goes, if one knows which';
}
$ann = visitor('ann');
$hers = $ann->come_back('oidc/a');
refused('an error beside a code', 'refused', sub {
    $ann->get("$hers&error=server_error", foreign => 1) }, nobody => [$ann]);

# --- Open redirects ---------------------------------------------------------

my @elsewhere = ('https://evil.example/', 'http://evil.example',
    '//evil.example', '///evil.example', '/\\evil.example', '\\/evil.example',
    '\\\\evil.example', '/\\/evil.example', 'evil.example', '@evil.example',
    '.evil.example', ':80/', ' /catalog', "/\tevil", "\t//evil.example",
    "/\n/evil.example", "/catalog\r\nLocation: https://evil.example",
    "/\r/evil.example", 'javascript:alert(1)', 'data:text/html,evil',
    "/\0/evil.example", "\xef\xbc\x8f\xef\xbc\x8fevil.example",
    '?evil', '#evil', '', '../evil', '/' . 'e' x 600, 'https:evil.example',
    'http:/evil.example', '/"><script>evil');
$ann = visitor('ann');
my @let;
for my $to (@elsewhere) {
	my $answer = $ann->sign_in('oidc/a', return => $to);
	push @let, "form $to" if $answer->{headers}{location}
	    ne "$home$back?done=connected&login=oidc/a";
	$answer = $ann->post('/connect/oidc/a?return=' . escape($to),
	    form => {});
	my $there = $issuer->sign_in($answer->{headers}{location});
	$answer = $ann->get($there, foreign => 1);
	push @let, "query $to" if $answer->{headers}{location}
	    ne "$home$back?done=connected&login=oidc/a";
	$answer = $ann->get('/connect?return=' . escape($to));
	push @let, "page $to" if $answer->{body} =~ /evil|name="return"/;
	$answer = $ann->post('/connect/oidc/a/disconnect',
	    form => { return => $to });
	push @let, "end $to" if $answer->{headers}{location}
	    ne "$home$back?done=disconnected&login=oidc/a";
}
is join(' | ', @let), '', @elsewhere . ' addresses elsewhere lead nowhere';
$answer = $ann->post('/connect/oidc/a', form => [return => '/catalog',
    return => '//evil.example']);
$answer = $ann->get($issuer->sign_in($answer->{headers}{location}));
is $answer->{headers}{location}, "$home$back?done=connected&login=oidc/a",
    'nor do two';
# What is a path for us is one for browsers: the host stands before it.
for my $to ('/%2f%2fevil.example', '/.//evil.example', '/@evil.example',
    '/%5cevil.example', '/https://evil.example') {
	is $ann->sign_in('oidc/a', return => $to)->{headers}{location},
	    "$home$to", "$to stays with us";
}

# --- Texts of others --------------------------------------------------------

my $text = 'Call+555-0123+<script>alert(1)</script>';
for my $path ("/connect/callback?error=x&error_description=$text",
    "/connect/callback?error=$text&state=x",
    "/connect/callback?code=$text&state=$text") {
	my $answer = $ann->get($path, foreign => 1);
	unlike $answer->{headers}{location}, qr/555/, 'no text of a link';
	unlike $ann->get($answer->{headers}{location})->{body},
	    qr/555|<script/, 'is on our page';
}
for my $query ("failed=$text", "failed=denied&login=$text",
    "done=$text", "failed=denied&words=$text&error_description=$text",
    "return=/$text", "return=$text") {
	unlike $ann->get("/connect?$query")->{body}, qr/555|<script/,
	    "nor by " . substr $query, 0, 20;
}
my $forged = $ann->get('/connect?failed=denied', headers => {
    Cookie => 'stagedoor-words=' . escape('Call 555-0123') });
unlike $forged->{body}, qr/555/, 'nor by a cookie that is not sealed';
$ann = visitor('ann');
$ann->begin('oidc/a');
$state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
$answer = $ann->get(callback_with(state => $state, error => 'access_denied',
    error_description => '<script>alert(1)</script> "no" token=abcd1234efgh'),
    foreign => 1);
my $page = $ann->get($answer->{headers}{location});
like $page->{body}, qr/&lt;script&gt;alert\(1\)&lt;/,
    'the issuer\'s own words are shown as text';
unlike $page->{body}, qr/<script|abcd1234efgh/, 'and nothing else of them';
my %words = %{$ann->{cookies}};
my $bob = visitor('bob');
$bob->{cookies} = { %words };
unlike $bob->get($answer->{headers}{location})->{body}, qr/alert\(1/,
    'to her alone';
unlike $ann->get('/connect?failed=refused')->{body}, qr/alert\(1/,
    'and for that alone';
$ann->begin('oidc/a');
$state = Stagedoor::Issuer::parameters_of($ann->{begun})->{state};
$answer = $ann->get(callback_with(state => $state, error => 'access_denied',
    error_description => 'Call 555-0123', iss => $other->issuer),
    foreign => 1);
unlike $ann->get($answer->{headers}{location})->{body}, qr/555/,
    'another issuer\'s words are not';

# --- Behind https -----------------------------------------------------------

$settings->{stagedoor}{publicUrl} = 'https://portal.example.com/k/';
my $https = pool(settings => $settings, name => 'https');
my %own = ('Sec-Fetch-Site' => 'same-origin');
$start = post($https, '/connect/oidc/a', as => 'eve', headers => \%own);
like $start->{headers}{'set-cookie'},
    qr{^__Secure-stagedoor-signin-\w{16}=[\w.-]+;[ ]Path=/k\Q$back\E;[ ]
    Max-Age=600;[ ]HttpOnly;[ ]Secure;[ ]SameSite=Lax$}x,
    'the cookie is for https only, and says so in its name';
$hers = $issuer->sign_in($start->{headers}{location});
like $hers, qr{^https://portal\.example\.com/k\Q$back\E/callback\?},
    'back to the public address';
my ($sent) = $start->{headers}{'set-cookie'} =~ /^([^;]+)/;
my ($query) = $hers =~ /(\?.*)/;
$answer = get($https, "/connect/callback$query", as => 'eve',
    headers => { Cookie => $sent =~ s/^__Secure-//r });
like $answer->{headers}{location}, qr/failed=strange/,
    'a cookie that http could have set is none';
$answer = get($https, "/connect/callback$query", as => 'eve',
    headers => { Cookie => $sent });
is $answer->{headers}{location},
    "https://portal.example.com/k$back?done=connected&login=oidc/a",
    'given: the right one is';

log_has_no('no log has a code', map { $_->{form}{code} }
    grep { defined $_->{form}{code} } @{$issuer->requests('token')});
done_testing;
