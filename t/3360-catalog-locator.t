#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The cluster locator catalog: which Resources of Backstage's catalog become
# clusters, what a failing catalog costs, that a changed list is taken up, and
# that nobody who writes there makes us connect to what is not public, also
# when a name stands for something else the next moment.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use MIME::Base64 qw(encode_base64);
use Stagedoor::TLS;
use Time::HiRes qw(sleep time);

have_program('openssl') or skip_or_fail('no openssl');

my $TOKEN = 'portal-static-token-0123456789';
my $dir = tempdir();
my $fake = fake(clusters => [{ name => 'one', tokens => ['anns-token'] },
    { name => 'plain' }], backstage => 1);
$fake->add_entity({ apiVersion => 'v1', kind => 'Component',
    metadata => { name => 'leaner', namespace => 'default', annotations =>
	{ 'backstage.io/kubernetes-id' => 'shop' } },
    relations => [{ type => 'dependsOn', targetRef => 'resource:default/b' }],
});
Stagedoor::TLS::make_ca($dir, 'own');
Stagedoor::TLS::make_cert($dir, 'server', 'own');
my $port = free_port();
Stagedoor::TLS::tls_front(listen => $port, to => $fake->port('one'),
    cert => "$dir/server.crt", key => "$dir/server.key");
my $ca = encode_base64(slurp("$dir/own.crt"), '');

# A Resource with these annotations of kubernetes.io.
sub resource {
	my ($name, %notes) = @_;
	%notes = ('api-server' => "https://127.0.0.1:$port",
	    'api-server-certificate-authority' => $ca,
	    'auth-provider' => 'google', %notes);
	return { apiVersion => 'backstage.io/v1beta1', kind => 'Resource',
	    metadata => { name => $name, namespace => 'default',
		annotations => { map { ("kubernetes.io/$_" => $notes{$_}) }
		    keys %notes } },
	    spec => { type => 'kubernetes-cluster', owner => 'x' } };
}

sub catalog_has { $fake->backstage_says(clusters => $_[0]) }

sub settings_with {
	my ($locator, %kubernetes) = @_;
	my $settings = settings(fake => $fake, clusters => ['plain'],
	    kubernetes => \%kubernetes,
	    stagedoor => { backstage => { token => $TOKEN } });
	push @{$settings->{kubernetes}{clusterLocatorMethods}},
	    { type => 'catalog', refresh => 1,
	    dangerouslyAllowClusterUrls => ['127.0.0.1'], %$locator };
	return $settings;
}

sub listed {
	my ($pool) = @_;
	return body_of(get($pool, '/clusters'))->{items};
}

sub names { return join ' ', map { $_->{name} } @{listed(@_)} }

sub becomes {
	my ($pool, $names, $called) = @_;
	eval { wait_for(sub { names($pool) eq $names }, 30, $names) };
	is names($pool), $names,
	    'the clusters are soon ' . ($called // "'$names'");
}

sub questions {
	return scalar grep { $_->{rawPath} eq '/api/catalog/entities' }
	    @{$fake->requests('@backstage')};
}

sub asked_again {
	my $before = questions();
	wait_for(sub { questions() > $before }, 15, 'a question');
}

# In vain, since then.
sub failed {
	my ($pool, $why) = @_;
	wait_for(sub { $pool->log_text =~ /cannot list .*$why/ }, 15, $why);
}

sub opened {
	my ($pool, $name) = @_;
	my $answer = get($pool, "/clusters/$name/proxy/version", headers =>
	    [['Backstage-Kubernetes-Authorization-Google', 'anns-token']]);
	return "$answer->{status} $answer->{body}";
}

# --- Lists ------------------------------------------------------------------

catalog_has([resource('b'), resource('a', 'auth-provider' => 'oidc',
	'oidc-token-provider' => 'okta', 'dashboard-url' => 'https://d'),
    resource('plain'), resource('sa', 'auth-provider' => 'serviceAccount'),
    resource('net', 'api-server' => 'https://10.0.0.1'),
    resource('meta', 'api-server' => 'https://169.254.169.254'),
    resource('name', 'api-server' => 'https://localhost:6443'),
    resource('who', 'api-server' => "https://u:hunter2\@127.0.0.1:$port"),
    resource('gone', 'api-server' => 'https://nobody.invalid')]);
my $pool = pool(settings => settings_with({}));
is names($pool), 'plain b a plain', 'what may be one is a cluster, in order';
is_deeply listed($pool)->[2], { name => 'a', authProvider => 'oidc',
    oidcTokenProvider => 'okta', dashboardUrl => 'https://d' },
    'as the annotations say';
my ($asked) = grep { $_->{rawPath} eq '/api/catalog/entities' }
    @{$fake->requests('@backstage')};
is $asked->{headers}{authorization}, "Bearer $TOKEN", 'with our own token';
my $log = $pool->log_text;
like $log, qr/warn .*resource 'sa' .*auth provider is serviceAccount/,
    'the log says what is left out: a provider';
like $log, qr/'$_' of the catalog is left out: its address is not public/,
    "an address: $_" for qw(net meta);
like $log, qr/'name' .*stands for an address that is not public/, 'a name';
like $log, qr/'who' .*holds a user's name or password/, 'user info';
SKIP: {
	skip 'there is a name server that does not answer', 1
	    if names($pool) =~ /gone/;
	like $log, qr/'gone' .*not known in DNS/, 'a name that is none';
}
like $log, qr/cluster name 'plain' comes from more than one locator/,
    'and which name is there twice';
like opened($pool, 'b'), qr/^200 /, 'a cluster is reached by its own CA';
is $fake->last_request('one')->{headers}{authorization}, 'Bearer anns-token',
    'with the user\'s token';

# --- Changes ----------------------------------------------------------------

asked_again();
unlike $pool->log_text, qr/read again/, 'the same list is no change';
catalog_has([resource('c'), resource('b')]);
becomes($pool, 'plain c b');
like $pool->log_text, qr/read again: a list of clusters has changed/,
    'the log says so';
like opened($pool, 'c'), qr/^200 /, 'the new one can be opened';
like opened($pool, 'a'), qr/^404 /, 'the old one is gone';

my $good = [resource('c'), resource('b')];
for my $fault ([500, qr/500/], [{ body => '{"items":[]}' }, qr/no list/],
    [{ many => 5001, of => resource('x') }, qr/more than 5000 clusters/]) {
	catalog_has($fault->[0]);
	failed($pool, $fault->[1]);
	is names($pool), 'plain c b', "$fault->[1]: the last good list stays";
	catalog_has($good);
	asked_again();
}
catalog_has({ many => 1000, of => resource('x') });
becomes($pool, join(' ', 'plain', map { "x$_" } 1 .. 1000), 'a thousand');
like opened($pool, 'x1000'), qr/^200 /, 'and the last one can be opened';
catalog_has([]);
becomes($pool, 'plain');
$pool->stop;

# The catalog is not there yet: nothing waits for it.
catalog_has(503);
my $began = time;
$pool = pool(settings => settings_with({}));
is names($pool), 'plain', 'without a catalog the others\' clusters are there';
cmp_ok time - $began, '<', 4, 'at once';
like $pool->log_text, qr/warn .*cannot list the clusters of .*503/,
    'and the log says what is missing';
catalog_has([resource('a'), resource('b')]);
becomes($pool, 'plain a b');
$pool->stop;

# Relations name clusters of the catalog too.
$pool = pool(settings => settings_with({}, serviceLocatorMethod =>
    { type => 'catalogRelation' }));
is_deeply [map { $_->{cluster}{name} } @{body_of(post($pool,
    '/resources/workloads/query', json => { entityRef =>
    'component:default/leaner', auth => { google => 'anns-token' } }))
    ->{items}}], ['b'], 'an entity finds the cluster it depends on';
$pool->stop;

# Annotations ask for no verification: only where the settings allow that.
my %blind = ('api-server-certificate-authority' => '',
    'skip-tls-verify' => 'true');
catalog_has([resource('a', %blind)]);
$pool = pool(settings => settings_with({}));
like opened($pool, 'a'), qr/^500 .*certificate/, 'skip-tls-verify is nothing';
$pool->reload(settings_with({ dangerouslyAllowSkipTLSVerify => \1 }));
wait_for(sub { $pool->log_text =~ /NOT verified/ }, 10, 'the reload');
wait_for(sub { opened($pool, 'a') =~ /^200 / }, 5, 'the new runtime');
pass 'but where the settings allow it';
$pool->stop;

# --- Names that change ------------------------------------------------------

# The name server of whoever wrote the entry: says what the file says, first
# and then.
my @cc = split ' ', $ENV{CC} || 'cc';
program($cc[0]);
write_file("$dir/names.c", <<'END');
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int look(const char *, const char *, const struct addrinfo *,
    struct addrinfo **);

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **out)
{
	look *next = (look *)dlsym(RTLD_NEXT, "getaddrinfo");
	static int calls;
	char text[64] = "", then[64] = "";
	FILE *f;

	if (name == NULL || strstr(name, ".rebind.test") == NULL)
		return next(name, service, hints, out);
	f = fopen(getenv("REBIND_FILE"), "r");
	if (f == NULL || fscanf(f, "%63s %63s", text, then) < 1)
		return EAI_NONAME;
	fclose(f);
	return next(calls++ > 0 && *then ? then : text, service, hints, out);
}
END
my $built = run_command([@cc, '-shared', '-fPIC', '-o', "$dir/names.so",
    "$dir/names.c", '-ldl']);
die $built->{err} if $built->{code};
sub name_is { write_file("$dir/name", $_[0]) }
my %names = (LD_PRELOAD => "$dir/names.so", REBIND_FILE => "$dir/name",
    ASAN_OPTIONS => join(':', $ENV{ASAN_OPTIONS} // (),
	'verify_asan_link_order=0'));
catalog_has([resource('a', %blind,
    'api-server' => "https://k8s.rebind.test:$port")]);
my %blindly = (dangerouslyAllowSkipTLSVerify => \1);

name_is('8.8.8.8');
$pool = pool(settings => settings_with({ %blindly, refresh => 600 }),
    env => \%names);
is names($pool), 'plain a', 'a name that stands for a public address';
name_is('127.0.0.1');
$fake->reset;
for my $try (1, 2) {
	like opened($pool, 'a'), qr/^500 .*address that is not public/,
	    "is not followed where it leads a moment later ($try)";
}
my ($row) = grep { $_->{cluster}{name} eq 'a' } @{body_of(post($pool,
    '/resources/workloads/query', json => { entityRef =>
    'component:default/leaner', auth => { google => 'anns-token' } }))
    ->{items}};
like $row->{errors}[0]{message}, qr/not public/, 'nor by a query';
is_deeply $fake->requests('one'), [], 'nothing came there';
$pool->stop;

$pool = pool(settings => settings_with({ %blindly }), env => \%names);
is names($pool), 'plain', 'when it is looked at then, it is no cluster';
$pool->stop;

$pool = pool(settings => settings_with({ %blindly,
    dangerouslyAllowClusterUrls => ['*.rebind.test'] }), env => \%names);
like opened($pool, 'a'), qr/^200 /, 'and where its name is allowed, it is';
$pool->stop;

# What nginx is told are addresses that were looked at, too.
sub told {
	name_is($_[0]);
	my $file = write_file("$dir/nginx.yaml", Stagedoor::JSON::encode_json(
	    settings_with({ %blindly })));
	my $run = Stagedoor::Pool->run(['nginx', '-c', $file],
	    env => \%names);
	return "$run->{out}$run->{err}";
}

like told('8.8.8.8'), qr/server 8\.8\.8\.8:$port;/, 'nginx gets an address';
my $text = told('8.8.8.8 127.0.0.1');
like $text, qr/# a is left out: it stands for an address that is not public/,
    'none that is not public';
unlike $text, qr/server 127\.0\.0\.1:$port;/, 'at all';

log_has_no('no secret is in a log', $TOKEN, 'anns-token', 'hunter2');
done_testing;
