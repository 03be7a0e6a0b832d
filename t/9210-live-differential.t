#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The live lane against reading: one real cluster stands in the settings
# twice, once with live = true. Whatever happens to its objects, at every
# quiet point both rows are the same, byte for byte, and those of the lane
# come from memory. The seed is printed; STAGEDOOR_SEED=N does the same again,
# STAGEDOOR_LONG=1 goes on for minutes.
use Stagedoor::Test;
use Stagedoor::Cluster;
use Stagedoor::Relay;
use Time::HiRes qw(sleep time);

my $seed = $ENV{STAGEDOOR_SEED} // time ^ $$;
note "STAGEDOOR_SEED=$seed";
srand $seed;
my $rounds = $ENV{STAGEDOOR_LONG} ? 400 : 11;

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
$cluster->kubectl(qw(create clusterrolebinding all --clusterrole=cluster-admin
	--serviceaccount=demo:writer));
my $relay = Stagedoor::Relay->start(port => $cluster->port);
my %token = map { $_ => $cluster->token($_) } qw(reader doomed writer);

# --- What is asked ------------------------------------------------------------

my @spaces = qw(n n-a na demo);
my @keys = qw(app tier example.org/part backstage.io/kubernetes-id);
my @values = ('', 'a', 'b', 'A', '7', '10', 'x.y_z-0');

sub pick { return $_[rand @_] }
sub times_of { my ($n, $what) = @_; return map { $what->() } 1 .. $n }

sub random_requirement {
	my ($key, $value) = (pick(@keys), pick(@values));
	my $some = join ',', times_of(1 + int rand 3, sub { pick(@values) });
	return pick("$key=$value", "$key == $value", "$key!=$value", $key,
		"!$key", "$key in ($some)", "$key notin ($some)", "$key>7",
		"$key<10", "$key=$value");
}

# Some of it is nothing that an API server takes.
sub random_selector {
	my $text = join pick(',', ', '),
	    times_of(1 + int rand 3, \&random_requirement);
	return $text if rand() < 0.85;
	my $at = int rand length $text;
	return substr($text, 0, $at)
	    . pick(split(/ /, '( ) = ! , > < - / _'), ' ', '')
	    . substr($text, $at + int rand 2);
}

my @selectors = ('', ' ', 'app=a', 'app', '!app', 'tier in (a,b)',
	'tier notin (a)', 'app=a,tier!=b', 'example.org/part>8',
	'backstage.io/kubernetes-id=shop',
	times_of($ENV{STAGEDOOR_LONG} ? 500 : 28, \&random_selector));
my $n = 0;
my @questions = map { my $text = $_;
    { name => 'q' . $n++, selector => $text,
	namespace => pick('', '', '', @spaces, 'nowhere') } } @selectors;
# The first few are asked at each quiet point.
push @questions, { name => 'all', selector => 'app', namespace => '' },
    { name => 'wide', selector => 'app=a', namespace => 'n' };

my $fake = fake(clusters => [], backstage => 1, entities => [ map { {
	apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
	metadata => { name => $_->{name}, annotations => {
		'backstage.io/kubernetes-label-selector' => $_->{selector},
		$_->{namespace} eq '' ? () :
		    ('backstage.io/kubernetes-namespace' => $_->{namespace}),
	} } } } @questions ]);

my @custom = map { { group => 'stagedoor.test', apiVersion => 'v1',
    plural => $_ } } qw(widgets gadgets globals);
my @types = qw(secrets persistentvolumes pods services configmaps limitranges
    deployments);

sub entry {
	my ($name, $account, %more) = @_;
	return { name => $name, url => $cluster->url,
		caData => $cluster->ca_data, customResources => \@custom,
		serviceAccountToken => $token{$account}, %more };
}
my $pool = pool(settings => settings(fake => $fake, clusters => [
	entry('direct', 'doomed'),
	entry('live', 'reader', live => \1,
	    url => 'https://127.0.0.1:' . $relay->port),
	entry('changes', 'writer') ],
	kubernetes => { objectTypes => \@types },
	stagedoor => { catalog => { fresh => 60 },
	    live => { metrics => 0.1 }, limits => { cluster => 15 } }));

# --- Changes -----------------------------------------------------------------

my %path = (pods => '/api/v1', services => '/api/v1', secrets => '/api/v1',
	configmaps => '/api/v1', limitranges => '/api/v1',
	deployments => '/apis/apps/v1', widgets => '/apis/stagedoor.test/v1',
	gadgets => '/apis/stagedoor.test/v1',
	globals => '/apis/stagedoor.test/v1', persistentvolumes => '/api/v1');
my %wide = map { $_ => 1 } qw(persistentvolumes globals);
my $image = { name => 'c', image => 'registry.invalid/c:1' };
my %body = (
	pods => sub { (spec => { containers => [ $image ] }) },
	services => sub { (spec => { ports => [ { port => 80 } ] }) },
	secrets => sub { (stringData => { password => 'opensesame' }) },
	configmaps => sub { (data => { text => "\x{2603} <" . rand() . '>',
	    rand() < 0.1 ? (big => 'x' x 300_000) : () }) },
	limitranges => sub { (spec => { limits => [ { type => 'Pod',
	    max => { cpu => '2' } } ] }) },
	deployments => sub { (spec => { selector => { matchLabels =>
	    { d => 'd' } }, template => { metadata => { labels =>
	    { d => 'd' } }, spec => { containers => [ $image ] } } }) },
	persistentvolumes => sub { (spec => { capacity => { storage => '1Gi' },
	    accessModes => ['ReadWriteOnce'], hostPath => { path => '/x' } }) },
	map { $_ => sub { (spec => { size => rand(), z => 1, a => [ 1.50 ] }) }
	} qw(widgets gadgets globals),
);
my %kind = (widgets => 'Widget', gadgets => 'Gadget', globals => 'Global');

sub change {
	my ($method, $target, $body, $type) = @_;
	my $answer = request($pool, $method, "/clusters/changes/proxy$target",
		headers => [ $body ? [ 'Content-Type',
		    $type // 'application/json' ] : () ],
		body => $body ? encode_json($body) : undef, timeout => 30);
	return $answer;
}

sub at {
	my ($what) = @_;
	return $path{$what} if $wide{$what};
	return "$path{$what}/namespaces/" . pick(@spaces);
}

sub labels {
	return { map { $_ => pick(@values) } grep { rand() < 0.4 } @keys };
}

my $made = 0;
my %done;
sub create {
	my ($what) = @_;
	my $name = pick(qw(x x-y x1)) . pick('', '-', '-', '0') . $made++;
	$name .= '.z' if $what ne 'services' && rand() < 0.2;
	my $of = at($what);
	my $answer = change(POST => "$of/$what", {
		$kind{$what} ? (kind => $kind{$what},
		    apiVersion => 'stagedoor.test/v1') : (),
		metadata => { name => $name, labels => labels() },
		$body{$what}->() });
	$done{"$of/$what/$name"} = $what if $answer->{status} == 201;
	return $answer->{status};
}

sub relabel {
	my ($target) = @_;
	my $labels = labels();
	$labels->{$_} //= undef for @keys;
	return change(PATCH => $target, { metadata => { labels => $labels } },
		'application/merge-patch+json')->{status};
}

sub touch {
	my ($target) = @_;
	return change(PATCH => $target, { metadata => { annotations =>
		{ "example.org/at" => rand() } } },
		'application/merge-patch+json')->{status};
}

sub remove {
	my ($target) = @_;
	delete $done{$target};
	return change(DELETE => "$target?gracePeriodSeconds=0")->{status};
}

my %count;
sub something {
	my @all = sort keys %done;
	my @do = (sub { create(pick(sort keys %path)) }) x (@all > 150 ? 1 : 3);
	push @do, sub { relabel(pick(@all)) }, sub { relabel(pick(@all)) },
	    sub { touch(pick(@all)) }, sub { remove(pick(@all)) } if @all;
	push @do, sub { change(DELETE => at('configmaps') . '/configmaps')
	    ->{status} } if rand() < 0.05;
	$count{pick(@do)->()}++;
}

sub definition {
	my ($plural, $kind, $scope) = @_;
	my $name = "$plural.stagedoor.test";
	return { apiVersion => 'apiextensions.k8s.io/v1',
	    kind => 'CustomResourceDefinition', metadata => { name => $name },
	    spec => { group => 'stagedoor.test', scope => $scope,
		names => { plural => $plural, kind => $kind,
		    singular => lc $kind, listKind => "${kind}List" },
		versions => [ { name => 'v1', served => \1, storage => \1,
		    schema => { openAPIV3Schema => { type => 'object',
		    'x-kubernetes-preserve-unknown-fields' => \1 } } } ] } };
}

my $definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
sub define {
	my ($plural, $kind, $scope) = @_;
	my $answer = change(POST => $definitions,
		definition($plural, $kind, $scope));
	is $answer->{status}, 201, "$plural are defined";
	wait_for(sub { change(GET => "$path{$plural}/$plural")->{status} == 200
	    }, 20, "$plural to be served");
}

sub undefine {
	my ($plural) = @_;
	change(DELETE => "$definitions/$plural.stagedoor.test");
	delete @done{grep { $done{$_} eq $plural } keys %done};
	wait_for(sub { change(GET => "$definitions/$plural.stagedoor.test")
	    ->{status} == 404 }, 20, "$plural to be gone");
}

# --- Answers -----------------------------------------------------------------

# The bytes of the two rows, without the name of the cluster; '' for none.
sub rows {
	my ($question) = @_;
	my $answer = post($pool, '/resources/workloads/query', timeout => 30,
		json => { auth => {},
		    entityRef => "component:default/$question->{name}" });
	return ("status $answer->{status}", '') if $answer->{status} != 200;
	my %row = (live => '', direct => '');
	my @parts = split /(\{"cluster":\{"name":"(?:direct|live|changes)"\},)/,
	    $answer->{body};
	while (@parts > 2) {
		(undef, my $head, my $row) = splice @parts, 0, 2;
		$row = $parts[0];
		my ($name) = $head =~ /"(\w+)"\},$/;
		# what stands between the rows and behind them
		$row =~ s/(?:,|\]\})$//;
		$row{$name} = $row;
	}
	return @row{qw(live direct)};
}

my ($size, $asked) = (0, 0);
sub is_same {
	my ($question, $when) = @_;
	my ($live, $direct);
	my $until = time + 20;
	do {
		($live, $direct) = rows($question);
		$asked++;
		$size += length $direct;
		return 1 if $live eq $direct;
		sleep 0.05;
	} while (time < $until);
	my $at = 0;
	$at++ while substr($live, $at, 1) eq substr($direct, $at, 1);
	$at = $at > 200 ? $at - 200 : 0;
	diag "'$question->{selector}' in '$question->{namespace}' $when:\n",
	    "live:   ", substr($live, $at, 500), "\n",
	    "direct: ", substr($direct, $at, 500);
	return 0;
}

sub quiet {
	my ($when, @of) = @_;
	my @bad = grep { !is_same($_, $when) } @of;
	is scalar @bad, 0, "$when: both rows are the same";
	return !@bad;
}

# What the API server logged since the last call of lists that the lane left
# to it; there is nothing to keep of gadgets while nobody defines them.
my $audited = 0;
sub lists_read {
	open my $log, '<', $cluster->path('audit.log') or die "audit.log: $!";
	seek $log, $audited, 0;
	my @lines = grep { /:reader"/ && /"verb":"list"/ && /labelSelector/ &&
	    !m{/metrics\.k8s\.io/|/gadgets} } <$log>;
	$audited = tell $log;
	return scalar @lines;
}

# The answers of the lane, of all kinds, come from memory once it is steady.
sub is_steady {
	my ($seconds, $what) = @_;
	my ($all) = grep { $_->{name} eq 'all' } @questions;
	my ($began, $read) = (time);
	do {
		lists_read();
		rows($all);
	} while (($read = lists_read()) && time - $began < $seconds
	    && sleep 0.3);
	is $read, 0, $what;
	note sprintf 'after %.1f s', time - $began;
}

# --- The story ---------------------------------------------------------------

$cluster->apply(join "---\n", map { "apiVersion: v1\nkind: Namespace\n"
    . "metadata: {name: \"$_\"}\n---\napiVersion: v1\nkind: ServiceAccount\n"
    . "metadata: {name: default, namespace: \"$_\"}\n" } grep { $_ ne 'demo' }
    @spaces);
define('globals', 'Global', 'Cluster');
something() for 1 .. 60;
my @few = @questions[2, 4, 6, 8, -1, -2];
quiet('at first', @questions);

for my $round (1 .. $rounds) {
	something() for 1 .. 4 + rand 12;
	$relay->cut if rand() < 0.15;
	undefine('gadgets') if $round % 7 == 6;
	define('gadgets', 'Gadget', $round % 2 ? 'Cluster' : 'Namespaced')
	    if $round % 7 == 3;
	$wide{gadgets} = $round % 2 if $round % 7 == 3;
	quiet("round $round", @few, map { pick(@questions) } 1 .. 8) or last;
}

# A list that failed is tried again later and later, up to a minute.
is_steady(75, 'the lane needs no reading');

subtest 'an API server that starts again, and has forgotten' => sub {
	something() for 1 .. 10;
	$cluster->restart(between => sub { $cluster->compact });
	something() for 1 .. 10;
	quiet('after it', @few, map { pick(@questions) } 1 .. 10);
	is_steady(40, 'nor some seconds after it');
};

quiet('at the end', @questions);
note "$asked queries, ", int($size / 1024), " KiB; changes: ",
    join ' ', map { "$_: $count{$_}" } sort keys %count;
log_has_no('no token is in a log', values %token);
unlike $pool->log_text, qr/opensesame|b3BlbnNlc2FtZQ/, 'and no secret';
done_testing;
