#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A cluster with live = true is listed and watched, and answered for from
# memory while its watches are open; whatever happens to these, each answer is
# the one that reading directly gives.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Fake::Live;

use Fcntl qw(F_SETFD);
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

my $port = free_port();
my @fake = (class => 'Stagedoor::Fake::Live', name => 'one', port => $port);
my $fake = fake(clusters => [{ @fake }]);
my $backstage = fake(backstage => 1);
# The same cluster twice: from memory, and directly with another token.
my @clusters = map { { url => "http://127.0.0.1:$port", authProvider =>
    'serviceAccount', skipMetricsLookup => \1, %$_ } }
    ({ name => 'live', live => \1, serviceAccountToken => 'alpha-token' },
    { name => 'direct', serviceAccountToken => 'file-token' });

sub settings_with {
	my (%live) = @_;
	return settings(fake => $backstage, clusters => \@clusters,
	    kubernetes => { objectTypes => [qw(pods configmaps limitranges)] },
	    stagedoor => { limits => { connect => 1, cluster => 1 },
		breaker => { failures => 100 }, live => \%live,
		audit => 'off' });
}

my $pool = pool(settings => settings_with());

# The rows' objects by name of cluster; undef where one has errors.
sub query {
	my $answer = post($pool, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	my %rows;
	for my $item (@{body_of($answer)->{items}}) {
		my $name = $item->{cluster}{name};
		$rows{$name} = @{$item->{errors}} ? undef
		    : encode_json($item->{resources});
	}
	return \%rows;
}

# Lists for the live row that went to the cluster since the last reset.
sub reads {
	return grep { $_->{headers}{authorization} eq 'Bearer alpha-token'
	    && $_->{query} =~ /labelSelector/ } @{$fake->requests('one')};
}

# Is the row from memory, whole?
sub from_memory {
	$fake->reset;
	my $rows = query();
	return defined $rows->{live} && !reads();
}

# Both rows are what was last said, at once or soon.
sub agrees {
	my ($what) = @_;
	my ($live, $direct, $told);
	my $version = $fake->tell('one', change => 'v1/configmaps', {
	    metadata => { name => 'mark', namespace => 'default',
		labels => { 'backstage.io/kubernetes-id' => 'shop' } },
	    data => { said => $what } });
	for (1 .. 100) {
		($live, $direct) = @{query()}{qw(live direct)};
		last if ($live // '') eq ($direct // '-')
		    && $live =~ /"\Q$what\E"/;
		sleep 0.02;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $live, $direct, "$what: as read directly";
	like $live, qr/"\Q$what\E"/, "$what: what changed is seen";
}

sub is_back {
	my ($what, $seconds) = @_;
	my $began = time;
	wait_for(\&from_memory, $seconds, "$what: from memory again");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	pass sprintf '%s: from memory again after %.1f s', $what,
	    time - $began;
}

# After failures in a row it would take longer and longer; a reload tries at
# once.
sub forget_failures {
	my ($read) = scalar(() = $pool->log_text =~ /settings are read/g);
	$pool->reload(@_);
	wait_for(sub { $read < (() = $pool->log_text =~ /settings are read/g) },
	    10, 'the reload');
}

# --- Listed and watched -------------------------------------------------------

ok defined query()->{live}, 'the first who asks is answered directly';
is scalar reads(), 3, 'by reading';
is_back('the first', 5);
{
	$fake->reset;
	query() for 1 .. 5;
	is scalar(grep { $_->{headers}{authorization} eq
	    'Bearer alpha-token' } @{$fake->requests('one')}), 0,
	    'then nothing is asked any more';
}
agrees('an event');
$fake->tell('one', remove => 'v1/pods', 'default', 'shop-2');
for (1 .. 100) {
	last if query()->{live} !~ /shop-2/;
	sleep 0.02;
}
unlike query()->{live}, qr/shop-2/, 'what is deleted is gone';

# --- Watches that end ---------------------------------------------------------

my %faults = (
	'an end' => 'end', 'a reset' => 'reset', 'a long event' => 'long',
	'garbage' => "<html>\n",
	'410' => '{"type":"ERROR","object":{"code":410}}',
	'500' => '{"type":"ERROR","object":{"code":500}}',
);
for my $name (sort keys %faults) {
	forget_failures();
	$fake->tell('one', fault => watch => $faults{$name});
	agrees($name);
	is_back($name, 3);
}

# --- Lists and watches that are refused ---------------------------------------

forget_failures();
$fake->tell('one', fault => slow_list => 0.7);
$fake->tell('one', fault => watch => 'end');
agrees('a slow list');
is_back('a slow list', 4);
forget_failures();
$fake->tell('one', fault => slow_list => 0);
$fake->tell('one', fault => page => 2);
$fake->tell('one', fault => watch => 'end');
agrees('pages');
is_back('pages', 3);
forget_failures();

$fake->tell('one', fault => retry_after => 2);
$fake->tell('one', fault => refuse_list => 429);
$fake->tell('one', fault => watch => 'end');
agrees('too many');
sleep 0.5;
$fake->tell('one', fault => refuse_list => 0);
$fake->reset;
my $began = time;
is_back('too many', 6);
cmp_ok time - $began, '>', 1, 'not before it was told to ask again';

# --- A server that hangs, one that ends and starts again ----------------------

forget_failures();
$fake->{process}->signal('STOP');
$began = time;
my $from_memory = 0;
while (time - $began < 20) {
	last if !defined query()->{live};
	$from_memory++;
	sleep 0.2;
}
cmp_ok time - $began, '<', 15,
    'a server that hangs is not answered for any more after 15 s';
ok $from_memory > 0, 'but before that is found';
$fake->{process}->signal('CONT');
agrees('one that hung');
is_back('one that hung', 15);
forget_failures();

$fake->stop;
for (1 .. 50) {
	last if !defined query()->{live};
	sleep 0.02;
}
ok !defined query()->{live}, 'nor is one that has ended';
$fake = fake(clusters => [{ @fake }]);
agrees('a new server');
is_back('a new server', 15);

# --- Reloads, memory, the end -------------------------------------------------

$clusters[0]{title} = 'Another';
forget_failures(settings_with(memory => 1048576));
$fake->reset;
query();
is scalar reads(), 0, 'a reload goes on with the same watches';
$fake->tell('one', change => 'v1/pods', { metadata => { namespace => 'big',
    name => "big-$_" }, pad => 'x' x 60000 }) for 1 .. 20;
wait_for(sub { $pool->log_text =~ /pods is read directly.*live\.memory/ }, 5,
    'the bound is met');
agrees('too large for memory');
$fake->reset;
query();
is_deeply [map { $_->{rawPath} } reads()], ['/api/v1/pods'],
    'what does not fit is read directly, the others are not';

$fake->tell('one', fault => refuse_watch => 403);
$fake->tell('one', fault => watch => 'end');
wait_for(sub { $pool->log_text =~ /read directly.*the cluster answered 403/ },
    10, 'the refusal');
agrees('no watch allowed');

$fake->tell('one', fault => refuse_watch => 0);
forget_failures();
wait_for(sub { $fake->tell('one', 'watching') >= 2 }, 10, 'watches');
$began = time;
$pool->stop;
cmp_ok time - $began, '<', 2, 'a pool that ends waits for no watch';

# --- Two accounts of one cluster ----------------------------------------------

# The usage that one has read is not shown to the other.
{
	my %token = (may => 'alpha-token', other => 'file-token');
	my $catalog = fake(backstage => 1, entities => [ map { {
		apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
		metadata => { name => $_, annotations => {
		    'backstage.io/kubernetes-id' => 'shop' } },
		relations => [ { type => 'dependsOn',
		    targetRef => "resource:default/$_" } ] } }
	    sort keys %token ]);
	my $two = pool(settings => settings(fake => $catalog, clusters => [
	    map { { url => "http://127.0.0.1:$port", name => $_, live => \1,
		authProvider => 'serviceAccount',
		serviceAccountToken => $token{$_} } } sort keys %token ],
	    kubernetes => { objectTypes => ['pods'],
		serviceLocatorMethod => { type => 'catalogRelation' } },
	    stagedoor => { audit => 'file:' . tempdir() . '/audit',
		live => { metrics => 60 } }));
	my @by;
	for my $who (qw(may may other other)) {
		$fake->reset;
		post($two, '/resources/workloads/query',
		    json => { entityRef => "component:default/$who" });
		push @by, map { "$who: $_->{headers}{authorization}" }
		    grep { $_->{rawPath} =~ m{/metrics\.k8s\.io/} }
		    @{$fake->requests('one')};
	}
	# of two namespaces each
	is_deeply \@by, [ map { ("$_: Bearer $token{$_}") x 2 }
	    qw(may other) ], 'usage is read once, by each account for itself';

	my $none = sub { post($two, '/resources/custom/query', json => {
	    entityRef => 'component:default/may', customResources => [
	    { group => '', apiVersion => 'v1', plural => 'configmaps' },
	    { group => 'x.test', apiVersion => 'v1', plural => 'nones' } ]
	    })->{status} };
	$none->();
	wait_for(sub { $two->log_text =~ /configmaps is watched/ }, 5, 'it');
	is $none->(), 200, 'of two kinds one is not there';
	my ($last) = slurp(tempdir() . '/audit') =~ /(.*)\n\z/;
	is decode_json($last)->{result}, 'in part',
	    'and the audit log knows that the other came from memory';
	$two->stop;
}

# --- Who has a lane -----------------------------------------------------------

# systemd's socket is descriptor 3, that of web servers and the like is 0.
my $launch = <<'END';
$^F = 99;
open my $s, '<&=', $ENV{SOCKET_FD} or die;
POSIX::dup2(fileno $s, $ENV{AS}) // die;
@ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$) if $ENV{AS} == 3;
exec @ARGV;
END
for my $fd (0, 3) {
	my $path = tempdir() . "/inherited-$fd.sock";
	my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 8)
	    or die "$path: $!";
	$socket->fcntl(F_SETFD, 0);
	my $process = Stagedoor::Process->start(name => "inherited-$fd",
	    command => [$^X, '-MPOSIX', '-e', $launch, stagedoor_bin(),
		'serve', '-c', $pool->config_file],
	    env => Stagedoor::Pool::clean_env({ AS => $fd,
		SOCKET_FD => fileno $socket }));
	my $client = Stagedoor::FastCGI->new(path => $path);
	$fake->reset;
	is post($client, '/resources/workloads/query', json => { entityRef =>
	    'component:default/shop' })->{status}, 200, "descriptor $fd";
	my $watches = sub { scalar grep { $_->{query} =~ /watch=/ }
	    @{$fake->requests('one')} };
	if ($fd == 3) {
		wait_for(sub { $watches->() >= 2 }, 5, 'watches');
	} else {
		sleep 0.4;
	}
	is $watches->() > 0, $fd == 3, $fd == 3 ? 'under systemd it watches'
	    : 'nothing is watched where many processes may be started';
	$process->stop;
}
log_has_no('no token in the logs', qw(alpha-token file-token));

done_testing;
