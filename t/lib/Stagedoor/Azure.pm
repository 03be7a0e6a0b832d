# SPDX-License-Identifier: Apache-2.0
# What the whole-program tests of the provider azure share: two clusters of
# it beside one with a token, an environment without any other source, and an
# az that answers as told.
package Stagedoor::Azure;

use strict;
use warnings;

use Exporter qw(import);
use POSIX qw(strftime);
use Stagedoor::Test;

our @EXPORT_OK = qw(azure_pool token_at row_errors fake_az app_env clusters);

my $TENANT = '11111111-2222-4333-8444-555555555555';
my $CLIENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
my ($fake, $closed, $programs);

sub clusters {
	return $fake //= _clusters();
}

sub _clusters {
	my $one = fake(clusters => [map { { name => $_, tokens => ['tok-az'] } }
	    qw(aks aks2 other)], backstage => 1);
	$one->add_entity({ apiVersion => 'v1', kind => 'Component',
	    metadata => { name => 'shop', namespace => 'default',
		annotations => { 'backstage.io/kubernetes-id' => 'shop' } } });
	return $one;
}

# Nothing but what the test sets: no metadata service, no az.
sub _nowhere {
	$closed //= free_port();
	return ((map { $_ => undef } qw(IDENTITY_ENDPOINT IDENTITY_HEADER
	    IDENTITY_SERVER_THUMBPRINT IMDS_ENDPOINT MSI_ENDPOINT)),
	    AZURE_POD_IDENTITY_AUTHORITY_HOST => "http://127.0.0.1:$closed",
	    HOME => '/nonexistent', PATH => '/nonexistent', TZ => undef);
}

# An application of the fake Entra, but for how it shows itself.
sub app_env {
	my ($cloud) = @_;
	return ($cloud->env('entra'), AZURE_TENANT_ID => $TENANT,
	    AZURE_CLIENT_ID => $CLIENT);
}

# azure_pool({ ENVIRONMENT }, cloud => $cloud, stagedoor => {...}).
sub azure_pool {
	my ($env, %opt) = @_;
	my %more = %{$opt{stagedoor} // {}};
	$more{caFile} = $opt{cloud}->ca_file if $opt{cloud};
	my $settings = settings(fake => clusters(), clusters => [
	    (map { { name => $_, authProvider => 'azure' } } qw(aks aks2)),
	    { name => 'other' } ],
	    stagedoor => { limits => { connect => 1, cluster => 5 }, %more });
	return pool(settings => $settings, env => { _nowhere(), %$env });
}

# The token that a cluster is asked with through /proxy, or the status and
# the message of the error.
sub token_at {
	my ($pool, $cluster) = @_;
	$cluster //= 'aks';
	clusters()->reset;
	my $answer = get($pool, "/clusters/$cluster/proxy/version",
	    as => 'user:default/alice');
	return "$answer->{status} " . (body_of($answer)->{error}{message} // '')
	    if $answer->{status} != 200;
	my $value = clusters()->last_request($cluster)->{headers}
	    {authorization} // '';
	return $value =~ s/^Bearer //r;
}

# A query: (time of it, first message of the errors of each cluster).
sub row_errors {
	my ($pool) = @_;
	my $begun = Time::HiRes::time();
	my $answer = post($pool, '/resources/workloads/query',
	    as => 'user:default/alice',
	    json => { entityRef => 'component:default/shop' });
	my %errors = map { $_->{cluster}{name} =>
	    $_->{errors}[0] ? $_->{errors}[0]{message} : '' }
	    @{body_of($answer)->{items} // []};
	return (Time::HiRes::time() - $begun, \%errors);
}

# A folder for PATH with an az that writes its arguments and environment to
# files beside it and then does as the shell text says.
sub fake_az {
	my ($text) = @_;
	my $dir = tempdir() . '/az-' . ++$programs;
	mkdir $dir or die "$dir: $!";
	write_file("$dir/az", "#!/bin/sh\n"
	    . "printf '%s\\n' \"\$*\" >>'$dir/args'\n"
	    . "/usr/bin/env >'$dir/env'\n$text\n");
	chmod 0755, "$dir/az" or die "$dir/az: $!";
	return $dir;
}

1;
