#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# EKS tokens by the AWS CLI, and by us with its keys at its moment. Nothing is
# asked over a network for them. Debian's CLI, and one that comes earlier in
# the path.
use FindBin;
use lib "$FindBin::Bin/../lib";
use Stagedoor::Test;
use MIME::Base64 qw(decode_base64);
use Stagedoor::Oracle;
use Time::Local qw(timegm);

my %seen;
my @programs = grep { -x && !$seen{$_}++ } program('aws'), '/usr/bin/aws';
my $oracle = Stagedoor::Oracle->start;
my $WORD = join '', 'a' .. 'z', 'A' .. 'Z', 0 .. 9;

sub a_case {
	my ($region) = @_;
	my %case = (op => 'eks_token', region => $region,
		accessKeyId => 'AKIA' . $oracle->text(16, 16, $WORD),
		secret => $oracle->text(40, 40, "$WORD+/"),
		cluster => $oracle->text(1, 1, $WORD)
		    . $oracle->text(0, 99, "$WORD-_"));
	$case{sessionToken} = $oracle->text(300, 900, "$WORD+/=")
	    if rand() < 0.7;
	return \%case;
}

sub token_of {
	my ($aws, $case) = @_;
	my %env = map { $_ => undef } grep { /^AWS_/ } keys %ENV;
	my $ran = run_command([$aws, 'eks', 'get-token', '--output', 'json',
	    '--cluster-name', $case->{cluster}, '--region', $case->{region}],
	    env => { %env, HOME => tempdir(),
	    AWS_ACCESS_KEY_ID => $case->{accessKeyId},
	    AWS_SECRET_ACCESS_KEY => $case->{secret},
	    AWS_SESSION_TOKEN => $case->{sessionToken},
	    AWS_EC2_METADATA_DISABLED => 'true' });
	is $ran->{code}, 0, "$aws: a token in $case->{region}" or
	    diag $ran->{err};
	return decode_json($ran->{out})->{status}{token};
}

# The URL in a token, in the order in which its parts sort.
sub url_of {
	my ($token) = @_;
	my ($text) = $token =~ /^k8s-aws-v1\.([A-Za-z0-9_-]+)$/
	    or return 'no token';
	my ($base, $query) = split /\?/,
	    decode_base64($text =~ tr{-_}{+/}r), 2;
	return [$base, sort split /&/, $query];
}

sub moment_of {
	my ($url) = @_;
	my ($y, $m, @rest) = join('&', @$url) =~
	    /X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/;
	return timegm(reverse(@rest), $m - 1, $y);
}

for my $aws (@programs) {
	for my $region (qw(eu-west-1 cn-north-1 us-gov-west-1)) {
		my $case = a_case($region);
		my $theirs = url_of(token_of($aws, $case));
		$case->{now} = moment_of($theirs);
		my ($ours) = $oracle->ours($case);
		is_deeply url_of($ours->{token}), $theirs,
		    'is ours of the same second';
	}
}
done_testing;
