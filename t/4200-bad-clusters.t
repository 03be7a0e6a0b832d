#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A hung, refused, reset, truncating, mis-speaking or certificate-wrong
# cluster costs only its own row, by its own deadline; one that does not
# answer is not waited for again until it is back.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep time);

my @bad = qw(hang rst truncated html noitems jsonnull s503);
my $fake = fake(backstage => 1, clusters => [{ name => 'one' },
    (map { { name => $_, behaviour => $_ } } @bad), { name => 'two' }]);
my $dir = tempdir();
Stagedoor::TLS::make_ca($dir, $_) for qw(ca other);
Stagedoor::TLS::make_cert($dir, 'server', 'ca');
my $port = free_port();
Stagedoor::TLS::tls_front(listen => $port, to => $fake->port('one'),
    cert => "$dir/server.crt", key => "$dir/server.key");
my $url = "https://127.0.0.1:$port";

my $settings = settings(fake => $fake,
    stagedoor => { limits => { connect => 1, cluster => 2 },
	breaker => { failures => 2, probe => 1 } },
    clusters => ['one', @bad,
	{ name => 'refused', url => 'http://127.0.0.1:' . free_port() },
	{ name => 'nohost', url => 'http://nowhere.invalid' },
	{ name => 'wrongca', url => $url, caFile => "$dir/other.crt" },
	{ name => 'patient', of => 'hang', timeout => 1 },
	{ name => 'rightca', url => $url, caFile => "$dir/ca.crt" },
	'two']);
my $pool = pool(settings => $settings);
my $web = nginx(pool => $pool);

# The rows by name, and how long the answer took.
sub query {
	my $began = time;
	my $answer = post($web, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	diag $answer->{body} if $answer->{status} != 200;
	my %rows = map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}};
	return (\%rows, time - $began, $answer->{status});
}

sub good { return scalar @{$_[0]{resources}} == 13 && !@{$_[0]{errors}} }

my ($rows, $took, $status) = query();
is $status, 200, 'the answer is whole';
for my $name (qw(one two rightca)) {
	ok good($rows->{$name}), "$name is as good as alone";
}
for my $name (@bad, qw(refused nohost wrongca patient)) {
	ok @{$rows->{$name}{errors}}, "$name has an error in its row";
	is scalar(grep { @{$_->{resources}} } @{$rows->{$name}{resources}}),
	    0, "and nothing of another cluster";
}
ok $took > 1.9 && $took < 4, 'the answer waits for the slowest deadline'
    or diag("it took $took s");
like $rows->{refused}{errors}[0]{message}, qr/ECONNREFUSED/, 'refused';
like $rows->{nohost}{errors}[0]{message}, qr/nowhere\.invalid/, 'no host';
like $rows->{wrongca}{errors}[0]{message}, qr/certificate/, 'wrong CA';
like $rows->{hang}{errors}[0]{message}, qr/timed out|no answer/i, 'hung';

my ($again, $second) = query();
ok $second < 0.5, 'the second answer does not wait for the hung one'
    or diag("it took $second s");
ok @{$again->{hang}{errors}}, 'whose row fails at once';
ok good($again->{one}), 'and the good ones answer';

$fake->behave('hang', 'good');
wait_for(sub { my ($r) = query(); good($r->{hang}) }, 6,
    'the cluster that is back');
pass 'a probe finds that it is back';

done_testing;
