# SPDX-License-Identifier: Apache-2.0
# Small things that all tests need: where the project and its programs are,
# free ports, files, waiting with a deadline, skipping.
package Stagedoor::Util;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use IO::Socket::INET;
use Stagedoor::Process;
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(top stagedoor_bin program have_program free_port
    write_file tempdir wait_for skip_or_fail skip_one run_command);

# The folder of the sources.
sub top {
	return abs_path($ENV{top_srcdir} // dirname(__FILE__) . '/../../..');
}

sub tempdir { return Stagedoor::Process::dir() }

# A test that cannot run here: skipped, but a failure where CI=true.
sub skip_or_fail {
	my ($reason) = @_;
	if (($ENV{CI} // '') eq 'true') {
		Test::More::fail("cannot run: $reason");
		Test::More::done_testing();
		exit 1;
	}
	my $test = Test::More->builder;
	if ($test->current_test > 0) {
		$test->skip($reason);
		$test->done_testing;
		exit 0;
	}
	Test::More::plan(skip_all => $reason);
}

# The same for one line of a test.
sub skip_one {
	my ($reason) = @_;
	return Test::More::fail("cannot run: $reason")
	    if ($ENV{CI} // '') eq 'true';
	Test::More->builder->skip($reason);
}

sub have_program {
	my ($name) = @_;
	for my $dir (split(/:/, $ENV{PATH} // ''), qw(/usr/sbin /sbin)) {
		return "$dir/$name" if -x "$dir/$name" && -f _;
	}
	return undef;
}

sub program {
	my ($name) = @_;
	return have_program($name) // skip_or_fail("no program '$name'");
}

# The program under test.
sub stagedoor_bin {
	my @places = grep { defined } ($ENV{STAGEDOOR_BIN},
	    map { defined ? "$_/stagedoor" : undef }
	    ($ENV{top_builddir}, '.', top()));
	for my $file (@places) {
		return abs_path($file) if -x $file && -f _;
	}
	die "no program under test: build first, or name it in STAGEDOOR_BIN\n";
}

sub free_port {
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
	    LocalPort => 0, Listen => 1) or die "no free port: $!";
	return $socket->sockport;
}

sub write_file {
	my ($file, @text) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh @text or die "$file: $!";
	close $fh or die "$file: $!";
	return $file;
}

# Until the code gives something true, which is returned; dies after so many
# seconds.
sub wait_for {
	my ($code, $seconds, $what) = @_;
	my $end = time + $seconds;
	while (1) {
		my $result = $code->();
		return $result if $result;
		die "waited $seconds s in vain for $what\n" if time > $end;
		sleep 0.02;
	}
}

# run_command([COMMAND...], env => {...}, stdin => TEXT, timeout => SECONDS):
# { code, out, err }.
sub run_command {
	my ($command, %opt) = @_;
	my $dir = tempdir();
	my ($out, $err, $in) = map { "$dir/run.$_" } qw(out err in);
	write_file($in, $opt{stdin} // '');
	unlink $out, $err;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		_exec_with($command, $in, $out, $err, $opt{env} // {});
	}
	my $process = Stagedoor::Process->adopt(name => 'run', pid => $pid);
	my $in_time = $process->wait_end($opt{timeout} // 30);
	my $code = $process->stop;
	return { code => $code, timeout => !$in_time,
	    out => _slurp($out), err => _slurp($err) };
}

sub _exec_with {
	my ($command, $in, $out, $err, $env) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
	open STDIN, '<', $in;
	open STDOUT, '>', $out;
	open STDERR, '>', $err;
	Stagedoor::Process::_set_env($env);
	exec { $command->[0] } @$command or POSIX::_exit(127);
}

sub _slurp {
	my ($file) = @_;
	open my $fh, '<:raw', $file or return '';
	local $/;
	return scalar(<$fh>) // '';
}

1;
