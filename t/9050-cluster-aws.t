#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A real API server that asks a real aws-iam-authenticator who an EKS token is
# of. It asks STS, which is played here and checks the signature itself.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Authenticator;
use Stagedoor::Cluster;

my $ACCOUNT = '123456789012';
my %USER = (key => 'AKIATESTCAROL0000001', secret => 'carol/+secret=',
    arn => "arn:aws:iam::$ACCOUNT:user/carol", user_id => 'AIDACAROL');
my %OTHER = (key => 'AKIATESTMALLORY00001', secret => 'mallorysecret',
    arn => "arn:aws:iam::$ACCOUNT:user/mallory", user_id => 'AIDAMALLORY');
my %ROLE = (key => 'ASIATESTDEPLOYER0001', secret => 'rolesecret',
    session_token => 'IQoJb3JpZ2lu+/ab%==', user_id => 'AROADEPLOYER:run-7',
    arn => "arn:aws:sts::$ACCOUNT:assumed-role/Deployer/run-7");
my @TOKENS;
my %SIGNS = map { $_->{key} => $_ } \%USER, \%OTHER, \%ROLE;

my $iam = Stagedoor::Authenticator->start(cluster_id => 'shop-eks',
    identities => \%SIGNS,
    hosts => [map { "sts.$_.amazonaws.com" } qw(us-east-1 eu-west-1)],
    users => { $USER{arn} => ['aws:carol', 'aws-devs'] },
    roles => { "arn:aws:iam::$ACCOUNT:role/Deployer"
	=> ['aws:deployer:{{SessionName}}', 'aws-deployers', 'aws-ci'] });
my $cluster = Stagedoor::Cluster->start(webhook => $iam->webhook);
my $fake = fake(clusters => []);

sub pool_of {
	my ($who, %opt) = @_;
	my $metadata = { 'kubernetes.io/x-k8s-aws-id' => 'shop-eks' };
	my %at = (url => $cluster->url, caFile => $cluster->ca_file,
	    authProvider => 'aws', skipMetricsLookup => \1);
	my $settings = settings(fake => $fake, clusters => [
	    { %at, name => 'shop', authMetadata => $metadata },
	    { %at, name => 'another' } ]);
	$settings->{aws} = { mainAccount => { accessKeyId => $who->{key},
	    secretAccessKey => $who->{secret} } } if !$opt{env};
	return pool(settings => $settings, env => {
	    AWS_REGION => undef, HOME => tempdir(), %{$opt{env} // {}} });
}

# Who the cluster takes the server for: (status, userInfo).
sub who_am_i {
	my ($pool, $name) = @_;
	my $answer = post($pool, "/clusters/$name/proxy/apis/"
	    . 'authentication.k8s.io/v1/selfsubjectreviews',
	    as => 'user:default/ann',
	    json => { apiVersion => 'authentication.k8s.io/v1',
	    kind => 'SelfSubjectReview' });
	return ($answer->{status}, $answer->{status} == 201
	    ? body_of($answer)->{status}{userInfo} : undef);
}

sub opens {
	my ($pool, $user, @groups) = @_;
	my ($status, $info) = who_am_i($pool, 'shop');
	is $status, 201, 'the cluster answers';
	is $info->{username}, $user, "and takes us for $user";
	is_deeply [sort @{$info->{groups} // []}],
	    [sort @groups, 'system:authenticated'], 'in these groups';
	return $info;
}

# By 401, and the authenticator says why.
sub stays_closed {
	my ($pool, $name, $why) = @_;
	my $before = length $iam->log_text;
	my ($status) = who_am_i($pool, $name);
	is $status, 401, 'the cluster answers 401';
	like substr($iam->log_text, $before), $why, 'for this reason';
}

subtest 'keys of the settings' => sub {
	my $pool = pool_of(\%USER);
	my $info = opens($pool, 'aws:carol', 'aws-devs');
	is_deeply $info->{extra}{arn}, [$USER{arn}], 'by that ARN';
	is get($pool, '/clusters/shop/proxy/version', as => 'ann')->{status},
	    200, 'a plain GET is answered too';
	stays_closed($pool, 'another', qr/SignatureDoesNotMatch/);
	$pool->stop;
};

subtest 'the same in another region' => sub {
	my $pool = pool_of(\%USER, env => { AWS_REGION => 'eu-west-1',
	    AWS_ACCESS_KEY_ID => $USER{key},
	    AWS_SECRET_ACCESS_KEY => $USER{secret} });
	opens($pool, 'aws:carol', 'aws-devs');
	like $iam->log_text, qr/stsendpoint=sts\.eu-west-1\.amazonaws\.com\b/,
	    'whose STS is asked';
	$pool->stop;
};

subtest 'keys with a session token' => sub {
	my %env = (AWS_ACCESS_KEY_ID => $ROLE{key},
	    AWS_SECRET_ACCESS_KEY => $ROLE{secret});
	my $pool = pool_of(\%ROLE, env => { %env,
	    AWS_SESSION_TOKEN => $ROLE{session_token} });
	opens($pool, 'aws:deployer:run-7', 'aws-deployers', 'aws-ci');
	$pool->stop;
	$pool = pool_of(\%ROLE, env => { %env,
	    AWS_SESSION_TOKEN => 'of-yesterday' });
	stays_closed($pool, 'shop', qr/InvalidClientTokenId/);
	$pool->stop;
};

subtest 'who gets no further' => sub {
	my $pool = pool_of({ %USER, secret => 'of someone else' });
	stays_closed($pool, 'shop', qr/SignatureDoesNotMatch/);
	$pool->stop;
	$pool = pool_of(\%OTHER);
	stays_closed($pool, 'shop', qr/is not mapped/);
	$pool->stop;
};

# What the clusters of other partitions would say (of those that this
# authenticator knows hosts of). A fake cluster tells what token it got.
my %REGION = (aws => 'ap-southeast-2', 'aws-cn' => 'cn-north-1',
    'aws-us-gov' => 'us-gov-west-1', 'aws-iso' => 'us-iso-east-1',
    'aws-iso-b' => 'us-isob-east-1');
my %DOMAIN = (aws => 'amazonaws.com', 'aws-cn' => 'amazonaws.com.cn',
    'aws-us-gov' => 'amazonaws.com', 'aws-iso' => 'c2s.ic.gov',
    'aws-iso-b' => 'sc2s.sgov.gov');

sub token_in {
	my ($region) = @_;
	my $eks = fake(clusters => [{ name => 'eks' }]);
	my $pool = pool(settings => settings(fake => $eks,
	    clusters => [{ name => 'eks', authProvider => 'aws' }]),
	    env => { AWS_REGION => $region, AWS_ACCESS_KEY_ID => $USER{key},
	    AWS_SECRET_ACCESS_KEY => $USER{secret}, HOME => tempdir() });
	get($pool, '/clusters/eks/proxy/version', as => 'ann');
	my ($token) = ($eks->last_request('eks')->{headers}{authorization}
	    // '') =~ /^Bearer (.*)/;
	$_->stop for $pool, $eks;
	return $token;
}

for my $partition (sort keys %REGION) {
	my $region = $REGION{$partition};
	my $there = Stagedoor::Authenticator->start(cluster_id => 'eks',
	    partition => $partition, identities => \%SIGNS,
	    hosts => ["sts.$region.$DOMAIN{$partition}"],
	    users => { $USER{arn} => ['carol', 'devs'] });
	my $token = token_in($region);
	my $status = $there->review($token);
	ok $status->{authenticated}, "$partition: a token of $region is taken"
	    or diag $there->log_text;
	is $status->{user}{username}, 'carol', 'for whose it is';
	push @TOKENS, $token;
}

log_has_no('no secret is in a log of ours', $USER{secret}, $OTHER{secret},
    $ROLE{secret}, $ROLE{session_token}, @TOKENS);
done_testing;
