# SPDX-License-Identifier: Apache-2.0
# The other web servers, each real, in the test's folder, with the very file
# under nginx/ that users include. Asked like any client: get, post, request.
#
#	my $web = Stagedoor::Web->apache('apache-proxy-fcgi', pool => $pool,
#	    modules => [qw(proxy proxy_fcgi)], location => 'SetEnv ...');
#	my $web = Stagedoor::Web->lighttpd(pool => $pool, more => '...');
#	my $web = Stagedoor::Web->fcgiwrap(config => FILE, server => '...');
#
# watch => PORT has a listener for machines that watch, as the head of the
# file shows it. host => TEXT stands in the virtual host, before => sub gives
# it for before the file, and gets the folder; outside => 1 includes the file
# before it. Servers that start the program themselves get a copy of it that
# any user may run, and config => FILE of settings.
package Stagedoor::Web;

use strict;
use warnings;

use parent 'Stagedoor::HTTP';

use File::Copy qw(copy);
use IO::Socket::UNIX;
use Stagedoor::Nginx;
use Stagedoor::Process;
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(free_port have_program program run_command
    skip_or_fail stagedoor_bin tempdir top wait_for write_file);

use constant APACHE_MODULES => '/usr/lib/apache2/modules';

my $count = 0;

# A folder for one server, with the include files as the manual says: only
# where socket, program, settings and logs are is ours.
sub _folder {
	my ($name, %opt) = @_;
	my $dir = tempdir() . "/$name-" . ++$count;
	mkdir $_ or die "$_: $!" for $dir, "$dir/stagedoor", "$dir/bin";
	my $socket = $opt{socket} // ($opt{pool} ? $opt{pool}->socket : '');
	my %place = (
		'/run/stagedoor/stagedoor.sock' => $socket,
		'/run/fcgiwrap.socket' => $opt{fcgiwrap} // '',
		'127.0.0.1:9100' => $opt{authorizer} // '',
		'/usr/local/bin' => "$dir/bin",
		'/etc/stagedoor/stagedoor.conf' => $opt{config} // '',
		'/var/log/apache2' => $dir,
		'/var/log/nginx' => $dir,
	);
	my $places = join '|', map { quotemeta } keys %place;
	for my $file (glob top() . '/nginx/*.conf') {
		my ($base) = $file =~ m{([^/]+)$};
		write_file("$dir/stagedoor/$base",
		    slurp($file) =~ s/($places)/$place{$1}/gr);
	}
	_copy_program("$dir/bin/stagedoor") if $opt{config};
	return $dir;
}

# The lines about port 9180 in the head of a file, as configuration.
sub _watch_text {
	my ($dir, $file, $port) = @_;
	return '' if !$port;
	my ($text) = slurp("$dir/stagedoor/$file")
	    =~ /^(#   [^\n]*9180.*?\n)#\n/ms or die "$file: no example\n";
	return $text =~ s/^#   //gmr =~ s/127\.0\.0\.1:9180/127.0.0.1:$port/gr;
}

sub _copy_program {
	my ($to) = @_;
	copy(stagedoor_bin(), $to) or die "$to: $!";
	chmod 0755, $to or die "$to: $!";
}

sub _start {
	my ($class, $name, $dir, $port, @command) = @_;
	my $process = Stagedoor::Process->start(name => $name,
	    log => "$dir/error.log", command => \@command);
	my $self = bless { host => '127.0.0.1', port => $port, dir => $dir,
	    process => $process }, $class;
	wait_for(sub { $process->ended || $self->_listens }, 10,
	    "$name on port $port");
	die "$name does not start:\n" . $process->log_text
	    if $process->ended;
	return $self;
}

sub _listens {
	my ($self) = @_;
	my $socket = Stagedoor::HTTP::connect_to($self) or return 0;
	close $socket;
	return 1;
}

# --- Apache -----------------------------------------------------------------

# The user that Apache runs as where we are root: it refuses to be root.
sub apache_user { return $> == 0 ? 'www-data' : scalar getpwuid $> }

sub apache_group {
	my $gid = $> == 0 ? (getpwnam apache_user())[3] : (split ' ', $))[0];
	return scalar getgrgid $gid;
}

my @BASE_MODULES = qw(mpm_event authn_core authz_core authz_host authn_file
    authz_user auth_basic env setenvif headers filter deflate
    rewrite);

sub apache {
	my ($class, $file, %opt) = @_;
	my $apache = program('apache2');
	my $dir = _folder($file, %opt);
	my $port = $opt{port} // free_port();
	write_file("$dir/apache.conf", _apache_text($dir, $port, $file, \%opt));
	return $class->_start($file, $dir, $port, $apache, '-D', 'FOREGROUND',
	    '-d', $dir, '-f', "$dir/apache.conf");
}

sub _apache_text {
	my ($dir, $port, $file, $opt) = @_;
	my $modules = '';
	for my $module (@BASE_MODULES, @{$opt->{modules} // []}) {
		my $path = APACHE_MODULES . "/mod_$module.so";
		skip_or_fail("no Apache module '$module'") if !-e $path;
		$modules .= "LoadModule ${module}_module $path\n";
	}
	my $user = apache_user();
	mkdir "$dir/run" or die "$dir/run: $!";
	mkdir "$dir/htdocs" or die "$dir/htdocs: $!";
	if ($> == 0) {
		my (undef, undef, $uid, $gid) = getpwnam $user;
		chown $uid, $gid, "$dir/run" or die "chown: $!";
	}
	return <<"END";
$modules
ServerRoot "$dir"
ServerName localhost
DefaultRuntimeDir "$dir/run"
PidFile "$dir/apache.pid"
User $user
Group @{[apache_group()]}
ErrorLog "$dir/error.log"
LogLevel warn
Listen 127.0.0.1:$port
ServerLimit 2
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
DocumentRoot "$dir/htdocs"
<Directory />
	Require all denied
</Directory>
<Directory "$dir/htdocs">
	Require all granted
</Directory>
@{[$opt->{global} // '']}
@{[_watch_text($dir, 'apache-common.conf', $opt->{watch})]}
@{[$opt->{outside} ? "Include stagedoor/$file.conf" : '']}
<VirtualHost *>
	@{[$opt->{before} ? $opt->{before}->($dir) : '']}
	@{[$opt->{outside} ? '' : "Include stagedoor/$file.conf"]}
	@{[$opt->{host} // '']}
	<Location "/api/kubernetes/">
		@{[$opt->{location} // '']}
	</Location>
</VirtualHost>
END
}

# --- lighttpd ---------------------------------------------------------------

sub lighttpd {
	my ($class, %opt) = @_;
	my $lighttpd = program('lighttpd');
	my $dir = _folder('lighttpd', %opt);
	my $port = free_port();
	mkdir "$dir/htdocs" or die "$dir/htdocs: $!";
	write_file("$dir/lighttpd.conf", <<"END");
server.document-root = "$dir/htdocs"
server.bind = "127.0.0.1"
server.port = $port
server.errorlog = "$dir/error.log"
server.upload-dirs = ( "$dir" )
server.modules = ( @{[$opt{modules} // '']} )
include "stagedoor/lighttpd.conf"
@{[_watch_text($dir, 'lighttpd.conf', $opt{watch})]}
@{[$opt{more} // '']}
END
	return $class->_start('lighttpd', $dir, $port, $lighttpd, '-D',
	    '-f', "$dir/lighttpd.conf");
}

# --- nginx and fcgiwrap -----------------------------------------------------

sub fcgiwrap {
	my ($class, %opt) = @_;
	my $nginx = program('nginx');
	my $socket = tempdir() . '/fcgiwrap.sock';
	# Four of them on one socket, each a process that ends with the test.
	my $listener = IO::Socket::UNIX->new(Local => $socket, Listen => 64)
	    or die "$socket: $!";
	Stagedoor::Process->start(name => 'fcgiwrap', stdin => $listener,
	    command => [program('fcgiwrap'), '-f']) for 1 .. 4;
	close $listener;
	my $dir = _folder('fcgiwrap', %opt, fcgiwrap => $socket,
	    socket => '/nonexistent');
	my $port = free_port();
	write_file("$dir/nginx.conf", Stagedoor::Nginx::_main_text(<<"END"));
	include stagedoor/stagedoor.conf;
	server {
		listen 127.0.0.1:$port;
		server_name localhost;
		$opt{server}
		include stagedoor/stagedoor-fcgiwrap.conf;
	}
END
	return $class->_start('nginx', $dir, $port, $nginx, '-p', $dir,
	    '-c', "$dir/nginx.conf", '-g', Stagedoor::Nginx::_globals($dir));
}

sub port { return $_[0]{port} }
sub process { return $_[0]{process} }
sub stop { return $_[0]{process}->stop }
sub dir { return $_[0]{dir} }

# What a process was started as; "" if it has ended meanwhile. (Who may look
# at more than that of a process of ours is root alone.)
sub _command {
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/cmdline" or return '';
	local $/;
	my ($command) = split /\0/, <$fh> // '';
	return $command // '';
}

# The processes of our program that this server started.
sub programs {
	my ($self) = @_;
	my $program = "$self->{dir}/bin/stagedoor";
	return grep { _command($_) eq $program }
	    map { m{(\d+)$} } glob '/proc/[0-9]*';
}

1;
