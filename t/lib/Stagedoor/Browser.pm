# SPDX-License-Identifier: Apache-2.0
# A real Chromium without a screen, told what to do over a pipe (the DevTools
# protocol: messages of JSON, each ended by a NUL).
#
#	my $browser = Stagedoor::Browser->start;	# or the test is skipped
#	    # insecure => 1: any certificate will do
#	my $page = $browser->page;	# each with cookies of its own
#	$page->goto($web->url . '/connect');	# see BrowserPage.pm
#
# It asks nobody but this machine, keeps its files in the folder of the test
# and ends with it.
package Stagedoor::Browser;

use strict;
use warnings;

use IO::Select;
use POSIX ();
use Stagedoor::BrowserPage;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Process;
use Stagedoor::Util qw(have_program skip_or_fail top);
use Time::HiRes qw(time);

my $count = 0;

sub start {
	my ($class, %opt) = @_;
	my ($program) = grep { defined } map { have_program($_) }
	    qw(chromium chromium-browser google-chrome);
	skip_or_fail('no Chromium') if !defined $program;
	my $dir = Stagedoor::Process::dir() . '/browser-' . ++$count;
	mkdir $dir or die "$dir: $!";
	my $self = bless { %opt, dir => $dir, in => '', next => 1,
	    events => {} }, $class;
	$self->_launch($program);
	$self->send('Browser.getVersion');
	return $self;
}

sub _flags {
	my ($self) = @_;
	my $size = join ',', $self->{width} // 1000, $self->{height} // 900;
	return ('--headless=new', '--remote-debugging-pipe',
	    "--user-data-dir=$self->{dir}/profile", "--window-size=$size",
	    ($> == 0 ? '--no-sandbox' : ()),
	    ($self->{insecure} ? '--ignore-certificate-errors' : ()),
	    # Nothing leaves this machine.
	    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, '
	    . 'EXCLUDE localhost', '--no-proxy-server',
	    (map { "--disable-$_" } qw(background-networking sync
		component-update default-apps extensions gpu
		dev-shm-usage domain-reliability breakpad
		client-side-phishing-detection)),
	    qw(--log-level=3 --hide-scrollbars
	    --no-first-run --no-default-browser-check
	    --password-store=basic --force-color-profile=srgb
	    --metrics-recording-only about:blank));
}

sub _launch {
	my ($self, $program) = @_;
	pipe my $from_us, my $to_it or die "pipe: $!";
	pipe my $from_it, my $to_us or die "pipe: $!";
	my $log = "$self->{dir}/chromium.log";
	my @command = ($program, $self->_flags);
	my $pid = fork() // die "fork: $!";
	_exec(\@command, $from_us, $to_us, $log, $self->{dir}) if $pid == 0;
	$self->{process} = Stagedoor::Process->adopt(name => 'chromium',
	    pid => $pid, log => $log, group => 1, grace => 5);
	binmode $_ for $to_it, $from_it;
	$to_it->autoflush(1);
	@$self{qw(out from select)} = ($to_it, $from_it,
	    IO::Select->new($from_it));
}

# It reads from descriptor 3 and writes to 4.
sub _exec {
	my ($command, $in, $out, $log, $home) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
	setpgrp 0, 0;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', $log;
	open STDERR, '>&', \*STDOUT;
	# Above 4 first: one of them may be 3 or 4 already.
	my ($r, $w) = map { POSIX::dup2(fileno $_->[0], $_->[1]) && $_->[1] }
	    [$in, 20], [$out, 21];
	POSIX::dup2($r, 3);
	POSIX::dup2($w, 4);
	POSIX::close($_) for $r, $w;
	$ENV{HOME} = $home;
	delete @ENV{qw(DISPLAY DBUS_SESSION_BUS_ADDRESS)};
	exec { $command->[0] } @$command or POSIX::_exit(127);
}

# A new page of a visitor that nobody knows yet.
sub page {
	my ($self) = @_;
	my $context = $self->send('Target.createBrowserContext')
	    ->{browserContextId};
	my $target = $self->send('Target.createTarget', url => 'about:blank',
	    browserContextId => $context)->{targetId};
	my $session = $self->send('Target.attachToTarget',
	    targetId => $target, flatten => \1)->{sessionId};
	return Stagedoor::BrowserPage->new($self, $session, $target);
}

# Where pictures are kept: they are output of the build, for people to look
# at. Gives the path of the file of that name.
sub picture {
	my ($name) = @_;
	my $dir = $ENV{STAGEDOOR_SCREENSHOTS}
	    // ($ENV{top_builddir} // '.') . '/screenshots';
	mkdir $dir;
	return "$dir/$name.png";
}

sub version { return $_[0]->send('Browser.getVersion')->{product} }
sub stop { return $_[0]{process}->stop }

# --- Messages ---------------------------------------------------------------

# send(METHOD, name => value...): the result; dies on an error. With session
# and timeout among the values, these are not sent.
sub send {
	my ($self, $method, %params) = @_;
	my ($session, $timeout) = delete @params{qw(session timeout)};
	my $id = $self->{next}++;
	my $text = encode_json({ id => $id, method => $method,
	    params => \%params,
	    defined $session ? (sessionId => $session) : () });
	print {$self->{out}} "$text\0" or die "chromium is gone: $!\n";
	my $until = time + ($timeout // 30);
	while (1) {
		my $message = $self->_next($until)
		    // die "no answer of chromium to $method\n";
		$self->_note($message), next if !defined $message->{id};
		next if $message->{id} != $id;
		die "$method: $message->{error}{message}\n"
		    if $message->{error};
		return $message->{result};
	}
}

# The next message, or undef if there is none until then.
sub _next {
	my ($self, $until) = @_;
	my $end;
	while (($end = index $self->{in}, "\0") < 0) {
		my $left = $until - time;
		return undef if $left <= 0;
		next if !$self->{select}->can_read($left);
		my $n = sysread $self->{from}, $self->{in}, 1 << 20,
		    length $self->{in};
		die "chromium has ended\n" if !$n;
	}
	my $text = substr $self->{in}, 0, $end + 1, '';
	chop $text;
	return decode_json($text);
}

sub _note {
	my ($self, $message) = @_;
	push @{$self->{events}{$message->{sessionId} // ''}}, $message;
}

# Read what comes for so many seconds.
sub pump {
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	while (my $message = $self->_next($until)) {
		$self->_note($message) if !defined $message->{id};
	}
}

# Events of a page since the last call: { method, params }.
sub events {
	my ($self, $session) = @_;
	return @{delete $self->{events}{$session} // []};
}

1;
