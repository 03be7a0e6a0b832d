# SPDX-License-Identifier: Apache-2.0
# What the fake clusters hold: lists of objects from t/contract/data.json,
# each object kept as text (so that numbers keep their spelling), picked by
# namespace and label selector.
package Stagedoor::Fake::Data;

use strict;
use warnings;

use Stagedoor::JSON qw(read_json encode_json);

use constant METRICS => 'metrics.k8s.io/v1beta1/pods';

sub new {
	my ($class, $file) = @_;
	my $data = read_json($file);
	my $self = bless { lists => {} }, $class;
	my $lists = $data->{lists};
	$self->_add($_, $lists->{$_}) for keys %$lists;
	$self->_add(METRICS, {
		kind => 'PodMetricsList',
		apiVersion => 'metrics.k8s.io/v1beta1',
		items => $data->{metrics},
	});
	$self->_add_weird($lists->{'v1/pods'}, $data->{metrics});
	return $self;
}

sub _add {
	my ($self, $key, $list) = @_;
	$self->{lists}{$key} = {
		kind => $list->{kind}, version => $list->{apiVersion},
		items => [map { _item($_) } @{$list->{items}}],
	};
}

sub _item {
	my ($object) = @_;
	my $meta = $object->{metadata};
	return {
		name => $meta->{name}, namespace => $meta->{namespace},
		labels => $meta->{labels} // {}, object => $object,
		text => _spelled(encode_json($object)),
	};
}

# Perl writes 1.1 where the API server's bytes are to be 1.10.
sub _spelled {
	my ($text) = @_;
	$text =~ s/"f":1\.1\b/"f":1.10/g;
	return $text;
}

# Pods and metrics with quantities that few programs expect.
sub _add_weird {
	my ($self, $pods, $metrics) = @_;
	my @pods = map { _copy($_) } @{$pods->{items}};
	for my $container (map { @{$_->{spec}{containers}} } @pods) {
		$container->{resources} = { requests =>
		    { cpu => '1e3', memory => '1.5Gi' } };
	}
	my @metrics = map { _copy($_) } @$metrics;
	$_->{usage}{memory} = '1.5Gi' for map { @{$_->{containers}} } @metrics;
	$self->_add('weird/pods', { %$pods, items => \@pods });
	$self->_add('weird/metrics', { kind => 'PodMetricsList',
	    apiVersion => 'metrics.k8s.io/v1beta1', items => \@metrics });
}

sub _copy { return Stagedoor::JSON::decode_json(encode_json($_[0])) }

sub list { return $_[0]{lists}{$_[1]} }

# The text of a list: of one namespace (undef: all), of what a selector picks
# (undef: all).
sub list_text {
	my ($self, $list, $namespace, $selector, $none) = @_;
	my @items = $none ? () : grep {
		(!defined $namespace || ($_->{namespace} // '') eq $namespace)
		    && selects($selector, $_->{labels})
	} @{$list->{items}};
	my $kind = defined $list->{kind} ? qq("kind":"$list->{kind}",) : '';
	return qq({$kind"apiVersion":"$list->{version}",)
	    . '"metadata":{"resourceVersion":"5000"},"items":['
	    . join(',', map { $_->{text} } @items) . ']}';
}

# One object with its kind, as text; undef if there is none.
sub object_text {
	my ($self, $list, $version, $namespace, $name) = @_;
	my ($item) = grep {
		$_->{name} eq $name && (!defined $namespace
		    || ($_->{namespace} // '') eq $namespace)
	} @{$list->{items}};
	return undef if !$item;
	(my $kind = $list->{kind}) =~ s/List$//;
	return _spelled(encode_json({ apiVersion => $version, kind => $kind,
	    %{$item->{object}} }));
}

# --- Label selectors --------------------------------------------------------

sub selects {
	my ($selector, $labels) = @_;
	return 1 if !defined $selector || $selector eq '';
	for my $term (_terms($selector)) {
		return 0 if !_term_holds($term, $labels);
	}
	return 1;
}

# Split at commas that are not in brackets.
sub _terms {
	my ($selector) = @_;
	my @terms = $selector =~ /((?:[^,()]|\([^()]*\))+)/g;
	s/^\s+|\s+$//g for @terms;
	return grep { $_ ne '' } @terms;
}

sub _term_holds {
	my ($term, $labels) = @_;
	if ($term =~ /^(\S+)\s+(in|notin)\s+\((.*)\)$/) {
		my ($key, $op, $values) = ($1, $2, $3);
		my %set = map { s/^\s+|\s+$//gr => 1 } split /,/, $values;
		my $has = defined $labels->{$key} && $set{$labels->{$key}};
		return $op eq 'in' ? $has : !$has;
	}
	if ($term =~ /^([^=!]+)!=(.*)$/) {
		return !_label_is($labels, $1, $2);
	}
	if ($term =~ /^([^=]+?)==?(.*)$/) {
		return _label_is($labels, $1, $2);
	}
	return !exists $labels->{substr $term, 1} if $term =~ /^!/;
	return exists $labels->{$term};
}

sub _label_is {
	my ($labels, $key, $value) = @_;
	s/^\s+|\s+$//g for $key, $value;
	return defined $labels->{$key} && $labels->{$key} eq $value;
}

1;
