#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# kubectl itself as the client: through nginx with TLS and HTTP/2, a static
# token of Backstage as its own, to an API server that knows another one.
use Stagedoor::Test;
use Stagedoor::Cluster;

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
my %token = map { $_ => $cluster->token($_) } qw(reader writer);
my %key = (kubectl => 'kubectl-' . 'k' x 24, other => 'other-' . 'o' x 24);

sub static {
	my ($subject, %more) = @_;
	return { type => 'static', options => { subject => $subject,
		token => $key{$subject} }, %more };
}

my $pool = pool(settings => settings(
	clusters => [ map { { name => $_, url => $cluster->url,
		caData => $cluster->ca_data,
		serviceAccountToken => $token{$_} } } sort keys %token ],
	auth => { externalAccess => [ static('kubectl'), static('other',
		accessRestrictions => [ { plugin => 'catalog' } ]) ] },
));
my $port = free_port();
my ($certificate, $certificate_key) = $cluster->web_certificate;
Stagedoor::Nginx->start_bare(name => 'nginx', port => $port,
	includes => $pool->socket, http => <<"END");
	include stagedoor/stagedoor.conf;
	server {
		listen 127.0.0.1:$port ssl http2;
		ssl_certificate $certificate;
		ssl_certificate_key $certificate_key;
		include stagedoor/stagedoor-location.conf;
	}
END

# kubectl never sends a token over plain http.
sub config_for {
	my ($name, $key) = @_;
	return $cluster->kubeconfig("$name-$key", user => { token => $key },
		server => "https://127.0.0.1:$port" . BASE .
		    "/clusters/$name/proxy");
}

my $writer = config_for('writer', $key{kubectl});

# kubectl as the writer: what it said; it must have gone well.
sub kubectl {
	my (@args) = @_;
	my $ran = $cluster->kubectl_as($writer, @args);
	is $ran->{code}, 0, "kubectl @args" or diag $ran->{err};
	return $ran->{out};
}

subtest 'get' => sub {
	like kubectl(qw(version)), qr/Server Version: v1\./, 'version';
	like kubectl(qw(-n demo get pods)), qr/^shop-1 +0\/2 +Pending/m,
	    'pods, as a table';
	like kubectl(qw(-n demo get widgets -o yaml)), qr/size: 3/,
	    'custom resources, whole';
	like kubectl(qw(-n demo describe deployment shop)),
	    qr/Image: +registry\.invalid/, 'described';
	like kubectl(qw(auth whoami)), qr/serviceaccount:demo:writer/,
	    'as the account of the cluster\'s entry';
};

my $manifest = write_file(tempdir() . '/made.yaml', <<'END');
apiVersion: v1
kind: ConfigMap
metadata: {name: made, namespace: demo}
data: {colour: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: made, namespace: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: made}}
  template:
    metadata: {labels: {app: made}}
    spec: {containers: [{name: web, image: "registry.invalid/made:1"}]}
END

subtest 'apply' => sub {
	like kubectl('apply', '-f', $manifest), qr/configmap\/made created/,
	    'creates';
	my $text = slurp($manifest) =~ s/red/blue/r;
	write_file($manifest, $text);
	like kubectl('apply', '-f', $manifest), qr/configmap\/made configured/,
	    'changes';
	like kubectl('apply', '-f', $manifest), qr/configmap\/made unchanged/,
	    'and knows when it need not';
	like kubectl('apply', '--server-side', '--force-conflicts', '-f',
		$manifest), qr/serverside-applied/, 'on the server\'s side';
	kubectl(qw(-n demo scale deployment made --replicas=3));
	is $cluster->kubectl(qw(-n demo get deployment made
		-o=jsonpath={.spec.replicas})), 3, 'scaled';
	is $cluster->kubectl(qw(-n demo get configmap made
		-o=jsonpath={.data.colour})), 'blue', 'all of it real';
};

subtest 'get -w' => sub {
	my $watch = Stagedoor::Process->start(name => 'watch', command => [
		$cluster->kubectl_command($writer,
		qw(-n demo get configmaps -w --no-headers -o),
		'custom-columns=:metadata.name,:data.colour') ]);
	my $sees = sub {
		my ($pattern) = @_;
		return wait_for(sub { $watch->log_text =~ $pattern }, 15,
			"kubectl to see $pattern");
	};
	ok $sees->(qr/^made +blue/m), 'what is there';
	$cluster->kubectl(qw(-n demo patch configmap made -p),
		'{"data":{"colour":"green"}}');
	ok $sees->(qr/^made +green/m), 'what changes, while it does';
	$cluster->kubectl(qw(-n demo create configmap late
		--from-literal=colour=grey));
	ok $sees->(qr/^late +grey/m), 'what comes';
	ok !$watch->ended, 'and goes on watching';
	$watch->stop;
	ok wait_for(sub {
		grep { $_->{stage} eq 'ResponseComplete' }
		    $cluster->audit(qr{/configmaps\?.*watch=true});
	}, 10, 'the watch to end'), 'until it leaves, and the cluster knows';
};

subtest 'delete' => sub {
	like kubectl('delete', '-f', $manifest), qr/"made" deleted/, 'deletes';
	is $cluster->run_kubectl(qw(-n demo get configmap made))->{code}, 1,
	    'really';
};

subtest 'who may not' => sub {
	my $reader = config_for('reader', $key{kubectl});
	my $ran = $cluster->kubectl_as($reader, qw(-n demo delete pod shop-1));
	isnt $ran->{code}, 0, 'the account of another cluster may not write';
	like $ran->{err}, qr/Forbidden.*demo:reader/, 'and kubectl says so';
	is $cluster->kubectl_as($reader, qw(-n demo get pods))->{code}, 0,
	    'but may read';
	$ran = $cluster->kubectl_as(config_for('writer', 'wrong'),
		qw(-n demo get pods));
	isnt $ran->{code}, 0, 'a wrong token';
	like $ran->{err}, qr/Unauthorized|must be logged in|Illegal token/i,
	    'is told';
	$ran = $cluster->kubectl_as(config_for('writer', $key{other}),
		qw(-n demo get pods));
	isnt $ran->{code}, 0, 'a token for another plug-in';
	like $ran->{err}, qr/restricted|forbidden/i, 'is told too';
};

subtest 'clusters of a kubeconfig' => sub {
	my $config = write_file(tempdir() . '/people.kubeconfig', <<"END");
apiVersion: v1
kind: Config
clusters:
- name: here
  cluster:
    server: "${\$cluster->url}"
    certificate-authority: "${\$cluster->ca_file}"
users:
- {name: reader, user: {token: "$token{reader}"}}
- name: admin
  user:
    client-certificate: "${\$cluster->path('admin.crt')}"
    client-key: "${\$cluster->path('admin.key')}"
contexts:
- {name: with-token, context: {cluster: here, user: reader}}
- {name: with-certificate, context: {cluster: here, user: admin}}
current-context: with-token
END
	my $fake = fake(clusters => [], backstage => 1, entities => [ {
		apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
		metadata => { name => 'shop' } } ]);
	my $own = nginx(pool => pool(settings => settings(fake => $fake,
		kubernetes => { objectTypes => [ 'pods' ],
		clusterLocatorMethods => [ { type => 'kubeconfig',
		path => $config } ] })));
	my @names = map { $_->{name} }
	    @{body_of(get($own, '/clusters'))->{items}};
	is_deeply [ sort @names ], [ qw(with-certificate with-token) ],
	    'are its contexts';
	my $answer = post($own, '/resources/workloads/query', json =>
		{ entityRef => 'component:default/shop', auth => {} });
	my %row = map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}};
	is_deeply [ map { $_->{metadata}{name} }
		@{$row{'with-token'}{resources}[0]{resources}} ], [ 'shop-1' ],
	    'one with a token works';
	is_deeply $row{'with-certificate'}{errors}, [],
	    'one with a certificate too';
	is get($own, "/clusters/$_/proxy/version")->{status}, 200,
	    "$_ through the proxy" for qw(with-token with-certificate);
};

log_has_no('no token is in a log', values %token, values %key);
done_testing;
