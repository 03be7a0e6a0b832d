#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# WebSocket and SPDY through nginx's direct lane to fake clusters: what reaches
# them, what comes back, who is refused, how it ends, and that the pool holds
# nothing for them. STAGEDOOR_LONG=1: one that is silent for longer than nginx
# waits by default.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::BackstageTokens;
use Stagedoor::Visitor;
use Stagedoor::WebSocket;
use Time::HiRes qw(sleep time);

my $long = $ENV{STAGEDOOR_LONG} ? 70 : 1;
my $fake = fake(backstage => 1, clusters => [ map { { name => $_ } }
    qw(one two prefixed-cluster) ]);
my $audit = tempdir() . '/audit.jsonl';
my $port = free_port();
my $origin = "http://127.0.0.1:$port";
my @clusters = ('one', 'two', { name => 'readonly', of => 'one',
	readOnly => \1 },
    { name => 'wrong', of => 'one', serviceAccountToken => 'wrong-token' },
    { name => 'acting', of => 'two', impersonate => { groups => 'all' } },
    { name => 'below', url => $fake->url('prefixed-cluster') . '/k8s/c-1' },
    { name => 'mine', of => 'one', allow => ['user:default/bob'] },
    { name => 'gone', url => 'http://127.0.0.1:1' });
my $settings = settings(fake => $fake, source => 'params',
    clusters => \@clusters, stagedoor => { publicUrl => $origin,
	identity => { source => 'params', origins => [$origin] },
	audit => "file:$audit", limits => { connect => 1, cluster => 3 } });
my $pool = pool(settings => $settings, threads => 2);
my $web = nginx(pool => $pool, port => $port, lane => 1,
    server => Stagedoor::Visitor::SERVER);

my $exec = '/api/v1/namespaces/default/pods/shop-1/exec';
my %from_here = ('X-Test-User' => 'alice', Origin => $origin);

# An upgrade of alice's, from a page of ours.
sub upgraded {
	my ($path, %opt) = @_;
	my $to = delete $opt{to} // $web;
	my %headers = (%from_here, %{delete $opt{headers} // {}});
	delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
	my @headers = map { my $name = $_; map { [$name, $_] }
	    ref $headers{$name} ? @{$headers{$name}} : $headers{$name} }
	    sort keys %headers;
	return Stagedoor::WebSocket->connect($to, BASE . $path,
	    headers => \@headers, protocols => ['v5.channel.k8s.io'], %opt);
}

sub to {
	my ($name, $path, %opt) = @_;
	return upgraded("/clusters/$name/proxy" . ($path // $exec), %opt);
}

# What it may say of us to a client.
sub says_nothing {
	my ($answer) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is join(' ', grep { /^x-stagedoor|^set-cookie|authorization/i }
	    map { $_->[0] } @{$answer->{list}}), '', 'no header tells more';
	unlike $answer->{body}, qr/alpha-token|wrong-token/, 'no token';
}

# --- Through ----------------------------------------------------------------

my $path = '/api/v1/namespaces/a%2Fb;c/pods/x%20y/exec?command=a%2Bb+c'
    . '&x=%E2%82%AC&empty=';
for my $route (['the path', "/clusters/one/proxy$path", {}],
    ['the header', "/proxy$path", { 'Backstage-Kubernetes-Cluster' => 'one' }])
    { subtest "a WebSocket by $route->[0]" => sub {
	$fake->reset;
	my $ws = upgraded($route->[1], protocols => ['nonsense.k8s.io',
	    'v5.channel.k8s.io'], headers => { %{$route->[2]},
	    Cookie => 'portal=alice', 'Impersonate-User' => 'root',
	    Authorization => 'Bearer hers', 'X-Stagedoor-Authorization' => 'no',
	    'User-Agent' => 'kubectl/1' });
	is $ws->status, 101, 'goes through' or diag explain $ws->answer;
	is $ws->protocol, 'v5.channel.k8s.io', 'with its subprotocol';
	says_nothing($ws->answer);
	for my $n (1, 70_000, 1_000_000) {
		$ws->send("\0" . 'x' x $n);
		is length $ws->next->{data}, $n + 1, "$n bytes there and back";
	}
	my ($seen) = @{$fake->requests('one')};
	is "$seen->{rawPath}?$seen->{query}", $path,
	    'path and query byte for byte';
	my $headers = $seen->{headers};
	is $headers->{authorization}, 'Bearer alpha-token', 'our credential';
	is $headers->{host}, '127.0.0.1:' . $fake->port('one'), 'its host';
	is join(' ', grep { defined $headers->{$_} } qw(cookie
	    impersonate-user x-stagedoor-authorization x-test-user
	    x-stagedoor-user)), '', 'nothing of the client\'s or ours else';
	is $headers->{'user-agent'}, 'kubectl/1', 'but what may pass';
	$ws->drop;
} }

subtest 'SPDY' => sub {
	$fake->reset;
	my $spdy = to('one', "$exec?command=ls", method => 'POST',
	    upgrade => 'SPDY/3.1', headers => { 'X-Stream-Protocol-Version' =>
		[qw(v5.channel.k8s.io v4.channel.k8s.io)] });
	is $spdy->status, 101, 'goes through';
	is $spdy->answer->{headers}{'x-stream-protocol-version'},
	    'v4.channel.k8s.io', 'with its version';
	my $bytes = join '', map { chr } 0 .. 255;
	$spdy->write($bytes);
	is $spdy->take(256), $bytes, 'every byte, there and back';
	my ($seen) = @{$fake->requests('one')};
	is $seen->{headers}{authorization}, 'Bearer alpha-token', 'as us';
	is $seen->{headers}{upgrade}, 'SPDY/3.1', 'as it was asked for';
	is $seen->{headers}{'x-stream-protocol-version'},
	    'v5.channel.k8s.io, v4.channel.k8s.io', 'in each version';
	$spdy->drop;
};

subtest 'many clusters' => sub {
	my %at = (one => 'one', two => 'two', acting => 'two',
	    below => 'prefixed-cluster');
	$fake->reset;
	my @open = map { to($_, "$exec?command=for-$_") } sort keys %at;
	is join(' ', map { $_->status } @open), '101 101 101 101',
	    'are open at once';
	for my $name (sort keys %at) {
		my ($seen) = grep { $_->{query} eq "command=for-$name" }
		    @{$fake->requests};
		is $seen->{cluster}, $at{$name}, "$name is where it should be";
		is $seen->{rawPath}, ($name eq 'below' ? '/k8s/c-1' : '')
		    . $exec, 'on its path';
		is $seen->{headers}{'impersonate-user'}, $name eq 'acting'
		    ? 'user:default/alice' : undef, 'for whom';
	}
	$_->drop for @open;
};

subtest 'a credential of the client\'s' => sub {
	$fake->reset;
	my $ws = to('one', undef, headers => {
	    'Backstage-Kubernetes-Authorization' => 'Bearer user-token',
	    'Impersonate-User' => 'carol' });
	is $ws->status, 101, 'is one';
	my $headers = $fake->last_request('one')->{headers};
	is $headers->{authorization}, 'Bearer user-token', 'as it came';
	is $headers->{'impersonate-user'}, 'carol', 'and may impersonate';
	is $headers->{'backstage-kubernetes-authorization'}, undef,
	    'the header itself stays here';
	$ws->drop;
};

# --- Refused ----------------------------------------------------------------

my %refused = (
	nobody => [401, 'one', { 'X-Test-User' => undef }],
	'no cluster' => [404, 'none', {}],
	'not for alice' => [404, 'mine', {}],
	'for reading only' => [403, 'readonly', {}],
	'a foreign page' => [403, 'one', { Origin => 'http://127.0.0.1:1' }],
	'a foreign page of the same site' => [403, 'one',
	    { Origin => undef, 'Sec-Fetch-Site' => 'same-site' }],
	'who does not say from where' => [403, 'one', { Origin => undef }],
	'a token among the subprotocols' => [403, 'one',
	    { 'Sec-WebSocket-Protocol' => 'v5.channel.k8s.io, base64url.'
		. 'bearer.authorization.k8s.io.aGVycw' }],
);
for my $what (sort keys %refused) { subtest "refused: $what" => sub {
	my ($status, $name, $headers) = @{$refused{$what}};
	for my $way ([], [method => 'POST', upgrade => 'SPDY/3.1']) {
		next if @$way && $what =~ /subprotocol/;
		$fake->reset;
		my $ws = to($name, undef, headers => $headers, @$way);
		is $ws->status, $status, @$way ? 'SPDY' : 'WebSocket';
		my $body = body_of($ws->answer);
		ok ref $body->{error} && length $body->{error}{message},
		    'and why' or diag explain $ws->answer;
		says_nothing($ws->answer);
		is scalar @{$fake->settled('one')}, 0, 'no cluster heard of it';
	}
} }

subtest 'dot segments' => sub {
	for my $bad ('/../clusters', '/api/../../x', '/%2e%2e/x') {
		$fake->reset;
		is to('one', $bad)->status, 400, $bad;
		is scalar @{$fake->settled('one')}, 0, 'goes nowhere';
	}
	is upgraded('/proxy/../clusters')->status, 400, 'to another route';
};

subtest 'what a cluster refuses' => sub {
	my $ws = to('wrong');
	is $ws->status, 401, 'its 401';
	is body_of($ws->answer)->{kind}, 'Status', 'in its words';
	$ws = to('one', undef, protocols => ['nonsense.k8s.io']);
	is $ws->status, 403, 'its 403 for a subprotocol';
	like $ws->answer->{body}, qr/no subprotocol/, 'in its words';
	my $began = time;
	$ws = to('gone');
	like $ws->status, qr/^50[0234]$/, 'one that is not there: an answer';
	ok time - $began < 5, 'soon';
	says_nothing($ws->answer);
	is to('one')->status, 101, 'the others are there';
};

subtest 'own origin' => sub {
	my %none = (Origin => undef);
	is to('one', undef, headers => { %none,
	    'Sec-Fetch-Site' => 'same-origin' })->status, 101,
	    'a browser\'s word will do';
	is to('one', undef, headers => { 'Sec-Fetch-Site' => 'cross-site',
	    Origin => 'http://evil.test' })->status, 403, 'also against it';
};

# --- Not an upgrade ---------------------------------------------------------

subtest 'what is none' => sub {
	my $h2c = to('one', '/version', upgrade => 'h2c, foo');
	is $h2c->status, 200, 'h2c is offered with any request';
	is body_of($h2c->answer)->{gitVersion}, 'v1.31.0', 'which is answered';
	is get($web, '/clusters/one/proxy/version', headers => \%from_here)
	    ->{status}, 200, 'as those without are';
};

# --- Ends -------------------------------------------------------------------

sub open_at {
	my ($name) = @_;
	return $fake->connections($name)->{open};
}

subtest 'ends' => sub {
	my $before = open_at('two');
	my $ws = to('two');
	is open_at('two'), $before + 1, 'a connection of its own';
	$ws->drop;
	ok wait_for(sub { open_at('two') == $before }, 5, 'its end'),
	    'a client that leaves ends it';
	$ws = to('two');
	ok $ws->close, 'so does one that says so';
	ok wait_for(sub { open_at('two') == $before }, 5, 'its end'), 'too';
	$ws = to('two', "$exec?bye=1");
	$ws->send("\0x");
	is $ws->next->{data}, "\1x", 'what a cluster says at last';
	ok $ws->is_closed(5), 'comes before its end';
};

subtest 'silence' => sub {
	my $ws = to('one');
	sleep $long;
	$ws->send("\0still there");
	is $ws->next->{data}, "\1still there", "$long seconds of it";
	$ws->drop;
};

# --- The pool ---------------------------------------------------------------

sub kilobytes {
	my ($kb) = slurp('/proc/' . $pool->pid . '/status')
	    =~ /^VmRSS:\s+(\d+)/m;
	return $kb;
}

subtest 'the pool' => sub {
	my $files = $pool->process->open_files;
	my $kb = kilobytes();
	my @open = map { to('one', "$exec?chatter=0.2") } 1 .. 40;
	is scalar(grep { $_->status == 101 } @open), 40,
	    'forty are open, with two threads';
	my $began = time;
	is get($web, '/clusters', headers => \%from_here)->{status}, 200,
	    'and others are served' for 1 .. 5;
	ok time - $began < 2, 'at once';
	$_->reads(1, qr/tick\ntick/) for @open[0, 39];
	# nginx keeps a few connections to the pool.
	ok $pool->process->open_files - $files < 40, 'no file for each';
	ok kilobytes() - $kb < 4096, 'no memory'
	    or diag "$kb kB, then " . kilobytes();
	$_->drop for @open;
	my @lines = grep { $_->{event} eq 'request'
	    && $_->{path} =~ m{/one/proxy/.*/exec$} }
	    map { decode_json($_) } split /^/, slurp($audit);
	my ($last) = $lines[-1];
	is_deeply [@$last{qw(user cluster method credential result)}],
	    ['user:default/alice', 'one', 'GET', 'token', 'ok'],
	    'the audit log has each' or diag explain $last;
};

# --- Backstage's tokens -----------------------------------------------------

subtest 'who asks by a token of Backstage' => sub {
	my $tokens = Stagedoor::BackstageTokens->new;
	$fake->backstage_says(jwks => $tokens->jwks, permission => 'ALLOW');
	my $theirs = nginx(lane => 1, name => 'nginx-tokens', pool => pool(
	    settings => settings(fake => $fake, clusters => ['one', 'two'],
		auth => { externalAccess => [{ type => 'static', options =>
		    { token => 'static-token-1', subject => 'ext' } }] },
		more => { permission => { enabled => \1 } })));
	my $open = sub {
		my ($token) = @_;
		return to('one', undef, to => $theirs, headers =>
		    { 'X-Test-User' => undef, Origin => undef,
			defined $token ? (Authorization => "Bearer $token")
			    : () });
	};
	my $jane = $tokens->user('user:default/jane');
	$fake->reset;
	my $ws = $open->($jane);
	is $ws->status, 101, 'jane; a token needs no origin';
	is $fake->last_request('one')->{headers}{authorization},
	    'Bearer alpha-token', 'and stays here';
	is $open->()->status, 401, 'nobody';
	is $open->("${jane}x")->status, 401, 'a bad token';
	is $open->($tokens->limited('user:default/jane'))->status, 401,
	    'a token for reading pages';
	$fake->backstage_says(permission => 'DENY');
	is $open->($jane)->status, 403, 'who lacks the permission';
};

log_has_no('no token is in a log', qw(alpha-token wrong-token user-token));
done_testing;
