# SPDX-License-Identifier: Apache-2.0
# Comparisons with the libraries of others: cases made by chance, of which
# the library and we should make the same.
#
#	my $oracle = Stagedoor::Oracle->start;	# or the test is skipped
#	my @theirs = $oracle->library('with_botocore.py', @cases);
#	my @ours = $oracle->ours(@cases);
#	$oracle->one_of(...); $oracle->text($min, $max, $characters);
#
# The seed is printed; STAGEDOOR_SEED=N makes the same cases again, and
# STAGEDOOR_CASES_EACH=N that many of them.
package Stagedoor::Oracle;

use strict;
use warnings;

use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Util qw(program run_command skip_or_fail stagedoor_bin top);
use Test::More ();

use constant SHOWN => 1500;	# characters of a case that failed

sub start {
	my ($class) = @_;
	my $self = bless { folder => top() . '/t/oracle' }, $class;
	$self->{ours} = stagedoor_bin() =~ s{[^/]+$}{t/oracle/ours}r;
	skip_or_fail('t/oracle/ours is not built: make check does')
	    if !-x $self->{ours};
	program($_) for qw(sha256sum);
	my $have = run_command(["$self->{folder}/setup", '--have']);
	skip_or_fail($have->{err} =~ s/\n.*//sr) if $have->{code} != 0;
	chomp($self->{python} = "$have->{out}");
	$self->{python} .= '/bin/python';
	my $seed = $ENV{STAGEDOOR_SEED} // int rand 2 ** 31;
	srand $seed;
	Test::More::diag("STAGEDOOR_SEED=$seed makes these cases again");
	return $self;
}

sub each { return $ENV{STAGEDOOR_CASES_EACH} // $_[1] }

sub _run {
	my ($command, @cases) = @_;
	my $ran = run_command($command, timeout => 120,
	    env => { PYTHONDONTWRITEBYTECODE => 1, map { $_ => undef }
		grep { /^(?:AWS|AZURE|GOOGLE)_/ } keys %ENV },
	    stdin => join '', map { encode_json($_) . "\n" } @cases);
	die "@$command: code $ran->{code}\n$ran->{err}"
	    if $ran->{code} != 0 || $ran->{timeout};
	my @results = map { decode_json($_) } split /\n/, $ran->{out};
	die "@$command: " . @results . ' results for ' . @cases . " cases\n"
	    if @results != @cases;
	return @results;
}

sub library {
	my ($self, $file, @cases) = @_;
	return _run([$self->{python}, "$self->{folder}/$file"], @cases);
}

sub ours {
	my ($self, @cases) = @_;
	return _run([$self->{ours}], @cases);
}

# One line of TAP for all cases: same(what, compare, \@cases, \@a, \@b).
# compare says what differs, or nothing.
sub same {
	my ($what, $compare, $cases, $theirs, $ours) = @_;
	my @differ = grep { defined $_->[1] } map { [$_,
	    $compare->($theirs->[$_], $ours->[$_], $cases->[$_])] }
	    0 .. $#$cases;
	Test::More::is(scalar @differ, 0, "$what: " . @$cases . ' cases');
	for my $differ (splice @differ, 0, 5) {
		my ($i, $why) = @$differ;
		Test::More::diag("$why\n  case  " . _short($cases->[$i])
		    . "\n  they  " . _short($theirs->[$i])
		    . "\n  we    " . _short($ours->[$i]));
	}
}

sub _short {
	my $text = encode_json($_[0]);
	return length $text > SHOWN ? substr($text, 0, SHOWN) . '...' : $text;
}

# --- Chance -----------------------------------------------------------------

sub number {
	my ($self, $from, $to) = @_;
	return $from + int rand $to - $from + 1;
}

sub one_of { return $_[1 + int rand @_ - 1] }

# So many characters of those.
sub text {
	my ($self, $min, $max, $characters) = @_;
	return join '', map { substr $characters, rand length $characters, 1 }
	    1 .. $self->number($min, $max);
}

1;
