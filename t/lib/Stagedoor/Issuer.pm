# SPDX-License-Identifier: Apache-2.0
# A fake issuer of OpenID Connect: one process on loopback. It signs people
# in at once, rotates refresh tokens, ends the session of who shows an old
# one, checks its clients, and misbehaves as it is told.
#
#	my $issuer = issuer(id_seconds => 5, alg => 'ES256');
#	settings(..., stagedoor => { login => [$issuer->login('corp')] });
#	my $back = $issuer->sign_in($address);	# where it sends the browser
#	$issuer->behave(token => 'slow:8,503,wrong:aud');
#	is $issuer->counters->{rotations}, 3, 'three times anew';
#	is $issuer->requests('token')->[0]{form}{grant_type}, ...;
#
# Endpoints, for behave, requests and count: discovery jwks authorize token
# device_authorization device_page userinfo revocation end_session, and
# elsewhere for what is none. What each can be told is in
# Fake/IssuerServer.pm. Options, at start and with set() at any time:
#
#	dialect		oidc, google or aks: paths, scopes, refresh tokens
#	tenant		of aks
#	path		stands before all paths ("/dex")
#	issuer		what it calls itself, if not its address
#	without		list of endpoints that it does not have
#	clients		see Fake/IssuerClients.pm; default: "stagedoor", basic
#	users		{ NAME => { sub, email, ... claims } }; default: alice,
#			bob and carol, of example.test
#	user		who signs in when login_hint names nobody; alice
#	session		someone is signed in already (prompt=none works)
#	alg		RS256 (default) or ES256
#	id_seconds, access_seconds	300; refresh_seconds 0: for ever
#	code_seconds 60, device_seconds 600, device_interval 1 (0: not told)
#	refresh		scope (needs offline_access), always, never,
#			access_type (as Google)
#	rotate 1, reuse_interval 0	of refresh tokens, seconds
#	refresh_id_token 1, refresh_nonce 0	what a refresh brings
#	granted		the scope that it says it gave
#	pkce 1, iss_parameter 1, jwks_max_age 0, error_description
#
# Counters: logins codes codes_reused rotations reuses refused revoked
# families_revoked clients_refused devices too_fast logouts unknown_kids.
package Stagedoor::Issuer;

use strict;
use warnings;

use parent 'Stagedoor::Fake';

use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::IssuerServer;
use Stagedoor::Fake::URL qw(query_of);
use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json);
use Stagedoor::Process;
use Stagedoor::TLS;
use Stagedoor::Util qw(free_port have_program skip_or_fail);

my $count = 0;

# start(tls => 1 for https, port => N, and options).
sub start {
	my ($class, %opt) = @_;
	have_program('openssl') or skip_or_fail('no openssl');
	my ($tls, $port) = delete @opt{qw(tls port)};
	my $dir = Stagedoor::Process::dir() . '/issuer-' . ++$count;
	mkdir $dir or die "$dir: $!";
	$port //= free_port();
	my $front = $tls ? free_port() : undef;
	my $base = $tls ? "https://127.0.0.1:$front" : "http://127.0.0.1:$port";
	my $self = $class->SUPER::start(clusters => [{ name => 'issuer',
	    class => 'Stagedoor::Fake::IssuerServer', dir => $dir,
	    port => $port, base => $base, options => { %opt } }]);
	@$self{qw(dir base options)} = ($dir, $base, { %opt });
	$self->_tls_front($front) if $tls;
	$self->_control('/ping');	# its keys are made
	return $self;
}

sub _tls_front {
	my ($self, $port) = @_;
	my $dir = $self->{dir};
	Stagedoor::TLS::make_ca($dir, 'ca');
	Stagedoor::TLS::make_cert($dir, 'server', 'ca');
	$self->{front} = Stagedoor::TLS::tls_front(listen => $port,
	    to => $self->port, cert => "$dir/server.crt",
	    key => "$dir/server.key");
}

sub dir { return $_[0]{dir} }
sub port { return $_[0]->SUPER::port($_[1] // 'issuer') }
sub ca_file { return "$_[0]{dir}/ca.crt" }	# with tls => 1

# Where it listens (the host of Entra, for aks), and its name.
sub base { return $_[0]{base} }
sub issuer { return $_[0]->_tell('issuer') }
sub url { return $_[0]->_tell(url => $_[1]) }	# of an endpoint

# An entry of stagedoor.login that fits: login(NAME, key => value to add).
sub login {
	my ($self, $name, %more) = @_;
	my $dialect = $self->{options}{dialect} // 'oidc';
	return { provider => $dialect,
	    $dialect eq 'oidc' ? (name => $name // 'corp') : (),
	    $dialect eq 'aks' ? (tenant => $self->_tell('tenant'))
		: (issuer => $self->issuer),
	    clientId => 'stagedoor',
	    clientSecret => Stagedoor::Fake::IssuerClients::SECRET,
	    scopes => [qw(openid email profile groups offline_access)],
	    %more };
}

# --- What the test asks and tells -------------------------------------------

# Recorded requests, of one endpoint or all: what Stagedoor::Fake records,
# with endpoint and form (decoded).
sub requests {
	my ($self, $endpoint) = @_;
	_endpoint($endpoint) if defined $endpoint;
	my $all = $self->SUPER::requests($endpoint);
	$_->{endpoint} = $_->{cluster} for @$all;
	return $all;
}

sub _endpoint {
	my ($name) = @_;
	die "no endpoint '$name' of an issuer\n"
	    if !grep { $_ eq $name } Stagedoor::Fake::IssuerServer::endpoints();
}

sub count { return scalar @{$_[0]->requests($_[1])} }

# behave(ENDPOINT => BEHAVIOUR, ...): from now on.
sub behave {
	my ($self, %of) = @_;
	while (my ($endpoint, $behaviour) = each %of) {
		_endpoint($endpoint);
		my $steps = Stagedoor::Fake::IssuerServer::steps($behaviour);
		$self->_tell(behave => $endpoint, $steps);
	}
}

sub set {
	my ($self, %options) = @_;
	$self->_tell(set => \%options);
}

sub counters { return $_[0]->_tell('counters') }
sub recount { $_[0]->_tell('recount') }

# New keys from now on; keep => 1: the old ones are listed beside them;
# hide => 1: the new ones are not listed.
sub rotate_keys { my $self = shift; $self->_tell(rotate_keys => @_) }

# A list of { user, client, rotations, reuses, revoked (why), scope }.
sub sessions { return $_[0]->_tell(flow => 'sessions') }
sub end_sessions { $_[0]->_tell(flow => 'end_sessions', $_[1]) }

# A device: approve(USER_CODE, USER), deny(USER_CODE).
sub approve { $_[0]->_tell(flow => 'decide', $_[1], $_[2] // 'alice') }
sub deny { $_[0]->_tell(flow => 'decide', $_[1], undef) }

sub _tell {
	my ($self, @what) = @_;
	return $self->_control('/tell', ['issuer', @what]);
}

# --- As a browser would -----------------------------------------------------

# Follow an address of the authorization endpoint: the address that it sends
# the browser to (undef: none). user => NAME signs in that one.
sub sign_in {
	my ($self, $url, %opt) = @_;
	my ($target) = $url =~ m{^https?://[^/]+(/.*)$} or die "no URL: $url";
	$target .= "&login_hint=$opt{user}" if defined $opt{user};
	my $answer = Stagedoor::HTTP->new(port => $self->port)->get($target);
	return $answer->{headers}{location};
}

# Its pages, of which it has none, walked through by a Stagedoor::Surfer.
sub _pages { return $_[2] }

# The parameters of an address, as a hash.
sub parameters_of {
	my ($url) = @_;
	my ($query) = ($url // '') =~ /\?([^#]*)/;
	return query_of($query // '');
}

# The claims in a JWT, whoever signed it; undef if it is none.
sub claims_of {
	my ($token) = @_;
	my (undef, $claims) = split /\./, $token // '';
	return eval { decode_json(decode_base64(
	    ($claims // '') =~ tr{-_}{+/}r)) };
}

1;
