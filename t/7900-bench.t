#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The benchmark runs: each kind of contestant once and briefly. What it finds
# says nothing here, for others use the machine.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

have_program($_) or skip_or_fail("no $_") for qw(wrk gnuplot curl cc);
my $fcgi = grep { -e "$_/fcgiapp.h" } qw(/usr/include /usr/local/include);
skip_or_fail('no header of libfcgi') if !$fcgi;

my $dir = tempdir();
my $run = run_command([$^X, "$FindBin::Bin/bench/bench",
    Stagedoor::Util::stagedoor_bin()], timeout => 120,
    env => { SMOKE => 1, CURVES => $dir, PEER => '', TLS => '', LEG => '',
	ROUNDS => '', ONLY =>
	'live proxy direct watches streams large many curves' });
is $run->{code}, 0, 'it goes to its end' or diag $run->{out}, $run->{err};
my $out = $run->{out};
unlike $out, qr/answers that were errors/, 'without an error'
    or diag $run->{out};
like $out, qr/^\Q$_\E.* bar: /m, "it measures: $_" for (
	'live lane, 1 cluster: requests per second', 'live lane, 1 cluster, '
	. 'one user: p50', '/proxy: requests per second, by Backstage',
	'direct lane: requests per second, by auth_request',
	'50 watches in the direct lane: growth of the pool',
	'50 watches in the direct lane: queries per second',
	'64 MiB through the module: speed',
	'one hung cluster of 20: seconds of a query');
like $out, qr/^\Q$_\E.* is yes, pass/m, $_ for (
	'long answers through the module, streams = 4: so many are let in',
	'and the next gets 503 with Retry-After',
	'one hung cluster of 20: all others answer (19 of 19, of 20 where '
	. 'none hangs)');
like slurp("$dir/bench-$_.svg"), qr/<svg.*stagedoor.*live lane.*<path/s,
    "the curve over $_ is drawn" for qw(clusters users);
done_testing;
