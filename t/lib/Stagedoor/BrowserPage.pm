# SPDX-License-Identifier: Apache-2.0
# One page of Stagedoor::Browser, and what a person does with it. Elements are
# named by selectors of CSS; clicks and keys are real ones.
package Stagedoor::BrowserPage;

use strict;
use warnings;

use MIME::Base64 qw(decode_base64);
use Stagedoor::JSON qw(encode_json kind_of);
use Stagedoor::Util qw(write_file);
use Time::HiRes qw(sleep time);

sub new {
	my ($class, $browser, $session, $target) = @_;
	my $self = bless { browser => $browser, session => $session,
	    target => $target, log => [] }, $class;
	$self->send("$_.enable") for qw(Page Runtime Accessibility Log);
	return $self;
}

sub send {
	my ($self, $method, %params) = @_;
	return $self->{browser}->send($method, session => $self->{session},
	    %params);
}

sub close {
	my ($self) = @_;
	$self->{browser}->send('Target.closeTarget',
	    targetId => $self->{target});
}

# --- Going somewhere --------------------------------------------------------

# Go there, and wait until it is there. What could not be had is an error page
# of the browser: dies.
sub goto {
	my ($self, $url) = @_;
	$self->eval('window.__old = 1');
	my $went = $self->send('Page.navigate', url => $url);
	die "$url: $went->{errorText}\n" if $went->{errorText};
	return $self->wait_loaded("$url");
}

# After something that leads to another page: until that is loaded.
sub wait_loaded {
	my ($self, $what) = @_;
	$self->wait(sub { $self->eval('document.readyState === "complete"'
	    . ' && !window.__old') }, $what // 'the next page');
	return $self;
}

# Until the code gives something true, which is given.
sub wait {
	my ($self, $code, $what, $seconds) = @_;
	my $end = time + ($seconds // 20);
	while (1) {
		my $result = eval { $code->() };
		return $result if $result;
		die "waited in vain for $what, at " . ($self->url // '?')
		    . ":\n" . ($self->text // '') . "\n" if time > $end;
		sleep 0.05;
	}
}

sub wait_for {
	my ($self, $selector) = @_;
	$self->wait(sub { $self->has($selector) }, $selector);
	return $self;
}

sub url { return $_[0]->eval('location.href') }
sub title { return $_[0]->eval('document.title') }

# What JavaScript gives, as a value; undef while a page is being changed.
sub eval {
	my ($self, $script) = @_;
	my $got = CORE::eval { $self->send('Runtime.evaluate',
	    expression => $script, returnByValue => \1, awaitPromise => \1) };
	return undef if !$got && $@ =~ /context|navigat|Inspected/i;
	die $@ if !$got;
	die "script: $got->{exceptionDetails}{exception}{description}\n"
	    if $got->{exceptionDetails};
	return _plain($got->{result}{value});
}

# Text as the bytes of UTF-8, as it stands in tests; true and false as 1 and 0.
sub _plain {
	my ($value) = @_;
	return { map { $_ => _plain($value->{$_}) } keys %$value }
	    if ref $value eq 'HASH';
	return [map { _plain($_) } @$value] if ref $value eq 'ARRAY';
	return $value ? 1 : 0 if JSON::PP::is_bool($value);
	utf8::encode($value) if kind_of($value) eq 'string';
	return $value;
}

# --- Looking ----------------------------------------------------------------

sub _find { return 'document.querySelector(' . encode_json($_[0]) . ')' }

sub has { return $_[0]->eval(_find($_[1]) . ' !== null') }

sub count {
	my ($self, $selector) = @_;
	return $self->eval('document.querySelectorAll('
	    . encode_json($selector) . ').length');
}

# The text that is seen there, or on the whole page.
sub text {
	my ($self, $selector) = @_;
	return $self->eval(_find($selector // 'body') . '?.innerText');
}

sub html { return $_[0]->eval('document.documentElement.outerHTML') }

sub attribute {
	my ($self, $selector, $name) = @_;
	return $self->eval(_find($selector) . '?.getAttribute('
	    . encode_json($name) . ')');
}

# A value of its style, as computed: style('body', 'background-color').
sub style {
	my ($self, $selector, $name) = @_;
	return $self->eval('getComputedStyle(' . _find($selector)
	    . ').getPropertyValue(' . encode_json($name) . ')');
}

# The element that has the focus: { tag, id, text, name }.
sub focused {
	my ($self) = @_;
	return $self->eval('(() => { const e = document.activeElement; return'
	    . ' { tag: e.tagName.toLowerCase(), id: e.id, text: e.innerText,'
	    . ' name: e.getAttribute("aria-label") ?? e.innerText,'
	    . ' outline: getComputedStyle(e).outlineStyle } })()');
}

# What the accessibility tree holds and does not ignore, in order: { role,
# name, level, description, focusable, disabled }.
sub accessible {
	my ($self) = @_;
	my $nodes = _plain($self->send('Accessibility.getFullAXTree')
	    ->{nodes});
	return map { my %is = map { $_->{name} => $_->{value}{value} }
	    @{$_->{properties} // []};
	    { role => $_->{role}{value}, name => $_->{name}{value} // '',
		level => $is{level}, focusable => $is{focusable},
		disabled => $is{disabled},
		description => $_->{description}{value} } }
	    grep { !$_->{ignored} && $_->{role}{value} !~ /TextBox/ }
	    @$nodes;
}

# What the page wrote to the console and what failed in it.
sub complaints {
	my ($self) = @_;
	$self->{browser}->pump(0.05);
	for ($self->{browser}->events($self->{session})) {
		my ($method, $p) = @$_{qw(method params)};
		push @{$self->{log}}, $p->{entry}{text} . ' '
		    . ($p->{entry}{url} // '') if $method eq 'Log.entryAdded';
		push @{$self->{log}}, $p->{exceptionDetails}{text}
		    if $method eq 'Runtime.exceptionThrown';
	}
	return splice @{$self->{log}};
}

sub cookies {
	my ($self) = @_;
	return @{$self->send('Network.getCookies')->{cookies}};
}

# The whole page, as a picture in a file.
sub screenshot {
	my ($self, $file) = @_;
	my $size = $self->send('Page.getLayoutMetrics')->{cssContentSize};
	my $got = $self->send('Page.captureScreenshot', format => 'png',
	    captureBeyondViewport => \1, clip => { x => 0, y => 0,
		width => $size->{width}, height => $size->{height},
		scale => 1 });
	return write_file($file, decode_base64($got->{data}));
}

# --- Doing ------------------------------------------------------------------

# Press the mouse in the middle of it. goes => 1: that leads to another page,
# which is waited for.
sub click {
	my ($self, $selector, %opt) = @_;
	$self->wait_for($selector);
	my $at = $self->eval('(() => { const e = ' . _find($selector)
	    . '; e.scrollIntoView({block: "center", behavior: "instant"});'
	    . ' const r = e.getBoundingClientRect();'
	    . ' return [r.x + r.width / 2, r.y + r.height / 2] })()');
	$self->eval('window.__old = 1') if $opt{goes};
	for my $type (qw(mousePressed mouseReleased)) {
		$self->send('Input.dispatchMouseEvent', type => $type,
		    x => $at->[0], y => $at->[1], button => 'left',
		    clickCount => 1);
	}
	$self->wait_loaded("the page behind $selector") if $opt{goes};
	return $self;
}

# Click there and write.
sub type {
	my ($self, $selector, $text) = @_;
	$self->click($selector);
	$self->send('Input.insertText', text => $text);
	return $self;
}

my %KEYS = (Tab => [9, undef], Enter => [13, "\r"], Escape => [27, undef],
    Space => [32, ' '], ArrowDown => [40, undef], ArrowUp => [38, undef]);

# A key: key('Tab'), key('Tab', shift => 1), key('Enter', goes => 1).
sub key {
	my ($self, $name, %opt) = @_;
	my ($code, $text) = @{$KEYS{$name} // die "no key '$name'\n"};
	my %params = (key => $name eq 'Space' ? ' ' : $name, code => $name,
	    windowsVirtualKeyCode => $code, modifiers => $opt{shift} ? 8 : 0);
	$self->eval('window.__old = 1') if $opt{goes};
	$self->send('Input.dispatchKeyEvent', %params,
	    type => defined $text ? 'keyDown' : 'rawKeyDown',
	    defined $text ? (text => $text) : ());
	$self->send('Input.dispatchKeyEvent', %params, type => 'keyUp');
	$self->wait_loaded("the page behind $name") if $opt{goes};
	return $self;
}

# --- Being somebody ---------------------------------------------------------

# The eyes of the visitor: dark => 1 or 0, and width and height of the window,
# no motion, no colours.
sub prefer {
	my ($self, %opt) = @_;
	my @features = map { { name => $_->[0], value => $_->[1] } }
	    grep { defined $_->[1] }
	    ['prefers-color-scheme', $opt{dark} ? 'dark' : 'light'],
	    ['prefers-reduced-motion', $opt{still} ? 'reduce' : undef],
	    ['forced-colors', $opt{forced} ? 'active' : undef];
	$self->send('Emulation.setEmulatedMedia', features => \@features);
	$self->send('Emulation.setDeviceMetricsOverride',
	    width => $opt{width}, height => $opt{height} // 900,
	    deviceScaleFactor => 1, mobile => \0) if $opt{width};
	return $self;
}

# Do pages run scripts? Ours do all the same.
sub scripts {
	my ($self, $on) = @_;
	$self->send('Emulation.setScriptExecutionDisabled',
	    value => $on ? \0 : \1);
	return $self;
}

1;
