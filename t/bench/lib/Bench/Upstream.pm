# SPDX-License-Identifier: Apache-2.0
package Bench::Upstream;

# What the measured servers talk to: one nginx that plays many clusters, a
# port each, from the same static files (13 lists and the metrics of three
# pods, about 30 KB), and Backstage's catalog on one more port. It answers
# any credential and any selector, as fast as anything could. Watches go to a
# program that never has news (watcher.c).

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Util qw(write_file);

my $time = '2026-01-02T03:04:05Z';
my $entities = 256;	# so many that no two requests at once are alike
my @sides = qw(web sidecar);

# (folder, number of clusters, tls certificate and key or nothing, ports)
sub new {
	my ($class, %of) = @_;
	my $self = bless { %of, www => "$of{dir}/www" }, $class;
	my %lists = lists();
	for my $path (keys %lists) {
		$self->put($path, $lists{$path});
		$self->{bytes} += -s "$self->{www}/$path.json"
		    unless $path eq 'version';
	}
	$self->put("api/catalog/entities/by-name/component/default/shop-$_",
		entity("shop-$_")) for 0 .. $entities - 1;
	# What the objects' labels say, so that it finds them in memory too.
	$self->put('api/catalog/entities/by-name/component/default/shop',
		entity('shop'));
	return $self;
}

sub entities { return $entities }

# What one query reads of one cluster, metrics included.
sub reads {
	return grep { $_ ne '/version' } map { "/$_" } sort keys %{{lists()}};
}

sub put {
	my ($self, $path, $data) = @_;
	my $file = "$self->{www}/$path.json";
	make_path(dirname($file));
	write_file($file, encode_json($data));
}

# An answer of so many MiB, which take no room.
sub put_large {
	my ($self, $name, $mib) = @_;
	open my $file, '>', "$self->{www}/$name.json" or die "$name: $!";
	truncate $file, $mib << 20 or die "$name: $!";
	close $file;
}

sub url {
	my ($self, $i) = @_;
	my $scheme = $self->{certificate} ? 'https' : 'http';
	return "$scheme://127.0.0.1:$self->{ports}[$i]";
}

sub catalog { return "http://127.0.0.1:$_[0]{catalog_port}" }

# The server blocks, for Bench::Servers to start.
sub nginx_blocks {
	my ($self) = @_;
	my $tls = $self->{certificate} ? ' ssl http2' : '';
	my $listen = join "\n", map {
		"\t\tlisten 127.0.0.1:$_$tls backlog=1024;"
	} @{$self->{ports}};
	my $certificate = $tls && "\t\tssl_certificate $self->{certificate};\n"
	    . "\t\tssl_certificate_key $self->{key};\n";
	return <<"END";
	open_file_cache max=1000 inactive=600s;
	proxy_buffering off;
	proxy_read_timeout 1h;
	open_file_cache_valid 600s;
	default_type application/json;
	root $self->{www};
	server {
$listen
$certificate
		error_page 418 = \@watch;
		location / {
			if (\$arg_watch) { return 418; }
			try_files \$uri.json =404;
		}
		location \@watch {
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_pass http://127.0.0.1:$self->{watch_port};
		}
	}
	server {
		listen 127.0.0.1:$self->{catalog_port} backlog=1024;
		location / { try_files \$uri.json =404; }
	}
END
}

# --- the data -------------------------------------------------------------

sub lists {
	my @pods = map { pod($_) } 1 .. 3;
	my $list = sub {
		my ($kind, $version, @items) = @_;
		return { kind => "${kind}List", apiVersion => $version,
			metadata => { resourceVersion => '4711' },
			items => \@items };
	};
	my $pods = $list->('Pod', 'v1', @pods);
	my $metrics = 'metrics.k8s.io/v1beta1';
	return (
		'version' => { major => '1', minor => '37',
			gitVersion => 'v1.37.2', platform => 'linux/amd64' },
		'api/v1/pods' => $pods,
		'api/v1/namespaces/default/pods' => $pods,
		'api/v1/services' => $list->('Service', 'v1', service()),
		'api/v1/configmaps' => $list->('ConfigMap', 'v1', configmap()),
		'api/v1/limitranges' => $list->('LimitRange', 'v1'),
		'api/v1/resourcequotas' => $list->('ResourceQuota', 'v1'),
		'apis/apps/v1/deployments' =>
		    $list->('Deployment', 'apps/v1', workload('shop')),
		'apis/apps/v1/replicasets' =>
		    $list->('ReplicaSet', 'apps/v1', workload('shop-7c9f')),
		'apis/apps/v1/statefulsets' =>
		    $list->('StatefulSet', 'apps/v1'),
		'apis/apps/v1/daemonsets' => $list->('DaemonSet', 'apps/v1'),
		'apis/autoscaling/v2/horizontalpodautoscalers' =>
		    $list->('HorizontalPodAutoscaler', 'autoscaling/v2',
			autoscaler()),
		'apis/batch/v1/jobs' => $list->('Job', 'batch/v1'),
		'apis/batch/v1/cronjobs' => $list->('CronJob', 'batch/v1'),
		'apis/networking.k8s.io/v1/ingresses' =>
		    $list->('Ingress', 'networking.k8s.io/v1', ingress()),
		"apis/$metrics/namespaces/default/pods" =>
		    $list->('PodMetrics', $metrics, map { usage($_) } @pods),
	);
}

sub meta {
	my ($name, %more) = @_;
	return { name => $name, namespace => 'default',
		uid => '6f1a2b3c-0000-4000-8000-'
			. unpack('H12', $name . '_' x 6),
		resourceVersion => '4000', creationTimestamp => $time,
		labels => { app => 'shop', 'pod-template-hash' => '7c9f',
			'backstage.io/kubernetes-id' => 'shop' },
		annotations => { 'deployment.kubernetes.io/revision' => '3' },
		managedFields => [ map { {
			manager => $_, operation => 'Update',
			apiVersion => 'v1', time => $time,
			fieldsType => 'FieldsV1',
			fieldsV1 => { 'f:metadata' => { 'f:labels' =>
			    { '.' => {}, 'f:app' => {} } },
			    'f:spec' => { 'f:replicas' => {} } },
		} } qw(kubectl-client-side-apply kube-controller-manager) ],
		%more };
}

sub pod_spec {
	return { restartPolicy => 'Always', nodeName => 'node-3',
		serviceAccountName => 'shop', dnsPolicy => 'ClusterFirst',
		containers => [ map { {
			name => $_, image => "registry.invalid/shop/$_:1.2.3",
			imagePullPolicy => 'IfNotPresent',
			ports => [ { name => 'http', protocol => 'TCP',
				containerPort => 8080 } ],
			env => [ map { { name => "SHOP_SETTING_$_",
				value => 'a value of a common length' } }
				1 .. 8 ],
			resources => {
				requests => { cpu => '250m', memory => '64Mi' },
				limits => { cpu => '500m', memory => '128Mi' },
			},
			readinessProbe => { periodSeconds => 10,
				httpGet => { path => '/ready',
					port => 'http' } },
			terminationMessagePath => '/dev/termination-log',
		} } @sides ],
		tolerations => [ map { { key => "node.kubernetes.io/$_",
			operator => 'Exists', effect => 'NoExecute',
			tolerationSeconds => 300 } }
			qw(not-ready unreachable) ],
	};
}

sub pod {
	my ($i) = @_;
	return { metadata => meta("shop-7c9f-x$i", ownerReferences => [ {
			apiVersion => 'apps/v1', kind => 'ReplicaSet',
			name => 'shop-7c9f', controller => \1 } ]),
		spec => pod_spec(),
		status => { phase => 'Running', podIP => "10.2.0.$i",
			hostIP => '10.1.0.3', startTime => $time,
			qosClass => 'Burstable',
			conditions => [ map { { type => $_, status => 'True',
				lastTransitionTime => $time } } qw(Initialized
				Ready ContainersReady PodScheduled) ],
			containerStatuses => [ map { { name => $_,
				ready => \1, restartCount => 0,
				state => { running => { startedAt => $time } },
				image => "registry.invalid/shop/$_:1.2.3",
				imageID => "registry.invalid/shop/$_\@sha256:"
				    . '0' x 64,
				containerID => 'containerd://' . '1' x 64,
			} } @sides ] } };
}

sub usage {
	my ($pod) = @_;
	return { metadata => { name => $pod->{metadata}{name},
			namespace => 'default' },
		timestamp => $time, window => '30s',
		containers => [ map { { name => $_, usage =>
			{ cpu => '12345678n', memory => '70000Ki' } } }
			@sides ] };
}

sub workload {
	my ($name) = @_;
	return { metadata => meta($name),
		spec => { replicas => 3,
			selector => { matchLabels => { app => 'shop' } },
			template => { metadata => { labels =>
				{ app => 'shop' } }, spec => pod_spec() } },
		status => { replicas => 3, readyReplicas => 3,
			availableReplicas => 3, observedGeneration => 3 } };
}

sub service {
	return { metadata => meta('shop'), spec => { type => 'ClusterIP',
		clusterIP => '10.3.0.7', selector => { app => 'shop' },
		ports => [ { name => 'http', port => 80, protocol => 'TCP',
			targetPort => 'http' } ] },
		status => { loadBalancer => {} } };
}

sub configmap {
	return { metadata => meta('shop'),
		data => { 'shop.yaml' => "feature: enabled\n" x 40 } };
}

sub autoscaler {
	return { metadata => meta('shop'),
		spec => { minReplicas => 3, maxReplicas => 9,
			scaleTargetRef => { apiVersion => 'apps/v1',
				kind => 'Deployment', name => 'shop' } },
		status => { currentReplicas => 3, desiredReplicas => 3 } };
}

sub ingress {
	return { metadata => meta('shop'), spec => { rules => [ {
		host => 'shop.invalid', http => { paths => [ { path => '/',
			pathType => 'Prefix', backend => { service => {
				name => 'shop', port => { number => 80 } } },
		} ] } } ] }, status => { loadBalancer => {} } };
}

sub entity {
	my ($name) = @_;
	return { apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
		metadata => { name => $name, namespace => 'default',
			annotations =>
			    { 'backstage.io/kubernetes-id' => $name } },
		spec => { type => 'service', lifecycle => 'production',
			owner => 'team-a' } };
}

1;
