#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# One token of the server, and the user carried along: what a cluster sees of
# two users, by lists and by /proxy, who is refused, and that nobody gets
# round it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $fake = fake(clusters => [ map({ { name => $_ } } qw(acting plain)),
	{ name => 'local', behaviour => 'anon' } ], backstage => 1);
my %acting = (impersonate => { user => '{name}', groups => ['all', '{groups}'],
	uid => '{user}', userPrefix => 'portal:', groupPrefix => 'p:',
	extra => { 'acme.test/Mail' => '{email}' } });
my $settings = settings(fake => $fake, source => 'params', clusters => [
	{ name => 'acting', %acting },
	{ name => 'bare', of => 'acting', impersonate => { user => '{name}',
	    groups => ['{groups}'] } },
	'plain',
	{ name => 'local', authProvider => 'localKubectlProxy',
	    impersonate => {} },
	{ name => 'aks', of => 'acting', authProvider => 'aks', %acting },
], stagedoor => { identity => { guest => 'user:development/guest' } });
my $pool = pool(settings => $settings);
my $web = nginx(pool => $pool, server => <<'END');
	set $stagedoor_user $http_test_user;
	set $stagedoor_email $http_test_email;
	set $stagedoor_groups $http_test_groups;
END

my %ann = ('Test-User' => 'ann', 'Test-Email' => 'ann@example.test',
	'Test-Groups' => 'dev,group:x/ops', 'Sec-Fetch-Site' => 'same-origin');
my %bob = ('Test-User' => 'user:other/bob', 'Test-Email' => 'b@example.test',
	'Sec-Fetch-Site' => 'same-origin');
my %is_ann = ('impersonate-user' => 'portal:ann',
	'impersonate-group' => 'p:all, p:group:default/dev, p:group:x/ops',
	'impersonate-uid' => 'user:default/ann',
	'impersonate-extra-acme.test%2f%4dail' => 'ann@example.test');
my %is_bob = ('impersonate-user' => 'portal:bob',
	'impersonate-group' => 'p:all',
	'impersonate-uid' => 'user:other/bob',
	'impersonate-extra-acme.test%2f%4dail' => 'b@example.test');

sub impersonation_of {
	my ($request) = @_;
	my $headers = $request->{headers};
	return { map { $_ => $headers->{$_} } grep { /^impersonate-/ }
	    keys %$headers };
}

# What the cluster saw of Impersonate-* through /proxy, or the refusal.
sub proxied {
	my ($cluster, $method, %headers) = @_;
	$fake->reset;
	my $answer = request($web, $method, "/clusters/$cluster/proxy/echo",
		headers => \%headers);
	my $of = $cluster eq 'local' ? 'local'
	    : $cluster eq 'plain' ? 'plain' : 'acting';
	my $last = $fake->last_request($of)
	    or return "$answer->{status} " .
	    (body_of($answer)->{error}{message} // '');
	return impersonation_of($last);
}

# (rows by cluster, what each request to `acting` said)
sub queried {
	my (%headers) = @_;
	$fake->reset;
	my $answer = post($web, '/resources/workloads/query',
		headers => \%headers, json => { auth => {},
		entityRef => 'component:default/shop' });
	my %row = map { $_->{cluster}{name} => $_ }
	    @{(body_of($answer) // {})->{items} // []};
	return (\%row, @{$fake->requests('acting')});
}

subtest 'two users through /proxy' => sub {
	for my $method (qw(GET POST DELETE)) {
		is_deeply proxied('acting', $method, %ann), \%is_ann,
		    "$method as ann";
		is_deeply proxied('acting', $method, %bob), \%is_bob,
		    "$method as bob";
	}
	is $fake->last_request('acting')->{headers}{authorization},
	    'Bearer alpha-token', 'with the one token of the settings';
	is_deeply proxied('plain', GET => %ann), {},
	    'elsewhere nobody is carried along';
};

subtest 'two users by lists' => sub {
	for my $who ([ \%ann, \%is_ann ], [ \%bob, \%is_bob ]) {
		my ($row, @seen) = queried(%{$who->[0]});
		@seen = grep { keys %{impersonation_of($_)} > 2 } @seen;
		cmp_ok scalar @seen, '>', 10, 'many requests';
		ok((grep { $_->{rawPath} =~ /metrics\.k8s\.io/ } @seen),
		    'that for metrics too');
		for my $request (@seen) {
			is_deeply impersonation_of($request), $who->[1],
			    "acts for the user: $request->{rawPath}";
			is $request->{headers}{authorization},
			    'Bearer alpha-token', 'with the one token';
		}
		is_deeply $row->{acting}{errors}, [], 'no error';
	}
};

subtest 'whom a guest is' => sub {
	is_deeply proxied('bare', GET => ()),
	    { 'impersonate-user' => 'guest' }, 'as the settings name him';
	is proxied('acting', GET => ()), "403 cannot act as you on cluster "
	    . "'acting': your email is not known", 'but he has no address';
};

subtest 'who is refused' => sub {
	my %no_mail = (%ann, 'Test-Email' => '');
	my $why = "cannot act as you on cluster 'acting': your email is not "
	    . 'known';
	is proxied('acting', GET => %no_mail), "403 $why", 'through /proxy';
	my ($row, @seen) = queried(%no_mail);
	like $row->{acting}{errors}[0]{message}, qr/\Q$why\E/, 'in the row';
	is_deeply $row->{acting}{resources}, [], 'which shows nothing';
	is scalar(grep { keys %{impersonation_of($_)} > 2 } @seen), 0,
	    'and asks nothing';
	is_deeply $row->{bare}{errors}, [],
	    'while one that needs no address answers';
	is_deeply $row->{plain}{errors}, [], 'and others do';
};

subtest 'names that Kubernetes keeps' => sub {
	for my $name ('user:default/system:admin', 'user:x/System:admin',
	    'user:x/ system:admin', "user:x/j\xc3\xb6rg") {
		my %who = (%bob, 'Test-User' => $name);
		like proxied('bare', GET => %who),
		    qr/^403 cannot act as you.*user/, "$name is refused";
		my ($row) = queried(%who);
		like $row->{bare}{errors}[0]{message},
		    qr/cannot act as you/, 'in the row too';
	}
	is_deeply [ @{proxied('acting', GET => %bob, 'Test-User' =>
		'user:default/system:admin')}{'impersonate-user'} ],
	    [ 'portal:system:admin' ], 'a prefix makes another name of it';
};

subtest 'nobody gets round it' => sub {
	my %eve = ('Impersonate-User' => 'admin', 'Impersonate-Uid' => '0',
		'Impersonate-Group' => 'admins', 'Impersonate-Extra-X' => '1',
		'impersonate-extra-acme.test%2F%4Dail' => 'eve');
	my $verbatim = 'Backstage-Kubernetes-Authorization';

	is_deeply proxied('acting', GET => %bob, %eve), \%is_bob,
	    'not by headers of his own';
	is_deeply proxied('bare', GET => %bob, %eve),
	    { 'impersonate-user' => 'bob' }, 'nor by those that we leave out';
	is_deeply proxied('acting', GET => %bob, %eve, $verbatim => ''),
	    \%is_bob, 'nor with an empty credential';
	for my $value ('', 'Bearer x') {
		is_deeply proxied('local', GET => %bob, %eve,
			$verbatim => $value),
		    { 'impersonate-user' => 'user:other/bob' },
		    "nor where kubectl proxy signs ('$value')";
	}
	is_deeply proxied('local', GET => %bob, %eve),
	    { 'impersonate-user' => 'user:other/bob' },
	    'which carries the user along';
};

subtest 'a credential that the client brought is its own' => sub {
	my $verbatim = 'Backstage-Kubernetes-Authorization';
	is_deeply proxied('acting', GET => %ann, $verbatim => 'Bearer x'), {},
	    'verbatim';
	is_deeply proxied('aks', GET => %ann, "$verbatim-Aks" => 'aks-token'),
	    {}, 'a token of aks';
	is_deeply proxied('acting', GET => %ann, $verbatim => 'Bearer x',
		'Impersonate-User' => 'eve'), { 'impersonate-user' => 'eve' },
	    'and so is whom it acts for';
	$fake->reset;
	post($web, '/resources/workloads/query', headers => \%ann,
		json => { auth => { aks => 'aks-token' },
		entityRef => 'component:default/shop' });
	my @seen = grep { $_->{headers}{authorization} eq 'Bearer aks-token' }
	    @{$fake->requests('acting')};
	cmp_ok scalar @seen, '>', 5, 'lists with it';
	is scalar(grep { keys %{impersonation_of($_)} } @seen), 0,
	    'act for nobody else';
};

subtest 'what check says' => sub {
	my $file = write_file(tempdir() . '/check.yaml',
		encode_json($settings));
	my $ran = stagedoor('check', '-c', $file);
	is $ran->{code}, 0, 'all is well';
	my @said = grep { /impersonate/ } split /\n/,
	    "$ran->{out}\n$ran->{err}";
	is scalar @said, 1, 'but for one';
	like $said[0], qr/clusters\[4\]\.impersonate: this has no effect/,
	    'where users bring their own tokens';
};

done_testing;
