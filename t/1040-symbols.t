#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The program gives no function to the dynamic linker that a library has too:
# the library would call ours in place of its own. libconfig 1.5 exports a
# strbuf_release, and had its stack overwritten by ours.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

Test::More::plan(skip_all => 'sanitizers replace functions on purpose')
    if ($ENV{SANITIZERS} // '') !~ /^(?:no)?$/;
my $nm = program('nm');
my $ldd = program('ldd');
my $bin = Stagedoor::Util::stagedoor_bin();

sub exported {
	my ($file) = @_;
	my $run = run_command([$nm, '-D', '--defined-only', $file]);
	return map { /^\S+ [TWDBRV] (\w+)/ ? $1 : () } split /\n/, $run->{out};
}

my %ours = map { $_ => 1 } exported($bin);
delete @ours{qw(_init _fini _end _edata __bss_start _IO_stdin_used)};
my @libraries = run_command([$ldd, $bin])->{out} =~ m{=> (/\S+)}g;
cmp_ok scalar @libraries, '>', 5, 'libraries were found';
for my $library (grep { !m{/(?:libc|libm|ld-)[.-]} } @libraries) {
	my @both = grep { $ours{$_} } exported($library);
	my ($name) = $library =~ m{([^/]+)$};
	is "@both", '', "$name keeps its own functions";
}
done_testing;
