#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The HTTP contract of Backstage's Kubernetes backend: recorded questions, the
# answers of that backend, and what reached the clusters. Where ours differ,
# t/contract/differences says so and why, and is held to it.
#
#	STAGEDOOR_CASES=FOLDER		other cases of the same form
#	STAGEDOOR_CASE=WORD		those whose name has the word
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Contract;

my $contract = Stagedoor::Contract->new;
my @cases = $contract->cases($ENV{STAGEDOOR_CASE});
diag 'ports of the cases are taken: all shifted by '
    . $contract->shift_of_ports if $contract->shift_of_ports;

my %out;
for my $case (@cases) {
	my $why = $contract->out_of_scope($case);
	if (defined $why) {
		$out{$why}++;
		next;
	}
	my $result = $contract->judge($case);
	if ($result->{skip}) {
		skip_one("$case->{id}: $result->{skip}");
		next;
	}
	ok $result->{ok}, "$case->{id}: $result->{how}"
	    or diag join "\n", @{$result->{lines}};
}
note "$out{$_} cases not in scope yet: $_" for sort keys %out;

if (!$contract->is_foreign && !defined $ENV{STAGEDOOR_CASE}) {
	my %there = map { $_->{name} => 1 } @cases;
	my @gone = grep { !$there{$_} } $contract->listed;
	is "@gone", '', 'every listed difference is of a case that is here';
}
done_testing;
