# SPDX-License-Identifier: Apache-2.0
# The keys of the fake issuer: one of RSA and one of P-256, made with openssl,
# changed when the test says so.
package Stagedoor::Fake::IssuerKeys;

use strict;
use warnings;

use Stagedoor::Fake::JWT qw(jwk_of jwt_make);
use Stagedoor::TLS qw(ec_key rsa_key);

sub new {
	my ($class, $dir) = @_;
	my $self = bless { dir => $dir, listed => [], n => 0 }, $class;
	$self->rotate;
	return $self;
}

# Sign with new keys from now on. keep: the old ones stay in the key set.
# hide: the new ones do not get there.
sub rotate {
	my ($self, %how) = @_;
	my $n = ++$self->{n};
	my %make = (RS256 => \&rsa_key, ES256 => \&ec_key);
	my %keys = map { $_ => { alg => $_, kid => lc(substr $_, 0, 2) . "-$n",
	    name => "issuer-$_-$n" } } keys %make;
	$make{$_}->($self->{dir}, $keys{$_}{name}) for keys %keys;
	$self->{current} = \%keys;
	@{$self->{listed}} = () if !$how{keep};
	push @{$self->{listed}}, map { $keys{$_} } qw(RS256 ES256)
	    if !$how{hide};
	return 'ok';
}

sub set {
	my ($self) = @_;
	return { keys => [map { { %{jwk_of("$self->{dir}/$_->{name}.pub")},
	    kid => $_->{kid}, alg => $_->{alg}, use => 'sig' } }
	    @{$self->{listed}}] };
}

# A JWT by the alg; what the endpoint was told spoils it.
sub sign {
	my ($self, $server, $alg, $claims) = @_;
	my $key = $self->{current}{$alg} // die "no key for $alg";
	my %header = (alg => $alg, kid => $key->{kid}, typ => 'JWT');
	my $file = "$self->{dir}/$key->{name}.key";
	if (my $other = $server->told('alg')) {
		$header{alg} = $other;
		$file =~ s/key$/pub/;
	}
	$header{kid} = 'nobody-' . $server->bump('unknown_kids')
	    if $server->is_wrong('kid');
	$file = $self->_another($alg) if $server->is_wrong('key');
	%header = (%header, %{$server->told_values('header')});
	return jwt_make(\%header, $claims, $file, $self->{dir});
}

sub _another {
	my ($self, $alg) = @_;
	my $name = "issuer-another-$alg";
	($alg eq 'ES256' ? \&ec_key : \&rsa_key)->($self->{dir}, $name)
	    if !-e "$self->{dir}/$name.key";
	return "$self->{dir}/$name.key";
}

1;
