#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A real API server, one service account that may impersonate, and users of
# the portal who get what the cluster's own RBAC gives them. Its audit log
# names them.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Cluster;

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
# The portal may act for others and nothing else; ann reads everything, who
# is in group dev reads the config maps of demo, bob is nobody in particular.
$cluster->apply(<<'END');
apiVersion: v1
kind: ServiceAccount
metadata: {name: portal, namespace: demo}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acts-for-users}
rules:
- {apiGroups: [""], resources: [users, groups], verbs: [impersonate]}
- apiGroups: [authentication.k8s.io]
  resources: [uids, "userextras/acme.test/Mail"]
  verbs: [impersonate]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: portal}
roleRef:
  {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acts-for-users}
subjects: [{kind: ServiceAccount, name: portal, namespace: demo}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ann}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: everything-read
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: "portal:user:default/ann"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reads-maps, namespace: demo}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev, namespace: demo}
roleRef:
  {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads-maps}
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: "portal:group:default/dev"
END

my $fake = fake(clusters => [], backstage => 1, entities => [{
	apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
	metadata => { name => 'shop', annotations => {
		'backstage.io/kubernetes-id' => 'shop',
		'backstage.io/kubernetes-namespace' => 'demo' } },
}]);
my %token = map { $_ => $cluster->token($_) } qw(portal reader);

sub entry {
	my ($name, $account, %impersonate) = @_;
	return { name => $name, url => $cluster->url,
		caFile => $cluster->ca_file, skipMetricsLookup => \1,
		serviceAccountToken => $token{$account},
		impersonate => { userPrefix => 'portal:',
		groupPrefix => 'portal:', groups => '{groups}',
		%impersonate } };
}

my $pool = pool(settings => settings(fake => $fake, source => 'params',
	clusters => [
	    entry('acting', 'portal', uid => '{name}-7',
		extra => { 'acme.test/Mail' => '{email}' }),
	    entry('reader', 'reader') ],
	kubernetes => { objectTypes => [qw(pods configmaps)] }));
my $web = nginx(pool => $pool, server => <<'END');
	set $stagedoor_user $http_test_user;
	set $stagedoor_email "$http_test_user@example.test";
	set $stagedoor_groups $http_test_groups;
END

sub headers_of {
	my ($user) = @_;
	return { 'Test-User' => $user, 'Sec-Fetch-Site' => 'same-origin',
		'Test-Groups' => $user eq 'bob' ? 'dev, tea' : '' };
}

sub proxied {
	my ($name, $user, $method, $path, %opt) = @_;
	my $headers = delete $opt{headers} // {};
	return request($web, $method, "/clusters/$name/proxy$path", %opt,
		headers => { %{headers_of($user)}, %$headers });
}

# Row of `acting` by that user: types with items, and failed paths.
sub queried {
	my ($user, $name) = @_;
	my $answer = post($web, '/resources/workloads/query',
		headers => headers_of($user),
		json => { auth => {}, entityRef => 'component:default/shop' });
	my ($row) = grep { $_->{cluster}{name} eq $name }
	    @{body_of($answer)->{items}};
	return { map({ $_->{type} => scalar @{$_->{resources}} }
		grep { @{$_->{resources}} } @{$row->{resources}}),
		map({ $_->{resourcePath} => $_->{statusCode} }
		@{$row->{errors}}) };
}

my $maps = '/api/v1/namespaces/demo/configmaps';
my $pods = '/api/v1/namespaces/demo/pods';

subtest 'two users, one service account, different answers' => sub {
	is_deeply queried('ann', 'acting'), { pods => 1, configmaps => 1 },
	    'ann sees all in the query';
	is_deeply queried('bob', 'acting'), { configmaps => 1, $pods => 403 },
	    'bob what his group may';
	is_deeply queried('eve', 'acting'), { $maps => 403, $pods => 403 },
	    'eve nothing';
	is proxied('acting', ann => GET => $pods)->{status}, 200,
	    'ann reads pods through /proxy';
	is proxied('acting', bob => GET => $maps)->{status}, 200,
	    'bob config maps';
	my $answer = proxied('acting', bob => GET => $pods);
	is $answer->{status}, 403, 'but no pods';
	like body_of($answer)->{message},
	    qr{^pods is forbidden: User "portal:user:default/bob" cannot list},
	    'and it is he who may not';
};

subtest 'whom the cluster takes them for' => sub {
	my $answer = proxied('acting', bob =>
		POST => '/apis/authentication.k8s.io/v1/selfsubjectreviews',
		json => { apiVersion => 'authentication.k8s.io/v1',
		kind => 'SelfSubjectReview' });
	is $answer->{status}, 201, 'by SelfSubjectReview';
	is_deeply body_of($answer)->{status}{userInfo}, {
		username => 'portal:user:default/bob', uid => 'bob-7',
		groups => [ 'portal:group:default/dev',
		    'portal:group:default/tea', 'system:authenticated' ],
		extra => { 'acme.test/Mail' => ['bob@example.test'] } },
	    'user, uid, groups and extra, the key as it was written';
};

subtest 'the audit log names the user' => sub {
	for my $user (qw(ann bob)) {
		my @of = grep { ($_->{impersonatedUser}{username} // '') eq
		    "portal:user:default/$user" } $cluster->audit(
		    qr{^\Q$pods\E\?labelSelector=});
		is scalar(@of), 1, "$user listed pods once";
		is $of[0]{user}{username}, 'system:serviceaccount:demo:portal',
		    'by the right of the portal';
		is $of[0]{responseStatus}{code}, $user eq 'ann' ? 200 : 403,
		    'and got this answer';
	}
	is scalar(grep { !$_->{impersonatedUser} &&
		$_->{user}{username} =~ /:portal$/ } $cluster->audit(qr/./)),
	    0, 'the portal did nothing for itself';
};

subtest 'one id in all logs' => sub {
	my $answer = proxied('acting', ann => GET => "$pods?limit=7",
	    headers => { 'Audit-ID' => 'mine', 'X-Request-Id' => 'mine' });
	my $id = $answer->{headers}{'x-request-id'};
	is $answer->{headers}{'audit-id'}, $id, 'the cluster says it back';
	my @of = $cluster->audit(qr{^\Q$pods\E\?limit=7});
	is join(' ', map { $_->{auditID} } @of), $id,
	    "the cluster's audit log has it";
	like $pool->log_text, qr/ $id GET /, 'and our log';
	like $pool->log_text, qr/"id":"$id"/, 'and our audit log';
	ok wait_for(sub { $web->log_text =~ /"id":"$id"/ }, 5, 'the log'),
	    "and nginx's";
	my %lists;
	$lists{$_->{auditID}}++ for $cluster->audit(
	    qr{^\Q$pods\E\?labelSelector=|^\Q$maps\E\?labelSelector=});
	is_deeply [values %lists], [(4) x values %lists],
	    'the lists of a query have one, on both clusters';
};

subtest 'no way round' => sub {
	my %admin = ('Impersonate-User' => 'admin',
		'Impersonate-Group' => 'system:masters');
	is proxied('acting', eve => GET => $pods, headers => \%admin)
	    ->{status}, 403, 'a header of the client changes nothing';
	is_deeply [ grep { grep { /^system:masters$/ }
		@{$_->{impersonatedUser}{groups} // []} }
		$cluster->audit(qr/./) ], [], 'nobody was ever a master';
};

subtest 'an account that may not impersonate' => sub {
	my $answer = proxied('reader', ann => GET => $maps);
	is $answer->{status}, 403, 'opens nothing';
	like body_of($answer)->{message}, qr/:reader" cannot impersonate/,
	    'in the words of the cluster';
	is_deeply queried('ann', 'reader'), { $maps => 403, $pods => 403 },
	    'in the query too: its own rights are not lent';
};

log_has_no('no token is in a log', values %token);
done_testing;
