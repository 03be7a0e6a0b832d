# SPDX-License-Identifier: Apache-2.0
# Prometheus' text format, version 0.0.4, read strictly, as the page
# "Exposition formats" of its documentation has it.
#
#	my $m = Stagedoor::Exposition->parse($text);
#	is "@{$m->wrong}", '';				what is not as it should
#	$m->value('name', label => 'value')		one sample; 0 if none
#	$m->sum('name', label => 'value')		all that have the label
#	$m->samples		[NAME, { LABELS }, VALUE] of each
#	$m->family('name')	{ type, help, labels => { NAME => 1 } }
package Stagedoor::Exposition;

use strict;
use warnings;

my $NAME = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $VALUE = qr/[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|Inf)|NaN/i;

sub parse {
	my ($class, $text) = @_;
	my $self = bless { samples => [], families => {}, wrong => [],
	    seen => {} }, $class;
	push @{$self->{wrong}}, 'the last line does not end'
	    if $text !~ /\n\z/;
	push @{$self->{wrong}}, 'not UTF-8' if !utf8::decode($text);
	my $n = 0;
	for my $line (split /\n/, $text) {
		$n++;
		my $why = $self->_line($line) // next;
		push @{$self->{wrong}}, "line $n: $why: $line";
	}
	$self->_histograms;
	return $self;
}

sub wrong { return $_[0]{wrong} }
sub samples { return $_[0]{samples} }
sub family { return $_[0]{families}{$_[1]} }
sub families { return $_[0]{families} }

# undef, or what is wrong with it.
sub _line {
	my ($self, $line) = @_;
	return $self->_help($1, $2) if $line =~ /^# HELP ($NAME) (.*)$/;
	return $self->_type($1, $2) if $line =~ /^# TYPE ($NAME) (\w+)$/;
	return undef if $line =~ /^#(?! HELP| TYPE)/ || $line eq '';
	return 'no sample' if $line !~ /^($NAME)(?:\{(.*)\})? ($VALUE)$/;
	my ($name, $text, $value) = ($1, $2 // '', $3);
	my %labels;
	while ($text =~ s/^($LABEL)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|\z)//) {
		my ($label, $escaped) = ($1, $2);
		return "label $label twice" if exists $labels{$label};
		$labels{$label} = $escaped
		    =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ger;
	}
	return 'bad labels' if $text ne '';
	return $self->_sample($name, \%labels, $value);
}

sub _help {
	my ($self, $name, $help) = @_;
	return 'a second HELP' if $self->{families}{$name};
	return 'a bad escape' if $help =~ /\\(?![\\n])/;
	$self->{families}{$name} = { help => $help, labels => {} };
	return undef;
}

sub _type {
	my ($self, $name, $type) = @_;
	my $family = $self->{families}{$name} or return 'TYPE without HELP';
	return 'a second TYPE' if $family->{type};
	return 'no such type'
	    if $type !~ /^(?:counter|gauge|histogram|summary|untyped)$/;
	return 'a counter not named _total'
	    if $type eq 'counter' && $name !~ /_total$/;
	return 'a gauge named _total'
	    if $type ne 'counter' && $name =~ /_total$/;
	$family->{type} = $type;
	$self->{current} = $name;
	return undef;
}

sub _sample {
	my ($self, $name, $labels, $value) = @_;
	my $of = $self->{current} // '';
	my $type = $self->{families}{$of}{type} // '';
	my $suffix = $type eq 'histogram' ? qr/_(?:bucket|sum|count)/ : qr//;
	return 'not of the family before it' if $name !~ /^\Q$of\E$suffix$/;
	return 'a bucket without le'
	    if $name =~ /_bucket$/ && !exists $labels->{le};
	return 'a counter below nothing' if $type eq 'counter' && $value < 0;
	my $key = join "\0", $name, map { ($_, $labels->{$_}) }
	    sort keys %$labels;
	return 'twice' if $self->{seen}{$key}++;
	push @{$self->{samples}}, [$name, $labels, $value];
	$self->{families}{$of}{labels}{$_} = 1 for keys %$labels;
	return undef;
}

# Buckets grow, the last is +Inf and as large as the count.
sub _histograms {
	my ($self) = @_;
	my %of;
	for my $sample (@{$self->{samples}}) {
		my ($name, $labels, $value) = @$sample;
		my ($base, $part) = $name =~ /^(.*)_(bucket|sum|count)$/
		    or next;
		next if ($self->{families}{$base}{type} // '') ne 'histogram';
		my $key = join ' ', $base, map { "$_=$labels->{$_}" }
		    grep { $_ ne 'le' } sort keys %$labels;
		push @{$of{$key}{$part}}, [$labels->{le}, $value];
	}
	for my $key (sort keys %of) {
		my @buckets = @{$of{$key}{bucket} // []};
		my $bad = !@buckets || $buckets[-1][0] ne '+Inf'
		    || !$of{$key}{sum} || !$of{$key}{count}
		    || $of{$key}{count}[0][1] != $buckets[-1][1]
		    || grep({ $buckets[$_][1] < $buckets[$_ - 1][1] }
			1 .. $#buckets);
		push @{$self->{wrong}}, "histogram $key" if $bad;
	}
}

sub _matching {
	my ($self, $name, %labels) = @_;
	return grep {
		my $sample = $_;
		$sample->[0] eq $name && !grep {
			($sample->[1]{$_} // '') ne $labels{$_}
		} keys %labels;
	} @{$self->{samples}};
}

sub sum {
	my ($self, @which) = @_;
	my $sum = 0;
	$sum += $_->[2] for $self->_matching(@which);
	return $sum;
}

sub value {
	my ($self, @which) = @_;
	my @found = $self->_matching(@which);
	die "several samples: @which\n" if @found > 1;
	return @found ? $found[0][2] : 0;
}

1;
