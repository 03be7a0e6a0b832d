#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The lists of a real API server: what an account may read, what it may not,
# an account that is gone, and certificates that prove nothing.
use Stagedoor::Test;
use Stagedoor::Cluster;

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
my %token = map { $_ => $cluster->token($_) } qw(reader stranger doomed);

my $fake = fake(clusters => [], backstage => 1, entities => [ map { {
	apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
	metadata => { name => $_->[0], annotations => {
		'backstage.io/kubernetes-id' => 'shop', %{$_->[1]} } },
} } [ 'shop', {} ],
    [ 'shop-in-demo', { 'backstage.io/kubernetes-namespace' => 'demo' } ] ]);

my @widgets = ({ group => 'stagedoor.test', apiVersion => 'v1',
	plural => 'widgets' });

sub entry {
	my ($name, %more) = @_;
	my %entry = (name => $name, url => $cluster->url,
		caData => $cluster->ca_data,
		serviceAccountToken => $token{reader}, %more);
	defined $entry{$_} or delete $entry{$_} for keys %entry;
	return \%entry;
}

my @types = qw(pods services configmaps deployments secrets);

sub web_for {
	my (@entries) = @_;
	my $pool = pool(settings => settings(fake => $fake,
		clusters => \@entries,
		kubernetes => { objectTypes => \@types },
		stagedoor => { catalog => { fresh => 0 } }));
	return (nginx(pool => $pool), $pool);
}

my ($web, $pool) = web_for(
	entry('reader', title => 'May read', customResources => \@widgets),
	entry('file', caData => undef, caFile => $cluster->ca_file,
	    skipMetricsLookup => \1),
	entry('trusting', caData => undef, skipTLSVerify => \1,
	    skipMetricsLookup => \1),
	entry('stranger', serviceAccountToken => $token{stranger}),
	entry('nonsense', serviceAccountToken => 'nonsense'),
	entry('doomed', serviceAccountToken => $token{doomed},
	    skipMetricsLookup => \1),
	entry('wrong-ca', caData => $cluster->other_ca_data),
	entry('no-ca', caData => undef),
);

# (answer, rows by the name of their cluster)
sub ask {
	my ($path, %body) = @_;
	my $answer = post($web, $path, json => { auth => {}, %body });
	my $items = (body_of($answer) // {})->{items} // [];
	return ($answer, { map { $_->{cluster}{name} => $_ } @$items });
}

sub rows {
	my ($entity) = @_;
	return ask('/resources/workloads/query',
		entityRef => "component:default/$entity");
}

sub resources {
	my ($row, $type) = @_;
	my ($list) = grep { $_->{type} eq $type } @{$row->{resources}};
	return $list ? @{$list->{resources}} : ();
}

subtest 'the clusters are listed' => sub {
	my $answer = get($web, '/clusters');
	is $answer->{status}, 200, 'with status 200';
	is_deeply body_of($answer)->{items}[0], { name => 'reader',
		title => 'May read', authProvider => 'serviceAccount' },
	    'as the settings say';
};

my ($answer, $row) = rows('shop');
is $answer->{status}, 200, 'a query over good and bad clusters succeeds';

subtest 'who may read sees what is there' => sub {
	my $r = $row->{reader};
	is_deeply $r->{errors}, [], 'without errors';
	is_deeply [ map { $_->{type} } @{$r->{resources}} ],
	    [ qw(secrets pods services configmaps deployments
	    customresources) ], "types in the contract's order";
	my @pods = resources($r, 'pods');
	is_deeply [ map { $_->{metadata}{name} } @pods ], [ 'shop-1' ],
	    'the pod of the label, and not the other one';
	is $pods[0]{spec}{containers}[1]{name}, 'sidecar', 'whole';
	my ($deployment) = resources($r, 'deployments');
	is $deployment->{metadata}{name}, 'shop', 'the deployment';
	my ($config) = resources($r, 'configmaps');
	is $config->{data}{greeting}, "gr\x{fc}\x{df} Gott \x{2603}",
	    'text of any language';
	my ($widget) = resources($r, 'customresources');
	is $widget->{kind}, 'Widget', 'the custom resource has its kind';
	is $widget->{spec}{size}, 3, 'and its content';
};

subtest 'secrets come without their content' => sub {
	my ($secret) = resources($row->{reader}, 'secrets');
	is_deeply $secret->{data}, { password => '***' }, 'only their keys';
	unlike $answer->{body}, qr/opensesame|b3BlbnNlc2FtZQ/,
	    'nowhere in the answer';
};

subtest 'the usage of pods is summed' => sub {
	my ($metrics) = @{$row->{reader}{podMetrics}};
	is $metrics->{pod}{metadata}{name}, 'shop-1', 'of the pod';
	cmp_ok abs($metrics->{cpu}{currentUsage} - 0.015), '<', 1e-9, 'cpu';
	cmp_ok abs($metrics->{cpu}{requestTotal} - 0.35), '<', 1e-9,
	    'requested cpu';
	is_deeply $metrics->{memory}, { currentUsage => '25165824',
		requestTotal => '83886080', limitTotal => '167772160' },
	    'memory';
	is scalar @{$metrics->{containers}}, 2, 'both containers';
};

subtest 'certificates' => sub {
	for my $name (qw(file trusting)) {
		is_deeply $row->{$name}{errors}, [], "$name: no errors";
		is scalar(resources($row->{$name}, 'pods')), 1, "$name: a pod";
	}
	for my $name (qw(wrong-ca no-ca)) {
		is_deeply $row->{$name}{resources}, [], "$name: nothing";
		is $row->{$name}{errors}[0]{errorType}, 'FETCH_ERROR',
		    "$name: the row says that it failed";
		like $row->{$name}{errors}[0]{message}, qr/certificate/i,
		    "$name: and that it was the certificate";
	}
};

sub all_errors_are {
	my ($row, $status, $type) = @_;
	my %seen = map { join(' ', @$_{qw(statusCode errorType)}) => 1 }
	    @{$row->{errors}};
	is_deeply \%seen, { "$status $type" => 1 }, "all are $status $type";
	is_deeply [ sort map { $_->{resourcePath} } @{$row->{errors}} ],
	    [ sort '/apis/apps/v1/deployments', map { "/api/v1/$_" }
	    qw(pods services configmaps secrets) ], 'one for each list';
	is_deeply $row->{resources}, [], 'and nothing else';
}

subtest 'who may not read' => sub {
	all_errors_are($row->{stranger}, 403, 'UNKNOWN_ERROR');
};

subtest 'who is nobody' => sub {
	all_errors_are($row->{nonsense}, 401, 'UNAUTHORIZED_ERROR');
};

subtest 'an account that is deleted' => sub {
	is_deeply $row->{doomed}{errors}, [], 'may read before';
	$cluster->kubectl(qw(-n demo delete serviceaccount doomed));
	# The API server trusts a token for some seconds after it checked it.
	my $patience = 3 * Stagedoor::Cluster::TOKEN_CACHE_SECONDS;
	my $gone = wait_for(sub {
		my (undef, $now) = rows('shop');
		my $errors = $now->{doomed}{errors};
		@$errors == @types ? $now->{doomed} : undef;
	}, $patience, 'the token of a deleted account to be refused');
	all_errors_are($gone, 401, 'UNAUTHORIZED_ERROR');
};

subtest 'an entity that names its namespace' => sub {
	my ($answer, $row) = rows('shop-in-demo');
	is scalar(resources($row->{reader}, 'pods')), 1, 'is found there';
	ok $cluster->audit(qr{^/apis/apps/v1/namespaces/demo/deployments\?}),
	    'and asked for there only';
};

subtest 'the cluster saw the account of its own entry' => sub {
	my @lists = $cluster->audit(
	    qr{^/api/v1/pods\?labelSelector=backstage\.io%2F});
	my %who = map { $_->{user}{username} => 1 }
	    grep { $_->{responseStatus}{code} == 200 } @lists;
	delete $who{'system:serviceaccount:demo:doomed'};
	is_deeply \%who, { 'system:serviceaccount:demo:reader' => 1 },
	    'and nobody else was let in';
};

subtest 'the older route gives the same' => sub {
	my ($answer, $older) = ask('/services/shop', entity => {
		kind => 'Component', metadata => { name => 'shop' } });
	is $answer->{status}, 200, 'status';
	is_deeply [ resources($older->{reader}, 'pods') ],
	    [ resources($row->{reader}, 'pods') ], 'pods';
};

subtest 'custom resources alone' => sub {
	my ($answer, $row) = ask('/resources/custom/query',
		entityRef => 'component:default/shop',
		customResources => \@widgets);
	is $answer->{status}, 200, 'status';
	is_deeply [ map { $_->{type} } @{$row->{reader}{resources}} ],
	    [ 'customresources' ], 'nothing else is asked for';
	my ($error) = @{$row->{stranger}{errors}};
	is $error->{statusCode}, 403, 'who may not read them';
};

subtest 'lists share a connection' => sub {
	# A pool of its own, whose connections are those of one cluster.
	($web, my $pool) = web_for(entry('reader',
		customResources => \@widgets));
	my (undef, $row) = rows('shop');
	is scalar(@{$row->{reader}{resources}}), 6, 'six lists';
	my $connections = $cluster->connections_of($pool->pid);
	# One for each thread of the transport, where HTTP/1.1 would
	# need one for each list.
	cmp_ok $connections, '>', 0, 'over a connection that is kept';
	cmp_ok $connections, '<=', 2, 'or two, so by HTTP/2';
};

log_has_no('no token is in a log', values %token);
done_testing;
