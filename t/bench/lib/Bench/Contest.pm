# SPDX-License-Identifier: Apache-2.0
package Bench::Contest;

# Contestants that take turns: legs for each, several rounds, the median of
# what they say. Whoever else uses the machine slows all of them.

use strict;
use warnings;
use Bench::Upstream;
use Bench::Wrk qw(leg median);

my $users = 8;

# report, seconds (of a leg), rounds, cold (do not warm up).
sub new {
	my ($class, %of) = @_;
	return bless { %of }, $class;
}

sub users { return $users }
sub report { return $_[0]{report} }
sub seconds { return $_[0]{seconds} }
sub rounds { return $_[0]{rounds} }

# A contestant: name, and what Bench::Wrk::leg takes. A summary of each.
sub hold {
	my ($self, $title, @contestants) = @_;
	my @legs;
	$self->warm($_) for @contestants;
	for (1 .. $self->{rounds}) {
		for my $i (0 .. $#contestants) {
			push @{$legs[$i]}, leg(%{$contestants[$i]},
				seconds => $contestants[$i]{seconds} //
				    $self->{seconds});
		}
	}
	return map { $self->_summary($title, $contestants[$_]{name},
	    $legs[$_]) } 0 .. $#contestants;
}

sub warm {
	my ($self, $contestant) = @_;
	leg(%$contestant, seconds => 1) if !$self->{cold};
}

# The median of each figure; legs keeps them all, in the order of rounds.
sub _summary {
	my ($self, $title, $name, $legs) = @_;
	my %median = (legs => $legs, name => $name, bad => 0);
	for my $figure (qw(rate cpu p50 p99)) {
		$median{$figure} = median(map { $_->{$figure} } @$legs);
	}
	$median{bad} += $_->{bad} for @$legs;
	$self->{report}->leg($title, $name, \%median);
	return \%median;
}

# How the figures of two contestants compare: the median of what each round
# says, for what else the machine does changes from round to round. undef
# where there is no second one.
sub quotient {
	my ($self, $figure, $above, $below) = @_;
	return undef if !$above || !$below;
	return median(map {
		my $under = $below->{legs}[$_]{$figure};
		$under ? $above->{legs}[$_]{$figure} / $under : 0;
	} 0 .. $self->{rounds} - 1);
}

# --- Contestants ------------------------------------------------------------

# Queries about many entities, no two at once alike.
sub query {
	my ($system, $users) = @_;
	return { name => $system->{name}, kind => 'query', users => $users,
		argument => Bench::Upstream::entities(),
		url => "$system->{url}/resources/workloads/query",
		processes => $system->{processes} };
}

# The same query from everybody.
sub same {
	my ($system, $users) = @_;
	return { %{query($system, $users)}, kind => 'same',
		argument => 'shop' };
}

sub proxy {
	my ($system) = @_;
	return { name => $system->{name}, kind => 'get', users => $users,
		headers => [ 'Backstage-Kubernetes-Cluster: c1' ],
		url => "$system->{url}/proxy/version",
		processes => $system->{processes} };
}

sub plain {
	my ($system, %of) = @_;
	my $front = $system->{front};
	return { name => 'proxy_pass', users => $users, %of,
		url => $front->{plain_url} . ($of{url} // ''),
		processes => [ $front->{process} ] };
}

1;
