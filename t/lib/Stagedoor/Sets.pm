# SPDX-License-Identifier: Apache-2.0
# The settings with which the contract's cases were recorded: plain Backstage
# app-configs, one a set, and the fake clusters that they name. Keys and CA
# are made afresh; ports are those of the recordings, or all of them shifted.
package Stagedoor::Sets;

use strict;
use warnings;

use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64);
use Stagedoor::Fake;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::TLS qw(ec_key make_ca make_cert slurp);
use Stagedoor::Util qw(write_file);

use constant { BACKSTAGE => 18090, TLS_PORT => 18201, CLOSED => 18199 };

# The fake clusters: name, port of the recordings, behaviour.
my @FAKES = (
	[alpha => 18101], [beta => 18102, 'small'], [empty => 18103, 'empty'],
	[cm403 => 18104, 'except:configmaps=403'],
	[hpa404 => 18105, 'except:horizontalpodautoscalers=404'],
	[mixed => 18106, 'except:deployments=500,services=400,jobs=429,'
	    . 'ingresses=503,pods=401'],
	[s503 => 18107, 's503'], [hang => 18108, 'hang'],
	[slow => 18109, 'slow'], [html => 18110, 'html'],
	[noitems => 18111, 'noitems'], [redirect => 18112, 'redirect'],
	[rst => 18113, 'rst'], [truncated => 18114, 'truncated'],
	[met404 => 18115, 'except:metrics=404'],
	[weird => 18116, 'weirdmetrics'], [gzipall => 18117, 'gzipall'],
	[anon => 18118, 'anon'], [weirdreq => 18119, 'weirdreq'],
	[nometrics => 18120, 'nometrics'], [prefixed => 18121, 'good'],
	[jsonnull => 18122, 'jsonnull'],
	[podsfail => 18123, 'except:pods=500'], [rstone => 18124, 'rstone'],
);
my $PREFIX = '/k8s/clusters/c-1';
my %PORT = (gamma => TLS_PORT, refused => CLOSED,
    map { $_->[0] => $_->[1] } @FAKES);

# Every port that must be free.
sub ports {
	return (BACKSTAGE, CLOSED, TLS_PORT, map { $_->[1] } @FAKES);
}

# new(dir => DIR, shift => N): makes keys in DIR/pki.
sub new {
	my ($class, %opt) = @_;
	my $self = bless { dir => $opt{dir}, shift => $opt{shift} // 0 },
	    $class;
	my $pki = $self->{pki} = "$opt{dir}/pki";
	make_path($pki, "$opt{dir}/sets");
	make_ca($pki, $_) for qw(ca otherca);
	# nginx holds certificates of addresses to that name.
	make_cert($pki, 'srv', 'ca', names => ['kubernetes.default.svc']);
	ec_key($pki, 'plugin');
	for my $ca (qw(ca otherca)) {
		$self->{$ca} = encode_base64(slurp("$pki/$ca.crt"), '');
	}
	write_file("$pki/notpem", "subjectAltName=IP:127.0.0.1\n");
	return $self;
}

sub port { return $PORT{$_[1]} + $_[0]{shift} }

sub _url {
	my ($self, $name, $path) = @_;
	my $scheme = $name eq 'gamma' ? 'https' : 'http';
	return "$scheme://127.0.0.1:" . $self->port($name) . ($path // '');
}

# Texts of the recordings name ports: the same with ours.
sub shifted {
	my ($self, $text) = @_;
	my $shift = $self->{shift} or return $text;
	my $known = join '|', ports();
	$text =~ s/(?<![0-9.])($known)(?![0-9])/$1 + $shift/ge;
	return $text;
}

# Start the fakes, with TLS before one of them.
sub start_fakes {
	my ($self) = @_;
	my @clusters = map { {
		name => $_->[0], port => $_->[1] + $self->{shift},
		behaviour => $_->[2] // 'good',
		redirect_port => $self->port('alpha'),
		prefix => $_->[0] eq 'prefixed' ? $PREFIX : '',
	} } @FAKES;
	my $fake = Stagedoor::Fake->start(
		clusters => [@clusters, { name => 'gamma' }],
		backstage => 1, entities => $self->_entities,
		backstage_port => BACKSTAGE + $self->{shift},
	);
	$self->{front} = Stagedoor::TLS::tls_front(
		listen => $self->port('gamma'), to => $fake->port('gamma'),
		cert => "$self->{pki}/srv.crt", key => "$self->{pki}/srv.key",
	);
	return $fake;
}

sub _entities {
	my ($self) = @_;
	my $file = Stagedoor::Fake::data_folder() . '/entities.json';
	my $text = $self->shifted(slurp($file));
	$text =~ s/\@CA\@/$self->{ca}/g;
	return decode_json($text);
}

# --- Cluster entries --------------------------------------------------------

# A cluster with a token in the settings.
sub _token {
	my ($self, $name, %opt) = @_;
	my $of = delete $opt{of} // $name;
	my $path = delete $opt{path};
	return { name => $name, url => $self->_url($of, $path),
	    authProvider => 'serviceAccount',
	    serviceAccountToken => 'alpha-token', %opt };
}

# A cluster of another provider, at the address of alpha.
sub _by {
	my ($self, $name, $provider, %opt) = @_;
	my $of = delete $opt{of} // 'alpha';
	return { name => $name, url => $self->_url($of),
	    defined $provider ? (authProvider => $provider) : (), %opt };
}

my $ROLLOUTS = { group => 'argoproj.io', apiVersion => 'v1alpha1',
    plural => 'rollouts' };
my $CERTS = { group => 'cert.io', apiVersion => 'v1',
    plural => 'certificates' };
my $ROLE = 'arn:aws:iam::222222222222:role/k8s';

sub _main_clusters {
	my ($self) = @_;
	return ($self->_behaving, $self->_special, $self->_tls,
	    $self->_providers, $self->_broken);
}

sub _behaving {
	my ($self) = @_;
	return (
		$self->_token('alpha', title => 'Alpha Cluster'),
		$self->_token('beta', dashboardApp => 'standard',
		    dashboardUrl => 'http://dash.local/beta'),
		map { $self->_token($_) } qw(empty cm403 hpa404 mixed s503
		    hang slow html noitems redirect rst truncated met404 weird
		    weirdreq nometrics gzipall refused jsonnull podsfail),
	);
}

sub _special {
	my ($self) = @_;
	my %alpha = (of => 'alpha');
	return (
		$self->_token('wrongtoken', %alpha,
		    serviceAccountToken => 'wrong-token'),
		$self->_token('forbidden', %alpha,
		    serviceAccountToken => 'forbidden-token'),
		$self->_token('skipmetrics', %alpha, skipMetricsLookup => \1),
		$self->_token('crd', %alpha, customResources => [$ROLLOUTS]),
		$self->_token('crdempty', %alpha, customResources => []),
		$self->_token('gke-dash', %alpha, dashboardApp => 'gke',
		    dashboardUrl => 'http://dash.local/x/',
		    dashboardParameters => { projectId => 'p1',
			region => 'eu', clusterName => 'c1',
			nested => { a => [1, 2] } }),
		$self->_token('trailing', %alpha, path => '/'),
		$self->_token('prefixed', path => $PREFIX),
		$self->_token('prefixslash', of => 'prefixed',
		    path => "$PREFIX/"),
	);
}

sub _tls {
	my ($self) = @_;
	my %gamma = (of => 'gamma');
	my ($good, $other) = @$self{qw(ca otherca)};
	return (
		$self->_token('tlsdata', %gamma, caData => $good),
		$self->_token('tlsfile', %gamma,
		    caFile => "$self->{pki}/ca.crt"),
		$self->_token('tlsbad', %gamma, caData => $other),
		$self->_token('tlsnone', %gamma),
		$self->_token('tlsskip', %gamma, skipTLSVerify => \1),
		$self->_token('tlsbadskip', %gamma, caData => $other,
		    skipTLSVerify => \1),
	);
}

sub _providers {
	my ($self) = @_;
	my $meta = 'kubernetes.io';
	return (
		$self->_by(aks1 => 'aks'),
		$self->_by(goog1 => 'google'),
		$self->_by(oidc1 => 'oidc', oidcTokenProvider => 'okta'),
		$self->_by(oidc2 => undef, authMetadata => {
		    "$meta/auth-provider" => 'oidc',
		    "$meta/oidc-token-provider" => 'My-Okta' }),
		$self->_by(aws1 => 'aws'),
		$self->_by(aws2 => 'aws', authMetadata => {
		    "$meta/x-k8s-aws-id" => 'real-eks-name' }),
		$self->_by(awsrole => 'aws', assumeRole => $ROLE,
		    externalId => 'ext-1'),
		$self->_by(local1 => 'localKubectlProxy', of => 'anon'),
		$self->_by(localecho => 'localKubectlProxy'),
		$self->_by(sanotoken => 'serviceAccount'),
		$self->_by(azure1 => 'azure'),
		$self->_by(gsa1 => 'googleServiceAccount'),
		$self->_by(meta1 => 'aks', authMetadata => {
		    "$meta/auth-provider" => 'serviceAccount',
		    serviceAccountToken => 'alpha-token' }),
		$self->_token('meta2', of => 'alpha',
		    serviceAccountToken => 'wrong-token',
		    authMetadata => { serviceAccountToken => 'alpha-token' }),
	);
}

sub _broken {
	my ($self) = @_;
	my %gamma = (of => 'gamma');
	return (
		{ %{$self->_token('badurl', of => 'alpha')}, url => 'notaurl' },
		$self->_token('cafilemissing', %gamma,
		    caFile => '/nonexistent/ca.crt'),
		$self->_token('cagarbage', %gamma, caData => 'bm90IGEgcGVt'),
		$self->_token('canotbase64', %gamma, caData => '%%%'),
		$self->_token('cabadpem', %gamma,
		    caFile => "$self->{pki}/notpem"),
		$self->_token('rstone'),
		$self->_token('strbool', %gamma, skipTLSVerify => 'true',
		    skipMetricsLookup => 'yes'),
	);
}

sub _three {
	my ($self) = @_;
	return ($self->_token('alpha', title => 'Alpha Cluster'),
	    $self->_token('beta'), $self->_token('empty'));
}

# --- Sets -------------------------------------------------------------------

my $MULTI = 'multiTenant';
my $SINGLE = 'singleTenant';
my $RELATION = 'catalogRelation';

my @KEYS = (accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
    secretAccessKey => 'fakesecretfakesecretfakesecret');

my %SETS = (
	main => sub { _plain($SINGLE, $_[0]->_main_clusters) },
	multi => sub { _plain($MULTI, $_[0]->_three) },
	bad => \&_set_bad,
	relation => sub { _plain($RELATION, $_[0]->_three) },
	one => sub { _plain($SINGLE, $_[0]->_token('alpha')) },
	none => sub { _plain($MULTI) },
	types => \&_set_types,
	allobj => \&_set_allobj,
	objempty => sub { my $set = _plain($SINGLE, $_[0]->_token('alpha'));
	    $set->{kubernetes}{objectTypes} = []; $set },
	catalog => \&_set_catalog,
	combined => \&_set_combined,
	auth => \&_set_auth,
	deny => \&_set_deny,
	catrel => sub { return { kubernetes => {
	    serviceLocatorMethod => { type => $RELATION },
	    clusterLocatorMethods => [{ type => 'catalog' }] } } },
	hangmix => sub { _plain($MULTI, $_[0]->_token('alpha'),
	    $_[0]->_token('hang')) },
	incluster => \&_set_incluster,
	cloud => \&_set_cloud,
	awsnone => \&_set_awsnone,
	awscn => sub { return { %{_plain($MULTI, $_[0]->_by(aws1 => 'aws'))},
	    env => { AWS_REGION => 'cn-north-1' } } },
	awsacct => \&_set_awsacct,
);

sub names { return sort keys %SETS }

sub _plain {
	my ($service, @clusters) = @_;
	return { kubernetes => {
		serviceLocatorMethod => { type => $service },
		clusterLocatorMethods => [
		    { type => 'config', clusters => \@clusters }],
	} };
}

sub _set_bad {
	my ($self) = @_;
	return _plain($MULTI, $self->_token('alpha'),
	    $self->_token('refused'),
	    $self->_token('wrongtoken', of => 'alpha',
		serviceAccountToken => 'wrong-token'),
	    $self->_token('beta'),
	    $self->_token('tlsbad', of => 'gamma',
		caData => $self->{otherca}));
}

sub _set_types {
	my ($self) = @_;
	my $set = _plain($SINGLE, map { $self->_token($_) } qw(alpha beta));
	$set->{kubernetes}{objectTypes} = [qw(cronjobs
	    horizontalpodautoscalers pods secrets)];
	$set->{kubernetes}{apiVersionOverrides} = {
	    cronjobs => 'v1beta1', horizontalpodautoscalers => 'v1' };
	return $set;
}

sub _set_allobj {
	my ($self) = @_;
	my $set = _plain($SINGLE, $self->_token('alpha'),
	    $self->_token('crd', of => 'alpha', customResources => [$CERTS]));
	$set->{kubernetes}{objectTypes} = [qw(persistentvolumes
	    persistentvolumeclaims secrets bogus customresources)];
	$set->{kubernetes}{customResources} = [$ROLLOUTS, $CERTS];
	return $set;
}

sub _set_catalog {
	my ($self) = @_;
	my $set = _plain($MULTI);
	$set->{kubernetes}{clusterLocatorMethods} = [{ type => 'catalog',
	    dangerouslyAllowClusterUrls => ['127.0.0.1'] }];
	return $set;
}

sub _set_combined {
	my ($self) = @_;
	my $set = _plain($MULTI, map { $self->_token($_) } qw(alpha beta));
	push @{$set->{kubernetes}{clusterLocatorMethods}},
	    { type => 'config', clusters => [
		$self->_token('alpha', of => 'beta', title => 'Dup')] },
	    { type => 'localKubectlProxy' };
	return $set;
}

sub _static {
	my ($token, $subject, @restrictions) = @_;
	return { type => 'static',
	    options => { token => $token, subject => $subject },
	    @restrictions ? (accessRestrictions => \@restrictions) : () };
}

my $EVERYTHING = _static('static-token-12345678', 'ext');
my $NOT_HERE = _static('only-catalog-12345678', 'ext2',
    { plugin => 'catalog' });
my $LISTS_ONLY = _static('only-clusters-12345678', 'ext3',
    { plugin => 'kubernetes', permission => ['kubernetes.clusters.read'] });

sub _set_auth {
	my ($self) = @_;
	my $set = _plain($SINGLE, $self->_token('alpha'),
	    $self->_by(localecho => 'localKubectlProxy'),
	    $self->_by(aks1 => 'aks'));
	$set->{auth} = { externalAccess =>
	    [$EVERYTHING, $NOT_HERE, $LISTS_ONLY] };
	return $set;
}

sub _set_deny {
	my ($self) = @_;
	my $set = _plain($SINGLE, $self->_token('alpha'));
	$set->{auth} = { externalAccess => [$EVERYTHING, $LISTS_ONLY] };
	$set->{permission} = { enabled => \1 };
	return $set;
}

sub _set_incluster {
	my ($self) = @_;
	return { %{_plain($MULTI, { name => 'self',
	    url => 'http://127.0.0.1:1', authProvider => 'serviceAccount' })},
	    env => { KUBERNETES_SERVICE_HOST => '127.0.0.1',
		KUBERNETES_SERVICE_PORT => $self->port('gamma') } };
}

sub _set_cloud {
	my ($self) = @_;
	my $stub = '127.0.0.1:' . (BACKSTAGE + $self->{shift});
	return { %{_plain($SINGLE, $self->_by(azure1 => 'azure'),
	    $self->_by(gsa1 => 'googleServiceAccount'))}, env => {
		IDENTITY_ENDPOINT => "http://$stub/msi",
		IDENTITY_HEADER => 'msi-secret',
		GCE_METADATA_HOST => $stub,
		METADATA_SERVER_DETECTION => 'assume-present',
	} };
}

sub _set_awsnone {
	my ($self) = @_;
	return { %{_plain($MULTI, $self->_token('alpha'),
	    $self->_by(aws1 => 'aws'))}, aws => undef,
	    env => { AWS_REGION => undef } };
}

sub _set_awsacct {
	my ($self) = @_;
	return { %{_plain($SINGLE,
	    $self->_by(awsrole => 'aws', assumeRole => $ROLE),
	    $self->_by(aws1 => 'aws'))}, aws => {
		mainAccount => { @KEYS },
		accounts => [{ accountId => '222222222222',
		    roleName => 'backstage', region => 'eu-central-1',
		    externalId => 'acct-ext' }],
	} };
}

# --- Writing ----------------------------------------------------------------

# The settings of a set as a value.
sub settings {
	my ($self, $name) = @_;
	my $set = $self->_set($name);
	my $pki = $self->{pki};
	my $stub = 'http://127.0.0.1:' . (BACKSTAGE + $self->{shift});
	my $auth = { %{$set->{auth}
	    // { dangerouslyDisableDefaultAuthPolicy => \1 }},
	    pluginKeyStore => { type => 'static', static => { keys => [{
		publicKeyFile => "$pki/plugin.pub",
		privateKeyFile => "$pki/plugin.key", keyId => 'k1' }] } } };
	my $settings = {
		app => { title => 'test', baseUrl => 'http://127.0.0.1:7000' },
		backend => { baseUrl => 'http://127.0.0.1:7000',
		    listen => { host => '127.0.0.1', port => 7000 },
		    auth => $auth },
		discovery => { endpoints => [{
		    target => "$stub/api/{{pluginId}}",
		    plugins => [qw(catalog auth permission)] }] },
		kubernetes => $set->{kubernetes},
		stagedoor => { limits => { connect => 1.0, cluster => 5.0 } },
	};
	$settings->{permission} = $set->{permission} if $set->{permission};
	my $aws = exists $set->{aws} ? $set->{aws}
	    : { mainAccount => { @KEYS } };
	$settings->{aws} = $aws if defined $aws;
	return $settings;
}

sub _set {
	my ($self, $name) = @_;
	my $make = $SETS{$name} or die "no set '$name'\n";
	return $self->{made}{$name} //= $make->($self);
}

# Write DIR/sets/NAME.yaml (JSON is YAML too); returns the file.
sub write {
	my ($self, $name) = @_;
	my $file = "$self->{dir}/sets/$name.yaml";
	return write_file($file, encode_json($self->settings($name)));
}

# The environment of a set's pool.
sub env {
	my ($self, $name) = @_;
	return {
		AWS_REGION => 'eu-west-1', AWS_EC2_METADATA_DISABLED => 'true',
		AWS_ENDPOINT_URL_STS => 'http://127.0.0.1:'
		    . (BACKSTAGE + $self->{shift}),
		%{$self->_set($name)->{env} // {}},
	};
}

sub has_set { return exists $SETS{$_[1]} }

1;
