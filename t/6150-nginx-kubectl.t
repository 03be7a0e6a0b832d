#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor login against a portal behind a real nginx with TLS, whose own
# sign-in knows nothing of kubectl: the flow, what is kept and for how long,
# several at once, and the ways in that are none.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Login;
use Stagedoor::WebSocket;

have_program('nginx') or skip_or_fail('no nginx');
my $fake = fake(clusters => [{ name => 'one' }]);
my $portal = Stagedoor::Login->portal(server => <<'END', settings => sub {
	if ($http_x_direct) { set $stagedoor_direct all; }
END
	my (%stagedoor) = @_;
	return settings(fake => $fake, source => 'params', clusters => [
		{ name => 'one', impersonate => { user => '{user}',
		    userPrefix => 'portal:' } },
		{ name => 'open', of => 'one', authProvider =>
		    'localKubectlProxy' },
		{ name => 'page', of => 'one', authProvider => 'oidc',
		    oidcTokenProvider => 'corp' },
	    ], stagedoor => { audit => 'off', %stagedoor,
		identity => { guest => 'guest' } });
});
my $web = $portal->web;
my $kept = "$portal->{home}/.cache/stagedoor";

sub token_of {
	my ($said) = @_;
	my $json = eval { decode_json($said->{out}) } // {};
	return $json->{status}{token};
}

sub asks {
	my ($path, $token) = @_;
	return $web->get(BASE . $path, headers => { defined $token
	    ? (Authorization => "Bearer $token") : () });
}

# --- No terminal, no way in -------------------------------------------------

my $none = $portal->run;
is $none->{code}, 1, 'without a terminal nobody is asked';
like $none->{err}, qr/no terminal to show a code on: run stagedoor login/,
    'but told what to do';
is $none->{out}, '', 'and there is no credential';
my $stranger = run_command([Stagedoor::Util::stagedoor_bin(), 'login',
    '--portal', $portal->url, '--wait'], env => $portal->env);
is $stranger->{code}, 1, 'a certificate that nobody trusts';
like $stranger->{err}, qr/certificate|self.signed|issuer/i, 'is said';
for my $bad ('http://portal.example.org/api', 'portal.example.org',
    'https://me:pw@portal.example.org/', 'https://', 'ftp://x/') {
	my $run = stagedoor('login', '--portal', $bad);
	is $run->{code}, 2, "not $bad";
}
is stagedoor('login')->{code}, 2, 'an address it takes';
my $wrong = run_command([Stagedoor::Util::stagedoor_bin(), 'login',
    '--portal', $portal->url =~ s/kubernetes/other/r, '--ca', $portal->{ca},
    '--wait'], env => $portal->env);
like $wrong->{err}, qr/its web server wants a sign-in/,
    'the site itself lets no machine in';

# --- The flow ---------------------------------------------------------------

my $run = $portal->login;
like $run->err, qr/$portal->{url}\/portal\/activate\n/, 'an address'
    if $run->code;
my $second = $portal->login;
ok wait_for(sub { $second->err =~ /waiting for another/ }, 10, 'the second'),
    'a second one waits for the first';
is $portal->approve('ann', $run)->{status}, 303, 'allowed';
my $said = $run->said;
is $said->{code}, 0, 'signed in' or diag $said->{err};
like $said->{err}, qr/signed in as user:default\/ann until/, 'as whom';
my $token = token_of($said) // '';
like $token, qr/^sdp1\./, 'a token';
my $json = decode_json($said->{out});
is $json->{apiVersion}, 'client.authentication.k8s.io/v1', 'for kubectl';
is $json->{kind}, 'ExecCredential', 'as it wants it';
like $json->{status}{expirationTimestamp}, qr/^20.*Z$/, 'with its end';
is token_of($second->said), $token, 'the second has the same';
unlike $said->{err}, qr/sdp1/, 'it is on standard output only';

# --- It opens what it should, around the site's sign-in ---------------------

my $pods = '/clusters/one/proxy/api/v1/namespaces/default/pods';
is asks($pods, $token)->{status}, 200, 'a cluster';
is $fake->last_request('one')->{headers}{'impersonate-user'},
    'portal:user:default/ann', 'as her';
is asks("$pods?limit=1&x=%2F", $token)->{status}, 200, 'with a query';
is $fake->last_request('one')->{query}, 'limit=1&x=%2F', 'as it was sent'
    if defined $fake->last_request('one')->{query};
is asks($pods)->{status}, 401, 'without it nothing';
is asks($pods)->{headers}{'x-site'}, 'no', 'as the site says';
my $bad = asks($pods, 'sdp1.1.AA');
is $bad->{status}, 401, 'a bad one is not even the guest';
is $bad->{headers}{'x-site'}, undef, 'as we say';
is asks($pods, 'ey.ey.ey')->{headers}{'x-site'}, 'no',
    "another's token is the site's matter";
for my $path ('/clusters', '/connect', '/portal/activate', '/proxy/version',
    '/clusters/one/proxyx', '/portal/end') {
	is asks($path, $token)->{headers}{'x-site'}, 'no',
	    "$path is not led around it";
}
for my $odd ('SDP1.1.AA', 'Sdp1.1.AA', "\tsdp1.1.AA") {
	is asks($pods, $odd)->{headers}{'x-site'}, 'no',
	    'nor what is no token for the pool';
}
# nginx and the pool must mean the same path: who is led around the sign-in
# is the guest elsewhere.
for my $path ('/services/..%2fportal%2fdevice', '/connect/..%2Fportal/token',
    '/services/%2e%2e%2fportal/revoke') {
	is $web->post(BASE . $path, body => '{}', headers => {
	    'Content-Type' => 'application/json' })->{headers}{'x-site'},
	    'no', "nor $path";
}
is $web->get('/_stagedoor/kubectl', headers => { Authorization =>
    "Bearer $token" })->{status}, 404, 'nor is there another way';
is $web->get(BASE . '/clusters/one/proxy/../../../connect', headers =>
    { Authorization => "Bearer $token" })->{status}, 401, 'nor by dots';
is $web->get(BASE . $pods, headers => { Authorization => "Bearer $token",
    'X-Test-User' => 'bob' })->{status}, 200,
    "the site's sign-in of somebody else";
is $fake->last_request('one')->{headers}{'impersonate-user'},
    'portal:user:default/ann', 'is not looked at where a token is shown';

# --- The direct lane --------------------------------------------------------

my $exec = '/clusters/one/proxy/api/v1/namespaces/default/pods/shop/exec?x=1';

sub upgrade {
	my (%headers) = @_;
	return Stagedoor::WebSocket->connect($web, BASE . $exec,
	    headers => [map { [$_, $headers{$_}] } sort keys %headers],
	    protocols => ['v5.channel.k8s.io']);
}

my $ws = upgrade(Authorization => "Bearer $token");
is $ws->status, 101, 'exec, by the direct lane, needs no Origin';
$ws->send("\0hello");
is $ws->next->{data}, "\1hello", 'and works';
$ws->drop;
my $lane = $fake->last_request('one')->{headers};
is $lane->{'impersonate-user'}, 'portal:user:default/ann', 'as her';
is $lane->{authorization}, 'Bearer alpha-token',
    'with the credential of the settings';
is upgrade(Authorization => 'Bearer sdp1.1.AA')->answer->{status}, 401,
    'not with a bad token';
is upgrade(Authorization => "Bearer $token", 'X-Test-User' => 'bob')->status,
    101, "the site's sign-in of somebody else";
is $fake->last_request('one')->{headers}{'impersonate-user'},
    'portal:user:default/ann', 'does not count here either';
is upgrade()->answer->{headers}{'x-site'}, 'no', 'nor nothing at all';
my $direct = $web->get(BASE . $pods, headers => { 'X-Direct' => 1,
    Authorization => "Bearer $token" });
is $direct->{status}, 200, 'a plain request by it';
unlike join(' ', map { @$_ } @{$direct->{list}}), qr/stagedoor-|sdp1|alpha/i,
    'tells the client nothing of how';
is $fake->last_request('one')->{headers}{authorization},
    'Bearer alpha-token', 'nor the cluster';
is $web->get(BASE . '/clusters/open/proxy/version', headers =>
    { 'X-Direct' => 1, Authorization => "Bearer $token" })->{status}, 401,
    'a cluster for which we have no credential';
is $fake->last_request('one')->{headers}{authorization}, undef,
    'does not get the token either';

# --- What is kept -----------------------------------------------------------

is((stat $kept)[2] & 07777, 0700, 'a folder for its owner');
my ($file) = glob "$kept/portal-*[0-9a-f]";
is((stat $file)[2] & 07777, 0600, 'a file for its owner');
my $again = $portal->run;
is token_of($again), $token, 'a token that is kept needs no terminal';
is $again->{err}, '', 'and nothing is said';
my $v1beta1 = run_command([$portal->command], env => $portal->env(
    KUBERNETES_EXEC_INFO => '{"apiVersion":'
    . '"client.authentication.k8s.io/v1beta1"}'));
is decode_json($v1beta1->{out})->{apiVersion},
    'client.authentication.k8s.io/v1beta1', 'in the version kubectl wants';
is run_command([$portal->command], env => $portal->env(
    KUBERNETES_EXEC_INFO => '{"apiVersion":"x/v9"}'))->{code}, 2,
    'or none that is not known';
chmod 0644, $file;
my $loose = $portal->run;
is $loose->{code}, 1, 'a file that others read';
like $loose->{err}, qr/not safe for a token/, 'is not used';
chmod 0600, $file;
chmod 0777, $kept;
like $portal->run->{err}, qr/not safe for a token.*chmod 700/,
    'nor a folder that they may write to';
chmod 0700, $kept;
my $text = slurp($file);
write_file($file, $text =~ s/"checked":\d+/"checked":1/r);
is token_of($portal->run), $token, 'after a while the portal is asked';
unlike slurp($file), qr/"checked":1,/, 'and that is noted';
$web->stop;
write_file($file, $text =~ s/"checked":\d+/"checked":1/r);
is token_of($portal->run), $token, 'where it cannot say, it is used';
$web = $portal->{web} = $portal->_start_nginx;

# --- Ended on /connect, and by hand -----------------------------------------

my $ann = $portal->visitor('ann');
my ($id) = $ann->get('/connect')->{body} =~ /name="session" value="(\w+)"/;
is $ann->post('/portal/end', form => { session => $id })->{status}, 303,
    'ended on /connect';
is asks($pods, $token)->{status}, 401, 'it opens nothing';
write_file($file, $text =~ s/"checked":\d+/"checked":1/r);
is $web->get(BASE . $pods, headers => { 'X-Direct' => 1, Authorization =>
    "Bearer $token" })->{status}, 401, 'by no lane';
like $portal->run->{err}, qr/nobody is signed in/, 'which is noticed';
my $anew = $portal->login;
$portal->approve('ann', $anew, step => 'refuse');
my $refused = $anew->said;
is $refused->{code}, 1, 'refused';
like $refused->{err}, qr/it was refused at the portal/, 'as is said';
is $refused->{out}, '', 'no credential';

$anew = $portal->login;
$portal->approve('ann', $anew);
$token = token_of($anew->said);
is asks($pods, $token)->{status}, 200, 'and once more';
my $out = $portal->run('--logout');
is $out->{out}, "signed out\n", 'signed out by hand';
ok !-e $file, 'nothing is kept';
is asks($pods, $token)->{status}, 401, 'and it opens nothing';
is $portal->run('--logout')->{out}, "nobody is signed in\n", 'once only';

# --- The file for kubectl ---------------------------------------------------

my $config = $ann->get('/connect/kubeconfig/one');
is $config->{status}, 200, 'a kubeconfig';
is $config->{headers}{'content-disposition'},
    'attachment; filename="kubeconfig-one.yaml"', 'to be kept';
like $config->{body}, qr{server: "\Q$portal->{url}\E/clusters/one/proxy"},
    'leads here';
unlike $config->{body}, qr/sdp1|page/, 'with no secret';
is $ann->get('/connect/kubeconfig')->{status}, 200, 'one for all';
is $ann->get("/connect/kubeconfig/$_")->{status}, 404, "none for $_"
    for qw(page nothing %22);
my $page = $ann->get('/connect')->{body};
like $page, qr{href="/api/kubernetes/connect/kubeconfig/one"}, 'linked';
unlike $page, qr{kubeconfig/page}, 'where there is one';

log_has_no('no token is in a log', $token);
done_testing;
