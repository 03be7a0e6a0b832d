#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Plain CGI: Apache with mod_cgid and the file that users include.
use Stagedoor::Test;
use Stagedoor::Web;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $passwords = Stagedoor::WebChecks::password_file();
sub web {
	my ($more) = @_;
	return Stagedoor::Web->apache('apache-cgid',
	    config => $world->settings_file(remote_user => 1),
	    modules => [qw(alias cgid)],
	    global => "ScriptSock cgid.sock\n$more", location => <<"END");
	AuthType Basic
	AuthName Backstage
	AuthUserFile $passwords
	Require valid-user
END
}
my $web = web('');

$world->everything($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->streams_bodies($web);
$world->notices_who_left($web, 'forever');
# A query without "=" comes as arguments: the client's words.
my $port = free_port();
for my $query ("serve+--listen+127.0.0.1:$port", 'check+-c+/etc/passwd',
    'import+/etc/passwd', '--version', '-c+/etc/passwd') {
	my $answer = get($web, "/clusters?$query",
	    Stagedoor::WebChecks::as('bob'));
	is $answer->{status}, 200, "?$query is a query and no more";
	ok body_of($answer)->{items}, 'and the answer is that of the route';
}
ok !Stagedoor::HTTP::connect_to({ host => '127.0.0.1', port => $port }),
    'nothing listens for it';

wait_for(sub { !$web->programs }, 10, 'every process to end');
pass 'no process outlives its request';

# mod_deflate, where the site has it for all, would hold them back.
my $site = web('AddOutputFilterByType DEFLATE text/plain');
my $log = get($site, '/clusters/one/proxy/api/v1/namespaces/x/pods/y/log',
    Stagedoor::WebChecks::as('bob', ['Accept-Encoding', 'gzip']));
my @at = map { $_->[0] } @{$log->{pieces}};
cmp_ok $at[-1] - $at[0], '>', 0.2, 'streams, also where the site compresses';
done_testing;
