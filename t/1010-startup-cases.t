#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Settings that Backstage's own back end was started with: refused where it
# refuses, in our words, and accepted where it starts. Turned into libconfig,
# what was accepted stays so. STAGEDOOR_CASES names another folder of cases.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $cases = $ENV{STAGEDOOR_CASES} // top() . '/t/contract/cases';
my @files = sort glob "$cases/*startup*.json";
skip_or_fail("no start-up cases in $cases") if !@files;

# Backstage's documentation shows accounts with a key and a region and no
# role, and its back end refuses them. Here they are accepted.
sub is_documented_block {
	my ($case) = @_;
	return ($case->{expected}{error} // '') =~ /STS region/ &&
	    !grep { defined $_->{region} && !defined $_->{roleName} &&
		!defined $_->{accessKeyId} }
	    @{$case->{appConfig}{aws}{accounts} // []};
}

# The last word of the key that the recorded message names.
sub key_of {
	my ($error) = @_;
	return $1 if $error =~ /'(?:[\w\[\].]*\.)?(\w+)'/;
	return undef;
}

sub refused {
	my ($case, $file) = @_;
	my $name = $case->{name};
	my $run = stagedoor('check', '-c', $file);
	is $run->{code}, 2, "$name is refused";
	like $run->{err}, qr/^\Q$file\E:\d+: [\w.\[\]]+: \S/m,
	    'with file, line and key';
	my $key = $case->{expected}{error} =~ /in config|config value/
	    ? key_of($case->{expected}{error}) : undef;
	like $run->{err}, qr/\b\Q$key\E\b/, "which is $key" if defined $key;
	my $serve = Stagedoor::Pool->run(['serve', '-c', $file, '--listen',
	    'unix:' . tempdir() . '/none.sock']);
	is $serve->{code}, 2, 'by serve too';
}

sub accepted {
	my ($case, $file) = @_;
	my $run = stagedoor('check', '-c', $file);
	my $name = $case->{name};
	# A cluster of its own that cannot work stops no start.
	my @other = grep { !/^(?:warning: |stagedoor: \d+ error)/ &&
	    !/: cluster '.*' cannot work: / } split /\n/, $run->{err};
	is "@other", '', "$name is accepted";
	my $import = stagedoor('import', $file);
	is $import->{code}, 0, 'can be imported';
	my $conf = write_file(tempdir() . "/$name.conf", $import->{out});
	my $again = stagedoor('check', '-c', $conf);
	is $again->{code}, $run->{code}, 'and is the same in libconfig';
	is $again->{out}, $run->{out}, 'with as many clusters';
}

for my $path (@files) {
	my $case = decode_json(slurp($path));
	next if ($case->{mode} // '') ne 'startup';
	my $file = write_file(tempdir() . "/$case->{name}.yaml",
	    encode_json($case->{appConfig}));
	if ($case->{expected}{starts} || is_documented_block($case)) {
		accepted($case, $file);
	} else {
		refused($case, $file);
	}
}
done_testing;
