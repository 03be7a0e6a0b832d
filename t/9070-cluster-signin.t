#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Signing in, end to end: people with a real browser, nginx, the pool, a real
# Dex, and a real API server that trusts it. Who signs in sees what is hers,
# who may do nothing is told so by the cluster, who has not signed in is told
# where to; and nobody ever gets another's answer. STAGEDOOR_LONG=1 looks for
# that for minutes.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Askers;
use Stagedoor::Browser;
use Stagedoor::Cluster;
use Stagedoor::Dex;
use Stagedoor::SignIn;

my $browser = Stagedoor::Browser->start(insecure => 1);
my @spaces = qw(alice carol);

sub space_yaml {
	my ($name) = @_;
	return <<"END";
---
apiVersion: v1
kind: Namespace
metadata: {name: $name}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: mine
  namespace: $name
  labels: {"backstage.io/kubernetes-id": $name-app}
data: {owner: $name, note: only-for-$name}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: owner, namespace: $name}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: owner, namespace: $name}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: owner}
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: "oidc:$name\@example.test"
END
}

my $fake = fake(clusters => [], backstage => 1, entities => [map { {
	apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
	metadata => { name => "$_-app", annotations => {
		'backstage.io/kubernetes-namespace' => $_ } } } } @spaces]);

my $cluster;
sub settings_for {
	my ($dex) = @_;
	# The API server asks for Dex's keys when it starts.
	$cluster = Stagedoor::Cluster->start(jwt => [{ ca_file =>
	    $dex->ca_file, issuer => $dex->issuer }]);
	$cluster->apply(join '', map { space_yaml($_) } @spaces);
	my $keys = stagedoor('key');
	write_file(tempdir() . '/keys', $keys->{out});
	chmod 0600, tempdir() . '/keys';
	return settings(fake => $fake, source => 'params', clusters => [{
	    name => 'real', title => 'The real one', url => $cluster->url,
	    caData => $cluster->ca_data, authProvider => 'oidc',
	    oidcTokenProvider => 'corp', signIn => 'stagedoor',
	    skipMetricsLookup => \1 }],
	    kubernetes => { objectTypes => ['configmaps', 'pods'] },
	    stagedoor => { login => [$dex->login('corp')],
		caFile => $dex->ca_file, limits => { cluster => 20 },
		store => { type => 'sqlite', path => tempdir() . '/tokens.db',
		    keyFile => tempdir() . '/keys' } });
}

my $portal = Stagedoor::SignIn->start(tls => 1,
	issuer => sub { Stagedoor::Dex->start(tls => 1, id_tokens => '20s',
	    redirect_uris => [$_[0]]) },
	settings => \&settings_for);
my $web = $portal->web;
my $dex = $portal->issuer;

# --- What each of them sees -------------------------------------------------

sub row_of {
	my ($user, $entity) = @_;
	my $answer = post($web, '/resources/workloads/query',
	    $portal->as($user),
	    json => { entityRef => "component:default/$entity" });
	my $row = body_of($answer)->{items}[0];
	return $row, join ' ', map { $_->{statusCode} // $_->{message} }
	    @{$row->{errors}};
}

sub listed {
	my ($user) = @_;
	return join ' ', map { $_->{name} } @{body_of(get($web, '/clusters',
	    $portal->as($user)))->{items}};
}

sub configmap {
	my ($user, $space) = @_;
	return get($web, "/clusters/real/proxy/api/v1/namespaces/$space/"
	    . 'configmaps/mine', $portal->as($user));
}

# As a person does it: the page, its button, Dex's page, and back.
sub sign_in {
	my ($user) = @_;
	my $page = $browser->page->goto($portal->enter($user));
	$page->goto($portal->url('/connect'));
	like $page->text, qr/The real one.*not connected/is,
	    "$user: the page says that there is no connection";
	$page->click('form[action*="/connect/oidc/corp"] button', goes => 1);
	like $page->url, qr/^\Q$dex->{base}\E/, "$user: Connect leads to Dex";
	$page->screenshot(Stagedoor::Browser::picture("signin-$user-dex"));
	$page->type('#login', "$user\@example.test");
	$page->type('#password', 'password');
	$page->click('#submit-login', goes => 1);
	my $connect = $portal->url('/connect');
	like $page->url, qr/^\Q$connect\E/, "$user: and Dex leads back";
	like $page->text, qr/Connected.*\Q$user\E\@example\.test/s,
	    "$user: who is connected now";
	$page->screenshot(Stagedoor::Browser::picture("signin-$user-back"));
	return $page;
}

my ($row, $errors) = row_of('alice', 'alice-app');
like $errors, qr{^401 .*\Q${\$portal->url('/connect')}\E},
    'before: 401, and where to sign in';

my $alice = sign_in('alice');
($row, $errors) = row_of('alice', 'alice-app');
is $errors, '', 'alice: no errors in what is hers';
my ($maps) = grep { $_->{type} eq 'configmaps' } @{$row->{resources}};
is $maps->{resources}[0]{data}{note}, 'only-for-alice', 'alice: her own';
is configmap('alice', 'alice')->{status}, 200, 'alice: through /proxy, too';
is configmap('alice', 'carol')->{status}, 403, 'alice: not what is others';
($row, $errors) = row_of('alice', 'carol-app');
like $errors, qr/^403( 403)*$/, 'alice: in a query neither';
my ($seen) = grep { $_->{user}{username} =~ /^oidc:/ }
    $cluster->audit(qr{/namespaces/alice/});
is $seen->{user}{username}, 'oidc:alice@example.test',
    'alice: the cluster knows her';

sign_in('bob');
is listed('bob'), 'real', 'bob: the cluster is listed';
($row, $errors) = row_of('bob', 'alice-app');
like $errors, qr/^403( 403)*$/, 'bob: with 403 in its row';
is configmap('bob', 'alice')->{status}, 403, 'bob: and through /proxy';

is listed('dora'), 'real', 'dora: the cluster is listed';
($row, $errors) = row_of('dora', 'alice-app');
like $errors, qr{^401 .*/connect}, 'dora: with 401 and the way to sign in';
my $refused = configmap('dora', 'alice');
is $refused->{status}, 401, 'dora: through /proxy';
like $refused->{body}, qr{/connect}, 'dora: with the way to sign in';

like $portal->connect('carol')->{body}, qr/carol\@example\.test/,
    'carol signs in with another browser';

# --- All of them at once ----------------------------------------------------

my $askers = Stagedoor::Askers->new(portal => $portal, people => {
	alice => { space => 'alice' }, bob => {},
	carol => { space => 'carol' }, dora => { out => 1 } });
note "STAGEDOOR_SEED=$askers->{seed} asks the same";
my $seconds = $ENV{STAGEDOOR_LONG} ? 300 : 60;
my $result = $askers->ask_for($seconds);
note encode_json($result->{by});
is_deeply $result->{wrong}, [], 'nobody gets an answer that is not theirs';
cmp_ok $result->{asked}, '>', 10 * $seconds, 'in many questions';
cmp_ok $dex->counters->{rotations} // 0, '>=', $seconds / 20,
    'with tokens that were renewed meanwhile';
is $dex->counters->{reuses} // 0, 0, 'never with an old one';

# --- Signing out ------------------------------------------------------------

$alice->goto($portal->url('/connect'))
    ->click('form[action$="/disconnect"] button', goes => 1);
like $alice->text, qr/not connected/i, 'alice signs out';
ok wait_for(sub { configmap('alice', 'alice')->{status} == 401 }, 3,
    'the end of her session'), 'and is out';
is configmap('carol', 'carol')->{status}, 200, 'carol is not';
log_has_no('no log holds a token', 'eyJhbGciOi', 'client+secret');
done_testing;
