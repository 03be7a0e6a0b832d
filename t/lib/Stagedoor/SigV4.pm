# SPDX-License-Identifier: Apache-2.0
# AWS Signature Version 4, as one who checks it needs it: the signature that
# a request should have. Protocol: "Signature Version 4 signing process" in
# the AWS General Reference.
package Stagedoor::SigV4;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter qw(import);
use Stagedoor::Fake::URL qw(unescape);

our @EXPORT_OK = qw(signature pairs_of escape signed_headers);

sub escape { return $_[0] =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/gear }

# The names and values of a query.
sub pairs_of {
	my ($query) = @_;
	return map {
		my ($name, $value) = split /=/, tr/+/ /r, 2;
		[unescape($name), unescape($value // '')]
	} grep { $_ ne '' } split /&/, $query;
}

# signature(SECRET, method, path, query (without the signature itself),
# headers { in lower case }, names "host;x-amz-date", hash of the body, date
# and scope "20250314/us-east-1/sts/aws4_request"), in hex.
sub signature {
	my ($secret, %of) = @_;
	my $query = join '&', sort map { escape($_->[0]) . '='
	    . escape($_->[1]) } pairs_of($of{query} // '');
	my $headers = join '', map { "$_:" . _trimmed($of{headers}{$_}) . "\n" }
	    split /;/, $of{names};
	my $request = join "\n", $of{method}, $of{path} // '/', $query,
	    $headers, $of{names}, $of{hash} // sha256_hex('');
	my $text = join "\n", 'AWS4-HMAC-SHA256', $of{date}, $of{scope},
	    sha256_hex($request);
	my $key = "AWS4$secret";
	$key = hmac_sha256($_, $key) for split m{/}, $of{scope};
	return hmac_sha256_hex($text, $key);
}

sub _trimmed {
	my ($value) = @_;
	return ($value // '') =~ s/^\s+|\s+$//gr =~ s/ +/ /gr;
}

# The headers that sign a POST of a form to STS: signed_headers(id => ...,
# secret => ..., token => ..., host => 'h:1', date => '20250314T150926Z',
# region => 'us-east-1', body => BYTES).
sub signed_headers {
	my (%of) = @_;
	my %headers = (host => $of{host}, 'x-amz-date' => $of{date},
	    'content-type' => 'application/x-www-form-urlencoded',
	    defined $of{token} ? ('x-amz-security-token' => $of{token}) : ());
	my $names = join ';', sort keys %headers;
	my $scope = substr($of{date}, 0, 8)
	    . '/' . ($of{region} // 'us-east-1') . '/sts/aws4_request';
	my $hex = signature($of{secret}, method => 'POST', names => $names,
	    headers => \%headers, hash => sha256_hex($of{body}),
	    date => $of{date}, scope => $scope);
	return { %headers, authorization => 'AWS4-HMAC-SHA256 Credential='
	    . "$of{id}/$scope, SignedHeaders=$names, Signature=$hex" };
}

1;
