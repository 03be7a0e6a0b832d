# SPDX-License-Identifier: Apache-2.0
# A real Dex on loopback. See Stagedoor::RealIssuer for what can be done with
# it. Options of start:
#
#	id_tokens => '5m'	how long they last (Go's way of writing it)
#	reuse_interval => '0s'	how long an old refresh token is still good
#	storage => 'memory' or 'sqlite'
#	clients => [{ id, secret, redirectURIs => [...], public }]
#	redirect_uris => [...]	of the client "stagedoor" that is there if none
#				are given
#	mock => 1		a connector that signs in kilgore@kilgore.trout,
#				of the group "authors", without a question
#
# Its people are alice, bob and carol of example.test; the password is
# "password". Dex knows redirect addresses exactly: start the web server's
# port first (free_port).
package Stagedoor::Dex;

use strict;
use warnings;

use parent 'Stagedoor::RealIssuer';

use Stagedoor::Fake::IssuerClients;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::Surfer;
use Stagedoor::Util qw(write_file);

# Of "password", by bcrypt with the least cost that Dex takes.
my $HASH = q{$2a$10$Stagedoor/testsAndIssu4n59CdowA4ci8dGF0lgAOyySjKyylcG};

sub _name { return 'dex' }
sub _prefix { return '/dex' }

sub _paths {
	return { discovery => '/dex/.well-known/openid-configuration',
	    jwks => '/dex/keys', authorize => '/dex/auth',
	    token => '/dex/token', userinfo => '/dex/userinfo',
	    device_authorization => '/dex/device/code',
	    device_page => '/dex/device' };
}

sub _launch {
	my ($self) = @_;
	my $bin = Stagedoor::RealIssuer::built('dex');
	# What is YAML is JSON, too.
	my $file = write_file("$self->{dir}/dex.yaml",
	    encode_json($self->_config("$bin/web")));
	$self->{process} = Stagedoor::Process->start(name => 'dex',
	    stop_signal => 'KILL', command => ["$bin/dex", 'serve', $file]);
}

sub _config {
	my ($self, $web) = @_;
	my $opt = $self->{opt};
	return {
		issuer => $self->issuer,
		storage => ($opt->{storage} // 'memory') eq 'memory'
		    ? { type => 'memory' } : { type => 'sqlite3',
		    config => { file => "$self->{dir}/dex.db" } },
		web => { http => "127.0.0.1:$self->{upstream}" },
		frontend => { dir => $web },
		logger => { level => 'info' },
		oauth2 => { skipApprovalScreen => \1,
		    responseTypes => ['code'],
		    grantTypes => ['authorization_code', 'refresh_token',
			'urn:ietf:params:oauth:grant-type:device_code'] },
		expiry => { idTokens => $opt->{id_tokens} // '5m',
		    refreshTokens => { disableRotation => \0,
			reuseInterval => $opt->{reuse_interval} // '0s',
			absoluteLifetime => '24h' } },
		enablePasswordDB => \1,
		staticPasswords => [map { { username => $_, hash => $HASH,
		    email => "$_\@example.test", userID => "id-$_" } }
		    $self->users],
		connectors => [$opt->{mock} ? { type => 'mockCallback',
		    id => 'mock', name => 'Mock' } : ()],
		staticClients => $self->_clients,
	};
}

sub users { return @{$_[0]{opt}{users} // [qw(alice bob carol)]} }

sub _clients {
	my ($self) = @_;
	return $self->{opt}{clients} // [{ id => 'stagedoor', name => 'Us',
	    secret => Stagedoor::Fake::IssuerClients::SECRET,
	    redirectURIs => $self->{opt}{redirect_uris}
		// ['http://127.0.0.1:1/callback'] }];
}

# Its page of names and passwords, after that of connectors if there are two.
sub _pages {
	my ($self, $surfer, $page, $user) = @_;
	$page = $surfer->go(Stagedoor::Surfer::link_to($page, qr{/auth/local}))
	    if defined $page->{status} && $page->{body} !~ /<form/;
	return $page if !defined $page->{status};
	return $surfer->submit($page, login => "$user\@example.test",
	    password => 'password');
}

1;
