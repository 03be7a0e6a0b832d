# SPDX-License-Identifier: Apache-2.0
# A real nginx in the test's folder, with the very files under nginx/ that
# users include. It answers like an HTTP client's peer: get, post, request.
package Stagedoor::Nginx;

use strict;
use warnings;

use parent 'Stagedoor::HTTP';

use File::Basename qw(dirname);
use Stagedoor::Pool;
use Stagedoor::Process;
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(free_port program top wait_for write_file);

my $count = 0;

# start(pool => POOL or socket => PATH, port => N, server => TEXT for the
# server block, http => TEXT for the http block, user => 'alice', watch =>
# PORT for stagedoor-metrics.conf). With
# lane => 1 (or the file of settings) the direct lane is there, too, and
# ->update_lane does what follows a change of the settings.
sub start {
	my ($class, %opt) = @_;
	my $socket = $opt{socket} // $opt{pool}->socket;
	my $port = $opt{port} // free_port();
	my $server = $opt{server} // '';
	$server .= "set \$stagedoor_user '$opt{user}';\n" if defined $opt{user};
	$opt{lane} = $opt{pool}->config_file if ($opt{lane} // '') eq '1';
	my ($lane, $locations) = $opt{lane}
	    ? ('include stagedoor/stagedoor-lane.conf;',
		'include stagedoor/stagedoor-lane-location.conf;') : ('', '');
	$lane .= 'include stagedoor/stagedoor-metrics.conf;' if $opt{watch};
	return $class->start_bare(
		name => $opt{name} // 'nginx', port => $port,
		includes => $socket, lane => $opt{lane},
		watch => $opt{watch},
		http => ($opt{http} // '') . <<"END");
	include stagedoor/stagedoor.conf;
	$lane
	server {
		listen 127.0.0.1:$port;
		server_name localhost;
		$server
		include stagedoor/stagedoor-location.conf;
		$locations
	}
END
}

# Without our include files: http => TEXT of the http block.
sub start_bare {
	my ($class, %opt) = @_;
	my $dir = Stagedoor::Process::dir() . '/nginx-' . ++$count;
	mkdir $dir or die "$dir: $!";
	_copy_includes($dir, $opt{includes}, $opt{watch} // 9180)
	    if defined $opt{includes};
	write_file("$dir/nginx.conf", _main_text($opt{http}));
	_write_lane($dir, $opt{lane}) if $opt{lane};

	my $log = "$dir/error.log";
	my $process = Stagedoor::Process->start(
		name => $opt{name}, log => $log,
		command => [program('nginx'), '-p', $dir,
		    '-c', "$dir/nginx.conf", '-g', _globals($dir)],
	);
	my $self = bless { host => '127.0.0.1', port => $opt{port},
	    process => $process, dir => $dir, lane => $opt{lane} }, $class;
	wait_for(sub { $process->ended || $self->_listens }, 10,
	    "nginx on port $opt{port}");
	die "nginx does not start:\n" . $process->log_text
	    if $process->ended;
	return $self;
}

# The clusters of the settings, for nginx; what it said.
sub _write_lane {
	my ($dir, $settings) = @_;
	my $run = Stagedoor::Pool->run(['nginx', '-c', $settings,
	    '--write', "$dir/stagedoor/clusters"]);
	die "stagedoor nginx: $run->{err}" if $run->{code};
	return $run->{err};
}

sub update_lane {
	my ($self) = @_;
	my $said = _write_lane($self->{dir}, $self->{lane});
	$self->reload;
	return $said;
}

# Until those of the new configuration are the only ones that accept.
sub reload {
	my ($self) = @_;
	my @old = $self->workers;
	$self->{process}->signal('HUP');
	wait_for(sub { !grep { _accepts($_) } @old }, 10, 'new workers');
}

sub _accepts {
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/cmdline" or return 0;
	return (<$fh> // '') !~ /shutting down|^$/;
}

sub workers {
	my ($self) = @_;
	my $pid = $self->{process}->pid;
	open my $fh, '<', "/proc/$pid/task/$pid/children" or return;
	return split ' ', <$fh> // '';
}

sub _listens {
	my ($self) = @_;
	my $socket = Stagedoor::HTTP::connect_to($self) or return 0;
	close $socket;
	return 1;
}

# Files go below nginx.conf as the manual says; only where the pool's socket
# and the log are is ours.
sub _copy_includes {
	my ($dir, $socket, $watch) = @_;
	mkdir "$dir/stagedoor" or die "$dir/stagedoor: $!";
	for my $file (glob top() . '/nginx/stagedoor*.conf') {
		my $text = slurp($file);
		$text =~ s{unix:/run/stagedoor/\S+\.sock}{unix:$socket}g;
		$text =~ s{/var/log/nginx/}{$dir/}g;
		$text =~ s{127\.0\.0\.1:9180}{127.0.0.1:$watch}g;
		my ($name) = $file =~ m{([^/]+)$};
		write_file("$dir/stagedoor/$name", $text);
	}
}

sub _globals {
	my ($dir) = @_;
	my $user = $> == 0 ? 'user root root;' : '';
	return "daemon off; pid $dir/nginx.pid; error_log stderr warn; "
	    . "$user worker_processes 1;";
}

sub _main_text {
	my ($http) = @_;
	return <<"END";
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
$http
}
END
}

sub port { return $_[0]{port} }
sub url { return "http://127.0.0.1:$_[0]{port}" }
sub process { return $_[0]{process} }
sub stop { return $_[0]{process}->stop }

# All that it logged: errors and accesses.
sub log_text {
	my ($self) = @_;
	return join '', map { slurp($_) } glob "$self->{dir}/*.log";
}

1;
