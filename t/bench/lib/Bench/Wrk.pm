# SPDX-License-Identifier: Apache-2.0
package Bench::Wrk;

# One leg of the benchmark: wrk asks one server for a while.

use strict;
use warnings;
use Bench::Cost qw(cpu_seconds);
use Exporter qw(import);
use File::Basename qw(dirname);
use Stagedoor::Process;
our @EXPORT_OK = qw(leg background median);

my $script = dirname(__FILE__) . '/../../drive.lua';

# kind: "get" gets the url; "query" posts queries about so many entities,
# "same" about this one, "reads" gets these paths in turn (all in argument).
sub command {
	my (%of) = @_;
	return ('wrk', '-t1', "-c$of{users}", "-d$of{seconds}s", '--latency',
		'--timeout', '20s', '-s', $script,
		(map { ('-H', $_) } @{$of{headers} // []}), $of{url}, '--',
		$of{kind}, $of{argument} // ());
}

# (url, kind, argument, users, seconds, headers, processes): how it went: a
# hash of rate (requests a second), cpu (seconds for a thousand requests), p50
# and p99 (milliseconds) and bad (answers that were errors, connections lost).
sub leg {
	my (%of) = @_;
	my $before = cpu_seconds(@{$of{processes}});
	open my $wrk, '-|', command(%of) or die "wrk: $!";
	my $text = do { local $/; <$wrk> };
	close $wrk;
	my $cpu = cpu_seconds(@{$of{processes}}) - $before;
	my ($result) = $text =~ /^RESULT (.*)/m or die "wrk failed: $text";
	my %leg = map { split /=/ } split ' ', $result;
	$leg{rate} = $leg{requests} / $leg{seconds};
	$leg{cpu} = $leg{requests} ? $cpu * 1000 / $leg{requests} : 0;
	return \%leg;
}

# The same in the background, not measured: a process to stop.
sub background {
	my (%of) = @_;
	return Stagedoor::Process->start(name => 'wrk',
		command => [ command(%of) ]);
}

sub median {
	my @sorted = sort { $a <=> $b } @_;
	return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : 0;
}

1;
