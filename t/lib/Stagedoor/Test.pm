# SPDX-License-Identifier: Apache-2.0
# The test library: use it first in every whole-program test. It brings
# Test::More, strict and warnings, and these:
#
#	my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
#	my $pool = pool(settings => settings(fake => $fake));
#	my $web = nginx(pool => $pool, user => 'alice');
#	is get($web, '/clusters')->{status}, 200, 'alice sees the clusters';
#	is $fake->last_request('one')->{headers}{authorization}, ...;
#
# Every server runs on free loopback ports in a folder of this test, and ends
# with it. t/README.md tells more.
package Stagedoor::Test;

use strict;
use warnings;

use Stagedoor::Fake;
use Stagedoor::Fake::Cloud;
use Stagedoor::FastCGI;
use Stagedoor::HTTP;
use Stagedoor::Issuer;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Nginx;
use Stagedoor::Pool;
use Stagedoor::Process;
use Stagedoor::TLS;
use Stagedoor::Util qw(top stagedoor_bin program have_program free_port
    write_file tempdir wait_for skip_or_fail skip_one run_command);
use Test::More ();

use constant BASE => '/api/kubernetes';

my @OURS = qw(top stagedoor_bin program have_program free_port write_file
    tempdir wait_for skip_or_fail skip_one run_command decode_json encode_json
    fake cloud issuer pool nginx settings stagedoor get post request body_of
    slurp log_has_no BASE);

sub import {
	my ($class, @args) = @_;
	my $caller = caller;
	strict->import;
	warnings->import;
	no strict 'refs';
	*{"${caller}::$_"} = \&{$_} for @OURS;
	Test::More->export_to_level(1, $class);
	Test::More::plan(@args) if @args;
	# A test that dies must say so with a failed line, not only a code.
	$SIG{__DIE__} = sub { _on_die(@_) };
}

sub _on_die {
	my ($why) = @_;
	return if $^S || !defined $^S;
	Test::More->builder->is_eq($why, undef, 'the test went on to its end');
}

sub fake { return Stagedoor::Fake->start(@_) }
sub cloud { return Stagedoor::Fake::Cloud->start(@_) }
sub issuer { return Stagedoor::Issuer->start(@_) }
sub pool { return Stagedoor::Pool->start(@_) }
sub nginx { return Stagedoor::Nginx->start(@_) }
sub slurp { return Stagedoor::TLS::slurp(@_) }

# stagedoor('check', '-c', FILE): { code, out, err }.
sub stagedoor { return Stagedoor::Pool->run([@_]) }

# Settings for the clusters of a fake. clusters is a list of names or of
# whole entries; a name becomes { name, url, authProvider => 'serviceAccount',
# serviceAccountToken => 'alpha-token' }, and entries without url or
# authProvider are filled in like that. Nobody needs to sign in, unless
# auth => {...} or source => 'params' says otherwise. kubernetes and
# stagedoor are merged over what is made.
sub settings {
	my (%opt) = @_;
	my $fake = $opt{fake};
	my @clusters = map { _cluster_entry($fake, $_) }
	    @{$opt{clusters} // $fake->cluster_names};
	my $settings = {
		kubernetes => {
			serviceLocatorMethod => { type => 'multiTenant' },
			clusterLocatorMethods => [
			    { type => 'config', clusters => \@clusters }],
			%{$opt{kubernetes} // {}},
		},
		stagedoor => {
			limits => { connect => 1, cluster => 3 },
			%{$opt{stagedoor} // {}},
		},
	};
	$settings->{discovery}{endpoints} = [{
		target => $fake->backstage_url . '/api/{{pluginId}}',
		plugins => [qw(catalog auth permission)],
	}] if $fake && $fake->has_backstage;
	_add_identity($settings, \%opt);
	return { %$settings, %{$opt{more} // {}} };
}

sub _cluster_entry {
	my ($fake, $entry) = @_;
	$entry = ref $entry ? { %$entry } : { name => $entry };
	my $of = delete $entry->{of};
	return {
		url => exists $entry->{url} ? $entry->{url}
		    : $fake->url($of // $entry->{name}),
		authProvider => 'serviceAccount',
		!exists $entry->{authProvider}
		    ? (serviceAccountToken => 'alpha-token') : (),
		%$entry,
	};
}

sub _add_identity {
	my ($settings, $opt) = @_;
	if (($opt->{source} // '') eq 'params') {
		$settings->{stagedoor}{identity}{source} = 'params';
		return;
	}
	$settings->{backend} = {
		baseUrl => 'http://127.0.0.1:1',
		auth => $opt->{auth}
		    // { dangerouslyDisableDefaultAuthPolicy => \1 },
	};
}

# Ask a pool, a web server or any client, below the base path.
sub request {
	my ($target, $method, $path, %opt) = @_;
	return $target->request($method, BASE . $path, %opt);
}

sub get {
	my ($target, $path, %opt) = @_;
	return request($target, 'GET', $path, %opt);
}

sub post {
	my ($target, $path, %opt) = @_;
	return request($target, 'POST', $path, %opt);
}

# The JSON of an answer.
sub body_of { return Stagedoor::HTTP::json($_[0]) }

# None of these texts is in any log of this test (of the program, of web
# servers).
sub log_has_no {
	my ($what, @texts) = @_;
	my $all = join '', map { slurp($_) } _logs(tempdir());
	my @found = grep { index($all, $_) >= 0 } @texts;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is("@found", '', $what);
}

sub _logs {
	my ($dir) = @_;
	return (glob("$dir/*.log"), glob("$dir/*/*.log"));
}

1;
