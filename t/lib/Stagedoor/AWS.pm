# SPDX-License-Identifier: Apache-2.0
# Takes an EKS token apart, so that it can be held against a recorded one:
# what changes from one token to the next becomes a word for its form, and
# the signature the name of the cluster that it is good for.
package Stagedoor::AWS;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter qw(import);
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::URL qw(unescape);

our @EXPORT_OK = qw(is_token token_seen);

my $PREFIX = 'k8s-aws-v1.';

# The keys of the recordings.
my %SECRETS = (
	AKIAFAKEFAKEFAKEFAKE => 'fakesecretfakesecretfakesecret',
	ASIAFAKEFAKEFAKEFAKE => 'tempsecret',
);

sub is_token { return defined $_[0] && $_[0] =~ /^\Q$PREFIX\E/ }

# token_seen(TOKEN, IDS): ids are the names of clusters it may be signed for.
sub token_seen {
	my ($token, @ids) = @_;
	my $text = substr $token, length $PREFIX;
	my $url = decode_base64($text =~ tr{-_}{+/}r);
	my ($scheme, $host, $path, $query)
	    = $url =~ m{^(\w+)://([^/?]*)([^?]*)\??(.*)$}s
	    or return { prefix => $PREFIX, undecodable => $text };
	my @pairs = map { [map { unescape($_) } split /=/, $_, 2] }
	    split /&/, $query;
	my %params = map { @$_ } @pairs;
	my ($valid) = grep { _is_signed_for($_, $host, \@pairs) } @ids;
	return {
		prefix => $PREFIX, scheme => $scheme, host => $host,
		base64url => $text =~ /=$/ ? 'padded' : 'unpadded',
		path => $path, params => _without_chance(%params),
		signatureValidForClusterId => $valid,
	};
}

sub _without_chance {
	my (%params) = @_;
	s/^\d{8}T\d{6}Z$/<YYYYMMDDTHHMMSSZ>/ for $params{'X-Amz-Date'};
	s{^([^/]+)/\d{8}/}{$1/<YYYYMMDD>/} for $params{'X-Amz-Credential'};
	s/^[0-9a-f]{64}$/<hex64>/ for $params{'X-Amz-Signature'};
	return \%params;
}

sub _escape { return $_[0] =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/gear }

# The signature is made again, as the cluster's side would.
sub _is_signed_for {
	my ($id, $host, $pairs) = @_;
	my %params = map { @$_ } @$pairs;
	my ($key, @scope) = split m{/}, $params{'X-Amz-Credential'} // '';
	my $names = $params{'X-Amz-SignedHeaders'} // '';
	my %headers = (host => $host, 'x-k8s-aws-id' => $id);
	my $query = join '&', sort map { _escape($_->[0]) . '='
	    . _escape($_->[1]) } grep { $_->[0] ne 'X-Amz-Signature' }
	    @$pairs;
	my $request = join "\n", 'GET', '/', $query,
	    join('', map { "$_:" . ($headers{$_} // '') . "\n" }
		split /;/, $names),
	    $names, sha256_hex('');
	my $text = join "\n", 'AWS4-HMAC-SHA256', $params{'X-Amz-Date'} // '',
	    join('/', @scope), sha256_hex($request);
	my $signing = 'AWS4' . ($SECRETS{$key // ''} // '?');
	$signing = hmac_sha256($_, $signing) for @scope;
	return hmac_sha256_hex($text, $signing)
	    eq ($params{'X-Amz-Signature'} // '');
}

1;
