#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# kubectl through the portal where Backstage's tokens say who asks: the user
# allows it with one, kubectl's own reaches no back end of Backstage's, and
# where those decide what a user may, nobody decides in their place.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::Device;

my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $keys = write_file(tempdir() . '/store.keys', stagedoor('key')->{out});
chmod 0600, $keys;

sub config {
	my (%opt) = @_;
	return settings(fake => $fake, auth => {}, clusters => [
		{ name => 'one', impersonate => { user => '{user}',
		    groups => ['{groups}'] } }], stagedoor => {
		publicUrl => 'https://portal.example.org',
		backstage => { token => 'service-token-of-ours' },
		store => { type => 'sqlite', path => tempdir() . '/store.db',
		    keyFile => $keys } }, %opt);
}

my ($pool, $second) = map { pool(settings => config(), name => $_) }
    qw(pool second);
my $permissions = pool(settings => config(more =>
    { permission => { enabled => \1 } }), name => 'permissions');

# Somebody whose page sends Backstage's token with each request.
package Page {
	sub new { my ($class, %opt) = @_; return bless { %opt }, $class }

	sub get {
		my ($self, $path) = @_;
		return $self->{pool}->request(GET =>
		    Stagedoor::Device::BASE . $path,
		    headers => [$self->{bearer}]);
	}

	sub post {
		my ($self, $path, %opt) = @_;
		return $self->{pool}->request(POST =>
		    Stagedoor::Device::BASE . $path, headers =>
		    [$self->{bearer}, ['Content-Type' =>
			'application/x-www-form-urlencoded']],
		    body => join '&', map { "$_=$opt{form}{$_}" }
			sort keys %{$opt{form}});
	}
}

my $jane = Page->new(pool => $pool, bearer => $tokens->bearer($tokens->user(
    'user:default/jane', ent => ['user:default/jane',
    'group:default/team-a'])));
my $device = Stagedoor::Device->new(web => $pool, also => [$second],
    name => 'laptop');
$device->ask;
is $device->allow($jane)->{status}, 303, 'allowed with a token of Backstage';
my $token = $device->token // '';
like $token, qr/^sdp1\./, 'a token for kubectl';
my @kubectl = (headers => [[Authorization => "Bearer $token"]]);

$fake->reset;
my $version = '/clusters/one/proxy/version';
is get($pool, $version, @kubectl)->{status}, 200, 'opens the cluster';
my $seen = $fake->last_request('one')->{headers};
is $seen->{'impersonate-user'}, 'user:default/jane', 'as jane';
is $seen->{'impersonate-group'},
    'user:default/jane, group:default/team-a', 'with what she owns';
is get($pool, $version, @kubectl, as => 'bob')->{status}, 200,
    "a parameter of another mode does not count";
is get($pool, $_, @kubectl)->{status}, 401, "$_: no"
    for '/clusters', '/connect', '/portal/activate';
is post($pool, '/resources/workloads/query', @kubectl, json => {})
    ->{status}, 401, 'nor queries, for which the catalog would be asked';
is_deeply [map { $_->{headers}{authorization} }
    @{$fake->requests('@backstage')}], [],
    'and no back end of Backstage is shown anything';

# They would take our own token for a service's, which may do everything.
$fake->backstage_says(permission => 'ALLOW');
is get($permissions, $version, $jane->{bearer} ? (headers =>
    [$jane->{bearer}]) : ())->{status}, 200, 'permissions: with her token';
$fake->reset;
is get($permissions, $version, @kubectl)->{status}, 403,
    'but not with that of kubectl';
is_deeply [map { $_->{rawPath} } @{$fake->requests('@backstage')}], [],
    'for nobody can ask about it';

my $limited = $tokens->limited('user:default/jane');
is $pool->request(GET => BASE . '/portal/activate', headers =>
    [[Cookie => "backstage-auth=$limited"]])->{status}, 200,
    'a cookie of Backstage shows the page';
is $pool->request(POST => BASE . '/portal/activate', headers =>
    [[Cookie => "backstage-auth=$limited"]])->{status}, 401,
    'and allows nothing';
log_has_no('no token is in a log', $token);
done_testing;
