#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The page /connect in a real browser: what people see, in light and dark and
# on a narrow window; what they do with keys alone; what a screen reader is
# told; all of it without scripts, too; and what they read when signing in
# failed.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Browser;
use Stagedoor::SignIn;

my $browser = Stagedoor::Browser->start;
my $fake = fake(clusters => [{ name => 'prod', jwt => 'stagedoor' },
    { name => 'shared' }, { name => 'none' }]);

# One of each kind; titles are what an operator may write.
sub clusters {
	return [
		{ name => 'prod', title => qq(Production <& "Gr\x{fc}\x{df}e">),
		    authProvider => 'oidc', oidcTokenProvider => 'corp',
		    signIn => 'stagedoor' },
		{ name => 'staging', of => 'prod', title => 'Staging',
		    authProvider => 'oidc', oidcTokenProvider => 'corp',
		    signIn => 'stagedoor' },
		{ name => 'shared' },
		{ name => 'none', authProvider => 'oidc',
		    oidcTokenProvider => 'other', signIn => 'frontend' },
	];
}

my $portal = Stagedoor::SignIn->start(
	issuer => sub { issuer(clients => { stagedoor => {
	    redirect_uris => [$_[0]] } }) },
	settings => sub { settings(fake => $fake, source => 'params',
	    clusters => clusters(),
	    stagedoor => { login => [$_[0]->login('corp')] }) });
my $issuer = $portal->issuer;
my $connect = $portal->url('/connect');

sub visitor {
	my ($user) = @_;
	return $browser->page->goto($portal->enter($user));
}

# The text of the part of the page that is about a cluster.
sub part_of {
	my ($page, $title) = @_;
	my $script = '(() => { for (const h of document.querySelectorAll("h2,'
	    . ' h3")) if (h.innerText.includes(' . encode_json($title)
	    . ')) return (h.closest("article, section, li") ??'
	    . ' h.parentElement).innerText; return null })()';
	return $page->eval($script);
}

sub picture { $_[0]->screenshot(Stagedoor::Browser::picture($_[1])) }

# --- What is seen -----------------------------------------------------------

my $page = visitor('alice')->goto($connect);
like $page->text('h1'), qr/\w/, 'a heading';
like $page->text, qr/Production <& "Grüße">/, 'titles as they are';
like part_of($page, 'Production'), qr/not connected.*Connect/is,
    'a cluster that wants a sign-in';
unlike part_of($page, 'shared') // '', qr/Connect$/m,
    'one that the portal reaches itself has no button';
is_deeply [$page->complaints], [], 'nothing is refused or missing';
is $page->eval('document.documentElement.lang'), 'en', 'its language is said';
cmp_ok $page->eval('document.documentElement.scrollWidth'), '<=',
    $page->eval('document.documentElement.clientWidth'), 'nothing sticks out';
picture($page, 'connect-light');

# Contrast of text and ground, as WCAG 2 computes it: 4.5 and more.
my $CONTRAST = <<'END';
(() => {
const rgb = (c) => c.match(/[\d.]+/g).map(Number);
const lum = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255;
	return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
	return 0.2126 * r + 0.7152 * g + 0.0722 * b };
const ground = (e) => { for (; e; e = e.parentElement) {
	const c = getComputedStyle(e).backgroundColor;
	if ((rgb(c)[3] ?? 1) > 0) return c }
	return matchMedia('(prefers-color-scheme: dark)').matches
	    ? 'rgb(18, 18, 18)' : 'rgb(255, 255, 255)' };
const bad = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
	const e = walk.currentNode.parentElement;
	if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
	const [a, b] = [lum(getComputedStyle(e).color), lum(ground(e))];
	const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	if (ratio < 4.5)
		bad.push(ratio.toFixed(2) + ' ' + walk.currentNode.data)
}
return bad })()
END
is_deeply $page->eval($CONTRAST), [], 'dark enough on light';
my $light = $page->style('body', 'background-color');
$page->prefer(dark => 1);
is_deeply $page->eval($CONTRAST), [], 'light enough on dark';
isnt $page->style('body', 'background-color'), $light, 'dark is dark';
picture($page, 'connect-dark');
$page->prefer(dark => 0, width => 360, height => 700)->goto($connect);
cmp_ok $page->eval('document.documentElement.scrollWidth'), '<=', 360,
    'it fits a telephone';
picture($page, 'connect-narrow');

# --- What a screen reader is told -------------------------------------------

sub is_accessible {
	my ($page, $what) = @_;
	my @all = $page->accessible;
	my %by;
	push @{$by{$_->{role}}}, $_ for @all;
	is scalar @{$by{main} // []}, 1, "$what: one landmark 'main'";
	my @levels = map { $_->{level} } @{$by{heading}};
	is scalar(grep { $_ == 1 } @levels), 1, "$what: one first heading";
	my @jumps = grep { $levels[$_] > $levels[$_ - 1] + 1 } 1 .. $#levels;
	is scalar @jumps, 0, "$what: no level is left out";
	my @mute = grep { $_->{name} eq '' } map { @{$by{$_} // []} }
	    qw(button link heading checkbox textbox);
	is scalar @mute, 0, "$what: all that can be used has a name";
	# "Connect" alone, five times, says nothing: for which cluster?
	my %said;
	$said{join '|', $_->{name}, $_->{description} // ''}++
	    for @{$by{button} // []};
	is_deeply [grep { $said{$_} > 1 } keys %said], [],
	    "$what: no two buttons say the same";
	return \%by;
}

$page = visitor('alice')->goto($connect);
my $by = is_accessible($page, 'not connected');
is scalar @{$by->{button}}, 2, 'a button for each cluster';

# --- Keys alone -------------------------------------------------------------

# Tab to the first thing that is called so; how often Tab was pressed.
sub tab_to {
	my ($page, $name) = @_;
	for my $n (1 .. 30) {
		my $at = $page->key('Tab')->focused;
		next if ($at->{name} // '') !~ $name;
		isnt $at->{outline}, 'none', "the focus is seen on $at->{name}";
		return $n;
	}
	return undef;
}

ok tab_to($page, qr/^Connect/), 'Tab finds Connect';
picture($page, 'connect-focus');
$page->key('Enter', goes => 1);
like $page->url, qr/^\Q$connect\E/, 'Enter signs in and leads back';
like part_of($page, 'Production'), qr/Connected.*alice\@example\.test/s,
    'connected, and as whom';
like part_of($page, 'Staging'), qr/Connected/, 'one sign-in for both';
unlike $page->url, qr/code=|state=/, 'the address holds no secret';
is_accessible($page, 'connected');
picture($page, 'connect-connected');
is get($portal->web, '/clusters/prod/proxy/version', $portal->as('alice'))
    ->{status}, 200, 'the cluster lets her in';
is get($portal->web, '/clusters/prod/proxy/version', $portal->as('bob'))
    ->{status}, 401, 'and not another';
ok tab_to($page, qr/^Disconnect/), 'Tab finds Disconnect';
$page->key('Enter', goes => 1);
like part_of($page, 'Production'), qr/not connected/i, 'and it disconnects';
# A process may go on for the second after which it looks at the store again.
ok wait_for(sub { get($portal->web, '/clusters/prod/proxy/version',
    $portal->as('alice'))->{status} == 401 }, 3, 'the end of her session'),
    'the cluster is closed to her';
cmp_ok $issuer->counters->{revoked} // 0, '>=', 1, 'the issuer was told';

# --- Without scripts --------------------------------------------------------

my $plain = visitor('carol')->scripts(0)->goto($connect);
$issuer->set(user => 'carol');
$plain->click('form[action*="/connect/oidc/corp"] button', goes => 1);
like part_of($plain, 'Production'), qr/Connected.*carol/s,
    'without scripts: connected';
$plain->click('form[action$="/disconnect"] button', goes => 1);
like part_of($plain, 'Production'), qr/not connected/i,
    'without scripts: disconnected';

# --- When it fails ----------------------------------------------------------

# [what the issuer does, which words the person reads].
for my $case (
	[denied => { authorize => 'error:access_denied,ok' },
	    qr/declined|denied|refused|cancel/i],
	[nonce => { token => 'wrong:nonce,ok' }, qr/did not|not (?:fit|match)
	    |could not|cannot|failed/ix],
	[gone => { token => '503*4,ok' }, qr/issuer|again|later/i],
	[mixup => { authorize => 'wrong:iss,ok' }, qr/another|issuer/i]) {
	my ($what, $behaviour, $words) = @$case;
	$issuer->behave(authorize => 'ok', token => 'ok');
	$issuer->behave(%$behaviour);
	my $page = visitor('dora')->goto($connect);
	$page->click('form[action*="/connect/oidc/corp"] button', goes => 1);
	like $page->url, qr/^\Q$connect\E/, "$what: back on the page";
	my ($alert) = grep { $_->{role} =~ /^(?:alert|status)$/ }
	    $page->accessible;
	ok $alert, "$what: a screen reader says it at once";
	like $page->text('[role=alert], [role=status]') // '', $words,
	    "$what: in a person's words";
	unlike $page->text, qr/E_[A-Z]+|errno|stack|NULL/, "$what: no jargon";
	like part_of($page, 'Production'), qr/not connected.*Connect/is,
	    "$what: and may try again";
	is_accessible($page, $what) if $what eq 'denied';
	picture($page, "connect-failed-$what");
}
log_has_no('no log holds a token', 'refresh-alice', 'refresh-carol',
    'alice-access-token', 'carol-access-token', 'code-1-', 'client+secret');
done_testing;
