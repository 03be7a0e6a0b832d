#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Long answers leave threads for everyone else: watches by the setting
# `streams`, all of /proxy by the number of threads.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $fake = fake(clusters => [{ name => 'one' }]);

# Holds an answer without end, until it is let go.
sub hold {
	my ($web, $path) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $web->{port}) // die "connect: $!";
	print {$socket} 'GET ' . BASE . "/clusters/one/proxy$path"
	    . " HTTP/1.1\r\nHost: localhost\r\n\r\n";
	sysread $socket, my $head, 1;
	return $socket;
}

{
	my $pool = pool(threads => 8, settings => settings(fake => $fake,
	    stagedoor => { streams => 2 }));
	my $web = nginx(pool => $pool);
	my @held = map { hold($web, '/forever?watch=true') } 1 .. 2;
	my $third = get($web, '/clusters/one/proxy/forever?w%61tch=1',
	    timeout => 5);
	is $third->{status}, 503, 'a third watch of two is refused';
	ok $third->{headers}{'retry-after'}, 'with a hint when to try again';
	is get($web, '/clusters/one/proxy/version')->{status}, 200,
	    'what is short passes';
	is get($web, '/clusters/one/proxy/version?xwatch=1')->{status}, 200,
	    'and what only looks like a watch';
	close $_ for @held;
	wait_for(sub { my $s = hold($web, '/forever?follow=true');
	    close $s; get($web, '/clusters/one/proxy/log?follow=1',
		timeout => 3)->{status} == 200 }, 5, 'a free place');
	pass 'places that were left are taken again';
}

{
	my $pool = pool(threads => 4, settings => settings(fake => $fake));
	my $web = nginx(pool => $pool);
	my @held = map { hold($web, '/forever') } 1 .. 3;
	my $busy = get($web, '/clusters/one/proxy/version', timeout => 6);
	is $busy->{status}, 503, 'a fourth endless answer of four threads';
	my $began = time;
	is get($web, '/clusters')->{status}, 200, 'others are served';
	ok time - $began < 1, 'at once';
	close $_ for @held;
	wait_for(sub { get($web, '/clusters/one/proxy/version')->{status}
	    == 200 }, 5, 'a free place');
	pass 'and so is /proxy when it has a place again';
}

done_testing;
