# SPDX-License-Identifier: Apache-2.0
package Bench::Cost;

# What servers take of the machine, by /proc: a process and its children, so
# a web server's master with its workers.

use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
our @EXPORT_OK = qw(cpu_seconds memory_mib);

my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());

sub pids {
	my ($process) = @_;
	my $pid = $process->pid;
	open my $file, '<', "/proc/$pid/task/$pid/children" or return $pid;
	return ($pid, split ' ', <$file> // '');
}

# Of all these processes since they started, user and system together.
sub cpu_seconds {
	my $ticks = 0;
	for my $pid (map { pids($_) } @_) {
		open my $file, '<', "/proc/$pid/stat" or next;
		# The name, in parentheses, may hold blanks.
		my @field = split ' ', <$file> =~ s/.*\) //r;
		$ticks += $field[11] + $field[12];
	}
	return $ticks / $tick;
}

# (resident now, resident at most).
sub memory_mib {
	my ($process) = @_;
	my %kib;
	for my $pid (pids($process)) {
		open my $file, '<', "/proc/$pid/status" or next;
		while (my $line = <$file>) {
			$kib{$1} += $2
			    if $line =~ /^(VmRSS|VmHWM):\s+(\d+)/;
		}
	}
	return map { ($kib{$_} // 0) / 1024 } qw(VmRSS VmHWM);
}

1;
