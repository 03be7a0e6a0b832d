# SPDX-License-Identifier: Apache-2.0
package Bench::Servers;

# What is measured: nginx with the module's pool behind it, nginx alone
# (proxy_pass to the same upstream), and, if asked, Backstage's own backend.

use strict;
use warnings;
use Bench::Upstream;
use Digest::SHA;
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Spec;
use IO::Socket::INET;
use Stagedoor::HTTP;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::TLS qw(ec_key make_ca make_cert slurp);
use Stagedoor::Util qw(program run_command top wait_for write_file);
use Time::HiRes qw(sleep time);

my $here = File::Spec->rel2abs(dirname(__FILE__) . '/../..');

sub new {
	my ($class, %of) = @_;
	my $self = bless { %of }, $class;
	return $self if !$of{tls};
	make_ca($of{dir}, 'ca');
	make_cert($of{dir}, 'tls', 'ca');
	$self->{ca} = "$of{dir}/ca.crt";
	@$self{qw(certificate key)} = map { "$of{dir}/tls.$_" } qw(crt key);
	return $self;
}

# So many ports that were free a moment ago.
sub free_ports {
	my ($n) = @_;
	my @sockets = map {
		IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
		    or die "no free port: $!"
	} 1 .. $n;
	return map { $_->sockport } @sockets;
}

sub listens {
	my ($port) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $port);
}

# Wait until a process answers.
sub answers {
	my ($process, $seconds, $how) = @_;
	wait_for(sub { $process->ended || $how->() }, $seconds,
		$process->{name});
	die "$process->{name} ended\n" if $process->ended;
}

# --- nginx ----------------------------------------------------------------

sub start_nginx {
	my ($self, $name, $port, %of) = @_;
	my $dir = "$self->{dir}/$name";
	my $user = $> == 0 ? 'user root;' : '';
	my $temp = join "\n", map { "\t${_}_temp_path $dir/temp;" }
	    qw(client_body proxy fastcgi uwsgi scgi);
	write_file("$dir/nginx.conf", <<"END");
$user
daemon off;
worker_processes $of{workers};
pid $dir/nginx.pid;
error_log $dir/error.log warn;
events { worker_connections 8192; }
http {
	tcp_nodelay on;
	keepalive_requests 100000000;
	keepalive_timeout 300s;
$temp
$of{blocks}
}
END
	my $nginx = Stagedoor::Process->start(name => $name, command => [
		program('nginx'), -c => "$dir/nginx.conf",
		-e => "$dir/error.log" ]);
	answers($nginx, 10, sub { listens($port) });
	return $nginx;
}

# One of the programs beside this folder.
sub build {
	my ($self, $name, @libraries) = @_;
	my $to = "$self->{dir}/$name";
	my $run = run_command([ split(' ', $ENV{CC} || 'cc'), '-O2', '-o',
		$to, "$here/$name.c", @libraries ]);
	die "$name.c: $run->{err}" if $run->{code};
	return $to;
}

# Up to $n clusters and the catalog.
sub start_upstream {
	my ($self, $n) = @_;
	my ($catalog, $watch, @ports) = free_ports($n + 2);
	$self->{watcher} = Stagedoor::Process->start(name => 'watcher',
		command => [ $self->build('watcher'), $watch ]);
	make_path("$self->{dir}/upstream");
	my $upstream = Bench::Upstream->new(dir => "$self->{dir}/upstream",
		ports => \@ports, catalog_port => $catalog,
		watch_port => $watch,
		certificate => $self->{certificate}, key => $self->{key});
	$upstream->{process} = $self->start_nginx('upstream', $catalog,
		workers => 1, blocks => $upstream->nginx_blocks);
	return $self->{upstream} = $upstream;
}

# One nginx for a pool, with the files that users include, and beside it the
# plain way to the upstream, so that what differs is what is behind it. ports:
# three. lane: the settings, for the direct lane.
sub start_front {
	my ($self, $name, $ports, $lane) = @_;
	my ($plain, $pool, $pair) = @$ports;
	my $upstream = $self->{upstream}->url(0);
	my ($host) = $upstream =~ m{//(.*)};
	my $to = $upstream =~ s/$host/plain/r;
	$self->copy_includes($name);
	my ($http, $server, $more, $empty) = ('', '', '');
	if (defined $lane) {
		$self->write_lane($name, $lane);
		$http = 'include stagedoor/stagedoor-lane.conf;';
		$server = "set \$stagedoor_direct all;\n"
		    . "\t\tinclude stagedoor/stagedoor-lane-location.conf;";
		($empty, $more) = $self->start_pair($pair, $to);
	}
	my $front = $self->start_nginx("front-$name", $plain, workers => 2,
		blocks => <<"END");
	include stagedoor/stagedoor.conf;
	$http
	proxy_max_temp_file_size 0;
	upstream plain { server $host; keepalive 64; }
	server {
		listen 127.0.0.1:$plain backlog=1024;
		access_log $self->{dir}/plain.log stagedoor;
		location / {
			proxy_pass $to;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
	server {
		listen 127.0.0.1:$pool backlog=1024;
		$server
		include stagedoor/stagedoor-location.conf;
	}
$more
END
	return { process => $front, port => $pool, empty => $empty,
		plain_url => "http://127.0.0.1:$plain",
		pair_url => "http://127.0.0.1:$pair",
		pool_url => "http://127.0.0.1:$pool/api/kubernetes" };
}

sub write_lane {
	my ($self, $name, $settings) = @_;
	my $run = run_command([ $self->{stagedoor}, 'nginx', -c => $settings,
		'--write', "$self->{dir}/front-$name/stagedoor/clusters" ]);
	die "stagedoor nginx: $run->{err}" if $run->{code};
}

# auth_request to the least that can answer, then proxy_pass: the process, and
# the blocks.
sub start_pair {
	my ($self, $port, $to) = @_;
	my $socket = "$self->{dir}/empty.sock";
	my $empty = Stagedoor::Process->start(name => 'empty', command =>
		[ $self->build('empty', '-lfcgi', '-lpthread'), $socket ]);
	answers($empty, 10, sub { -S $socket });
	return ($empty, <<"END");
	upstream empty { server unix:$socket; keepalive 32; }
	server {
		listen 127.0.0.1:$port backlog=1024;
		access_log $self->{dir}/pair.log stagedoor;
		location / {
			auth_request /authorize;
			auth_request_set \$bench
			    \$upstream_http_x_stagedoor_authorization;
			proxy_pass $to;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Authorization \$bench;
		}
		location = /authorize {
			internal;
			fastcgi_pass empty;
			fastcgi_keep_conn on;
			fastcgi_pass_request_body off;
			fastcgi_param REQUEST_METHOD GET;
			fastcgi_param REQUEST_URI \$request_uri;
			fastcgi_param CONTENT_LENGTH "";
		}
	}
END
}

# The files under nginx/, with paths of ours.
sub copy_includes {
	my ($self, $name) = @_;
	my $to = "$self->{dir}/front-$name/stagedoor";
	make_path($to);
	for my $file (glob top() . '/nginx/stagedoor*.conf') {
		my $text = slurp($file);
		$text =~ s{unix:/run/\S+?\.sock}{"unix:" .
		    $self->socket_path($name)}ge;
		$text =~ s{/var/log/nginx/}{$self->{dir}/front-$name/}g;
		write_file($to . '/' . basename($file), $text);
	}
}

sub socket_path { return "$_[0]{dir}/pool-$_[1].sock" }

# --- the module -----------------------------------------------------------

# One app-config for both: what is ours in it, Backstage leaves alone.
sub app_config {
	my ($self, $name, $port, %of) = @_;
	my $base = "http://127.0.0.1:$port";
	return write_file("$self->{dir}/$name.yaml", encode_json({
		app => { title => 'bench', baseUrl => $base },
		backend => { baseUrl => $base,
			listen => { host => '127.0.0.1', port => $port },
			auth => { %{$self->{key_store} // {}},
				dangerouslyDisableDefaultAuthPolicy => \1 } },
		discovery => { endpoints => [ { plugins => [ 'catalog' ],
			target => $self->{upstream}->catalog
			    . '/api/{{pluginId}}' } ] },
		kubernetes => {
			serviceLocatorMethod => { type => 'multiTenant' },
			clusterLocatorMethods => [ { type => 'config',
				clusters => $of{clusters} } ],
		},
		# Nothing kept: every question goes out again.
		stagedoor => { fresh => 0, catalog => { fresh => 0 },
			limits => $of{limits} // {},
			$of{audit} ? (audit => $of{audit}) : (),
			%{$of{stagedoor} // {}} },
	}));
}

sub cluster {
	my ($self, $name, $url) = @_;
	return { name => $name, url => $url, authProvider => 'serviceAccount',
		serviceAccountToken => 'bench', $self->{ca} ?
		    (caFile => $self->{ca}) : () };
}

sub clusters {
	my ($self, $n) = @_;
	return map { $self->cluster("c$_", $self->{upstream}->url($_ - 1)) }
	    1 .. $n;
}

# A pool behind a front of that name; it may not answer yet. clusters is
# what clusters() gave, limits and stagedoor settings of ours; lane: with the
# direct lane, for all of /proxy.
sub start_pool {
	my ($self, $name, %of) = @_;
	my @ports = free_ports(3);
	my $config = $self->app_config("pool-$name", $ports[1], %of);
	my $front = $self->start_front($name, \@ports,
		$of{lane} ? $config : undef);
	my $started = time;
	my $pool = Stagedoor::Process->start(name => "pool-$name", command =>
		[ $self->{stagedoor}, 'serve', -c => $config,
		'--listen', 'unix:' . $self->socket_path($name) ]);
	return { name => $of{called} // 'stagedoor', server => $pool,
		started => $started, processes => [ $pool, $front->{process} ],
		url => $front->{pool_url}, front => $front };
}

# The first answer of what start_pool or start_peer gave: seconds after its
# start.
sub first_answer {
	my ($self, $system) = @_;
	my $until = time + 60;
	while (!query($system->{url})) {
		die "$system->{name} does not answer\n"
		    if $system->{server}->ended || time > $until;
		sleep 0.001;
	}
	return time - $system->{started};
}

# The answer to a query, or undef.
sub query {
	my ($url) = @_;
	my ($host, $port, $path) = $url =~ m{^http://([^:]+):(\d+)(/.*)};
	my $answer = Stagedoor::HTTP->new(host => $host, port => $port)->post(
		"$path/resources/workloads/query", timeout => 60,
		headers => { Connection => 'close' }, json => { auth => {},
			entityRef => 'component:default/shop-0' });
	return ($answer->{status} // 0) == 200 ? $answer->{body} : undef;
}

# --- Backstage ------------------------------------------------------------

# The folder with the installed packages, outside the tree.
sub install_peer {
	my ($self) = @_;
	my @files = qw(package.json package-lock.json server.js);
	my $digest = Digest::SHA->new(256);
	$digest->addfile("$here/peer/$_") for @files;
	my $home = $ENV{STAGEDOOR_CACHE} || ($ENV{XDG_CACHE_HOME} ||
		"$ENV{HOME}/.cache") . '/stagedoor';
	my $dir = "$home/peer/" . substr $digest->hexdigest, 0, 16;
	return $dir if -e "$dir/installed";
	print "# installing Backstage's backend into $dir (400 MB)\n";
	make_path($dir);
	copy("$here/peer/$_", "$dir/$_") or die "$_: $!" for @files;
	system(qw(npm ci --ignore-scripts --no-audit --no-fund --silent),
		'--prefix', $dir) == 0 or die "npm failed\n";
	write_file("$dir/installed", '');
	return $dir;
}

# It signs requests between its plug-ins; without a key of its own it would
# want a database.
sub make_peer_keys {
	my ($self) = @_;
	my $base = "$self->{dir}/peer";
	ec_key($self->{dir}, 'peer');
	$self->{key_store} = { pluginKeyStore => { type => 'static',
		static => { keys => [ { keyId => 'bench',
			privateKeyFile => "$base.key",
			publicKeyFile => "$base.pub" } ] } } };
}

# As start_pool.
sub start_peer {
	my ($self, $name, %of) = @_;
	my $dir = $self->{peer_dir} //= $self->install_peer;
	$self->make_peer_keys if !$self->{key_store};
	my ($port) = free_ports(1);
	my $config = $self->app_config("peer-$name", $port, %of);
	my $started = time;
	my $peer = Stagedoor::Process->start(name => "peer-$name",
		cwd => $dir, env => { NODE_ENV => 'production' },
		command => [ 'node', 'server.js', '--config', $config ]);
	return { name => 'Backstage', server => $peer, started => $started,
		processes => [ $peer ],
		url => "http://127.0.0.1:$port/api/kubernetes" };
}

1;
