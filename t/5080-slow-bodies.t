#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A body that does not come, or comes one byte at a time, does not keep a
# thread from others for long.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep time);

use constant THREADS => 2;

skip_or_fail('no nginx') if !have_program('nginx');
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my $pool = pool(threads => THREADS, settings => settings(fake => $fake));
my $web = nginx(pool => $pool);

sub start_post {
	my ($first) = @_;
	my $socket = Stagedoor::HTTP::connect_to($web);
	syswrite $socket, 'POST ' . BASE . "/resources/workloads/query "
	    . "HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	    . "Content-Length: 1000\r\n\r\n$first";
	return $socket;
}

# A child that sends one byte every half second, for as long as it may.
sub dribble {
	my ($socket) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	for (1 .. 120) {
		sleep 0.5;
		syswrite($socket, 'x') or last;
	}
	POSIX::_exit(0);
}

my $silent = start_post('{');
my $slow = start_post('{"x":"');
my $child = dribble($slow);
sleep 0.5;

my $start = time;
is get($web, '/clusters', timeout => 40)->{status}, 200,
    'others wait while all threads read a body';
cmp_ok time - $start, '<', 20, 'but not for long';

for my $socket ($silent, $slow) {
	my $reader = Stagedoor::HTTP::Reader->new;
	my $end = time + 20;
	while (!$reader->done && time < $end) {
		my $n = sysread $socket, my $buf, 65536 or last;
		$reader->feed($buf);
	}
	is $reader->answer->{status}, 408, 'who was too slow is told';
	is body_of($reader->answer)->{error}{name}, 'RequestTimeoutError',
	    'in the contract\'s form';
}
kill 'KILL', $child;
waitpid $child, 0;

is get($pool, '/clusters')->{status}, 200, 'the pool goes on';
is $pool->stop, 0, 'and ends in order';
done_testing;
