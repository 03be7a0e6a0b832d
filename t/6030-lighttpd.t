#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# lighttpd with the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $pool = pool(settings => $world->settings_for(remote_user => 1));
my $passwords = Stagedoor::WebChecks::password_file();
my $web = Stagedoor::Web->lighttpd(pool => $pool,
    modules => '"mod_auth", "mod_authn_file"', more => <<"END");
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "$passwords"
auth.require = ( "/api/kubernetes/" => ( "method" => "basic",
	"realm" => "Backstage", "require" => "valid-user" ) )
END

$world->everything($web);
$world->streams_answers($web);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
is post($web, '/clusters/one/proxy/sink', body => 'chunks', chunked => 1,
    Stagedoor::WebChecks::as('bob'))->{status}, 411,
    'lighttpd wants to know how long a body is, as its file says';
done_testing;
