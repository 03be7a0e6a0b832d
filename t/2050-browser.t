#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The browser of the tests: it goes, looks, clicks, types and waits as a
# person does, with cookies of its own for each page.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Browser;

my $dir = tempdir();
my $port = free_port();
mkdir "$dir/www" or die "www: $!";
my $web = Stagedoor::Nginx->start_bare(name => 'web', port => $port,
    http => <<"END");
	server {
		listen 127.0.0.1:$port;
		default_type text/html;
		charset utf-8;
		root $dir/www;
		location = /cookie { add_header Set-Cookie "who=me";
			return 200 "<title>\$cookie_who</title>"; }
		location = /favicon.ico { return 204; }
	}
END
write_file("$dir/www/index.html", <<'END');
<!DOCTYPE html><html lang="en"><title>One</title><style>
:root { color-scheme: light dark } body { background: Canvas }</style>
<h1>Grüße</h1><main><form action="two.html">
<input name="q" id="q" aria-label="Question"> <button id="go">Go</button>
</form><p id="js"></p></main>
<script>document.getElementById('js').textContent = 'scripted'</script>
END
write_file("$dir/www/two.html",
    '<title>Two</title><p>second <a href="/">back</a>');

my $browser = Stagedoor::Browser->start;
note $browser->version;
my $page = $browser->page;
$page->goto($web->url . '/');
is $page->title, 'One', 'it goes there';
like $page->text, qr/Grüße.*scripted/s, 'and reads';
my $light = $page->style('body', 'background-color');
is $light, 'rgb(255, 255, 255)', 'in the light';
isnt $page->prefer(dark => 1)->style('body', 'background-color'), $light,
    'and in the dark';
$page->screenshot("$dir/one.png");
like slurp("$dir/one.png"), qr/^\x89PNG/, 'a picture';

$page->type('#q', 'a b')->click('#go', goes => 1);
is $page->title, 'Two', 'a click leads on';
like $page->url, qr{/two\.html\?q=a\+b$}, 'with what was typed';
is $page->key('Tab')->focused->{text}, 'back', 'Tab finds a link';
is $page->key('Enter', goes => 1)->title, 'One', 'Enter follows it';
my %seen = map { ("$_->{role} $_->{name}" => $_) } $page->accessible;
ok $seen{"heading Grüße"} && $seen{'textbox Question'} && $seen{'button Go'},
    'what a screen reader is told';
is $seen{"heading Grüße"}{level}, 1, 'with levels';

$page->scripts(0)->goto($web->url . '/?');
unlike $page->text, qr/scripted/, 'no scripts';
is $page->click('#go', goes => 1)->title, 'Two', 'but clicks';
ok !eval { $page->goto('http://127.0.0.1:' . free_port() . '/'); 1 },
    'what is not there';
ok !eval { $page->goto('http://example.org/'); 1 }, 'nor anywhere else';

$_->goto($web->url . '/cookie') for $page, $page;
is $page->title, 'me', 'cookies are kept';
my $other = $browser->page;
$other->goto($web->url . '/cookie');
is $other->title, '', 'another visitor has his own';
done_testing;
