#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Every way to be given a socket: systemd's LISTEN_FDS, spawn-fcgi, multiwatch;
# and the one that the settings name.
use Stagedoor::Test;
use Fcntl qw(F_SETFD S_ISSOCK);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Stagedoor::Pool;

my $fake = fake(clusters => [{ name => 'one' }]);
my $config = tempdir() . '/settings.yaml';
write_file($config, encode_json(settings(fake => $fake)));
chmod 0644, $config;

sub clusters_at {
	my ($path) = @_;
	my $client = Stagedoor::FastCGI->new(path => $path);
	my $body = body_of(get($client, '/clusters'));
	return join ' ', map { $_->{name} } @{$body->{items} // []};
}

sub connects {
	my ($path) = @_;
	return IO::Socket::UNIX->new(Peer => $path);
}

sub ends_well {
	my ($process, $what) = @_;
	$process->signal('TERM');
	ok $process->wait_end(10), "$what: SIGTERM ends it";
	is $process->exit_code, 0, 'in order';
}

sub start {
	my ($name, $command, %opt) = @_;
	return Stagedoor::Process->start(name => $name, command => $command,
	    %opt, env => Stagedoor::Pool::clean_env(
		{ STAGEDOOR_CONFIG => $config, %{$opt{env} // {}} }));
}

# --- systemd: descriptor 3, LISTEN_FDS, LISTEN_PID --------------------------

my $path = tempdir() . '/activated.sock';
my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 64)
    or die "$path: $!";
chmod 0666, $path;
# systemd sets the pid of the process that it is about to become.
my $launch = <<'END';
$^F = 99;	# what exec passes on
open my $s, '<&=', $ENV{SOCKET_FD} or die;
POSIX::dup2(fileno $s, 3) // die;
$ENV{LISTEN_FDS} = 1;
$ENV{LISTEN_PID} = $ENV{WRONG_PID} // $$;
exec @ARGV;
END
$listener->fcntl(F_SETFD, 0);
my @launch = ($^X, '-MPOSIX', '-e', $launch, stagedoor_bin(), 'serve');
my %fd = (env => { SOCKET_FD => fileno $listener });
my $unit = start('activated', \@launch, %fd);
is clusters_at($path), 'one', 'LISTEN_FDS: the socket of systemd is served';
ends_well($unit, 'LISTEN_FDS');
ok -S $path, 'and is left in place: it is systemd\'s';
$unit = start('activated', \@launch, %fd);
is clusters_at($path), 'one', 'the next process serves the same socket';
$unit->stop;

# --- spawn-fcgi, multiwatch -------------------------------------------------

my $spawned = tempdir() . '/spawned.sock';
my $spawn = start('spawn-fcgi', [program('spawn-fcgi'), '-n', '-s', $spawned,
    '-M', '0600', '--', stagedoor_bin(), 'serve']);
wait_for(sub { connects($spawned) }, 10, 'spawn-fcgi');
is clusters_at($spawned), 'one', 'spawn-fcgi: descriptor 0 is served';
is clusters_at($spawned), 'one', 'again';
ends_well($spawn, 'spawn-fcgi');

my $bare = tempdir() . '/bare.sock';
my $plain = start('spawn-fcgi', [program('spawn-fcgi'), '-n', '-s', $bare,
    '--', stagedoor_bin()]);
wait_for(sub { connects($bare) }, 10, 'spawn-fcgi');
is clusters_at($bare), 'one', 'also without a subcommand';
ends_well($plain, 'without one');

my $watched = tempdir() . '/watched.sock';
my $watch = start('multiwatch', [program('spawn-fcgi'), '-n', '-s', $watched,
    '--', program('multiwatch'), '-f', 2, '--', stagedoor_bin(), 'serve']);
wait_for(sub { connects($watched) }, 10, 'multiwatch');
sub children {
	my ($pid) = @_;
	return split ' ', slurp("/proc/$pid/task/$pid/children");
}
# multiwatch waits for ever if a process of its own that has just begun misses
# its signal.
sub serving {
	my ($n) = @_;
	wait_for(sub { (() = $watch->log_text =~ /info serving/g) == $n }, 20,
	    "process $n to serve");
}
wait_for(sub { children($watch->pid) == 2 }, 10, 'two processes');
serving(2);
is clusters_at($watched), 'one', 'multiwatch: served by two processes';
my ($victim) = children($watch->pid);
kill KILL => $victim;
wait_for(sub { (grep { $_ != $victim } children($watch->pid)) == 2 }, 10,
    'another process');
serving(3);
is clusters_at($watched), 'one', 'one is killed, another takes its place';
$watch->signal('TERM');
ok $watch->wait_end(10), 'multiwatch: SIGTERM ends it';

# --- the socket of the settings ---------------------------------------------

my $umask = umask 0;
my $there = tempdir() . '/own.sock';
my $own = tempdir() . '/own.yaml';
write_file($own, encode_json(settings(fake => $fake,
    stagedoor => { listen => "unix:$there" })));
my $listen = start('own', [stagedoor_bin(), 'serve', '-c', $own]);
wait_for(sub { connects($there) }, 10, 'the socket of the settings');
is clusters_at($there), 'one', 'stagedoor.listen is served';
is sprintf('%04o', (stat $there)[2] & 07777), '0660',
    'and 0660 whatever the umask';
ends_well($listen, 'stagedoor.listen');
umask $umask;

# --- a socket unit that is verified -----------------------------------------

{
	my $tool = program('systemd-analyze');
	my $dir = tempdir() . '/units';
	mkdir $dir or die "$dir: $!";
	my $service = slurp(top() . '/etc/systemd/stagedoor.service.in');
	my $bin = stagedoor_bin();
	$service =~ s{\@bindir\@/stagedoor}{$bin};
	$service =~ s{\@sysconfdir\@}{/etc};
	write_file("$dir/stagedoor.service", $service);
	write_file("$dir/stagedoor.socket",
	    slurp(top() . '/etc/systemd/stagedoor.socket'));
	my $verify = run_command([$tool, 'verify', map { "$dir/stagedoor.$_" }
	    qw(service socket)]);
	is "$verify->{code}$verify->{err}", '0', 'systemd takes the units';
}
done_testing;
