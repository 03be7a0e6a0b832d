#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Client certificates before a real API server: the administrator's by
# kubeconfig and by settings, one with few rights, one of a stranger.
use Stagedoor::Test;
use Stagedoor::Cluster;
use Stagedoor::TLS qw(make_cert);

my $cluster = Stagedoor::Cluster->start;
$cluster->fill;
my $dir = $cluster->path('');
make_cert($dir, 'visitor', 'ca', client => 1, subject => '/CN=visitor');
make_cert($dir, 'stranger', 'other-ca', client => 1,
	subject => '/O=system:masters/CN=admin');
$cluster->kubectl(qw(-n demo create role visitor --verb=list
	--resource=pods));
$cluster->kubectl(qw(-n demo create rolebinding visitor --role=visitor
	--user=visitor));

sub entry {
	my ($name, %more) = @_;
	return { name => $name, url => $cluster->url,
		caFile => $cluster->ca_file, authProvider => 'x509',
		clientCertificateFile => $cluster->path("$name.crt"),
		clientKeyFile => $cluster->path("$name.key"), %more };
}

my $config = $cluster->kubeconfig('by-file', user => {
	'client-certificate' => 'admin.crt', 'client-key' => 'admin.key' });
my $fake = fake(clusters => [], backstage => 1, entities => [ {
	apiVersion => 'backstage.io/v1alpha1', kind => 'Component',
	metadata => { name => 'shop', annotations => {
		'backstage.io/kubernetes-id' => 'shop',
		'backstage.io/kubernetes-namespace' => 'demo' } } } ]);
my $pool = pool(settings => settings(fake => $fake, kubernetes => {
	objectTypes => [ 'pods' ], clusterLocatorMethods => [
	{ type => 'config', clusters => [ entry('admin'), entry('visitor'),
		entry('stranger'), entry('by-value',
		clientCertificateFile => undef, clientKeyFile => undef,
		clientCertificate => slurp($cluster->path('admin.crt')),
		clientKey => slurp($cluster->path('admin.key'))) ] },
	{ type => 'kubeconfig', path => $config } ] }));
my $web = nginx(pool => $pool);

# Who the API server says that we are.
sub who {
	my ($name) = @_;
	my $answer = request($web, POST => "/clusters/$name/proxy/apis/"
		. 'authentication.k8s.io/v1/selfsubjectreviews', json => {
		apiVersion => 'authentication.k8s.io/v1',
		kind => 'SelfSubjectReview' });
	return $answer->{status} unless $answer->{status} == 201;
	return body_of($answer)->{status}{userInfo}{username};
}

for my $round (1, 2) {
	is who($_), 'admin', "$_ is the administrator"
	    for qw(admin by-value by-file);
	is who('visitor'), 'visitor', 'beside one who is not';
	is who('stranger'), 401, 'and one whose certificate is not of the CA';
}

my $answer = post($web, '/resources/workloads/query', json => {
	entityRef => 'component:default/shop', auth => {} });
my %row = map { $_->{cluster}{name} => $_ } @{body_of($answer)->{items}};
for my $name (qw(admin by-value by-file visitor)) {
	is_deeply [ map { $_->{metadata}{name} }
		@{$row{$name}{resources}[0]{resources}} ], [ 'shop-1' ],
	    "$name lists pods";
}
is $row{stranger}{errors}[0]{errorType}, 'UNAUTHORIZED_ERROR',
    'the stranger does not';

my $path = '/api/v1/namespaces/demo/secrets/shop';
is get($web, "/clusters/admin/proxy$path")->{status}, 200,
    'the administrator sees a secret';
is get($web, "/clusters/visitor/proxy$path")->{status}, 403,
    'a visitor does not';
my ($seen) = grep { $_->{user}{username} eq 'visitor' }
    $cluster->audit(qr/\Q$path\E$/);
is $seen->{responseStatus}{code}, 403, 'and is named in the audit log';

rename $cluster->path("visitor.$_"), $cluster->path("admin.$_")
    or die "$_: $!" for qw(crt key);
is who('admin'), 'visitor', 'files that change take effect';
is who('by-file'), 'visitor', 'those of a kubeconfig too';
is who('by-value'), 'admin', 'and nothing else';
done_testing;
