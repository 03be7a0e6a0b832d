# SPDX-License-Identifier: Apache-2.0
# The list of differences on purpose: t/contract/differences. Each entry is
# a reason and what it touches:
#
#	cookies
#	  reason: the cluster's Set-Cookie does not reach the client
#	  part: headers.set-cookie
#	  ours: absent
#	  cases: px-root px-echo
#
# A case that is named must differ in exactly these parts; one that is not
# named must not differ. For cases from elsewhere (STAGEDOOR_CASES) that are
# not among ours, every entry applies where its part differs and its
# conditions hold: "was" is what must have been recorded there, "beside" a
# member of the recorded object around it (NAME=VALUE), "path" and "body" are
# patterns of the request's, "told" one of the recorded error message.
# "cases: none" is for what none of our own cases shows.
package Stagedoor::Differences;

use strict;
use warnings;

use Stagedoor::Compare qw(describe);
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::TLS qw(slurp);

# What may stand after "ours:" besides a JSON value.
my %OURS = (
	absent => sub { return $_[0]{absent} },
	any => sub { 1 },
	text => sub {
		my $got = $_[0]{got};
		return defined $got && !ref $got && $got ne '';
	},
	'sum of requests' => \&_is_sum,
	'rows with errors instead of an error' => \&_is_rows,
	'one slash' => sub {
		my $path = $_[0]{want} // $_[0]{got};
		return defined $_[0]{want} ? $path =~ m{\w//\w}
		    : $path =~ m{/k8s/clusters/c-1/\w};
	},
);

sub new {
	my ($class, $file) = @_;
	my $self = bless { entries => [], cases => {} }, $class;
	return $self if !-e $file;
	$self->_parse($_) for split /\n(?=\S)/, slurp($file) =~ s/^#.*\n//mgr;
	return $self;
}

sub _parse {
	my ($self, $block) = @_;
	my ($name, @lines) = split /\n/, $block;
	return if !defined $name || $name !~ /\S/;
	my (%entry, $key);
	for (@lines) {
		if (/^\s+(\w+):\s*(.*?)\s*$/) {
			$key = $1;
			$entry{$key} = $2;
		} elsif (/^\s+(\S.*?)\s*$/ && defined $key) {
			$entry{$key} .= " $1";
		}
	}
	$self->_add($name, \%entry);
}

sub _add {
	my ($self, $name, $entry) = @_;
	for my $key (qw(reason part ours cases)) {
		die "differences: '$name' has no $key\n"
		    if !defined $entry->{$key};
	}
	my @parts = map { _part_pattern($_) } split ' ', $entry->{part};
	my %cases = map { $_ => 1 } grep { $_ ne 'none' }
	    split ' ', $entry->{cases};
	push @{$self->{entries}}, { %$entry, name => $name,
	    parts => \@parts, cases => \%cases };
	$self->{cases}{$_} = 1 for keys %cases;
}

# "*" stands for any name or index.
sub _part_pattern {
	my ($part) = @_;
	my $pattern = quotemeta $part;
	$pattern =~ s/\\\*/[^.\\[\\]]+/g;
	return qr/^$pattern(?:$|[.\[])/;
}

sub lists { return $_[0]{cases}{$_[1]{name}} }
sub case_names { return sort keys %{$_[0]{cases}} }
sub entries { return @{$_[0]{entries}} }

# judge(CASE, DIFFERENCES, known => is the case one of our folder?):
# { ok, how, lines }.
sub judge {
	my ($self, $case, $found, %opt) = @_;
	my $name = $case->{name};
	my @apply = grep { $_->{cases}{$name} } @{$self->{entries}};
	my $strict = $opt{known} || @apply;
	@apply = @{$self->{entries}} if !$strict;

	my (%used, @lines);
	for my $difference (@$found) {
		my ($entry) = grep { _covers($_, $difference, $case) } @apply;
		if ($entry) {
			$used{$entry->{name}} = 1;
		} else {
			push @lines, describe($difference);
		}
	}
	if ($strict) {
		push @lines, map { "listed under '$_->{name}', but the same" }
		    grep { !$used{$_->{name}} } @apply;
	}
	return { ok => !@lines, lines => \@lines,
	    how => 'differs on purpose: ' . join ', ', sort keys %used };
}

sub _covers {
	my ($entry, $difference, $case) = @_;
	return 0 if !grep { $difference->{part} =~ $_ } @{$entry->{parts}};
	return 0 if !_condition_holds($entry, $difference, $case);
	my $check = $OURS{$entry->{ours}};
	return $check->($difference) if $check;
	return 0 if $difference->{absent};
	return encode_json($difference->{got})
	    eq encode_json(decode_json($entry->{ours}));
}

sub _condition_holds {
	my ($entry, $difference, $case) = @_;
	my $request = $case->{request} // {};
	if (defined $entry->{beside}) {
		my ($name, $value) = split /=/, $entry->{beside}, 2;
		return 0 if (_object($difference, 0)->{$name} // '')
		    ne $value;
	}
	return 0 if defined $entry->{told}
	    && _recorded_message($case) !~ /$entry->{told}/;
	return 0 if defined $entry->{was}
	    && encode_json($difference->{want}) ne $entry->{was};
	return 0 if defined $entry->{path}
	    && ($request->{path} // '') !~ /$entry->{path}/;
	return 0 if defined $entry->{body} && ($request->{rawBody}
	    // $request->{body_text} // '') !~ /$entry->{body}/;
	return 1;
}

sub _recorded_message {
	my ($case) = @_;
	my $error = ($case->{expected}{body} // {})->{error} // '';
	return ref $error ? $error->{message} // '' : $error;
}

# The expected object that is so many steps around a difference.
sub _object {
	my ($difference, $steps) = @_;
	my $value = $difference->{around}[$steps];
	return ref $value eq 'HASH' ? $value : {};
}

sub _is_rows {
	my ($difference) = @_;
	return 1 if $difference->{part} =~ /error|request|response/
	    && $difference->{absent};
	my $rows = $difference->{got};
	return 0 if $difference->{part} ne 'body.items'
	    || ref $rows ne 'ARRAY' || !@$rows;
	return @$rows == grep { @{$_->{errors}} } @$rows;
}

# Is a pod's requestTotal the sum of what its containers request?
sub _is_sum {
	my ($difference) = @_;
	my $pod = _object($difference, 1)->{pod} or return 0;
	my $sum = 0;
	for my $container (@{$pod->{spec}{containers}}) {
		$sum += _bytes($container->{resources}{requests}{memory} // 0);
	}
	return defined $difference->{got} && $difference->{got} == $sum;
}

my %TIMES = (k => 1e3, M => 1e6, G => 1e9, T => 1e12,
    Ki => 2 ** 10, Mi => 2 ** 20, Gi => 2 ** 30, Ti => 2 ** 40);

sub _bytes {
	my ($quantity) = @_;
	my ($number, $suffix) = $quantity =~ /^([0-9.]+)([A-Za-z]*)$/;
	return $number * ($suffix eq '' ? 1 : $TIMES{$suffix} // 0);
}

1;
