# SPDX-License-Identifier: Apache-2.0
# Child processes of a test: started with their output in a log file, stopped
# by their own pid when the test ends, however it ends. If the test failed,
# the ends of the logs are shown.
package Stagedoor::Process;

use strict;
use warnings;

use Errno qw(ECHILD EINTR);
use File::Temp ();
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my $OWNER = $$;		# children of fork() must not clean up
my $DIR;		# the folder of this test
my @RUNNING;		# in the order in which they were started
my @LOGS;

# The folder of this test: short, for the sake of socket names, and open to
# other users, as some web servers drop root.
sub dir {
	if (!defined $DIR) {
		my $tmp = $ENV{TMPDIR} // '/tmp';
		$tmp = '/tmp' if length $tmp > 40;
		$DIR = File::Temp::tempdir('stagedoor-XXXXXX', DIR => $tmp);
		chmod 0755, $DIR or die "chmod $DIR: $!";
	}
	return $DIR;
}

# start(name => 'pool', command => [...], env => {NAME => value or undef},
# cwd => DIR, stdin => FILEHANDLE, log => FILE, ours => 1 for the program under
# test, which must end with code 0). Returns a process.
sub start {
	my ($class, %opt) = @_;
	my $log = $opt{log} // _log_name($opt{name});

	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		_exec(\%opt, $log);
	}
	return $class->adopt(%opt, pid => $pid, log => $log);
}

# A child that the caller forked itself.
sub adopt {
	my ($class, %opt) = @_;
	my $self = bless {
		name => $opt{name}, pid => $opt{pid}, log => $opt{log},
		group => $opt{group},
		stop_signal => $opt{stop_signal} // 'TERM',
		grace => $opt{grace} // 10, ours => $opt{ours},
	}, $class;
	push @RUNNING, $self;
	push @LOGS, $self if defined $self->{log};
	return $self;
}

sub _log_name {
	my ($name) = @_;
	my $n = 1;
	my $base = dir() . "/$name";
	$n++ while -e "$base-$n.log";
	return "$base-$n.log";
}

sub _exec {
	my ($opt, $log) = @_;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
	setpgrp 0, 0 if $opt->{group};
	eval {
		open STDIN, '<&', $opt->{stdin} // _null() or die "stdin: $!";
		open STDOUT, '>>', $log or die "$log: $!";
		open STDERR, '>&', \*STDOUT or die "stderr: $!";
		chdir $opt->{cwd} or die "chdir: $!" if defined $opt->{cwd};
		_set_env($opt->{env} // {});
		exec { $opt->{command}[0] } @{$opt->{command}}
		    or die "exec $opt->{command}[0]: $!";
	};
	print STDERR $@;
	POSIX::_exit(127);
}

sub _null {
	open my $null, '<', '/dev/null' or die "/dev/null: $!";
	return $null;
}

sub _set_env {
	my ($env) = @_;
	for my $name (keys %$env) {
		if (defined $env->{$name}) {
			$ENV{$name} = $env->{$name};
		} else {
			delete $ENV{$name};
		}
	}
}

sub pid { return $_[0]{pid} }
sub log { return $_[0]{log} }

sub log_text {
	my ($self) = @_;
	open my $fh, '<', $self->{log} or return '';
	local $/;
	return scalar(<$fh>) // '';
}

# Has it ended? Then {status} is that of wait.
sub ended {
	my ($self) = @_;
	return 1 if defined $self->{status};
	my $pid = waitpid $self->{pid}, WNOHANG;
	return 0 if $pid == 0;
	$self->{status} = $pid == $self->{pid} ? $? : -1;
	return 1;
}

sub exit_code {
	my ($self) = @_;
	return undef if !$self->ended;
	return $self->{status} >> 8 if ($self->{status} & 127) == 0;
	return 128 + ($self->{status} & 127);
}

sub signal {
	my ($self, $signal) = @_;
	return if $self->ended;
	kill $signal, $self->{group} ? -$self->{pid} : $self->{pid};
}

# Wait until it ended: true, or false after so many seconds.
sub wait_end {
	my ($self, $seconds) = @_;
	my $end = time + $seconds;
	while (!$self->ended) {
		return 0 if time > $end;
		sleep 0.01;
	}
	return 1;
}

# Stop it, gently first. Returns its exit code.
sub stop {
	my ($self) = @_;
	$self->signal($self->{stop_signal});
	if (!$self->wait_end($self->{grace})) {
		$self->signal('KILL');
		$self->wait_end(5);
	}
	@RUNNING = grep { $_ != $self } @RUNNING;
	return $self->exit_code;
}

sub open_files {
	my ($self) = @_;
	my @fds = glob "/proc/$self->{pid}/fd/*";
	return scalar @fds;
}

sub _stop_all {
	for my $process (reverse @RUNNING) {
		$process->signal($process->{stop_signal});
	}
	my @all = reverse @RUNNING;	# stop takes them out of the list
	for my $process (@all) {
		my $code = $process->stop;
		_regret("$process->{name} ended with code $code")
		    if $process->{ours} && $code != 0;
	}
}

# What fails a test whose lines all passed.
my $regrets = 0;

sub _regret {
	my ($why) = @_;
	$regrets++;
	print STDERR "# $why\n";
}

# The sanitizers' reports are in the logs, and nowhere else.
sub _look_for_reports {
	for my $process (grep { $_->{ours} } @LOGS) {
		$process->log_text =~ /^.*(?:ERROR|WARNING):\ \w+Sanitizer.*$
		    |^.*runtime\ error:.*$/mx or next;
		_regret("in the log of $process->{name}: $&");
	}
}

# The ends of all logs, for the eyes of who looks at a failed test.
sub show_logs {
	for my $process (@LOGS) {
		my @lines = split /\n/, $process->log_text;
		splice @lines, 0, @lines - 40 if @lines > 40;
		next if !@lines;
		print STDERR "# --- end of the log of $process->{name}\n";
		print STDERR "# $_\n" for @lines;
	}
}

sub _failed {
	my $builder = eval { Test::More->builder } or return $? != 0;
	return $? != 0 || !$builder->is_passing;
}

sub _clean_up {
	return if $$ != $OWNER;
	local $?;
	_stop_all();
	if (defined $DIR && !$ENV{STAGEDOOR_KEEP}) {
		require File::Path;
		File::Path::remove_tree($DIR, { safe => 0 });
	}
}

sub _on_signal {
	my ($name) = @_;
	POSIX::_exit(1) if $$ != $OWNER;
	_clean_up();
	POSIX::_exit(1);
}

$SIG{$_} = \&_on_signal for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';

END {
	if ($$ == $OWNER) {
		_end_all(_failed());
		$? = 1 if $regrets && !$?;
	}
}

sub _end_all {
	my ($failed) = @_;
	local $?;
	_stop_all();
	_look_for_reports();
	show_logs() if $failed || $regrets;
	_clean_up();
}

1;
