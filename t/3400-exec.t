#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Credential plug-ins as scripts: what they get, what they give, and that a
# slow or broken one costs its own cluster only. What comes of each thing that
# one can do wrong is in 3730-faults-exec.t.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(time);

my $fake = fake(backstage => 1, clusters => [
    { name => 'one', tokens => [map { "tok-$_" }
	qw(1 2 behind a b next kube)] },
    { name => 'tls', behaviour => 'anon' },
    { name => 'tls2', tokens => ['tok-both'] }]);
my $dir = tempdir();
my $V1 = 'client.authentication.k8s.io/v1';

# DIR/NAME: a script that says when it ran. Rotated as files are rotated.
sub plugin {
	my ($name, $body) = @_;
	write_file("$dir/$name.new", "#!/bin/sh\necho run >>$dir/$name.runs\n"
	    . $body);
	chmod 0755, "$dir/$name.new" or die "$name: $!";
	rename "$dir/$name.new", "$dir/$name" or die "$name: $!";
	return "$dir/$name";
}

sub credential {
	my ($status, $version) = @_;
	return qq({"kind": "ExecCredential", "apiVersion": ")
	    . ($version // $V1) . qq(", "status": $status});
}

sub prints {
	my ($status, $version) = @_;
	return "cat <<'END'\n" . credential($status, $version) . "\nEND\n";
}

sub runs {
	my ($name) = @_;
	return -e "$dir/$name.runs"
	    ? scalar(() = slurp("$dir/$name.runs") =~ /run/g) : 0;
}

sub entry {
	my ($name, %more) = @_;
	my $exec = delete $more{exec} // {};
	return { name => $name, url => $fake->url('one'),
		authProvider => 'exec', skipMetricsLookup => \1,
		exec => { command => "$dir/$name", %$exec }, %more };
}

Stagedoor::TLS::make_ca($dir, 'ca');
Stagedoor::TLS::make_cert($dir, 'server', 'ca');
Stagedoor::TLS::make_cert($dir, $_, 'ca', client => 1, subject => "/CN=$_")
    for qw(alice bob);
my %url = map { $_ => 'https://127.0.0.1:' . free_port() } qw(tls tls2);
Stagedoor::TLS::tls_front(listen => $url{$_} =~ s/.*://r,
    to => $fake->port($_), cert => "$dir/server.crt",
    key => "$dir/server.key", http2 => 1, client_ca => "$dir/ca.crt",
    require_client => 1) for qw(tls tls2);

sub pair {
	my ($who, $more) = @_;
	my %status = (clientCertificateData => slurp("$dir/$who.crt"),
	    clientKeyData => slurp("$dir/$who.key"), %{$more // {}});
	return prints(encode_json(\%status));
}

plugin('good', "env >$dir/good.env; printf '%s\\n' \"\$@\" "
    . ">$dir/good.args\npwd >>$dir/good.args\n" . prints('{"token": "tok-1"}'));
plugin('told', "printf '%s' \"\$KUBERNETES_EXEC_INFO\" >$dir/told.info\n"
    . prints('{"token": "tok-2"}', "${V1}beta1"));
plugin('cert', pair('alice'));
plugin('both', pair('bob', { token => 'tok-both' }));
plugin('slow', "sleep 30\n");
plugin('crash', "echo 'no luck: token=abcdef0123456789 '"
    . "'https://me:hush\@host/' >&2\nexit 7\n");
plugin('garbage', "echo garbage-hush\n");
plugin('behind', "sleep 300 &\necho \$! >$dir/behind.pid\n"
    . prints('{"token": "tok-behind"}'));
plugin('plain', pair('alice'));

my @bad = qw(slow crash garbage plain missing);
my $settings = settings(fake => $fake,
    kubernetes => { objectTypes => ['pods'] },
    clusters => [
	entry('good', exec => { args => ['get-token', 'two words', ''],
	    env => { MINE => 'a b', LANG => 'C' } }),
	entry('told', exec => { provideClusterInfo => \1,
	    apiVersion => "${V1}beta1" }),
	entry('cert', url => $url{tls},
	    caFile => "$dir/ca.crt"),
	entry('both', url => $url{tls2},
	    caFile => "$dir/ca.crt", exec => { command => './both' }),
	entry('behind'),
	entry('slow', exec => { timeout => 1.5 }),
	(map { entry($_) } grep { $_ ne 'slow' } @bad),
	# With the plug-ins of others.
	entry('same', url => $url{tls}, caFile => "$dir/ca.crt",
	    exec => { command => "$dir/plain" }),
	entry('crash2', exec => { command => "$dir/crash" }),
	entry('none', exec => { command => '' }),
    ]);
delete $settings->{kubernetes}{clusterLocatorMethods}[0]{clusters}[-1]{exec};
my $pool = pool(settings => $settings, env => { AWS_PROFILE => 'prod',
    UNRELATED_SECRET => 'not-for-plugins' });

sub query {
	my ($target) = @_;
	my $answer = post($target // $pool, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	return { map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}} };
}

sub message { return $_[0]{errors}[0]{message} // 'no error' }

# --- What they get and give -------------------------------------------------

sub proxied {
	my ($name, $behind, $target) = @_;
	$fake->reset;
	my $answer = get($target // $pool, "/clusters/$name/proxy/version");
	my $seen = $fake->last_request($behind // 'one');
	return "$answer->{status} " . join ' ', map { $_ // '-' }
	    $seen ? ($seen->{headers}{authorization}, $seen->{tls_subject})
	    : ('none');
}

is proxied('good'), '200 Bearer tok-1 -', 'a token goes along';
is proxied('good'), '200 Bearer tok-1 -', 'and again';
is runs('good'), 1, 'which is one run: without an end it is kept';
is slurp("$dir/good.args"), "get-token\ntwo words\n\n/\n",
    'arguments as they are, without a shell, and no folder of ours';
my %env = map { /^(\w+)=(.*)/ ? ($1 => $2) : () }
    split /\n/, slurp("$dir/good.env");
is $env{MINE}, 'a b', 'the environment has what the settings add';
is $env{LANG}, 'C', 'or replace';
is $env{PATH}, $ENV{PATH}, 'and what programs need';
is $env{AWS_PROFILE}, 'prod', 'and what the clouds read';
ok !exists $env{UNRELATED_SECRET}, 'and nothing else';
is_deeply decode_json($env{KUBERNETES_EXEC_INFO}), {
	kind => 'ExecCredential', apiVersion => $V1,
	spec => { interactive => JSON::PP::false() } },
    'it is told what it is asked for';

is proxied('told'), '200 Bearer tok-2 -', 'v1beta1';
is_deeply decode_json(slurp("$dir/told.info"))->{spec}{cluster},
    { server => $fake->url('one'), config => undef },
    'it is told about the cluster if the settings say so';

is proxied('cert', 'tls'), '200 - CN=alice', 'a client certificate';
is proxied('both', 'tls2'), '200 Bearer tok-both CN=bob',
    'a certificate and a token, of a command beside the settings';
is proxied('cert', 'tls'), '200 - CN=alice', 'never mixed up';

is proxied('behind'), '200 Bearer tok-behind -',
    'who stays behind is not waited for';
my $left = slurp("$dir/behind.pid") + 0;
wait_for(sub {
	return 1 if !-e "/proc/$left/stat";
	return slurp("/proc/$left/stat") =~ /\) Z /;
}, 5, 'its end');
pass 'and killed';

# --- What goes wrong --------------------------------------------------------

my $start = time;
my $rows = query();
my %want = (
	slow => qr{'$dir/slow' did not end within 1\.5 seconds},
	crash => qr{exit code 7: no luck: token=\*\*\* https://\*\*\*\@},
	garbage => qr/its answer is no JSON or YAML of one object/,
	plain => qr/client certificate, which needs an https url/,
	missing => qr{cannot run '$dir/missing': it, or what its first},
	none => qr/needs exec\.command/,
);
for my $name (sort keys %want) {
	like message($rows->{$name}), $want{$name}, "$name: its row says it";
	like message($rows->{$name}), qr/cluster '$name'/, 'and names it';
}
is scalar @{$rows->{$_}{errors}}, 0, "$_ is well meanwhile"
    or diag message($rows->{$_}) for qw(good told cert both behind same);
like message($rows->{crash2}), qr/cluster 'crash2'.* exit code 7/,
    'a cluster with the same plug-in says it of itself';
unlike message($rows->{crash2}), qr/cluster 'crash'/, 'and not of another';
cmp_ok time - $start, '<', 8, 'and nobody waited for more than the slowest';

my %runs = map { $_ => runs($_) } @bad;
query() for 1 .. 3;
cmp_ok runs($_), '<=', $runs{$_} + 1, "$_ is not hammered"
    for qw(crash garbage);
is runs('good'), 1, 'the good one is not run again for all this';

# --- Rotation ---------------------------------------------------------------

sub stamp {
	my ($seconds) = @_;
	my @t = gmtime(time + $seconds);
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900,
	    $t[4] + 1, @t[3, 2, 1, 0];
}

plugin('crash', prints(encode_json({ token => 'tok-a',
    expirationTimestamp => stamp(5) })));
wait_for(sub { proxied('crash') =~ /tok-a/ }, 30, 'the plug-in to be well');
pass 'a plug-in that is well again is used, after the back-off';
plugin('crash', prints(encode_json({ token => 'tok-b',
    expirationTimestamp => stamp(3600) })));
wait_for(sub { proxied('crash') =~ /tok-b/ }, 20, 'the next token');
is proxied('crash'), '200 Bearer tok-b -',
    'what has an end is fetched anew before it';

# The cluster no longer takes what has no end.
my $before = runs('told');
plugin('told', prints('{"token": "tok-next"}', "${V1}beta1"));
is proxied('told'), '200 Bearer tok-2 -', 'what has no end is kept';
$fake->behave('one', 's401');
get($pool, '/clusters/told/proxy/version');
$fake->behave('one', 'good');
wait_for(sub { proxied('told') =~ /tok-next/ }, 10, 'the next token');
is runs('told'), $before + 1, 'until a 401: one more run';

# --- A kubeconfig -----------------------------------------------------------

mkdir "$dir/k" or die "k: $!";
plugin('k/kubeplugin', prints('{"token": "tok-kube"}'));
write_file("$dir/k/config", <<"END");
clusters:
- name: here
  cluster:
    server: "@{[$fake->url('one')]}"
    extensions:
    - {name: $V1, extension: {no: 1}}
    - {name: client.authentication.k8s.io/exec, extension: {audience: x}}
users:
- name: plugin
  user:
    exec:
      apiVersion: $V1
      command: ./kubeplugin
      provideClusterInfo: true
      env: [{name: MINE, value: '1'}]
- name: asks
  user: {exec: {apiVersion: $V1, command: x, interactiveMode: Always}}
- name: alpha
  user: {exec: {apiVersion: ${V1}alpha1, command: x}}
contexts:
@{[join '', map { "- {name: $_, context: {cluster: here, user: $_}}\n" }
    qw(plugin asks alpha)]}
END
plugin('k/kubeplugin', "printf '%s' \"\$KUBERNETES_EXEC_INFO\" >$dir/k/info\n"
    . prints('{"token": "tok-kube"}'));
my $kube = pool(settings => settings(fake => $fake, kubernetes => {
    objectTypes => ['pods'], clusterLocatorMethods => [
    { type => 'kubeconfig', path => "$dir/k/config" }] }));
is proxied('plugin', 'one', $kube), '200 Bearer tok-kube -',
    'a plug-in beside its kubeconfig';
is_deeply decode_json(slurp("$dir/k/info"))->{spec}{cluster}{config},
    { audience => 'x' }, 'is told what the cluster has for it';
$rows = query($kube);
like message($rows->{asks}), qr/interactiveMode Always/,
    'one that would ask somebody is refused';
like message($rows->{alpha}), qr/v1alpha1' are not supported/,
    'and one of another version';

# Some supervisors ignore the ends of children, and so do we from them.
write_file("$dir/ignoring", "#!$^X\n\$SIG{CHLD} = 'IGNORE'; exec \@ARGV;\n");
chmod 0755, "$dir/ignoring" or die "ignoring: $!";
my $ignoring = do {
	local $ENV{STAGEDOOR_WRAPPER} = "$dir/ignoring";
	pool(settings => settings(fake => $fake, clusters => [
	    entry('behind')]));
};
is proxied('behind', 'one', $ignoring), '200 Bearer tok-behind -',
    'a plug-in ends well also where SIGCHLD is ignored at the start';

log_has_no('no secret is in a log', 'abcdef0123456789', 'hush', 'tok-1',
    (split /\n/, slurp("$dir/alice.key"))[1]);
done_testing;
