#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# No credential is in a log line, an answer, a process list or the
# environment that a child would see: those of the settings, those that
# clients send, good or bad, at every level of logging, also when all fails.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my %secret = (
	cluster => 'alpha-token',		# known to the fake cluster
	wrong => 'wrong-cluster-token-0001',
	static => 'static-external-token-0002',
	backstage => 'our-backstage-token-0003',
	aks => 'users-aks-token-0004',
	google => 'users-google-token-0005',
	oidc => 'users-oidc-token-0006',
	verbatim => 'users-verbatim-token-0007',
	basic => 'dXNlcjpwYXNzd29yZA==',
	cookie => 'session-cookie-0008',
	query => 'token-in-query-0009',
	illegal => 'illegal-bearer-token-0010',
	object => 'aHVudGVyMg==',		# in the data of a Secret
);

my $fake = fake(clusters => [{ name => 'good' },
    { name => 'bad', behaviour => 's500' },
    { name => 'hang', behaviour => 'hang' },
    { name => 'html', behaviour => 'html' },
    { name => 'rst', behaviour => 'rst' }], backstage => 1);
my $closed = free_port();
my %env = (WRONG_TOKEN => $secret{wrong});
my $settings = settings(fake => $fake, clusters => [
	qw(good bad hang html rst),
	{ name => 'refused', url => "http://127.0.0.1:$closed" },
	{ name => 'wrong', of => 'good',
	    serviceAccountToken => '${WRONG_TOKEN}' },
	{ name => 'aks', of => 'good', authProvider => 'aks' },
	{ name => 'google', of => 'good', authProvider => 'google' },
	{ name => 'oidc', of => 'good', authProvider => 'oidc',
	    oidcTokenProvider => 'okta' },
    ],
    auth => { externalAccess => [{ type => 'static', options =>
	{ token => $secret{static}, subject => 'ci' } }] },
    stagedoor => { log => { level => 'debug' },
	limits => { connect => 0.5, cluster => 1 },
	backstage => { token => $secret{backstage} } },
    kubernetes => { objectTypes => [qw(pods secrets)] });
my $pool = pool(settings => $settings, env => \%env);

my @answers;
my @told = (Authorization => "Bearer $secret{static}",
    Cookie => "session=$secret{cookie}");

sub keep {
	my ($answer) = @_;
	push @answers, $answer;
	return $answer;
}

# --- Everything that may go wrong -------------------------------------------

my %tokens = (aks => $secret{aks}, google => $secret{google},
    oidc => { okta => $secret{oidc} });
my $ref = 'component:default/shop';
is keep(post($pool, '/resources/workloads/query', headers => { @told },
    json => { entityRef => $ref, auth => \%tokens }))->{status}, 200,
    'a query over good and bad clusters';
keep(post($pool, '/resources/custom/query', headers => { @told },
    json => { entityRef => $ref, auth => \%tokens, customResources => [
	{ group => 'x', apiVersion => 'v1', plural => 'y' }] }));
keep(post($pool, '/services/x', headers => { @told },
    json => { auth => \%tokens, entity => { kind => 'Component',
	metadata => { name => 'catalog-500' } } }));
keep(post($pool, '/resources/workloads/query', headers => { @told },
    json => { entityRef => 'nonsense', auth => \%tokens }));

for my $cluster (qw(good bad hang html rst refused wrong aks google oidc
    nope)) {
	my %headers = (@told, 'Backstage-Kubernetes-Cluster' => $cluster,
	    'Backstage-Kubernetes-Authorization-Aks' => $secret{aks},
	    'Backstage-Kubernetes-Authorization-Google' => $secret{google},
	    'Backstage-Kubernetes-Authorization-Oidc-Okta' => $secret{oidc});
	my $path = "/proxy/version?token=$secret{query}";
	keep(get($pool, $path, headers => { %headers }));
	keep(get($pool, $path, headers => { %headers,
	    'Backstage-Kubernetes-Authorization' =>
	    "Bearer $secret{verbatim}" }));
	keep(get($pool, "/clusters/$cluster/proxy/../..?$secret{query}",
	    headers => { %headers }));
}
is keep(get($pool, '/clusters', headers => { Authorization =>
    "Bearer $secret{illegal}" }))->{status}, 401, 'a token that is none';
keep(get($pool, '/clusters', headers => { Authorization =>
    "Basic $secret{basic}" }));
keep(get($pool, '/clusters', headers => { @told }));
keep(post($pool, '/resources/workloads/query', headers => { @told },
    body => qq({"auth":"$secret{aks}"), params =>
    [CONTENT_TYPE => 'text/plain']));

# --- Nothing is told --------------------------------------------------------

my $texts = join "\n", map {
	join "\n", $_->{body}, $_->{stderr} // '',
	    map { "$_->[0]: $_->[1]" } @{$_->{list}}
} @answers;
cmp_ok length $texts, '>', 10000, 'there are answers to look at';
# (An error body repeats the query of its own request, as the contract says.)
for my $name (grep { $_ ne 'query' } sort keys %secret) {
	is index($texts, $secret{$name}), -1, "no answer holds the $name";
}
log_has_no("no log holds the $_", $secret{$_}) for sort keys %secret;
my $log = $pool->log_text;
like $log, qr/status=401/, 'though the log tells of failures';
is scalar(() = $log =~ /bearer\s+\S/gi), 0, 'it has no Bearer at all';

# --- Nor to the machine -----------------------------------------------------

sub proc {
	my ($name) = @_;
	return slurp('/proc/' . $pool->pid . "/$name");
}
my $command = proc('cmdline');
like $command, qr/serve/, 'the process list shows what runs';
is scalar(grep { index($command, $_) >= 0 } values %secret), 0,
    'the process list has none';
my $limits = proc('limits');
like $limits, qr/^Max core file size\s+0\s+0\s/m, 'there is no core file';
# That it is not dumpable is seen in 7110, as another user.

# --- Errors about settings --------------------------------------------------

my $bad = settings(fake => $fake, clusters => ['good'], kubernetes => {
    objectTypes => 'pods' }, auth => { externalAccess => [{ type => 'static',
	options => { token => $secret{static}, subject => ['x'] } }] });
$bad->{kubernetes}{clusterLocatorMethods}[0]{clusters}[0]
    = { name => 'x', url => 1, authProvider => 'serviceAccount',
	serviceAccountToken => [$secret{wrong}] };
my $run = stagedoor('check', '-c', write_file(tempdir() . '/bad.yaml',
    encode_json($bad)));
is $run->{code}, 2, 'settings that cannot be';
is scalar(grep { index("$run->{out}$run->{err}", $_) >= 0 }
    @secret{qw(static wrong)}), 0, 'are refused without repeating secrets';

is $pool->stop, 0, 'the pool ends in order';
done_testing;
