# SPDX-License-Identifier: Apache-2.0
# Compares what a case expects with what was observed. The result is a list
# of differences: { part, want, got, around }, where part says where
# ("body.items[0].cluster.name"), absent or unexpected is true where one side
# has nothing, and around is the list of the expected values around it, from
# the nearest outwards.
#
# Expected values may be patterns: {"$match": REGEX}, {"$any": true},
# {"$oneOf": [...]}, {"$clusters": {NAME: "ok" | "resources" | "error"}}.
package Stagedoor::Compare;

use strict;
use warnings;

use Exporter qw(import);
use Stagedoor::JSON qw(encode_json kind_of);

our @EXPORT_OK = qw(compare compare_value describe);

# What an answer consists of, and the headers of it that count.
my @PARTS = qw(timeout connectionError closedWithoutAnswer status streamed
    body);
my @HEADERS = qw(content-type location set-cookie x-custom warning audit-id
    upgrade sec-websocket-accept sec-websocket-protocol);

# The headers of a proxied request that count.
my %KEPT = map { $_ => 1 } qw(accept content-type content-length user-agent
    x-custom host range if-none-match origin upgrade sec-websocket-protocol
    transfer-encoding x-forwarded-for te accept-encoding impersonate-user);

sub compare {
	my ($want, $got) = @_;
	my @found = _members(_only($want, @PARTS), _only($got, @PARTS), '');
	push @found, _members(_only($want->{headers} // {}, @HEADERS),
	    _only($got->{headers} // {}, @HEADERS), 'headers');
	push @found, _upstream($want->{upstream}, $got->{upstream} // [])
	    if defined $want->{upstream};
	return @found;
}

sub _only {
	my ($hash, @keys) = @_;
	return { map { $_ => $hash->{$_} } grep { exists $hash->{$_} } @keys };
}

sub _difference {
	my ($part, %more) = @_;
	return { part => $part, %more };
}

# --- Values -----------------------------------------------------------------

my %PATTERNS = (
	'$match' => sub {
		my ($regex, $got) = @_;
		return defined $got && !ref $got && $got =~ /$regex/;
	},
	'$any' => sub { 1 },
	'$oneOf' => sub {
		my ($choices, $got) = @_;
		return scalar grep { !compare_value($_, $got, '') } @$choices;
	},
);

sub compare_value {
	my ($want, $got, $part, $around) = @_;
	my @facts = (want => $want, got => $got, around => $around // []);
	my ($kind, $other) = (kind_of($want), kind_of($got));

	if ($kind eq 'object' && keys %$want == 1) {
		my ($name) = keys %$want;
		return _clusters($want->{$name}, $got, $part)
		    if $name eq '$clusters';
		my $pattern = $PATTERNS{$name};
		return $pattern->($want->{$name}, $got) ? ()
		    : _difference($part, @facts) if $pattern;
	}
	return _difference($part, @facts) if $kind ne $other;
	return _members($want, $got, $part, $around) if $kind eq 'object';
	return _elements($want, $got, $part, $around) if $kind eq 'array';
	return _same_scalar($kind, $want, $got) ? ()
	    : _difference($part, @facts);
}

sub _same_scalar {
	my ($kind, $want, $got) = @_;
	return 1 if $kind eq 'null';
	return $want eq $got if $kind eq 'string';
	return _double($want) == _double($got);
}

# Integers lose what a double cannot hold, as in JavaScript.
sub _double { return unpack 'd', pack 'd', $_[0] }

sub _members {
	my ($want, $got, $part, $outer) = @_;
	my @around = (around => [$want, @{$outer // []}]);
	my %all = (%$want, %$got);
	return map {
		my $here = $part eq '' ? $_ : "$part.$_";
		!exists $got->{$_} ? _difference($here,
		    want => $want->{$_}, absent => 1, @around)
		    : !exists $want->{$_} ? _difference($here,
		    got => $got->{$_}, unexpected => 1, @around)
		    : compare_value($want->{$_}, $got->{$_}, $here,
		    $around[1])
	} sort keys %all;
}

sub _elements {
	my ($want, $got, $part, $outer) = @_;
	my @found;
	push @found, _difference("$part.length", want => scalar @$want,
	    got => scalar @$got) if @$want != @$got;
	my $n = @$want < @$got ? @$want : @$got;
	for my $i (0 .. $n - 1) {
		push @found, compare_value($want->[$i], $got->[$i],
		    "$part\[$i]", [$want, @{$outer // []}]);
	}
	return @found;
}

# What the items of an answer must be like, by the names of their clusters.
sub _clusters {
	my ($want, $got, $part) = @_;
	my %items;
	if (kind_of($got) eq 'object' && kind_of($got->{items}) eq 'array') {
		%items = map { ($_->{cluster}{name} // '') => $_ }
		    @{$got->{items}};
	}
	return map {
		my $why = _item_fails($want->{$_}, $items{$_});
		defined $why ? _difference("$part.$_",
		    want => $want->{$_}, got => $why) : ()
	} sort keys %$want;
}

sub _item_fails {
	my ($like, $item) = @_;
	return 'no item' if !defined $item;
	my $errors = @{$item->{errors} // []};
	my $resources = grep { @{$_->{resources} // []} }
	    @{$item->{resources} // []};
	return 'no errors' if $like eq 'error' && !$errors;
	return 'errors' if $like eq 'ok' && $errors;
	return 'no resources' if $like ne 'error' && !$resources;
	return undef;
}

# --- Requests that reached the clusters -------------------------------------

# As sets: how often a request came does not count.
sub _upstream {
	my ($want, $got) = @_;
	my %want = map { encode_json($_) => $_ } map { _slim($_) } @$want;
	my %got = map { encode_json($_) => $_ } map { _slim($_) } @$got;
	_forget_second_pod_lists(\%want, \%got);
	for my $key (keys %want) {
		next if !exists $got{$key};
		delete $want{$key};
		delete $got{$key};
	}
	return _leftovers([map { $want{$_} } sort keys %want],
	    [map { $got{$_} } sort keys %got]);
}

sub _slim {
	my ($request) = @_;
	return $request if !$request->{headers};
	my %headers = map { $_ => $request->{headers}{$_} }
	    grep { $KEPT{$_} } keys %{$request->{headers}};
	return { %$request, headers => \%headers };
}

# The pods of a namespace need not be listed again for their metrics where
# all pods are listed with the same question.
sub _forget_second_pod_lists {
	my ($want, $got) = @_;
	for my $key (keys %$want) {
		my %all = %{$want->{$key}};
		next if $all{path}
		    !~ s{/api/v1/namespaces/[^/]+/pods$}{/api/v1/pods};
		next if !exists $want->{encode_json(\%all)};
		delete $want->{$key};
		delete $got->{$key};
	}
}

# Requests that are alike in cluster, method and path are held against each
# other; others are missing or unexpected as a whole.
sub _leftovers {
	my ($want, $got) = @_;
	my @found;
	for my $one (@$want) {
		my $name = _request_name($one);
		my ($like) = grep { _request_name($_) eq $name } @$got;
		if ($like) {
			$got = [grep { $_ != $like } @$got];
			push @found, _members($one, $like, 'upstream');
		} else {
			push @found, _difference('upstream.missing',
			    want => $name, absent => 1);
		}
	}
	push @found, _difference('upstream.unexpected',
	    got => _request_name($_), unexpected => 1) for @$got;
	return @found;
}

sub _request_name {
	my ($request) = @_;
	return join ' ', map { $_ // '' }
	    @$request{qw(cluster method path)};
}

# --- For people -------------------------------------------------------------

sub describe {
	my ($difference) = @_;
	my $text = "$difference->{part}:";
	$text .= ' expected ' . _short($difference->{want})
	    if !$difference->{unexpected};
	return "$text, not there" if $difference->{absent};
	return "$text " . ($difference->{unexpected} ? 'unexpected ' : ', got ')
	    . _short($difference->{got});
}

sub _short {
	my ($value) = @_;
	my $text = encode_json($value);
	return length $text > 300 ? substr($text, 0, 300) . '...' : $text;
}

1;
