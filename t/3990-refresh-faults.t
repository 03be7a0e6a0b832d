#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Issuers that misbehave while tokens are renewed, each in its own way, all at
# the same time: the old token is used to its end and nothing that is wrong
# reaches a cluster; the session lives, and goes on once the issuer is well.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Visitor;
use Time::HiRes qw(sleep time);

have_program('openssl') or skip_or_fail('no openssl');
my @faults = ((map { "wrong:$_" } qw(iss aud azp sub key kid at_hash)),
    'alg:none', 'alg:HS256', 'expired', 'huge', 'malformed', 'redirect',
    'body:[]', '503', '429:1', 'reset', 'lost', 'slow:2.5',
    '400:invalid_client');
# What is lost on the way is shown again, so these issuers do not rotate.
my @all = map { { fault => $faults[$_], name => "is$_", issuer =>
    issuer(id_seconds => 6, access_seconds => 6, rotate => 0) } } 0 .. $#faults;

my $fake = fake(clusters => [map { { name => $_->{name}, handler => \&echo } }
    @all]);
my $port = free_port();
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => [map { { name => $_->{name}, authProvider => 'oidc',
	oidcTokenProvider => $_->{name}, signIn => 'stagedoor' } } @all],
    stagedoor => { publicUrl => "http://127.0.0.1:$port",
	login => [map { $_->{issuer}->login($_->{name}) } @all] }));
my $web = nginx(pool => $pool, port => $port,
    server => Stagedoor::Visitor::SERVER);
my $ann = Stagedoor::Visitor->new(web => $web, user => 'ann');

sub echo {
	my ($request, $conn) = @_;
	$conn->reply(200, ['Content-Type' => 'text/plain'],
	    $request->{headers}{authorization} // 'nothing');
	return 1;
}

# What the cluster was sent; or the status, where nothing was.
sub sent {
	my ($one) = @_;
	my $answer = $ann->get("/clusters/$one->{name}/proxy/version");
	return $answer->{status} == 200 ? $answer->{body} : $answer->{status};
}

for my $one (@all) {
	$ann->sign_in("oidc/$one->{name}", issuer => $one->{issuer});
	$one->{first} = sent($one);
	$one->{issuer}->behave(token => $one->{fault});
	$one->{seen} = {};
}

# Till all that do not renew are over, and a while longer.
sub waiting {
	return grep { $_->{fault} !~ /^slow/ && !grep { !/^Bearer/ }
	    keys %{$_->{seen}} } @all;
}
my $began = time;
while (time < $began + 7.5 || (waiting() && time < $began + 30)) {
	$_->{seen}{sent($_)}++ for @all;
	sleep 0.2;
}
my $took = time - $began;
for my $one (@all) {
	my @other = grep { $_ ne $one->{first} && /^Bearer/ }
	    keys %{$one->{seen}};
	my $fault = $one->{fault};
	like $one->{first}, qr/^Bearer eyJ/, "$fault: given: a token";
	is scalar(@other) ? 'others' : 'none', $fault =~ /^slow/ ? 'others'
	    : 'none', '... what else reaches the cluster';
	is join(' ', grep { !/^Bearer/ } sort keys %{$one->{seen}}),
	    $fault =~ /^slow/ ? '' : $fault eq 'wrong:sub' ? 401 : 500,
	    '... and what the user is told when it is over';
	cmp_ok $one->{issuer}->count('token'), '<=', 4 + $took,
	    '... the issuer is not run over';
}
$_->{issuer}->behave(token => 'ok') for @all;
my $well = sub { my ($one) = @_; my $now = sent($one);
    return $now =~ /^Bearer/ && $now ne $one->{first} };
$began = time;
# Who it is somebody else's for must sign in again.
my %gone = map { $_->{fault} => $_ } grep { $_->{fault} ne 'wrong:sub' } @all;
while (%gone && time < $began + 20) {
	delete $gone{$_} for grep { $well->($gone{$_}) } keys %gone;
	sleep 0.3;
}
is join(' ', sort keys %gone), '', 'once they are well, all go on';
is scalar(map { $_->{issuer}->count('elsewhere') || () } @all), 0,
    'no redirect was followed';
log_has_no('no log has a token or a secret', 'refresh-alice',
    'alice-access-token', 'client+secret');
done_testing;
