#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# EKS tokens and signed calls to STS, by botocore and by us, of the same keys
# at the same moment.
use FindBin;
use lib "$FindBin::Bin/../lib";
use Stagedoor::Test;
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::URL qw(unescape);
use Stagedoor::Oracle;

my $oracle = Stagedoor::Oracle->start;
my $PRINTABLE = join '', map { chr } 0x20 .. 0x7e;
my $WORD = join '', 'a' .. 'z', 'A' .. 'Z', 0 .. 9;

my ($known) = $oracle->library('with_botocore.py', { op => 'regions' });
my @regions = @{$known->{regions}};
cmp_ok scalar @regions, '>', 30, 'botocore knows ' . @regions . ' regions';

sub keys_of_a_case {
	my %keys = (
		accessKeyId => $oracle->one_of(qw(AKIA ASIA))
		    . $oracle->text(12, 124, "$WORD" . '_'),
		secret => $oracle->text(1, 80, $PRINTABLE),
		now => $oracle->number(0, 4_102_444_799),	# to 2099
	);
	$keys{sessionToken} = $oracle->one_of(
	    $oracle->text(1, 20, $PRINTABLE) =~ s/^ | $/+/gr,
	    $oracle->text(300, 1500, "$WORD+/="),
	    $oracle->text(1, 4, '%&=+ ~?#') =~ s/^ | $/=/gr)
	    if rand() < 0.6;
	return %keys;
}

# Names as EKS has them, and names that are trouble. What stands around one
# is not part of a header.
sub a_cluster {
	my $odd = $oracle->text(1, 60, $PRINTABLE) =~ s/^ +| +$//gr;
	return $oracle->one_of($oracle->text(1, 100, "$WORD-_"),
	    length $odd ? $odd : 'x', 'odd   name', 'a%20b', 'a/b?c=d&e');
}

# (the URL without its parameters, a hash of these)
sub parts {
	my ($url) = @_;
	my ($base, $query) = split /\?/, $url // '', 2;
	return [$base, map { my @pair = split /=/, $_, 2;
	    join '=', map { unescape($_) } @pair }
	    sort split /&/, $query // ''];
}

sub is_same_url {
	my ($they, $we) = @_;
	my ($theirs, $ours) = map { join "\n", @{parts($_->{url})} } $they, $we;
	return 'the URLs differ' if $theirs ne $ours;
	my ($text) = $we->{token} =~ /^k8s-aws-v1\.([A-Za-z0-9_-]+)$/
	    or return 'the token is not base64url';
	return 'the token holds another URL'
	    if decode_base64($text =~ tr{-_}{+/}r) ne $we->{url};
	return undef;
}

# Every region, and then some.
my @tokens = map { { op => 'eks_token', region => $_, cluster => a_cluster(),
    keys_of_a_case() } } @regions, map { $oracle->one_of(@regions) }
    1 .. $oracle->each(300);
Stagedoor::Oracle::same('EKS tokens', \&is_same_url, \@tokens,
    [$oracle->library('with_botocore.py', @tokens)], [$oracle->ours(@tokens)]);

sub a_call {
	my $host = $oracle->one_of('sts.eu-west-1.amazonaws.com', 'localhost',
	    '127.0.0.1', '[::1]');
	my $port = $oracle->one_of('', '', ':443', ':4566', ':8443');
	return { op => 'sts_call', keys_of_a_case(),
	    url => "https://$host$port/",
	    host => $host . ($port eq ':443' ? '' : $port),
	    region => $oracle->one_of(@regions),
	    contentType => 'application/x-www-form-urlencoded'
		. $oracle->one_of('', '; charset=utf-8'),
	    body => $oracle->one_of('', 'Action=AssumeRole&RoleArn='
		. $oracle->text(1, 200, $PRINTABLE),
		$oracle->text(1, 3000, "$PRINTABLE\n")) };
}

sub is_same_call {
	my ($they, $we) = @_;
	for my $name (qw(authorization date)) {
		return "$name differs"
		    if ($they->{$name} // '') ne ($we->{$name} // '');
	}
	return undef;
}

my @calls = map { a_call() } 1 .. $oracle->each(300);
Stagedoor::Oracle::same('calls to STS', \&is_same_call, \@calls,
    [$oracle->library('with_botocore.py', @calls)], [$oracle->ours(@calls)]);
done_testing;
