# SPDX-License-Identifier: Apache-2.0
# The side of the fake issuer that answers: it finds the endpoint, records
# the request, and answers well or as it was told to. Behaviours, for one
# endpoint each:
#
#	ok		well (or none)
#	slow:8		does its work at once, answers 8 s later
#	late:8		does its work and answers 8 s later
#	hang		never answers (and did nothing)
#	reset		closes the connection, and did nothing
#	lost		does its work, and closes the connection
#	503, 429:3	that status with an error of OAuth; Retry-After: 3
#	400:invalid_grant	that status with that error
#	echo		400 that says what secrets were sent
#	redirect	302 to /elsewhere
#	huge		right, but of 3 MB
#	malformed	half of the right body
#	body:TEXT	200 with this body
#	skew:600	a clock that is 600 s ahead (-600: behind)
#	member:NAME=JSON, without:NAME	another member in the JSON, or none
#
# of token also, for the id token:
#
#	wrong:iss (aud azp nonce sub at_hash)	another value there
#	wrong:kid	a kid that nobody knows, a new one each time
#	wrong:key	signed with another key than kid says
#	alg:none, alg:HS256	not signed; with the public key as the secret
#	expired		it ended two minutes ago
#	claim:NAME=JSON, unclaim:NAME, header:NAME=JSON
#
# of authorize also:
#
#	error:access_denied	back with that error
#	page		asks first: links "Sign in" and "Cancel"
#	wrong:iss, wrong:state, without:iss, without:state	of the way back
#
# A behaviour holds until another is set. Several, with commas or as an array,
# are for a request each, and then all is well: '503*2' is '503,503'. "+" joins
# those that go together: 'slow:2+without:refresh_token'.
package Stagedoor::Fake::IssuerServer;

use strict;
use warnings;

use POSIX qw(strftime);
use Stagedoor::Fake::IssuerClients;
use Stagedoor::Fake::IssuerFlows;
use Stagedoor::Fake::IssuerKeys;
use Stagedoor::Fake::URL qw(path_of query_of);
use Stagedoor::JSON qw(decode_json encode_json);

my @ENDPOINTS = qw(discovery jwks authorize token device_authorization
    device_page userinfo revocation end_session elsewhere);

sub endpoints { return @ENDPOINTS }

my $BEHAVIOUR = qr/^(?:ok|hang|reset|lost|echo|redirect|huge|malformed|expired
    |page|\d{3}(?::\w+)?|(?:slow|late):[\d.]+|skew:-?\d+|body:.*
    |error:\w+|wrong:(?:iss|aud|azp|nonce|sub|at_hash|kid|key|state)
    |alg:(?:none|HS256)|(?:member|claim|header):\w+=.*
    |(?:without|unclaim):\w+)$/xs;

# A behaviour as written, to a list of lists of them.
sub steps {
	my ($text) = @_;
	my @steps = ref $text ? @$text
	    : $text =~ /^body:/ ? $text : split /,/, $text;
	@steps = map { /^(.*)\*(\d+)$/ && !/^body:/ ? ($1) x $2 : $_ } @steps;
	@steps = map { [/^body:/ ? $_ : split /\+/] } @steps;
	my ($unknown) = grep { !/$BEHAVIOUR/ } map { @$_ } @steps;
	die "no behaviour '$unknown' of an issuer\n" if defined $unknown;
	push @steps, ['ok'] if @steps > 1;
	return \@steps;
}

# Options: loop, record, dir, base, options.
sub new {
	my ($class, %opt) = @_;
	my $self = bless { accepted => 0, open => 0, behaviour => {},
	    counters => {}, %opt }, $class;
	$self->{keys} = Stagedoor::Fake::IssuerKeys->new($opt{dir});
	$self->{flows} = Stagedoor::Fake::IssuerFlows->new($self);
	return $self;
}

sub gone { $_[0]{open}-- }

# --- What the test tells it -------------------------------------------------

sub behave {
	my ($self, $endpoint, $steps) = @_;
	$self->{behaviour}{$endpoint} = $steps;
	return 'ok';
}

sub set {
	my ($self, $options) = @_;
	%{$self->{options}} = (%{$self->{options}}, %$options);
	return 'ok';
}

sub counters { return $_[0]{counters} }
sub recount { %{$_[0]{counters}} = (); return 'ok' }
sub rotate_keys { my $self = shift; return $self->{keys}->rotate(@_) }

# A method of the flows: sessions, decide, end_sessions, claims_of.
sub flow {
	my ($self, $method, @arguments) = @_;
	return $self->{flows}->$method(@arguments);
}

# --- What the flows use -----------------------------------------------------

sub dir { return $_[0]{dir} }
sub signing_keys { return $_[0]{keys} }
sub bump { return ++$_[0]{counters}{$_[1]} }
sub now { return time + ($_[0]{skew} // 0) }

sub option {
	my ($self, $name, $default) = @_;
	return $self->{options}{$name} // $default;
}

sub dialect { return $_[0]->option(dialect => 'oidc') }

# Was the endpoint told to do so? Gives what stands behind the colon, or 1.
sub told {
	my ($self, $name) = @_;
	for (@{$self->{step} // []}) {
		return $1 // 1 if /^\Q$name\E(?::(.*))?$/s;
	}
	return undef;
}

sub is_wrong {
	my ($self, $what) = @_;
	return grep { $_ eq "wrong:$what" } @{$self->{step} // []};
}

# { NAME => VALUE } of claim:NAME=JSON and its like.
sub told_values {
	my ($self, $word) = @_;
	return { map { /^\Q$word\E:(\w+)=(.*)$/s ? ($1, decode_json($2)) : () }
	    @{$self->{step} // []} };
}

sub told_names {
	my ($self, $word) = @_;
	return map { /^\Q$word\E:(\w+)$/ ? $1 : () } @{$self->{step} // []};
}

sub json {
	my ($status, $value, @headers) = @_;
	return [$status, ['Content-Type' => 'application/json',
	    @headers], encode_json($value)];
}

# An error as the dialect has it.
sub error {
	my ($self, $status, $error, $text, @headers) = @_;
	my %more = $self->dialect eq 'aks' ? (error_codes => [70000],
	    timestamp => strftime('%Y-%m-%d %H:%M:%SZ', gmtime $self->now),
	    trace_id => '00000000-0000-4000-8000-000000000000') : ();
	$text = "AADSTS70000: $text" if %more;
	return json($status, { error => $error, %more,
	    error_description => $text }, 'Cache-Control' => 'no-store',
	    @headers);
}

# --- Where things are -------------------------------------------------------

my %PATHS = (
	oidc => { discovery => '/.well-known/openid-configuration',
	    jwks => '/keys', authorize => '/auth', token => '/token',
	    device_authorization => '/device/code', device_page => '/device',
	    userinfo => '/userinfo', revocation => '/revoke',
	    end_session => '/logout' },
	google => { discovery => '/.well-known/openid-configuration',
	    jwks => '/oauth2/v3/certs', authorize => '/o/oauth2/v2/auth',
	    token => '/token', device_authorization => '/device/code',
	    device_page => '/device', userinfo => '/v1/userinfo',
	    revocation => '/revoke' },
	aks => { discovery => '/v2.0/.well-known/openid-configuration',
	    jwks => '/discovery/v2.0/keys',
	    authorize => '/oauth2/v2.0/authorize',
	    token => '/oauth2/v2.0/token',
	    device_authorization => '/oauth2/v2.0/devicecode',
	    device_page => '/oauth2/deviceauth',
	    userinfo => '/oidc/userinfo',
	    end_session => '/oauth2/v2.0/logout' },
);

# What stands before these paths: /TENANT of aks, else the option path.
sub prefix {
	my ($self) = @_;
	return $self->dialect eq 'aks' ? '/' . $self->tenant
	    : $self->option(path => '');
}

sub tenant {
	return $_[0]->option(tenant => '11111111-2222-4333-8444-555555555555');
}

sub issuer {
	my ($self) = @_;
	return $self->option(issuer => $self->{base} . $self->prefix
	    . ($self->dialect eq 'aks' ? '/v2.0' : ''));
}

# The address of an endpoint, undef if the dialect has none or the option
# "without" (a list) takes it away.
sub url {
	my ($self, $endpoint) = @_;
	my $path = $PATHS{$self->dialect}{$endpoint};
	return undef if !defined $path
	    || grep { $_ eq $endpoint } @{$self->option(without => [])};
	return $self->{base} . $self->prefix . $path;
}

sub _endpoint {
	my ($self, $target) = @_;
	my $path = path_of($target);
	my $prefix = $self->prefix;
	return 'elsewhere' if $path !~ s/^\Q$prefix\E(?=\/)//;
	my $paths = $PATHS{$self->dialect};
	my ($name) = grep { $paths->{$_} eq $path
	    && defined $self->url($_) } keys %$paths;
	return $name // 'elsewhere';
}

# --- Requests ---------------------------------------------------------------

sub handle {
	my ($self, $request, $conn) = @_;
	my $name = $self->_endpoint($request->{target});
	$request->{form} = _form($request);
	$self->{record}->($name, $request, $conn);
	local $self->{step} = $self->_next_step($name);
	return if $self->told('hang');
	return $conn->reset if $self->told('reset');
	my $late = $self->told('late');
	return $self->_work($name, $request, $conn) if !$late;
	my $step = $self->{step};
	$self->{loop}->after($late, sub {
		local $self->{step} = $step;
		$self->_work($name, $request, $conn);
	});
}

sub _form {
	my ($request) = @_;
	my $type = $request->{headers}{'content-type'} // '';
	return query_of($request->{body}) if $type =~ /urlencoded/;
	return undef;
}

sub _next_step {
	my ($self, $name) = @_;
	my $steps = $self->{behaviour}{$name} // [];
	return (@$steps > 1 ? shift @$steps : $steps->[0]) // ['ok'];
}

sub _work {
	my ($self, $name, $request, $conn) = @_;
	local $self->{skew} = $self->told('skew') // 0;
	my $answer = $self->_answer($name, $request);
	return $conn->reset if $self->told('lost');
	push @{$answer->[1]}, Date => strftime('%a, %d %b %Y %H:%M:%S GMT',
	    gmtime $self->now);
	my $slow = $self->told('slow');
	return $conn->reply(@$answer) if !$slow;
	$self->{loop}->after($slow, sub { $conn->reply(@$answer) });
}

sub _answer {
	my ($self, $name, $request) = @_;
	for (@{$self->{step}}) {
		return $self->_status($1, $2) if /^(\d{3})(?::(\w+))?$/;
		return [200, ['Content-Type' => 'application/json'], $1]
		    if /^body:(.*)/s;
	}
	return [302, [Location => "$self->{base}/elsewhere"], '']
	    if $self->told('redirect');
	return $self->_echo($request) if $self->told('echo');
	return [404, [], 'nothing is here'] if $name eq 'elsewhere';
	my $answer = $self->{flows}->$name($request);
	$self->_change_members($answer);
	substr $answer->[2], length($answer->[2]) / 2,
	    length $answer->[2], '' if $self->told('malformed');
	substr $answer->[2], -1, 0, ' ' x 3e6 if $self->told('huge');
	return $answer;
}

sub _status {
	my ($self, $status, $more) = @_;
	my @after = ($more // '') =~ /^\d+$/ ? ('Retry-After' => $more) : ();
	my $error = @after || !defined $more ? $status < 500
	    ? 'invalid_request' : 'temporarily_unavailable' : $more;
	return $self->error(0 + $status, $error,
	    "the fake issuer answers $status", @after);
}

# What must not be told, put where an error's text is.
sub _echo {
	my ($self, $request) = @_;
	my $form = $request->{form} // {};
	my @values = grep { length ($_ // '') }
	    $request->{headers}{authorization},
	    map { $form->{$_} } qw(client_secret client_assertion code
		code_verifier refresh_token device_code token);
	return $self->error(400, 'invalid_request', "you sent @values");
}

sub _change_members {
	my ($self, $answer) = @_;
	my $values = $self->told_values('member');
	my @without = $self->told_names('without');
	return if !%$values && !@without;
	my $json = eval { decode_json($answer->[2]) } or return;
	%$json = (%$json, %$values);
	delete @$json{@without};
	$answer->[2] = encode_json($json);
}

1;
