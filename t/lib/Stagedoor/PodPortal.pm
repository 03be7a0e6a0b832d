# SPDX-License-Identifier: Apache-2.0
# A portal before pods that run: a real API server with a node of kwok's,
# reached in several ways, the pool with a store in which alice and bob have
# signed in, and nginx with TLS and the direct lane.
#
#	my $portal = Stagedoor::PodPortal->start;
#	my $web = $portal->serve;	# Backstage's tokens say who asks, or
#	my $web = $portal->serve(source => 'params');	# cookie "portal"
#	$portal->kubectl('alice', 'oidc', qw(exec pod-1 -- ls));
#
# The namespace is shop, its pods are pod-1 and pod-2. The clusters, all of
# them the same API server but for the last:
#
#	oidc		each with the token of a sign-in
#	acting		an account that impersonates who asks
#	plug-in		an account whose token a program prints
#	certificate	one that a kubeconfig has: the administrator's
#	readonly	as plug-in, for reading only
#	plain		a fake one, without TLS
#
# alice may do all with pods, bob only look at them, carol has not signed in.
package Stagedoor::PodPortal;

use strict;
use warnings;

use Stagedoor::BackstageTokens;
use Stagedoor::Cluster;
use Stagedoor::Kwok;
use Stagedoor::Nginx;
use Stagedoor::Pool;
use Stagedoor::Process;
use Stagedoor::Test ();
use Stagedoor::Util qw(free_port run_command stagedoor_bin tempdir wait_for
    write_file);

use constant { BASE => '/api/kubernetes', PLUGIN_TOKEN_SECONDS => 3600 };

sub start {
	my ($class) = @_;
	my $self = bless { tokens => Stagedoor::BackstageTokens->new,
	    issuer => Stagedoor::Test::issuer(tls => 1, id_seconds => 3600),
	    fake => Stagedoor::Test::fake(backstage => 1,
		clusters => [{ name => 'plain' }]) }, $class;
	$self->{fake}->backstage_says(jwks => $self->{tokens}->jwks);
	$self->{cluster} = Stagedoor::Cluster->start(kubelet => 1,
	    jwt => [{ issuer => $self->{issuer}->issuer,
		ca_file => $self->{issuer}->ca_file }]);
	$self->{kwok} = Stagedoor::Kwok->start(cluster => $self->{cluster},
	    forward => { 80 => $self->{fake}->port('plain') });
	$self->{kwok}->namespace('shop', 'pod-1', 'pod-2');
	$self->{cluster}->apply(_rights());
	return $self;
}

sub _rights {
	my ($all, $look) = map { my $what = $_; join ', ', map {
	    qq({apiGroup: rbac.authorization.k8s.io, kind: User, name: "$_"})
	    } "oidc:$what\@example.test", "portal:user:default/$what"
	    } qw(alice bob);
	return <<"END";
apiVersion: v1
kind: ServiceAccount
metadata: {name: acting, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: all, namespace: shop}
rules: [{apiGroups: [""], resources: [pods, pods/log, pods/exec, pods/attach,
    pods/portforward], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: look, namespace: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}
subjects: [$all, {kind: ServiceAccount, name: runner, namespace: shop}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: look, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: look}
subjects: [$look]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acts-for-users}
rules: [{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: acting}
roleRef:
  {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: acts-for-users}
subjects: [{kind: ServiceAccount, name: acting, namespace: shop}]
END
}

# --- The portal -------------------------------------------------------------

sub _entries {
	my ($self) = @_;
	my $cluster = $self->{cluster};
	my $token = sub { $cluster->kubectl(qw(-n shop create token), $_[0],
	    '--duration=1h') };
	my $plugin = tempdir() . '/plug-in';
	write_file($plugin, "#!/bin/sh\necho '{\"kind\":\"ExecCredential\","
	    . '"apiVersion":"client.authentication.k8s.io/v1","status":'
	    . '{"token":"' . $token->('runner') . "\"}}'\n");
	chmod 0700, $plugin or die "$plugin: $!";
	my %real = (url => $cluster->url, caFile => $cluster->ca_file,
	    skipMetricsLookup => \1);
	my %run = (authProvider => 'exec', exec => { command => $plugin });
	return ({ name => 'oidc', %real, authProvider => 'oidc',
		oidcTokenProvider => 'corp', signIn => 'stagedoor' },
	    { name => 'acting', %real, impersonate => {
		userPrefix => 'portal:' }, authProvider => 'serviceAccount',
		serviceAccountToken => $token->('acting') },
	    { name => 'plug-in', url => $real{url},
		caData => $cluster->ca_data, %run },
	    { name => 'readonly', %real, %run, readOnly => \1 },
	    { name => 'plain', url => $self->{fake}->url('plain'),
		authProvider => 'serviceAccount',
		serviceAccountToken => 'alpha-token' });
}

# only => NAME: the only cluster that there is.
sub settings {
	my ($self, %opt) = @_;
	my $dir = tempdir();
	$self->{entries} //= [$self->_entries];
	$self->{kubeconfig} //= $self->{cluster}->kubeconfig('certificate',
	    user => { 'client-certificate' =>
		$self->{cluster}->path('admin.crt'),
		'client-key' => $self->{cluster}->path('admin.key') });
	my @entries = grep { !defined $opt{only} || $_->{name} eq $opt{only} }
	    @{$self->{entries}};
	my @methods = ({ type => 'config', clusters => \@entries },
	    defined $opt{only} ? ()
	    : { type => 'kubeconfig', path => $self->{kubeconfig} });
	return Stagedoor::Test::settings(fake => $self->{fake},
	    defined $opt{source} ? (source => $opt{source})
		: (auth => { externalAccess => [] }),
	    kubernetes => { clusterLocatorMethods => \@methods },
	    stagedoor => { login => [$self->{issuer}->login('corp')],
		caFile => $self->{issuer}->ca_file,
		publicUrl => "https://127.0.0.1:$opt{port}",
		limits => { cluster => 20 },
		store => { type => 'sqlite', path => "$dir/tokens.db",
		    keyFile => $self->_keys } });
}

sub _keys {
	my ($self) = @_;
	return $self->{keys} //= do {
		my $file = tempdir() . '/keys';
		write_file($file, Stagedoor::Pool->run(['key'])->{out});
		chmod 0600, $file or die "$file: $!";
		$file;
	};
}

# The pool and nginx. source => 'params': the cookie "portal" says who asks,
# which anybody may write. server => TEXT for nginx's server block. ->port of
# what comes is without TLS, ->{tls} with it.
sub serve {
	my ($self, %opt) = @_;
	my ($port, $tls) = (free_port(), free_port());
	my $pool = Stagedoor::Pool->start(threads => $opt{threads} // 8,
	    settings => $self->settings(%opt, port => $tls));
	$self->_sign_in($pool->config_file) if !$self->{signed_in}++;
	my ($certificate, $key) = $self->{cluster}->web_certificate;
	my $who = defined $opt{source} ? 'set $stagedoor_user $cookie_portal;'
	    : '';
	my $web = Stagedoor::Nginx->start(pool => $pool, lane => 1,
	    port => $port, server => <<"END");
		listen 127.0.0.1:$tls ssl http2;
		ssl_certificate $certificate;
		ssl_certificate_key $key;
		$who
		@{[$opt{server} // '']}
END
	@$self{qw(pool web)} = ($pool, $web);
	$web->{tls} = $tls;
	return $web;
}

# As they would at the server's terminal.
sub _sign_in {
	my ($self, $config) = @_;
	my @all = map { [$_, Stagedoor::Process->start(name => "connect-$_",
	    env => Stagedoor::Pool::clean_env(), command => [stagedoor_bin(),
	    'connect', '-c', $config, '--user', $_,
	    qw(--provider oidc --name corp)])] } qw(alice bob);
	for (@all) {
		my ($user, $process) = @$_;
		wait_for(sub { $process->ended
		    || $process->log_text =~ /^waiting/m }, 20, 'a code');
		$process->log_text =~ /^and enter the code\n\n +(\S+)$/m
		    or die $process->log_text;
		$self->{issuer}->approve($1, $user);
	}
	for (@all) {
		my ($user, $process) = @$_;
		$process->wait_end(20);
		die "$user: " . $process->log_text if $process->stop != 0;
	}
}

# --- What tests use ---------------------------------------------------------

sub cluster { return $_[0]{cluster} }
sub kwok { return $_[0]{kwok} }
sub fake { return $_[0]{fake} }
sub pool { return $_[0]{pool} }
sub web { return $_[0]{web} }

# A token of Backstage's for that user; "nobody" has a bad one.
sub token {
	my ($self, $user) = @_;
	return 'x.y.z' if $user eq 'nobody';
	return $self->{user_token}{$user} //= $self->{tokens}->user(
	    "user:default/$user", exp => time + PLUGIN_TOKEN_SECONDS);
}

# kubectl's command, for who starts it himself.
sub command {
	my ($self, $user, $name, @args) = @_;
	my $config = $self->{config}{"$user $name $self->{web}{tls}"}
	    //= $self->{cluster}->kubeconfig("portal-$name-$user",
	    user => { token => $self->token($user) },
	    server => "https://127.0.0.1:$self->{web}{tls}" . BASE
		. "/clusters/$name/proxy");
	return $self->{cluster}->kubectl_command($config, '--namespace=shop',
	    @args);
}

# { code, out, err }; a hash before the arguments is for run_command.
sub kubectl {
	my ($self, $user, $name, @args) = @_;
	my $how = ref $args[0] ? shift @args : {};
	return run_command([$self->command($user, $name, @args)], %$how);
}

1;
