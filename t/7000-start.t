#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# ./start on a machine without a kubeconfig and on one with: what it prints
# works as it stands, twice, and --stop leaves nothing behind.
use Stagedoor::Test;
use Stagedoor::HTTP;
use Stagedoor::Surfer;

program($_) for qw(nginx curl openssl bash);

my $home = tempdir() . '/home';
mkdir $home or die "$home: $!";
my $state = "$home/.local/state/stagedoor-start";
my %env = (HOME => $home, XDG_STATE_HOME => undef, KUBECONFIG => undef,
    STAGEDOOR_CONFIG => undef, STAGEDOOR_CACHE => undef,
    XDG_CACHE_HOME => undef);

sub start {
	return run_command(['bash', top() . '/start', @_], env => \%env,
	    timeout => 90);
}
END { start('--stop') if defined $home && -d "$state" }

sub begin { return start('--program', stagedoor_bin(), @_) }

# The commands that it tells the user to try.
sub lines { return ($_[0]{out} =~ /^ +(curl .*)$/mg)[0 .. 2] }

# Does what it says, as the user would; gives the answers' JSON.
sub try {
	my ($what, @lines) = @_;
	return map {
		my $ran = run_command(['sh', '-c', "$_ -w '\\n%{http_code}'"],
		    env => \%env);
		my ($json, $status) = $ran->{out} =~ /\A(.*)\n(\d+)\z/s;
		is $status, 200, "$what: $_";
		eval { decode_json($json) } // {};
	} @lines;
}

sub pids {
	return map { my $f = "$state/$_.pid"; -e $f ? 0 + slurp($f) : () }
	    qw(nginx pool issuer);
}

is start('--status')->{code}, 1, 'at first it does not run';

# --- The sample cluster -----------------------------------------------------

my $first = begin();
is $first->{code}, 0, 'it starts without a kubeconfig'
    or diag $first->{out}, $first->{err};
like $first->{out}, qr/^==> .*sample cluster/m, 'and says what it does';
like $first->{out}, qr/^==> no issuer to sign in at: \S/m,
    'and that there is no issuer here, and why';
my ($url) = $first->{out} =~ m{(http://127\.0\.0\.1:\d+/\S*)};
ok $url, 'it prints a URL';
my $page = run_command(['curl', '-s', $url], env => \%env);
like $page->{out}, qr/\Q$url\E.*curl -s/s, 'where the same is to be read';
my @lines = lines($first);
is scalar @lines, 3, 'and three lines with curl';
my ($clusters, $query, $version) = try('sample', @lines);
is $clusters->{items}[0]{name}, 'sample', 'GET /clusters';
my $row = $query->{items}[0];
is_deeply $row->{errors}, [], 'the query has no errors';
my %found = map { $_->{type} => scalar @{$_->{resources}} }
    @{$row->{resources}};
is_deeply \%found, { pods => 3, map { $_ => 1 } qw(services configmaps
    limitranges resourcequotas deployments replicasets
    horizontalpodautoscalers jobs cronjobs ingresses statefulsets
    daemonsets) }, 'all that was recorded is in the query';
is scalar @{$row->{podMetrics}}, 3, 'and the usage of its pods';
like $version->{gitVersion}, qr/^v1\./, '/proxy reaches the cluster';

my ($token) = slurp("$state/token") =~ /^(\w+)$/;
is sprintf('%o', (stat "$state/token")[2] & 0777), '600',
    'the token is for our eyes only';
unlike "$first->{out}$first->{err}" . join('', map { slurp($_) }
    "$state/how", glob "$state/log/*"), qr/\Q$token\E/,
    'and neither printed nor logged';
my ($port) = $url =~ /:(\d+)/;
my $rebound = Stagedoor::HTTP->new(port => $port)->get(BASE . '/clusters',
    headers => [['Host', 'evil.example']]);
is $rebound->{status}, 421, 'a foreign name for this machine is not served';

my @before = pids();
my $second = begin();
is $second->{code}, 0, 'twice does not break';
is_deeply [lines($second)], \@lines, 'it prints the same lines';
is_deeply [pids()], \@before, 'of the same processes';
try('again', lines($second));
is start('--status')->{code}, 0, 'it runs';

kill KILL => $before[1];
wait_for(sub { !-e "/proc/$before[1]" || slurp("/proc/$before[1]/stat")
    =~ /\) Z / }, 5, 'the pool');
my $mended = begin();
is $mended->{code}, 0, 'where the pool was killed it starts again';
try('mended', lines($mended));

my @now = pids();
is start('--stop')->{code}, 0, 'it stops';
is_deeply [grep { -e "/proc/$_/exe" } @now], [], 'and leaves no process';
is get(Stagedoor::HTTP->new(port => $port), '/clusters')->{status}, undef,
    'and nothing listens';
is start('--stop')->{code}, 0, 'once more does not break';

# --- An issuer to sign in at ------------------------------------------------

# What t/issuers/build has put beside the tree, if it can be had here.
sub cache {
	return undef if !have_program('node') || !have_program('npm');
	require Stagedoor::RealIssuer;
	my $dir = Stagedoor::RealIssuer::built('oidc-provider');
	return $dir =~ s{/issuers/[^/]+$}{}r;
}

# As a person does with a browser: the page that it ends with.
sub sign_in {
	my ($connect, $user) = @_;
	my $json = decode_json(slurp("$state/issuer.json"));
	my ($origin, $port) = $connect =~ m{^(http://[^/]+:(\d+))};
	my $surfer = Stagedoor::Surfer->new(at => { $origin => $port,
	    $json->{issuer} => $json->{port} });
	my $page = $surfer->submit($surfer->go($connect));
	like $page->{body}, qr/Who are you/, 'Connect leads to the issuer';
	return $surfer->submit($page, user => $user);
}

sub try_signing_in {
	my ($cache) = @_;
	local $env{STAGEDOOR_CACHE} = $cache;
	my $ran = begin();
	is $ran->{code}, 0, 'it starts with an issuer'
	    or diag $ran->{out}, $ran->{err};
	my ($connect) = $ran->{out} =~ m{(http://\S+/connect)\n};
	ok $connect, 'it prints where to sign in';
	like $ran->{out}, qr/alice/, 'and as whom';
	my ($row) = grep { $_->{cluster}{name} eq 'oidc' }
	    @{(try('first', lines($ran)))[1]{items}};
	is $row->{errors}[0]{statusCode}, 401, 'nobody is signed in yet';
	like sign_in($connect, 'bob')->{body}, qr/bob\@example\.org/,
	    'bob is connected';
	my ($version) = grep { m{/oidc/} } $ran->{out} =~ /^ +(curl .*)$/mg;
	# For a second what was found in the store before may be used.
	wait_for(sub { run_command(['sh', '-c', "$version -f"],
	    env => \%env)->{code} == 0 }, 3, 'the session');
	like((try('signed in', $version))[0]{gitVersion}, qr/^v1\./,
	    'the other cluster opens');
	my $secret = slurp("$state/issuer.secret") =~ s/\s+$//r;
	unlike "$ran->{out}$ran->{err}" . join('', map { slurp($_) }
	    "$state/how", glob "$state/log/*"), qr/\Q$secret\E|eyJhbGci/,
	    'no secret and no token is printed or logged';
	my @now = pids();
	is scalar @now, 3, 'three processes';
	is start('--stop')->{code}, 0, 'it stops';
	is_deeply [grep { -e "/proc/$_/exe" } @now], [], 'all of them';
	is_deeply [glob "$state/{tokens,issuer,token}*"], [],
	    'nothing secret is left';
}

my $cache = cache();
if (defined $cache) {
	try_signing_in($cache);
} else {
	skip_one('no Node.js with npm for an issuer');
}

# --- A kubeconfig -----------------------------------------------------------

my $fake = fake(clusters => [{ name => 'one' }]);
mkdir "$home/.kube";
write_file("$home/.kube/config", <<"END");
apiVersion: v1
kind: Config
current-context: mine
clusters:
- {name: one, cluster: {server: "@{[$fake->url('one')]}"}}
users:
- {name: me, user: {token: alpha-token}}
- {name: basic, user: {username: somebody, password: hush-hush}}
contexts:
- {name: mine, context: {cluster: one, user: me}}
- {name: by-password, context: {cluster: one, user: basic}}
END
my $own = begin();
is $own->{code}, 0, 'it starts on a kubeconfig'
    or diag $own->{out}, $own->{err};
like $own->{out}, qr{clusters of \Q$home\E/.kube/config}, 'and says so';
like "$own->{out}$own->{err}", qr/by-password.*password/,
    'a context that cannot work is listed with the reason';
($clusters, $query, $version) = try('kubeconfig', lines($own));
is_deeply [map { $_->{name} } @{$clusters->{items}}], [qw(mine by-password)],
    'the contexts are the clusters';
is $query->{items}[0]{cluster}{name}, 'mine', 'the query asks them';
cmp_ok scalar @{$query->{items}[0]{resources}[0]{resources}}, '>', 0,
    'and finds what is labelled so';
like $version->{gitVersion}, qr/^v1\./, '/proxy reaches the cluster';
is $fake->last_request('one')->{headers}{authorization},
    'Bearer alpha-token', 'with the token of the context';
is start('--stop')->{code}, 0, 'it stops';

local $env{KUBECONFIG} = "$home/nothing:$home/.kube/config";
my $sample = begin('--sample');
like $sample->{out}, qr/sample cluster/, '--sample takes the sample cluster';
is start('--stop')->{code}, 0, 'it stops';
done_testing;
