#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The build knows every source file: one that is not listed in Makefile.am
# would be missing from the program, or from the archive, and nobody would
# see it until later.
use strict;
use warnings;
use Test::More;

my $top = $ENV{top_srcdir} || '.';

sub slurp {
	open my $fh, '<', shift or die "$!";
	local $/;
	return scalar <$fh>;
}

my $makefile = slurp("$top/Makefile.am");
my %listed;
my ($sources) = $makefile =~ m{(^libstagedoor_a_SOURCES = .*?)^\s*$}ms;
my ($tests) = $makefile =~ m{(^UNIT_TESTS = .*?)^\s*$}ms;
my $lists = "$sources$tests";
$listed{$1}++ while $lists =~ m{^\t((?:fcgi|providers|t/unit)/\S+)}mg;
$listed{'fcgi/stagedoor.c'}++
    if $makefile =~ m{^stagedoor_SOURCES = fcgi/stagedoor\.c$}m;

for my $path (sort glob("$top/fcgi/*.[ch] $top/providers/*.[ch]"
	. " $top/t/unit/test_*.c")) {
	my $name = substr $path, length($top) + 1;
	$name =~ s/\.c$// if $name =~ m{^t/unit/};
	is $listed{$name}, 1, "$name is listed once in Makefile.am";
}
is join(' ', grep { !-e "$top/$_" && !-e "$top/$_.c" } sort keys %listed), '',
    'and nothing is listed that is not there';

for my $list (qw(libstagedoor_a_SOURCES UNIT_TESTS)) {
	my ($text) = $makefile =~ m{^$list = \\\n((?:\t.*\\\n)*)}m;
	my @names = $text =~ m{^\t(\S+) \\$}mg;
	@names = grep { $_ ne '$(empty)' } @names;
	is_deeply \@names, [sort @names], "$list is in alphabetical order";
}
done_testing;
