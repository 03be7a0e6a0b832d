# SPDX-License-Identifier: Apache-2.0
# The program under test as a worker pool on a Unix socket of its own. It can
# be asked without a web server: get, post, request, raw as Stagedoor::FastCGI
# has them.
package Stagedoor::Pool;

use strict;
use warnings;

use parent 'Stagedoor::FastCGI';

use Stagedoor::HTTP;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::Util qw(run_command stagedoor_bin tempdir wait_for write_file);

my $count = 0;

# start(settings => {...} or config => FILE or [FILES], threads => N,
# args => [...], env => {...}, name => 'pool').
sub start {
	my ($class, %opt) = @_;
	my $number = ++$count;
	my $socket = tempdir() . "/pool-$number.sock";
	my @files = files_of(%opt, number => $number);
	my $process = Stagedoor::Process->start(
		name => $opt{name} // 'pool', env => clean_env($opt{env}),
		grace => 40, ours => 1, command => [
			split(' ', $ENV{STAGEDOOR_WRAPPER} // ''),
			stagedoor_bin(), 'serve', (map { ('-c', $_) } @files),
			'--listen', "unix:$socket",
			'--threads', $opt{threads} // 16,
			@{$opt{args} // []},
		],
	);
	my $self = bless { path => $socket, process => $process,
	    files => \@files }, $class;
	wait_for(sub { $process->ended || _listens($self) }, 20, 'the pool');
	die "the pool does not start:\n" . $process->log_text
	    if $process->ended;
	return $self;
}

# The settings files of an option list; settings as a hash become a file.
sub files_of {
	my (%opt) = @_;
	return ref $opt{config} ? @{$opt{config}} : $opt{config}
	    if defined $opt{config};
	my $file = tempdir() . '/settings-' . ($opt{number} // 0) . '.yaml';
	return write_file($file, encode_json($opt{settings}));
}

# What surrounds us must not decide what a test finds.
sub clean_env {
	my ($env) = @_;
	my %clean = map { $_ => undef } grep {
		/_proxy$/i || /^(?:AWS|AZURE|GOOGLE|KUBE|STAGEDOOR)/
	} keys %ENV;
	delete $clean{STAGEDOOR_WRAPPER};
	return { %clean, %{$env // {}} };
}

sub _listens {
	my ($self) = @_;
	my $socket = Stagedoor::HTTP::connect_to($self) or return 0;
	close $socket;
	return 1;
}

sub socket { return $_[0]{path} }
sub process { return $_[0]{process} }
sub pid { return $_[0]{process}->pid }
sub stop { return $_[0]{process}->stop }
sub log_text { return $_[0]{process}->log_text }
sub config_file { return $_[0]{files}[0] }

# Read the settings again (SIGHUP), with new ones where given.
sub reload {
	my ($self, $settings) = @_;
	write_file($self->{files}[0], encode_json($settings))
	    if defined $settings;
	$self->process->signal('HUP');
}

# stagedoor SUBCOMMAND...: { code, out, err }. before => [COMMAND...] runs it.
sub run {
	my ($class, $args, %opt) = @_;
	my @before = @{$opt{before} // []};
	return run_command([@before, stagedoor_bin(), @$args], %opt,
	    env => clean_env($opt{env}));
}

1;
