#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# One read for many: who asks the same at the same moment with the same
# credential costs the cluster one read, and nobody sees what another
# credential brought.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::INET;
use Stagedoor::JSON qw(decode_json encode_json);
use Time::HiRes qw(sleep);

my $USERS = 12;
my $QUERY = '/resources/workloads/query';

my @ann = ([ 'Test-User', 'ann' ], [ 'Sec-Fetch-Site', 'same-origin' ]);

my $dir = tempdir();
my $fake = fake(backstage => 1, clusters => [ { name => 'one',
	behaviour => 'slow', tokens => [ 'ann-token', 'bob-token' ] } ]);
my $web;

sub serve {
	my ($entry, %stagedoor) = @_;
	$entry = { name => 'one', skipMetricsLookup => \1, %$entry };
	my $pool = pool(threads => 2 * $USERS, settings => settings(
	    fake => $fake, source => 'params', clusters => [ $entry ],
	    stagedoor => { identity => { guest => 'user:development/guest' },
		%stagedoor }));
	$web = nginx(pool => $pool,
	    server => 'set $stagedoor_user $http_test_user;');
	$fake->reset;
	return $pool;
}

# A question on its way: a socket to read the answer from.
sub ask {
	my ($user, %auth) = @_;
	my $body = encode_json({ auth => \%auth,
		entityRef => 'component:default/shop' });
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $web->{port}) // die "connect: $!";
	print {$socket} 'POST ' . BASE . "$QUERY HTTP/1.0\r\n"
	    . "Content-Type: application/json\r\nTest-User: $user\r\n"
	    . "Sec-Fetch-Site: same-origin\r\n"
	    . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
	return $socket;
}

sub answer {
	my ($socket) = @_;
	my $text = do { local $/; <$socket> } // '';
	my ($status, $body) = $text =~ m{^HTTP/\S+ (\d+).*?\r\n\r\n(.*)}s;
	return { status => $status // 0, row =>
	    $body ? eval { decode_json($body)->{items}[0] } : undef };
}

# How often pods were listed, by credential.
sub reads {
	my %reads;
	for my $request (@{$fake->requests('one')}) {
		next if $request->{rawPath} !~ m{^/api/v1/pods(?:\?|$)};
		my $headers = $request->{headers};
		$reads{join '/', $headers->{authorization} // 'none',
		    $headers->{'impersonate-user'} // ()}++;
	}
	return \%reads;
}

# Their rows are whole.
sub all_good {
	my ($what, @sockets) = @_;
	my @answers = map { answer($_) } @sockets;
	my $good = grep { $_->{status} == 200 && !@{$_->{row}{errors}}
	    && @{$_->{row}{resources}} > 5 } @answers;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $good, scalar @sockets, $what;
	return @answers;
}

# --- With the server's own credential ---------------------------------------

{
	my $pool = serve({ skipMetricsLookup => \0 });
	all_good('a crowd is answered', map { ask("user$_") } 1 .. $USERS);
	is_deeply reads(), { 'Bearer alpha-token' => 1 }, 'by one read';
	my %count;
	$count{$_->{rawPath}}++ for @{$fake->requests('one')};
	is_deeply [ grep { $count{$_} > 1 } sort keys %count ], [],
	    'of each list, and of the metrics';

	$fake->reset;
	my @sockets = map { ask("user$_") } 1 .. 4;
	sleep 0.2;
	close shift @sockets for 1 .. 2;
	all_good('some leave, the others stay', @sockets);
	is_deeply reads(), { 'Bearer alpha-token' => 1 }, 'with their read';

	$fake->reset;
	my $first = ask('ann');
	wait_for(sub { reads()->{'Bearer alpha-token'} }, 5, 'a read');
	is request($web, 'POST', '/clusters/one/proxy/sink', body => 'x',
	    headers => [ @ann ])
	    ->{status}, 200, 'a write while a read is under way';
	all_good('who asks after it', $first, ask('ann'));
	is_deeply reads(), { 'Bearer alpha-token' => 2 },
	    'does not get what was read before';
	$pool->stop;
}

# --- Credentials of users ---------------------------------------------------

{
	my $pool = serve({ impersonate => {} });
	all_good('impersonated users are answered',
	    map { ask($_ % 2 ? 'user:default/ann' : 'user:default/bob') }
	    1 .. $USERS);
	is_deeply reads(), { map {
	    ("Bearer alpha-token/user:default/$_" => 1) } qw(ann bob) },
	    'by a read for each of them';
	$pool->stop;

	$pool = serve({ authProvider => 'google' });
	all_good('users with tokens are answered', map { ask("user$_",
	    google => $_ % 2 ? 'ann-token' : 'bob-token') } 1 .. $USERS);
	is_deeply reads(), { 'Bearer ann-token' => 1,
	    'Bearer bob-token' => 1 }, 'by a read for each token';
	$fake->reset;
	my @answers = map { answer($_) } ask('ann', google => 'ann-token'),
	    ask('eve', google => 'wrong-token'), ask('eve');
	is_deeply [ map { @{$_->{row}{resources}} > 0 ? 1 : 0 }
	    @answers ], [ 1, 0, 0 ], 'a wrong token or none sees nothing';
	$pool->stop;
}

# --- A 401 ------------------------------------------------------------------

{
	write_file("$dir/plugin", <<"END");
#!/bin/sh
echo x >>$dir/runs
token=alpha-token
test \$(wc -l <$dir/runs) -gt 1 || token=stale-token
echo '{"kind":"ExecCredential","status":{"token":"'\$token'"},
"apiVersion":"client.authentication.k8s.io/v1"}'
END
	chmod 0755, "$dir/plugin";
	my $pool = serve({ authProvider => 'exec',
	    exec => { command => "$dir/plugin" } });
	all_good('a crowd with a stale credential',
	    map { ask("user$_") } 1 .. $USERS);
	is_deeply reads(), { 'Bearer stale-token' => 1,
	    'Bearer alpha-token' => 1 }, 'asks once more, together';
	$pool->stop;
}

# --- stagedoor.fresh --------------------------------------------------------

{
	my $pool = serve({}, fresh => 2);
	$fake->behave(one => 'good');
	all_good('asked with fresh', ask('ann'));
	all_good('and again', map { ask("user$_") } 1 .. 3);
	is_deeply reads(), { 'Bearer alpha-token' => 1 }, 'by the same read';
	is request($web, 'DELETE', '/clusters/one/proxy/sink',
	    headers => [ @ann ])
	    ->{status}, 200, 'but after a write';
	all_good('it is asked again', ask('ann'));
	is_deeply reads(), { 'Bearer alpha-token' => 2 }, 'for new lists';
	sleep 2.1;
	all_good('and when they are old', ask('ann'));
	is_deeply reads(), { 'Bearer alpha-token' => 3 }, 'once more';
	$pool->stop;
}

log_has_no('no token is in any log', 'alpha-token', 'ann-token');
done_testing;
