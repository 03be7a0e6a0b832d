#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What HACKING.md says about adding a provider is done as it stands there: its
# files are written, its commands run, and the providers open a cluster.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $top = top();
my $dir = tempdir();
my $work = "$dir/work";
my @cc = split ' ', $ENV{CC} || 'cc';
program($_) for $cc[0], 'sed';
umask 022;
mkdir $work or die "work: $!";

my ($chapter) = slurp("$top/HACKING.md")
    =~ /^## Adding a provider\n(.*?)^## /ms;
my @ways = split /^### .*\n/m, $chapter;
shift @ways;
is scalar @ways, 3, 'there are three ways';
cmp_ok scalar(() = $_ =~ /\n/g), '<', 70, 'each in a page' for @ways;

# [file name or '', text] of each fenced block.
sub blocks {
	my ($text) = @_;
	my @blocks;
	push @blocks, [$2 // '', $3] while $text
	    =~ /^```(\w+)(?: file=(\S+))?\n(.*?)^```$/msg;
	return @blocks;
}

my $fake = fake(clusters => [{ name => 'one',
    tokens => [qw(token-of-one token-of-object token-of-tree)] }]);
my $url = $fake->url('one');

# The addresses of an example are nobody's.
sub put {
	my ($name, $text) = @_;
	$text =~ s{https://one\.example\.org}{$url}g;
	$text =~ s{/etc/stagedoor/}{$work/etc/}g;
	write_file("$work/$name", $text);
}

sub commands {
	my ($text) = @_;
	my $bin = Stagedoor::Util::stagedoor_bin();
	my ($folder) = $bin =~ m{(.*)/};
	return run_command(['/bin/sh', '-c', "set -e; cd $work\n$text"],
	    env => { PATH => "$folder:$ENV{PATH}" });
}

sub try_way {
	my ($what, $text) = @_;
	for my $block (blocks($text)) {
		my ($file, $body) = @$block;
		if ($file ne '') {
			put($file, $body);
			next;
		}
		my $run = commands($body);
		is $run->{code}, 0, "$what: its commands work"
		    or diag "$run->{out}$run->{err}";
	}
}

sub opens {
	my ($conf, $want, $what) = @_;
	my $text = slurp("$work/$conf") . <<'END';
backend = { baseUrl = "http://127.0.0.1:1";
	auth = { dangerouslyDisableDefaultAuthPolicy = true; }; };
END
	write_file("$work/full-$conf", $text);
	my $pool = pool(config => "$work/full-$conf");
	$fake->reset;
	my $answer = get($pool, '/clusters/one/proxy/version');
	is $answer->{status}, 200, "$what: it opens its cluster"
	    or diag $answer->{body};
	is $fake->last_request('one')->{headers}{authorization},
	    "Bearer $want", "$what: with its token";
	$pool->stop;
}

# The tree, as far as it is needed: a copy that may be changed.
mkdir "$work/src" or die "src: $!";
run_command(['cp', '-R', map({ "$top/$_" } qw(fcgi providers Makefile.am)),
    "$work/src"]);
mkdir $_ or die "$_: $!" for "$work/etc", "$work/etc/tokens";
write_file("$work/etc/tokens/one", "token-of-object\n");
write_file("$work/etc/token", "token-of-tree\n");

try_way('script', $ways[0]);
opens('exec.conf', 'token-of-one', 'script');
try_way('object', $ways[1]);
opens('plugin.conf', 'token-of-object', 'object');

# --- C in the tree ----------------------------------------------------------

try_way('tree', $ways[2]);
run_command(['cp', '-R', "$top/t", "$work/src/t"]);
my $lint = run_command([$^X, "$top/t/0110-lint-providers.t"],
    env => { top_srcdir => "$work/src" });
like $lint->{out}, qr/^not ok .* - mine has a test$|^ok .* mine has a test/m,
    'the lint test looks at it';
is scalar(grep { !/mine has a test/ } $lint->{out} =~ /^not ok.*$/mg), 0,
    'and finds nothing else to be missing' or diag $lint->{out};

# The program, with two files of the copy in place of ours.
my $build = $ENV{top_builddir};

sub libraries {
	write_file("$dir/print.mk", "include Makefile\nprint-libs:\n"
	    . "\t\@echo \$(AM_LDFLAGS) \$(LDFLAGS) \$(program_libs)\n");
	my $run = run_command([program('make'), '-s', '-C', $build, '-f',
	    "$dir/print.mk", 'print-libs']);
	chomp $run->{out};
	return $run->{out};
}

sub link_program {
	my ($out) = @_;
	return run_command(['/bin/sh', '-c', "cd $build && exec @cc "
	    . '-std=gnu11 -Wall -Wextra -Werror -DHAVE_CONFIG_H -I. '
	    . "-I$work/src/fcgi -I$work/src/providers -o $out "
	    . "fcgi/stagedoor.o $work/src/providers/registry.c "
	    . "$work/src/providers/mine.c " . libraries()], timeout => 120);
}

if (defined $build && -e "$build/fcgi/stagedoor.o") {
	my $run = link_program("$dir/mine");
	is $run->{code}, 0, 'tree: it compiles' or diag $run->{err};
	my $conf = slurp("$work/plugin.conf");
	$conf =~ s/^stagedoor.*?\}; \} \); \};\n//ms;
	unlike $conf, qr/mine\.so/, 'tree: no object is in the settings';
	write_file("$work/tree.conf", $conf);
	local $ENV{STAGEDOOR_BIN} = "$dir/mine";
	opens('tree.conf', 'token-of-tree', 'tree');
} else {
	skip_one('no build folder is known (top_builddir)');
}
done_testing;
