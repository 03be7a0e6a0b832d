#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Plain CGI: Apache with mod_cgid and the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $passwords = Stagedoor::WebChecks::password_file();
my $web = Stagedoor::Web->apache('apache-cgid',
    config => $world->settings_file(remote_user => 1),
    modules => [qw(alias cgid)], location => <<"END",
	AuthType Basic
	AuthName Backstage
	AuthUserFile $passwords
	Require valid-user
END
    global => 'ScriptSock cgid.sock');

$world->everything($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
wait_for(sub { !$web->programs }, 10, 'every process to end');
pass 'no process outlives its request';
done_testing;
