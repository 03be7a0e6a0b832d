#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Real kubectl, with the kubeconfig that /connect offers and stagedoor login
# in it, through nginx with TLS to a real API server, whose RBAC decides by
# the portal's user, and whose audit log names that user.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Cluster;
use Stagedoor::Kwok;
use Stagedoor::Login;
use Stagedoor::Util qw(stagedoor_bin);

my $cluster = Stagedoor::Cluster->start(kubelet => 1);
my $kwok = Stagedoor::Kwok->start(cluster => $cluster);
$kwok->namespace('shop', 'pod-1');
$cluster->fill;
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
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: portal}
roleRef:
  {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acts-for-users}
subjects: [{kind: ServiceAccount, name: portal, namespace: demo}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: edits, namespace: demo}
rules:
- apiGroups: [""]
  resources: [pods, configmaps]
  verbs: [get, list, watch, create, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann, namespace: demo}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: edits}
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: "portal:user:default/ann"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: runs, namespace: shop}
rules:
- apiGroups: [""]
  resources: [pods, pods/exec, pods/log]
  verbs: [get, list, create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: runs}
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: "portal:user:default/ann"
END

my $service_token = $cluster->token('portal');
my ($certificate, $key) = $cluster->web_certificate;
my $portal = Stagedoor::Login->portal(ca => $cluster->ca_file,
    certificate => $certificate, key => $key, settings => sub {
	my (%stagedoor) = @_;
	return settings(source => 'params', clusters => [
		{ name => 'real', url => $cluster->url,
		    caFile => $cluster->ca_file,
		    serviceAccountToken => $service_token,
		    impersonate => { userPrefix => 'portal:',
			groupPrefix => 'portal:', groups => '{groups}' } },
	    ], stagedoor => { %stagedoor,
		identity => { source => 'params' } });
});

# The file as it is offered, but for where the program is, whose certificate
# the test's nginx has, and that there is no terminal.
sub kubeconfig_of {
	my ($user) = @_;
	my $offered = $portal->visitor($user)->get('/connect/kubeconfig');
	is $offered->{status}, 200, "a kubeconfig for $user";
	my ($bin, $ca) = (stagedoor_bin(), $cluster->ca_file);
	my $text = $offered->{body}
	    =~ s{^( +)command: stagedoor$}{$1command: "$bin"}mr
	    =~ s{^( +)(- "https:.*)$}{$1$2\n$1- --ca\n$1- "$ca"}mr
	    =~ s{^( +)(server: .*)$}{$1$2\n$1certificate-authority: "$ca"}mr;
	return write_file(tempdir() . "/$user.kubeconfig", $text);
}

my $config = kubeconfig_of('ann');

# kubectl has a HOME of the cluster's.
sub env {
	return $portal->env(XDG_CACHE_HOME => "$portal->{home}/.cache");
}

sub kubectl {
	my (@args) = @_;
	return run_command([$cluster->kubectl_command($config, @args)],
	    env => env());
}

sub works {
	my ($what, @args) = @_;
	my $ran = kubectl(@args);
	is $ran->{code}, 0, $what or diag $ran->{err};
	return $ran->{out};
}

my $ran = kubectl(qw(get pods));
isnt $ran->{code}, 0, 'before anybody signed in';
like $ran->{err}, qr/run stagedoor login --portal \Q$portal->{url}\E in/,
    'kubectl tells what to do';
like kubectl(qw(config view))->{out}, qr/stagedoor/, 'a file that it reads';

my $login = $portal->login;
$portal->approve('ann', $login, headers => { 'X-Test-Groups' => 'dev' });
is $login->said->{code}, 0, 'ann signs in';

like works('whoami', qw(auth whoami)), qr{portal:user:default/ann}, 'is ann';
like works('get', qw(-n demo get pods)), qr/^shop-1 +0\/2/m, 'a table';
my $manifest = write_file(tempdir() . '/made.yaml', <<'END');
apiVersion: v1
kind: ConfigMap
metadata: {name: made, namespace: demo}
data: {colour: red}
END
like works('apply', 'apply', '-f', $manifest), qr/made created/, 'creates';
like works('run', qw(-n demo run shell --image=registry.invalid/x)),
    qr{pod/shell created}, 'runs a pod';
is $cluster->kubectl(qw(-n demo get configmap made -o),
    'jsonpath={.data.colour}'), 'red', 'all of it real';
$ran = kubectl(qw(get nodes));
isnt $ran->{code}, 0, 'what she may not';
like $ran->{err}, qr{"portal:user:default/ann" cannot list},
    'she may not here either';
my $raw = kubectl(qw(--as=portal:user:default/bob auth whoami));
unlike $raw->{out}, qr/bob/, 'and nobody becomes somebody else with --as';

my ($made) = grep { $_->{verb} eq 'create' }
    $cluster->audit(qr{/namespaces/demo/configmaps});
is $made->{impersonatedUser}{username}, 'portal:user:default/ann',
    "the API server's audit log names ann";
is_deeply [grep { /^portal:/ } @{$made->{impersonatedUser}{groups}}],
    ['portal:group:default/dev'], 'and her groups';
is $made->{user}{username}, 'system:serviceaccount:demo:portal',
    'and through whom she came';

# In a pod, by the direct lane.
is works('exec', qw(-n shop exec pod-1 -c c1 -- sh -c), 'echo in the pod'),
    "in the pod\n", 'runs something in a pod';
my ($exec) = $cluster->audit(qr{/pods/pod-1/exec\?});
is $exec->{impersonatedUser}{username}, 'portal:user:default/ann',
    'which the audit log says was ann';

# Several at once with a token that is kept.
my @many = map { Stagedoor::Process->start(name => "many $_",
    env => env(), command => [$cluster->kubectl_command($config,
    qw(-n demo get pods -o name))]) } 1 .. 4;
ok wait_for(sub { !grep { !$_->ended } @many }, 30, 'all of them'),
    'four at once end';
is scalar(grep { $_->log_text =~ m{^pod/shop-1$}m } @many), 4, 'and all work';

# Another user on another machine.
my $home = $portal->{home};
mkdir $portal->{home} = tempdir() . '/bobs', 0700 or die $!;
my $bobs = $portal->login;
$portal->approve('bob', $bobs);
is $bobs->said->{code}, 0, 'bob signs in elsewhere';
like works('whoami', qw(auth whoami)), qr{portal:user:default/bob},
    'and is bob';
isnt kubectl(qw(-n demo get pods))->{code}, 0, 'who may do nothing';
$portal->{home} = $home;
like works('whoami again', qw(auth whoami)), qr{portal:user:default/ann},
    'ann stays ann';

my $ann = $portal->visitor('ann');
my ($id) = $ann->get('/connect')->{body} =~ /name="session" value="(\w+)"/;
$ann->post('/portal/end', form => { session => $id });
$ran = kubectl(qw(-n demo get pods));
isnt $ran->{code}, 0, 'ended on /connect';
like $ran->{err}, qr/logged in|Unauthorized|stagedoor login/, 'it is over';

my $token = slurp((glob "$home/.cache/stagedoor/portal-*[0-9a-f]")[0]);
log_has_no('no token is in a log', $service_token,
    decode_json($token)->{token});
done_testing;
