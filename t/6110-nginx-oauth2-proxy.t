#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A real oauth2-proxy and a real nginx with the file that users include: who
# signs in is who the pool takes him for, and nobody else gets to be anybody.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Fake::IssuerClients;
use Stagedoor::RealIssuer;
use Stagedoor::Spoofing;
use Stagedoor::Surfer;

have_program('nginx') or skip_or_fail('no nginx');
my $binary = Stagedoor::RealIssuer::built('dex') . '/oauth2-proxy';

my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my @clusters = map { { name => $_->[0], of => 'one', allow => [$_->[1]] } }
    ['of-alice', 'user:default/alice'], ['of-bob', 'user:default/bob'],
    ['of-admins', 'group:default/admins'], ['of-devs', 'group:default/devs'];
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => \@clusters));

my %common = (email_verified => \1);
my $issuer = issuer(users => {
	bob => { sub => 'alice', email => 'bob@example.test', name => 'alice',
	    preferred_username => 'Bob', groups => ['devs'], %common },
	nameless => { sub => 'bob', email => 'alice@example.test',
	    groups => ['admins'], %common },
});

# --- The servers ------------------------------------------------------------

my ($port, $proxy_port) = (free_port(), free_port());
my $url = "http://127.0.0.1:$port";
Stagedoor::Process->start(name => 'oauth2-proxy', command => [$binary,
    '--http-address', "127.0.0.1:$proxy_port", '--reverse-proxy',
    '--set-xauthrequest', '--provider', 'oidc', '--oidc-issuer-url',
    $issuer->issuer, '--client-id', 'stagedoor', '--client-secret',
    Stagedoor::Fake::IssuerClients::SECRET, '--cookie-secret', 'x' x 32,
    '--cookie-secure=false', '--email-domain', '*', '--redirect-url',
    "$url/oauth2/callback", '--upstream', 'static://202',
    '--skip-provider-button', '--code-challenge-method', 'S256',
    '--scope', 'openid email profile groups']);
wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $proxy_port) }, 15, 'oauth2-proxy');

sub web {
	my (%opt) = @_;
	# As the include file has it, but for the port.
	my $block = slurp(top() . '/nginx/stagedoor-oauth2-proxy.conf')
	    =~ s/127\.0\.0\.1:4180/127.0.0.1:$proxy_port/gr;
	my $file = write_file(tempdir() . "/oauth2-$opt{port}.conf", $block);
	return nginx(pool => $pool, port => $opt{port}, server =>
	    ($opt{more} // '') . "include $file;\n");
}
my $web = web(port => $port);

# The Cookie header of somebody who has signed in.
sub sign_in {
	my ($name) = @_;
	$issuer->set(user => $name);
	my $surfer = Stagedoor::Surfer->new(at =>
	    { $url => $port, $issuer->base => $issuer->port });
	$surfer->go("$url/oauth2/start?rd=/oauth2/static");
	my $jar = $surfer->{cookies}{$port};
	return [Cookie => join '; ', map { "$_=$jar->{$_}" }
	    grep { !/csrf/ } sort keys %$jar];
}

sub sees {
	my ($web, @headers) = @_;
	my $answer = get($web, '/clusters', headers => \@headers);
	return $answer->{status} // 'closed' if ($answer->{status} // 0) != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

# --- Who is who -------------------------------------------------------------

is sees($web), 401, 'nobody is nobody';
my $bob = sign_in('bob');
like $bob->[1], qr/_oauth2_proxy=./, 'bob has signed in';
is sees($web, $bob), 'of-bob of-devs', 'bob, by his preferred name, and his '
    . 'group; whatever else he is called';
is sees($web, [Cookie => $bob->[1] =~ s/=(.{20})./=${1}x/r]), 401,
    'a changed session is none';
is sees($web, sign_in('nameless')), 401,
    'who has no preferred name is nobody';
is $web->get('/oauth2/auth', headers => [$bob])->{status}, 404,
    'the question is not for clients';
my $start = $web->get('/oauth2/start?rd=/x')->{headers}{location};
like $start, qr/^\Q@{[$issuer->base]}\E/, 'who wants to sign in may';

# --- Nobody else becomes anybody --------------------------------------------

my $loose = 'underscores_in_headers on; ignore_invalid_headers off;';
for my $more ('', $loose) {
	my $how = $more ? ' (any header let in)' : '';
	my $at = $more ? web(port => free_port(), more => $more) : $web;
	# (500: what oauth2-proxy takes for no header at all.)
	my @bad;
	for my $attempt (Stagedoor::Spoofing::attempts()) {
		my ($what, $headers) = @$attempt;
		my $seen = sees($at, @$headers);
		push @bad, "$what: nobody is $seen"
		    if $seen !~ /^(?:[45]\d\d|closed)$/;
		next if $what =~ /cookie/;
		$seen = sees($at, $bob, @$headers);
		push @bad, "$what: bob is $seen"
		    if $seen !~ /^(?:[45]\d\d|closed|of-bob of-devs)$/;
	}
	for my $target (Stagedoor::Spoofing::targets('/clusters')) {
		my $answer = get($at, $target);
		push @bad, "$target: $answer->{status}"
		    if $answer->{status} != 401;
	}
	is scalar @bad, 0, "no attempt makes anybody somebody$how"
	    or diag join "\n", @bad;
}
done_testing;
