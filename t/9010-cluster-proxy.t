#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Everything that a client may want of a real API server through the proxy:
# reading, writing, watching, and being told no.
use Stagedoor::Test;
use Stagedoor::Cluster;
use Time::HiRes qw(time);

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
my %token = map { $_ => $cluster->token($_) } qw(reader writer stranger);

sub entry {
	my ($name, %more) = @_;
	return { name => $name, url => $cluster->url,
		caFile => $cluster->ca_file,
		serviceAccountToken => $token{$name}, %more };
}

my $pool = pool(settings => settings(clusters => [
	map({ entry($_) } sort keys %token),
	entry('wrong-ca', serviceAccountToken => $token{reader},
	    caFile => $cluster->other_ca_file),
	entry('read-only', serviceAccountToken => $token{writer},
	    readOnly => \1),
]));
my $web = nginx(pool => $pool);
my $maps = '/api/v1/namespaces/demo/configmaps';

# The two ways to name a cluster.
my %way = (
	header => sub {
		my ($name, $method, $path, %opt) = @_;
		my $headers = $opt{headers} // {};
		return request($web, $method, "/proxy$path", %opt,
			headers => { %$headers,
			'Backstage-Kubernetes-Cluster' => $name });
	},
	path => sub {
		my ($name, $method, $path, %opt) = @_;
		return request($web, $method, "/clusters/$name/proxy$path",
			%opt);
	},
);
my $ask = $way{path};

sub map_named {
	my ($name, %data) = @_;
	return { apiVersion => 'v1', kind => 'ConfigMap',
		metadata => { name => $name }, data => \%data };
}

for my $by (sort keys %way) {
	my $via = $way{$by};
	subtest "the cluster named by $by" => sub {
		my $answer = $via->('reader', GET => '/version');
		is $answer->{status}, 200, 'GET';
		like body_of($answer)->{gitVersion}, qr/^v1\./, 'its version';

		$answer = $via->('writer', POST => $maps,
			json => map_named($by, colour => 'red'));
		is $answer->{status}, 201, 'POST creates';
		$answer = $via->('writer', PATCH => "$maps/$by",
			headers => { 'Content-Type' =>
			'application/merge-patch+json' },
			body => '{"data":{"colour":"blue"}}');
		is $answer->{status}, 200, 'PATCH changes';
		is $cluster->kubectl(qw(-n demo get configmap), $by,
			'-o=jsonpath={.data.colour}'), 'blue', 'really';
		$answer = $via->('writer', PUT => "$maps/$by",
			json => map_named($by, colour => 'green'));
		is body_of($answer)->{data}{colour}, 'green', 'PUT replaces';
		$answer = $via->('writer', DELETE => "$maps/$by");
		is $answer->{status}, 200, 'DELETE removes';
		$answer = $via->('reader', GET => "$maps/$by");
		is $answer->{status}, 404, 'and then it is gone';
		is body_of($answer)->{kind}, 'Status',
		    'in the words of the cluster';
	};
}

subtest 'selectors arrive as they were written' => sub {
	for my $query ('fieldSelector=metadata.name=shop',
	    'fieldSelector=metadata.name%3Dshop&limit=1') {
		my $answer = $ask->('reader', GET => "$maps?$query");
		is_deeply [ map { $_->{metadata}{name} }
			@{body_of($answer)->{items}} ], [ 'shop' ], $query;
		ok $cluster->audit(qr/\Q?$query\E$/), 'by the audit log';
	}
};

subtest 'secrets are whole here, as the contract says' => sub {
	my $answer = $ask->('reader',
		GET => '/api/v1/namespaces/demo/secrets/shop');
	is body_of($answer)->{data}{password}, 'b3BlbnNlc2FtZQ==', 'content';
};

subtest 'a large body' => sub {
	my $text = 'x' x 900_000;
	my $answer = $ask->('writer', POST => $maps,
		json => map_named('large', text => $text));
	is $answer->{status}, 201, 'with its length';
	$answer = $ask->('reader', GET => "$maps/large",
		headers => { 'Accept-Encoding' => 'gzip' });
	is length(body_of($answer)->{data}{text}), 900_000,
	    'and back, compressed';
	$answer = $ask->('writer', PUT => "$maps/large", chunked => 1,
		headers => { 'Content-Type' => 'application/json' },
		body => encode_json(map_named('large', text => 'small')));
	is $answer->{status}, 200, 'in chunks';
	is body_of($answer)->{data}{text}, 'small', 'whole';
};

subtest 'who may not' => sub {
	my $answer = $ask->('reader', POST => $maps, json => map_named('no'));
	is $answer->{status}, 403, 'write';
	like body_of($answer)->{message}, qr/:demo:reader" cannot create/,
	    'in the words of the cluster';
	$answer = $ask->('stranger', GET => $maps);
	is $answer->{status}, 403, 'read';
	$answer = $ask->('read-only', POST => $maps, json => map_named('no'));
	is $answer->{status}, 403, 'write to a cluster that is read-only';
	is $cluster->run_kubectl(qw(-n demo get configmap no))->{code}, 1,
	    'and nothing was written';
	is $ask->('read-only', GET => $maps)->{status}, 200,
	    'though reading it is fine';
};

# Who the cluster takes us for.
sub whoami {
	my ($name, %headers) = @_;
	my $answer = $ask->($name,
		POST => '/apis/authentication.k8s.io/v1/selfsubjectreviews',
		headers => \%headers, json => {
		apiVersion => 'authentication.k8s.io/v1',
		kind => 'SelfSubjectReview' });
	my $body = body_of($answer);
	return $answer->{status} == 201 ? $body->{status}{userInfo}{username} :
	    "$answer->{status} " . ($body->{message} // '');
}

subtest 'whose credential it is' => sub {
	my $account = 'system:serviceaccount:demo';
	is whoami('reader'), "$account:reader", "the cluster's own";
	is whoami('reader', 'Backstage-Kubernetes-Authorization' =>
		"Bearer $token{writer}"), "$account:writer",
	    'or what the client brought for it';
	is whoami('reader', 'Impersonate-User' => 'system:admin'),
	    "$account:reader", 'no other by impersonation';
	is whoami('reader', 'Impersonate-User' => "$account:default",
		'Backstage-Kubernetes-Authorization' =>
		"Bearer $token{writer}"), "$account:default",
	    'but by the right of the credential that it brought';
};

subtest 'a certificate that proves nothing' => sub {
	my $answer = $ask->('wrong-ca', GET => '/version');
	is $answer->{status}, 500, 'is an error';
	like body_of($answer)->{error}{message},
	    qr/^Cluster 'wrong-ca' request error.*certificate/i, 'that says so';
};

# A watch that notes when its events came, and can be left.
sub watch {
	my ($until, %headers) = @_;
	my ($text, @times) = ('');
	my $answer = eval {
		$ask->('reader', GET => "$maps?watch=1&fieldSelector=" .
			'metadata.name=watched', headers => \%headers,
			timeout => 20, on_body => sub {
				$text .= $_[0];
				push @times, time;
				die "enough\n" if $until->($text);
			});
	};
	return ($text, \@times, $answer);
}

subtest 'a watch' => sub {
	my $child = fork() // die "fork: $!";
	if (!$child) {
		for my $colour (qw(red green)) {
			Time::HiRes::sleep(1);
			$cluster->apply("apiVersion: v1\nkind: ConfigMap\n" .
			    "metadata: {name: watched, namespace: demo}\n" .
			    "data: {colour: $colour}\n");
		}
		POSIX::_exit(0);
	}
	my ($text, $times) = watch(sub { $_[0] =~ /green/ });
	waitpid $child, 0;
	my @events = map { decode_json($_) } split /\n/, $text;
	is_deeply [ map { $_->{type} } @events ], [ qw(ADDED MODIFIED) ],
	    'brings each event';
	cmp_ok $times->[-1] - $times->[0], '>', 0.5, 'when it happens';
};

# How many watches of ours have ended, as the API server knows.
sub ended_watches {
	return scalar grep { $_->{stage} eq 'ResponseComplete' }
	    $cluster->audit(qr/watch=1&.*=watched$/);
}

subtest 'a watcher that leaves' => sub {
	my ($text) = watch(sub { 1 });
	like $text, qr/"ADDED"/, 'saw the first event';
	ok wait_for(sub { ended_watches() >= 2 }, 10,
		'the watches to end'), 'leaves no watch behind';
};

log_has_no('no token is in a log', values %token);
done_testing;
