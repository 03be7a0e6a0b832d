#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Streams cost no memory, whichever way they go and however slow their reader
# is.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::INET;
use Time::HiRes qw(sleep);

use constant GIB => 1024 * 1024 * 1024;
use constant BAR_KB => 64 * 1024;

my $fake = fake(clusters => [{ name => 'one' }]);
my $pool = pool(settings => settings(fake => $fake));
my $web = nginx(pool => $pool);

sub peak {
	my ($kb) = slurp('/proc/' . $pool->pid . '/status') =~
	    /^VmHWM:\s+(\d+) kB/m;
	return $kb;
}

my @stalled = map {
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
	    PeerPort => $web->{port}) // die "connect: $!";
	print {$socket} 'GET ' . BASE . '/clusters/one/proxy/bytes/' . GIB
	    . " HTTP/1.1\r\nHost: localhost\r\n\r\n";
	$socket;
} 1 .. 8;
sleep 2;
ok peak() < BAR_KB, 'eight stalled readers of 1 GiB'
    or diag('peak ' . peak() . ' kB');
is get($web, '/clusters/one/proxy/version')->{status}, 200,
    'and others are answered beside them';
close $_ for @stalled;

my $got = 0;
get($web, '/clusters/one/proxy/bytes/' . GIB, timeout => 60,
    on_body => sub { $got += length $_[0] });
is $got, GIB, '1 GiB down';
ok peak() < BAR_KB, 'in flat memory' or diag('peak ' . peak() . ' kB');

SKIP: {
	skip_one('sanitizers make uploads slow') if $ENV{STAGEDOOR_SANITIZED};
	my $block = 'u' x (1024 * 1024);
	my $left = 256;
	my $answer = request($web, 'POST', '/clusters/one/proxy/sink',
	    headers => [['Content-Length', 256 * 1024 * 1024]],
	    more => sub { $left-- > 0 ? $block : undef }, timeout => 60);
	is body_of($answer)->{length}, 256 * 1024 * 1024, '256 MiB up';
	ok peak() < BAR_KB, 'in flat memory'
	    or diag('peak ' . peak() . ' kB');
}

done_testing;
