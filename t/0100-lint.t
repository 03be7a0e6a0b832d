#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The house style, as far as a program can see it: how long files, functions
# and lines are, what each file begins with, what may not be in the tree.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use File::Find qw(find);

use constant { FILE_MAX => 800, FILE_LONG => 500, FUNCTION_MAX => 80,
    WIDTH => 80, PARAMETERS => 5 };

my $top = top();
my %lines;		# file name => its lines

sub lines_of {
	my ($name) = @_;
	return @{$lines{$name} //= [split /\n/, slurp("$top/$name"), -1]};
}

# The project's own files: text, not data, and nothing that a build made.
sub our_files {
	my @names;
	my @trees = grep { -e "$top/$_" }
	    qw(.ci fcgi providers nginx etc t start check README.md HACKING.md
	    Makefile.am configure.ac autogen.sh .clang-format .gitignore);
	find({ no_chdir => 1, wanted => sub {
		my $name = substr $_, length("$top/");
		push @names, $name if -f && is_ours($name);
	} }, map { "$top/$_" } @trees);
	return sort @names;
}

sub is_ours {
	my ($name) = @_;
	return 0 if $name =~ m{(?:^|/)(?:\.deps|\.dirstamp)(?:/|$)};
	return 0 if $name =~ m{\.(?:o|a|log|trs|tmp|gcda|gcno)$|~$};
	return 0 if $name =~ m{^t/unit/test_} && $name !~ /\.c$/;
	return -T "$top/$name";
}

sub is_data {
	my ($name) = @_;
	return $name =~ m{\.(?:json|jsonl|sum|mod|pem|bin|yaml|txt|csv)$}
	    || $name =~ m{^t/(?:contract/cases|fuzz/.*corpus|.*/?data)/}
	    || $name =~ m{/packages$};
}

my @all = our_files();
my @text = grep { !is_data($_) } @all;
my @c = grep { /\.c$/ } @text;
my @headers = grep { /\.h$/ } @text;
my @perl = grep { /\.(?:pm|t|pl)$/ || (lines_of($_))[0] =~ /^#!.*perl/ }
    @text;
cmp_ok scalar @c, '>', 10, 'C files were found';
cmp_ok scalar @perl, '>', 10, 'Perl files were found';

# One line of TAP for all files: the offences, if any.
sub none_is {
	my ($what, @offences) = @_;
	is scalar @offences, 0, $what
	    or diag join "\n", map { "  $_" } @offences;
}

# --- Files ------------------------------------------------------------------

sub unlicensed {
	return grep {
		my @first = (lines_of($_))[0, 1];
		my $at = ($first[0] // '') =~ /^#!/ ? 1 : 0;
		($first[$at] // '') !~ m{SPDX-License-Identifier: Apache-2\.0}
	} grep { !/\.md$|^\.gitignore$|^\.clang-format$/ } @text;
}
none_is('every file says its licence in its first line', unlicensed());

my @code = (@c, @headers, @perl);
none_is('no file is longer than ' . FILE_MAX . ' lines', map {
	my $n = () = lines_of($_);
	note "$_ has $n lines" if $n > FILE_LONG && $n <= FILE_MAX;
	$n > FILE_MAX ? "$_: $n lines" : ();
} @code);

sub width {
	my ($line) = @_;
	utf8::decode($line);
	1 while $line =~ s/\t/' ' x (8 - $-[0] % 8)/e;
	return length $line;
}
none_is('no line is wider than ' . WIDTH . ' columns', map {
	my $name = $_;
	my $n = 0;
	map { $n++; width($_) > WIDTH ? "$name:$n: " . width($_) : () }
	    lines_of($name);
} @code);

none_is('no line ends with a blank, no file without a newline', map {
	my $name = $_;
	my ($n, @at) = (0);
	for (lines_of($name)) {
		$n++;
		push @at, "$name:$n" if /[ \t\r]$/;
	}
	push @at, "$name: no newline at its end"
	    if ((lines_of($name))[-1] // '') ne '';
	@at;
} grep { !/\.md$/ } @text);

# --- C ----------------------------------------------------------------------

none_is('base.h comes first', map {
	my ($first) = map { /^#\s*include\s+(\S+)/ ? $1 : () } lines_of($_);
	($first // '') eq '"base.h"' ? () : "$_: " . ($first // 'nothing');
} grep { m{^(?:fcgi|providers|t/unit)/} && !m{^providers/example/} } @c);

# [name, line, lines, parameters] of each function, by its brace.
sub c_functions {
	my ($name) = @_;
	my @lines = lines_of($name);
	my (@found, $start);
	for my $i (0 .. $#lines) {
		$start = $i if $lines[$i] eq '{';
		next if $lines[$i] !~ /^\}/ || !defined $start;
		push @found, c_function(\@lines, $start, $i);
		undef $start;
	}
	return @found;
}

sub c_function {
	my ($lines, $start, $end) = @_;
	my $head = '';
	for (my $i = $start - 1; $i >= 0; $i--) {
		last if $lines->[$i] =~ m{^$|^[#\}]|\*/$|;$};
		$head = "$lines->[$i] $head";
	}
	my ($name, $parameters) = $head =~ /(\w+)\((.*)\)/;
	$parameters //= '';
	$parameters =~ s/\([^()]*\)|,\s*\.\.\.//g;
	my $n = $parameters =~ /^\s*(?:void)?\s*$/ ? 0
	    : 1 + ($parameters =~ tr/,//);
	return { name => $name // '?', line => $start + 1,
	    lines => $end - $start + 1, parameters => $n };
}

my (@too_long, @too_many, $functions, $total);
for my $file (@c) {
	for my $f (c_functions($file)) {
		$functions++;
		$total += $f->{lines};
		push @too_long, "$file:$f->{line}: $f->{name}: $f->{lines}"
		    if $f->{lines} > FUNCTION_MAX;
		push @too_many, "$file:$f->{line}: $f->{name}"
		    if $f->{parameters} > PARAMETERS;
	}
}
note sprintf '%d functions in C, %.1f lines each', $functions,
    $total / $functions;
none_is('no function is longer than ' . FUNCTION_MAX . ' lines', @too_long);
none_is('none has more than ' . PARAMETERS . ' parameters', @too_many);

# Text without comments and strings.
sub bare {
	my ($name) = @_;
	my $text = join "\n", lines_of($name);
	$text =~ s{(/\*.*?\*/)|("(?:[^"\\\n]|\\.)*")|('(?:[^'\\\n]|\\.)*')}
	    {defined $1 ? $1 =~ s/[^\n]//gr : '""'}gesx;
	return $text;
}

sub grep_bare {
	my ($pattern, @names) = @_;
	my @found;
	for my $name (@names) {
		my $n = 0;
		for (split /\n/, bare($name)) {
			$n++;
			push @found, "$name:$n: $&" if /$pattern/;
		}
	}
	return @found;
}

my $banned = join '|', qw(strcpy strcat strncpy strncat sprintf vsprintf
    strtok gmtime localtime atoi atol alloca gets system popen tmpnam);
none_is('no call that is easy to get wrong',
    grep_bare(qr/\b(?:$banned)\s*\(/, grep { !/banned\.h$/ } @c, @headers));
none_is('memory comes from xmalloc and its like',
    grep_bare(qr/(?<![\w.>])(?:malloc|calloc|realloc|strdup|strndup)\s*\(/,
    grep { m{^(?:fcgi|providers)/} && !m{/base\.[ch]$} } @c, @headers));
none_is('no typedef of a struct',
    grep_bare(qr/\btypedef\s+(?:struct|union)\b/, @c, @headers));
none_is('only transfer.c and its kin set curl options',
    grep_bare(qr/\bcurl_easy_setopt\b/,
    grep { m{^(?:fcgi|providers)/} && !m{^fcgi/transfer} } @c));
none_is('wiping is OPENSSL_cleanse: a compiler drops memset',
    grep_bare(qr/\b(?:bzero|explicit_bzero|memset_s)\s*\(/, @c));

# --- Headers compile alone --------------------------------------------------

SKIP: {
	my ($cc) = split ' ', $ENV{CC} // 'cc';
	my $path = have_program($cc) // have_program('cc');
	skip_one('no C compiler'), last SKIP if !$path;
	my @flags = split ' ', `pkg-config --cflags json-c libcurl 2>/dev/null`;
	my @failed;
	for my $header (grep { m{^(?:fcgi|providers)/} } @headers) {
		my ($name) = $header =~ m{([^/]+)$};
		my $file = write_file(tempdir() . '/alone.c',
		    qq(#include "base.h"\n#include "$name"\n),
		    qq(#include "$name"\n));
		my $run = run_command([$path, '-std=gnu11', '-Wall', '-Wextra',
		    '-Werror', '-fsyntax-only', "-I$top/fcgi",
		    "-I$top/providers", @flags, $file]);
		push @failed, "$header: $run->{err}" if $run->{code} != 0;
	}
	none_is('every header compiles alone, and twice', @failed);
}

# --- Perl -------------------------------------------------------------------

none_is('Perl is strict', grep {
	my $text = join "\n", lines_of($_);
	$text !~ /^use (?:strict|Stagedoor::Test)\b/m
} @perl);

none_is('no Perl sub is longer than ' . FUNCTION_MAX . ' lines', map {
	my $name = $_;
	my ($n, $start, $sub, @long) = (0);
	for (lines_of($name)) {
		$n++;
		($start, $sub) = ($n, $1) if /^sub (\w+)/;
		next if !/^\}/ || !defined $start;
		push @long, "$name:$start: $sub"
		    if $n - $start + 1 > FUNCTION_MAX;
		undef $start;
	}
	@long;
} @perl);

none_is('a test is named NNNN-topic.t',
    grep { m{^t/[^/]*\.t$} && !m{^t/\d{4}-[a-z0-9-]+\.t$} } @all);

# --- What is shipped, and what is not ---------------------------------------

my $makefile = join "\n", lines_of('Makefile.am');
my ($dist) = $makefile =~ /^DIST_TREES = (.*)$/m;
my ($extra) = $makefile =~ /^EXTRA_DIST = (.*)$/m;
my %shipped = map { $_ => 1 } split(' ', "$dist $extra"), qw(fcgi providers
    Makefile.am configure.ac .gitignore);
none_is('everything is in the archive', grep { !$shipped{$_} }
    do { my %tops = map { m{^([^/]+)} => 1 } @all; sort keys %tops });

# Spelled so that this file does not hold them itself.
my @machine = ('/wor' . 'k/(?:main|shared)\b', '\.\./sha' . 'red\b',
    '/ro' . 'ot/', '/ho' . 'me/(?!user\b|alice\b)[a-z]+/');
my $machine = join '|', @machine;
none_is('no path of one machine', grep_all(qr/$machine/, @all));
my $later = join '|', 'TO' . 'DO', 'FIX' . 'ME', 'XX' . 'X:', 'HA' . 'CK:';
none_is('nothing is left for later', grep_all(qr/\b(?:$later)/, @text));

sub grep_all {
	my ($pattern, @names) = @_;
	my @found;
	for my $name (@names) {
		my $n = 0;
		for (lines_of($name)) {
			$n++;
			push @found, "$name:$n: $&" if /$pattern/;
		}
	}
	return @found;
}
done_testing;
