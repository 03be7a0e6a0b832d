#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Impersonate-* passes with a credential that the client brought itself, and
# with nothing else.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $fake = fake(clusters => [{ name => 'one' },
    { name => 'local', behaviour => 'anon' }]);
my $pool = pool(settings => settings(fake => $fake, clusters => ['one',
    { name => 'local', authProvider => 'localKubectlProxy' },
    { name => 'aks', of => 'one', authProvider => 'aks' }]));

# What the cluster saw of Impersonate-User.
sub seen {
	my ($cluster, %headers) = @_;
	$fake->reset;
	get($pool, "/clusters/$cluster/proxy/echo",
	    headers => { 'Impersonate-User' => 'system:admin', %headers });
	my $of = $cluster eq 'local' ? 'local' : 'one';
	return $fake->last_request($of)->{headers}{'impersonate-user'}
	    // 'nobody';
}

my $verbatim = 'Backstage-Kubernetes-Authorization';
is seen('one'), 'nobody', 'not with a token of the settings';
is seen('local'), 'nobody', 'not with that of kubectl proxy';
is seen('one', $verbatim => ''), 'nobody', 'not with an empty credential';
is seen('local', $verbatim => ''), 'nobody', 'nor there';
is seen('local', $verbatim => 'Bearer x'), 'nobody',
    'where kubectl proxy adds its own, never';
is seen('aks'), 'nobody', 'not without any';
is seen('one', $verbatim => 'Bearer x'), 'system:admin',
    'with a credential of the client, its own business';
is seen('aks', "$verbatim-Aks" => 'user-token'), 'system:admin',
    'with a token of the client too';

done_testing;
