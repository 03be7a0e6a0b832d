#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A client that leaves takes its upstream work with it, behind a web server
# and without, in streams and in queries; and the pool is as well as before.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(time);

my $fake = fake(clusters => [{ name => 'one' },
    { name => 'hang', behaviour => 'hang' }], backstage => 1);
my $settings = settings(fake => $fake,
    stagedoor => { breaker => { failures => 1000 },
	limits => { connect => 2, cluster => 30 } });
my $pool = pool(settings => $settings, threads => 4);
my $web = nginx(pool => $pool);

sub open_now {
	my ($name) = @_;
	return $fake->connections($name)->{open};
}

for my $target ($web, $pool) {
	my $how = $target == $web ? 'behind nginx' : 'over FastCGI';

	# Connections that are kept for others do not count.
	my $kept = open_now('one');
	get($target, '/clusters/one/proxy/forever', timeout => 0.5)
	    for 1 .. 6;
	wait_for(sub { open_now('one') <= $kept }, 5,
	    'streams whose client left');
	pass "six left streams are cancelled, $how";

	for (1 .. 6) {
		post($target, '/resources/workloads/query', timeout => 0.5,
		    json => { entityRef => 'component:default/shop' });
	}
	wait_for(sub { open_now('hang') == 0 }, 5,
	    'queries whose client left');
	pass "six left queries are cancelled, $how";

	get($target, '/clusters/hang/proxy/version', timeout => 0.5)
	    for 1 .. 6;
	wait_for(sub { open_now('hang') == 0 }, 5,
	    'requests whose client left');
	pass "six left requests without an answer are cancelled, $how";

	my $began = time;
	is get($target, '/clusters/one/proxy/version')->{status}, 200,
	    "no thread is stuck, $how";
	ok time - $began < 1, 'and none is late';
}

done_testing;
