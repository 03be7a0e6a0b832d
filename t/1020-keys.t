#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The table of keys as people see it: the reference that check --keys prints,
# and the example file, which shows every key and is right line by line.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $dir = tempdir();
my $example = top() . '/etc/stagedoor.conf.example';

# --- The reference ----------------------------------------------------------

my $run = stagedoor('check', '--keys');
is $run->{code}, 0, 'check --keys needs no settings';
is $run->{err}, '', 'and says no more';
my (%keys, $key, @odd);
for my $line (split /\n/, $run->{out}) {
	if ($line =~ /^([\w.\[\]]+)$/) {
		$key = $1;
		push @odd, "$key twice" if $keys{$key};
		$keys{$key} = [];
	} elsif ($line =~ /^\t(\S.*)$/ && defined $key) {
		push @{$keys{$key}}, $1;
	} else {
		push @odd, $line;
	}
}
is_deeply \@odd, [], 'it is a list of keys, each once';
is_deeply [grep { @{$keys{$_}} != 2 } sort keys %keys], [],
    'each with its type and one line of meaning';
cmp_ok scalar keys %keys, '>', 150, 'all of them';

my %expected = (
	'kubernetes.clusterLocatorMethods[].clusters[].url' =>
	    'string, required',
	'kubernetes.clusterLocatorMethods[].refresh' =>
	    'number from 1 to 3600',
	'kubernetes.serviceLocatorMethod.type' =>
	    '"multiTenant", "singleTenant" or "catalogRelation", required',
	'stagedoor.threads' => 'integer from 1 to 1024, default 64',
	'stagedoor.fresh' => 'number from 0 to 5, default 0.0',
	'stagedoor.basePath' => 'string, default "/api/kubernetes"',
	'stagedoor.identity.remoteUser' => 'boolean, default false',
	'stagedoor.store.url' => 'string, required, with type "redis"',
	'backend.auth.dangerouslyDisableDefaultAuthPolicy' =>
	    'boolean, default false',
);
is $keys{$_}[0], $expected{$_}, "$_ is as it says" for sort keys %expected;

# --- The example ------------------------------------------------------------

$run = stagedoor('check', '-c', $example);
is $run->{code}, 0, 'the example is accepted as it is' or diag $run->{err};

my $text = slurp($example);
my @names = map { /(\w+)$/ ? $1 : () } keys %keys;
is_deeply [sort grep { $text !~ /(?<![\w.])$_ = / } @names], [],
    'and it shows every key';

# A line that begins with # and no blank behind it is a setting.
my $all = write_file("$dir/all.conf", $text =~ s/^#(?=[^ \n])//mgr);
$run = stagedoor('check', '-c', $all);
my @wrong = grep { !/^warning: |^stagedoor: \d+ error/ &&
    !/cannot work: |: cannot read '|: there is no folder '| cannot be read: / }
    split /\n/, $run->{err};
is_deeply \@wrong, [], 'with every line switched on it is still right';
unlike $run->{err}, qr/unknown key/, 'and knows all its keys';

# What it shows as the default is the default.
my @shown;
for my $path (sort keys %keys) {
	my ($default) = $keys{$path}[0] =~ /, default (.+)$/ or next;
	my ($name) = $path =~ /(\w+)$/;
	push @shown, "$path: $default" if $default =~ /^[\w.]+$/
	    && $text !~ /(?<!\w)$name = (?:\Q$default\E|[^;]*)/;
}
is_deeply \@shown, [], 'defaults are shown';
done_testing;
