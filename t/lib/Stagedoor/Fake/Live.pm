# SPDX-License-Identifier: Apache-2.0
# A fake cluster whose objects change: lists have versions and come in pages,
# and watches bring what changes, as a real API server has it; or they fail.
#
#	my $fake = fake(clusters => [{ name => 'one',
#	    class => 'Stagedoor::Fake::Live' }]);
#	$fake->tell('one', change => 'v1/pods', { metadata => { ... } });
#	$fake->tell('one', remove => 'v1/pods', 'default', 'shop-1');
#	$fake->tell('one', fault => watch => 'end');
#
# Faults of watch: end, reset, long (an event of 9 MB), or any text, to those
# that are open now. Of
# refuse_list and refuse_watch: a status, for those to come (0: none), with
# retry_after. Of slow_list: seconds. Of page: items in one.
package Stagedoor::Fake::Live;

use strict;
use warnings;

use parent 'Stagedoor::Fake::Cluster';

use Stagedoor::Fake::Data;
use Stagedoor::JSON qw(encode_json);

sub new {
	my ($class, %opt) = @_;
	my $self = $class->SUPER::new(%opt);
	@$self{qw(version events watches faults)} = (5000, [], [], {});
	return $self;
}

# --- What the test tells ----------------------------------------------------

sub change {
	my ($self, $key, $object) = @_;
	my $meta = $object->{metadata};
	my $list = $self->{data}->list($key);
	my $known = grep { _is($_, $meta->{namespace}, $meta->{name}) }
	    @{$list->{items}};
	$meta->{resourceVersion} = '' . ++$self->{version};
	@{$list->{items}} = sort { _key($a) cmp _key($b) }
	    (grep { !_is($_, $meta->{namespace}, $meta->{name}) }
	    @{$list->{items}}), Stagedoor::Fake::Data::_item($object);
	return $self->_event($known ? 'MODIFIED' : 'ADDED', $key, $object);
}

sub remove {
	my ($self, $key, $namespace, $name) = @_;
	my $list = $self->{data}->list($key);
	my ($item) = grep { _is($_, $namespace, $name) } @{$list->{items}};
	@{$list->{items}} = grep { $_ != $item } @{$list->{items}};
	my $object = $item->{object};
	$object->{metadata}{resourceVersion} = '' . ++$self->{version};
	return $self->_event('DELETED', $key, $object);
}

sub fault {
	my ($self, $what, $value) = @_;
	return $self->{faults}{$what} = $value if $what ne 'watch';
	$value = '{"type":"ADDED","object":{"a":"' . 'x' x 9e6
	    if $value eq 'long';
	for my $watch (splice @{$self->{watches}}) {
		my $conn = $watch->{conn};
		$value eq 'end' ? $conn->finish
		    : $value eq 'reset' ? $conn->reset
		    : $conn->write($value);
	}
	return 1;
}

sub watching { return scalar @{$_[0]{watches}} }

sub _key { return ($_[0]{namespace} // '') . "/$_[0]{name}" }

sub _is {
	my ($item, $namespace, $name) = @_;
	return _key($item) eq ($namespace // '') . "/$name";
}

sub _event {
	my ($self, $type, $key, $object) = @_;
	my ($version) = $key =~ m{(.*)/};
	(my $kind = $self->{data}->list($key)->{kind}) =~ s/List$//;
	my $event = { key => $key, version => $self->{version},
	    text => encode_json({ type => $type, object => {
		kind => $kind, apiVersion => $version, %$object } }) . "\n" };
	push @{$self->{events}}, $event;
	$_->{conn}->write($event->{text})
	    for grep { $_->{key} eq $key } @{$self->{watches}};
	return $self->{version};
}

# --- What is asked ----------------------------------------------------------

sub _watch {
	my ($self, $request, $conn) = @_;
	my $status = $self->{faults}{refuse_watch};
	return $self->_refuse($conn, $status) if $status;
	my ($key) = $request->{path} =~ m{^/apis?/(.*)$};
	$conn->start(200, ['Content-Type' => 'application/json']);
	my $from = $request->{params}{resourceVersion};
	$conn->write($_->{text}) for grep {
	    $_->{key} eq $key && $_->{version} > $from } @{$self->{events}};
	push @{$self->{watches}}, { key => $key, conn => $conn };
	$conn->on_close(sub {
	    @{$self->{watches}} = grep { $_->{conn} != $conn }
		@{$self->{watches}} });
	return 1;
}

sub _refuse {
	my ($self, $conn, $status) = @_;
	my $after = $self->{faults}{retry_after};
	return $self->_failure($conn, $status, 'X', 'refused',
	    $after ? ('Retry-After' => $after) : ());
}

# Lists that are not of a selector are the lane's.
sub _resource {
	my ($self, $request, $conn) = @_;
	my $faults = $self->{faults};
	return $self->SUPER::_resource($request, $conn)
	    if $request->{params}{labelSelector};
	return $self->_refuse($conn, $faults->{refuse_list})
	    if $faults->{refuse_list};
	return $self->{loop}->after($faults->{slow_list},
	    sub { $self->SUPER::_resource($request, $conn) })
	    if $faults->{slow_list};
	return $self->SUPER::_resource($request, $conn);
}

sub _list_text {
	my ($self, $request, $at, $list) = @_;
	my $text = $self->SUPER::_list_text($request, $at, $list);
	my ($page, $version) = ($self->{faults}{page}, $self->{version});
	$text =~ s/"resourceVersion":"5000"/"resourceVersion":"$version"/;
	return $text if !$page || !$request->{params}{limit};
	my $from = $request->{params}{continue} // 0;
	my @items = @{$list->{items}};
	my $rest = $from + $page < @items
	    ? ',"continue":"' . ($from + $page) . '"' : '';
	my @shown = grep { defined } @items[$from .. $from + $page - 1];
	$text =~ s/("resourceVersion":"\d+").*/$1$rest},"items":[/s;
	return $text . join(',', map { $_->{text} } @shown) . ']}';
}

1;
