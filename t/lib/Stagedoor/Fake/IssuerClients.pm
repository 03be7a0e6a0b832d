# SPDX-License-Identifier: Apache-2.0
# Who the client of the fake issuer is, checked as real issuers do:
# client_secret_basic (form-encoded inside Base64), client_secret_post, none
# and private_key_jwt (RFC 7523). The option clients:
#
#	{ ID => { auth => 'basic' (or post, none, private_key_jwt),
#	    secret => TEXT, public_key => FILE of PEM,
#	    redirect_uris => [...] (exactly; any, if it is absent) } }
package Stagedoor::Fake::IssuerClients;

use strict;
use warnings;

use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::JWT qw(jwt_is_signed jwt_read);
use Stagedoor::Fake::URL qw(unescape);

use constant SECRET => 'client+secret/%&';
use constant ASSERTION =>
    'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

sub all {
	my ($server) = @_;
	return $server->option(clients =>
	    { stagedoor => { secret => SECRET } });
}

# (ID, undef), or (undef, the answer that refuses).
sub identify {
	my ($server, $request) = @_;
	my ($id, $why) = _who($server, $request->{headers}{authorization},
	    $request->{form} // {});
	return ($id, undef) if !defined $why;
	$server->bump('clients_refused');
	return (undef, $server->error(401, 'invalid_client', $why,
	    'WWW-Authenticate' => 'Basic realm="issuer"'));
}

sub _who {
	my ($server, $header, $form) = @_;
	my ($method, $id, $secret, $why);
	if (defined $header) {
		($method, $id, $secret) = ('basic', _basic($header));
		return (undef, 'no such Basic header') if !defined $id;
		return (undef, 'two ways to authenticate at once')
		    if defined $form->{client_secret}
		    || defined $form->{client_assertion};
	} elsif (defined $form->{client_assertion}) {
		($id, $why) = _assertion($server, $form);
		return (undef, $why) if defined $why;
		$method = 'private_key_jwt';
	} else {
		($id, $secret) = @$form{qw(client_id client_secret)};
		$method = defined $secret ? 'post' : 'none';
	}
	return (undef, 'no client') if !defined $id;
	return (undef, 'client_id is of another client')
	    if ($form->{client_id} // $id) ne $id;
	return _known(all($server)->{$id}, $id, $method, $secret);
}

sub _known {
	my ($client, $id, $method, $secret) = @_;
	return (undef, "no client '$id'") if !$client;
	my $want = $client->{auth} // 'basic';
	return (undef, "$id must authenticate with $want, not $method")
	    if $method ne $want;
	return (undef, 'wrong secret')
	    if defined $secret && $secret ne ($client->{secret} // SECRET);
	return ($id, undef);
}

# Both parts are form-encoded (RFC 6749, 2.3.1).
sub _basic {
	my ($header) = @_;
	my ($text) = $header =~ /^Basic ([A-Za-z0-9+\/]+=*)$/i or return;
	my ($id, $secret) = split /:/, decode_base64($text), 2;
	return if !defined $secret || $secret =~ /[^\w.*%+~-]/;
	return map { unescape(tr/+/ /r) } $id, $secret;
}

sub _assertion {
	my ($server, $form) = @_;
	return (undef, 'no such client_assertion_type')
	    if ($form->{client_assertion_type} // '') ne ASSERTION;
	my $jwt = jwt_read($form->{client_assertion})
	    or return (undef, 'client_assertion is no JWT');
	my $claims = $jwt->{claims};
	my $id = $claims->{sub} // '';
	my $file = (all($server)->{$id} // {})->{public_key};
	return (undef, 'no key of this client') if !defined $file;
	return (undef, 'client_assertion is not signed by the client')
	    if !jwt_is_signed($jwt, $file, $server->dir);
	return ($id, _claims($server, $claims));
}

sub _claims {
	my ($server, $claims) = @_;
	my $now = $server->now;
	my $aud = $claims->{aud} // '';
	my @aud = ref $aud ? @$aud : $aud;
	my %ours = map { $_ => 1 } $server->issuer, $server->url('token');
	return 'iss is not the client' if ($claims->{iss} // '')
	    ne $claims->{sub};
	return 'aud is not this issuer' if !grep { $ours{$_} } @aud;
	return 'exp is over, or absent' if ($claims->{exp} // 0) <= $now;
	return 'exp is too far away' if $claims->{exp} > $now + 3600;
	return 'it begins later' if ($claims->{nbf} // 0) > $now + 60
	    || ($claims->{iat} // 0) > $now + 60;
	return 'no jti' if !length($claims->{jti} // '');
	return 'jti was used before' if $server->{jti}{$claims->{jti}}++;
	return undef;
}

1;
