#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# kubectl exec, attach, port-forward, cp and logs through nginx with TLS, as
# whoever the token of Backstage's says, over WebSocket and SPDY, to a real API
# server and a node of kwok's.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Digest::SHA qw(sha256_hex);
use Stagedoor::PodPortal;
use Stagedoor::WebSocket;

my $portal = Stagedoor::PodPortal->start;
my $web = $portal->serve(threads => 2);
my ($cluster, $kwok) = ($portal->cluster, $portal->kwok);
my @ways = qw(websocket spdy);

sub env_of {
	my ($way) = @_;
	my $ws = $way eq 'websocket' ? 'true' : 'false';
	return { KUBECTL_REMOTE_COMMAND_WEBSOCKETS => $ws,
	    KUBECTL_PORT_FORWARD_WEBSOCKETS => $ws };
}

# kubectl as alice on that cluster, must go well: what it said.
sub kubectl {
	my ($way, $name, @args) = @_;
	my $how = ref $args[0] ? shift @args : {};
	my $ran = $portal->kubectl('alice', $name,
	    { %$how, env => env_of($way) }, @args);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $ran->{code}, 0, "$way, $name: $args[0]" or diag $ran->{err};
	return $ran;
}

# One that goes on meanwhile.
sub started {
	my ($way, $name, @args) = @_;
	return Stagedoor::Process->start(name => "kubectl-$args[0]",
	    env => env_of($way), command => [$portal->command('alice', $name,
	    @args)]);
}

sub says {
	my ($process, $pattern) = @_;
	wait_for(sub { $process->log_text =~ $pattern || $process->ended },
	    15, "kubectl to say $pattern");
	return $process->log_text;
}

my @pod = qw(pod-1 -c c1);
my @shell = (@pod, '--', 'sh', '-c');

# --- Each cluster, both ways ------------------------------------------------

my %by = (oidc => 'oidc:alice@example.test',
    acting => 'portal:user:default/alice',
    'plug-in' => 'system:serviceaccount:shop:runner',
    certificate => 'admin');

for my $way (@ways) {
	for my $name (sort keys %by) {
		my $mark = "$way-$name";
		my $ran = kubectl($way, $name, 'exec', @shell,
		    "echo out; echo err >&2; : $mark");
		is "$ran->{out}$ran->{err}", "out\nerr\n",
		    'both of its outputs, apart';
		my ($seen) = $cluster->audit(qr{/pods/pod-1/exec\?.*$mark});
		is +($seen->{impersonatedUser} // $seen->{user})->{username},
		    $by{$name}, 'the cluster knows who did it';
		is $seen->{verb}, $way eq 'websocket' ? 'get' : 'create',
		    "it was $way";
	}
}

# --- Everything that kubectl does in pods -----------------------------------

write_file($kwok->folder . '/data', my $data = join '',
    map { pack 'N', int rand 2 ** 32 } 1 .. 750_000);

for my $way (@ways) { subtest $way => sub {
	my $ran = kubectl($way, 'oidc', { stdin => "hello\n" }, 'exec', '-i',
	    @pod, qw(-- head -1));
	is $ran->{out}, "hello\n", 'exec -i';

	my $tty = join ' ', map { "'$_'" } $portal->command('alice', 'oidc',
	    'exec', '-it', @shell,
	    # What a terminal says last may get lost behind kwok.
	    'read x; sleep .3; stty size; tty >/dev/null && echo got $x; '
	    . 'sleep .5');
	$ran = run_command(['script', '-qec',
	    "stty rows 33 cols 101; $tty", '/dev/null'], env => env_of($way),
	    stdin => "typed\n");
	like $ran->{out}, qr/^33 101\r\ngot typed\r$/m,
	    'exec -it: a terminal, as large as ours';

	my $attached = started($way, 'oidc', qw(attach -q), @pod);
	wait_for(sub { $kwok->says('c1', "seen $way");
	    $attached->log_text =~ /^seen $way$/m || $attached->ended }, 15,
	    'kubectl attach');
	like $attached->log_text, qr/^seen $way$/m, 'attach';
	$attached->stop;

	my $copy = tempdir() . "/copy-$way";
	kubectl($way, 'oidc', 'cp', '-c', 'c1', 'pod-1:data', $copy);
	is sha256_hex(slurp($copy)), sha256_hex($data),
	    'cp out of a pod: three megabytes, the same';

	forwards($way);
} }

sub forwards {
	my ($way) = @_;
	my $process = started($way, 'oidc', qw(port-forward pod/pod-1 --address
	    127.0.0.1 :7 :80));
	my ($echo, $http) = says($process, qr/-> 7\n.*-> 80\n/s)
	    =~ /127\.0\.0\.1:(\d+) ->/g;
	my $to = Stagedoor::HTTP->new(port => $http // 1);
	is $to->get('/version', headers => { Authorization =>
	    'Bearer alpha-token' })->{status}, 200, 'port-forward: http';
	is scalar(grep { $_ eq 'whole' } at_once(12, $to)), 12,
	    'twelve at once';
	is echoed($echo // 1, 20_000_000), 'the same', 'an echo of 20 MB';
	ok !$process->ended, 'and it goes on';
	$process->stop;
}

sub at_once {
	my ($n, $to) = @_;
	my @children;
	for (1 .. $n) {
		my $pid = open(my $from, '-|') // die "fork: $!";
		if ($pid == 0) {
			my $got = $to->get('/bytes/300000', headers =>
			    { Authorization => 'Bearer alpha-token' });
			syswrite STDOUT, length $got->{body} == 300000
			    ? 'whole' : 'cut';
			POSIX::_exit(0);
		}
		push @children, $from;
	}
	return map { scalar readline $_ } @children;
}

# As many bytes there and back.
sub echoed {
	my ($port, $n) = @_;
	my $block = substr $data x 8, 0, $n;
	my ($sent, $back) = (0, Digest::SHA->new(256));
	my $socket = Stagedoor::HTTP::connect_to(
	    { host => '127.0.0.1', port => $port }) or return "none: $!";
	my $pump = Stagedoor::HTTP::Pump->new($socket, $block, {});
	my $until = time + 60;
	while ($sent < length $block) {
		my ($what, $bytes) = $pump->step($until);
		return "$what after $sent" if $what ne 'data';
		$back->add($bytes);
		$sent += length $bytes;
	}
	return $back->hexdigest eq sha256_hex($block) ? 'the same' : 'differs';
}

subtest 'logs' => sub {
	$kwok->says('c2', "line $_") for 1 .. 3;
	is kubectl('websocket', 'oidc', qw(logs pod-1 -c c2 --tail=2))->{out},
	    "line 2\nline 3\n", 'the last lines';
	my $follows = started('websocket', 'acting', qw(logs -f --tail=1 pod-1
	    -c c2));
	like says($follows, qr/line 3/), qr/\Aline 3\n\z/, 'logs -f';
	$kwok->says('c2', 'line 4');
	like says($follows, qr/line 4/), qr/\Aline 3\nline 4\n\z/,
	    'sees what comes, as it comes';
	$follows->stop;
};

# --- Who may not ------------------------------------------------------------

for my $way (@ways) { subtest "who may not: $way" => sub {
	my @exec = ({ env => env_of($way) }, 'exec', @pod, qw(-- true));
	for my $who (['oidc', qr/oidc:bob\@example\.test/],
	    ['acting', qr{portal:user:default/bob}]) {
		my $ran = $portal->kubectl('bob', $who->[0], @exec);
		isnt $ran->{code}, 0, "bob may not, on $who->[0]";
		like $ran->{err}, qr/forbidden.*$who->[1].*pods\/exec/si,
		    'says the cluster';
		$ran = $portal->kubectl('bob', $who->[0], qw(get pods));
		is $ran->{code}, 0, 'but may look' or diag $ran->{err};
	}
	my $ran = $portal->kubectl('carol', 'oidc', @exec);
	isnt $ran->{code}, 0, 'carol has not signed in';
	like $ran->{err}, qr/logged in|unauthori[sz]ed|401|sign in/i,
	    'and is told';
	$ran = $portal->kubectl('nobody', 'oidc', @exec);
	isnt $ran->{code}, 0, 'nobody';
	like $ran->{err}, qr/logged in|unauthori[sz]ed|401|illegal/i,
	    'is told';
	$ran = $portal->kubectl('alice', 'readonly', @exec);
	isnt $ran->{code}, 0, 'a cluster for reading only';
	like $ran->{err}, qr/read-only/, 'says so';
	my @users = map { ($_->{impersonatedUser} // $_->{user})->{username} }
	    $cluster->audit(qr{/exec\?.*command=true});
	is scalar(grep { !/bob/ } @users), 0,
	    'only bob got as far as the cluster' or diag "@users";
} }

subtest 'an unknown subprotocol' => sub {
	my $ws = Stagedoor::WebSocket->connect($web,
	    '/api/kubernetes/clusters/oidc/proxy/api/v1/namespaces/shop/pods'
	    . '/pod-1/exec?command=true&stdout=1&container=c1',
	    headers => { Authorization => 'Bearer ' . $portal->token('alice') },
	    protocols => ['nonsense.k8s.io']);
	is $ws->status, 403, 'the cluster\'s 403 comes back';
	ok !exists $ws->answer->{headers}{'sec-websocket-protocol'},
	    'and no subprotocol';
};

# --- Leaving ----------------------------------------------------------------

for my $way (@ways) { subtest "kubectl is killed: $way" => sub {
	my $mark = "killed-$way";
	my $left = started($way, 'oidc', 'exec', @shell,
	    ": $mark; echo runs; sleep 300");
	says($left, qr/runs/);
	my $ended = sub { scalar grep { $_->{stage} eq 'ResponseComplete' }
	    $cluster->audit(qr{/exec\?.*$mark}) };
	is $ended->(), 0, 'it runs';
	$left->signal('KILL');
	ok wait_for($ended, 15, 'the end'), 'the cluster knows that it left';
} }

log_has_no('no token is in a log', map { $portal->token($_) }
    qw(alice bob carol));
done_testing;
