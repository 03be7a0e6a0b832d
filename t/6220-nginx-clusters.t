#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What `stagedoor nginx` writes: nginx takes it for every kind of cluster,
# trusts whom we trust, and nothing that a cluster is called, or where it is,
# becomes a word of nginx's. And stagedoor-nginx-update, which reloads nginx
# after changes.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use MIME::Base64 qw(encode_base64);
use Stagedoor::TLS qw(make_ca make_cert tls_front);
use Stagedoor::WebSocket;

my $dir = tempdir();
make_ca($dir, $_) for qw(ca other);
make_cert($dir, 'named', 'ca', subject => '/CN=kube-apiserver');
make_cert($dir, 'server', 'ca', subject => '/CN=kube-apiserver',
    names => ['kubernetes.default.svc']);
make_cert($dir, 'client', 'ca', subject => '/O=dev/CN=ann', client => 1);
my $fake = fake(clusters => [{ name => 'one', behaviour => 'good',
	tokens => ['alpha-token'] }, { name => 'open', behaviour => 'anon' }]);

sub front {
	my ($to, $cert, %opt) = @_;
	my $port = free_port();
	tls_front(listen => $port, to => $fake->port($to),
	    cert => "$dir/$cert.crt", key => "$dir/$cert.key", %opt);
	return $port;
}
my $tls = front('one', 'server');
my $by_name = front('one', 'named');
my $mutual = front('open', 'server', client_ca => "$dir/ca.crt",
    require_client => 1);
my $either = front('one', 'server', client_ca => "$dir/ca.crt");
my %ca = (caFile => "$dir/ca.crt");
my @pem = map { slurp("$dir/client.$_") } qw(crt key);
my %x509 = (url => "https://127.0.0.1:$mutual", authProvider => 'x509', %ca);

# Names that would be a sentence of nginx's, were they not held apart.
my @odd = ("a; return 200 'x';", "b {\n}\nevil on;\n", 'c"d\'e$f\\g#h', "\t",
    'user:pass@host', 'x' x 300, "\x{fc}\x{2028}");
my @clusters = (
	{ name => 'one' },
	{ name => 'tls', url => "https://127.0.0.1:$tls", %ca },
	{ name => 'upper', url => "HTTPS://LOCALHOST:$by_name/base/", %ca },
	{ name => 'named', url => "https://localhost:$by_name", %ca },
	{ name => 'unnamed', url => "https://127.0.0.1:$by_name", %ca },
	{ name => 'foreign', url => "https://127.0.0.1:$tls",
	    caFile => "$dir/other.crt" },
	{ name => 'public', url => "https://localhost:$tls" },
	{ name => 'unchecked', url => "https://127.0.0.1:$tls",
	    skipTLSVerify => \1 },
	{ name => 'client', %x509, clientCertificateFile => "$dir/client.crt",
	    clientKeyFile => "$dir/client.key" },
	{ name => 'pem', %x509, clientCertificate => $pem[0],
	    clientKey => $pem[1] },
	{ name => 'either', %x509, url => "https://127.0.0.1:$either",
	    clientCertificate => $pem[0], clientKey => $pem[1] },
	{ name => 'unused', url => "https://127.0.0.1:$either", %ca,
	    clientCertificate => $pem[0], clientKey => $pem[1] },
	{ name => 'strange', %x509, clientKeyFile => "$dir/client.key",
	    clientCertificateFile => "$dir/a \$b.crt" },
	{ name => 'v6', url => 'https://[2001:db8::1]:6443', %ca },
	{ name => 'standard', url => 'https://192.0.2.7', %ca },
	{ name => 'plain', url => 'http://192.0.2.8/k8s' },
	{ name => 'nowhere', url => 'https://no.such.host.invalid', %ca },
	{ name => 'extra', of => 'one', impersonate => { user => '{user}',
	    extra => { 'a.b/c"d$e;f' => '{email}', plain => '{name}' } } },
	{ name => 'broken', url => 'ftp://one' },
	{ name => 'plugin', of => 'one', authProvider => 'exec',
	    exec => { command => '/bin/true' } },
	{ name => 'proxied', of => 'one', authProvider => 'localKubectlProxy' },
	(map { { name => $_, of => 'one' } } @odd),
	(map { { name => "odd$_->[0]", url => $_->[1] } } [1,
	    'https://ho st;'], [2, 'https://a;b'], [3, 'https://h$http_x'],
	    [4, "https://h\nevil on;"], [5, 'https://[::1%25x]'],
	    [6, 'https://127.0.0.1:1/a;b{c}$d']),
);
link "$dir/client.crt", "$dir/a \$b.crt";
my $config = write_file("$dir/clusters.yaml", encode_json(settings(
    fake => $fake, source => 'params', clusters => \@clusters, stagedoor =>
	{ identity => { source => 'params', guest => 'guest' } })));

sub pool_of { return pool(config => $config) }
my $pool = pool_of();
my $web = nginx(pool => $pool, lane => 1,
    server => 'set $stagedoor_direct all;');
my $folder = "$web->{dir}/stagedoor/clusters";
my %text = map { $_ => slurp("$folder/$_.conf") }
    qw(upstreams captures locations);
ok 1, 'nginx starts with all of them';

my @names = $text{upstreams} =~ /^upstream (\S+) \{$/mg;
is join(' ', grep { !/^stagedoor-[a-z0-9-]*-[0-9a-f]{20}$/ } @names), '',
    'upstreams have harmless names';
my %once = map { $_ => 1 } @names;
is scalar(keys %once), scalar @names, 'of their own';
my %out = map { $_ => 1 } $text{upstreams} =~ /^# (.*) is left out: /mg;
is join(' ', sort keys %out), 'broken nowhere odd1 odd2 odd3 odd4 odd5 '
    . 'strange', 'what cannot be written is left out, with a comment'
    or diag $text{upstreams};
my $words = join('', values %text) =~ s/^#.*$//mgr;
my ($evil) = $words =~ /(.*(?:\bevil\b|\breturn\b|\$http|\$b|\$f).*)/;
is $evil, undef, 'nothing of a name is a word of nginx\'s';
unlike join('', values %text), qr/alpha-token|PRIVATE/, 'no secret';
like $text{upstreams}, qr/server \[2001:db8::1\]:6443;/, 'IPv6';
like $text{upstreams}, qr/server 192\.0\.2\.7:443;/, 'https has a port';
like $text{upstreams}, qr/server 192\.0\.2\.8:80;/, 'http too';
like $text{locations}, qr/set \$stagedoor_host 192\.0\.2\.7;/,
    'which the name does not tell';

# --- Trust ------------------------------------------------------------------

sub status_of {
	my ($name) = @_;
	return get($web, "/clusters/$name/proxy/version")->{status};
}
my %trust = (one => 200, tls => 200, upper => 404, named => 200,
    unnamed => 502, foreign => 502, public => 502, unchecked => 200,
    client => 200, pem => 200, strange => 200, broken => 500);
for my $name (sort keys %trust) {
	$fake->reset;
	is status_of($name), $trust{$name}, $name;
	my ($seen) = @{$fake->requests};
	is defined $seen, $trust{$name} < 500,
	    'what is not trusted is sent nothing';
	is $seen->{tls_subject}, 'CN=ann,O=dev', 'with the certificate'
	    if $name =~ /^(?:client|pem|strange)$/;
	next if $name !~ /^(?:tls|client|pem)$/;
	is $seen->{headers}{authorization} // '-',
	    $name eq 'tls' ? 'Bearer alpha-token' : '-', 'as it should be';
	status_of($name);
	is $fake->requests->[-1]{tls_connection}, $seen->{tls_connection},
	    'on a connection that is kept';
}

# API servers look at a certificate before a token: where both came, whoever
# brings any token would be the certificate's user, and act as anybody.
sub seen_by {
	my ($name, %headers) = @_;
	$fake->reset;
	request($web, 'GET', "/clusters/$name/proxy/version",
	    headers => [map { [$_, $headers{$_}] } sort keys %headers]);
	return $fake->last_request('one');
}
my $seen = seen_by('either');
is $seen->{tls_subject}, 'CN=ann,O=dev', 'a certificate';
$seen = seen_by('either', 'Impersonate-User' => 'admin',
    'Backstage-Kubernetes-Authorization' => 'Bearer mine');
is $seen->{headers}{authorization}, 'Bearer mine', 'a token of the client';
is $seen->{tls_subject} // '', '', 'goes without it';
$seen = seen_by('unused');
is $seen->{headers}{authorization}, 'Bearer alpha-token', 'a token of ours';
is $seen->{tls_subject} // '', '', 'goes without it, too';

# --- Files ------------------------------------------------------------------

my @files = glob "$folder/*.pem";
my %mode = map { m{([a-z]+)-[0-9a-f]{16}\.pem$} ?
    ($1 => sprintf('%03o', (stat $_)[2] & 07777)) : ($_ => 'odd') } @files;
is_deeply \%mode, { ca => '644', key => '600', certificate => '600' },
    'keys are for root alone' or diag explain \%mode;
my %before = map { $_ => (stat $_)[1] } glob "$folder/*";
my @write = ('nginx', '-c', $config, '--write', $folder);
is stagedoor(@write)->{code}, 0, 'once more';
is_deeply { map { $_ => (stat $_)[1] } glob "$folder/*" }, \%before,
    'touches nothing that is the same';
my $printed = stagedoor('nginx', '-c', $config);
like $printed->{out}, qr/^# --- locations\.conf\n/m, 'or it is printed';
is stagedoor('nginx', '-c', $config, '--write', 'here')->{code}, 2,
    'a folder is absolute';
is stagedoor('nginx', '-c', $config, '--write', "$dir/no/such")->{code}, 1,
    'and there';
is stagedoor('nginx', '-c', "$dir/none.yaml")->{code}, 2, 'bad settings';

# --- stagedoor-nginx-update -------------------------------------------------

my $reloads = "$dir/reloads";
my $pid = "$web->{dir}/nginx.pid";
my $test = join ' ', program('nginx'), '-p', $web->{dir}, '-c',
    "$web->{dir}/nginx.conf", '-g', qq('pid $pid;');
sub update {
	my (%env) = @_;
	my $more = delete $env{more} // [];
	my $run = run_command(['sh', top() . '/etc/stagedoor-nginx-update',
	    '-c', $config, @$more], timeout => 30, env => {
		%{Stagedoor::Pool::clean_env()}, STAGEDOOR => stagedoor_bin(),
		STAGEDOOR_NGINX_FOLDER => $folder,
		NGINX => write_program('nginx-test', "exec $test \"\$@\""),
		STAGEDOOR_NGINX_RELOAD => write_program('nginx-reload',
		    "echo >>$reloads; kill -HUP `cat $pid`"), %env });
	return $run;
}
sub write_program {
	my ($name, $text) = @_;
	write_file("$dir/$name", "#!/bin/sh\n$text\n");
	chmod 0755, "$dir/$name";
	return "$dir/$name";
}
sub count { return -e $reloads ? () = slurp($reloads) =~ /\n/g : 0 }
sub change {
	my ($change) = @_;
	$change->();
	write_file($config, encode_json(settings(fake => $fake,
	    source => 'params', clusters => \@clusters, stagedoor => { identity
		=> { source => 'params', guest => 'guest' } })));
}

is update()->{code}, 0, 'nothing has changed';
is count(), 0, 'so nginx is left alone';
change(sub { push @clusters, { name => 'later', of => 'one' } });
my $run = update();
is $run->{code}, 0, 'a new cluster' or diag $run->{err};
is count(), 1, 'and nginx is reloaded';
$pool->reload;
wait_for(sub { status_of('later') == 200
    && $pool->log_text =~ /later\/proxy.*"status":204/ }, 5,
    'the lane to the new cluster');
ok 1, 'which knows it now';
is update()->{code}, 0, 'again';
is count(), 1, 'only once';

my %good = map { $_ => slurp($_) } glob "$folder/*.conf";
change(sub { push @clusters, { name => 'last', of => 'one' } });
$run = update(NGINX => write_program('nginx-no', 'exit 1'));
is $run->{code}, 1, 'nginx refuses the files';
is count(), 1, 'and is not reloaded';
is_deeply { map { $_ => slurp($_) } glob "$folder/*.conf" }, \%good,
    'the old ones are there again';
$run = update(STAGEDOOR_NGINX_RELOAD => 'false');
is $run->{code}, 1, 'nginx cannot be reloaded';
is update()->{code}, 0, 'later it can';
is count(), 2, 'and is';

# A certificate that is another one in the same file.
make_cert($dir, 'client', 'ca', subject => '/O=dev/CN=ann', client => 1);
is update()->{code}, 0, 'a new certificate';
is count(), 3, 'is read by nginx';

# A key that is not used any more does not stay.
change(sub { @clusters = grep { $_->{name} !~ /^(?:pem|either)$/ }
    @clusters });
is update()->{code}, 0, 'a cluster less';
is join(' ', grep { /(?:key|certificate)-/ } glob "$folder/*.pem"), '',
    'its key is gone';

# The same cluster in two locators, which Backstage lets pass.
my $twice = settings(fake => $fake, clusters => ['one']);
push @{$twice->{kubernetes}{clusterLocatorMethods}},
    $twice->{kubernetes}{clusterLocatorMethods}[0], ({ type =>
	'localKubectlProxy' }) x 2;
$twice = stagedoor('nginx', '-c', write_file("$dir/twice.yaml",
    encode_json($twice)));
is join(' ', $twice->{out} =~ /^upstream stagedoor-(\w+)/mg), 'one local',
    'a cluster that is there twice is written once, or nginx refuses it';

# While a list of clusters cannot be had, the pool knows the last; so does
# nginx. One that is there again says what is gone.
change(sub { });
my $catalog = fake(clusters => [], backstage => 1);
my @listed = map { { kind => 'Resource', metadata => { name => $_,
	namespace => 'default', annotations => {
	    'kubernetes.io/api-server' => "https://localhost:$by_name",
	    'kubernetes.io/api-server-certificate-authority' =>
		encode_base64(slurp("$dir/ca.crt"), ''),
	    'kubernetes.io/auth-provider' => 'google' } },
    spec => { type => 'kubernetes-cluster' } } } qw(listed early);
my $also = write_file("$dir/catalog.yaml", encode_json(settings(
    fake => $catalog, clusters => [])));
write_file($also, encode_json({ %{decode_json(slurp($also))},
    kubernetes => { serviceLocatorMethod => { type => 'multiTenant' },
	clusterLocatorMethods => [@{decode_json(slurp($config))->{kubernetes}
	    {clusterLocatorMethods}}, { type => 'catalog',
	    dangerouslyAllowClusterUrls => ['localhost'] }] } }));
sub known {
	$catalog->backstage_says(clusters => $_[0]);
	my $update = update(more => ['-c', $also]);
	is $update->{code}, 0, 'the files are written' or diag $update->{err};
	my @known = map { slurp("$folder/$_.conf") =~ /^# (\S+)\n(?:up|loc)/mg }
	    qw(upstreams locations);
	return join ' ', grep { /^(?:listed|early|one)$/ } @known;
}
is known(\@listed), 'one listed early one listed early',
    'clusters of the catalog';
is known(503), 'one listed early one listed early',
    'are kept while it is away';
is known([$listed[0]]), 'one listed one listed', 'and not for longer';
log_has_no('no log has a secret', 'alpha-token', 'PRIVATE KEY');

done_testing;
