#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What each source of AWS credentials makes of each fault: the table.
# lib/Stagedoor/Faults.pm says how to read it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Faults;

use POSIX qw(strftime);
use Time::Local qw(timegm);

my $SECRET = 'fakesecretfakesecretfakesecret';
my %MAIN = (mainAccount => { accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
    secretAccessKey => $SECRET });
my $ROLE = 'arn:aws:iam::222222222222:role/k8s';
my $ASSUMED = qr{:222222222222:assumed-role/k8s/};
my %NOWHERE = (AWS_CONFIG_FILE => '/nonexistent', HOME => '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE => '/nonexistent',
    AWS_EC2_METADATA_DISABLED => 'true', AWS_REGION => 'eu-west-1');

my $keys = "\"AccessKeyId\": \"AKIAFAKEFAKEFAKEFAKE\", "
    . "\"SecretAccessKey\": \"$SECRET\"";

sub prints {
	my ($json) = @_;
	return "echo '$json'";
}

sub stamp {
	return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $_[0]));
}

my %SOURCES = (
	static => { at => 'sts', gets => qr{:user/x$}, with => sub {
		(aws => \%MAIN, env => { $_[0]->env('sts') }) } },
	role => { at => 'sts', gets => $ASSUMED, with => sub {
		my ($cloud) = @_;
		return (aws => \%MAIN, cluster => { assumeRole => $ROLE },
		    env => { $cloud->env('sts') });
	} },
	# The first role's keys sign for the second.
	chain => { at => 'sts', gets => $ASSUMED, with => sub {
		my ($cloud) = @_;
		return (aws => { %MAIN, accounts => [
			{ accountId => '222222222222', roleName => 'first',
			    externalId => 'external-x' }] },
		    cluster => { assumeRole => $ROLE,
			externalId => 'external-y' },
		    env => { $cloud->env('sts') });
	} },
	web => { at => 'sts', gets => $ASSUMED, with => sub {
		my ($cloud, $dir) = @_;
		return (env => { $cloud->env('sts'), AWS_ROLE_ARN => $ROLE,
		    AWS_WEB_IDENTITY_TOKEN_FILE => write_file("$dir/web",
			"web-identity-token\n") });
	} },
	'web, an old token' => { at => 'sts', gets => $ASSUMED, with => sub {
		my ($cloud, $dir) = @_;
		return (env => { $cloud->env('sts'), AWS_ROLE_ARN => $ROLE,
		    AWS_WEB_IDENTITY_TOKEN_FILE => write_file("$dir/web",
			"old-web-identity-token\n") });
	} },
	'container, an old token' => { at => 'container',
	    gets => qr{/pod-role/pod$}, with => sub {
		my ($cloud, $dir) = @_;
		return (env => { $cloud->env(qw(sts container)),
		    AWS_CONTAINER_AUTHORIZATION_TOKEN => undef,
		    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE => write_file(
			"$dir/pod", "old-container-authorization\n") });
	} },
	container => { at => 'container', gets => qr{/pod-role/pod$},
	    with => sub {
		my ($cloud) = @_;
		return (env => { $cloud->env(qw(sts container)) });
	} },
	# Thrice it is asked: for a session, a role's name, and its keys.
	imds => { at => 'imds', gets => qr{/node-role/i-0$}, with => sub {
		my ($cloud) = @_;
		return (env => { $cloud->env(qw(sts imds)),
		    AWS_EC2_METADATA_DISABLED => undef });
	} },
	process => { gets => qr{:user/x$}, with => sub {
		my ($cloud, $dir) = @_;
		return (env => { AWS_PROFILE => 'p', AWS_CONFIG_FILE =>
		    write_file("$dir/config", "[profile p]\n"
		    . "credential_process = $dir/program\n") });
	}, faults => {
		ok => prints("{\"Version\": 1, $keys}"),
		slow => 'sleep 2;' . prints("{\"Version\": 1, $keys}"),
		short => prints("{\"Version\": 1, $keys, \"Expiration\": \""
		    . stamp(3600) . '"}'),
		expired => prints("{\"Version\": 1, $keys, \"Expiration\": \""
		    . stamp(-60) . '"}'),
		version => prints("{\"Version\": \"1\", $keys}"),
		'no secret' => prints('{"Version": 1, "AccessKeyId": "A"}'),
		malformed => prints("{\"Version\": 1, $keys"),
		empty => '',
		oversized => 'exec head -c 3000000 /dev/zero',
		exits => "echo 'out of order, secret=$SECRET' >&2; exit 3",
		killed => 'kill -SEGV $$',
	} },
);

my $IMDS = qr/metadata service \(IMDSv2\)/;
my $CONTAINER = qr/container's endpoint of credentials/;
my $PROGRAM = qr/credential_process of the AWS profile 'p'/;
my $STS_ROLE = qr{role '\Q$ROLE\E': STS answered};

# Such keys may have ended when we look at whose they were.
my @SHORT = (lifetime => 4, gets =>
    qr{:assumed-role/|^ExpiredToken});

my @TABLE = (
	# What is signed with keys that we have asks nobody.
	[static => 'ok', 0],
	[static => '503', 0],

	[role => 'ok', 1],
	[role => 'slow:2', 1, after => 2],
	[role => '503*2', 3, within => 6],
	[role => '503', 3, says => qr/$STS_ROLE 503 Service/, within => 6],
	[role => '500,ok', 2, within => 5],
	[role => '429:1,ok', 2, after => 1],
	# Not before it said, however often it is asked for.
	[role => '429:60', 1, says => qr/$STS_ROLE 429 Throttling/,
	    later => [2.5, 1]],
	[role => '400:Throttling,ok', 2],
	[role => '400:IDPCommunicationError,ok', 2],
	[role => 'reset,ok', 2],
	[role => 'reset', 3, says => qr/k8s': STS at 127\.0\.0\.1:\d+: /,
	    within => 6],
	[role => 'denied', 1, says => qr/$STS_ROLE 403 AccessDenied: User/],
	# After a second it may be tried again.
	[role => 'denied,ok', 1, says => qr/$STS_ROLE 403/,
	    later => [1.5, 2, $ASSUMED]],
	[role => '400', 1, says => qr/$STS_ROLE 400 ValidationError/],
	[role => 'echo', 1, says => qr/$STS_ROLE 400 ValidationError/],
	[role => 'expired', 1, says => qr/$STS_ROLE credentials that have exp/],
	[role => 'malformed', 1, says => qr/$STS_ROLE something that is not/],
	[role => 'body:<a>', 1, says => qr/$STS_ROLE something that is not/],
	[role => 'body:', 1, says => qr/$STS_ROLE something that is not/],
	[role => 'oversized', 1, says => qr/k8s': STS at \S+: .*65536 bytes/],
	[role => 'redirect', 1, says => qr/$STS_ROLE 302/],
	[role => 'skew:600', 2],
	[role => 'skew:-600', 2],
	[role => 'skew:-600', 2, lifetime => 300],
	[role => 'skew:600', 2, @SHORT, later => [3, 4]],
	[role => 'without:Date', 1],

	[chain => 'ok', 2],
	[chain => 'denied', 1, says =>
	    qr{role '\S+role/first': STS answered 403 AccessDenied}],
	[chain => 'ok,403:AccessDenied', 2, says => qr/$STS_ROLE 403 Acc/],
	[chain => 'ok,503,ok', 3],
	[chain => 'ok,echo', 2, says => qr/$STS_ROLE 400 Val/],
	[chain => 'ok,malformed', 2, says => qr/$STS_ROLE something/],
	[chain => 'ok,redirect', 2, says => qr/$STS_ROLE 302/],
	# What the first answer said of the clock holds for the second.
	[chain => 'skew:600', 3],
	[chain => 'skew:-600', 3],
	[chain => 'ok,skew:-600*2', 3],

	[web => 'ok', 1],
	[web => 'slow:2', 1, after => 2],
	[web => '503*2', 3, within => 6],
	[web => '503', 3, says => qr/web identity: STS answered 503/,
	    within => 6],
	[web => '429:60', 1, says => qr/web identity: STS answered 429/],
	[web => '400:ExpiredToken,ok', 2],
	[web => '400:InvalidIdentityToken,ok', 2],
	[web => '400:ExpiredToken', 2, says =>
	    qr/web identity: STS answered 400 ExpiredToken/],
	[web => 'reset,ok', 2],
	[web => 'denied', 1, says => qr/web identity: STS answered 403/],
	[web => 'echo', 1, says => qr/web identity: STS answered 400/],
	[web => 'expired', 1, says => qr/credentials that have expired/],
	[web => 'malformed', 1, says => qr/STS answered something that is/],
	[web => 'oversized', 1, says => qr/65536 bytes/],
	[web => 'redirect', 1, says => qr/STS answered 302/],
	[web => 'skew:600', 1],
	[web => 'skew:-600', 1],
	[web => 'skew:-600', 1, lifetime => 300],
	[web => 'skew:600', 1, @SHORT, later => [3, 2]],

	['web, an old token' => 'slow:1', 2, rotate =>
	    [web => "web-identity-token\n"]],
	['web, an old token' => 'ok', 2, says =>
	    qr/web identity: STS answered 400 InvalidIdentityToken/],

	[container => 'ok', 1],
	[container => 'slow:1.5', 1, after => 1.5],
	[container => 'slow:4', 3, says => qr/$CONTAINER cannot be asked/,
	    within => 10, after => 6],
	[container => '503*2', 3, within => 5],
	[container => '503', 3, says => qr/$CONTAINER answered 503/,
	    within => 5],
	[container => '429:1,ok', 2, after => 1],
	[container => '429:60', 1, says => qr/$CONTAINER answered 429/],
	[container => 'reset,ok', 2, within => 4],
	[container => 'denied', 1, says =>
	    qr/$CONTAINER answered 403 AccessDenied/],
	[container => 'echo', 1, says => qr/$CONTAINER answered 400/],
	[container => 'expired', 1, says => qr/$CONTAINER answered creden/],
	[container => 'malformed', 1, says => qr/answered what is no JSON/],
	[container => 'body:[]', 1, says => qr/$CONTAINER answered/],
	[container => 'body:{}', 1, says => qr/$CONTAINER answered/],
	[container => 'oversized', 1, says => qr/$CONTAINER .*65536 bytes/],
	[container => 'redirect', 1, says => qr/$CONTAINER answered 302/],
	[container => 'skew:600', 1],
	[container => 'skew:-600', 1],
	[container => 'skew:-600', 1, lifetime => 300],
	[container => 'skew:600', 1, @SHORT, later => [3, 2]],
	['container, an old token' => 'slow:1', 1, says =>
	    qr/$CONTAINER answered 401 AccessDenied/, rotate =>
	    [pod => "container-authorization\n"], later =>
	    [1.5, 2, qr{/pod-role/pod$}]],

	[imds => 'ok', 3],
	[imds => 'slow:0.6', 3, after => 1.8],
	[imds => 'slow:3', 1, says => qr/$IMDS cannot be asked/],
	[imds => '503*2', 5, within => 5],
	[imds => '503', 3, says => qr/$IMDS answered 503/, within => 5],
	[imds => 'ok,404', 2, says => qr/$IMDS answered 404/],
	[imds => 'denied', 1, says => qr/$IMDS answered 403/],
	[imds => '404', 1, says => qr/$IMDS answered 404/],
	[imds => 'echo', 1, says => qr/$IMDS answered 400/],
	[imds => 'ok,ok,echo', 3, says => qr/$IMDS answered 400/],
	# AWS takes them for as long as it cannot renew them.
	[imds => 'expired', 3, gets => qr/^ExpiredToken/],
	[imds => 'ok,ok,malformed', 3, says => qr/$IMDS answered what is no/],
	[imds => 'ok,body:../../x', 2, says => qr/$IMDS names no role/],
	[imds => 'oversized', 1, says => qr/$IMDS .*65536 bytes/],
	[imds => 'redirect', 1, says => qr/$IMDS answered 302/],
	[imds => 'ok,redirect', 2, says => qr/$IMDS answered 302/],
	[imds => 'reset', 1, says => qr/$IMDS cannot be asked/],
	[imds => 'skew:600', 3],
	[imds => 'skew:-600', 3, lifetime => 300],
	[imds => 'skew:600', 3, @SHORT, later => [3, 6]],

	[process => 'ok', 1],
	[process => 'slow', 1, after => 2],
	[process => 'short', 1],
	[process => 'expired', 1, says =>
	    qr/expired already/],
	[process => 'version', 1, says =>
	    qr/$PROGRAM printed JSON whose Version/],
	[process => 'no secret', 1, says =>
	    qr/$PROGRAM printed no credentials/],
	[process => 'malformed', 1, says =>
	    qr/$PROGRAM printed what is no JSON/],
	[process => 'empty', 1, says =>
	    qr/$PROGRAM printed what is no JSON/],
	[process => 'oversized', 1, says =>
	    qr/$PROGRAM printed too much/],
	[process => 'exits', 1, says =>
	    qr/$PROGRAM ended with exit code 3: out of order/],
	[process => 'killed', 1, says =>
	    qr/$PROGRAM ended with (?:signal 11|exit code 139)/],
);

my $table = Stagedoor::Faults->new(provider => 'aws', env => \%NOWHERE,
    sources => \%SOURCES, who => \&who,
    secrets => qr{fakesecret|-secret-\d|(?:sts|imds|container)-token-\d
	|imds-session-\d|web-identity-token|container-authorization
	|k8s-aws-v1}x);

# Whom the cluster's side sees behind a token, that is of its time.
sub who {
	my ($cloud, $token, $cluster, $skew) = @_;
	my $seen = $cloud->eks_identity($token, $cluster);
	my ($text) = (Stagedoor::Fake::AWS::eks_target($token))[1] // '';
	my @t = $text =~ /Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/
	    or return $token;
	my $off = timegm(@t[5, 4, 3, 2], $t[1] - 1, $t[0]) - time - $skew;
	return "what is off by $off s" if abs $off > 60;
	return $seen->{Arn} // "$seen->{Code} $seen->{Message}";
}

$table->run(@TABLE);
done_testing;
