#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A signal ends a process while an issuer renews a user's tokens: a CGI program
# whose client left, a command that somebody stops. The old refresh token is
# spent by then, and what comes for it must not be lost.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep);

my $dir = tempdir();
my $issuer = issuer(id_seconds => 2, access_seconds => 2);
my $fake = fake(clusters => [{ name => 'one', jwt => 'stagedoor' }]);
write_file("$dir/keys", stagedoor('key')->{out});
chmod 0600, "$dir/keys" or die "$dir/keys: $!";
my $config = write_file("$dir/settings.yaml", encode_json(settings(
    fake => $fake, source => 'params', clusters => [{ name => 'one',
	authProvider => 'oidc', oidcTokenProvider => 'corp',
	signIn => 'stagedoor' }],
    stagedoor => { publicUrl => 'https://portal.test',
	login => [$issuer->login('corp')],
	store => { type => 'sqlite', path => "$dir/tokens.db",
	    keyFile => "$dir/keys" } })));

sub run {
	my ($env, @args) = @_;
	return Stagedoor::Process->start(name => $args[0] // 'cgi',
	    env => { %{Stagedoor::Pool::clean_env()}, %$env },
	    command => [stagedoor_bin(), @args]);
}

my $connect = run({}, 'connect', '-c', $config, qw(--user ann --provider
    oidc));
wait_for(sub { $connect->log_text =~ /^waiting/m }, 20, 'a code');
my ($code) = $connect->log_text =~ /^and enter the code\n\n +(\S+)$/m;
$issuer->approve($code, 'alice');
$connect->wait_end(20);
is $connect->stop, 0, 'ann is signed in' or diag $connect->log_text;

sub counted { return $issuer->counters->{$_[0]} // 0 }

my @explain = ('explain', '-c', $config, '--user', 'ann');
my %cgi = (GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => 'GET',
    REQUEST_URI => '/api/kubernetes/clusters/one/proxy/version',
    SERVER_PROTOCOL => 'HTTP/1.1', STAGEDOOR_USER => 'ann',
    STAGEDOOR_CONFIG => $config);
my @ways = (['explain, at Ctrl-C', INT => {}, @explain],
    ['explain, whose terminal goes', HUP => {}, @explain],
    ['a CGI program', TERM => \%cgi]);
for my $way (@ways) {
	my ($name, $signal, $env, @command) = @$way;
	my $n = counted('rotations');

	sleep 2.2;			# the tokens run out
	$issuer->behave(token => 'slow:2');
	my $process = run($env, @command);
	wait_for(sub { counted('rotations') > $n }, 10, 'a refresh');
	sleep 0.3;
	$process->signal($signal);
	sleep 0.3;
	ok !$process->ended, "$name: it waits for what is spent";
	ok $process->wait_end(10), 'and ends then';
	isnt $process->stop, 0, 'by the signal' or diag $process->log_text;
	$issuer->behave(token => 'ok');
	my $again = stagedoor(@explain);
	is $again->{code}, 0, 'ann is still signed in' or diag $again->{out};
	is counted('reuses'), 0, 'and no old token was shown';
}
done_testing;
