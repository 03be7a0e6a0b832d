# SPDX-License-Identifier: Apache-2.0
package Bench::Curves;

# Requests per second and p99 over something, for each contestant, drawn by
# gnuplot into an SVG file.

use strict;
use warnings;
use Stagedoor::Util qw(run_command write_file);

# name (of the file), over (the title of the axis), folder.
sub new {
	my ($class, %of) = @_;
	return bless { %of, points => {}, names => [] }, $class;
}

# One leg of a contestant.
sub add {
	my ($self, $name, $x, $leg) = @_;
	push @{$self->{names}}, $name if !$self->{points}{$name};
	push @{$self->{points}{$name}}, [ $x, @$leg{qw(rate p99)} ];
}

# The file, or undef and why not.
sub draw {
	my ($self) = @_;
	my $base = "$self->{folder}/bench-$self->{name}";
	my @plots;
	for my $i (0 .. $#{$self->{names}}) {
		my $name = $self->{names}[$i];
		write_file("$base-$i.dat", join '', map { "@$_\n" }
		    sort { $a->[0] <=> $b->[0] } @{$self->{points}{$name}});
		push @plots, [ $name, "$base-$i.dat" ];
	}
	write_file("$base.gnuplot", script($self, "$base.svg", @plots));
	my $run = run_command([ 'gnuplot', "$base.gnuplot" ]);
	die "gnuplot: $run->{err}" if $run->{code};
	return "$base.svg";
}

sub script {
	my ($self, $to, @plots) = @_;
	my $lines = sub {
		my ($column) = @_;
		return join ', ', map { "'$_->[1]' using 1:$column with "
		    . "linespoints linewidth 2 title '$_->[0]'" } @plots;
	};
	return <<"END";
set terminal svg size 800,800 background 'white'
set output '$to'
set multiplot layout 2,1
set logscale xy
set grid
set xlabel '$self->{over}'
set ylabel 'requests per second'
plot @{[ $lines->(2) ]}
set ylabel 'p99, ms'
plot @{[ $lines->(3) ]}
END
}

1;
