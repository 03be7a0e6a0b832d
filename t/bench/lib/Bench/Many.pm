# SPDX-License-Identifier: Apache-2.0
package Bench::Many;

# As many clusters as there are ports: what one that hangs costs the others.

use strict;
use warnings;
use Bench::Servers;
use Bench::Wrk qw(median);
use IO::Socket::INET;
use Stagedoor::JSON qw(decode_json);
use Time::HiRes qw(time);

# servers, contest, clusters (how many), hung (its deadline in seconds).
sub new {
	my ($class, %of) = @_;
	my $servers = $of{servers};
	my $n = $of{clusters};
	# It takes connections, by the kernel's leave, and never says a word.
	my $hung = IO::Socket::INET->new(Listen => 512,
		LocalAddr => '127.0.0.1') or die "no free port: $!";
	my @good = $servers->clusters($n);
	my $bad = $servers->cluster('hung',
		'http://127.0.0.1:' . $hung->sockport);
	my $start = sub {
		my ($name, @clusters) = @_;
		my $system = $servers->start_pool($name,
			limits => { cluster => $of{hung} },
			clusters => \@clusters);
		$servers->first_answer($system);	# and the breaker opens
		return $system;
	};
	return bless { %of, socket => $hung, report => $of{contest}->report,
		all => $start->("all-$n", @good),
		one_hangs => $start->("hung-$n", @good[0 .. $n - 2], $bad) },
		$class;
}

sub all { return $_[0]{all} }

# (seconds, rows without an error).
sub query {
	my ($system) = @_;
	my $began = time;
	my $answer = Bench::Servers::query($system->{url})
	    // die "no answer of $system->{name}\n";
	my $seconds = time - $began;
	return ($seconds, scalar grep { !@{$_->{errors}} }
	    @{decode_json($answer)->{items}});
}

sub measure {
	my ($self) = @_;
	my (@with, @without, $good, $most);
	for (1 .. $self->{contest}->rounds) {
		(my $seconds, $most) = query($self->{all});
		push @without, $seconds;
		($seconds, $good) = query($self->{one_hangs});
		push @with, $seconds;
	}
	my $n = $self->{clusters};
	my $text = "one hung cluster of $n";
	$self->{report}->limit("$text: seconds of a query, by those without",
		median(map { $with[$_] / $without[$_] } 0 .. $#with), 1.1);
	$self->{report}->check("$text: all others answer ($good of " .
		($n - 1) . ", of $most where none hangs)", $good == $n - 1);
	$self->{report}->ratio("$n clusters: seconds of a query",
		median(@without));
}

1;
