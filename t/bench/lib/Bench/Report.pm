# SPDX-License-Identifier: Apache-2.0
package Bench::Report;

# What the benchmark prints: a line for each leg as it comes, and the ratios
# with their bars at the end.

use strict;
use warnings;

my $columns = "%-22s %-22s %10s %12s %9s %9s %6s\n";

sub new {
	my ($class, %of) = @_;
	my $load = load();
	print "# other work on this machine (load $load): the figures are ",
	    "shaky\n" if $load > 0.7;
	printf $columns, 'what', 'who', 'req/s', 'CPU s/1000', 'p50 ms',
	    'p99 ms', 'bad';
	return bless { %of, lines => [], missed => 0 }, $class;
}

sub load {
	open my $file, '<', '/proc/loadavg' or return 0;
	return (split ' ', <$file>)[0];
}

sub leg {
	my ($self, $title, $name, $leg) = @_;
	printf $columns, $title, $name, map { number($_) }
	    @$leg{qw(rate cpu p50 p99 bad)};
	$self->{bad} += $leg->{bad};
}

# Three digits that count.
sub number {
	my ($n) = @_;
	return $n == 0 ? '0' : $n >= 100 ? sprintf '%.0f', $n :
	    $n >= 10 ? sprintf '%.1f', $n : $n >= 1 ? sprintf '%.2f', $n :
	    sprintf '%.3g', $n;
}

sub line {
	my ($self, $text, $value, $verdict) = @_;
	push @{$self->{lines}}, sprintf "%-72s %8s  %s\n", $text, $value,
	    $verdict // '';
}

# A figure for its own sake.
sub ratio {
	my ($self, $text, $value) = @_;
	$self->line($text, number($value));
}

sub verdict {
	my ($self, $word, $bar, $good) = @_;
	$self->{missed}++ if !$good;
	return "bar: $word $bar, " . ($good ? 'pass' : 'MISS');
}

# At least that; undef: not measured, for want of the peer.
sub bar {
	my ($self, $text, $bar, $value) = @_;
	return $self->line($text, '-', "bar: at least $bar (PEER=backstage)")
	    if !defined $value || $value eq '';
	$self->line($text, number($value),
		$self->verdict('at least', $bar, $value >= $bar));
}

# Less than that.
sub limit {
	my ($self, $text, $value, $limit) = @_;
	$self->line($text, number($value),
		$self->verdict('below', $limit, $value < $limit));
}

# Is it so?
sub check {
	my ($self, $text, $good) = @_;
	$self->line($text, $good ? 'yes' : 'no',
		$self->verdict('is', 'yes', $good));
}

sub finish {
	my ($self) = @_;
	print "\n", @{$self->{lines}}, "\n";
	print "answers that were errors: $self->{bad}\n" if $self->{bad};
	print $self->{missed} ? "bars missed: $self->{missed}\n" :
	    "every bar that was measured is met\n";
}

1;
