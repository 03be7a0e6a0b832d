#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Apache with mod_proxy_fcgi and the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $settings = $world->settings_for;
# Apache's workers are another user where we are root.
$settings->{stagedoor}{socketGroup} = Stagedoor::Web::apache_group();
my $pool = pool(settings => $settings);
my $passwords = Stagedoor::WebChecks::password_file();
my $watch = free_port();
my $web = Stagedoor::Web->apache('apache-proxy-fcgi', pool => $pool,
    watch => $watch,
    modules => [qw(proxy proxy_fcgi)], location => <<"END");
	AuthType Basic
	AuthName Backstage
	AuthUserFile $passwords
	Require valid-user
	RewriteEngine On
	RewriteRule ^ - [E=STAGEDOOR_USER:%{REMOTE_USER}]
END

$world->everything($web);
$world->serves_watchers($watch);
$world->compresses($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
done_testing;
