#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A provider is one file, one line in the registry, one line in Makefile.am,
# and a test: what is forgotten is said.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $top = top();
my $registry = slurp("$top/providers/registry.c");
my $makefile = slurp("$top/Makefile.am");

my %name_of = $registry =~ /^\s*X\((\w+), "(\w+)"\)/mg;
cmp_ok scalar keys %name_of, '>=', 10, 'the registry has providers';

my %file_of;
for my $file (glob "$top/providers/*.c") {
	my $text = slurp($file);
	my ($base) = $file =~ m{([^/]+)\.c$};
	while ($text
	    =~ /^const struct provider_ops provider_(\w+) = \{(.*?)^\}/msg) {
		my ($id, $body) = ($1, $2);
		$file_of{$id} = $base;
		is $id, $base, "$base.c shows the ops of its name";
		like $body, qr/^\t\.name = "\Q$name_of{$id}\E",/m,
		    'under the name of the registry' if $name_of{$id};
		is scalar(() = $body =~ /^\t[^.\t\}]/mg), 0,
		    'with designated initialisers';
		like substr($text, -3), qr/^\};?\n|;\n$/, 'at its very end';
	}
}
for my $id (sort keys %file_of) {
	ok $name_of{$id}, "$id has its line in registry.c";
	like $makefile, qr{^\tproviders/$file_of{$id}\.c \\$}m,
	    'and one in Makefile.am';
}

for my $id (sort keys %name_of) {
	ok $file_of{$id}, "$id has a file";
}

my @tests = map { slurp($_) } glob("$top/t/[0-9]*.t"),
    glob("$top/t/unit/test_*.c");
for my $id (sort keys %file_of) {
	my $name = $name_of{$id} // next;
	ok scalar(grep { /\b\Q$name\E\b/ || /provider_$id\b/ } @tests),
	    "$name has a test";
}

done_testing;
