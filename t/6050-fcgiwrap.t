#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Plain CGI: nginx with fcgiwrap and the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $passwords = Stagedoor::WebChecks::password_file();
my $web = Stagedoor::Web->fcgiwrap(config => $world->settings_file,
    server => <<"END");
	auth_basic "Backstage";
	auth_basic_user_file $passwords;
	set \$stagedoor_user \$remote_user;
END

$world->everything($web);
$world->compresses($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
wait_for(sub { !$web->programs }, 10, 'every process to end');
pass 'no process outlives its request';
done_testing;
