# SPDX-License-Identifier: Apache-2.0
# Tokens as Backstage's auth back end signs them, and its key set.
#
#	my $tokens = Stagedoor::BackstageTokens->new;
#	$fake->backstage_says(jwks => $tokens->jwks);
#	get($pool, '/clusters', headers =>
#	    [$tokens->bearer($tokens->user('user:default/jane'))]);
package Stagedoor::BackstageTokens;

use strict;
use warnings;

use Stagedoor::Fake::JWT qw(jwk_of jwt_make);
use Stagedoor::TLS qw(ec_key);
use Stagedoor::Util qw(tempdir);

my $count = 0;

sub new {
	my ($class) = @_;
	my $self = bless { dir => tempdir() . '/backstage-' . ++$count,
	    n => 0, listed => [] }, $class;
	mkdir $self->{dir} or die "$self->{dir}: $!";
	$self->rotate;
	return $self;
}

# Sign with a new key from now on; the old ones stay listed, if they are kept.
sub rotate {
	my ($self, %how) = @_;
	my $name = 'key-' . ++$self->{n};
	ec_key($self->{dir}, $name);
	@{$self->{listed}} = () if !$how{keep};
	push @{$self->{listed}}, $name;
	$self->{name} = $name;
}

sub jwks {
	my ($self) = @_;
	return { keys => [map { { %{jwk_of("$self->{dir}/$_.pub")},
	    kid => $_, alg => 'ES256', use => 'sig' } }
	    @{$self->{listed}}] };
}

# sign(TYP, CLAIMS): with iat and exp, unless they are there. undef leaves a
# claim out.
sub sign {
	my ($self, $typ, %claims) = @_;
	my %all = (iat => time - 5, exp => time + 3600, %claims);
	my @out = grep { !defined $all{$_} } keys %all;
	delete @all{@out};
	my %header = (alg => 'ES256', kid => $self->{name});
	$header{typ} = $typ if defined $typ;
	return jwt_make(\%header, \%all, "$self->{dir}/$self->{name}.key",
	    $self->{dir});
}

sub user {
	my ($self, $sub, %claims) = @_;
	return $self->sign('vnd.backstage.user', sub => $sub,
	    aud => 'backstage', ent => [$sub], %claims);
}

sub limited {
	my ($self, $sub, %claims) = @_;
	return $self->sign('vnd.backstage.limited-user', sub => $sub,
	    %claims);
}

sub bearer { return [Authorization => "Bearer $_[1]"] }

1;
