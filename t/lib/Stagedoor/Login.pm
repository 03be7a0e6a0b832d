# SPDX-License-Identifier: Apache-2.0
# `stagedoor login` on somebody's machine, and the portal that it asks: the
# pool behind nginx with TLS, the direct lane and stagedoor-kubectl.conf, where
# the site's own sign-in is a header that a Stagedoor::Visitor sends.
#
#	my $portal = Stagedoor::Login->portal(settings => sub { ... });
#	my $run = $portal->login;		# in the background
#	$portal->approve('ann', $run);
#	my $said = $run->said;			# code, out, err
package Stagedoor::Login;

use strict;
use warnings;

use Stagedoor::Device;
use Stagedoor::Nginx;
use Stagedoor::Pool;
use Stagedoor::Process;
use Stagedoor::TLS qw(make_ca make_cert slurp);
use Stagedoor::Util qw(free_port run_command stagedoor_bin tempdir wait_for
    write_file);
use Stagedoor::Visitor;

use constant BASE => '/api/kubernetes';

my $count = 0;

# settings gets publicUrl and a store for stagedoor => {...}; server: more
# text for the server block; ca, certificate, key: files, else made here.
sub portal {
	my ($class, %opt) = @_;
	my $dir = tempdir();
	my $self = bless { plain => free_port(), tls => free_port(),
	    home => "$dir/home-" . ++$count, %opt }, $class;
	mkdir $self->{home}, 0700 or die "$self->{home}: $!";
	$self->{url} = "https://127.0.0.1:$self->{tls}" . BASE;
	$self->_make_certificate($dir) if !defined $self->{ca};
	my $keys = write_file("$dir/portal.keys",
	    run_command([stagedoor_bin(), 'key'])->{out});
	chmod 0600, $keys;
	my $settings = $opt{settings}->(
	    publicUrl => "https://127.0.0.1:$self->{tls}",
	    store => { type => 'sqlite', path => "$dir/portal.db",
		keyFile => $keys });
	$self->{pool} = Stagedoor::Pool->start(settings => $settings);
	$self->{web} = $self->_start_nginx;
	return $self;
}

sub _make_certificate {
	my ($self, $dir) = @_;
	make_ca($dir, 'portal-ca');
	make_cert($dir, 'portal', 'portal-ca');
	@$self{qw(ca certificate key)} = map { "$dir/$_" }
	    qw(portal-ca.crt portal.crt portal.key);
}

# Who shows no sign-in of the site's gets a 401 from it, and not from us.
sub _start_nginx {
	my ($self) = @_;
	my $more = $self->{server} // '';
	return Stagedoor::Nginx->start_bare(name => 'nginx',
	    port => $self->{plain}, includes => $self->{pool}->socket,
	    lane => $self->{pool}->config_file, http => <<"END");
	include stagedoor/stagedoor.conf;
	include stagedoor/stagedoor-lane.conf;
	server {
		listen 127.0.0.1:$self->{plain};
		listen 127.0.0.1:$self->{tls} ssl http2;
		ssl_certificate $self->{certificate};
		ssl_certificate_key $self->{key};
		auth_request /site;
		auth_request_set \$stagedoor_user \$http_x_test_user;
		auth_request_set \$stagedoor_groups \$http_x_test_groups;
		error_page 401 = \@site_says_no;
		location \@site_says_no {
			auth_request off;
			add_header X-Site no always;
			return 401;
		}
		location = /site {
			internal;
			if (\$http_x_test_user = "") { return 401; }
			return 204;
		}
		$more
		include stagedoor/stagedoor-kubectl.conf;
		include stagedoor/stagedoor-location.conf;
		include stagedoor/stagedoor-lane-location.conf;
	}
END
}

sub web { return $_[0]{web} }
sub pool { return $_[0]{pool} }
sub url { return $_[0]{url} }

sub visitor {
	my ($self, $user) = @_;
	return Stagedoor::Visitor->new(web => $self->{web}, user => $user);
}

# The words of the command; home: as if on another machine.
sub command {
	my ($self, @more) = @_;
	return (stagedoor_bin(), 'login', '--portal', $self->{url},
	    '--ca', $self->{ca}, @more);
}

sub env {
	my ($self, %more) = @_;
	return { HOME => $self->{home}, XDG_CACHE_HOME => undef,
	    KUBERNETES_EXEC_INFO => undef, %more };
}

# At once, to its end.
sub run {
	my ($self, @more) = @_;
	return run_command([$self->command(@more)], env => $self->env);
}

# In the background.
sub login {
	my ($self, @more) = @_;
	my $number = ++$count;
	my ($out, $err) = map { tempdir() . "/login-$number.$_" } qw(out err);
	my $process = Stagedoor::Process->start(name => "login $number",
	    env => $self->env, command => ['sh', '-c',
	    "exec \"\$0\" \"\$@\" >$out 2>$err", $self->command('--wait',
	    @more)]);
	return bless { process => $process, out => $out, err => $err },
	    'Stagedoor::Login::Run';
}

# The code that it shows is entered and allowed (or another step).
sub approve {
	my ($self, $user, $run, %opt) = @_;
	my $visitor = $self->visitor($user);
	my $device = Stagedoor::Device->new(web => $self->{web},
	    code => $run->code);
	$device->step($visitor, 'look', headers => $opt{headers} // {});
	wait_for(sub { $device->page($visitor)->{body} =~ /name="device"/ },
	    10, 'the machine to ask');
	return $device->step($visitor, $opt{step} // 'allow',
	    headers => $opt{headers} // {});
}

package Stagedoor::Login::Run;

use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(wait_for);

sub code {
	my ($self) = @_;
	my $code;
	wait_for(sub {
		return 0 if !-e $self->{err};
		($code) = slurp($self->{err}) =~ /^ +(\w{4}-\w{4})$/m;
		return defined $code;
	}, 10, 'a code');
	return $code;
}

sub err { return -e $_[0]{err} ? slurp($_[0]{err}) : '' }

sub said {
	my ($self) = @_;
	wait_for(sub { $self->{process}->ended }, 30, 'stagedoor login');
	return { code => $self->{process}->stop, out => slurp($self->{out}),
	    err => $self->err };
}

1;
