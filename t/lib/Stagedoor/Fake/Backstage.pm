# SPDX-License-Identifier: Apache-2.0
# The stub of what stands beside the clusters: Backstage's catalog, auth and
# permission back ends, and the token endpoints of clouds.
package Stagedoor::Fake::Backstage;

use strict;
use warnings;

use Encode ();
use Stagedoor::Fake::URL qw(path_of query_of unescape);
use Stagedoor::JSON qw(decode_json encode_json);

my @ROUTES = (
	[qr{^/api/catalog/entities/by-name/([^/]+)/([^/]+)/([^/]+)$},
	    \&_by_name],
	[qr{^/api/catalog/entities$}, \&_clusters],
	[qr{^/api/catalog/entities/by-query$}, \&_clusters_by_query],
	[qr{^/api/auth/\.well-known/jwks\.json$}, \&_jwks],
	[qr{^/api/auth/v1/userinfo$}, \&_userinfo],
	[qr{^/api/permission/authorize$}, \&_authorize],
	[qr{^/msi$}, \&_msi],
	[qr{^/computeMetadata/v1(.*)$}, \&_metadata],
	[qr{^/$}, \&_sts],
);

# Options: port, entities, jwks, record, and what set takes.
sub new {
	my ($class, %opt) = @_;
	my $self = bless { name => '@backstage', accepted => 0, open => 0,
	    %opt }, $class;
	$self->add_entity($_) for @{delete $self->{entities}};
	return $self;
}

sub gone { $_[0]{open}-- }

# From now on. jwks: the key set, or a status. permission: the result ("DENY"
# unless told otherwise), a status, or { body => TEXT }, where $ID is the id of
# the question; "hang" for no answer.
# userinfo: a list of refs or a status; 404 unless told otherwise.
# clusters: entities in place of those that are clusters, a status, or
# { body => TEXT }, or { many => N, of => ENTITY } for that one with the names
# x1 ... xN.
sub set {
	my ($self, $options) = @_;
	@$self{keys %$options} = values %$options;
	return 'ok';
}

# A status in place of an answer.
sub _failed {
	my ($self, $conn, $status) = @_;
	return 0 if ref $status || $status !~ /^\d+$/;
	$self->_json($conn, $status, { error =>
	    { name => 'Error', message => 'told to' } });
	return 1;
}

sub _jwks {
	my ($self, $request, $conn) = @_;
	$self->_failed($conn, $self->{jwks})
	    or $self->_json($conn, 200, $self->{jwks});
}

sub _userinfo {
	my ($self, $request, $conn) = @_;
	my $refs = $self->{userinfo} // 404;
	$self->_failed($conn, $refs)
	    or $self->_json($conn, 200, { claims => { ent => $refs } });
}

sub _key {
	return lc join '/', map { $_ // 'default' } @_;
}

# Later ones do not replace earlier ones of the same name.
sub add_entity {
	my ($self, $entity) = @_;
	my $meta = $entity->{metadata};
	my $key = _key($entity->{kind}, $meta->{namespace}, $meta->{name});
	return if $self->{by_key}{$key};
	$self->{by_key}{$key} = $entity;
	push @{$self->{list}}, $entity;
}

sub handle {
	my ($self, $request, $conn) = @_;
	my $path = path_of($request->{target});
	$request->{raw_path} = $path;
	$self->{record}->($self->{name}, $request, $conn);
	for my $route (@ROUTES) {
		if (my @parts = $path =~ $route->[0]) {
			return $route->[1]->($self, $request, $conn, @parts);
		}
	}
	$self->_not_found($conn);
}

sub _json {
	my ($self, $conn, $status, $value) = @_;
	$conn->reply($status,
	    ['Content-Type' => 'application/json; charset=utf-8'],
	    encode_json($value));
	return 1;
}

sub _not_found {
	my ($self, $conn) = @_;
	$self->_json($conn, 404, { error =>
	    { name => 'NotFoundError', message => 'stub' } });
}

sub _by_name {
	my ($self, $request, $conn, @parts) = @_;
	my ($kind, $namespace, $name)
	    = map { lc Encode::decode('UTF-8', unescape($_)) } @parts;
	my $path = $request->{raw_path};

	return $self->_json($conn, 500, {
		error => { name => 'Error', message => 'db down' },
		request => { method => 'GET', url => $path },
		response => { statusCode => 500 },
	}) if $name eq 'catalog-500';

	my $entity = $self->{by_key}{_key($kind, $namespace, $name)};
	return $self->_json($conn, 200, $entity) if $entity;
	$path =~ s{^/api/catalog}{};
	$self->_json($conn, 404, {
		error => { name => 'NotFoundError', message =>
		    "No entity named '$name' found, with kind '$kind' in "
		    . "namespace '$namespace'" },
		request => { method => 'GET', url => $path },
		response => { statusCode => 404 },
	});
}

sub _cluster_entities {
	my ($self) = @_;
	my @needed = map { "kubernetes.io/$_" } qw(api-server
	    api-server-certificate-authority auth-provider);
	return grep {
		my $notes = $_->{metadata}{annotations};
		$_->{kind} eq 'Resource'
		    && ($_->{spec}{type} // '') eq 'kubernetes-cluster'
		    && @needed == grep { exists $notes->{$_} } @needed;
	} @{$self->{list}};
}

sub _named {
	my ($entity, $name) = @_;
	return { %$entity, metadata => { %{$entity->{metadata}},
	    name => $name } };
}

sub _clusters {
	my ($self, $request, $conn) = @_;
	my $told = $self->{clusters} // [$self->_cluster_entities];
	return if $self->_failed($conn, $told);
	return $conn->reply(200, ['Content-Type' => 'application/json'],
	    $told->{body}) if ref $told eq 'HASH' && defined $told->{body};
	$told = [map { _named($told->{of}, "x$_") } 1 .. $told->{many}]
	    if ref $told eq 'HASH';
	$self->_json($conn, 200, $told);
}

sub _clusters_by_query {
	my ($self, $request, $conn) = @_;
	my @items = $self->_cluster_entities;
	$self->_json($conn, 200, { items => \@items,
	    totalItems => scalar @items, pageInfo => {} });
}

sub _authorize {
	my ($self, $request, $conn) = @_;
	my $result = $self->{permission} // 'DENY';
	return if $result eq 'hang' || $self->_failed($conn, $result);
	my $asked = decode_json($request->{body});
	return $conn->reply(200, ['Content-Type' => 'application/json'],
	    $result->{body} =~ s/\$ID/$asked->{items}[0]{id}/r)
	    if ref $result;
	my @items = map { { id => $_->{id}, result => $result } }
	    @{$asked->{items}};
	$self->_json($conn, 200, { items => \@items });
}

sub _msi {
	my ($self, $request, $conn) = @_;
	my $params = query_of($request->{query});
	$self->_json($conn, 200, {
		access_token => 'azure-token', token_type => 'Bearer',
		expires_on => '' . (time + 86400),
		resource => $params->{resource},
	});
}

sub _metadata {
	my ($self, $request, $conn, $rest) = @_;
	my @flavor = ('Metadata-Flavor' => 'Google');
	return $conn->reply(200,
	    [@flavor, 'Content-Type' => 'application/json; charset=utf-8'],
	    encode_json({ access_token => 'gsa-token', expires_in => 3599,
	    token_type => 'Bearer' })) if $rest =~ m{/token$};
	my $text = $rest =~ m{project-id$} ? 'proj'
	    : $rest =~ m{universe[-_]domain$} ? 'googleapis.com' : 'ok';
	$conn->reply(200, [@flavor, 'Content-Type' => 'application/text'],
	    $text);
}

sub _sts {
	my ($self, $request, $conn) = @_;
	my $action = query_of($request->{body})->{Action} // '';
	my $make = { AssumeRole => \&_assumed_role,
	    GetCallerIdentity => \&_caller_identity }->{$action}
	    or return $self->_not_found($conn);
	$conn->reply(200, ['Content-Type' => 'text/xml'], $make->());
}

sub _xml {
	my ($name, @content) = @_;
	return "<$name>" . join('', @content) . "</$name>";
}

sub _sts_answer {
	my ($action, @content) = @_;
	my $id = _xml('ResponseMetadata', _xml(RequestId => 'r'));
	return qq(<${action}Response xmlns=")
	    . 'https://sts.amazonaws.com/doc/2011-06-15/">'
	    . _xml("${action}Result", @content) . "$id</${action}Response>";
}

sub _assumed_role {
	return _sts_answer('AssumeRole',
	    _xml('AssumedRoleUser',
		_xml(Arn =>
		    'arn:aws:sts::222222222222:assumed-role/k8s/x'),
		_xml(AssumedRoleId => 'AROA:x')),
	    _xml('Credentials',
		_xml(AccessKeyId => 'ASIAFAKEFAKEFAKEFAKE'),
		_xml(SecretAccessKey => 'tempsecret'),
		_xml(SessionToken => 'FakeSessionToken+/='),
		_xml(Expiration => '2099-01-01T00:00:00Z')));
}

sub _caller_identity {
	return _sts_answer('GetCallerIdentity',
	    _xml(Arn => 'arn:aws:iam::111111111111:user/x'),
	    _xml(UserId => 'AIDA'), _xml(Account => '111111111111'));
}

1;
