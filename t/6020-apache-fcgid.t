#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Apache with mod_fcgid, which starts the program itself, and the file that
# users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $passwords = Stagedoor::WebChecks::password_file();
my $web = Stagedoor::Web->apache('apache-fcgid',
    config => $world->settings_file(remote_user => 1),
    modules => [qw(fcgid)], location => <<"END", global => <<'END');
	AuthType Basic
	AuthName Backstage
	AuthUserFile $passwords
	Require valid-user
END
FcgidIPCDir run
FcgidProcessTableFile run/fcgid_shm
END

$world->everything($web);
$world->compresses($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->gathers_bodies($web);
$world->notices_who_left($web, 'forever');

$world->fake_cluster->reset;
my $big = post($web, '/clusters/one/proxy/sink', body => 'x' x 17_000_000,
    Stagedoor::WebChecks::as('bob', ['Sec-Fetch-Site', 'same-origin']),
    timeout => 30);
is $big->{status}, 500, 'a body past its bound is refused';
is scalar @{$world->fake_cluster->settled('one')}, 0,
    'and nothing of it reaches the cluster';

my @processes = $web->programs;
cmp_ok scalar @processes, '>=', 1, 'processes of ours run';
$web->stop;
wait_for(sub { !grep { -e "/proc/$_" } @processes }, 15,
    'the processes to end with Apache');
pass 'and end with Apache';
done_testing;
