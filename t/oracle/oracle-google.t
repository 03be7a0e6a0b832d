#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What Google is shown for a token, by google-auth and by us: the assertion of
# a service account, and the signed question of a workload on AWS.
use FindBin;
use lib "$FindBin::Bin/../lib";
use Stagedoor::Test;
use Stagedoor::Oracle;
use Stagedoor::TLS qw(rsa_key);

my $oracle = Stagedoor::Oracle->start;
my $WORD = join '', 'a' .. 'z', 'A' .. 'Z', 0 .. 9;
my $PRINTABLE = join '', map { chr } 0x20 .. 0x7e;
my $LIBRARY = 'with_google_auth.py';

rsa_key(tempdir(), 'account');
my $certificate = slurp(tempdir() . '/account.crt');
my $pkcs8 = slurp(tempdir() . '/account.key');
my $pkcs1 = run_command([program('openssl'), 'rsa', '-traditional', '-in',
    tempdir() . '/account.key'])->{out};

sub an_account {
	my %case = (op => 'google_assertion',
		email => $oracle->one_of('x@y.iam.gserviceaccount.com',
		    $oracle->text(1, 60, "$PRINTABLE")),
		keyId => $oracle->one_of($oracle->text(40, 40, 'abcdef0123'),
		    $oracle->text(1, 30, $PRINTABLE)),
		scopes => join(' ', map { 'https://www.googleapis.com/auth/'
		    . $oracle->text(1, 20, "$WORD.-_") }
		    1 .. $oracle->number(1, 4)),
		key => $oracle->one_of($pkcs8, $pkcs1, $pkcs8 =~ s/\n/\r\n/gr),
		now => $oracle->number(0, 4_102_444_799));
	$case{subject} = $oracle->text(1, 40, $PRINTABLE) if rand() < 0.4;
	return \%case;
}

# What was signed, if it was signed with our key.
sub signed {
	my (@tokens) = @_;
	return $oracle->library($LIBRARY, map { { op => 'jwt_read',
	    token => $_->{token} // 'none', algorithm => 'RS256',
	    certificate => $certificate } } @tokens);
}

sub is_same {
	my ($they, $we) = @_;
	return 'not made, or not signed'
	    if defined $they->{error} || defined $we->{error};
	my ($theirs, $ours) = map { encode_json($_) } $they, $we;
	return $theirs eq $ours ? undef : 'they say different things';
}

my @accounts = map { an_account() } 1 .. $oracle->each(60);
Stagedoor::Oracle::same('assertions of service accounts', \&is_same,
    \@accounts, [signed($oracle->library($LIBRARY, @accounts))],
    [signed($oracle->ours(@accounts))]);

sub a_workload {
	my $region = $oracle->one_of(qw(us-east-1 eu-west-3 ap-south-2));
	my %environment = (
		$oracle->one_of(qw(AWS_REGION AWS_DEFAULT_REGION)) => $region,
		AWS_ACCESS_KEY_ID => 'ASIA' . $oracle->text(16, 16, $WORD),
		AWS_SECRET_ACCESS_KEY => $oracle->text(1, 60, "$WORD/+="));
	$environment{AWS_SESSION_TOKEN} = $oracle->text(1, 900, "$WORD/+=")
	    if rand() < 0.6;
	return { op => 'google_aws_subject', environment => \%environment,
	    now => $oracle->number(0, 4_102_444_799),
	    audience => '//iam.googleapis.com/projects/'
		. $oracle->text(1, 60, $PRINTABLE),
	    source => { environment_id => 'aws1',
		regional_cred_verification_url => 'https://'
		. $oracle->one_of('sts.{region}.amazonaws.com',
		'sts.amazonaws.com', 'sts.{region}.amazonaws.com.cn')
		. '?Action=GetCallerIdentity&Version=2011-06-15' } };
}

my @workloads = map { a_workload() } 1 .. $oracle->each(200);
my @ours = map { { op => 'read_subject', %$_ } } $oracle->ours(@workloads);
Stagedoor::Oracle::same('workloads on AWS', \&is_same, \@workloads,
    [$oracle->library($LIBRARY, @workloads)],
    [$oracle->library($LIBRARY, @ours)]);
done_testing;
