#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The page's own policy in a real Chromium, which holds every redirect after a
# form's answer to it: an issuer that passes the browser on to another one must
# be reached all the same, while the page can load and run nothing. And what
# the page's address tells to others: nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Browser;
use Stagedoor::Process;

my $browser = Stagedoor::Browser->start;
my $issuer = issuer();
my $fake = fake(clusters => [{ name => 'one' }]);
my ($port, $hop) = (free_port(), free_port());
my $home = "http://127.0.0.1:$port";
my $back = BASE . '/connect';
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => [{ name => 'one', authProvider => 'oidc', oidcTokenProvider =>
	'corp', signIn => 'stagedoor' }],
    stagedoor => { publicUrl => $home, login => [$issuer->login('corp')] }));
my $log = tempdir() . '/asked.txt';
my $web = nginx(pool => $pool, port => $port, user => 'alice',
    server => 'location = /catalog { default_type text/html;'
	. ' return 200 "<!DOCTYPE html><title>Catalog</title>Catalog"; }'
	. ' location = /favicon.ico { return 204; }'
	# Browsers that say no Sec-Fetch-Site are known by their Origin.
	. ' if ($http_origin = "null") { return 418; }',
    http => <<"END");
	log_format asked 'from [\$http_referer]';
	server {
		listen 127.0.0.1:$hop;
		access_log $log asked;
		location /hop {
			return 302 @{[$issuer->url('authorize')]}?\$args;
		}
	}
END
# Its front door is on another host, which sends on: as with brokers.
$issuer->behave(discovery => 'member:authorization_endpoint="http://127.0.0.1'
    . qq(:$hop/hop"));

my $page = $browser->page;
$page->goto("$home$back?return=/catalog");
$page->click('form button', goes => 1);
is $page->url, "$home/catalog", 'through two issuers and back';
is_deeply [$page->complaints], [], 'and nothing was refused';

is slurp($log), "from [-]\n", 'the issuer does not learn from which page';

$page->goto("$home$back");
like $page->text, qr/Connected as alice/, 'connected';
$page->click('input[type=checkbox]');
$page->click('form[action$="/disconnect"] button', goes => 1);
like $page->url, qr/^\Q@{[$issuer->url('end_session')]}\E|^\Q$home$back\E/,
    'signed out at the issuer too';
is $issuer->count('end_session'), 1, 'who was asked once';

# What a page of ours could not do, even if somebody put it there.
$page->goto("$home$back");
$page->complaints;
$page->eval('(() => { const add = (tag, of) => document.body.append('
    . 'Object.assign(document.createElement(tag), of));'
    . " add('script', { textContent: 'window.__ran = 1' });"
    . " add('img', { src: '$home/catalog' });"
    . " add('iframe', { src: '$home/catalog' }); return 1 })()");
my @refused;
wait_for(sub { push @refused, grep { /Content Security Policy/ }
    $page->complaints; @refused >= 3 }, 5, 'what is refused');
ok !$page->eval('window.__ran'), 'no script runs, no image or frame loads';
is $page->eval('getComputedStyle(document.querySelector("h1")).fontWeight'),
    '650', 'while its own style is used';
done_testing;
