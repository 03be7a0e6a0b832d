# SPDX-License-Identifier: Apache-2.0
package Bench::Lanes;

# The direct lane, and what is long: watches, large answers.

use strict;
use warnings;
use Bench::Cost qw(memory_mib);
use Bench::Wrk qw(leg median);
use IO::Select;
use IO::Socket::INET;
use Stagedoor::Util qw(program);
use Time::HiRes qw(time);

my $watch = '/clusters/c1/proxy/api/v1/pods?watch=true';

# servers, contest, watches (how many), mib (of the large answer).
sub new {
	my ($class, %of) = @_;
	my $self = bless { %of, report => $of{contest}->report }, $class;
	$self->{system} = $of{servers}->start_pool('lane', lane => 1,
		clusters => [ $of{servers}->clusters(1) ]);
	$of{servers}->first_answer($self->{system});
	return $self;
}

# Against the same way with the least that can be asked.
sub measure_direct {
	my ($self) = @_;
	my $system = $self->{system};
	my $c = $self->{contest};
	my $pair = { %{Bench::Contest::proxy($system)},
		name => 'auth_request', headers => [],
		url => "$system->{front}{pair_url}/version",
		processes => [ $system->{front}{process},
		    $system->{front}{empty} ] };
	my ($mine, $least, $plain) = $c->hold('direct lane, small GET',
		{ %{Bench::Contest::proxy($system)}, name => 'direct lane' },
		$pair, Bench::Contest::plain($system, kind => 'get',
		    url => '/version'));
	$self->{report}->bar('direct lane: requests per second, by ' .
		'auth_request to nothing and proxy_pass', 0.8,
		$c->quotient(rate => $mine, $least));
	$self->{report}->ratio('that pair: requests per second, by those of '
		. 'proxy_pass alone', $c->quotient(rate => $least, $plain));
}

# Sockets that have their answer's head: the status line, and the head.
sub ask {
	my ($url, @headers) = @_;
	my ($host, $port, $path) = $url =~ m{^http://([^:]+):(\d+)(/.*)};
	my $socket = IO::Socket::INET->new(PeerAddr => $host,
		PeerPort => $port) or die "$url: $!";
	syswrite $socket, join("\r\n", "GET $path HTTP/1.1",
		"Host: $host:$port", @headers, '', '');
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		IO::Select->new($socket)->can_read(20)
		    && sysread($socket, $head, 65536, length $head)
		    or die "$url: no answer\n";
	}
	return ($socket, $head);
}

sub open_watches {
	my ($self) = @_;
	my @open;
	for (1 .. $self->{watches}) {
		my ($socket, $head) = ask($self->{system}{url} . $watch);
		die "a watch is refused: $head" if $head !~ m{^HTTP/1.1 200\b};
		push @open, $socket;
	}
	return @open;
}

# Queries without them and with them, in turn.
sub measure_watches {
	my ($self) = @_;
	my $system = $self->{system};
	my $query = Bench::Contest::query($system, $self->{contest}->users);
	my $seconds = $self->{contest}->seconds;
	my ($closed, @grown, @quotients) = (0);
	$self->{contest}->warm($query);
	for (1 .. $self->{contest}->rounds) {
		my $without = leg(%$query, seconds => $seconds)->{rate};
		my ($small) = memory_mib($system->{server});
		my @open = $self->open_watches;
		my ($large) = memory_mib($system->{server});
		push @grown, $large - $small;
		my $with = leg(%$query, seconds => $seconds)->{rate};
		push @quotients, $with / $without;
		$closed += grep { IO::Select->new($_)->can_read(0) } @open;
		close $_ for @open;
	}
	my $text = "$self->{watches} watches in the direct lane";
	$self->{report}->limit("$text: growth of the pool, MiB",
		(sort { $b <=> $a } @grown)[0], 16);
	$self->{report}->bar("$text: queries per second, by those without",
		0.9, median(@quotients));
	$self->{report}->limit("$text: that ended meanwhile", $closed, 1);
}

sub measure_streams {
	my ($self) = @_;
	my $system = $self->{servers}->start_pool('streams', stagedoor =>
		{ streams => 4 },
		clusters => [ $self->{servers}->clusters(1) ]);
	$self->{servers}->first_answer($system);
	my @open = map { [ ask("$system->{url}$watch&event=1") ] } 1 .. 5;
	my $good = grep { $_->[1] =~ m{^HTTP/1.1 200\b} } @open;
	my $head = $open[4][1];
	$self->{report}->check('long answers through the module, streams = 4:'
		. ' so many are let in', $good == 4);
	$self->{report}->check('and the next gets 503 with Retry-After',
		$head =~ m{^HTTP/1.1 503\b} && $head =~ /^Retry-After: \d/mi);
	close $_->[0] for @open;
}

# Seconds for all of it.
sub fetch_all {
	my ($url) = @_;
	my $began = time;
	system(program('curl'), '-sf', '-o', '/dev/null', '-H',
		'Backstage-Kubernetes-Cluster: c1', $url) == 0
	    or die "curl failed: $url\n";
	return time - $began;
}

sub measure_large {
	my ($self) = @_;
	my $mib = $self->{mib};
	my $system = $self->{ours};
	my $url = $self->{servers}{upstream}->put_large('large', $mib);
	my (@ours, @plain, @direct);
	for (0 .. $self->{contest}->rounds) {	# the first to be warm
		push @plain, fetch_all("$system->{front}{plain_url}/large");
		push @ours, fetch_all("$system->{url}/proxy/large");
		push @direct, fetch_all("$self->{system}{url}/proxy/large");
	}
	shift @$_ for \@plain, \@ours, \@direct;
	my $by = sub { median(map { $plain[$_] / $_[$_] } 0 .. $#plain) };
	$self->{report}->bar("$mib MiB through the module: speed, by " .
		"proxy_pass", 0.8, $by->(@ours));
	$self->{report}->ratio("$mib MiB in the direct lane: speed, by " .
		"proxy_pass", $by->(@direct));
}

1;
