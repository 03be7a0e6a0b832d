#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# SIGTERM lets what is under way finish, bounded by a deadline; SIGHUP reads
# the settings again without dropping a request, and bad ones change nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant BIG => 300 * 1024 * 1024;

my $fake = fake(clusters => [{ name => 'one' },
    { name => 'slow', behaviour => 'slow' }], backstage => 1);

sub titled {
	my ($title, %stagedoor) = @_;
	return settings(fake => $fake, stagedoor => \%stagedoor, clusters => [
	    { name => 'one', title => $title },
	    { name => 'slow', title => $title }]);
}

# A child asks through the web server; its answer comes by a pipe.
sub ask_aside {
	my ($ask) = @_;
	pipe my $read, my $write or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid) {
		print {$write} $ask->();
		close $write;
		POSIX::_exit(0);
	}
	close $write;
	return sub { my $text = do { local $/; <$read> };
	    waitpid $pid, 0; return $text };
}

sub titles {
	my ($answer) = @_;
	return join ',', map { $_->{cluster}{title} // $_->{title} }
	    @{body_of($answer)->{items}};
}

my $query = { entityRef => 'component:default/shop' };

{
	my $pool = pool(settings => titled('old'));
	my $web = nginx(pool => $pool);
	my $wait = ask_aside(sub { titles(post($web,
	    '/resources/workloads/query', json => $query)) });
	sleep 0.25;
	$pool->reload(titled('new'));
	wait_for(sub { titles(get($web, '/clusters')) eq 'new,new' }, 5,
	    'the new settings');
	is $wait->(), 'old,old', 'a request keeps the settings it began with';

	my $failed = 0;
	for my $round (1 .. 8) {
		$pool->reload(titled("round $round"));
		$failed += get($web, '/clusters')->{status} != 200
		    for 1 .. 25;
	}
	is $failed, 0, 'no request is dropped by eight reloads';
	wait_for(sub { titles(get($web, '/clusters')) eq
	    'round 8,round 8' }, 5, 'the last settings');

	my $bad = titled('bad');
	$bad->{kubernetes}{clusterLocatorMethods}[0]{clusters}[0]{url} = 5;
	$pool->reload($bad);
	wait_for(sub { $pool->log_text =~ /old ones stay/ }, 5, 'a refusal');
	is titles(get($web, '/clusters')), 'round 8,round 8',
	    'bad settings keep the old ones';
	like $pool->log_text, qr/clusters\[0\]\.url/, 'and the log says why';

	$pool->reload(titled('bad', caFile => '/nonexistent'));
	wait_for(sub { $pool->log_text =~ /caFile.*cannot/ }, 5,
	    'a refusal');
	is titles(get($web, '/clusters')), 'round 8,round 8',
	    'nor is a caFile used that cannot be read';
	$pool->reload(titled('x', threads => 7, listen => 'unix:/x',
	    socketMode => '0600'));
	wait_for(sub { titles(get($web, '/clusters')) eq 'x,x' }, 5,
	    'the new settings');
	like $pool->log_text, qr/\.$_ has changed: that needs a restart/,
	    "$_ needs a restart, and the log says so"
	    for qw(threads listen socketMode);
	is $pool->stop, 0, 'exit code 0';
}

{
	my $pool = pool(settings => titled('x'));
	my $web = nginx(pool => $pool);
	my $wait = ask_aside(sub {
		my $got = 0;
		get($web, '/clusters/one/proxy/bytes/' . BIG, timeout => 60,
		    on_body => sub { $got += length $_[0]; sleep 0.0005 });
		return $got;
	});
	sleep 0.5;
	my $code = $pool->stop;
	is $wait->(), BIG, 'a slow reader of 300 MB gets every byte';
	is $code, 0, 'and the program ends well';
}

{
	my $pool = pool(settings => titled('x', limits => { drain => 1 }));
	my $web = nginx(pool => $pool);
	my $wait = ask_aside(sub { get($web, '/clusters/one/proxy/forever',
	    timeout => 20)->{status} // 'none' });
	sleep 0.5;
	my $began = time;
	is $pool->stop, 0, 'an answer without end does not hold the exit';
	my $took = time - $began;
	ok $took > 0.8 && $took < 4, 'it ends by the deadline of limits.drain'
	    or diag("it took $took s");
	$wait->();
}

{
	my $pool = pool(settings => titled('x'), threads => 2);
	my @idle = map { IO::Socket::UNIX->new(Peer => $pool->socket)
	    // die "connect: $!" } 1 .. 30;
	my $began = time;
	is get($pool, '/clusters')->{status}, 200,
	    'thirty idle connections hold neither of two threads';
	ok time - $began < 2, 'the answer is not late';
	is $pool->stop, 0, 'nor do they hold the exit';
	my $end = sysread $idle[0], my $byte, 1;
	is $end, 0, 'they are closed at once';
}

done_testing;
