#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# /metrics, /healthz and /readyz: exact numbers in Prometheus' format, for
# those who may read them, with nothing secret in them; and a dashboard that
# asks for what is there.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use List::Util qw(uniq);
use POSIX ();
use Stagedoor::Exposition;
use Stagedoor::FastCGI;
use Stagedoor::Process;

my $fake = fake(clusters => [{ name => 'one',
	tokens => ['token-of-the-plugin'] },
    { name => 's403', behaviour => 's403' },
    { name => 'rst', behaviour => 'rst' },
    { name => 'hang', behaviour => 'hang' }], backstage => 1);
my $dir = tempdir();
my %secret = (cluster => 'alpha-token', user => 'ann-of-accounts',
    query => 'in-the-query', path => 'secret-namespace',
    keys => stagedoor('key')->{out}, plugin => 'token-of-the-plugin');
write_file("$dir/keys", $secret{keys});
write_file("$dir/plugin", <<"END");
#!/bin/sh
cat <<X
{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
"status":{"token":"$secret{plugin}"}}
X
END
write_file("$dir/fails", "#!/bin/sh\nexit 1\n");
chmod 0755, "$dir/plugin", "$dir/fails";
chmod 0600, "$dir/keys";
my $odd = "a \"quoted\" \\ \x{e9}";

sub settings_with {
	my (%stagedoor) = @_;
	return settings(fake => $fake, source => 'params', clusters => ['one',
	    's403', 'rst', 'hang',
	    { name => 'refused', url => 'http://127.0.0.1:1' },
	    { name => $odd, url => 'gopher://none' },
	    { name => 'lively', of => 'one', live => \1 },
	    { name => 'made', of => 'one', authProvider => 'exec',
		exec => { command => "$dir/plugin" } },
	    { name => 'lost', of => 'one', authProvider => 'exec',
		exec => { command => "$dir/fails" } }],
	    kubernetes => { objectTypes => [qw(pods services)] },
	    stagedoor => { limits => { connect => 1, cluster => 1 },
		breaker => { failures => 2, probe => 60 }, streams => 1,
		store => { type => 'sqlite', path => "$dir/store.db",
		    keyFile => "$dir/keys" },
		login => [{ provider => 'oidc', name => 'corp',
		    issuer => 'http://127.0.0.1:1', clientId => 'x',
		    clientSecret => 'client-secret-x' }],
		publicUrl => 'https://portal.test', %stagedoor });
}

my $pool = pool(settings => settings_with(), threads => 4);
my %ann = (as => $secret{user});

sub metrics {
	my ($pool, $path) = @_;
	my $answer = get($pool, $path // '/metrics');
	is $answer->{status}, 200, 'metrics are there' or return;
	my $m = Stagedoor::Exposition->parse($answer->{body});
	is join("\n", @{$m->wrong}), '', 'as the format wants them';
	return $m;
}

sub proxied {
	my ($cluster, $path, %opt) = @_;
	return get($pool, "/clusters/$cluster/proxy$path", %ann, %opt);
}

# --- Numbers ----------------------------------------------------------------

subtest 'before anything was asked' => sub {
	my $answer = get($pool, '/metrics');
	is $answer->{headers}{'content-type'},
	    'text/plain; version=0.0.4; charset=utf-8', 'the type';
	is $answer->{headers}{'cache-control'}, 'no-store', 'kept nowhere';
	my $m = metrics($pool);
	is $m->value('stagedoor_requests_total', route => '/metrics',
	    status => 200), 1, 'the first was counted';
	is $m->value('stagedoor_pool_threads'), 4, 'threads';
	is $m->value('stagedoor_requests_in_flight'), 1, 'this one';
	is $m->value('stagedoor_clusters', state => 'broken'), 1,
	    'one is broken';
	is $m->value('stagedoor_cluster_state', cluster => $odd,
	    state => 'broken'), 1, 'it has its name, whatever that is';
	is $m->value('stagedoor_store_info', type => 'sqlite'), 1, 'store';
	cmp_ok $m->value('process_resident_memory_bytes'), '>', 1e6, 'memory';
	cmp_ok abs($m->value('process_start_time_seconds') - time), '<', 60,
	    'since when';
};

subtest 'many at once are counted one by one' => sub {
	my @askers = map {
		my $pid = fork() // die "fork: $!";
		if ($pid == 0) {
			$SIG{$_} = 'DEFAULT' for qw(INT TERM);
			for (1 .. 50) {
				get($pool, '/clusters', %ann);
				get($pool, '/no/such/route', %ann);
				proxied('one', '/version');
			}
			POSIX::_exit(0);
		}
		Stagedoor::Process->adopt(name => 'asker', pid => $pid);
	} 1 .. 4;
	$_->wait_end(30) for @askers;
	my $m = metrics($pool);
	my $requests = 'stagedoor_requests_total';
	is $m->value($requests, route => '/clusters', status => 200), 200,
	    'clusters';
	is $m->value($requests, route => 'none', status => 404), 200,
	    'what is no route';
	is $m->value($requests, route => '/clusters/*/proxy/**',
	    status => 200), 200, 'what passed through';
	is $m->value('stagedoor_request_duration_seconds_count',
	    route => '/clusters'), 200, 'with how long they took';
	is $m->value('stagedoor_upstream_answers_total', cluster => 'one',
	    status => '2xx'), 200, 'what the cluster answered';
	is $m->value('stagedoor_upstream_duration_seconds_count',
	    cluster => 'one'), 200, 'with its time';
	is $m->value('stagedoor_requests_in_flight'), 1, 'none is left';
};

subtest 'who fails, and how' => sub {
	proxied('rst', '/version');
	proxied('refused', '/version') for 1 .. 4;
	proxied('hang', '/version');
	proxied('s403', '/version');
	proxied($_, '/version') for qw(made lost);
	my $m = metrics($pool);
	my $failures = 'stagedoor_upstream_failures_total';
	is $m->value($failures, cluster => 'rst', kind => 'protocol'), 1,
	    'broken off';
	is $m->value($failures, cluster => 'refused', kind => 'connect'), 2,
	    'refused twice';
	is $m->value($failures, cluster => 'refused', kind => 'breaker'), 2,
	    'then not asked';
	is $m->value($failures, cluster => 'hang', kind => 'timeout'), 1,
	    'silent';
	is $m->sum($failures, cluster => 'one'), 0, 'others are well';
	is $m->value('stagedoor_upstream_answers_total', cluster => 's403',
	    status => '4xx'), 1, 'a refusal is an answer';
	is $m->value('stagedoor_breaker_open', cluster => 'refused'), 1,
	    'whose breaker is open';
	is $m->sum('stagedoor_breaker_open'), 1, 'of no other';
	is $m->value('stagedoor_credential_refreshes_total', kind => 'exec',
	    outcome => 'ok'), 1, 'a credential was made';
	is $m->value('stagedoor_credential_refreshes_total', kind => 'exec',
	    outcome => 'failed'), 1, 'another was not';
	cmp_ok $m->sum('stagedoor_store_operations_total', operation => 'put',
	    outcome => 'ok'), '>', 0, 'the store was used';
	is $m->value('stagedoor_cluster_state', cluster => 'lost',
	    state => 'no credential'), 1, 'which its cluster lacks';
};

subtest 'a query, the catalog, a sign-in that failed' => sub {
	post($pool, '/resources/workloads/query', as => $secret{user},
	    headers => { 'Sec-Fetch-Site' => 'same-origin' },
	    json => { entityRef => 'component:default/on-alpha' })
	    for 1 .. 3;
	get($pool, "/connect/callback?state=x&code=$secret{query}", %ann);
	my $m = metrics($pool);
	is $m->value('stagedoor_catalog_lookups_total', how => 'read'), 1,
	    'read once';
	is $m->value('stagedoor_catalog_lookups_total', how => 'kept'), 2,
	    'then kept';
	is $m->value('stagedoor_requests_total', route =>
	    '/resources/workloads/query', status => 200), 3, 'answered';
	cmp_ok $m->sum('stagedoor_upstream_answers_total',
	    cluster => 'one'), '>', 200, 'the cluster was asked for lists';
	cmp_ok $m->value('stagedoor_reads_total', how => 'read'), '>', 9,
	    'list by list';
	cmp_ok $m->value('stagedoor_live_answers_total', how => 'miss'), '>',
	    0, 'before the live lane had them';
	cmp_ok $m->sum('stagedoor_live_kinds'), '>=', 2,
	    'which keeps them from now on';
	is $m->sum('stagedoor_sign_in_events_total',
	    event => 'sign-in-failed'), 1, 'and the sign-in is told of';
};

subtest 'long answers' => sub {
	my $watch = Stagedoor::HTTP::connect_to($pool);
	print $watch Stagedoor::FastCGI::begin(1, 0), map {
		Stagedoor::FastCGI::stream(@$_) }
	    [Stagedoor::FastCGI::FCGI_PARAMS(), Stagedoor::FastCGI::pairs(
	    Stagedoor::FastCGI::params_for('GET', BASE
	    . '/clusters/one/proxy/silent?watch=1', %ann))],
	    [Stagedoor::FastCGI::FCGI_STDIN(), ''];
	$watch->flush;
	my $m;
	wait_for(sub { $m = Stagedoor::Exposition->parse(
	    get($pool, '/metrics')->{body});
	    $m->value('stagedoor_proxy_places', kind => 'long') }, 5,
	    'the watch');
	is $m->value('stagedoor_requests_in_flight'), 2, 'one more request';
	is $m->value('stagedoor_pool_threads_busy'), 2, 'on a thread';
	is proxied('one', '/x?watch=1')->{status}, 503, 'no other';
	is metrics($pool)->value('stagedoor_proxy_places_refused_total'), 1,
	    'which is counted';
	close $watch;
};

subtest 'reloads' => sub {
	$pool->reload(settings_with());
	wait_for(sub { $pool->log_text =~ /read again/ }, 5, 'the reload');
	write_file($pool->config_file, '{"kubernetes": 7}');
	$pool->reload;
	wait_for(sub { $pool->log_text =~ /are not used/ }, 5, 'a bad one');
	my $m = metrics($pool);
	is $m->value('stagedoor_reloads_total', outcome => 'ok'), 1, 'one';
	is $m->value('stagedoor_reloads_total', outcome => 'refused'), 1,
	    'and one that was not taken';
	is $m->value('stagedoor_requests_total', route => '/clusters',
	    status => 200), 200, 'numbers go on';
};

# --- Ready ------------------------------------------------------------------

subtest 'health and readiness' => sub {
	is get($pool, '/healthz')->{body}, "ok\n", 'it serves';
	is get($pool, '/readyz')->{body}, "ok\n", 'it works';
	my $json = body_of(get($pool, '/readyz',
	    headers => { Accept => 'application/json' }));
	my %state = map { $_->{name} => $_->{state} } @{$json->{clusters}};
	is_deeply \%state, { one => 'ok', s403 => 'ok', rst => 'ok',
	    hang => 'breaker', refused => 'breaker', $odd => 'broken',
	    lively => 'ok', made => 'ok',
	    lost => 'no credential' }, 'how each cluster is';
	is $json->{store}, 'ok', 'and the store';
	like $json->{clusters}[4]{since}, qr/^20\d\d-[\dT:.-]+Z$/,
	    'since when';
	my $text = get($pool, '/readyz?verbose')->{body};
	like $text, qr/^ok\nstore: ok\ncluster one: ok since 20/, 'as text';
	is get($pool, '/readyz?cluster=lost')->{status}, 200,
	    'one cluster does not make it unready';
	like get($pool, '/readyz?cluster=lost')->{body},
	    qr/cluster lost: no credential since/, 'it is asked for by name';
	is get($pool, '/readyz?cluster=nobody')->{status}, 404, 'or is none';
	$_ = $pool->request('HEAD', BASE . '/readyz');
	is "$_->{status}$_->{body}", 200, 'HEAD';
	is request($pool, POST => '/healthz')->{status}, 401,
	    'POST is as any unknown route';
	my $bare = pool(settings => { stagedoor => {} });
	is get($bare, '/healthz')->{status}, 200, 'without settings: serves';
	is get($bare, '/readyz')->{status}, 503, 'but it can do nothing';
};

# --- Who may ----------------------------------------------------------------

# Parameters as they are, of which those with an undefined value are left out.
sub from {
	my ($pool, $path, %params) = @_;
	my %all = (REQUEST_METHOD => 'GET', REQUEST_URI => BASE . $path,
	    REMOTE_ADDR => '127.0.0.1', %params);
	delete @all{grep { !defined $all{$_} } keys %all};
	my @twice = $all{TWICE} ? (REMOTE_ADDR => delete $all{TWICE}) : ();
	return $pool->raw(Stagedoor::FastCGI::begin(1, 0)
	    . Stagedoor::FastCGI::stream(
		Stagedoor::FastCGI::FCGI_PARAMS(),
		Stagedoor::FastCGI::pairs(%all, @twice))
	    . Stagedoor::FastCGI::stream(
		Stagedoor::FastCGI::FCGI_STDIN(), ''));
}

subtest 'who may read them' => sub {
	my %outside = (REMOTE_ADDR => '192.0.2.7');
	is from($pool, '/metrics')->{status}, 200, 'this machine';
	is from($pool, '/metrics', REMOTE_ADDR => undef)->{status}, 200,
	    'who is on our socket without a web server';
	is from($pool, '/metrics', REMOTE_ADDR => '::ffff:127.0.0.1')
	    ->{status}, 200, 'this machine, in other words';
	for (\%outside, { REMOTE_ADDR => '' }, { REMOTE_ADDR => 'unix:' },
	    { %outside, HTTP_X_FORWARDED_FOR => '127.0.0.1' },
	    { %outside, HTTP_X_REAL_IP => '127.0.0.1' },
	    { %outside, HTTP_FORWARDED => 'for=127.0.0.1' },
	    { %outside, HTTP_REMOTE_ADDR => '127.0.0.1' },
	    { TWICE => '192.0.2.7' }, { %outside, TWICE => '127.0.0.1' }) {
		is from($pool, '/metrics', %$_)->{status}, 403,
		    'not ' . join ' ', %$_;
	}
	is from($pool, '/healthz', %outside)->{body}, "ok\n",
	    'that it serves is told to all';
	for my $path ('/readyz', '/readyz?verbose', '/readyz?cluster=lost',
	    '/readyz?cluster=nobody') {
		is from($pool, $path, %outside,
		    HTTP_ACCEPT => 'application/json')->{body}, "ok\n",
		    "and nothing more: $path";
	}
	my $other = pool(settings => settings_with(metrics => {
	    path => '/inner/numbers', allow => ['192.0.2.0/24'] }));
	is from($other, '/inner/numbers', %outside)->{status}, 200,
	    'a path and a network of the settings';
	is from($other, '/inner/numbers')->{status}, 403, 'only that';
	is from($other, '/metrics', %outside)->{status}, 401,
	    'the usual path is none then';
	is from($other, '/inner/x/../numbers', %outside,
	    STAGEDOOR_USER => 'x')->{status}, 404, 'nor is a crooked one';
	my $closed = pool(settings => settings_with(metrics =>
	    { allow => [] }));
	is from($closed, '/metrics')->{status}, 403, 'no networks: nobody';
};

subtest 'as a CGI program' => sub {
	my $config = write_file("$dir/cgi.yaml",
	    encode_json(settings_with()));
	my $out = Stagedoor::Pool->run([], env => {
	    GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'GET',
	    REQUEST_URI => BASE . '/metrics', STAGEDOOR_CONFIG => $config,
	    REMOTE_ADDR => '127.0.0.1' })->{out};
	my ($head, $body) = split /\r\n\r\n/, $out, 2;
	like $head, qr/^Status: 200/, 'it answers';
	my $m = Stagedoor::Exposition->parse($body);
	is "@{$m->wrong}", '', 'rightly';
	is $m->sum('stagedoor_build_info', mode => 'cgi'), 1,
	    'and says that it is the numbers of one request';
};

# --- What is in them --------------------------------------------------------

subtest 'nothing that clients chose, nothing secret' => sub {
	proxied('one', "/api/v1/namespaces/$secret{path}/pods?$secret{query}");
	get($pool, "/$secret{path}?$secret{query}", %ann);
	request($pool, 'PURGE', "/$secret{path}", %ann);
	proxied($secret{path}, '/x');
	my $all = join '', map { get($pool, $_)->{body} } '/metrics',
	    '/readyz?verbose';
	$all .= get($pool, '/readyz', headers => { Accept =>
	    'application/json' })->{body};
	is join(' ', grep { index($all, $secret{$_}) >= 0 } sort
	    keys %secret), '', 'no secret, no user, no path, no query';
	unlike $all, qr/127\.0\.0\.1|client-secret|\Q$dir\E/,
	    'no address and no file';
	unlike $pool->log_text, qr{GET /api/kubernetes/(?:metrics|healthz)
	    .*status=200}x, 'nor a line of the log for each look';
};

# --- The dashboard ----------------------------------------------------------

# Names, and labels that stand at them or in by (...).
sub asked_by {
	my ($query) = @_;
	my %labels = map { $_ => 1 } map { split /\s*,\s*/ }
	    $query =~ /\bby \(([^)]*)\)/g;
	$query =~ s/\bby \([^)]*\)//g;
	my @names;
	while ($query =~ /\b((?:stagedoor|process)_\w+)(?:\{([^}]*)\})?/g) {
		push @names, $1;
		$labels{$_} = 1 for ($2 // '') =~ /(\w+)\s*=?[=~!]/g;
	}
	return \@names, [sort keys %labels];
}

# Prometheus' own tool, where it is: the package is large.
sub promtool_agrees {
	my ($metrics, @queries) = @_;
	return note 'there is no promtool' if !have_program('promtool');
	my $file = write_file("$dir/metrics", $metrics);
	my $got = run_command(['sh', '-c', "promtool check metrics <$file"]);
	is "$got->{code} $got->{out}$got->{err}", '0 ', 'promtool agrees';
	my $n = 0;
	my $rules = write_file("$dir/rules.yaml", encode_json({ groups => [{
	    name => 'board', rules => [map { { record => 'q' . $n++,
		expr => s/\$__rate_interval/5m/gr } } @queries] }] }));
	$got = run_command(['promtool', 'check', 'rules', $rules]);
	is $got->{code}, 0, 'with every query' or diag $got->{err};
}

subtest 'the dashboard asks for what is there' => sub {
	my $board = decode_json(slurp(top() . '/etc/grafana/stagedoor.json'));
	my $m = metrics($pool);
	my %family;
	for my $name (keys %{$m->families}) {
		my $f = $m->family($name);
		my @all = $f->{type} ne 'histogram' ? $name
		    : map { "${name}_$_" } qw(bucket sum count);
		$family{$_} = $f for @all;
	}
	my @queries = map { $_->{expr} } map { @{$_->{targets} // []} }
	    @{$board->{panels}};
	push @queries, map { ($_->{definition} // '')
	    =~ /^label_values\((.*), (\w+)\)$/ ? "sum by ($2) ($1)" : () }
	    @{$board->{templating}{list}};
	cmp_ok scalar @queries, '>', 20, 'it has queries';
	my (%used, @bad);
	for my $query (@queries) {
		my ($names, $labels) = asked_by($query);
		push @bad, "nothing is asked: $query" if !@$names;
		push @bad, "none is $_" for grep { !$family{$_} } @$names;
		my $f = $family{$names->[0]} or next;
		push @bad, map { "$names->[0] has no $_" } grep {
			!$f->{labels}{$_} && !/^(?:job|instance)$/ } @$labels;
		$used{$_} = 1 for @$names;
	}
	promtool_agrees(get($pool, '/metrics')->{body}, @queries);
	is join(', ', uniq @bad), '', 'every name, and every label at it';
	my %shown = map { s/_(?:bucket|sum|count)$//r => 1 } keys %used;
	my @unused = grep { !$shown{$_} && !$shown{"${_}_"} &&
	    !/^process_(?:virtual|open|max)/ } sort keys %{$m->families};
	is "@unused", '', 'and all that there is is shown';
	my %id;
	$id{$_->{id}}++ for @{$board->{panels}};
	is scalar(grep { $_ > 1 } values %id), 0, 'panels have their own ids';
};

log_has_no('no log has a secret', @secret{qw(cluster keys plugin query)});
done_testing;
