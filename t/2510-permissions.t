#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# permission.enabled: Backstage's permission back end decides about users, is
# asked once for each request, with their own token, before anything is done;
# and without an answer of its nobody gets in.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Time::HiRes qw(time);

my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $jane = $tokens->user('user:default/jane');
my @jane = (headers => [$tokens->bearer($jane)]);
my $ASK = '/api/permission/authorize';

sub static {
	my ($token, @permissions) = @_;
	return { type => 'static', options =>
	    { token => $token, subject => $token },
	    @permissions ? (accessRestrictions => [{ plugin => 'kubernetes',
		permission => \@permissions }]) : () };
}

sub config {
	my (%opt) = @_;
	return settings(fake => $fake, more =>
	    { permission => { enabled => \1 } }, %opt);
}

my $pool = pool(settings => config(auth => { externalAccess => [
    static('whole-token'),
    static('lists-token', 'kubernetes.clusters.read')] }));

# What the permission back end was asked since the last time.
sub questions {
	my @asked = grep { $_->{rawPath} eq $ASK }
	    @{$fake->requests('@backstage')};
	$fake->reset;
	return @asked;
}

# --- Who decides ------------------------------------------------------------

my @ways = (
	['GET', '/clusters', 'kubernetes.clusters.read'],
	['POST', '/services/x', 'kubernetes.resources.read'],
	['POST', '/resources/workloads/query', 'kubernetes.resources.read'],
	['POST', '/resources/custom/query', 'kubernetes.resources.read'],
	['GET', '/proxy/version', 'kubernetes.proxy'],
	['GET', '/clusters/one/proxy/version', 'kubernetes.proxy'],
);
for my $way (@ways) {
	my ($method, $path, $name) = @$way;
	my $answer = request($pool, $method, $path, @jane);
	is $answer->{status}, 403, "$path: denied";
	is body_of($answer)->{error}{message}, 'Unauthorized', 'in its words';
	is exists body_of($answer)->{request} ? 1 : 0,
	    $name eq 'kubernetes.proxy' ? 0 : 1, 'in its shape';
	my @asked = questions();
	is scalar @asked, 1, 'asked once';
	my $item = decode_json($asked[0]{body})->{items}[0];
	is_deeply $item->{permission}, { type => 'basic', name => $name,
	    attributes => $name eq 'kubernetes.proxy' ? {}
	    : { action => 'read' } }, "about $name";
	like $item->{id}, qr/^[0-9a-f]{32}$/, 'with an id';
	is $asked[0]{headers}{authorization}, "Bearer $jane", 'as jane';
}
is scalar @{$fake->settled('one')}, 0, 'nothing reached the cluster';

$fake->backstage_says(permission => 'ALLOW');
is get($pool, '/clusters', @jane)->{status}, 200, 'allowed: the clusters';
is get($pool, '/proxy/version', @jane)->{status}, 200, 'and the proxy';
is post($pool, '/services/x', @jane)->{status}, 500,
    'what the body is comes later';
questions();
is get($pool, '/nothing', @jane)->{status}, 404, 'an unknown path';
is request($pool, 'OPTIONS', '/clusters', @jane)->{status}, 200, 'OPTIONS';
is get($pool, '/clusters')->{status}, 401, 'and a stranger';
is scalar questions(), 0, 'are not asked about';

$fake->backstage_says(permission => 'CONDITIONAL');
is get($pool, '/clusters', @jane)->{status}, 403,
    'a condition is no permission';
is get($pool, '/proxy/version', @jane)->{status}, 200,
    'but in the proxy, where only DENY counts';
questions();

# --- Services ---------------------------------------------------------------

$fake->backstage_says(permission => 'DENY');
my @whole = (headers => [$tokens->bearer('whole-token')]);
my @lists = (headers => [$tokens->bearer('lists-token')]);
is get($pool, '/clusters', @whole)->{status}, 200, 'a service may';
is get($pool, '/proxy/version', @whole)->{status}, 200, 'all that there is';
is get($pool, '/clusters', @lists)->{status}, 200,
    'one that is restricted may what it is restricted to';
is get($pool, '/proxy/version', @lists)->{status}, 403, 'and no more';
is scalar questions(), 0, 'nobody is asked about services';

# --- No answer is no permission ---------------------------------------------

my %odd = (
	'another id' => { body =>
	    '{"items":[{"id":"x","result":"ALLOW"}]}' },
	'no items' => { body => '{"items":[]}' },
	'nothing' => { body => '' },
	'another form' => { body => '{"result":"ALLOW"}' },
	'a status' => 500,
	'a refusal of ours' => 401,
	'another good status' => 204,
	'a redirect' => 302,
);
for my $what (sort keys %odd) {
	$fake->backstage_says(permission => $odd{$what});
	for my $path ('/clusters', '/proxy/version') {
		my $answer = get($pool, $path, @jane);
		is $answer->{status}, 500, "$path: $what";
		is body_of($answer)->{error}{name}, 'ResponseError',
		    'by its name';
	}
}
$fake->backstage_says(permission => { body =>
    '{"items":[{"id":"$ID","result":"allow"}]}' });
isnt get($pool, '/clusters', @jane)->{status}, 200, 'another word';
is scalar @{$fake->settled('one')}, 0, 'nothing reached the cluster';

$fake->backstage_says(permission => 'hang');
my $from = time;
my $answer = get($pool, '/clusters', @jane, timeout => 20);
is $answer->{status}, 503, 'it hangs';
like body_of($answer)->{error}{message},
    qr/^cannot reach the permission back end: /, 'that is said';
cmp_ok time - $from, '<', 7, 'within its five seconds';

my $away = pool(settings => config(auth => {}, more => {
	permission => { enabled => \1 }, discovery => { endpoints => [
	    { target => $fake->backstage_url . '/api/{{pluginId}}',
		plugins => [qw(auth catalog)] },
	    { target => 'http://127.0.0.1:1/permission',
		plugins => ['permission'] }] } }));
is get($away, '/clusters', @jane)->{status}, 503, 'it is not there';

# --- Who has no token of Backstage's ----------------------------------------

$fake->backstage_says(permission => 'ALLOW');
questions();
my $open = pool(settings => config());
is get($open, '/clusters')->{status}, 200, 'the default policy disabled';
my ($asked) = questions();
ok !exists $asked->{headers}{authorization}, 'asked about nobody';

my $params = pool(settings => config(source => 'params',
    stagedoor => { backstage => { token => 'our-own-token' } }));
is get($params, '/clusters', as => 'jane')->{status}, 200,
    'a user of the web server';
($asked) = questions();
is $asked->{headers}{authorization}, 'Bearer our-own-token',
    'asked with the token of the settings';
$fake->backstage_says(permission => 'DENY');
is get($params, '/clusters', as => 'jane')->{status}, 403, 'and denied';
questions();

is get($pool, '/connect.json', headers => [[Cookie => 'backstage-auth='
    . $tokens->limited('user:default/jane')]])->{status}, 401,
    'a limited token does not do where permissions are asked';
is scalar questions(), 0, 'nor are they';

my $without = config(source => 'params');
my $closed = pool(settings => $without);
$answer = get($closed, '/clusters', as => 'jane');
is $answer->{status}, 500, 'without such a token nobody may';
like body_of($answer)->{error}{message}, qr/stagedoor\.backstage\.token/,
    'it says what to set';
is scalar questions(), 0, 'nobody was asked';
my $file = write_file(tempdir() . '/params.yaml', encode_json($without));
my $check = stagedoor('check', '-c', $file);
is $check->{code}, 0, 'the settings are good';
like "$check->{out}$check->{err}",
    qr/warning.*permission\.enabled.*stagedoor\.backstage\.token/,
    'but check warns';
done_testing;
