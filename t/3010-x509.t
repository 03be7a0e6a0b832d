#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Client certificates, before a web server that wants them: whose certificate
# comes over which connection, files that rotate, pairs that are none, and a
# kubeconfig that is read again when it changes.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use MIME::Base64 qw(encode_base64);

my $fake = fake(backstage => 1, clusters => [{ name => 'one',
    behaviour => 'anon' }]);
my $dir = tempdir();
Stagedoor::TLS::make_ca($dir, 'ca');
Stagedoor::TLS::make_cert($dir, 'server', 'ca');
Stagedoor::TLS::make_cert($dir, $_, 'ca', client => 1, subject => "/CN=$_")
    for qw(alice bob carol);
my $port = free_port();
Stagedoor::TLS::tls_front(listen => $port, to => $fake->port('one'),
    cert => "$dir/server.crt", key => "$dir/server.key", http2 => 1,
    client_ca => "$dir/ca.crt", require_client => 1);
my $url = "https://127.0.0.1:$port";
my %pem = map { $_ => slurp("$dir/$_") } map { ("$_.crt", "$_.key") }
    qw(alice bob carol);

# As rotation does it: a new file in the old one's place.
sub put {
	my ($name, $text) = @_;
	write_file("$dir/$name.new", $text);
	rename "$dir/$name.new", "$dir/$name" or die "$name: $!";
}

put("turn.$_", $pem{"alice.$_"}) for qw(crt key);
sub entry {
	my ($name, %more) = @_;
	return { name => $name, url => $url, caFile => "$dir/ca.crt",
		authProvider => 'x509', skipMetricsLookup => \1, %more };
}
my $settings = settings(fake => $fake,
    kubernetes => { objectTypes => [qw(pods services)] },
    clusters => [
	entry('alice', clientCertificateFile => 'alice.crt',
	    clientKeyFile => "$dir/alice.key"),
	entry('bob', clientCertificate => $pem{'bob.crt'},
	    clientKey => $pem{'bob.key'}),
	entry('turn', clientCertificateFile => "$dir/turn.crt",
	    clientKeyFile => "$dir/turn.key"),
	entry('mixed', clientCertificate => $pem{'alice.crt'},
	    clientKey => $pem{'bob.key'}),
	entry('mixedfiles', clientCertificateFile => "$dir/alice.crt",
	    clientKeyFile => "$dir/bob.key"),
	entry('lost', clientCertificateFile => "$dir/alice.crt",
	    clientKeyFile => "$dir/nowhere.key"),
	entry('none'),
	entry('token', authProvider => 'serviceAccount',
	    serviceAccountToken => 'alpha-token'),
    ]);
my $pool = pool(settings => $settings);

sub query {
	my ($target) = @_;
	my $answer = post($target, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	return { map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}} };
}

sub good { return !@{$_[0]{errors}} && @{$_[0]{resources}} }
sub message { return $_[0]{errors}[0]{message} // 'no error' }

# Who came, by connection: every request of a connection is of one subject.
sub subjects_of {
	my (@requests) = @_;
	my %of;
	$of{$_->{tls_connection}}{$_->{tls_subject}} = 1 for @requests;
	return map { join '+', sort keys %$_ } values %of;
}

sub proxied {
	my ($name, $target) = @_;
	$fake->reset;
	my $answer = get($target // $pool, "/clusters/$name/proxy/version");
	my $seen = $fake->last_request('one');
	return "$answer->{status} " . ($seen ? $seen->{tls_subject} : 'none');
}

# --- Whose certificate comes over which connection --------------------------

is_deeply [ map { "$_->{name} $_->{authProvider}" } grep {
	$_->{name} =~ /^(?:alice|bob)$/ }
    @{body_of(get($pool, '/clusters'))->{items}} ],
    [ 'alice serviceAccount', 'bob serviceAccount' ],
    'pages see clusters for which nobody needs to sign in';

my $rows = query($pool);
ok good($rows->{$_}), "$_ gets its lists" or diag(message($rows->{$_}))
    for qw(alice bob turn);
is proxied($_), "200 CN=$_", "$_ through the proxy"
    for qw(alice bob alice bob);
is proxied('token'), '400 none', 'who has no certificate is not let in';

$fake->reset;
for (1 .. 5) {
	query($pool);
	get($pool, "/clusters/$_/proxy/version") for qw(alice bob);
}
my @requests = @{$fake->requests('one')};
my @subjects = subjects_of(@requests);
is scalar(grep { /\+/ } @subjects), 0, 'no connection serves two'
    or diag("@subjects");
my %count;
$count{$_->{tls_subject}}++ for @requests;
# Two of the clusters show alice's: what they ask at once may be one read.
is $count{'CN=bob'}, 15, 'each request with the certificate of its cluster';
ok $count{'CN=alice'} >= 15 && $count{'CN=alice'} <= 25, 'not another one'
    or diag explain \%count;
is scalar keys %count, 2, 'and none without';
cmp_ok scalar @subjects, '<=', 6, 'and connections are used again'
    or diag("@subjects");
is scalar(grep { exists $_->{headers}{authorization} } @requests), 0,
    'no token goes with them';

my $own = get($pool, '/clusters/alice/proxy/version', headers => [
    ['Backstage-Kubernetes-Authorization', 'Bearer user-token']]);
is $own->{status}, 400, 'with a token of the client no certificate goes';

# --- Pairs that are none ----------------------------------------------------

like message($rows->{$_}), qr/client key does not belong to its client/,
    "$_: the row says what is wrong" for qw(mixed mixedfiles);
like message($rows->{lost}), qr/file of the client key of cluster 'lost'/,
    'a file that is not there';
like message($rows->{none}), qr/set clientCertificateFile/,
    'no certificate at all';
my $text = encode_json([values %$rows]);
unlike $text, qr/\Q$dir\E|BEGIN (?:EC )?PRIVATE/, 'no row has a path or key';
like $pool->log_text, qr/lost.*nowhere\.key/, 'the log says which file';
is get($pool, '/clusters/mixed/proxy/version')->{status}, 500,
    'the proxy refuses it too';
my $check = stagedoor('check', '-c', $pool->config_file);
is $check->{code}, 2, 'check does not like them';
unlike $check->{err}, qr/^warning.*cluster '$_'/m, "$_ is an error there"
    for qw(mixedfiles lost);
like $check->{err}, qr/cluster '$_'/m, "$_ is named" for qw(mixedfiles lost);
unlike $check->{err}, qr/cluster '(?:alice|bob|turn)'/, 'good ones are not';

# --- Rotation ---------------------------------------------------------------

is proxied('turn'), '200 CN=alice', 'before';
put("turn.$_", $pem{"carol.$_"}) for qw(crt key);
is proxied('turn'), '200 CN=carol', 'the files of carol take effect';
$fake->reset;
ok good(query($pool)->{turn}), 'for lists too';
is scalar(grep { $_->{tls_subject} eq 'CN=carol' }
    @{$fake->requests('one')}), 2, 'which are asked as carol';
put('turn.key', $pem{'alice.key'});
is proxied('turn'), '500 none', 'half a rotation is refused';
like message(query($pool)->{turn}), qr/does not belong/, 'and said';
put('turn.key', "$pem{'carol.key'}");
is proxied('turn'), '200 CN=carol', 'and over when the other half is there';
put('alice.key', $pem{'bob.key'});
is proxied('alice'), '500 none', 'the kept connection does not hide it';
put('alice.key', $pem{'alice.key'});

# --- A kubeconfig -----------------------------------------------------------

mkdir "$dir/k" or die "k: $!";
sub kubeconfig {
	my (@contexts) = @_;
	my $data = encode_base64($pem{'bob.crt'}, '');
	my $key = encode_base64($pem{'bob.key'}, '');
	put('k/config', <<"END" . join '', map { <<"CONTEXT" } @contexts);
clusters:
- {name: here, cluster: {server: "$url", certificate-authority: ../ca.crt}}
users:
- name: file
  user: {client-certificate: ../alice.crt, client-key: ../alice.key}
- name: data
  user: {client-certificate-data: $data, client-key-data: $key}
- {name: basic, user: {username: root, password: hush-hush}}
- {name: plugin, user: {exec: {command: /bin/false}}}
contexts:
END
- {name: $_, context: {cluster: here, user: $_}}
CONTEXT
}

sub names {
	my ($from) = @_;
	return join ' ', sort map { $_->{name} }
	    @{body_of(get($from, '/clusters'))->{items}};
}

sub becomes {
	my ($from, $want, $what) = @_;
	my $came = eval {
		wait_for(sub { names($from) eq $want }, 15, $what);
		1;
	};
	is names($from), $want, $what;
}

kubeconfig(qw(file data basic plugin));
my $kube = pool(settings => settings(fake => $fake, kubernetes => {
    objectTypes => ['pods'], clusterLocatorMethods => [
    { type => 'kubeconfig', path => "$dir/k/config" }] }));
is names($kube), 'basic data file plugin', 'contexts are clusters';
is proxied('file', $kube), '200 CN=alice', 'certificate from files beside it';
is proxied('data', $kube), '200 CN=bob', 'certificate from its data';
$rows = query($kube);
ok good($rows->{$_}), "$_ gets its lists" for qw(file data);
like message($rows->{basic}), qr/'basic' has username and password \(basic\)/,
    'a password is refused by name';
like message($rows->{plugin}), qr/exec plug-in without an apiVersion/,
    'half a plug-in too';

kubeconfig(qw(data file));
becomes($kube, 'data file', 'a changed file is read again');
like $kube->log_text, qr/a kubeconfig has changed/, 'as the log says';
write_file("$dir/k/config", "contexts: [");
wait_for(sub { $kube->log_text =~ /the last good list of clusters stays/ },
    15, 'the broken file');
is names($kube), 'data file', 'a broken one changes nothing';
is proxied('data', $kube), '200 CN=bob', 'and its clusters go on';
$kube->reload;
wait_for(sub { 2 == (() = $kube->log_text =~ /last good list/g) }, 15,
    'the reload');
is names($kube), 'data file', 'nor if we are told to read it';
unlink "$dir/k/config" or die "config: $!";
wait_for(sub { 3 == (() = $kube->log_text =~ /last good list/g) }, 15,
    'the missing file');
is names($kube), 'data file', 'nor one that is gone';
kubeconfig(qw(data));
becomes($kube, 'data', 'a good one is taken up');

log_has_no('no password or key is in a log', 'hush-hush', map {
    (split /\n/, $pem{"$_.key"})[1] } qw(alice bob carol));
done_testing;
