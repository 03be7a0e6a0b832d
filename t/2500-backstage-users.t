#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Backstage's user tokens say who asks: which are taken, which are refused and
# in which words, keys that change or are not there, groups, and who sees
# which cluster by them.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;

my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);

my @clusters = ({ name => 'one' },
    { name => 'jane', of => 'one', allow => ['user:default/jane'] },
    { name => 'team', of => 'one', allow => ['group:default/team-a'] });

sub start {
	my (%stagedoor) = @_;
	return pool(settings => settings(fake => $fake,
	    clusters => \@clusters, stagedoor => \%stagedoor,
	    auth => { externalAccess => [{ type => 'static', options =>
		{ token => 'static-token-1', subject => 'ci' } }] }));
}

# The clusters that whoever sends the token sees, or the refusal.
sub sees {
	my ($pool, $token, %opt) = @_;
	my $answer = get($pool, $opt{path} // '/clusters', headers =>
	    [defined $token ? $tokens->bearer($token) : ()]);
	my $status = $answer->{status};
	return $status if $status != 200 && $answer->{body} eq '';
	return "$status " . body_of($answer)->{error}{message}
	    if $status != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

sub asked {
	my ($path) = @_;
	return scalar grep { $_->{rawPath} eq $path }
	    @{$fake->requests('@backstage')};
}

my $JWKS = '/api/auth/.well-known/jwks.json';
my $USERINFO = '/api/auth/v1/userinfo';
my $pool = start();

# --- Whose token counts -----------------------------------------------------

my $jane = $tokens->user('User:Default/Jane');
my $joe = $tokens->user('user:default/joe', ent =>
    ['user:default/joe', 'group:Default/Team-A']);
is sees($pool, $jane), 'one jane', 'jane, by her ref in small letters';
is sees($pool, $joe), 'one team', 'joe, by his group';
is sees($pool, $jane), 'one jane', 'jane again, after joe';
is asked($JWKS), 1, 'the keys were fetched once';
is asked($USERINFO), 0, 'and nobody asked for groups that tokens say';
like $pool->log_text, qr{user=user:default/joe}, 'the log has the user';

is sees($pool, undef), '401 Missing credentials', 'no token';
is sees($pool, 'nope'), '401 Illegal token', 'any text';
is sees($pool, $tokens->sign('vnd.backstage.plugin', sub => 'catalog',
    aud => 'kubernetes')), '401 Illegal token', "a plug-in's token";
is sees($pool, $tokens->sign('JWT', sub => 'user:default/jane',
    aud => 'backstage')), '401 Illegal token', 'a token of another kind';
is sees($pool, $tokens->sign(undef, sub => 'user:default/jane',
    aud => 'backstage', ent => [])), 'one jane', 'an old one without typ';
is sees($pool, $tokens->sign(undef, sub => 'user:default/jane',
    aud => 'other')), '401 Illegal token', 'that is for somebody else';
is sees($pool, $tokens->limited('user:default/jane')),
    '401 Illegal limited user token', 'a limited token';
my @bad = (
	['has ended', $tokens->user('user:default/jane', exp => time - 1)],
	['never ends', $tokens->user('user:default/jane', exp => undef)],
	['has no iat', $tokens->user('user:default/jane', iat => undef)],
	['names nobody', $tokens->user('user:default/jane', sub => undef)],
	['names no ref', $tokens->user('jane')],
	['is changed', $jane =~ s/(.)(?=.{20}$)/$1 eq 'A' ? 'B' : 'A'/er],
	['has no signature', $jane =~ s/[^.]+$//r],
	['is signed by another',
	    Stagedoor::BackstageTokens->new->user('user:default/jane')],
);
is sees($pool, $_->[1]), '401 Failed user token verification',
    "a token that $_->[0]" for @bad;
is sees($pool, "$jane, Bearer $jane"),
    '401 Missing credentials', 'two tokens';
is get($pool, '/clusters', headers => [[Cookie =>
    'backstage-auth=' . $tokens->limited('user:default/jane')]])->{status},
    401, "the cookie's token";
my @cookie = (headers => [[Cookie => 'x=y; backstage-auth='
    . $tokens->limited('user:default/jane')]]);
is get($pool, '/connect.json', @cookie)->{status}, 200,
    'but it does for a page to read';
like $pool->log_text, qr{/connect\.json .*user=user:default/jane}, 'as jane';
is get($pool, '/connect', @cookie)->{status}, 200, 'and for the other';
is request($pool, $_->[0], $_->[1], @cookie)->{status}, 401,
    "not for $_->[0] $_->[1]" for ['POST', '/connect/oidc/x'],
    ['DELETE', '/connect/oidc/x'], ['GET', '/connect/callback'],
    ['POST', '/connect.json'], ['GET', '/connect/../clusters'],
    ['GET', '/proxy/version'], ['GET', '/authorize'];
is get($pool, '/clusters', headers => [[STAGEDOOR_USER => 'jane']],
    as => 'jane')->{status}, 401, 'parameters of the web server';
is sees($pool, 'static-token-1'), 'one', 'a service is in no list';
is post($pool, '/clusters/one/proxy/api/v1/x', headers =>
    [$tokens->bearer($jane)])->{status}, 404,
    'a bearer token needs no origin';
is sees($pool, $jane, path => '/nothing'), '404',
    'an unknown path, behind the barrier';

# --- The token goes to Backstage, and nowhere else --------------------------

$fake->reset;
post($pool, '/resources/workloads/query', headers =>
    [$tokens->bearer($jane)], json =>
    { entityRef => 'component:default/shop' });
my ($catalog) = grep { $_->{rawPath} =~ m{/catalog/} }
    @{$fake->requests('@backstage')};
is $catalog->{headers}{authorization}, "Bearer $jane",
    'the catalog is asked as jane';
is scalar(grep { ($_->{headers}{authorization} // '') =~ /\Q$jane\E/ }
    @{$fake->settled('one')}), 0, 'no cluster sees her token';
log_has_no('no token is in a log', $jane, $joe,
    (split /\./, $jane)[1, 2]);

# --- Groups from userinfo ---------------------------------------------------

my $bare = $tokens->user('user:default/ann', ent => undef);
$fake->reset;
is sees($pool, $bare), 'one', 'userinfo fails: no groups';
is sees($pool, $bare), 'one', 'and again';
is asked($USERINFO), 1, 'it is not asked each time';
like $pool->log_text, qr{cannot learn the groups of user:default/ann},
    'the log says so';
$fake->backstage_says(userinfo => ['user:default/eve',
    'group:default/team-a']);
my $eve = $tokens->user('user:default/eve', ent => undef);
$fake->reset;
is sees($pool, $eve), 'one team', 'userinfo knows a group';
is sees($pool, $eve), 'one team', 'and again';
is asked($USERINFO), 1, 'it is asked once for a token';
is $fake->requests('@backstage')->[0]{headers}{authorization},
    "Bearer $eve", "with the user's own token";

# --- Keys -------------------------------------------------------------------

$tokens->rotate(keep => 1);
my $new = $tokens->user('user:default/jane');
$fake->backstage_says(jwks => $tokens->jwks);
my $late = start();
is sees($late, $new), 'one jane', 'signed with the second key';
is sees($late, $jane), 'one jane', 'and with the first';

$fake->backstage_says(jwks => 503);
my $down = start();
my $answer = get($down, '/clusters', headers => [$tokens->bearer($new)]);
is $answer->{status}, 503, 'keys that cannot be had are no refusal';
is body_of($answer)->{error}{name}, 'ServiceUnavailableError', 'by name';
like body_of($answer)->{error}{message}, qr/keys .* cannot be had/,
    'it says what failed';
unlike $answer->{body}, qr/127\.0\.0\.1/, 'and not where';
is sees($down, 'static-token-1'), 'one', 'services get in all the same';
is sees($down, 'nope'), '401 Illegal token', 'strangers do not';
is sees($late, $new), 'one jane', 'who has the keys goes on';

# --- Settings ---------------------------------------------------------------

$fake->backstage_says(jwks => $tokens->jwks);
my $strict = start(identity => { source => 'backstage', backstage => {
    issuer => 'http://b.test/api/auth', audience => 'portal',
    jwksUrl => $fake->backstage_url . $JWKS } });
my %right = (iss => 'http://b.test/api/auth', aud => 'portal');
is sees($strict, $tokens->user('user:default/jane', %right)), 'one jane',
    'the issuer and the audience of the settings';
is sees($strict, $tokens->user('user:default/jane', %right,
    iss => 'http://c.test/api/auth')), '401 Failed user token verification',
    'another issuer';
is sees($strict, $tokens->user('user:default/jane', %right,
    aud => 'backstage')), '401 Failed user token verification',
    'another audience';
my $rs = start(identity => { source => 'backstage',
    backstage => { algorithms => ['RS256'] } });
is sees($rs, $new), '401 Failed user token verification',
    'an algorithm that is not in the settings';

my $open = pool(settings => settings(fake => $fake));
is sees($open, undef), 'one', 'the default policy disabled: anybody';
is sees($open, $new), 'one', 'and users with good tokens';
is sees($open, "${new}x"), '401 Could not resolve credentials; caused by '
    . 'AuthenticationError: Failed user token verification',
    'but not with bad ones';
done_testing;
