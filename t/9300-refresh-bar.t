#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Eight processes with one store, fifty requests at once, users whose tokens
# live for seconds, real issuers that rotate refresh tokens and take a second
# use of one for theft, answers that come after the lease would have run out,
# browsers that hang up and processes that are killed in mid-refresh: nobody is
# signed out, but for whom a killed process had shown the old token without
# having kept the new one, and then the old one is tried once.
#
# STAGEDOOR_LONG=1 takes all four of issuer and store, with tokens that are
# good while they are renewed and with such that are not, and a thousand
# rotations for each issuer.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::RefreshBar;

my $long = $ENV{STAGEDOOR_LONG};
my $all = 0;

sub told {
	my ($name, $r) = @_;
	note sprintf '%s: %d rotations in %d tries, %d old tokens shown, %d '
	    . 'refused; %d answers, %d late, the longest took %.1f s, %d hung '
	    . 'up; %d killed, %d asked to sign in', $name, @$r{qw(rotations
	    asked reuses refused good late worst hung_up kills prompted)};
	diag "$name: $_" for @{$r->{unexcused}}, @{$r->{wrong}};
}

# One issuer with one store; then [delay, rotations, seconds, kills] in turn.
sub bar {
	my ($issuer, $store, $life, $users, @runs) = @_;
	my $name = "$issuer, $store, tokens of $life s";
	my $bar = Stagedoor::RefreshBar->new(issuer => $issuer,
	    store => $store, life => $life, users => $users);
	for (@runs) {
		my ($delay, $rotations, $seconds, $kills) = @$_;
		my $r = $bar->run(delay => $delay, rotations => $rotations,
		    seconds => $seconds, kills => $kills);
		cmp_ok $r->{rotations}, '>=', $rotations, "$name: "
		    . "$rotations rotations, $delay s slow (took "
		    . int($r->{seconds}) . ' s)';
	}
	my $r = $bar->report;
	told($name, $r);
	is scalar @{$r->{unexcused}}, 0, "$name: no old token is shown again";
	is $r->{wrongs}, 0, "$name: and nobody is signed out";
	my $kills = 0;
	$kills += $_->[3] // 0 for @runs;
	my $waits = grep { $_->[0] > $life / 4 } @runs;
	is $r->{kills}, $kills, "$name: with $kills processes killed";
	cmp_ok $r->{waited}, '>', 0, "$name: and browsers that hung up while "
	    . 'they waited for the issuer' if $waits;
	cmp_ok $r->{good}, '>', $r->{rotations} / 2, "$name: with answers";
	cmp_ok $r->{late}, '<', $r->{good} / 50, "$name: and few too late";
	is join(' ', @{$bar->stop}), join(' ', (0) x 8), "$name: all end well";
	$all += $r->{rotations};
}

# Tokens of 4 s have run out when they are renewed, those of 12 s too where the
# issuer is 8 s slow; those of 40 s have not.
if ($long) {
	for my $issuer (qw(Dex OidcProvider)) {
		for my $store (qw(sqlite redis)) {
			bar($issuer, $store, 4, 60, [0, 300, 120, 2],
			    [2.5, 200, 120, 4]);
			bar($issuer, $store, 12, 60, [8, 120, 180, 4]);
			bar($issuer, $store, 40, 60, [8, 100, 180, 2]);
		}
	}
	cmp_ok $all, '>=', 1000, "$all rotations in all";
} else {
	bar(Dex => 'sqlite', 4, 16, [0, 30, 30], [2.5, 20, 40, 1]);
	bar(OidcProvider => 'redis', 12, 16, [2.5, 16, 40], [8, 16, 60, 1]);
}
done_testing;
