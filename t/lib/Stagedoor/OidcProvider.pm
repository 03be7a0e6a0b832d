# SPDX-License-Identifier: Apache-2.0
# A real oidc-provider (a certified issuer in JavaScript) on loopback. See
# Stagedoor::RealIssuer for what can be done with it. Options of start:
#
#	alg => 'RS256' or 'ES256'
#	ttl => { IdToken => 300, AccessToken => 300, RefreshToken => 86400 }
#	rotate => 1		its sessions end when an old token is shown
#	clients => [{ client_id, client_secret, redirect_uris => [...] }]
#	redirect_uris, post_logout_redirect_uris
#				of the client "stagedoor" that is there if none
#				are given
#	users => { NAME => { email, email_verified, groups } }
#	consent => 1		refresh tokens only for prompt=consent, as it is
#				without settings
#	page => 1		asks who it is, on a page; else login_hint
package Stagedoor::OidcProvider;

use strict;
use warnings;

use parent 'Stagedoor::RealIssuer';

use Stagedoor::Fake::IssuerClients;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Process;
use Stagedoor::Util qw(program top write_file);

sub _name { return 'oidc-provider' }

sub _paths {
	return { discovery => '/.well-known/openid-configuration',
	    jwks => '/jwks', authorize => '/auth', token => '/token',
	    userinfo => '/me', device_authorization => '/device/auth',
	    device_page => '/device', revocation => '/token/revocation',
	    end_session => '/session/end' };
}

sub _launch {
	my ($self) = @_;
	my $opt = $self->{opt};
	my $modules = Stagedoor::RealIssuer::built('oidc-provider');
	my $file = write_file("$self->{dir}/config.json", encode_json({
		port => 0 + $self->{upstream}, issuer => $self->issuer,
		alg => $opt->{alg} // 'RS256', ttl => $opt->{ttl} // {},
		rotate => $opt->{rotate} // 1 ? \1 : \0,
		(map { $_ => $opt->{$_} ? \1 : \0 } qw(consent page)),
		users => $opt->{users} // { map { $_ => {
		    name => ucfirst $_, email => "$_\@example.test",
		    email_verified => \1, groups => ["team-$_"] } }
		    qw(alice bob carol) },
		clients => $self->_clients }));
	$self->{process} = Stagedoor::Process->start(name => 'oidc-provider',
	    stop_signal => 'KILL', env => { NODE_OPTIONS => undef,
		NODE_NO_WARNINGS => 1 },
	    command => [program('node'), top()
		. '/t/issuers/oidc-provider/server.mjs', $modules, $file]);
}

my @GRANTS = ('authorization_code', 'refresh_token',
    'urn:ietf:params:oauth:grant-type:device_code');

sub _clients {
	my ($self) = @_;
	my $opt = $self->{opt};
	my @clients = @{$opt->{clients} // [{ client_id => 'stagedoor',
	    client_secret => Stagedoor::Fake::IssuerClients::SECRET,
	    redirect_uris => $opt->{redirect_uris}
		// ['http://127.0.0.1:1/callback'],
	    post_logout_redirect_uris => $opt->{post_logout_redirect_uris}
		// [] }]};
	return [map { { grant_types => \@GRANTS, %$_ } } @clients];
}

# It takes login_hint; else there is a page with a button for each account.
sub sign_in {
	my ($self, $url, %opt) = @_;
	my $user = $opt{user} // 'alice';
	return $self->SUPER::sign_in($url =~ /login_hint=/
	    ? $url : "$url&login_hint=$user", %opt);
}

# A person who types the code of a device in, and says yes.
sub approve {
	my ($self, $user_code, $user) = @_;
	my $surfer = $self->surfer;
	my $page = $surfer->go($self->url('device_page')
	    . "?user_code=$user_code");
	$page = $surfer->submit($page);		# which code
	$page = $surfer->submit($page, confirm => 'yes')
	    if $page->{body} =~ /confirm/;
	$page = $surfer->submit($page, user => $user // 'alice')
	    if $page->{body} =~ /Who are you/;
	return $page;
}

sub _pages {
	my ($self, $surfer, $page, $user) = @_;
	return $page if !defined $page->{status};
	return $surfer->submit($page, user => $user);
}

1;
