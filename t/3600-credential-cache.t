#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Credentials are fetched once for all who need them, off the way of whoever
# does not, kept while they are good, and fetched anew after a 401. A plug-in
# stands for any cloud: it counts how often it is asked.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep time);

my $dir = tempdir();
chmod 0777, $dir or die "$dir: $!";
my $fake = fake(backstage => 1, clusters => [{ name => 'one',
    tokens => [map { ("tok-$_") } qw(slow fresh well late)] }]);

# DIR/NAME: says when it ran, then does what the test wants.
sub plugin {
	my ($name, $body) = @_;
	write_file("$dir/$name.new", "#!/bin/sh\necho run >>$dir/$name.runs\n"
	    . $body);
	chmod 0755, "$dir/$name.new" or die "$name: $!";
	rename "$dir/$name.new", "$dir/$name" or die "$name: $!";
	write_file("$dir/$name.runs", '') if !-e "$dir/$name.runs";
	chmod 0666, "$dir/$name.runs";
}

sub prints {
	my ($token) = @_;
	return qq(echo '{"kind":"ExecCredential","apiVersion":)
	    . qq("client.authentication.k8s.io/v1",)
	    . qq("status":{"token":"$token"}}'\n);
}

sub runs {
	my ($name) = @_;
	return scalar(() = slurp("$dir/$name.runs") =~ /run/g);
}

# Several at once: code that each child runs; the time they took.
sub at_once {
	my ($n, $code) = @_;
	my $began = time;
	my @children = map {
		my $pid = fork // die "fork: $!";
		if ($pid == 0) {
			$code->($_);
			require POSIX;
			POSIX::_exit(0);
		}
		$pid;
	} 1 .. $n;
	waitpid $_, 0 for @children;
	return time - $began;
}

sub with {
	my (@which) = @_;
	return settings(fake => $fake, kubernetes => {
	    objectTypes => [qw(pods services)] },
	    clusters => [map { { name => $_, url => $fake->url('one'),
		authProvider => 'exec', skipMetricsLookup => \1,
		exec => { command => "$dir/$_" } } } @which],
	    stagedoor => { breaker => { failures => 1000 } });
}

my %QUERY = (json => { entityRef => 'component:default/shop' });

sub query {
	my ($target, %more) = @_;
	my $answer = post($target, '/resources/workloads/query', %QUERY,
	    %more);
	return { map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}} };
}

sub good { return @{$_[0]{resources}} == 2 && !@{$_[0]{errors}} }

# --- Slow ones --------------------------------------------------------------

plugin('slow', "sleep 3\n" . prints('tok-slow'));
plugin('well', prints('tok-well'));
my $pool = pool(settings => with(qw(well slow)), threads => 8);
is get($pool, '/clusters/well/proxy/version')->{status}, 200, 'one is well';
my $began = time;
post($pool, '/resources/workloads/query', %QUERY, timeout => 0.5);
is runs('slow'), 1, 'a query asks for the slow one';
my $took = at_once(20, sub { get($pool, '/clusters/well/proxy/version') });
cmp_ok $took, '<', 1.5, 'those that do not need it are not held up';
my $answer = post($pool, '/resources/workloads/query', %QUERY);
cmp_ok time - $began, '>', 2.5, 'the slow one comes as soon as it is there';
cmp_ok time - $began, '<', 4, 'and no later';
is runs('slow'), 1, 'the client that left did not cut it short';
my @rows = @{body_of($answer)->{items}};
ok good($_), "$_->{cluster}{name} is whole" for @rows;

# --- A 401 ------------------------------------------------------------------

plugin('stale', prints('stale-hush'));
$pool = pool(settings => with(qw(well stale)), threads => 8);
my $rows = query($pool);
ok !good($rows->{stale}), 'a token that the cluster refuses shows in its row';
is $rows->{stale}{errors}[0]{statusCode}, 401, 'as what it is';
is runs('stale'), 2, 'after another was asked for, once for all lists';
query($pool) for 1 .. 3;
is runs('stale'), 2, 'and not again within a minute';
ok good($rows->{well}), 'the other row is whole';

# The second time it has a good one.
plugin('stale', qq(if [ \$(wc -l <$dir/stale.runs) = 1 ]; then\n)
    . prints('stale-hush') . "else\n" . prints('tok-fresh') . "fi\n");
write_file("$dir/stale.runs", '');
$pool = pool(settings => with(qw(well stale)), threads => 8);
$rows = query($pool);
ok good($rows->{stale}), 'a token that was refused is replaced, and the '
    . 'lists are asked for again';
is runs('stale'), 2, 'with one more run';

for my $method (qw(GET POST)) {
	write_file("$dir/stale.runs", '');
	$pool = pool(settings => with('stale'), threads => 8);
	$fake->reset;
	my $first = request($pool, $method, '/clusters/stale/proxy/version',
	    $method eq 'POST' ? (body => 'x') : ());
	is $first->{status}, $method eq 'GET' ? 200 : 401,
	    "$method is " . ($method eq 'GET' ? 'sent again' : 'not');
	is scalar(grep { $_->{method} eq $method }
	    @{$fake->requests('one')}),
	    $method eq 'GET' ? 2 : 1, 'the cluster saw as many';
}

# --- Failures ---------------------------------------------------------------

plugin('dead', "echo 'the plug-in is out of order' >&2\nexit 3\n");
$pool = pool(settings => with(qw(well dead)), threads => 8);
at_once(8, sub { query($pool) });
$rows = query($pool);
cmp_ok runs('dead'), '<=', 2, 'what fails is not asked by everyone';
is scalar @{$rows->{dead}{errors}}, 1, 'its row has one error';
like $rows->{dead}{errors}[0]{message}, qr/the plug-in is out of order/,
    'which says what it said';
ok good($rows->{well}), 'the other row is whole';

# --- Processes --------------------------------------------------------------

my $bin = Stagedoor::Util::stagedoor_bin();
my $keys = "$dir/keys";
write_file($keys, stagedoor('key')->{out});
chmod 0600, $keys;

sub cgi {
	my ($file) = @_;
	local %ENV = (%ENV, GATEWAY_INTERFACE => 'CGI/1.1',
	    REQUEST_METHOD => 'GET', SERVER_PROTOCOL => 'HTTP/1.1',
	    REQUEST_URI => '/api/kubernetes/clusters/late/proxy/version',
	    STAGEDOOR_USER => 'user:default/alice', QUERY_STRING => '',
	    STAGEDOOR_CONFIG => $file);
	return scalar qx($bin 2>>$dir/cgi.log </dev/null);
}

plugin('late', "sleep 0.5\n" . prints('tok-late'));
for my $shared (0, 1) {
	my $settings = with('late');
	$settings->{stagedoor}{store} = { type => 'sqlite',
	    path => "$dir/store.db", keyFile => $keys } if $shared;
	my $file = write_file("$dir/cgi.json.yaml", encode_json($settings));
	write_file("$dir/late.runs", '');
	at_once(6, sub { write_file("$dir/cgi.$_[0]", cgi($file)) });
	is scalar(grep { slurp("$dir/cgi.$_") =~ /^Status: 200/m } 1 .. 6), 6,
	    'six CGI processes get in';
	is runs('late'), $shared ? 1 : 6,
	    $shared ? 'with a store one of them asks for all'
	    : 'without a store each asks for itself';
	like cgi($file), qr/^Status: 200/m, 'and so does one that comes later';
	is runs('late'), $shared ? 1 : 7, 'with as many runs';
}
for my $file (glob "$dir/store.db*") {
	unlike slurp($file), qr/tok-late/, 'no token is in the clear on disk';
}

# --- The end ----------------------------------------------------------------

plugin('slow', "sleep 1.5\n" . prints('tok-slow') . "echo >$dir/slow.ended\n");
$pool = pool(settings => with('slow'), threads => 4);
get($pool, '/clusters/slow/proxy/version', timeout => 0.3);
$pool->stop;
ok -e "$dir/slow.ended", 'a stop waits for what is being fetched';

log_has_no('no secret is in a log', 'stale-hush', 'tok-');
done_testing;
