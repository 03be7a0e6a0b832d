# SPDX-License-Identifier: Apache-2.0
# Takes an EKS token apart, so that it can be held against a recorded one:
# what changes from one token to the next becomes a word for its form, and
# the signature the name of the cluster that it is good for.
package Stagedoor::AWS;

use strict;
use warnings;

use Exporter qw(import);
use MIME::Base64 qw(decode_base64);
use Stagedoor::SigV4 qw(pairs_of signature);

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
	my %params = map { @$_ } pairs_of($query);
	my ($valid) = grep { _is_signed_for($_, $host, $query) } @ids;
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

# The signature is made again, as the cluster's side would.
sub _is_signed_for {
	my ($id, $host, $query) = @_;
	my %params = map { @$_ } pairs_of($query);
	my ($key, $scope) = split m{/}, $params{'X-Amz-Credential'} // '', 2;
	my $unsigned = join '&', grep { !/^X-Amz-Signature=/ }
	    split /&/, $query;
	return signature($SECRETS{$key // ''} // '?', method => 'GET',
	    query => $unsigned, scope => $scope // '',
	    headers => { host => $host, 'x-k8s-aws-id' => $id },
	    names => $params{'X-Amz-SignedHeaders'} // '',
	    date => $params{'X-Amz-Date'} // '')
	    eq ($params{'X-Amz-Signature'} // '');
}

1;
