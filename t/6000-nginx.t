#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# nginx with the files that users include: FastCGI over a kept Unix socket,
# nothing that streams is buffered, JSON is compressed, nobody is spoofed.
use Stagedoor::Test;
use Stagedoor::WebChecks;

my $world = Stagedoor::WebChecks->new;
my $pool = pool(settings => $world->settings_for);
my $passwords = Stagedoor::WebChecks::password_file();
my $watch = free_port();
my $web = nginx(pool => $pool, watch => $watch, server => <<"END");
	auth_basic "Backstage";
	auth_basic_user_file $passwords;
	set \$stagedoor_user \$remote_user;
END

$world->everything($web);
$world->serves_watchers($watch);
$world->compresses($web);
$world->passes_chunked($web);
$world->streams_answers($web);
$world->streams_answers($web, ['Accept-Encoding', 'gzip']);
$world->streams_bodies($web);
$world->notices_who_left($web, 'silent');
$world->notices_who_left($web, 'forever');
$world->begins_at_once($web);

like slurp("$web->{dir}/stagedoor.log"),
    qr{"path":"/api/kubernetes/proxy/echo/a%2Fb/%41%c3%a9/c:d;e","status":200},
    'the access log has raw paths, without queries';

# --- auth_request, as oauth2-proxy and its like are attached ----------------

my $proxy = tempdir() . '/auth.sock';
my $asked = nginx(pool => $pool, server => <<"SERVER", http => <<"HTTP");
	auth_request /check;
	auth_request_set \$stagedoor_user \$upstream_http_x_who;
	auth_request_set \$stagedoor_groups \$upstream_http_x_groups;
	location = /check {
		internal;
		auth_request off;
		proxy_pass http://unix:$proxy:/;
	}
SERVER
	map \$cookie_session \$who { "good" "alice"; }
	server {
		listen unix:$proxy;
		add_header X-Who \$who;
		add_header X-Groups "sre,admins";
		location / { return 204; }
	}
HTTP
sub names_for {
	my (@headers) = @_;
	my $body = body_of(get($asked, '/clusters', headers => \@headers));
	return join ' ', map { $_->{name} } @{$body->{items} // []};
}
is names_for(['Cookie', 'session=good']), 'one alices',
    'who a session belongs to comes from auth_request';
is names_for(['Cookie', 'session=bad'], ['X-Who', 'alice']), '',
    'and from nothing else';

# --- Kept connections -------------------------------------------------------

my $small = pool(settings => $world->settings_for, threads => 2);
my $kept = nginx(pool => $small, server => 'set $stagedoor_user bob;');
my $files = $small->process->open_files;
get($kept, '/clusters') for 1 .. 5;
is $small->process->open_files - $files, 1, 'one connection is kept for all';
my @clients = map { Stagedoor::HTTP::connect_to($kept) } 1 .. 8;
print {$clients[0]} "GET @{[BASE]}/clusters/one/proxy/silent HTTP/1.1\r\n"
    . "Host: localhost\r\n\r\n";
for my $round (1 .. 3) {
	print $_ "GET @{[BASE]}/clusters HTTP/1.1\r\nHost: localhost\r\n\r\n"
	    for @clients[1 .. 7];
	my @ok = grep {
		Stagedoor::WebChecks::read_until($_, qr/"items".*\]\}/s)
		    =~ m{^HTTP/1.1 200}
	} @clients[1 .. 7];
	is scalar @ok, 7, "seven at a time through two threads, round $round";
}
close $_ for @clients;

# --- Ending -----------------------------------------------------------------

my $slow = Stagedoor::HTTP::connect_to($web);
my %as = Stagedoor::WebChecks::as('bob');
print $slow 'GET ' . BASE . "/clusters/one/proxy/bytes/60000000 HTTP/1.1\r\n"
    . "Host: localhost\r\nConnection: close\r\n"
    . join('', map { "$_->[0]: $_->[1]\r\n" } @{$as{headers}}) . "\r\n";
my $got = 0;
$got += sysread $slow, my $first, 65536;
$pool->process->signal('TERM');
while (my $n = sysread $slow, my $more, 262144) {
	$got += $n;
	select undef, undef, undef, 0.005;
}
cmp_ok $got, '>', 60_000_000,
    'an answer in flight is finished after SIGTERM';
ok $pool->process->wait_end(10), 'then the pool ends';
is $pool->process->exit_code, 0, 'in order';
is get($web, '/clusters', Stagedoor::WebChecks::as('bob'))->{status}, 502,
    'without a pool nginx says so';
done_testing;
