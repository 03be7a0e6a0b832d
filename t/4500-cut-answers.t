#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# An answer that a cluster breaks off is broken off for the client too: it is
# never made to look whole, and nobody waits for the rest.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::INET;
use Stagedoor::Process;

# A cluster that ends each answer too early: the path says how.
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
    ReuseAddr => 1) // die "listen: $!";
my %early = (
	'/length' => "Content-Length: 10\r\n\r\nab",
	'/chunked' => "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
	'/big' => "Transfer-Encoding: chunked\r\n\r\n30000\r\n"
	    . ('x' x 0x30000) . "\r\n",
	'/biglength' => "Content-Length: 400000\r\n\r\n" . ('x' x 200000),
);
my $pid = fork() // die "fork: $!";
if (!$pid) {
	while (my $peer = $listen->accept) {
		my $text = '';
		sysread $peer, $text, 4096, length $text
		    or last until $text =~ /\r\n\r\n/;
		my ($path) = $text =~ m{^GET (\S+)};
		print {$peer} "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    . ($early{$path // ''} // "Content-Length: 0\r\n\r\n");
		close $peer;
	}
	POSIX::_exit(0);
}
Stagedoor::Process->adopt(name => 'early', pid => $pid);

my $fake = fake(clusters => [{ name => 'one' }]);
my $pool = pool(settings => settings(fake => $fake, clusters => [
    { name => 'early', url => 'http://127.0.0.1:' . $listen->sockport }]));
my $web = nginx(pool => $pool);

for my $path (sort keys %early) {
	my $answer = get($web, "/clusters/early/proxy$path", timeout => 5);
	ok !$answer->{timeout}, "$path: nobody waits for the rest";
	ok $answer->{error}, 'and the answer is not whole'
	    or diag explain { %$answer, body => length $answer->{body} };
}
is get($web, '/clusters/early/proxy/good')->{status}, 200,
    'one that is whole still is';

done_testing;
