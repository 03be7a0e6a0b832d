#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# kubectl through the portal, without kubectl: codes, the user's page, the
# token, what it opens and what not, and its end.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Device;
use Stagedoor::Visitor;
use Time::HiRes qw(sleep time);

my $fake = fake(clusters => [{ name => 'one' }, { name => 'bobs' }]);
my $port = free_port();
my $audit = tempdir() . '/audit.jsonl';
my $keys = write_file(tempdir() . '/store.keys', stagedoor('key')->{out});
chmod 0600, $keys;

sub settings_with {
	my (%stagedoor) = @_;
	return settings(fake => $fake, source => 'params', clusters => [
		{ name => 'one', impersonate => { user => '{user}',
		    groups => ['{groups}'], userPrefix => 'portal:',
		    groupPrefix => 'portal:' } },
		{ name => 'bobs', allow => ['user:default/bob'] },
		{ name => 'open', of => 'one', authProvider =>
		    'localKubectlProxy' },
	    ], stagedoor => {
		publicUrl => "http://127.0.0.1:$port", audit => "file:$audit",
		identity => { guest => 'guest' },
		store => { type => 'sqlite', path => tempdir() . '/store.db',
		    keyFile => $keys }, %stagedoor });
}

my $pool = pool(settings => settings_with());
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER
    . ' set $stagedoor_groups $http_x_test_groups;');
my ($other, $third_pool) = map { pool(settings => settings_with(),
    name => $_) } 'other', 'a third';

sub visitor { return Stagedoor::Visitor->new(web => $web, user => $_[0]) }
my ($ann, $bob) = map { visitor($_) } qw(ann bob);

sub device {
	return Stagedoor::Device->new(web => $web,
	    also => [$other, $third_pool], @_);
}

sub audited {
	my ($event) = @_;
	return grep { $_->{event} eq $event }
	    map { decode_json($_) } split /^/, slurp($audit);
}

sub bearer {
	my ($token) = @_;
	return (headers => [[Authorization => "Bearer $token"]]);
}

my $pods = '/clusters/one/proxy/api/v1/namespaces/default/pods';

# --- Codes ------------------------------------------------------------------

my $laptop = device(name => "ann's <laptop>\n");
my $asked = $laptop->ask;
is $asked->{status}, 200, 'codes, for anybody';
is $asked->{headers}{'cache-control'}, 'no-store', 'kept by nobody';
like $laptop->{code}, qr/^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/,
    'one for a person to type';
my $json = $asked->{json};
is $json->{verification_uri}, "http://127.0.0.1:$port" . BASE
    . '/portal/activate', 'where';
is $json->{verification_uri_complete},
    "$json->{verification_uri}?code=$laptop->{code}", 'or there at once';
is $json->{interval}, 2, 'how often to ask';
is $json->{expires_in}, 600, 'for how long';
isnt device()->ask->{json}{user_code}, $laptop->{code}, 'no two the same';

is $laptop->poll->{json}{error}, 'authorization_pending', 'not yet';
is $laptop->poll(early => 1)->{json}{error}, 'slow_down', 'not so often';
is $laptop->post('/portal/token', grant_type => $laptop->GRANT, device_code =>
    $laptop->{device_code} =~ s/.$/A/r)->{json}{error}, 'invalid_grant',
    'no code of ours';
is $laptop->post('/portal/token', grant_type => 'password')->{json}{error},
    'unsupported_grant_type', 'no other grant';
is $laptop->post('/portal/token')->{json}{error}, 'invalid_request',
    'nothing said';

# --- The user's page --------------------------------------------------------

my $page = $ann->get('/portal/activate');
is $page->{status}, 200, 'a page to enter the code';
like $page->{body}, qr/name="code" value=""/, 'with a field for it';
is $page->{headers}{'x-frame-options'}, 'DENY', 'in no frame';
like $page->{headers}{'content-security-policy'}, qr/default-src 'none'/,
    'with the policy of /connect';
like $ann->get("/portal/activate?code=\L$laptop->{code}")->{body},
    qr/name="code" value="$laptop->{code}"/, 'the address may have the code';
like $ann->get('/portal/activate?code=%22%3E%3Cscript%3E')->{body},
    qr/no such code.*value="&quot;&gt;&lt;script&gt;"/s, 'and nonsense';
is visitor(undef)->get('/portal/activate')->{status}, 403,
    'not for guests';
is $laptop->step($ann, 'look', foreign => 1)->{status}, 403,
    'no other site sends it';

is $laptop->step($ann, 'look')->{status}, 303, 'the code is entered';
like $laptop->page($ann)->{body}, qr/http-equiv="refresh".*Waiting for the/s,
    'its machine is waited for';
is $laptop->poll->{json}{error}, 'authorization_pending', 'it asks';
$page = $laptop->page($ann)->{body};
like $page, qr/ann&#39;s &lt;laptop&gt;/, 'then it is shown';
like $page, qr/127\.0\.0\.1/, 'with its address';
like $page, qr/60 minutes/, 'and for how long';
unlike $page, qr/refresh/, 'and the page stays';
like $laptop->page($bob)->{body}, qr/name="step" value="look"/,
    'nobody else sees it';
is $laptop->step($bob, 'look')->{status}, 403, 'nor can enter it';
is $ann->post('/portal/activate', form => { code => $laptop->{code},
    step => 'allow', device => '0' x 32 })->{status}, 400,
    'what was not shown is not allowed';
is $laptop->step($ann, 'allow', foreign => 1)->{status}, 403,
    'nor by another site';

is $laptop->step($ann, 'allow', headers => { 'X-Test-Groups' =>
    'dev,ops' })->{status}, 303, 'allowed';
like $laptop->page($ann)->{body}, qr/You allowed it/, 'as the page says';
my $token = $laptop->token;
like $token, qr/^sdp1\.\d+\.[\w-]+$/, 'a token';
is $laptop->{said}{json}{token_type}, 'Bearer', 'for Authorization';
is $laptop->{said}{json}{user}, 'user:default/ann', 'of that user';
cmp_ok abs(3600 - $laptop->{said}{json}{expires_in}), '<', 5, 'for an hour';
is $laptop->poll->{json}{error}, 'invalid_grant', 'and no second one';

# --- What it opens ----------------------------------------------------------

is get($web, $pods, bearer($token))->{status}, 200, 'a cluster';
my $seen = $fake->last_request('one')->{headers};
is $seen->{'impersonate-user'}, 'portal:user:default/ann', 'as that user';
is $seen->{'impersonate-group'},
    'portal:group:default/dev, portal:group:default/ops', 'in the groups';
unlike $seen->{authorization}, qr/sdp1/, 'with another credential';
is post($web, $pods, bearer($token), json => {})->{status}, 201,
    'writing needs no Origin';
is get($web, '/clusters/bobs/proxy/version', bearer($token))->{status}, 404,
    'no cluster of others';
is get($web, '/proxy/version', headers => [[Authorization =>
    "bearer  $token"], ['Backstage-Kubernetes-Cluster' => 'one']])
    ->{status}, 200, 'and /proxy';
is get($web, '/clusters/open/proxy/version', bearer($token))->{status}, 401,
    'a cluster for which we have no credential';
is $fake->last_request('one')->{headers}{authorization}, undef,
    'does not get the token either';
is get($web, $pods, bearer($token), as => 'ann')->{status}, 200,
    'the web server may name the same user';
is $pool->request(GET => BASE . $pods, bearer($token),
    params => [STAGEDOOR_USER => 'bob'])->{status}, 401, 'but no other';
is $other->request(GET => BASE . $pods, bearer($token))->{status}, 200,
    'another process knows it';
my @request = grep { ($_->{session} // '') ne '' } audited('request');
is $request[0]{user}, 'user:default/ann', 'the audit log: who';
is length $request[0]{session}, 8, 'and which session';

# --- What it does not -------------------------------------------------------

for my $path ('/clusters', '/connect', '/connect.json', '/portal/activate',
    '/authorize', '/connect/kubeconfig', '/connect/kubeconfig/one') {
	my $status = $path eq '/authorize' ? 403 : 401;
	is $pool->request(GET => BASE . $path, bearer($token))->{status},
	    $status, "$path";
	is $pool->request(GET => BASE . $path, bearer($token),
	    params => [STAGEDOOR_USER => 'ann'])->{status}, $status,
	    "$path, also where the web server names its user";
}
is $pool->request(POST => BASE . '/portal/activate', bearer($token),
    params => [CONTENT_TYPE => 'application/x-www-form-urlencoded'],
    body => "code=$laptop->{code}&step=look")->{status}, 401,
    'it allows nothing';
my $altered = $token =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/er;
for my $bad ($altered, substr($token, 0, 40), 'sdp1.', 'sdp2.x', 'sdp1.1.AA',
    $token =~ s/^sdp1\.\d+/'sdp1.' . (time * 1000 + 9e6 | 0)/er,
    "$token x", "$token,") {
	is $pool->request(GET => BASE . $pods, bearer($bad),
	    params => [STAGEDOOR_USER => 'ann'])->{status}, 401,
	    'a bad one is nobody, not the user that is named too';
	is get($web, $pods, bearer($bad))->{status}, 401, 'nor the guest';
}
my $elsewhere = pool(settings => settings_with(publicUrl =>
    'https://other.example.org'), name => 'elsewhere');
is $elsewhere->request(GET => BASE . $pods, bearer($token))->{status}, 401,
    'another portal with the same store does not take it';

# --- /connect, and its end --------------------------------------------------

$page = $ann->get('/connect')->{body};
like $page, qr/ann&#39;s &lt;laptop&gt;/, 'listed for its user';
unlike $bob->get('/connect')->{body}, qr/laptop/, 'and for nobody else';
my ($id) = $page =~ /name="session" value="(\w+)"/;
is body_of($ann->get('/connect.json'))->{kubectl}{sessions}[0]{id}, $id,
    'in JSON too';
is $bob->post('/portal/end', form => { session => $id })->{status}, 303,
    'another user';
is get($web, $pods, bearer($token))->{status}, 200, 'ends nothing';
is $ann->post('/portal/end', form => { session => $id },
    foreign => 1)->{status}, 403, 'nor does another site';
my $end = $ann->post('/portal/end', form => { session => $id });
like $end->{headers}{location}, qr/done=ended/, 'its user ends it';
my $ended = time;
is get($web, $pods, bearer($token))->{status}, 401, 'at once';
ok wait_for(sub { $other->request(GET => BASE . $pods,
    bearer($token))->{status} == 401 }, 3, 'the other process'),
    'also in another process';
cmp_ok time - $ended, '<', 1.5, 'within a second';
unlike $ann->get('/connect')->{body}, qr/laptop/, 'it is not listed any more';

# --- Refusing, revoking, keys -----------------------------------------------

my $phish = device(name => 'phish');
$phish->ask;
$phish->answer($ann, 'refuse');
is $phish->poll->{json}{error}, 'access_denied', 'refused';
like $phish->page($ann)->{body}, qr/You refused/, 'as the page says';

my $desk = device(name => 'desk');
$desk->ask;
$desk->allow($ann);
my $second = $desk->token;
is $desk->post('/portal/introspect', token => $second)->{json}{username},
    'user:default/ann', 'whose it is';
write_file($keys, stagedoor('key')->{out} . slurp($keys));
kill HUP => $pool->pid;
# The key's name stands at the front of what it sealed.
my $sealed_by = sub { return substr $_[0], 14, 22 };
ok wait_for(sub { sleep 0.3; $sealed_by->(device()->ask->{json}{device_code})
    ne $sealed_by->($desk->{device_code}) }, 5, 'the new key'),
    'a new key seals';
is get($web, $pods, bearer($second))->{status}, 200,
    'what an old one sealed opens';
my $list = stagedoor('tokens', 'list', '-c', $pool->config_file);
like $list->{out}, qr/user:default\/ann +portal +\w{8} +desk/,
    'stagedoor tokens list';
is $desk->post('/portal/revoke', token => $second)->{status}, 200,
    'whoever has it may end it';
is get($web, $pods, bearer($second))->{status}, 401, 'it is over';
ok !$desk->post('/portal/introspect', token => $second)->{json}{active},
    'as is said';
is $desk->post('/portal/revoke', token => $second)->{status}, 200,
    'once more, or nonsense, is fine';

my $third = device(name => 'third');
$third->ask;
$third->allow($ann);
my $last = $third->token;
my $revoke = stagedoor('tokens', 'revoke', '-c', $pool->config_file,
    '--user', 'ann');
like $revoke->{out}, qr/signed out: user:default\/ann, portal \w{8}, third/,
    'stagedoor tokens revoke';
ok wait_for(sub { get($web, $pods, bearer($last))->{status} == 401 }, 3,
    'the pool'), 'within a second';
is_deeply [map { $_->{account} } audited('issue')],
    ["ann's <laptop> ", 'desk', 'third'], 'audit: each that was issued';
is scalar(audited('allow')), 3, 'allowed';
is scalar(audited('refuse')), 1, 'refused';
is_deeply [map { $_->{by} // '-' } audited('revoke')], ['-', '-', 'cli'],
    'and ended';
is +(audited('allow'))[0]{from}, '127.0.0.1', 'with the address';

# --- Too often --------------------------------------------------------------

my $flood = Stagedoor::Device->new(web => $elsewhere, with =>
    [from => '192.0.2.1']);
my @said = map { $flood->ask->{status} } 1 .. 40;
is $said[0], 200, 'a few codes';
is $said[-1], 429, 'but no flood of them from one address';
my $calm = Stagedoor::Device->new(web => $elsewhere, with =>
    [from => '192.0.2.2']);
is $calm->ask->{status}, 200, 'which others do not feel';
my @guesses = map { $bob->post('/portal/activate', form => { step => 'look',
    code => 'BBBB-' . join '', map { qw(B C)[$_ % 2] } $_ >> 3, $_ >> 2,
	$_ >> 1, $_ })->{status} } 0 .. 15;
is_deeply [grep { $_ != 303 } @guesses], [], 'a few guesses';
@guesses = map { $bob->post('/portal/activate', form => { step => 'look',
    code => "CCCC-$_" })->{status} } qw(BBBB CCCC DDDD FFFF GGGG HHHH);
is $guesses[-1], 403, 'but not many';
like $bob->post('/portal/activate', form => { step => 'look',
    code => 'JJJJ-JJJJ' })->{body}, qr/too many codes/, 'as is said';
is device(code => 'JJJJ-JJJJ')->step($ann, 'look')->{status}, 303,
    'others may still';

# --- Off --------------------------------------------------------------------

my $off = pool(settings => settings_with(store => undef), name => 'off');
my $nothing = Stagedoor::Device->new(web => $off);
is $nothing->ask->{status}, 404, 'off without a store';
like $nothing->ask->{json}{error_description}, qr/stagedoor\.store/,
    'as is said';
is $off->request(GET => BASE . $pods, bearer($last))->{status}, 401,
    'no token is good there';
my $plain = pool(settings => settings_with(publicUrl =>
    'http://portal.example.org'), name => 'plain');
like +Stagedoor::Device->new(web => $plain)->ask->{json}{error_description},
    qr/not https/, 'nor over plain http';

log_has_no('no token, no code is in a log', $token, $second, $last,
    map { $_->{device_code} } $laptop, $desk, $third, $phish);
unlike slurp($audit), qr/sdp1\./, 'nor in the audit log';
done_testing;
