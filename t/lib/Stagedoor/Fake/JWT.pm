# SPDX-License-Identifier: Apache-2.0
# Signed JWTs as the fake clouds take them: read strictly, and checked with
# the openssl program. A signer for the tests of the fakes themselves.
package Stagedoor::Fake::JWT;

use strict;
use warnings;

use Exporter qw(import);
use MIME::Base64 qw(decode_base64 encode_base64);
use Stagedoor::JSON qw(decode_json encode_json);

our @EXPORT_OK = qw(jwt_read jwt_is_signed jwt_make base64url);

my @PSS = qw(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32);
my %OPTIONS = (RS256 => [], PS256 => \@PSS);

sub base64url { return encode_base64($_[0], '') =~ tr{+/=}{-_}dr }

# { header, claims, signed (text), signature (bytes) }; undef if it is none.
sub jwt_read {
	my ($text) = @_;
	return undef if ($text // '') !~ /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
	my @parts = map { decode_base64(tr{-_}{+/}r) } $1, $2, $3;
	my %jwt = (signed => "$1.$2", signature => $parts[2]);
	@jwt{qw(header claims)} = eval { map { decode_json($_) } @parts[0, 1] }
	    or return undef;
	return \%jwt;
}

# Is it signed by this key? Files are made in DIR.
sub jwt_is_signed {
	my ($jwt, $public_key, $dir) = @_;
	my $options = $OPTIONS{$jwt->{header}{alg} // ''} or return 0;
	my ($text, $signature) = ("$dir/jwt.text", "$dir/jwt.signature");
	_write($text, $jwt->{signed});
	_write($signature, $jwt->{signature});
	return 0 == system 'openssl', qw(dgst -sha256 -verify), $public_key,
	    '-signature', $signature, @$options, $text;
}

sub jwt_make {
	my ($header, $claims, $key, $dir) = @_;
	my $signed = join '.', map { base64url(encode_json($_)) }
	    $header, $claims;
	_write("$dir/make.text", $signed);
	system('openssl', qw(dgst -sha256 -sign), $key, '-out',
	    "$dir/make.signature", @{$OPTIONS{$header->{alg}}},
	    "$dir/make.text") == 0 or die 'openssl cannot sign';
	open my $fh, '<:raw', "$dir/make.signature" or die "signature: $!";
	local $/;
	return "$signed." . base64url(scalar <$fh>);
}

sub _write {
	my ($file, $bytes) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $bytes;
	close $fh or die "$file: $!";
}

1;
