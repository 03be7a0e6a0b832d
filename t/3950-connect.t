#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Signing in through /connect, behind a real nginx: the page, its JSON, the
# way to the issuer and back, and signing out.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256_base64 sha256_hex);
use POSIX ();
use Stagedoor::Visitor;
use Time::HiRes qw(sleep time);

my $issuer = issuer(access_seconds => 300);
my $other = issuer(dialect => 'google', without => ['end_session']);
my $fake = fake(clusters => [{ name => 'plain' }, { name => 'one', jwt => 1 },
    { name => 'two', jwt => 1 }]);
my $port = free_port();
my $home = "http://127.0.0.1:$port";
my $audit = tempdir() . '/audit.jsonl';
my %oidc = (authProvider => 'oidc', oidcTokenProvider => 'corp',
    signIn => 'stagedoor');
my $settings = settings(fake => $fake, source => 'params', clusters => [
	{ name => 'plain', title => 'Shared <script>alert(1)</script>' },
	{ name => 'acting', of => 'plain',
	    impersonate => { user => '{user}', userPrefix => 'portal:' } },
	{ name => 'one', title => 'Number One', %oidc },
	{ name => 'two', %oidc },
	{ name => 'gke', of => 'one', authProvider => 'google',
	    signIn => 'stagedoor' },
	{ name => 'page', of => 'one', authProvider => 'oidc',
	    oidcTokenProvider => 'corp' },
	{ name => 'bobs', of => 'plain', allow => ['user:default/bob'] },
    ], stagedoor => {
	publicUrl => $home, audit => "file:$audit",
	identity => { guest => 'guest' },
	login => [$issuer->login('corp'), $other->login('')],
    });
my $pool = pool(settings => $settings);
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER);

sub visitor {
	my ($user, %opt) = @_;
	return Stagedoor::Visitor->new(web => $web, user => $user,
	    issuer => $issuer, %opt);
}

sub audited {
	my ($event) = @_;
	return grep { $_->{event} eq $event }
	    map { decode_json($_) } split /^/, slurp($audit);
}

my $ann = visitor('ann');
my $back = BASE . '/connect';
my $pods = '/clusters/one/proxy/api/v1/namespaces/default/pods';

# --- The page ---------------------------------------------------------------

my $page = $ann->get('/connect');
is $page->{status}, 200, 'the page';
is $page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'is HTML';
is $page->{headers}{'cache-control'}, 'no-store', 'and kept by nobody';
is $page->{headers}{'referrer-policy'}, 'same-origin', 'its address is ours';
is $page->{headers}{'x-frame-options'}, 'DENY', 'it is in no frame';
my $csp = $page->{headers}{'content-security-policy'};
like $csp, qr/default-src 'none'/, 'its policy lets nothing in';
like $csp, qr/style-src 'sha256-[\w+\/]+=';/, 'but its style';
my ($style) = $page->{body} =~ m{<style>(.*)</style>}s;
like $csp, qr/\Q@{[sha256_base64($style)]}\E/,
    'which is that one';
unlike $csp, qr/unsafe|script/, 'and no script';
is scalar(() = $page->{headers}{'x-frame-options'} =~ /\w+/g), 1,
    'headers are there once';
unlike $page->{body}, qr/<script/, 'a title is no markup';
like $page->{body}, qr/Shared &lt;script&gt;alert\(1\)/, 'but shown';
like $page->{body}, qr/user:default\/ann/, 'it says who one is';
unlike $page->{body}, qr/bobs/, 'what is for others is not there';
is scalar(() = $page->{body} =~ /<li>/g), 6, 'all else is';
is $ann->request(HEAD => '/connect')->{status}, 200, 'HEAD too';
my @buttons = $page->{body} =~ m{action="([^"]+)"}g;
is_deeply \@buttons, ["$back/oidc/corp", "$back/oidc/corp", "$back/google"],
    'with a form for each cluster that one signs in to';

my $guest = visitor(undef);
like $guest->get('/connect')->{body}, qr/without an account/,
    'a guest is told';
unlike $guest->get('/connect')->{body}, qr/<form/, 'and has no button';
is $guest->post('/connect/oidc/corp')->{status}, 403, 'nor any way in';
is_deeply [$guest->cookies], [], 'and no cookie';
is $pool->request(GET => "$back", params => [STAGEDOOR_USER => 'a',
    STAGEDOOR_USER => 'b'])->{status}, 400, 'two users are refused';

# --- As JSON ----------------------------------------------------------------

my $json = body_of($ann->get('/connect.json'));
is $json->{user}, 'user:default/ann', 'JSON: who one is';
is join(' ', map { "$_->{name}=$_->{reached}" } @{$json->{clusters}}),
    'plain=server acting=acting one=user two=user gke=user page=frontend',
    'and how each cluster is reached';
my $one = $json->{clusters}[2];
is $one->{title}, 'Number One', 'its title';
is $one->{connect}, "$back/oidc/corp", 'where to sign in';
is $one->{connected} ? 1 : 0, 0, 'not connected';
is $one->{signIn}, 'stagedoor', 'with us';
ok !exists $json->{clusters}[0]{connected}, 'none is needed for another';
ok !body_of($guest->get('/connect.json'))->{canConnect}, 'guests cannot';

# --- The start --------------------------------------------------------------

my $start = $ann->post('/connect/oidc/corp', form => {});
is $start->{status}, 303, 'the start sends on';
my $to = $start->{headers}{location};
like $to, qr/^\Q@{[$issuer->url('authorize')]}\E\?/, 'to the issuer';
my $asked = Stagedoor::Issuer::parameters_of($to);
is $asked->{redirect_uri}, "$home$back/callback", 'which sends back here';
is $asked->{code_challenge_method}, 'S256', 'with PKCE';
cmp_ok length $asked->{$_}, '>=', 43, "a long $_" for qw(state nonce
    code_challenge);
is $start->{headers}{'referrer-policy'}, 'no-referrer', 'no referrer';
is $start->{headers}{'cache-control'}, 'no-store', 'not kept';
my ($cookie) = map { $_->[1] } grep { lc $_->[0] eq 'set-cookie' }
    @{$start->{list}};
my $name = 'stagedoor-signin-' . substr sha256_hex($asked->{state}), 0, 16;
like $cookie, qr/^$name=\d+\.[\w-]+;[ ]Path=\Q$back\E;[ ]Max-Age=600;
    [ ]HttpOnly;[ ]SameSite=Lax$/x,
    'and a cookie';
unlike $cookie, qr/\Q$asked->{$_}\E/, "without the $_"
    for qw(state nonce);

my $fetched = $ann->post('/connect/oidc/corp',
    headers => { Accept => 'application/json' });
is $fetched->{status}, 200, 'for a front end that fetches';
like body_of($fetched)->{location}, qr/^\Q@{[$issuer->url('authorize')]}\E/,
    'as JSON';
is scalar(() = $ann->cookies), 2, 'with a cookie of its own';

for (['/connect/oidc/nobody', 404], ['/connect/oidc', 404],
    ['/connect/aks', 404], ['/connect/github', 404], ['/connect', 404],
    ['/connect/oidc/corp/more', 404], ['/connect/oidc/corp/disconnect/x', 404],
    ['/connect/google/corp', 404], ['/connect/callback', 404]) {
	my ($path, $status) = @$_;
	my $answer = $ann->post($path, form => {});
	is $answer->{status}, $status, "POST $path";
	like $answer->{body}, qr/role="alert">there is no such login/,
	    'a page says so';
	like $ann->post($path, headers => { Accept => 'application/json' })
	    ->{headers}{'content-type'}, qr/json/, 'or JSON does';
}
is $ann->post('/connect/oidc/corp', body => '{}',
    headers => { 'Content-Type' => 'application/json' })->{status}, 415,
    'a body that is no form';
is $ann->post('/connect/oidc/corp', form => { x => 'y' x 5000 })->{status},
    413, 'or too long a one';

my $many = visitor('ann');
$many->begin('oidc/corp') for 1 .. 5;
is scalar(() = $many->cookies), 5, 'five sign-ins may be under way';
$many->begin('oidc/corp');
is scalar(() = $many->cookies), 1, 'then those before are forgotten';

# --- The way back -----------------------------------------------------------

my $answer = $ann->sign_in('oidc/corp');
is $answer->{status}, 303, 'back from the issuer';
is $answer->{headers}{location},
    "$home$back?done=connected&login=oidc/corp", 'one comes to the page';
is $answer->{headers}{'referrer-policy'}, 'no-referrer', 'no referrer';
is $answer->{headers}{'cache-control'}, 'no-store', 'not kept';
is scalar(() = $ann->cookies), 2, 'and the cookie of this sign-in is gone';
$page = $ann->get($answer->{headers}{location});
like $page->{body}, qr/role="status">\s*<h2>You are connected/, 'it says so';
like $page->{body}, qr/Connected<\/span> as <bdi>alice\@example\.test/,
    'and as whom';
like $page->{body}, qr/Renewed by itself/, 'and for how long';
is scalar(() = $page->{body} =~ m{oidc/corp/disconnect"}g), 2,
    'for both clusters of the login';
$one = $ann->sees('one');
ok $one->{connected} && $one->{renewed}, 'JSON: connected and renewed';
is $one->{account}, 'alice@example.test', 'as whom';
like $one->{expires}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'until when';
ok $ann->sees('two')->{connected}, 'so is the other';
ok !$ann->sees('gke')->{connected}, 'but not one of another login';
ok !visitor('bob')->sees('one')->{connected}, 'nor is anybody else';
my ($event) = audited('sign-in');
is $event->{user}, 'user:default/ann', 'audited: who';
is "$event->{provider} $event->{name} $event->{result}", 'oidc corp ok',
    'where, and how it went';
is $event->{account}, 'alice@example.test', 'as whom';

my $list = wait_for(sub {
	my $got = $ann->get($pods);
	return $got->{status} == 200 && $got;
}, 5, 'the cluster');
my ($bearer) = ($fake->last_request('one')->{headers}{authorization} // '')
    =~ /^Bearer (.*)/;
is Stagedoor::Issuer::claims_of($bearer)->{email}, 'alice@example.test',
    'and the cluster sees her';

$answer = $ann->sign_in('oidc/corp', return => '/catalog?x=1#pods');
is $answer->{headers}{location}, "$home/catalog?x=1#pods",
    'one comes back to where one was';
$answer = $ann->sign_in('google', issuer => $other);
is $answer->{headers}{location}, "$home$back?done=connected&login=google",
    'Google';
ok $ann->sees('gke')->{connected}, 'too';
$page = $ann->get('/connect?return=/catalog');
is scalar(() = $page->{body} =~ /name="return" value="\/catalog"/g), 3,
    'a page that was asked for with a way back hands it on';
$page = $ann->get('/connect?return=//evil.example');
unlike $page->{body}, qr/evil/, 'if it is one of ours';

# --- What can go wrong ------------------------------------------------------

# What the page says after a sign-in at $issuer that goes as told.
sub failed_with {
	my ($what, %behave) = @_;
	my $bob = visitor('bob');
	$issuer->behave(%behave);
	my $got = $bob->sign_in('oidc/corp');
	$issuer->behave(map { $_ => 'ok' } keys %behave);
	is $got->{status}, 303, "$what: back to the page";
	my $to = $got->{headers}{location};
	unlike $to, qr/code|state|alice/, 'with nothing of it in the address';
	my $page = $bob->get($to);
	my ($alert) = $page->{body} =~ m{role="alert">(.*?)</div>}s;
	ok !$bob->sees('one')->{connected}, 'nobody is connected';
	return ($alert // 'no alert', $to);
}

my ($said, $where) = failed_with('access_denied',
    authorize => 'error:access_denied');
like $said, qr/You were not let in at 127\.0\.0\.1/, 'it says that';
like $said, qr/access_denied/, 'in the issuer\'s words, too';
like $where, qr/\?failed=denied&login=oidc\/corp$/, 'by a word of ours';
($event) = reverse audited('sign-in-failed');
is $event->{user}, 'user:default/bob', 'audited';
like $event->{result}, qr/access_denied/, 'with the reason';
for (['a wrong nonce', 'wrong:nonce'], ['a wrong audience', 'wrong:aud'],
    ['no signature', 'alg:none'], ['an old token', 'expired'],
    ['invalid_grant', '400:invalid_grant']) {
	my ($what, $told) = @$_;
	($said) = failed_with($what, token => $told);
	like $said, qr/The sign-in at 127\.0\.0\.1.* failed/, 'it says that';
}
($said) = failed_with('an issuer that breaks', token => 'reset');
like $said, qr/does not answer/, 'it says that';
($said) = failed_with('an issuer that is ill', token => '503');
like $said, qr/does not answer/, 'it says that';
my $stranger = visitor('carol')->get("/connect/callback?state=x&code=y");
is $stranger->{headers}{location}, "$home$back?failed=strange",
    'a callback out of the blue';

# --- Signing out ------------------------------------------------------------

is $ann->request(DELETE => '/connect/google')->{status}, 204, 'DELETE';
ok !$ann->sees('gke')->{connected}, 'signs out';
is $ann->request(DELETE => '/connect/google')->{status}, 204, 'twice too';
is $ann->request(DELETE => "/connect/$_")->{status}, 404, "not from $_"
    for qw(oidc/none aks x oidc/corp/disconnect);
is $guest->request(DELETE => '/connect/google')->{status}, 403,
    'guests have nothing to sign out of';
my $out = $ann->post('/connect/oidc/corp/disconnect', form => {});
is $out->{status}, 303, 'disconnect';
is $out->{headers}{location},
    "$home$back?done=disconnected&login=oidc/corp", 'back to the page';
ok !$ann->sees('one')->{connected}, 'which says so';
is $issuer->count('revocation'), 1, 'and the issuer was told';
my %requested = map { $_->{id} => $_->{path} } audited('request');
my @ended = audited('sign-out');
is_deeply [map { $requested{$_->{id} // ''} } @ended],
    ["$back/google", "$back/oidc/corp/disconnect"],
    'audited, both, with the requests that they were';
$answer = wait_for(sub {
	my $got = $ann->get($pods);
	return $got->{status} == 401 && $got;
}, 5, 'the cluster to be closed');
like $answer->{body}, qr{\Q$home$back\E}, 'the cluster says where to sign in';

$ann->sign_in('oidc/corp');
$out = $ann->post('/connect/oidc/corp/disconnect', form => { logout => 1 });
my $end = $issuer->url('end_session');
like $out->{headers}{location}, qr/^\Q$end\E\?/, 'and at the issuer too';
my $logout = Stagedoor::Issuer::parameters_of($out->{headers}{location});
is $logout->{post_logout_redirect_uri}, "$home$back", 'which sends back';
ok !exists $logout->{id_token_hint}, 'without a token in the address';
$ann->sign_in('google', issuer => $other);
$out = $ann->post('/connect/google/disconnect', form => { logout => 1 });
is $out->{headers}{location},
    "$home$back?done=disconnected&login=google",
    'where the issuer offers no such thing, one is back at once';
$out = $ann->post('/connect/google/disconnect',
    form => { return => '/catalog' });
is $out->{headers}{location}, "$home/catalog", 'or where one was';

# --- Who must not, and what nobody learns -----------------------------------

is get($web, '/connect/callback?code=SECRETCODE&state=SECRETSTATE&iss=x',
    headers => { 'X-Test-User' => 'user:' })->{status}, 400,
    'somebody who is nobody';
unlike get($web, '/connect/callback?code=SECRETCODE',
    headers => { 'X-Test-User' => 'user:' })->{body}, qr/SECRET/,
    'does not get the code back';
log_has_no('no log has a code or a state', 'SECRETCODE', 'SECRETSTATE',
    map { $_->{form}{code} } grep { defined $_->{form}{code} }
    @{$issuer->requests('token')});
unlike slurp($audit), qr/SECRET|eyJ|refresh-alice/, 'nor has the audit log';

# A browser that must not, or that nobody knows, gets a page; a program the
# contract's error.
my %html = (Accept => 'text/html,application/xhtml+xml');
$answer = $ann->post('/connect/oidc/corp', foreign => 1, form => {},
    headers => { %html });
is $answer->{status}, 403, 'a form of another site is refused';
like $answer->{body}, qr/<h1>.*role="alert">request comes from another origin/s,
    'with a page';
like $ann->post('/connect/oidc/corp', foreign => 1, form => {})
    ->{headers}{'content-type'}, qr/json/, 'or as JSON';
delete $settings->{stagedoor}{identity};
$pool->reload($settings);
wait_for(sub { $guest->get('/connect')->{status} == 401 }, 5,
    'guests to be sent away');
for my $path ('/connect', '/connect/callback?state=x&code=y') {
	$answer = $guest->get($path, headers => { %html });
	is $answer->{status}, 401, "nobody at $path";
	like $answer->{body}, qr/Please sign in to the portal/, 'reads so';
}
like $guest->get('/connect', headers => { Accept => $_ })
    ->{headers}{'content-type'}, qr/json/, "unless it wants $_"
    for '*/*', 'application/json', '';
like $guest->get('/clusters', headers => { %html })
    ->{headers}{'content-type'}, qr/json/, 'or another route';

# --- A store that fails -----------------------------------------------------

my $dir = tempdir() . '/store';
mkdir $dir;
my $keys = write_file("$dir/keys", stagedoor('key')->{out});
chmod 0600, $keys;
my $stored = pool(name => 'stored', settings => { %$settings,
    stagedoor => { %{$settings->{stagedoor}}, store => { type => 'sqlite',
	path => "$dir/store.db", keyFile => $keys } } });
$ann = visitor('ann', web => nginx(pool => $stored,
    server => Stagedoor::Visitor::SERVER));
my $hers = $ann->come_back('oidc/corp');
rename $dir, "$dir.gone";
write_file("$dir", 'no folder');
$page = $ann->get('/connect');
is $page->{status}, 200, 'without its store the page is there';
like $page->{body}, qr/role="alert">Your sign-ins cannot be read now/,
    'and says so';
like $page->{body}, qr/Shared &lt;script.*as the server/s,
    'with the clusters that need none';
my $blind = body_of($ann->get('/connect.json'));
is $blind->{error}, 'sign-ins cannot be read now', 'JSON says so too';
ok !exists $blind->{clusters}[2]{connected}, 'and not what it does not know';
is $ann->get('/clusters/plain/proxy/api/v1/namespaces/default/pods')
    ->{status}, 200, 'those clusters work';
my $before = $issuer->count('token');
$answer = $ann->get($hers, foreign => 1);
like $answer->{headers}{location}, qr/failed=not-kept/,
    'a sign-in that cannot be kept';
is $issuer->count('token'), $before, 'is not completed';
like $ann->get('/connect?failed=not-kept')->{body},
    qr/could not be kept/, 'and the page says why';
is $ann->request(DELETE => '/connect/oidc/corp')->{status}, 500,
    'nor is a sign-out claimed';

# --- A slow issuer ----------------------------------------------------------

# Three of four workers may wait for it; the fourth is for everybody else.
my $small = pool(name => 'small', threads => 4, settings => $settings);
my $narrow = nginx(pool => $small, server => Stagedoor::Visitor::SERVER);
my @back = map { [$_, $_->come_back('oidc/corp')] }
    map { visitor("dan-$_", web => $narrow) } 1 .. 4;
$issuer->behave(token => 'slow:3');
my @kids = map { aside(@$_) } @back;
sleep 0.5;
my $began = time;
is get($narrow, '/clusters', headers => { 'X-Test-User' => 'ann' })->{status},
    200, 'while sign-ins wait, others are answered';
cmp_ok time - $began, '<', 1, 'and at once';
my %ends;
$ends{(waitpid $_, 0) && $? >> 8}++ for @kids;
is_deeply \%ends, { 1 => 3, 2 => 1 },
    'three waited, one was told to try again';
$issuer->behave(token => 'ok');

# Somebody in a process of its own: 1 is connected, 2 got a 503.
sub aside {
	my ($visitor, $address) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	my $got = $visitor->get($address, foreign => 1, timeout => 20);
	POSIX::_exit(($got->{headers}{location} // '') =~ /done=connected/ ? 1
	    : $got->{status} == 503 ? 2 : 3);
}

# --- Without a login --------------------------------------------------------

$ann = visitor('ann');
delete @{$settings->{stagedoor}}{qw(publicUrl login)};
$pool->reload($settings);
wait_for(sub { $ann->post('/connect/oidc/corp')->{status} == 404 }, 5,
    'the settings to change');
$page = $ann->get('/connect');
like $page->{body}, qr/settings have no login for it/,
    'without a login the page says so';
done_testing;
