#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The direct lane behind Apache: mod_fcgid asks the program, mod_proxy moves
# the bytes, with the block that users copy.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::Web;
use Stagedoor::WebSocket;

have_program('apache2') or skip_or_fail('no Apache');
skip_or_fail('no mod_fcgid')
    if !-e Stagedoor::Web::APACHE_MODULES . '/mod_fcgid.so';
my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'production' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $config = write_file(tempdir() . '/lane.yaml', encode_json(settings(
    fake => $fake, auth => {}, clusters => ['production',
	{ name => 'reading', of => 'production', readOnly => \1 },
	{ name => 'acting', of => 'production',
	    impersonate => { user => '{user}' } }])));
chmod 0644, $config or die "$config: $!";

# Shows its environment, if anybody asks it for a page of errors.
my $folder = tempdir() . '/programs';
mkdir $folder or die "$folder: $!";
write_file("$folder/show", "#!/bin/sh\necho 'Content-Type: text/plain'\n"
    . "echo\nenv\n");
chmod 0755, "$folder/show" or die "$folder/show: $!";

# The block, for three clusters.
sub blocks {
	my ($dir) = @_;
	my $block = slurp("$dir/stagedoor/apache-lane.conf");
	my $to = $fake->url('production');
	$block =~ s{https://production\.example\.org:6443/"}{$to/"} or die;
	return join "\n", map({ $block =~ s{/production/}{/$_/}r }
	    qw(production reading acting)),
	    map { "ErrorDocument $_ /app/show" } 401, 502, 503;
}
my $web = Stagedoor::Web->apache('apache-fcgid', config => $config,
    modules => [qw(fcgid cgid alias proxy proxy_http unique_id)], global =>
	"FcgidIPCDir run\nFcgidProcessTableFile run/table\n"
	. "ScriptSock cgisock\nScriptAlias /app/ $folder/\n"
	. "<Directory $folder>\nRequire all granted\n</Directory>\n",
    before => \&blocks);

my $jane = $tokens->bearer($tokens->user('user:default/jane'));
sub at {
	my ($path, $method, @headers) = @_;
	$fake->reset;
	return request($web, $method, "/clusters$path",
	    headers => [$jane, @headers]);
}

is at('/production/proxy/echo/a%2Fb?x=%20y', 'GET', ['Cookie', 'a=b'],
    ['Audit-ID', 'chosen'], ['X-Request-Id', 'chosen'],
    ['Impersonate-User', 'root'], ['X-Stagedoor-Authorization', 'x'],
    ['Backstage-Kubernetes-Cluster', 'y'])->{status}, 200, 'a request';
my $seen = $fake->last_request('production');
is "$seen->{rawPath}?$seen->{query}", '/echo/a%2Fb?x=%20y', 'byte for byte';
is $seen->{headers}{authorization}, 'Bearer alpha-token', 'our credential';
is join(' ', grep { /^(?:cookie|impersonate|x-stagedoor|backstage)/ }
    keys %{$seen->{headers}}), '', 'nothing of the client\'s';
like join(' ', map { $_ // '' } @{$seen->{headers}}{qw(audit-id
    x-request-id)}), qr/^([\w@-]{20,}) \g1$/, 'the id is Apache\'s';
is $seen->{headers}{'x-forwarded-server'}, 'localhost', 'by Apache';

my $ws = Stagedoor::WebSocket->connect($web, BASE
    . '/clusters/production/proxy/api/v1/namespaces/x/pods/y/exec?command=a',
    headers => { $jane->[0] => $jane->[1] },
    protocols => ['v5.channel.k8s.io']);
is $ws->status, 101, 'a WebSocket';
$ws->send("\0hello");
is $ws->next->{data}, "\1hello", 'bytes go both ways';
$ws->drop;

for my $name (qw(Impersonate-Extra-Scopes
    Backstage-Kubernetes-Authorization-Oidc-Other)) {
	like at('/production/proxy/version', 'GET', [$name, 'value'])->{status},
	    qr/^40[13]$/, "$name cannot be dropped: no";
	is scalar @{$fake->settled('production')}, 0, 'and nobody is asked';
}

my %no = ('/production/proxy/a/%2e%2e/%2e%2e/%2e%2e/x' => 'GET',
    '/reading/proxy/version' => 'DELETE', '/acting/proxy/version' => 'GET');
for my $path (sort keys %no) {
	my $answer = at($path, $no{$path});
	like $answer->{status}, qr/^40[0134]$/, "$no{$path} $path: no";
	unlike $answer->{body}, qr/STAGEDOOR_|alpha-token/, 'no page of ours';
	is scalar @{$fake->settled('production')}, 0, 'and nobody is asked';
}
is request($web, 'GET', '/clusters/production/proxy/version')->{status}, 401,
    'nobody';
is at('/reading/proxy/version', 'GET')->{status}, 200, 'reading is';

# What the pool does not take for an upgrade is none for the cluster.
is at('/reading/proxy/version', 'GET', ['Upgrade', 'raw'],
    ['Connection', 'Upgrade'])->{status}, 200, 'another protocol';
is join(' ', grep { /raw|upgrade/i } %{$fake->last_request('production')
    ->{headers}}), '', 'is not offered on';

# Apache itself would say what it was about to send, with the credential.
for my $headers ([['Max-Forwards', 0]], [['Max-Forwards', 5]], []) {
	my $trace = at('/production/proxy/version', 'TRACE', @$headers);
	like $trace->{status}, qr/^40[015]$/, 'TRACE: no';
	unlike $trace->{body}, qr/alpha-token/, 'it tells nothing';
}

$fake->stop;
my $dead = at_dead('/production/proxy/version');
sub at_dead { return get($web, "/clusters$_[0]", headers => [$jane]) }
like $dead->{status}, qr/^50[23]$/, 'a cluster that is gone';
unlike $dead->{body}, qr/STAGEDOOR_|alpha-token/, 'tells nothing';
log_has_no('no log has a credential', 'alpha-token', $jane->[1]);
done_testing;
