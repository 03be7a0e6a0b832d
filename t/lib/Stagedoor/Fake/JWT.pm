# SPDX-License-Identifier: Apache-2.0
# Signed JWTs as the fakes take and hand them out: read strictly, checked and
# signed with the openssl program.
package Stagedoor::Fake::JWT;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter qw(import);
use MIME::Base64 qw(decode_base64 encode_base64);
use Stagedoor::JSON qw(decode_json encode_json);

our @EXPORT_OK = qw(jwt_read jwt_is_signed jwt_make jwk_of base64url);

my @PSS = qw(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32);
my %OPTIONS = (RS256 => [], PS256 => \@PSS, ES256 => []);

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
	my $bytes = $jwt->{signature};
	$bytes = _der($bytes) // return 0 if $jwt->{header}{alg} eq 'ES256';
	_write($text, $jwt->{signed});
	_write($signature, $bytes);
	return 0 == system 'openssl', qw(dgst -sha256 -verify), $public_key,
	    '-signature', $signature, @$options, $text;
}

# By the alg of the header. For HS256, what the key's file holds is the
# secret; for none there is no signature.
sub jwt_make {
	my ($header, $claims, $key, $dir) = @_;
	my $signed = join '.', map { base64url(encode_json($_)) }
	    $header, $claims;
	my $alg = $header->{alg};
	my $bytes = lc $alg eq 'none' ? ''
	    : $alg eq 'HS256' ? hmac_sha256($signed, _read($key))
	    : _sign($signed, $alg, $key, $dir);
	return "$signed." . base64url($bytes);
}

sub _sign {
	my ($signed, $alg, $key, $dir) = @_;
	my ($text, $signature) = ("$dir/make.text", "$dir/make.signature");
	_write($text, $signed);
	system('openssl', qw(dgst -sha256 -sign), $key, '-out', $signature,
	    @{$OPTIONS{$alg}}, $text) == 0 or die 'openssl cannot sign';
	my $bytes = _read($signature);
	return $alg eq 'ES256' ? _raw($bytes) : $bytes;
}

# r and s of 32 bytes each, to what openssl reads and writes, and back.
sub _der {
	my ($raw) = @_;
	return undef if length $raw != 64;
	my $both = join '', map { my $n = s/^\0+(?=.)//sr;
	    $n = "\0$n" if ord($n) & 0x80;
	    "\x02" . chr(length $n) . $n } unpack 'a32 a32', $raw;
	return "\x30" . chr(length $both) . $both;
}

sub _raw {
	my ($der) = @_;
	my ($r, $s) = unpack 'x3 C/a x C/a', $der;
	return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}

# The public key in a PEM file as a JWK, without kid, alg and use.
sub jwk_of {
	my ($file) = @_;
	my ($text) = _read($file) =~ /-----\n(.*?)-----/s;
	my $der = decode_base64($text);
	return { kty => 'EC', crv => 'P-256',
	    x => base64url(substr $der, -64, 32),
	    y => base64url(substr $der, -32) } if length $der < 128;
	# ... INTEGER n (0x82: two bytes of length), INTEGER 65537
	my ($n, $e) = $der =~ /\x02\x82..\0?(.{256})\x02\x03(...)$/s
	    or die "$file: neither RSA of 2048 bits nor P-256";
	return { kty => 'RSA', n => base64url($n), e => base64url($e) };
}

sub _read {
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar(<$fh>) // '';
}

sub _write {
	my ($file, $bytes) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $bytes;
	close $fh or die "$file: $!";
}

1;
