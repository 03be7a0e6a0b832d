#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# stagedoor explain and stagedoor credential before a real API server: whom it
# says that we are, and kubectl with `stagedoor credential` in its kubeconfig.
use Stagedoor::Test;
use Stagedoor::Cluster;
use Stagedoor::TLS qw(make_cert);

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
my %token = map { $_ => $cluster->token($_) } qw(reader writer);
make_cert($cluster->path(''), 'visitor', 'ca', client => 1,
	subject => '/CN=visitor');
make_cert($cluster->path(''), 'stranger', 'other-ca', client => 1,
	subject => '/CN=visitor');
$cluster->apply(<<'END');
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acts}
rules: [{apiGroups: [''], resources: [users, groups], verbs: [impersonate]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: acts}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acts}
subjects: [{kind: ServiceAccount, name: reader, namespace: demo}]
END

sub entry {
	my ($name, %more) = @_;
	return { name => $name, url => $cluster->url,
		caFile => $cluster->ca_file, %more };
}

sub certificate {
	my ($name) = @_;
	return entry($name, authProvider => 'x509',
		clientCertificateFile => $cluster->path("$name.crt"),
		clientKeyFile => $cluster->path("$name.key"));
}

my @acting = (impersonate => { user => '{name}', groups => [ '{groups}' ] });
my $settings = write_file(tempdir() . '/settings.yaml', encode_json(settings(
	source => 'params', clusters => [
	map({ entry($_, serviceAccountToken => $token{$_}) } qw(reader writer)),
	map({ certificate($_) } qw(admin visitor stranger)),
	entry('acting', serviceAccountToken => $token{reader}, @acting),
	entry('helpless', serviceAccountToken => $token{writer}, @acting),
	entry('wrong', serviceAccountToken => 'no-token'),
	entry('mistrusted', serviceAccountToken => 'no-token',
		caFile => $cluster->other_ca_file),
])));

# --- Whom it takes us for ---------------------------------------------------

my $ran = stagedoor('explain', '-c', $settings, '--user', 'ann',
	'--groups', 'dev');
my %of = $ran->{out} =~ /^cluster (\S+)\n(.*?)(?=^\S|\z)/msg;
is $ran->{code}, 1, 'not all of them can be used';
for (
	[ reader => qr/for: system:serviceaccount:demo:reader\n/ ],
	[ reader => qr/ group: system:serviceaccounts:demo\n/ ],
	[ reader => qr/ uid: [-0-9a-f]{36}\n/ ],
	[ writer => qr/for: system:serviceaccount:demo:writer\n/ ],
	[ admin => qr/for: admin\n.* group: system:masters\n/s ],
	[ visitor => qr/for: visitor\n.* group: system:authenticated\n/s ],
	[ acting => qr/for: ann\n.* group: group:default\/dev\n/s ],
) {
	my ($name, $pattern) = @$_;
	like $of{$name}, $pattern, "$name: who that is";
	like $of{$name}, qr/^  can be used$/m, 'and that it can be used';
}
for (
	[ stranger => qr/refuses it: the cluster answered 401: Unauthorized/ ],
	[ wrong => qr/refuses it: the cluster answered 401: Unauthorized/ ],
	[ helpless => qr/answered 403: .*cannot impersonate/ ],
	[ mistrusted => qr/cannot be asked: .*certificate/ ],
) {
	my ($name, $pattern) = @$_;
	like $of{$name}, $pattern, "$name: why not";
	like $of{$name}, qr/^  cannot be used$/m, 'and that it cannot';
}
# An answer that comes before the question was read is one all the same.
is scalar(grep { stagedoor('explain', '-c', $settings, '--user', 'ann',
	'--cluster', 'wrong')->{out} !~ /answered 401/ } 1 .. 12), 0,
	'who is refused, is each time';
my @seen = $cluster->audit(qr{/selfsubjectreviews$});
is scalar(grep { ($_->{impersonatedUser}{username} // '') eq 'ann' } @seen), 1,
	'the API server knows for whom we acted';

# --- kubectl ----------------------------------------------------------------

# A kubeconfig whose user runs `stagedoor credential`.
sub config_for {
	my ($name, $version) = @_;
	my $args = join ', ', map { qq("$_") } 'credential', '-c', $settings,
		qw(--user ann --cluster), $name;
	return write_file($cluster->path("$name-$version.kubeconfig"), <<"END");
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: "${\$cluster->url}"
    certificate-authority: "${\$cluster->ca_file}"
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/$version
      command: "${\stagedoor_bin()}"
      args: [$args]
      interactiveMode: Never
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
END
}

sub kubectl {
	my ($name, @args) = @_;
	return $cluster->kubectl_as(config_for($name, 'v1'), @args);
}

for my $version (qw(v1 v1beta1)) {
	for (
		[ reader => 'system:serviceaccount:demo:reader' ],
		[ writer => 'system:serviceaccount:demo:writer' ],
		[ admin => 'admin' ], [ visitor => 'visitor' ],
	) {
		my ($name, $is) = @$_;
		$ran = $cluster->kubectl_as(config_for($name, $version),
		    qw(auth whoami -o=jsonpath={.status.userInfo.username}));
		is $ran->{out}, $is, "kubectl as $name, by $version"
			or diag $ran->{err};
		is $ran->{err}, '', 'without a word more';
	}
}
like kubectl('reader', qw(-n demo get pods))->{out}, qr/^shop-1 /m,
	'the reader reads';
isnt kubectl('reader', qw(-n demo delete pod shop-1))->{code}, 0,
	'and no more';
is kubectl('writer', qw(-n demo create configmap made))->{code}, 0,
	'the writer writes';
is kubectl('admin', qw(-n demo delete configmap made))->{code}, 0,
	'the administrator deletes';
for (
	[ acting => qr/it has `impersonate`/ ],
	[ nowhere => qr/there is no cluster 'nowhere'/ ],
) {
	my ($name, $why) = @$_;
	$ran = kubectl($name, qw(-n demo get pods));
	isnt $ran->{code}, 0, "$name: kubectl gets none";
	like $ran->{err}, $why, 'and says why';
}
isnt kubectl('stranger', qw(-n demo get pods))->{code}, 0,
	'what the API server does not take, is of no use';
done_testing;
