#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Lists of a query share one HTTP/2 connection, streams keep HTTP/1.1 ones;
# both are used again, and each request carries its own user's credential.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $fake = fake(backstage => 1, clusters => [{ name => 'one',
    tokens => [qw(alice-token bob-token)] }]);
my $dir = tempdir();
Stagedoor::TLS::make_ca($dir, 'ca');
Stagedoor::TLS::make_cert($dir, 'server', 'ca');
my $port = free_port();
Stagedoor::TLS::tls_front(listen => $port, to => $fake->port('one'),
    cert => "$dir/server.crt", key => "$dir/server.key", http2 => 1);
my $pool = pool(settings => settings(fake => $fake, clusters => [
    { name => 'one', url => "https://127.0.0.1:$port",
	caFile => "$dir/ca.crt" }]));

# How many connections there were, of which protocols.
sub connections {
	my %seen = map { ("$_->{tls_protocol} $_->{tls_connection}" => 1) }
	    @{$fake->requests('one')};
	return sort keys %seen;
}

sub query {
	my $answer = post($pool, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	return body_of($answer)->{items}[0];
}

sub proxy {
	my ($token) = @_;
	return get($pool, '/clusters/one/proxy/version', headers => [
	    ['Backstage-Kubernetes-Authorization', "Bearer $token"]])
	    ->{status};
}

for my $which ('first', 'second') {
	is scalar @{query()->{errors}}, 0, "a $which query succeeds";
}
my @lists = connections();
is scalar @lists, 1, 'its lists took one connection' or diag("@lists");
like $lists[0], qr{^HTTP/2\.0 }, 'of HTTP/2';
cmp_ok scalar @{$fake->requests('one')}, '>=', 26, 'for all of them';

$fake->reset;
is proxy("$_-token"), 200, "$_ gets in" for (qw(alice bob)) x 5;
my @streams = connections();
is scalar @streams, 1, 'streams one after another took one connection'
    or diag("@streams");
like $streams[0], qr{^HTTP/1\.1 }, 'of HTTP/1.1';
is join(' ', map { $_->{headers}{authorization} }
    @{$fake->requests('one')}), join(' ', ('Bearer alice-token',
    'Bearer bob-token') x 5), 'each with the credential of its user';

done_testing;
