# SPDX-License-Identifier: Apache-2.0
# The table of faults: each source of credentials, each thing that its
# endpoint can do wrong, and what must come of it.
#
#	my $table = Stagedoor::Faults->new(provider => 'aws',
#	    sources => { role => { at => 'sts', gets => qr/k8s/, with => sub {
#		my ($cloud, $dir) = @_; return (env => {...}) } } },
#	    secrets => qr/sts-secret/);
#	$table->run([role => '503,ok', 2],
#	    [role => 'denied', 1, says => qr/403 AccessDenied/]);
#
# A cell is [SOURCE, FAULT (as Fake/CloudServer.pm has them), how many
# requests are made of the endpoint, and perhaps
#
#	gets => WHO		whom the clusters see, if not what the source
#			has
#	says => WORDS		there is no credential, and the row's one
#			error says so
#	after, within => S	the row is there by then (3), and not before
#	lifetime => S		of what is handed out
#	later => [S, REQUESTS]	another query, so much later, and how many
#			there were by then; with a WHO, whom the
#			clusters see then
#	at => ENDPOINT		that has the fault, if not the source's
#	too => ENDPOINT		that has the fault as well
#	rotate => [FILE, TEXT]	replaced half a second after the query
#
# A source that is a program has no endpoint, but faults => { FAULT => what the
# program does, in shell }; it is DIR/program, or what "program" says. Its runs
# are counted.
#
# Two clusters use the source, and must get the same of one asking; a third
# has a token and must not notice. A second query must ask for nothing. No
# request may go elsewhere, and no secret into an answer or a log.
#
# Each cell has clusters, a cloud and a pool for itself; several run at once,
# those that take long first.
package Stagedoor::Faults;

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Test;
use Time::HiRes qw(sleep time);

my $LANES = 12;
my $ROW = 12;			# seconds that a row waits at most
my $WITHIN = 3;
my @NAMES = qw(one two other);
my %QUERY = (as => 'user:default/alice', timeout => 60,
    json => { entityRef => 'component:default/shop' });

# provider, sources, secrets, and: tls => 1 if a source needs a cloud with
# https; env => variables of each pool; cloud => options of it; tokens that
# clusters take besides those of the cloud; who => what a token says, a sub
# that takes the cloud, the token, the cluster's name and the skew of the cell.
sub new {
	my ($class, %opt) = @_;
	return bless { who => sub { $_[1] }, lanes => 0, %opt }, $class;
}

# What is used by one cell at a time, and then by another.
sub _lane {
	my ($self) = @_;
	my $dir = tempdir() . '/lane-' . ++$self->{lanes};
	mkdir $dir or die "$dir: $!";
	return { dir => $dir, cloud => cloud(%{$self->{cloud} // {}}),
	    fake => fake(backstage => 1, clusters => [map { { name => $_,
		tokens => ['alpha-token', @{$self->{tokens} // []}] } }
		@NAMES]) };
}

# --- Running ----------------------------------------------------------------

sub run {
	my ($self, @rows) = @_;
	my @cells = sort { $b->{cost} <=> $a->{cost} }
	    map { $self->_cell(@$_) } @rows;
	my @lanes = map { $self->_lane } 1 .. $LANES;
	my @running;
	while (@cells || @running) {
		while (@lanes && @cells) {
			push @running, shift @cells;
			$self->_start($running[-1], pop @lanes);
		}
		my ($done) = grep { waitpid $_->{child}, WNOHANG } @running;
		sleep 0.01, next if !$done;
		@running = grep { $_ != $done } @running;
		$self->_judge($done);
		push @lanes, $done->{lane};
	}
}

sub _cell {
	my ($self, $source, $fault, $asked, %more) = @_;
	my $of = $self->{sources}{$source} // die "no source '$source'\n";
	my $after = $more{after} // 0;
	return { at => $of->{at} // 'program', gets => $of->{gets},
	    source => $of, within => $WITHIN + $after, %more,
	    fault => $fault, asked => $asked, what => "$source, $fault"
	    . ($more{lifetime} ? ", lives $more{lifetime} s" : ''),
	    skew => $fault =~ /skew:(-?\d+)/ ? $1 : 0, cost => $after
	    + ($more{within} // 0) + ($more{later} // [0])->[0] };
}

# A program that leaves a line for each run of it.
sub plugin {
	my ($file, $body) = @_;
	write_file("$file.new", "#!/bin/sh\necho run >>'$file.runs'\n$body\n");
	chmod 0755, "$file.new" or die "$file: $!";
	rename "$file.new", $file or die "$file: $!";
	write_file("$file.runs", '');
}

# Arm the fault.
sub _arm {
	my ($cell, $cloud, $dir) = @_;
	my $of = $cell->{source};
	return $cloud->behave(map { $_ => $cell->{fault} }
	    grep { defined } @$cell{qw(at too)}) if !$of->{faults};
	$cell->{program} = "$dir/" . ($of->{program} // 'program');
	plugin($cell->{program}, $of->{faults}{$cell->{fault}}
	    // die "no fault '$cell->{fault}'\n");
}

sub _start {
	my ($self, $cell, $lane) = @_;
	my ($cloud, $fake) = @$lane{qw(cloud fake)};
	my %with = $cell->{source}{with}->($cloud, $lane->{dir});
	my @clusters = map { { name => $_, skipMetricsLookup => \1,
	    $_ eq 'other' ? () : (authProvider => $self->{provider},
		%{$with{cluster} // {}}) } } @NAMES;
	my $settings = settings(fake => $fake, clusters => \@clusters,
	    kubernetes => { objectTypes => ['pods'],
		%{$with{kubernetes} // {}} },
	    stagedoor => { limits => { connect => 1, cluster => $ROW },
		$self->{tls} ? (caFile => $cloud->ca_file) : () });
	$settings->{aws} = $with{aws} if $with{aws};
	$cell->{pool} = pool(settings => $settings, threads => 4, env => {
	    %{$self->{env} // {}}, %{$with{env} // {}} });
	$_->reset for $cloud, $fake;
	$cloud->recount;
	$cloud->set(lifetime => $cell->{lifetime});
	_arm($cell, $cloud, $lane->{dir});
	@$cell{qw(lane answers)} = ($lane, "$lane->{dir}/answers");
	$cell->{child} = _ask($cell);
}

# In a child, that writes down what it is answered.
sub _ask {
	my ($cell) = @_;
	$cell->{began} = time;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	$SIG{__DIE__} = 'DEFAULT';
	my @answers;
	_rotate($cell) if $cell->{rotate};
	push @answers, _query($cell) for 1, 2;
	if (my $later = $cell->{later}) {
		sleep $later->[0];
		push @answers, _query($cell);
		sleep 0.3;	# it may be renewed behind the answer
	}
	write_file($cell->{answers}, encode_json(\@answers));
	POSIX::_exit(0);
}

sub _query {
	my ($cell) = @_;
	my $began = time;
	my $answer = post($cell->{pool}, '/resources/workloads/query',
	    %QUERY);
	return { took => time - $began, body => $answer->{body} // '' };
}

# As files are rotated: another takes its place.
sub _rotate {
	my ($cell) = @_;
	my ($file, $text) = @{$cell->{rotate}};
	my $pid = fork // die "fork: $!";
	return if $pid;
	sleep 0.5;
	write_file("$cell->{lane}{dir}/$file.new", $text);
	rename "$cell->{lane}{dir}/$file.new", "$cell->{lane}{dir}/$file";
	POSIX::_exit(0);
}

# --- Judging ----------------------------------------------------------------

# One line for each cell, with all that is wrong with it below.
sub _judge {
	my ($self, $cell) = @_;
	$cell->{pool}->stop;
	my $seen = _seen($cell->{lane}{fake});
	my $answers = decode_json(slurp($cell->{answers}));
	my $asked = $self->_count($cell);
	my @wrong = ($self->_wrong_rows($cell, $answers),
	    $self->_wrong_tokens($cell, $seen),
	    _wrong_time($cell, $answers, $seen),
	    $self->_leaks($cell, $answers));
	my $want = $cell->{later} ? $cell->{later}[1] : $cell->{asked};
	push @wrong, "$cell->{at} was asked $asked times and not $want"
	    if $asked != $want;
	push @wrong, 'somebody else was asked'
	    if $cell->{lane}{cloud}->count('elsewhere');
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	ok !@wrong, $cell->{what} or diag join "\n", @wrong, '';
}

# The requests of each cluster.
sub _seen {
	my ($fake) = @_;
	my %seen;
	push @{$seen{$_->{cluster}}}, $_ for @{$fake->requests};
	return \%seen;
}

# Without those of the cluster's side, that looks at AWS's tokens by the same
# clock.
sub _count {
	my ($self, $cell) = @_;
	my $cloud = $cell->{lane}{cloud};
	return scalar(() = slurp("$cell->{program}.runs") =~ /run/g)
	    if $cell->{program};
	$cloud->behave(map { $_ => 'ok' } grep { defined }
	    @$cell{qw(at too)});
	$cloud->behave(sts => $cell->{skew} ? "skew:$cell->{skew}" : 'ok');
	return scalar grep { $cell->{at} ne 'sts' || $_->{method} eq 'POST' }
	    @{$cloud->requests($cell->{at})};
}

sub _rows {
	my ($answer) = @_;
	my $body = eval { decode_json($answer->{body}) } // {};
	return map { $_->{cluster}{name} => $_ }
	    @{$body->{items} // []};
}

sub _wrong_rows {
	my ($self, $cell, $answers) = @_;
	my @wrong;
	for my $i (0 .. $#$answers) {
		my %rows = _rows($answers->[$i]);
		my $says = $i == 2 && $cell->{later}[2] ? undef
		    : $cell->{says};
		push @wrong, map { "answer $i: $_" }
		    (map { _wrong_row($rows{$_}, $_, $says) } qw(one two)),
		    _wrong_row($rows{other}, 'other', undef);
	}
	return @wrong;
}

sub _wrong_row {
	my ($row, $name, $says) = @_;
	return "there is no row $name" if !$row;
	my @errors = @{$row->{errors}};
	my $text = join ' | ', map { $_->{message} // encode_json($_) }
	    @errors;
	return @errors ? "$name says: $text" : () if !defined $says;
	return "$name has " . @errors . " errors: $text" if @errors != 1;
	return "$name does not say $says: $text" if $text !~ $says;
	return "$name says too much: $text" if length $text > 500;
	return "$name says what cannot be read: $text"
	    if $text =~ /[^\x20-\x7e]/;
	return ();
}

# Whom the clusters saw, of the first query to the last.
sub _wrong_tokens {
	my ($self, $cell, $seen) = @_;
	my @wrong;
	for my $name (qw(one two)) {
		my @tokens = map { ($_->{headers}{authorization} // 'none')
		    =~ s/^Bearer //r } @{$seen->{$name} // []};
		my @who = map { $self->{who}->($cell->{lane}{cloud}, $_,
		    $name, $cell->{skew}) } @tokens;
		push @wrong, map { "$name $_" } _wrong_who($cell, @who);
	}
	return @wrong;
}

sub _wrong_who {
	my ($cell, @who) = @_;
	my $later = $cell->{later} ? $cell->{later}[2] : undef;
	my @want = $cell->{says} ? () : ($cell->{gets}) x 2;
	push @want, $later // ($cell->{says} ? () : $cell->{gets})
	    if $cell->{later};
	return "saw @who" if @who != @want;
	return map { _is($who[$_], $want[$_]) ? ()
	    : "saw $who[$_] and not $want[$_]" } 0 .. $#who;
}

sub _is { return ref $_[1] ? $_[0] =~ $_[1] : $_[0] eq $_[1] }

sub _wrong_time {
	my ($cell, $answers, $seen) = @_;
	my $took = sprintf '%.1f', $answers->[0]{took};
	my ($after, $within) = @$cell{qw(after within)};
	my $other = $seen->{other}[0];
	my $late = $other ? $other->{time} - $cell->{began} : 99;
	return ($took > $within ? "it took $took s, more than $within" : (),
	    $after && $took < $after ? "it took $took s, less than $after"
		: (),
	    $answers->[1]{took} > 1 ? 'the second query waited' : (),
	    $late > 2 ? 'the other cluster had to wait' : ());
}

sub _leaks {
	my ($self, $cell, $answers) = @_;
	my $text = $cell->{pool}->log_text
	    . join '', map { $_->{body} } @$answers;
	return $text =~ /.{0,60}$self->{secrets}.{0,20}/
	    ? "a secret is told: $&" : ();
}

1;
