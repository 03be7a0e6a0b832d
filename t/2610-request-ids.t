#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# One id joins the web server's log, ours, the audit log, the answer, and what
# each cluster is asked. Who asks does not choose it, and nobody but clusters
# is told.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $fake = fake(clusters => [{ name => 'one', tokens => ['brought'] }],
    backstage => 1);
my $file = tempdir() . '/audit.jsonl';
my $pool = pool(settings => settings(fake => $fake,
    stagedoor => { audit => "file:$file" }));
my @own = (['Audit-ID', 'chosen-by-the-client'],
    ['X-Request-Id', 'chosen-by-the-client'],
    ['Stagedoor-Request-Id', 'chosen-by-the-client'],
    ['Unique-Id', 'chosen-by-the-client']);

sub id_of { return $_[0]{headers}{'x-request-id'} // '' }

sub logged {
	my ($id) = @_;
	return 1 if $pool->log_text =~ / \Q$id\E GET /;
	return 0;
}

subtest 'every answer has it' => sub {
	my %seen;
	for (['/clusters', 200], ['/none', 404], ['/proxy/x', 404, headers =>
	    [['Backstage-Kubernetes-Cluster', 'none']]], ['/healthz', 200],
	    ['/metrics', 200], ['/clusters/one/proxy/status/500', 500],
	    ['/clusters/one/proxy/a/../../x', 400]) {
		my ($path, $status, @more) = @$_;
		my $answer = get($pool, $path, @more);
		is $answer->{status}, $status, "$path: $status";
		like id_of($answer), qr/^[0-9a-f]{32}$/, 'and its id';
		is scalar(grep { lc $_->[0] eq 'x-request-id' }
		    @{$answer->{list}}), 1, 'once';
		is $seen{id_of($answer)}++, 0, 'that is new';
	}
};

subtest 'logs and the cluster have the same' => sub {
	my $answer = get($pool, '/clusters/one/proxy/version',
	    headers => \@own);
	my $id = id_of($answer);
	my $request = $fake->last_request('one');
	is $request->{headers}{'audit-id'}, $id, 'the cluster is told';
	is $request->{headers}{'x-request-id'}, $id, 'in both ways';
	delete $request->{headers}{'unique-id'};	# as any other
	unlike join("\n", %{$request->{headers}}), qr/chosen/,
	    'and nothing that the client chose';
	ok logged($id), 'our log';
	my ($event) = grep { $_->{id} eq $id }
	    map { decode_json($_) } split /^/, slurp($file);
	is $event->{cluster}, 'one', 'and the audit log';
	$answer = get($pool, '/clusters/one/proxy/version', headers => [@own,
	    ['Backstage-Kubernetes-Authorization', 'Bearer brought']]);
	$request = $fake->last_request('one');
	is $request->{headers}{authorization}, 'Bearer brought',
	    'with a credential of the client';
	is $request->{headers}{'audit-id'}, id_of($answer), 'the same';
	is $request->{headers}{'x-request-id'}, id_of($answer), 'both';
};

subtest 'the lists of a query' => sub {
	$fake->reset;
	my $answer = post($pool, '/resources/workloads/query', headers =>
	    \@own, json => { entityRef => 'component:default/on-alpha' });
	my $id = id_of($answer);
	my @requests = @{$fake->settled('one')};
	cmp_ok scalar @requests, '>=', 13, 'its lists';
	is scalar(grep { $_->{headers}{'audit-id'} ne $id } @requests), 0,
	    'all have the id of the query';
	like join(' ', map { $_->{rawPath} } @requests),
	    qr/metrics\.k8s\.io/, 'pod metrics too';
	my @catalog = @{$fake->requests('@backstage')};
	cmp_ok scalar @catalog, '>=', 1, 'the catalog was asked';
	is scalar(grep { $_->{headers}{'audit-id'} ||
	    $_->{headers}{'x-request-id'} } @catalog), 0,
	    'and not told: it is no cluster';
};

subtest 'what the web server hands over' => sub {
	for (['STAGEDOOR_REQUEST_ID', 'a' x 32], ['STAGEDOOR_REQUEST_ID',
	    'A-b_c.123'], ['STAGEDOOR_REQUEST_ID', '0' x 64],
	    ['UNIQUE_ID', 'Zf3-k_9AAAEAAB7oQ0sAAAAA']) {
		my $answer = get($pool, '/clusters/one/proxy/version',
		    params => [@$_]);
		is id_of($answer), $_->[1], "$_->[0]=$_->[1]";
		is $fake->last_request('one')->{headers}{'audit-id'},
		    $_->[1], 'reaches the cluster';
	}
	for ('', 'short', '0' x 65, "a b c d e f g h", "aaaaaaaaaa\r\nX: y",
	    "aaaaaaaaaa\nX: y", 'aaaaaaa"aaa', "\xc3\xa9" x 8, 'a/b/c/d/e/f',
	    'aaaaaaaa;b') {
		my $answer = get($pool, '/clusters/one/proxy/version',
		    params => [STAGEDOOR_REQUEST_ID => $_]);
		like id_of($answer), qr/^[0-9a-f]{32}$/,
		    'not one that is odd: ' . s/[^ -~]/?/gr;
		is $fake->last_request('one')->{headers}{'audit-id'},
		    id_of($answer), 'nor there';
	}
};

subtest 'nginx and its log' => sub {
	my $web = nginx(pool => $pool);
	my $answer = get($web, '/clusters/one/proxy/version',
	    headers => \@own);
	my $id = id_of($answer);
	like $id, qr/^[0-9a-f]{32}$/, 'its own id';
	is $fake->last_request('one')->{headers}{'audit-id'}, $id,
	    'reaches the cluster';
	ok logged($id), 'our log';
	ok wait_for(sub { $web->log_text =~ /"id":"$id"/ }, 5, 'the log'),
	    "and nginx's";
};
done_testing;
