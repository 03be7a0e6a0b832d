#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Two hundred requests at once over twenty clusters of four providers, with
# nothing cached: each credential is asked for once.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Crowd;

my $crowd = Stagedoor::Crowd->new;
my $web = $crowd->start;
my $result = $crowd->rush($web, 200);
is $result->{good}, 200, 'everyone gets all twenty clusters'
    or diag $result->{sample};
for my $name (sort keys %{$result->{asked}}) {
	my ($asked, $credentials) = @{$result->{asked}{$name}};
	is $asked, $credentials, "$name: $asked times for $credentials";
}
cmp_ok $result->{seconds}, '<', 25, 'and it does not take long';
note sprintf '%.1f s', $result->{seconds};

my $again = $crowd->rush($web, 50);
is $again->{good}, 50, 'the next ones too';
is_deeply $again->{asked}, $result->{asked}, 'and nobody is asked again';
done_testing;
