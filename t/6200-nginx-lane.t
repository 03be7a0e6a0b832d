#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The direct lane: nginx asks the pool and moves the bytes itself, with the
# files that users include and what `stagedoor nginx` writes.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::WebSocket;

my $fake = fake(clusters => [{ name => 'one' }, { name => 'deep',
    prefix => '/a/b' }]);
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    stagedoor => { publicUrl => 'https://portal.example.org' }));
my $web = nginx(pool => $pool, user => 'alice', lane => 1);
my @ours = (['Sec-Fetch-Site', 'same-origin']);

my $exec = '/api/v1/namespaces/default/pods/shop/exec?command=a%20b&stdin=1';
my $ws = Stagedoor::WebSocket->connect($web,
    BASE . "/clusters/one/proxy$exec", headers => \@ours,
    protocols => ['v5.channel.k8s.io']);
is $ws->status, 101, 'an upgrade goes through';
is $ws->protocol, 'v5.channel.k8s.io', 'with its protocol';
$ws->send("\0hello");
is $ws->next->{data}, "\1hello", 'bytes go both ways';
$ws->drop;

my $seen = $fake->last_request('one');
is "$seen->{rawPath}?$seen->{query}", $exec,
    'the path is as it was, with its query';
is $seen->{headers}{authorization}, 'Bearer alpha-token',
    'with the credential of the settings';
done_testing;
