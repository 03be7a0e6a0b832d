#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Who asks, told to a web server: GET /authorize for nginx's auth_request, and
# the authorizer's role of FastCGI.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::FastCGI;

my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $AUTHORIZER = Stagedoor::FastCGI::FCGI_AUTHORIZER;

my $pool = pool(settings => settings(fake => $fake, auth => {
    externalAccess => [{ type => 'static', options =>
	{ token => 'static-token-1', subject => 'user:default/root' } }] }));

# How each answers to the same: { status, user, groups }.
my %WAYS = (
	'/authorize' => sub { [get($_[0], '/authorize', @{$_[1]}), 204,
	    'x-stagedoor-'] },
	'the role' => sub { [$_[0]->request('PUT', '/any/path?q',
	    role => $AUTHORIZER, @{$_[1]}), 200, 'variable-stagedoor_'] },
);

sub each_way {
	my ($target, $what, $options, %want) = @_;
	for my $way (sort keys %WAYS) {
		my ($answer, $good, $prefix)
		    = @{$WAYS{$way}->($target, $options)};
		my $status = $want{status} // $good;
		is $answer->{status}, $status, "$way: $what";
		is $answer->{headers}{"$prefix$_"}, $want{$_}, "$what: $_"
		    for qw(user groups);
		next if $status != $good;
		is $answer->{body}, '', 'without a body';
		is $answer->{headers}{'cache-control'}, 'no-store',
		    'not to be kept';
	}
}

my $jane = $tokens->user('User:default/Jane', ent =>
    ['user:default/jane', 'group:Default/team-a', 'group:x/y,group:x/z']);
my @jane = (headers => [$tokens->bearer($jane)]);
each_way($pool, 'a user token', \@jane, user => 'user:default/jane',
    groups => 'user:default/jane,group:default/team-a');
each_way($pool, 'without groups', [headers => [$tokens->bearer(
    $tokens->user('user:default/joe', ent => []))]],
    user => 'user:default/joe');
each_way($pool, 'nobody', [], status => 401);
each_way($pool, 'a bad token', [headers => [$tokens->bearer("${jane}x")]],
    status => 401);
each_way($pool, 'a limited token', [headers => [$tokens->bearer(
    $tokens->limited('user:default/jane'))]], status => 401);
each_way($pool, "a limited token in the cookie", [headers => [[Cookie =>
    'backstage-auth=' . $tokens->limited('user:default/jane')]]],
    status => 401);
each_way($pool, 'a service, whatever it is called',
    [headers => [$tokens->bearer('static-token-1')]], status => 403);
each_way($pool, 'parameters of another mode', [as => 'jane'],
    status => 401);

# --- Clusters ---------------------------------------------------------------

my $BASE = BASE;
for my $uri ("$BASE/clusters/one/proxy/api", "$BASE/proxy/api?x=1",
    "$BASE/./clusters/one/proxy", "$BASE/%63lusters/one/proxy",
    '/API/Kubernetes/Proxy/x', '/a%zz') {
	each_way($pool, "credentials for $uri",
	    [@jane, params => [STAGEDOOR_URI => $uri]], status => 501);
}
each_way($pool, 'credentials for a cluster', [@jane, params =>
    [STAGEDOOR_CLUSTER => 'one']], status => 501);
each_way($pool, 'a stranger who wants some', [params =>
    [STAGEDOOR_CLUSTER => 'one']], status => 401);
each_way($pool, 'a path of somebody else', [@jane, params =>
    [STAGEDOOR_URI => '/other/app', STAGEDOOR_CLUSTER => '']],
    user => 'user:default/jane',
    groups => 'user:default/jane,group:default/team-a');

# --- Other identities -------------------------------------------------------

my $params = pool(settings => settings(fake => $fake, source => 'params'));
each_way($params, "the web server's user", [as => 'Ann',
    params => [STAGEDOOR_GROUPS => 'dev,ops']], user => 'user:default/ann',
    groups => 'group:default/dev,group:default/ops');
each_way($params, 'nobody', [], status => 401);
each_way($params, 'twice', [params => [STAGEDOOR_USER => 'a',
    STAGEDOOR_USER => 'b']], status => 400);
my $guests = pool(settings => settings(fake => $fake, source => 'params',
    stagedoor => { identity => { source => 'params', guest => 'guest' } }));
each_way($guests, 'a guest', [], user => 'user:default/guest');
my $open = pool(settings => settings(fake => $fake));
each_way($open, 'the default policy disabled', []);

# --- When keys cannot be had, and other roles -------------------------------

$fake->backstage_says(jwks => 500);
my $down = pool(settings => settings(fake => $fake, auth => {}));
each_way($down, 'keys that cannot be had', \@jane, status => 503);
is $pool->request('GET', BASE . '/clusters',
    role => Stagedoor::FastCGI::FCGI_FILTER, @jane)->{status}, 501,
    'no filter';
done_testing;
