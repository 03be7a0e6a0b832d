# SPDX-License-Identifier: Apache-2.0
# A portal whose users sign in to clusters: the pool behind nginx, an issuer,
# and visitors, whose session with the portal is a cookie that says who they
# are ("portal=alice").
#
#	my $portal = Stagedoor::SignIn->start(
#	    issuer => sub { issuer(...) },	# gets the callback's address
#	    settings => sub { ... });		# gets the issuer
#	$portal->connect('alice');		# signs in, without a browser
#	get($portal->web, '/clusters', $portal->as('alice'));
#	$page->goto($portal->enter('alice'));	# a browser's session
#	$page->goto($portal->url('/connect'));
#
# The issuer's login is called "corp". tls => 1: the portal is https, with a
# certificate that nobody trusts; ->web speaks to it without TLS all the same.
package Stagedoor::SignIn;

use strict;
use warnings;

use Stagedoor::Nginx;
use Stagedoor::Pool;
use Stagedoor::Process;
use Stagedoor::Surfer;
use Stagedoor::TLS;
use Stagedoor::Util qw(free_port);

use constant BASE => '/api/kubernetes';

sub start {
	my ($class, %opt) = @_;
	my $self = bless { opt => \%opt, port => free_port() }, $class;
	$self->{origin} = "http://127.0.0.1:$self->{port}";
	if ($opt{tls}) {
		$self->{tls} = free_port();
		$self->{origin} = "https://127.0.0.1:$self->{tls}";
	}
	$self->{issuer} = $opt{issuer}->($self->callback);
	my $settings = $opt{settings}->($self->{issuer});
	$settings->{stagedoor}{publicUrl} = $self->{origin};
	$settings->{stagedoor}{identity} //= { source => 'params' };
	delete $settings->{backend};
	$self->{pool} = Stagedoor::Pool->start(settings => $settings,
	    %{$opt{pool} // {}});
	$self->{web} = Stagedoor::Nginx->start(pool => $self->{pool},
	    port => $self->{port}, server => $self->_server);
	return $self;
}

sub _server {
	my ($self) = @_;
	return <<'END' . $self->_listen_tls;
		set $stagedoor_user $cookie_portal;
		location = /enter {
			add_header Set-Cookie
			    "portal=$arg_who; Path=/; HttpOnly; SameSite=Lax";
			default_type text/html;
			return 200 "<!DOCTYPE html><title>Portal</title>Hi";
		}
		location = /favicon.ico { return 204; }
END
}

sub _listen_tls {
	my ($self) = @_;
	return '' if !$self->{tls};
	my $dir = Stagedoor::Process::dir();
	Stagedoor::TLS::make_ca($dir, 'portal-ca');
	Stagedoor::TLS::make_cert($dir, 'portal', 'portal-ca');
	return <<"END";
		listen 127.0.0.1:$self->{tls} ssl;
		ssl_certificate $dir/portal.crt;
		ssl_certificate_key $dir/portal.key;
END
}

sub web { return $_[0]{web} }
sub pool { return $_[0]{pool} }
sub issuer { return $_[0]{issuer} }
sub origin { return $_[0]{origin} }
sub url { return $_[0]{origin} . BASE . $_[1] }
sub callback { return $_[0]->url('/connect/callback') }
sub enter { return "$_[0]{origin}/enter?who=$_[1]" }

# For get, post and request: who asks ('' is nobody), from the portal's pages.
sub as {
	my ($self, $user) = @_;
	return (headers => { Origin => $self->{origin},
	    $user ne '' ? (Cookie => "portal=$user") : () });
}

# A browser without a screen that has a session with the portal.
sub surfer {
	my ($self, $user) = @_;
	my $issuer = $self->{issuer};
	my $surfer = Stagedoor::Surfer->new(at => {
	    $self->{origin} => $self->{port},
	    $issuer->base => $issuer->port });
	return $surfer->cookie($self->{port}, portal => $user);
}

# Press the button, sign in, come back: the page that it ends with.
# account => NAME at the issuer, if it is called otherwise there; path of the
# login.
sub connect {
	my ($self, $user, %opt) = @_;
	my $path = $opt{path} // 'oidc/corp';
	my $surfer = $self->surfer($user);
	my $account = $opt{account} // $user;
	my $issuer = $self->{issuer};
	$issuer->set(user => $account);		# of a fake one
	my $page = $surfer->post($self->url("/connect/$path"), '',
	    $self->url('/connect'));
	return $page if index($page->{url}, $issuer->base) != 0;
	return $issuer->_pages($surfer, $page, $account);
}

sub disconnect {
	my ($self, $user, %opt) = @_;
	my $path = $opt{path} // 'oidc/corp';
	return $self->surfer($user)->post($self->url(
	    "/connect/$path/disconnect"), '', $self->url('/connect'));
}

1;
