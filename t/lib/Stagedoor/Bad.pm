# SPDX-License-Identifier: Apache-2.0
# What every answer to bad input must be: an error in the contract's form (or
# its empty 404), one line in the log, nothing leaked, and a pool that goes on
# answering with as many threads and connections as before.
package Stagedoor::Bad;

use strict;
use warnings;

use Exporter qw(import);
use Stagedoor::HTTP;
use Stagedoor::JSON qw(kind_of);
use Stagedoor::Util qw(wait_for);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(error_is empty_404_is refused_is one_line_for
    still_well vitals);

sub _up(&) {
	my ($code) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	return $code->();
}

# The contract's error body with this status and name. Returns it.
sub error_is {
	my ($answer, $status, $name, $what) = @_;
	my $body = Stagedoor::HTTP::json($answer);
	my $why = _no_error($answer, $body);
	_up {
		Test::More::is($why // "$answer->{status} "
		    . $body->{error}{name}, "$status $name", $what)
		    or Test::More::diag(Test::More::explain($answer));
	};
	return $body // {};
}

# Any refusal of ours: a status from 400 on with the contract's body.
sub refused_is {
	my ($answer, $what) = @_;
	my $why = _no_error($answer, Stagedoor::HTTP::json($answer));
	_up {
		Test::More::is($why, undef, $what)
		    or Test::More::diag(Test::More::explain($answer));
	};
}

# undef if it is an error in the contract's form.
sub _no_error {
	my ($answer, $body) = @_;
	return 'timeout' if $answer->{timeout};
	return $answer->{error} if $answer->{error};
	return "status $answer->{status}" if $answer->{status} < 400;
	return 'no JSON' if kind_of($body) ne 'object'
	    || ($answer->{headers}{'content-type'} // '')
	    ne 'application/json; charset=utf-8';
	return 'no error' if kind_of($body->{error}) ne 'object'
	    || kind_of($body->{error}{name}) ne 'string'
	    || kind_of($body->{error}{message}) ne 'string';
	return 'no response.statusCode'
	    if ($body->{response}{statusCode} // 0) != $answer->{status};
	return 'no request' if !exists $body->{request}{method}
	    || !exists $body->{request}{url};
	return undef;
}

sub empty_404_is {
	my ($answer, $what) = @_;
	my $seen = $answer->{error} // ($answer->{timeout} ? 'timeout'
	    : "$answer->{status} '$answer->{body}' "
	    . ($answer->{headers}{'content-type'} // 'untyped'));
	_up { Test::More::is($seen, "404 '' untyped", $what) };
}

# The code must add exactly one line to the pool's log, and perhaps one of the
# audit log. Returns the former.
sub one_line_for {
	my ($pool, $what, $code) = @_;
	my $before = length $pool->log_text;
	$code->();
	my $new = eval {
		wait_for(sub { substr $pool->log_text, $before }, 5, 'a line');
	} // '';
	my @lines = grep { !/^\{"time":.*\}$/ } split /\n/, $new;
	_up {
		Test::More::is(scalar @lines, 1, $what)
		    or Test::More::diag($new);
	};
	return $lines[0] // '';
}

# --- Is the pool as well as before? -----------------------------------------

# What a client could leave behind: threads, and connections to the pool's
# socket. (Those to clusters are kept on purpose, and bounded.)
sub vitals {
	my ($pool) = @_;
	my ($threads, $now) = (0, _threads($pool));
	while ($threads != $now) {	# until all have started
		sleep 0.1;
		($threads, $now) = ($now, _threads($pool));
	}
	return { threads => $now, connections => _connections($pool) };
}

# The server's ends of connections have its name, which may be longer than
# the one it listens under (bound first, then renamed).
sub _connections {
	my ($pool) = @_;
	my $path = $pool->socket;
	my $count = 0;
	open my $fh, '<', '/proc/net/unix' or die "/proc/net/unix: $!";
	while (<$fh>) {
		my $name = (split)[7] // next;
		$count++ if index($name, $path) == 0;
	}
	return $count;
}

sub _threads {
	my ($pool) = @_;
	my @tasks = glob '/proc/' . $pool->pid . '/task/*';
	return scalar @tasks;
}

# As many good requests at once as it has threads are answered at once, and
# nothing was left open.
sub still_well {
	my ($pool, $before, $threads, $what) = @_;
	my $start = time;
	my @kids = map { _ask_aside($pool) } 1 .. $threads;
	my $good = grep { waitpid $_, 0; $? == 0 } @kids;
	my $seconds = time - $start;
	my $left = eval { wait_for(sub { _no_more_than($pool, $before) },
	    5, 'connections to be closed') };
	_up {
		Test::More::is($good, $threads, "$what: all threads answer");
		Test::More::cmp_ok($seconds, '<', 5, 'and at once');
		Test::More::ok($left, 'no connection or thread is left over')
		    or Test::More::diag(Test::More::explain($before,
		    vitals($pool)));
	};
}

sub _no_more_than {
	my ($pool, $before) = @_;
	return _threads($pool) <= $before->{threads}
	    && _connections($pool) <= $before->{connections};
}

sub _ask_aside {
	my ($pool) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	my $answer = $pool->get('/api/kubernetes/clusters', timeout => 5);
	POSIX::_exit(($answer->{status} // 0) == 200 ? 0 : 1);
}

1;
