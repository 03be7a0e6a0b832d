#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The cluster locator gke: whose clusters are listed, how they are reached and
# with whose token, what a failing API costs, and that a changed list is taken
# up while nobody waits for Google.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);

have_program('openssl') or skip_or_fail('no openssl');

my $LIST = '/v1/projects/proj/locations/-/clusters';
my $dir = tempdir();
my $fake = fake(clusters => [{ name => 'one' }, { name => 'plain' }],
    backstage => 1);
$fake->add_entity({ apiVersion => 'v1', kind => 'Component',
    metadata => { name => 'shop', namespace => 'default', annotations =>
	{ 'backstage.io/kubernetes-id' => 'shop' } } });
my $cloud = cloud();
my $account = encode_json($cloud->google_file('service_account'));

# The cluster's own CA, and a cluster behind each kind of certificate: its
# own's, and (for DNS endpoints) one of a CA that all trust.
Stagedoor::TLS::make_ca($dir, $_) for qw(own other);
Stagedoor::TLS::make_cert($dir, 'server', 'own');
my %port = map { $_ => free_port() } qw(public dns);
Stagedoor::TLS::tls_front(listen => $port{public}, to => $fake->port('one'),
    cert => "$dir/server.crt", key => "$dir/server.key");
my $trusted = $cloud->ca_file;
Stagedoor::TLS::tls_front(listen => $port{dns}, to => $fake->port('one'),
    cert => $cloud->dir . '/server.crt', key => $cloud->dir . '/server.key');

sub ca_of { return encode_base64(slurp("$dir/$_[0].crt"), '') }

# A cluster of Google's, with much that nobody wants to know.
sub cluster {
	my ($name, %more) = @_;
	return { name => $name, location => 'europe-west1',
	    status => 'RUNNING', currentNodeCount => 3,
	    endpoint => "127.0.0.1:$port{public}",
	    masterAuth => { clusterCaCertificate => ca_of('own'),
		clientKey => 'never-needed-client-key' },
	    resourceLabels => { env => 'prod', team => 'shop' }, %more };
}

sub dns {
	my ($host) = @_;
	return (controlPlaneEndpointsConfig =>
	    { dnsEndpointConfig => { endpoint => $host } });
}

sub lists {
	my ($clusters, %more) = @_;
	$cloud->set(gke => { proj => { clusters => $clusters, %more } });
}

# Settings with a gke locator for each of these, and a cluster that needs no
# cloud.
sub settings_with {
	my (@locators) = @_;
	my $settings = settings(fake => $fake, clusters => ['plain'],
	    kubernetes => { googleServiceAccountCredentials => $account },
	    stagedoor => { caFile => $trusted,
		cloud => { googleApi => $cloud->https_url } });
	push @{$settings->{kubernetes}{clusterLocatorMethods}},
	    map { { type => 'gke', projectId => 'proj', %$_ } } @locators;
	return $settings;
}

sub pool_with { return pool(settings => settings_with(@_)) }

sub listed {
	my ($pool) = @_;
	return body_of(get($pool, '/clusters'))->{items};
}

sub names { return join ' ', map { $_->{name} } @{listed(@_)} }

sub becomes {
	my ($pool, $names) = @_;
	local $@;
	eval { wait_for(sub { names($pool) eq $names }, 10, $names) };
	is names($pool), $names, "the clusters are soon '$names'";
}

# "200" and whose token came, or the error, for GET /proxy/version.
sub opened {
	my ($pool, $name, @header) = @_;
	$fake->reset;
	my $answer = get($pool, "/clusters/$name/proxy/version",
	    headers => @header ? [\@header] : []);
	my $seen = $fake->last_request('one') or return $answer->{body};
	return "$answer->{status} by "
	    . ($seen->{headers}{authorization} // 'nobody');
}

# --- Lists ------------------------------------------------------------------

my %SERVER = (authProvider => 'googleServiceAccount');
lists([cluster('a'), cluster('b', resourceLabels => { env => 'test' }),
    cluster('c', masterAuth => { clusterCaCertificate => ca_of('other') })]);
my $pool = pool_with({ %SERVER });
is names($pool), 'plain a b c', 'all clusters are listed from the start';
is_deeply listed($pool)->[1], { name => 'a',
    authProvider => 'googleServiceAccount' }, 'as that provider\'s';
is $cloud->count('gke'), 1, 'asked for once';
my $asked = $cloud->requests('gke')->[0];
is $asked->{path}, $LIST, 'at the project\'s address';
is $asked->{headers}{authorization}, 'Bearer google-token-1',
    'with the server\'s token';
is opened($pool, 'a'), '200 by Bearer google-token-1',
    'a cluster is reached through the CA of the list';
like opened($pool, 'c'), qr/certificate/i, 'and not through another';
is $cloud->count('google_token'), 1, 'one token is for lists and clusters';
unlike $pool->log_text, qr/google-token|never-needed|PRIVATE/,
    'nothing secret is in the log';
$pool->stop;

$pool = pool_with({ skipMetricsLookup => \1, exposeDashboard => \1,
    matchingResourceLabels => [{ key => 'env', value => 'prod' },
	{ key => 'team', value => 'shop' }] },
    { %SERVER, region => 'elsewhere' });
is names($pool), 'plain a c', 'labels must match, and so must the region';
is_deeply [sort map { $_->{path} } @{$cloud->requests('gke')}[1, 2]],
    [$LIST, $LIST =~ s/-/elsewhere/r], 'which Google is asked for';
is listed($pool)->[1]{authProvider}, 'google', 'the default is the user\'s';
is opened($pool, 'a', 'Backstage-Kubernetes-Authorization-Google' =>
    'user-token'), '200 by Bearer user-token', 'whose token opens it';
unlike opened($pool, 'a'), qr/google-token/, 'and not the server\'s';
my ($row) = grep { $_->{cluster}{name} eq 'a' } @{body_of(post($pool,
    '/resources/workloads/query', json => {
	entityRef => 'component:default/shop',
	auth => { google => 'user-token' } }))->{items}};
is_deeply $row->{cluster}, { name => 'a', dashboardApp => 'gke',
    dashboardParameters => { projectId => 'proj', region => '-',
	clusterName => 'a' } }, 'the dashboard\'s parameters';
is_deeply $row->{errors}, [], 'and no errors';
$pool->stop;

# --- Addresses --------------------------------------------------------------

lists([cluster('dns', dns("localhost:$port{dns}")), cluster('only-public'),
    cluster('dns-own', dns("localhost:$port{public}")),
    cluster('new', endpoint => undef, status => 'PROVISIONING'),
    cluster('bad', endpoint => 'x@evil/'), cluster("e\nvil"),
    cluster('off', masterAuth => {})],
    missingZones => ['us-east1-b', 'us-east1-c']);
$pool = pool_with({ %SERVER, endpointType => 'dns' });
is names($pool), 'plain dns only-public dns-own new bad off',
    'what has a name is listed';
like opened($pool, $_), qr/^200 by/, "$_ is reached" for qw(dns only-public);
like opened($pool, 'dns-own'), qr/certificate/i,
    'a DNS endpoint is not reached with the cluster\'s own CA';
like opened($pool, 'off'), qr/certificate/i,
    'nor is a public address that nobody vouches for';
like opened($pool, 'new'), qr/no address for it \(PROVISIONING\)/,
    'one without an address says so';
like opened($pool, 'bad'), qr/an address for it that is none/,
    'and so does one with a hostile one';
my $log = $pool->log_text;
like $log, qr/warn\ .*project\ 'proj'\ is\ not\ whole:\ clusters\ in
    \ us-east1-b,\ us-east1-c\ are\ missing/x, 'missing zones are in the log';
like $log, qr/'only-public' of GKE has no DNS endpoint/, 'and so is that';
like $log, qr/has a name that is none: it is left out/, 'and that';
unlike $log, qr/evil$/m, 'without a line of its own';
$pool->stop;

lists([cluster('off', masterAuth => {})]);
$pool = pool_with({ %SERVER, skipTLSVerify => \1 });
like opened($pool, 'off'), qr/^200 by/, 'skipTLSVerify holds for all';
like $pool->log_text, qr/NOT verified/, 'loudly';
$pool->stop;

# --- Changes ----------------------------------------------------------------

lists([cluster('a')]);
$pool = pool_with({ %SERVER, refresh => 1 });
is names($pool), 'plain a', 'one cluster';
my $seen = $cloud->count('gke');
lists([cluster('a', status => 'RECONCILING', currentNodeCount => 9)]);
wait_for(sub { $cloud->count('gke') >= $seen + 2 }, 10, 'questions');
sleep 1.5;
unlike $pool->log_text, qr/read again/, 'what moves on its own is no change';
lists([cluster('a'), cluster('b')]);
becomes($pool, 'plain a b');
like $pool->log_text, qr/read again: a list of clusters has changed/,
    'the log says so';
like opened($pool, 'b'), qr/^200 by/, 'the new one can be opened';

# Whatever the API does now, the last good list stays.
sub questions {
	$cloud->reset;
	wait_for(sub { $cloud->count('gke') > 1 }, 15, 'two questions');
}

for my $fault (qw(denied malformed reset), 'body:{"clusters":1}') {
	$cloud->behave(gke => $fault);
	questions();
	is names($pool), 'plain a b', "$fault: the last good list stays";
	$cloud->behave(gke => 'ok');
	questions();
}
$cloud->behave(gke => 'denied');
questions();
like $pool->log_text, qr/cannot\ list\ the\ clusters\ of\ project\ 'proj',
    \ region\ '-':\ .*\ answered\ 403\ PERMISSION_DENIED.*clusterViewer/x,
    'the log says what was answered and what to do';
my $count = () = $pool->log_text =~ /read again/g;
$pool->reload;
wait_for(sub { (() = $pool->log_text =~ /read again/g) > $count }, 10,
    'the reload');
is names($pool), 'plain a b', 'through a reload too';
$cloud->behave(gke => 'ok');
$pool->stop;

# A reload with more projects does not wait for them.
lists([cluster('a')]);
$pool = pool_with({ %SERVER });
$cloud->set(gke => { proj => { clusters => [cluster('a')] },
    slow => { clusters => [cluster('s')] } });
$cloud->behave(gke => 'slow:2');
$pool->reload(settings_with({ %SERVER }, { %SERVER, projectId => 'slow' },
    { %SERVER, matchingResourceLabels => [{ key => 'no', value => 'x' }] }));
wait_for(sub { $pool->log_text =~ /read again/ }, 1.5, 'the reload');
like $pool->log_text, qr/of project 'slow' are missing:.*not answered yet/,
    'what is not there yet is told';
like names($pool), qr/^plain a/, 'what was there already stays';
becomes($pool, 'plain a s');
$cloud->behave(gke => 'ok');
$pool->stop;

# --- An API that fails at the start -----------------------------------------

lists([cluster('a')]);
for my $case ([denied => qr/answered 403 PERMISSION_DENIED/],
	[404 => qr/answered 404/], [malformed => qr/no JSON object/],
	[reset => qr/127\.0\.0\.1:\d+: /], [redirect => qr/answered 302/]) {
	my ($fault, $told) = @$case;
	$cloud->behave(gke => $fault);
	my $one = pool_with({ %SERVER });
	is names($one), 'plain', "$fault: it starts without its clusters";
	like $one->log_text, qr/warn\ .*settings-\d+.yaml:\d+:\ cannot\ list
	    \ the\ clusters\ of\ project\ 'proj'.*$told/x, 'and says why';
	$cloud->behave(gke => 'ok');
	becomes($one, 'plain a');
	$one->stop;
}

# One project costs only itself, also where its token cannot be had.
$pool = pool_with({ %SERVER, projectId => 'none' }, { %SERVER });
is names($pool), 'plain a', 'a project that is not there costs only itself';
like $pool->log_text, qr/project 'none'.*answered 404/, 'and is told';
$pool->stop;
$cloud->behave(google_token => 'denied');
$pool = pool_with({ %SERVER });
is names($pool), 'plain', 'no token, no clusters';
like $pool->log_text, qr/project 'proj'.*no Google token with/,
    'and the log says so';
$cloud->behave(google_token => 'ok');
$pool->stop;
$pool = pool_with({ %SERVER, endpoint => 'http://google.example' });
is names($pool), 'plain', 'an API without TLS';
like $pool->log_text, qr/neither https nor on loopback/, 'gets no token';
$pool->stop;

# A token that was taken back is not used again.
$pool = pool_with({ %SERVER, refresh => 1 });
$cloud->behave(gke => '401,ok');
lists([cluster('a'), cluster('b')]);
$cloud->reset;
becomes($pool, 'plain a b');
is $cloud->count('google_token'), 1, 'after a 401 there is another token';
$pool->stop;
$cloud->reset;
$pool = pool_with({ %SERVER, projectId => 'none' });
wait_for(sub { $cloud->count('gke') > 2 }, 10, 'three questions');
is $cloud->count('google_token'), 1,
    'another token would not help where there is no such project';
$pool->stop;

# --- Hanging ----------------------------------------------------------------

# Connections are taken, and nothing comes.
lists([cluster('a')]);
my $deaf = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
    or die "listen: $!";
my %DEAF = (%SERVER, projectId => 'deaf',
    endpoint => 'http://127.0.0.1:' . $deaf->sockport);
my $begun = time;
$pool = pool_with({ %DEAF }, { %SERVER });
my $took = time - $begun;
cmp_ok $took, '<', 9, "it starts (after $took s) though one API hangs";
is names($pool), 'plain a', 'which costs only its own clusters';
like $pool->log_text, qr/project 'deaf' are missing: '.*' has not answered/,
    'and the log says so';
$begun = time;
$pool->reload;
wait_for(sub { $pool->log_text =~ /read again/ }, 3, 'a reload');
cmp_ok time - $begun, '<', 3, 'a reload waits for nobody';
$begun = time;
is $pool->stop, 0, 'SIGTERM';
cmp_ok time - $begun, '<', 15, 'waits for it as long as a question may take';

# --- Plain CGI --------------------------------------------------------------

sub cgi {
	my ($settings) = @_;
	my $file = write_file("$dir/cgi.yaml", encode_json($settings));
	my $begun = time;
	my $run = Stagedoor::Pool->run([], env => {
		STAGEDOOR_CONFIG => $file,
		GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'GET',
		REQUEST_URI => BASE . '/clusters' });
	my ($body) = $run->{out} =~ /(\{.*\})/s;
	return (join(' ', map { $_->{name} }
	    @{decode_json($body // '{}')->{items} // []}), time - $begun);
}

$cloud->reset;
my $settings = settings_with({ %SERVER });
is +(cgi($settings))[0], 'plain a', 'a CGI process asks' for 1, 2;
is $cloud->count('gke'), 2, 'each of them';
my ($names, $seconds) = cgi(settings_with({ %DEAF }, { %SERVER }));
is $names, 'plain a', 'it answers without those of an API that hangs';
cmp_ok $seconds, '<', 9, 'after a while';

my $key = write_file("$dir/store.key", stagedoor('key')->{out});
chmod 0600, $key;
$settings->{stagedoor}{store} = { type => 'sqlite',
    path => "$dir/store.db", keyFile => $key };
$cloud->reset;
# As many as a large company has.
my @many = map { "n$_" } 1 .. 200;
my $crowd = cloud(google_tokens => [map { "google-token-$_" } 1 .. 200],
    gke => { proj => { clusters => [map { cluster($_) } @many] } });
$settings->{kubernetes}{clusterLocatorMethods}[1]{endpoint} = $crowd->url;
is +(cgi($settings))[0], "plain @many", 'with a store' for 1 .. 3;
is $crowd->count('gke'), 1, 'one asks for all';
$crowd->behave(gke => 'slow:25');
($names, $seconds) = cgi($settings);
is $names, "plain @many", 'and the list is there whatever Google does';
cmp_ok $seconds, '<', 3, 'at once';

# --- check ------------------------------------------------------------------

$cloud->reset;
my $file = write_file("$dir/check.yaml", encode_json(settings_with({})));
my $run = stagedoor('check', '-c', $file);
is $run->{code}, 0, 'check finds nothing wrong';
is $cloud->count, 0, 'and asks nobody';
for my $case ([{ projectId => undef }, qr/projectId/],
	[{ endpointType => 'private' }, qr/endpointType/],
	[{ matchingResourceLabels => [{ key => 'a' }] }, qr/value/],
	[{ refresh => 0 }, qr/refresh/], [{ endpoint => 'x' }, qr/endpoint/]) {
	my ($bad, $told) = @$case;
	$run = stagedoor('check', '-c', write_file("$dir/check.yaml",
	    encode_json(settings_with($bad))));
	is $run->{code}, 2, 'a mistake is one';
	like $run->{err}, $told, 'and named';
}

# --- explain and credential -------------------------------------------------

my @who = ('-c', write_file("$dir/who.yaml", encode_json(
    settings_with({ %SERVER }))), '--user', 'alice', '--cluster', 'a');
$run = stagedoor('explain', @who);
is $run->{code}, 0, 'explain finds clusters of Google' or diag $run->{err};
like $run->{out}, qr/googleServiceAccountCredentials is set/, 'and tells';
$run = stagedoor('credential', @who);
like $run->{out}, qr/"token":\s*"google-token-\d+"/, 'credential does too';
done_testing;
