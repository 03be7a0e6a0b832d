#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# lighttpd with the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $pool = pool(settings => $world->settings_for(remote_user => 1));
my $passwords = Stagedoor::WebChecks::password_file();
my $watch = free_port();
my $web = Stagedoor::Web->lighttpd(pool => $pool, watch => $watch,
    modules => '"mod_auth", "mod_authn_file"', more => <<"END");
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "$passwords"
auth.require = ( "/api/kubernetes/" => ( "method" => "basic",
	"realm" => "Backstage", "require" => "valid-user" ) )
END

$world->everything($web);
$world->serves_watchers($watch);
$world->streams_answers($web);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
$world->begins_at_once($web);

my $slow = 0;
my $as = {Stagedoor::WebChecks::as('bob')}->{headers}[0];
my $answer = $web->raw('POST ' . BASE . "/clusters/one/proxy/sink HTTP/1.1\r\n"
    . "Host: localhost\r\nTransfer-Encoding: chunked\r\n"
    . "$as->[0]: $as->[1]\r\nSec-Fetch-Site: same-origin\r\n\r\n",
    more => sub {
	return undef if $slow++;
	select undef, undef, undef, 0.3;
	return "4\r\nbody\r\n0\r\n\r\n";
    });
is $answer->{status}, 411, 'lighttpd wants to know how long a body is';
done_testing;
