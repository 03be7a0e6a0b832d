#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two clusters of the settings at one address, with accounts that may see
# different things: what the live lane keeps for one of them is never an answer
# for the other, nor for the next account after a reload.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Fake::Live;

# What an account may not see; alpha-token sees all.
my %may_not = ('Bearer file-token' => qr{^/apis/metrics\.k8s\.io/},
    'Bearer gsa-token' => qr{^/api/v1/(?:namespaces/[^/]+/)?configmaps});
my $fake = fake(backstage => 1, clusters => [{ name => 'one', class =>
    'Stagedoor::Fake::Live', handler => sub {
	my ($request, $conn, $self) = @_;
	my $not = $may_not{$request->{headers}{authorization} // ''};
	return 0 if !$not || $request->{target} !~ $not;
	$self->_failure($conn, 403, 'Forbidden', 'not for this account');
	return 1;
    } }]);

sub settings_with {
	my (%token) = @_;
	return settings(fake => $fake, clusters => [map { {
	    name => $_, of => 'one', live => \1, authProvider =>
	    'serviceAccount', serviceAccountToken => $token{$_} } }
	    sort keys %token],
	    kubernetes => { objectTypes => [qw(pods configmaps)] },
	    stagedoor => { live => { metrics => 60 } });
}

# By cluster: what there is of each type, and the statuses of errors.
sub query {
	my ($pool) = @_;
	my $answer = post($pool, '/resources/workloads/query',
	    json => { entityRef => 'component:default/shop' });
	return { map { my $row = $_; $row->{cluster}{name} => join ' ',
	    map({ "$_->{type}:" . (@{$_->{resources}} ? 'some' : 'none') }
		sort { $a->{type} cmp $b->{type} } @{$row->{resources}}),
	    @{$row->{podMetrics}} ? 'metrics' : 'no-metrics',
	    map({ $_->{statusCode} // '-' } @{$row->{errors}}) }
	    @{body_of($answer)->{items}} };
}

my $pool = pool(settings => settings_with(all => 'alpha-token',
    few => 'file-token'));
my $first = query($pool);
like $first->{all}, qr/pods:some metrics$/, 'one account sees all';
like $first->{few}, qr/pods:some no-metrics/, 'the other no metrics';
is_deeply query($pool), $first, 'as the next time' for 1 .. 4;
ok wait_for(sub {
	$fake->reset;
	query($pool);
	return !grep { $_->{query} =~ /labelSelector/ }
	    @{$fake->requests('one')};
}, 5, 'rows from memory'), 'from memory';
is_deeply query($pool), $first, 'still apart' for 1 .. 3;

# The same name, the same address, another account.
my $reads = () = $pool->log_text =~ /settings are read/g;
$pool->reload(settings_with(all => 'gsa-token', few => 'alpha-token'));
wait_for(sub { $reads < (() = $pool->log_text =~ /settings are read/g) }, 10,
    'the reload');
my $then = query($pool);
like $then->{all}, qr/^pods:some metrics 403$/, 'what it may not see is gone';
like $then->{few}, qr/pods:some metrics$/, 'what it may is there';
is_deeply query($pool), $then, 'and stays so' for 1 .. 4;

done_testing;
