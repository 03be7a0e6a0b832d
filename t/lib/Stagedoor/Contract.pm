# SPDX-License-Identifier: Apache-2.0
# The recorded cases of the HTTP contract, held against the program behind a
# real nginx: which are in scope, what runs for each, and where an answer may
# differ on purpose (t/contract/differences).
package Stagedoor::Contract;

use strict;
use warnings;

use IO::Socket::INET;
use Stagedoor::Compare qw(compare compare_value describe);
use Stagedoor::Differences;
use Stagedoor::Fake;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Nginx;
use Stagedoor::Pool;
use Stagedoor::Replay;
use Stagedoor::Sets;
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(tempdir top write_file);

# --- Scope ------------------------------------------------------------------
#
# What this program does not do yet. One rule for all cases, by what they
# need, not by their names.

sub out_of_scope {
	my ($self, $case) = @_;
	my $mode = $case->{mode} // '';
	return "no set $case->{set}" if $mode ne 'startup'
	    && !$self->{sets}->has_set($case->{set});
	return undef;
}

# --- Running ----------------------------------------------------------------

# new(cases => FOLDER): default $STAGEDOOR_CASES, else our own.
sub new {
	my ($class, %opt) = @_;
	my $own = Stagedoor::Fake::data_folder() . '/cases';
	my $folder = $opt{cases} // $ENV{STAGEDOOR_CASES} // $own;
	my $shift = _free_shift();
	my $dir = tempdir() . '/contract';
	my $self = bless {
		folder => $folder, foreign => $folder ne $own,
		shift => $shift, running => {},
		sets => Stagedoor::Sets->new(dir => $dir, shift => $shift),
		differences => Stagedoor::Differences->new(
		    Stagedoor::Fake::data_folder() . '/differences'),
	}, $class;
	return $self;
}

# The recordings name ports. If one is taken, all move by the same number.
sub _free_shift {
	my @ports = Stagedoor::Sets::ports();
	for my $shift (0, map { 500 * $_ } 1 .. 26) {
		return $shift if !grep { !_is_free($_ + $shift) } @ports;
	}
	die "the ports of the recorded cases (@ports) are taken, and so are "
	    . "all others that were tried\n";
}

sub _is_free {
	my ($port) = @_;
	return defined IO::Socket::INET->new(LocalAddr => '127.0.0.1',
	    LocalPort => $port, Listen => 1, ReuseAddr => 1);
}

sub shift_of_ports { return $_[0]{shift} }
sub is_foreign { return $_[0]{foreign} }
sub listed { return $_[0]{differences}->case_names }

# All cases of the folder (or those whose name matches), in order.
sub cases {
	my ($self, $match) = @_;
	my @files = sort glob "$self->{folder}/*.json";
	die "no cases in $self->{folder}\n" if !@files;
	return map { $self->_load($_) } grep {
		!defined $match || m{[^/]*$match[^/]*$}
	} @files;
}

sub _load {
	my ($self, $file) = @_;
	my $case = eval { Stagedoor::Replay::parse_case(
	    $self->{sets}->shifted(slurp($file))) };
	die "$file: $@" if !$case;
	($case->{id}) = $file =~ m{([^/]+)\.json$};
	return $case;
}

# Does the case hold? { ok, how, lines }.
sub judge {
	my ($self, $case) = @_;
	return $self->_judge_startup($case)
	    if ($case->{mode} // '') eq 'startup';
	my $seen = $self->_observe($case);
	return { skip => $seen->{skip} } if $seen->{skip};
	return $self->_verdict($case, $seen);
}

sub _verdict {
	my ($self, $case, $seen) = @_;
	my @found = compare($case->{expected}, $seen);
	my $listed = $self->{differences}->judge($case, \@found,
	    known => !$self->{foreign});
	return { ok => 1, how => 'as recorded' }
	    if $listed->{ok} && !@found && !$case->{desiredOnly};

	if ($case->{desired}) {
		my @left = compare(_desired($case, $seen), $seen);
		return { ok => 1, how => 'better than recorded' }
		    if !@left && !$self->{differences}->lists($case);
		push @{$listed->{lines}},
		    map { 'or else: ' . describe($_) } @left;
	}
	return $listed if $listed->{ok} && !$case->{desiredOnly};
	return { ok => 0, how => 'differs', lines => $listed->{lines} };
}

sub _desired {
	my ($case, $seen) = @_;
	return { headers => $seen->{headers} // {}, %{$case->{desired}} };
}

sub _observe {
	my ($self, $case) = @_;
	my $client = $self->_server_of($case->{set});
	my $fake = $self->_fake;
	$fake->add_entity($case->{catalogEntity}) if $case->{catalogEntity};
	my $observe = sub {
		return Stagedoor::Replay::observe($case, $client, $fake);
	};
	return $observe->() if !$case->{fixture};
	return { skip => 'cannot lay files below /var/run/secrets' }
	    if !Stagedoor::Replay::can_mount();
	my ($seen) = Stagedoor::Replay::with_mount($case->{fixture},
	    "$self->{sets}{pki}/ca.crt", $observe);
	return $seen;
}

sub _fake {
	my ($self) = @_;
	return $self->{fake} //= $self->{sets}->start_fakes;
}

# A pool behind an nginx for each set, started when first needed.
sub _server_of {
	my ($self, $set) = @_;
	$self->_fake;
	return $self->{running}{$set} //= do {
		my $pool = Stagedoor::Pool->start(name => "pool-$set",
		    config => $self->{sets}->write($set), threads => 16,
		    env => $self->{sets}->env($set));
		Stagedoor::Nginx->start(pool => $pool, name => "nginx-$set",
		    lane => 1);
	};
}

# --- Start-up cases ---------------------------------------------------------

sub _judge_startup {
	my ($self, $case) = @_;
	my $file = $self->_startup_file($case);
	my $run = Stagedoor::Pool->run(['check', '-c', $file]);
	my $want = $case->{expected}{starts} ? 0 : 2;
	return $self->_listed_startup($case, $run)
	    if $self->{differences}->lists($case);
	my @lines;
	push @lines, "exit $run->{code}, expected $want", $run->{out},
	    $run->{err} if $run->{code} != $want;
	push @lines, _names_no_key($case, $run) if $want;
	push @lines, $self->_clusters_differ($case, $file)
	    if !@lines && $case->{expected}{clusters};
	return { ok => !@lines, how => $want ? 'refused' : 'starts',
	    lines => \@lines };
}

# Whether it starts is the one part that may be listed.
sub _listed_startup {
	my ($self, $case, $run) = @_;
	my ($yes, $no) = (decode_json('[true]')->[0],
	    decode_json('[false]')->[0]);
	my $want = $case->{expected}{starts} ? $yes : $no;
	my $got = $run->{code} == 0 ? $yes : $no;
	return $self->{differences}->judge($case, $want == $got ? [] : [
	    { part => 'starts', want => $want, got => $got }], known => 1);
}

sub _startup_file {
	my ($self, $case) = @_;
	my $config = {
		backend => { baseUrl => 'http://127.0.0.1:7000', auth =>
		    { dangerouslyDisableDefaultAuthPolicy => \1 } },
		%{$case->{appConfig}},
	};
	return write_file(tempdir() . "/$case->{name}.yaml",
	    encode_json($config));
}

# Where the recorded message names a key, ours must name it too.
sub _names_no_key {
	my ($case, $run) = @_;
	my ($key) = ($case->{expected}{error} // '')
	    =~ /'kubernetes\.[^']*?(\w+)'/ or return ();
	return () if "$run->{out}$run->{err}" =~ /\b\Q$key\E\b/;
	return ("the message does not name $key:", $run->{out}, $run->{err});
}

sub _clusters_differ {
	my ($self, $case, $file) = @_;
	my $pool = Stagedoor::Pool->start(config => $file, threads => 2,
	    name => $case->{name});
	my $answer = $pool->get('/api/kubernetes/clusters');
	$pool->stop;
	my $want = $case->{expected}{clusters};
	my $got = { status => $answer->{status} };
	$got->{body} = Stagedoor::HTTP::json($answer) if exists $want->{body};
	return map { describe($_) } compare_value($want, $got, 'clusters');
}

1;
