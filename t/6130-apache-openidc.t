#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A real Apache with a real mod_auth_openidc and the file that users include,
# before an issuer: who signs in is who the pool takes him for, and nobody
# else gets to be anybody.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Fake::IssuerClients;
use Stagedoor::Spoofing;
use Stagedoor::Surfer;
use Stagedoor::Web;

have_program('apache2') or skip_or_fail('no Apache');
-e Stagedoor::Web::APACHE_MODULES . '/mod_auth_openidc.so'
    or skip_or_fail('no mod_auth_openidc');

my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my @clusters = map { { name => $_->[0], of => 'one', allow => [$_->[1]],
    @$_ > 2 ? (authProvider => 'serviceAccount', serviceAccountToken =>
	'alpha-token', impersonate => $_->[2]) : () } }
    ['of-alice', 'user:default/alice'], ['of-bob', 'user:default/bob'],
    ['of-admins', 'group:default/admins'], ['of-devs', 'group:default/devs'],
    ['as-bob', 'user:default/bob', { user => '{email}' }];
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => \@clusters, stagedoor =>
    { socketGroup => Stagedoor::Web::apache_group() }));

my $issuer = issuer(users => {
	bob => { sub => 'alice', email => 'bob@example.test', name => 'alice',
	    preferred_username => 'Bob', groups => ['devs', 'ops'],
	    email_verified => \1 },
	doubtful => { sub => 'x', email => 'alice@example.test',
	    preferred_username => 'Bob', groups => [],
	    email_verified => \0 },
	nameless => { sub => 'bob', email => 'alice@example.test',
	    groups => ['admins'], email_verified => \1 },
});
my $port = free_port();
my $url = "http://127.0.0.1:$port";
my $secret = Stagedoor::Fake::IssuerClients::SECRET;
my $web = Stagedoor::Web->apache('apache-proxy-fcgi', pool => $pool,
    port => $port, modules => [qw(proxy proxy_fcgi auth_openidc)],
    host => <<"END");
	Include stagedoor/apache-openidc.conf
	OIDCProviderMetadataURL @{[$issuer->url('discovery')]}
	OIDCClientID stagedoor
	OIDCClientSecret "$secret"
	OIDCScope "openid email profile groups"
	OIDCPKCEMethod S256
	OIDCRedirectURI $url/oidc/callback
	OIDCCryptoPassphrase "of this test"
	<Location "/oidc/">
		AuthType openid-connect
		Require valid-user
	</Location>
END

# The Cookie header of somebody who has signed in.
sub sign_in {
	my ($name) = @_;
	$issuer->set(user => $name);
	my $surfer = Stagedoor::Surfer->new(at =>
	    { $url => $port, $issuer->base => $issuer->port });
	$surfer->go("$url/oidc/page");
	my $jar = $surfer->{cookies}{$port};
	return [Cookie => join '; ', map { "$_=$jar->{$_}" }
	    grep { /session/ } sort keys %$jar];
}

sub sees {
	my (@headers) = @_;
	my $answer = get($web, '/clusters', headers => \@headers);
	return $answer->{status} // 'closed' if ($answer->{status} // 0) != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

# --- Who is who -------------------------------------------------------------

is sees(), 401, 'nobody is nobody, and is not sent elsewhere';
my $bob = sign_in('bob');
like $bob->[1], qr/mod_auth_openidc_session=./, 'bob has signed in';
is sees($bob), 'of-bob of-devs as-bob', 'bob, by his preferred name, and '
    . 'his group; whatever else he is called';
is sees([Cookie => $bob->[1] =~ s/=(.{9})./=${1}0/r]), 401,
    'another session is none';
is sees(sign_in('nameless')), 401, 'who has no preferred name is nobody';

my @proxy = ('/clusters/as-bob/proxy/version');
get($web, @proxy, headers => [$bob]);
is $fake->last_request('one')->{headers}{'impersonate-user'},
    'bob@example.test', 'an address that was verified counts';
$fake->reset;
get($web, @proxy, headers => [sign_in('doubtful')]);
is scalar @{$fake->settled('one')}, 0, 'one that was not does not';

# --- Nobody else becomes anybody --------------------------------------------

my @bad;
for my $attempt (Stagedoor::Spoofing::attempts()) {
	my ($what, $headers) = @$attempt;
	my $seen = sees(@$headers);
	push @bad, "$what: nobody is $seen" if $seen !~ /^(?:4\d\d|closed)$/;
	next if $what =~ /cookie/;
	$seen = sees($bob, @$headers);
	push @bad, "$what: bob is $seen"
	    if $seen !~ /^(?:4\d\d|closed|of-bob of-devs as-bob)$/;
}
for my $target (Stagedoor::Spoofing::targets('/clusters')) {
	my $answer = get($web, $target);
	push @bad, "$target: $answer->{status}" if $answer->{status} != 401;
}
is scalar @bad, 0, 'no attempt makes anybody somebody'
    or diag join "\n", @bad;
done_testing;
