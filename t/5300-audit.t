#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The audit log tells of each request who reached which cluster with what, and
# how it went: in one line that nobody can forge and no secret is in, to a
# file, to standard error, to syslog, whatever becomes of these.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Fcntl qw(F_SETPIPE_SZ);
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

my %secret = (cluster => 'alpha-token', verbatim => 'verbatim-token-0001',
    aks => 'aks-token', oidc => 'oidc-token', query => 'in-the-query-0002',
    cookie => 'session-cookie-0003', bearer => 'bearer-token-0004',
    entity => 'in-the-body-0005');
my $fake = fake(clusters => [{ name => 'good', tokens => [
    $secret{verbatim}] }, { name => 's403', behaviour => 's403' },
    { name => 'part', behaviour => 'except:services=403' },
    { name => 'rst', behaviour => 'rst' },
    { name => 'anon', behaviour => 'anon' }], backstage => 1);
my $dir = tempdir();
my $file = "$dir/audit.jsonl";
my @clusters = ('good', 's403', 'part', 'rst',
	{ name => 'acting', of => 'good', impersonate => {
	    user => '{user}', userPrefix => 'portal:' } },
	{ name => 'aks', of => 'good', authProvider => 'aks' },
	{ name => 'oidc', of => 'good', authProvider => 'oidc',
	    oidcTokenProvider => 'okta' },
	{ name => 'local', of => 'anon', authProvider =>
	    'localKubectlProxy' },
	{ name => 'lost', of => 'good', authProvider => 'x509',
	    clientCertificateFile => "$dir/none", clientKeyFile =>
	    "$dir/none" },
	{ name => 'bobs', of => 'good', allow => ['user:default/bob'] },
	{ name => 'reading', of => 'good', readOnly => \1 });

sub settings_to {
	my ($to, %more) = @_;
	return settings(fake => $fake, source => 'params',
	    clusters => \@clusters, kubernetes => { objectTypes =>
	    [qw(pods services)] }, stagedoor => { audit => $to,
	    limits => { connect => 1, cluster => 3 }, socketMode => '0666',
	    identity => { guest => 'guest' }, %more });
}
my $pool = pool(settings => settings_to("file:$file"));

my $seen = 0;

# The events since the last look, without what is different each time.
sub events {
	my ($n) = @_;
	my @lines;
	wait_for(sub { @lines = split /^/, -e $file ? slurp($file) : '';
	    @lines >= $seen + $n }, 5, "$n events");
	my @new = @lines[$seen .. $#lines];
	$seen = @lines;
	return map { plain($_) } @new;
}

my @ids;

sub plain {
	my ($line) = @_;
	like $line, qr/^\{"time":"[\d-]{10}T[\d:.]+Z","event":"[^\n]+\}\n\z/,
	    'a whole line';
	my $event = decode_json($line);
	delete $event->{time};
	push @ids, delete $event->{id};
	my $ms = delete $event->{ms};
	like $ms, qr/^\d+\z/, 'with how long it took' if $event->{path};
	return $event;
}

sub event {
	my (%more) = @_;
	my %event = (event => 'request', kind => 'user',
	    user => 'user:default/ann', method => 'GET', status => 200,
	    result => 'ok', path => BASE . '/clusters', %more);
	return { map { $_ => $event{$_} } grep { defined $event{$_} }
	    keys %event };
}

sub told {
	my ($what, @expected) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @got = events(scalar @expected);
	is_deeply \@got, \@expected, $what or diag explain \@got;
}

# --- One request, one cluster -----------------------------------------------

my @ann = (as => 'ann');
get($pool, '/clusters', @ann);
told('who asked for what', event());
get($pool, '/clusters');
told('a guest', event(kind => 'guest', user => 'user:default/guest'));
get($pool, '/nothing?x=1', @ann);
told('what is not there', event(status => 404, result => 'failed',
    path => BASE . '/nothing'));
post($pool, '/clusters/x/proxy/y', @ann, headers => { Cookie =>
    "session=$secret{cookie}" });
told('a page of elsewhere', event(method => 'POST', status => 403,
    result => 'denied', path => BASE . '/clusters/x/proxy/y'));
get($pool, '/clusters', params => [STAGEDOOR_USER => "a\nb"]);
told('somebody who is not known', event(kind => 'nobody', user => undef,
    status => 400, result => 'failed'));

sub through {
	my ($cluster, %opt) = @_;
	my $method = delete $opt{method} // 'GET';
	my $path = "/clusters/$cluster/proxy" . (delete $opt{path} //
	    '/version');
	request($pool, $method, "$path?token=$secret{query}", @ann, %opt);
	return (method => $method, path => BASE . $path);
}
my @server = (credential => 'token', source => 'server', provider =>
    'serviceAccount');
my @same = ('Sec-Fetch-Site' => 'same-origin');

my @at = through('good');
told('the server\'s own token', event(@at, @server, cluster => 'good'));
@at = through('acting');
told('whom it acts for', event(@at, @server, cluster => 'acting',
    as => 'portal:user:default/ann'));
@at = through('s403');
told('what the cluster refuses', event(@at, @server, cluster => 's403',
    status => 403, result => 'denied'));
@at = through('rst');
told('a cluster that does not answer', event(@at, @server, cluster => 'rst',
    status => 500, result => 'no answer'));
@at = through('lost');
told('a credential that cannot be had', event(@at, cluster => 'lost',
    status => 500, result => 'no credential'));
@at = through('local');
told('none of ours', event(@at, cluster => 'local', credential => 'none',
    provider => 'localKubectlProxy'));
@at = through('bobs');
told('a cluster that is not for ann is not there', event(@at,
    status => 404, result => 'failed'));
@at = through('reading', method => 'DELETE', headers => { @same });
told('what is read-only', event(@at, cluster => 'reading', status => 403,
    result => 'denied'));
@at = through('good', method => 'DELETE', path => '/echo/x', headers => {
    @same });
told('each method', event(@at, @server, cluster => 'good'));
@at = through('good', headers => { 'Backstage-Kubernetes-Authorization' =>
    "Bearer $secret{verbatim}", 'Impersonate-User' => 'eve' });
told('what a client brings as a whole', event(@at, cluster => 'good',
    credential => 'authorization', source => 'client', provider =>
    'serviceAccount', as => 'eve'));
@at = through('oidc', headers => {
    'Backstage-Kubernetes-Authorization-Oidc-Okta' => $secret{oidc} });
told('what a page brings', event(@at, cluster => 'oidc', credential =>
    'token', source => 'client', provider => 'oidc'));
@at = through('oidc');
told('and does not bring', event(@at, cluster => 'oidc', status => 401,
    result => 'sign-in needed'));
get($pool, '/proxy/version', @ann, headers => {
    'Backstage-Kubernetes-Cluster' => 'good' });
told('by the header too', event(@server, cluster => 'good', path => BASE .
    '/proxy/version'));

# --- A query: an event for each cluster -------------------------------------

post($pool, '/resources/workloads/query', @ann, headers => { @same,
    Authorization => "Bearer $secret{bearer}" }, json => { entityRef =>
    'component:default/shop', auth => { aks => $secret{aks}, x =>
    $secret{entity} } });
my @query = (method => 'POST', path => BASE . '/resources/workloads/query');
@ids = ();
told('a query, cluster by cluster',
    event(@query, @server, cluster => 'good'),
    event(@query, @server, cluster => 's403', status => 403,
	result => 'denied'),
    event(@query, @server, cluster => 'part', status => 403,
	result => 'in part'),
    event(@query, @server, cluster => 'rst', result => 'no answer',
	status => undef),
    event(@query, @server, cluster => 'acting',
	as => 'portal:user:default/ann'),
    event(@query, cluster => 'aks', credential => 'token',
	source => 'client', provider => 'aks'),
    event(@query, cluster => 'oidc', status => 401,
	result => 'sign-in needed'),
    event(@query, cluster => 'local', credential => 'none',
	provider => 'localKubectlProxy'),
    event(@query, cluster => 'lost', result => 'no credential',
	status => undef),
    event(@query, @server, cluster => 'reading'));
is scalar(grep { $_ ne $ids[0] } @ids), 0, 'of one request';
like $ids[0], qr/^[0-9a-f]{32}\z/, 'that has an id';
like $pool->log_text, qr/\Q$ids[0]\E POST/, 'by which the log tells more';
post($pool, '/resources/workloads/query', @ann, headers => { @same },
    json => { entityRef => 'nonsense' });
told('a query that reaches none', event(@query, status => 400,
    result => 'failed'));

# --- Nobody writes a line but us --------------------------------------------

my $forged = qq(\n{"time":"x","event":"request","user":"user:default/eve"}\n);
(my $escaped = $forged) =~ s/\n/%0A/g;
my @tries = map { [$_] } "/clusters/$escaped", "/clusters/\x1b[2J\r\n\r\n",
    "/clusters/\xe2\x80\xae\xc2\x9b\x7f\xff", '/' . 'a' x 9000,
    '/clusters/%00', '/"},{"event":"x', "/\xf0\x9f\x98";
push @tries, map { ['/clusters', @$_] } (
	[params => [STAGEDOOR_USER => $forged]],
	[as => "ann$forged"], [as => 'a"b\\c'], [as => 'u' x 5000],
	[headers => { 'Backstage-Kubernetes-Cluster' => $forged }],
	[params => [REQUEST_METHOD => "GET$forged"]]);
push @tries, ['/clusters/good/proxy/version', @ann, headers => {
    'Backstage-Kubernetes-Authorization' => "Bearer $secret{verbatim}",
    'Impersonate-User' => "eve$forged" }],
    ['/proxy/version', @ann, headers => {
	'Backstage-Kubernetes-Cluster' => "good$forged" }];
for my $try (@tries) {
	my ($path, @opt) = @$try;
	get($pool, $path, @opt);
	my @got = events(1);
	is scalar @got, 1, 'one request, one event';
	is $got[0]{event}, 'request', 'which is its own';
	isnt $got[0]{user} // '', 'user:default/eve', 'and nobody else\'s';
}
my $text = slurp($file);
is scalar(grep { length > 4096 } split /^/, $text), 0,
    'no line is too long for one write';
unlike $text, qr/[^\n\x20-\x7e\x80-\xff]|\xc2[\x80-\x9f]|\xe2\x80\xae/,
    'none holds what a terminal obeys';

# --- And no secret ----------------------------------------------------------

for my $name (sort keys %secret) {
	is index(slurp($file), $secret{$name}), -1, "not the $name";
}
is scalar(() = slurp($file) =~ /\?/g), 0, 'nor any query';
log_has_no("nor does the program's log, of the $_", $secret{$_})
    for sort keys %secret;

# --- The file ---------------------------------------------------------------

is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'is its owner\'s';
rename $file, "$file.1" or die "$file: $!";
$pool->reload;
wait_for(sub { -e $file }, 5, 'another file');
$seen = 0;
get($pool, '/clusters', @ann);
told('after a signal it goes on in another file', event());
is scalar(() = slurp("$file.1") =~ /^/gm), $text =~ tr/\n//,
    'and not in the old one';
$pool->reload({ kubernetes => 'nonsense' });
rename $file, "$file.2" or die "$file: $!";
$pool->reload;
wait_for(sub { -e $file }, 5, 'another file');
$seen = 0;
get($pool, '/clusters', @ann);
told('also where settings are wrong meanwhile', event());
rename $file, "$file.3" or die "$file: $!";
wait_for(sub { get($pool, '/clusters', @ann); -e $file }, 5, 'another file');
pass 'and, soon after, without a signal';

$pool->reload(settings_to("file:$dir/no-folder/audit"));
wait_for(sub { $pool->log_text =~ /: stagedoor\.audit: cannot open/ }, 5,
    'the complaint');
$seen = slurp($file) =~ tr/\n//;
get($pool, '/clusters', @ann);
told('settings that name no file change nothing', event());
like $pool->log_text, qr/settings are not used: the old ones stay/,
    'as is said';
$pool->reload(settings_to('off'));
wait_for(sub { my $n = () = $pool->log_text =~ /settings are read again/g;
    $n >= 2 }, 5, 'the settings');
get($pool, '/clusters', @ann);
$seen = slurp($file) =~ tr/\n//;
$pool->reload(settings_to("file:$file"));
wait_for(sub { my $n = () = $pool->log_text =~ /settings are read again/g;
    $n >= 3 }, 5, 'the settings');
get($pool, '/clusters', @ann);
told('"off" is off', event());
is $pool->stop, 0, 'the pool ends in order';

# Eight processes and many threads, into one file.
my @pools = map { pool(settings => settings_to("file:$file"), threads => 8) }
    1 .. 3;
my @children = map {
	my $p = $_;
	map { my $pid = fork() // die "fork: $!";
	    if (!$pid) { get($p, '/clusters/' . 'x' x 300, @ann) for 1 .. 60;
		POSIX::_exit(0) } $pid } 1 .. 2;
} @pools;
waitpid $_, 0 for @children;
$_->stop for @pools;
my @lines = split /^/, slurp($file);
is scalar(grep { !/^\{"time":.*"event":"request".*\}\n\z/ } @lines), 0,
    'lines of processes do not mix';
is scalar(grep { m{/x{300}"} } @lines), 360, 'and none is lost';

# --- A wrong target ---------------------------------------------------------

for (["file:$dir/nowhere/audit.log", qr/there is no folder '\Q$dir\E\/no/],
    ["file:$dir", qr/'\Q$dir\E' is no regular file/],
    ['file:relative', qr/not "stderr"/], ['nonsense', qr/not "stderr"/]) {
	my ($to, $why) = @$_;
	my $config = write_file("$dir/wrong.yaml",
	    encode_json(settings_to($to)));
	my $run = stagedoor('check', '-c', $config);
	is $run->{code}, 2, "check refuses $to";
	like $run->{err}, qr/wrong\.yaml:1: stagedoor\.audit: .*$why/,
	    'and says why';
	$run = stagedoor('serve', '-c', $config, '--listen',
	    "unix:$dir/wrong.sock");
	is $run->{code}, 2, 'and serve does not start';
	like $run->{err}, qr/stagedoor\.audit: /, 'and says so';
}
my $quiet = "$dir/untouched";
stagedoor('check', '-c', write_file("$dir/right.yaml", encode_json(
    settings_to("file:$quiet"))));
ok !-e $quiet, 'check makes no file';

# --- Plain CGI --------------------------------------------------------------

my %cgi = (GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'GET',
    REQUEST_URI => BASE . '/clusters?x', STAGEDOOR_USER => 'ann',
    SERVER_PROTOCOL => 'HTTP/1.1');
unlink $file;
$seen = 0;
my $ran = Stagedoor::Pool->run([], env => { %cgi, STAGEDOOR_CONFIG =>
    write_file("$dir/cgi.yaml", encode_json(settings_to("file:$file"))) });
is $ran->{code}, 0, 'plain CGI answers';
told('and is told of', event());

# --- Standard error that nobody reads ---------------------------------------

my $loud = Stagedoor::Process->start(name => 'stuck', ours => 1, grace => 40,
    env => Stagedoor::Pool::clean_env(), command => ['perl', '-e', <<'END',
	pipe my $r, my $w or die; fcntl $w, 1031, 4096 or die "$!";
	open STDERR, '>&', $w; $^F = 1000; my $pid = $$;
	if (!fork) { close $w; sleep 1 while getppid == $pid; exit }
	exec @ARGV;
END
	stagedoor_bin(), 'serve', '-c', write_file("$dir/stuck.yaml",
	    encode_json(settings_to('stderr'))), '--listen',
	    "unix:$dir/stuck.sock", '--threads', 8]);
my $stuck = Stagedoor::FastCGI->new(path => "$dir/stuck.sock");
wait_for(sub { -S "$dir/stuck.sock" }, 10, 'a pool that nobody reads');
my $began = time;
my $good = grep { (get($stuck, '/clusters', @ann)->{status} // 0) == 200 }
    1 .. 100;
is $good, 100, 'a pool whose log nobody reads answers';
cmp_ok time - $began, '<', 8, 'and goes on to do so';
is $loud->stop, 0, 'and ends in order';

# --- syslog -----------------------------------------------------------------

SKIP: {
	my $unshare = have_program('unshare');
	if (!$unshare || system("$unshare -rm true 2>/dev/null") != 0) {
		skip_one('no mount namespaces of one\'s own');
		last SKIP;
	}
	mkdir "$dir/dev" or die "$dir/dev: $!";
	write_file("$dir/dev/$_", '') for qw(null urandom);
	my $log = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local =>
	    "$dir/dev/log") or die "$dir/dev/log: $!";
	chmod 0666, "$dir/dev/log";
	$ran = Stagedoor::Pool->run([], env => { %cgi, STAGEDOOR_CONFIG =>
	    write_file("$dir/cgi.yaml", encode_json(settings_to('syslog'))) },
	    before => [$unshare, '-rm', 'sh', '-c', "for d in null urandom; do "
	    . "mount --bind /dev/\$d $dir/dev/\$d; done && "
	    . "mount --rbind $dir/dev /dev && exec \"\$@\"", 'sh']);
	is $ran->{code}, 0, 'syslog can be written to';
	$log->blocking(0);
	$log->recv(my $got, 8192);
	like $got, qr/^<86>\w{3} [ \d]\d [\d:]{8} stagedoor\[\d+\]: \{"time"/,
	    'a line for authpriv';
	$got =~ s/^.*?: //;
	is_deeply plain("$got\n"), event(), 'which is the event';
}
$ran = stagedoor('check', '-c', "$dir/cgi.yaml");
if (!-e '/dev/log') {
	is $ran->{code}, 2, 'check knows of a machine without syslog';
	like $ran->{err}, qr/stagedoor\.audit: no syslog listens/, 'and says';
}

# --- What the documentation says --------------------------------------------

my ($table) = slurp(top() . '/README.md') =~
    /^## The audit log\n(.*?)^## /ms;
my @documented = ($table // '') =~ /`([a-z]+)`/g;
my %documented = map { $_ => 1 } @documented;
my %written = (map({ $_ => 1 } qw(time status ms)),
    map { $_ => 1 } slurp(top() . '/fcgi/audit.c') =~ /\bTEXT\((\w+), \d/g);
is join(' ', grep { !$documented{$_} } sort keys %written), '',
    'the README names every field';
my @fields = map { /`(\w+)`/g } ($table // '') =~ /^\| (`[^|]*) \|/mg;
is join(' ', grep { !$written{$_} } @fields), '', 'and no other';
done_testing;
