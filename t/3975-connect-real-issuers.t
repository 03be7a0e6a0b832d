#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor connect against issuers that others wrote, over TLS: a person
# types the code in there, and the tokens are kept, renewed and revoked.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Dex;
use Stagedoor::OidcProvider;

my $dir = tempdir();
write_file("$dir/keys", stagedoor('key')->{out});
chmod 0600, "$dir/keys" or die "$dir/keys: $!";
# A cluster that tells whom the token that reaches it is of.
my $fake = fake(clusters => [{ name => 'one', handler => sub {
	my ($request, $conn) = @_;
	my ($token) = ($request->{headers}{authorization} // '')
	    =~ /^Bearer (.+)$/;
	$conn->reply(200, ['Content-Type' => 'text/plain'],
	    (Stagedoor::Issuer::claims_of($token) // {})->{email} // 'none');
	return 1;
} }]);

# bob types the code in.
sub enter {
	my ($real, $code) = @_;
	return $real->approve($code, 'bob')
	    if $real->isa('Stagedoor::OidcProvider');
	my $surfer = $real->surfer;
	my $page = $surfer->submit($surfer->go($real->url('device_page')),
	    user_code => $code);
	$page = $surfer->submit($page, login => 'bob@example.test',
	    password => 'password');
	# Dex leaves its own path out of where it sends us last.
	$page = $surfer->go($page->{url} =~ s{/device/}{/dex/device/}r)
	    if $page->{url} !~ m{/dex/};
	diag $page->{body} if ($page->{status} // 0) != 200;
}

sub connect_at {
	my ($name, $real, %login) = @_;
	my $config = write_file("$dir/$name.yaml", encode_json(settings(
	    fake => $fake, source => 'params', clusters => [{ name => 'one',
		authProvider => 'oidc', oidcTokenProvider => 'corp',
		signIn => 'stagedoor' }],
	    stagedoor => { caFile => $real->ca_file, audit => 'off',
		publicUrl => 'https://portal.test',
		login => [$real->login('corp', %login)],
		store => { type => 'sqlite', path => "$dir/$name.db",
		    keyFile => "$dir/keys" } })));
	my $process = Stagedoor::Process->start(name => "connect-$name",
	    env => Stagedoor::Pool::clean_env(), command => [stagedoor_bin(),
		'connect', '-c', $config, qw(--user ann --provider oidc)]);
	wait_for(sub { $process->ended || $process->log_text =~ /^waiting/m },
	    30, 'a code');
	my ($code) = $process->log_text =~ /^and enter the code\n\n +(\S+)$/m;
	like $code, qr/^[\w-]{6,}$/, "$name gives a code"
	    or diag $process->log_text;
	enter($real, $code);
	$process->wait_end(30);
	is $process->stop, 0, 'and tokens, once it is entered'
	    or diag $process->log_text;
	like $process->log_text, qr/^connected as bob\@example\.test until /m,
	    'of whoever entered it';
	return $config;
}

sub try_issuer {
	my ($name, $real, %login) = @_;
	my $config = connect_at($name, $real, %login);
	my $pool = pool(config => $config);
	my $path = '/clusters/one/proxy/version';
	is get($pool, $path, as => 'ann')->{body}, 'bob@example.test',
	    'the server has the token';
	wait_for(sub { get($pool, $path, as => 'ann');
	    ($real->counters->{rotations} // 0) > 0 }, 20, 'a refresh');
	is get($pool, $path, as => 'ann')->{body}, 'bob@example.test',
	    'and renews it';
	my $ran = stagedoor('tokens', 'revoke', '-c', $config, '--all');
	is $ran->{code}, 0, 'it can be revoked' or diag $ran->{err};
	like $ran->{out}, qr/^signed out: user:default\/ann, oidc corp, bob/,
	    'from a terminal';
	wait_for(sub { get($pool, $path, as => 'ann')->{status} == 401 }, 5,
	    'the server to know');
	is $pool->stop, 0, 'the pool ends in order';
	$real->stop;
}

try_issuer('oidc-provider', Stagedoor::OidcProvider->start(tls => 1,
    ttl => { IdToken => 6 }));
# Dex looks for who we are in the form only.
try_issuer('dex', Stagedoor::Dex->start(tls => 1, id_tokens => '6s',
    redirect_uris => ['/device/callback']), clientAuth => 'post');
done_testing;
