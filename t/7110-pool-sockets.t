#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The socket of the pool, and what the process may not do: cores, dumps.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::UNIX;
use Stagedoor::Process;

my $fake = fake(clusters => [{ name => 'one' }]);

sub mode_of { return sprintf '%04o', (stat $_[0])[2] & 07777 }

{
	my $pool = pool(settings => settings(fake => $fake));
	is mode_of($pool->socket), '0660', 'the socket is for its group';
	my $limits = slurp('/proc/' . $pool->pid . '/limits');
	like $limits, qr/^Max core file size\s+0\s+0/m, 'no core file';
	my $second = stagedoor('serve', '-c', $pool->config_file,
	    '--listen', 'unix:' . $pool->socket);
	is $second->{code}, 1, 'a second pool does not take the socket';
	like $second->{err}, qr/another process/, 'and says so';
	is get($pool, '/clusters')->{status}, 200, 'the first serves on';
	$pool->stop;
	ok !-e $pool->socket, 'the socket goes with the pool';
}

{
	my $group = getgrgid((split ' ', $()[0]);
	my $pool = pool(settings => settings(fake => $fake, stagedoor =>
	    { socketMode => '0600', socketGroup => $group }));
	is mode_of($pool->socket), '0600', 'socketMode';
	is getgrgid((stat $pool->socket)[5]), $group, 'socketGroup';
}

{
	my $file = Stagedoor::Pool::files_of(
	    settings => settings(fake => $fake), number => 'odd');
	my $path = write_file(tempdir() . '/precious', 'text');
	my $run = stagedoor('serve', '-c', $file, '--listen', "unix:$path");
	is $run->{code}, 1, 'a file that is no socket is not replaced';
	is slurp($path), 'text', 'it is still there';
	for my $spec ('nowhere', ':9000', 'unix:', '127.0.0.1:') {
		$run = stagedoor('serve', '-c', $file, '--listen', $spec);
		is $run->{code}, 1, "--listen '$spec' is refused";
		like $run->{err}, qr/cannot listen/, 'with the reason';
	}
	$run = stagedoor('serve', '-c', $file, '--threads', '0');
	is $run->{code}, 2, '--threads 0 is bad usage';

	my $stale = tempdir() . '/stale.sock';
	IO::Socket::UNIX->new(Local => $stale, Listen => 1) // die "bind: $!";
	my $process = Stagedoor::Process->start(name => 'stale',
	    command => [stagedoor_bin(), 'serve', '-c', $file, '--listen',
	    "unix:$stale"]);
	wait_for(sub { IO::Socket::UNIX->new(Peer => $stale) }, 10,
	    'the pool on a stale socket');
	pass 'a socket that a dead process left is replaced';
	$process->stop;

	my $port = free_port();
	$process = Stagedoor::Process->start(name => 'tcp',
	    command => [stagedoor_bin(), 'serve', '-c', $file, '--listen',
	    "127.0.0.1:$port"]);
	my $tcp = Stagedoor::FastCGI->new(port => $port);
	wait_for(sub { (get($tcp, '/clusters')->{status} // 0) == 200 }, 10,
	    'the pool on TCP');
	pass 'TCP where it is asked for';
	$process->stop;
}

# root may read every process, so the mark shows on one that is not root's.
SKIP: {
	skip_one('not root'), last SKIP if $> != 0;
	skip_one('setpriv is missing'), last SKIP
	    if !have_program('setpriv');
	my $dir = tempdir() . '/nobody';
	mkdir $dir;
	chmod 0777, $dir;
	my $file = Stagedoor::Pool::files_of(
	    settings => settings(fake => $fake), number => 'nobody');
	chmod 0644, $file;
	my $process = Stagedoor::Process->start(name => 'nobody', command => [
	    program('setpriv'), '--reuid=65534', '--regid=65534',
	    '--clear-groups', stagedoor_bin(), 'serve', '-c', $file,
	    '--listen', "unix:$dir/s.sock"]);
	wait_for(sub { -S "$dir/s.sock" || $process->ended }, 10, 'the pool');
	skip_one('the program cannot be run by others: '
	    . $process->log_text), last SKIP if $process->ended;
	is((stat '/proc/' . $process->pid . '/maps')[4], 0,
	    'not even its own user may look into the process');
	$process->stop;
}

done_testing;
