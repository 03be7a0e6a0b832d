# SPDX-License-Identifier: Apache-2.0
# Request targets as browsers' rules read them: dot segments resolved,
# form-encoded queries.
package Stagedoor::Fake::URL;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(escape path_of query_of unescape);

sub unescape {
	my ($text) = @_;
	$text =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
	return $text;
}

sub escape {
	my ($text) = @_;
	$text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
	return $text;
}

# The path of a target, without dot segments; a leading "//" names a host.
sub path_of {
	my ($target) = @_;
	$target =~ s/[?#].*//s;
	$target =~ s{^//[^/]*}{};
	my @out;
	my @segments = split m{/}, $target, -1;
	shift @segments;
	for my $i (0 .. $#segments) {
		my $dots = $segments[$i] =~ s/%2e/./gir;
		if ($dots eq '..') {
			pop @out;
		} elsif ($dots ne '.') {
			push @out, $segments[$i];
			next;
		}
		push @out, '' if $i == $#segments;
	}
	return '/' . join '/', @out;
}

# The first value of each name of a query.
sub query_of {
	my ($query) = @_;
	my %values;
	for my $pair (grep { $_ ne '' } split /&/, $query) {
		my ($name, $value) = map { tr/+/ /r } split /=/, $pair, 2;
		$name = unescape($name);
		$values{$name} //= unescape($value // '');
	}
	return \%values;
}

1;
