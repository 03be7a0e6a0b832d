#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# One program with many issuers: a client of each kind (with a secret in the
# header or in the form, without one, with a key), Google's dialect and
# Entra's. Each signs a user in, renews, and signs out, and each cluster gets
# the token of its own issuer, of the kind that it wants.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Fake::IssuerClients;
use Stagedoor::Visitor;

have_program('openssl') or skip_or_fail('no openssl');
my $key = tempdir() . '/client';
Stagedoor::TLS::ec_key(tempdir(), 'client');
my $secret = Stagedoor::Fake::IssuerClients::SECRET;
my @kinds = qw(basic post none private_key_jwt);
my %of = map { $_ => issuer(id_seconds => 4, access_seconds => 4, clients => {
    "client of/$_" => { auth => $_, public_key => "$key.pub" } }) } @kinds;
my %short = (id_seconds => 4, access_seconds => 4);
$of{google} = issuer(dialect => 'google', %short);
$of{aks} = issuer(dialect => 'aks', %short);
my @all = (@kinds, qw(google aks));

my $fake = fake(clusters => [map { { name => $_, handler => \&seen } } @all]);
my $port = free_port();
my %login = (google => $of{google}->login, aks => $of{aks}->login);
delete $login{$_}{scopes} for qw(google aks);	# each has its own
for my $kind (@kinds) {
	my $login = $login{$kind} = $of{$kind}->login($kind,
	    clientId => "client of/$kind", clientAuth => $kind);
	delete $login->{clientSecret} if $kind =~ /^(?:none|private)/;
	$login->{keyFile} = "$key.key" if $kind =~ /^private/;
}
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => [map { { name => $_, signIn => 'stagedoor', /^(?:google|aks)$/
	? (authProvider => $_)
	: (authProvider => 'oidc', oidcTokenProvider => $_) } } @all],
    stagedoor => { publicUrl => "http://127.0.0.1:$port",
	cloud => { entraHost => $of{aks}->base },
	login => [map { $login{$_} } @all] }));
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER);
my $ann = Stagedoor::Visitor->new(web => $web, user => 'ann');

# The clusters tell which token reached them.
sub seen {
	my ($request, $conn) = @_;
	my ($token) = ($request->{headers}{authorization} // '')
	    =~ /^Bearer (.+)$/;
	$conn->reply(200, ['Content-Type' => 'text/plain'], $token // '');
	return 1;
}

sub token_at {
	my ($cluster) = @_;
	my $answer = $ann->get("/clusters/$cluster/proxy/version");
	return $answer->{status} == 200 ? $answer->{body} : undef;
}

for my $name (@all) {
	my $issuer = $of{$name};
	my $path = $name =~ /^(?:google|aks)$/ ? $name : "oidc/$name";
	is token_at($name), undef, "$name: nobody has signed in";
	my $answer = $ann->sign_in($path, issuer => $issuer);
	like $answer->{headers}{location}, qr/done=connected/,
	    "$name: she signs in";
	my $asked = Stagedoor::Issuer::parameters_of($ann->{begun});
	is $asked->{code_challenge_method}, 'S256', '... with PKCE';
	my $token = token_at($name);
	if ($path eq $name) {
		like $token, qr/^alice-access-token-/,
		    '... the cluster gets the access token';
		my %want = (google => qr{/auth/cloud-platform}, aks =>
		    qr{\boffline_access .*6dae42f8-.*/user\.read|
		    6dae42f8-.*/user\.read.*\boffline_access}x);
		like $asked->{scope}, $want{$name}, '... for which it asked';
	} else {
		my $claims = Stagedoor::Issuer::claims_of($token) // {};
		is $claims->{iss}, $issuer->issuer,
		    '... the cluster gets an id token of that issuer';
		is $claims->{aud}, "client of/$name", '... for that client';
	}
	is $asked->{access_type}, $name eq 'google' ? 'offline' : undef,
	    '... and offline access in its way';
	my $next = wait_for(sub { my $new = token_at($name) // return 0;
	    $new ne $token && $new }, 10, "$name: a new token");
	ok $next, '... it is renewed';
	is $issuer->counters->{reuses} // 0, 0, '... and none used twice';
	is $ann->request(DELETE => "/connect/$path")->{status}, 204,
	    '... she signs out';
	is $issuer->count('revocation'), $name eq 'aks' ? 0 : 1,
	    '... and the issuer is told, if it wants to be';
	is $issuer->counters->{clients_refused} // 0, 0,
	    '... which knew us each time';
	is token_at($name), undef, '... the cluster is closed';
}
is_deeply [map { $_->{form}{client_secret} // 'none' }
    @{$of{none}->requests('token')}], [('none') x $of{none}->count('token')],
    'who has no secret sends none';
my %scheme = map { $_ => ($of{$_}->requests('token')->[0]{headers}
    {authorization} // 'none') =~ s/ .*//r } @kinds;
is_deeply \%scheme, { basic => 'Basic', map { $_ => 'none' } @kinds[1 .. 3] },
    'and only one is named in the header';
log_has_no('no log has a token or a secret', $secret, 'refresh-alice',
    'alice-access-token');
done_testing;
