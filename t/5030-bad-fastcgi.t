#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Bytes on the FastCGI socket that no web server sends, records cut short,
# other roles, clients that leave in the middle. Nothing but its own
# connection suffers.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Bad qw(refused_is still_well vitals);
use Stagedoor::FastCGI;
use Time::HiRes qw(sleep time);

use constant THREADS => 4;

my $fake = fake(clusters => [{ name => 'one' },
    { name => 'hang', behaviour => 'hang' }], backstage => 1);
my $pool = pool(threads => THREADS, settings => settings(fake => $fake));
get($pool, '/clusters');
my $before = vitals($pool);

sub begin { return Stagedoor::FastCGI::begin(@_) }
sub record { return Stagedoor::FastCGI::record(@_) }
sub params {
	return Stagedoor::FastCGI::stream(4, Stagedoor::FastCGI::pairs(@_));
}
sub stdin { return Stagedoor::FastCGI::stream(5, $_[0]) }

my @good = Stagedoor::FastCGI::params_for('GET', BASE . '/clusters');
my $whole = begin() . params(@good) . stdin('');
is $pool->raw($whole)->{status}, 200, 'a whole request is answered';

# --- Cut short --------------------------------------------------------------

my $answered = 0;
for my $length (map { int($_ * (length($whole) - 9) / 40) } 0 .. 40) {
	my $answer = $pool->raw(substr($whole, 0, $length), half_close => 1,
	    timeout => 5);
	$answered++ if !$answer->{timeout};
}
is $answered, 41, 'a request cut short anywhere ends its connection';

my $body = '{"entityRef":"component:default/shop"}';
my $post = begin() . params(Stagedoor::FastCGI::params_for('POST',
    BASE . '/resources/workloads/query', body => $body,
    headers => { 'Content-Type' => 'application/json' }));
for my $part ('', record(5, substr $body, 0, 10),
    substr(record(5, $body), 0, 12)) {
	my $answer = $pool->raw($post . $part, half_close => 1, timeout => 5);
	ok !$answer->{timeout} && ($answer->{status} // 400) >= 400,
	    'a body cut short after ' . length($part) . ' bytes'
	    or diag explain $answer;
}

# --- Nonsense ---------------------------------------------------------------

my %nonsense = (
	'nothing' => '',
	'HTTP' => "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	'zeroes' => "\0" x 4096,
	'ones' => "\xff" x 4096,
	'another version' => "\2" . substr($whole, 1),
	'a type that is none' => record(77, 'x' x 10) . $whole,
	'parameters before the beginning' => params(@good) . $whole,
	'the beginning twice' => begin() . $whole,
	'the body before the parameters' => begin() . stdin('x')
	    . params(@good),
	'another id in the middle' => begin() . record(4, 'x' x 8, 9)
	    . params(@good) . stdin(''),
	'parameters longer than said' => begin()
	    . record(4, "\x7f\x7f" . 'N' x 20) . record(4, '') . stdin(''),
	'a name of 2 GB' => begin() . record(4,
	    "\xff\xff\xff\xff\xff\xff\xff\xff") . record(4, '') . stdin(''),
	'a name without end' => begin() . record(4, "\x0e\x04REQUEST_METHOD")
	    . record(4, '') . stdin(''),
	'an empty name' => begin() . params('' => 'x', @good) . stdin(''),
	'a name with an equals sign' => begin()
	    . params('STAGEDOOR_USER=alice' => 'x', @good) . stdin(''),
	'a NUL in a parameter' => begin()
	    . params("HTTP_X\0Y" => "a\0b", @good) . stdin(''),
	'a role that is none' => begin(9) . params(@good) . stdin(''),
	'an abort at once' => begin() . record(2, ''),
	'an abort after the parameters' => begin() . params(@good)
	    . record(2, ''),
	'a question about limits' => Stagedoor::FastCGI::record(9,
	    Stagedoor::FastCGI::pairs(FCGI_MAX_CONNS => ''), 0),
);
for my $what (sort keys %nonsense) {
	my $answer = $pool->raw($nonsense{$what}, half_close => 1,
	    timeout => 5);
	ok !$answer->{timeout}, "$what: no waiting" or diag explain $answer;
	is get($pool, '/clusters')->{status}, 200, 'and the next one is fine';
}

my $huge = '';
$huge .= record(4, Stagedoor::FastCGI::pairs("HTTP_X_$_" => 'v' x 30000))
    for 1 .. 60;
my $answer = $pool->raw(begin() . $huge . params(@good) . stdin(''),
    timeout => 10);
ok !$answer->{timeout}, 'two megabytes of parameters: no waiting';
ok !defined $answer->{status} || $answer->{status} >= 400
    || $answer->{status} == 200, 'and an answer, or none';

# --- Roles ------------------------------------------------------------------

for my $role (2, 3) {
	my $it = $pool->raw(begin($role) . params(@good) . stdin('')
	    . Stagedoor::FastCGI::stream(8, ''), timeout => 5);
	ok !$it->{timeout}, "role $role: no waiting";
	# The authorizer's says who asks (t/2520); here nobody need be known.
	is $it->{body}, '', 'says yes, and no more' if $role == 2;
	next if $role == 2;
	refused_is($it, 'is refused') if $it->{status};
	isnt $it->{status}, 200, 'and is no responder';
}

# An authorizer's request has no body, nor its end.
my $yes = $pool->raw(begin(2) . params(@good), timeout => 5);
ok !$yes->{timeout}, 'an authorizer: nothing more is waited for';
is $yes->{status}, 200, 'it has said yes';

# --- Two requests on one connection -----------------------------------------

my $keep = begin(1, 1) . params(@good) . stdin('');
my $both = $pool->raw($keep, on_end => 1);
is $both->{status}, 200, 'with the connection kept';
sub ask_twice {
	my ($first) = @_;
	my $socket = Stagedoor::HTTP::connect_to($pool);
	my $reader = Stagedoor::FastCGI::Reader->new;
	syswrite $socket, $first;
	sleep 0.4;
	syswrite $socket, $keep;
	my $end = time + 5;
	while (time < $end && sysread $socket, my $buf, 65536) {
		$reader->feed($buf);
		last if $reader->{out} =~ /Status.*Status/s;
	}
	return scalar(() = $reader->{out} =~ /Status: 200\r/g);
}
is ask_twice($keep), 2, 'two requests, one connection, two answers';

# nginx keeps the connection once the answer has ended, and sends the next
# request into it.
# Small bodies come with the head, others after it.
sub ask_after_body {
	my ($path, $bytes) = @_;
	my $body = 'x' x $bytes;
	return ask_twice(begin(1, 1) . params(Stagedoor::FastCGI::params_for(
	    'POST', BASE . $path, body => $body)) . stdin($body));
}
for my $bytes (10, 7_000, 100_000) {
	is ask_after_body('/clusters/none/proxy/x', $bytes), 1,
	    "also after a body of $bytes bytes that was refused unread";
	is ask_after_body('/clusters/one/proxy/echo', $bytes), 2,
	    'and after one that was passed on';
}

# --- Clients that leave -----------------------------------------------------

sub leave_after {
	my ($path, $bytes, $seconds) = @_;
	my $socket = Stagedoor::HTTP::connect_to($pool);
	syswrite $socket, begin() . params(Stagedoor::FastCGI::params_for(
	    'GET', BASE . $path)) . stdin('');
	my $got = 0;
	while ($got < $bytes) {
		my $n = sysread $socket, my $buf, 65536 or last;
		$got += $n;
	}
	sleep $seconds;
	close $socket;
}

# More of them than there are threads.
for (1 .. 3 * THREADS) {
	leave_after('/clusters/one/proxy/bytes/300000000', 100_000, 0);
	leave_after('/clusters/one/proxy/forever', 100, 0);
}
leave_after('/clusters', 0, 0) for 1 .. 3 * THREADS;
ok wait_for(sub { $fake->connections('one')->{open} <= 2 * THREADS }, 10,
    'connections to end'), 'their work on the cluster ends with them';

my $start = time;
leave_after('/clusters/hang/proxy/version', 0, 0.1) for 1 .. THREADS;
is get($pool, '/clusters')->{status}, 200, 'nobody waits for them';
cmp_ok time - $start, '<', 2.5, 'nor for the cluster that hangs';

# --- Life -------------------------------------------------------------------

still_well($pool, $before, THREADS, 'after all this');
is $pool->process->ended, 0, 'the pool lives';
is $pool->stop, 0, 'and ends in order';
unlike $pool->log_text, qr/BUG|Sanitizer|assert/i, 'with nothing to regret';
done_testing;
