# SPDX-License-Identifier: Apache-2.0
# The side of the fake clouds that answers: it finds the endpoint, records
# the request, and answers well or as it was told to. Behaviours, for one
# endpoint each:
#
#	ok		well (or none)
#	slow:8		well, after 8 s
#	503, 429:3	that status, in the cloud's form; Retry-After: 3
#	400:Throttling	that status with that error of the cloud's
#	denied		the cloud's "no"
#	echo		400 that says what secrets were sent
#	expired		credentials that have expired already
#	malformed	half of the answer's body
#	oversized	an answer that is right, but of 3 MB
#	redirect	302 to a path that would count for "elsewhere"
#	skew:600	a clock that is 600 s ahead (-600: behind)
#	reset		closes the connection
#	without:NAME	well, but without that header
#	body:TEXT	200 with this body
#
# One of them holds until another is set. Several, with commas or as an array,
# are for a request each, and then all is well: '503*2' is '503,503', and
# 'slow:8,ok' is for the next request only.
package Stagedoor::Fake::CloudServer;

use strict;
use warnings;

use POSIX qw(strftime);
use Stagedoor::Fake::AWS;
use Stagedoor::Fake::Azure;
use Stagedoor::Fake::Google;
use Stagedoor::Fake::URL qw(escape path_of query_of);
use Stagedoor::JSON qw(decode_json encode_json);

# Each endpoint has routes: [METHOD, PATH, code], that take the server, the
# request and what the path holds, and give [STATUS, HEADERS, BODY]; error,
# that takes the server, a status and perhaps a name, and gives such an answer;
# denied, that takes the server; and env (see Cloud.pm).
my %ENDPOINTS = (
	%Stagedoor::Fake::AWS::ENDPOINTS,
	%Stagedoor::Fake::Azure::ENDPOINTS,
	%Stagedoor::Fake::Google::ENDPOINTS,
	elsewhere => { routes => [], error => sub { [$_[1], [], ''] },
	    denied => sub { [403, [], ''] } },
);

sub endpoint {
	my ($name) = @_;
	return $ENDPOINTS{$name} // die "no endpoint '$name' of a cloud: "
	    . join(' ', sort keys %ENDPOINTS) . "\n";
}

my $BEHAVIOUR = qr/^(?:ok|denied|echo|expired|malformed|oversized|redirect|reset
    |\d{3}(?::\w+)?|slow:[\d.]+|skew:-?\d+|without:[\w-]+|body:.*)$/xs;

# A behaviour as written, to a list of them.
sub steps {
	my ($text) = @_;
	my @steps = ref $text ? @$text
	    : $text =~ /^body:/ ? $text : split /,/, $text;
	@steps = map { /^(.*)\*(\d+)$/ && !/^body:/ ? ($1) x $2 : $_ } @steps;
	my ($unknown) = grep { !/$BEHAVIOUR/ } @steps;
	die "no behaviour '$unknown' of a cloud\n" if defined $unknown;
	push @steps, 'ok' if @steps > 1;
	return \@steps;
}

# Options: loop, record, dir, options.
sub new {
	my ($class, %opt) = @_;
	return bless { accepted => 0, open => 0, behaviour => {}, given => {},
	    issued => {}, %opt }, $class;
}

sub gone { $_[0]{open}-- }

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

# What is handed out from now on begins at 1 again.
sub recount {
	my ($self) = @_;
	$self->{given} = {};
	return 'ok';
}

# --- What the clouds use ----------------------------------------------------

sub dir { return $_[0]{dir} }

# The value of an option, with what it is if the test says nothing.
sub option {
	my ($self, $name, $default) = @_;
	return $self->{options}{$name} // $default;
}

# The clock of the endpoint that answers, in whole seconds.
sub now { return time + $_[0]{skew} }

# Seconds that what is handed out now lives, if so many are asked for.
sub lifetime {
	my ($self, $asked) = @_;
	return -60 if $self->{expired};
	return $self->option(lifetime => $asked // 3600);
}

# Such seconds for expires_in, which is never negative.
sub expires_in {
	my ($self, $asked) = @_;
	my $seconds = $self->lifetime($asked);
	return $seconds < 0 ? 0 : $seconds;
}

# "entra-token-3", remembered with what is known of it.
sub issue {
	my ($self, $word, %facts) = @_;
	my $name = "$word-" . ++$self->{given}{$word};
	$self->{issued}{$name} = { %facts,
	    expires => $self->now + $self->lifetime($facts{asked}) };
	return $name;
}

sub issued { return $_[0]{issued}{$_[1] // ''} }

sub utc { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub json {
	my ($status, $value, @headers) = @_;
	return [$status, ['Content-Type' => 'application/json; charset=utf-8',
	    @headers], encode_json($value)];
}

# --- Requests ---------------------------------------------------------------

sub handle {
	my ($self, $request, $conn) = @_;
	my ($name, $call, @parts) = _route($request);
	$request->{https}
	    = exists $request->{headers}{'x-test-protocol'};
	$request->{form} = _form($request);
	$self->{record}->($name, $request, $conn);
	my $step = $self->_next_step($name);
	return $conn->reset if $step eq 'reset';
	my $answer = sub { $conn->reply(
	    @{$self->_answer($name, $step, $call, $request, @parts)}) };
	return $self->{loop}->after($1, $answer) if $step =~ /^slow:(.*)/;
	$answer->();
}

sub _route {
	my ($request) = @_;
	my $path = path_of($request->{target});
	$path .= '?' if $request->{target} =~ m{^/\?};	# STS by GET
	for my $name (sort keys %ENDPOINTS) {
		for my $route (@{$ENDPOINTS{$name}{routes}}) {
			my ($method, $pattern, $call) = @$route;
			next if $request->{method} ne $method;
			my @parts = $path =~ $pattern or next;
			return ($name, $call, @parts);
		}
	}
	return ('elsewhere', sub { [404, [], 'nothing is here'] });
}

sub _form {
	my ($request) = @_;
	my $type = $request->{headers}{'content-type'} // '';
	return eval { decode_json($request->{body}) } if $type =~ /json/;
	return query_of($request->{body}) if $type =~ /urlencoded/;
	return undef;
}

sub _next_step {
	my ($self, $name) = @_;
	my $steps = $self->{behaviour}{$name} // [];
	return (@$steps > 1 ? shift @$steps : $steps->[0]) // 'ok';
}

# --- Answers ----------------------------------------------------------------

sub _answer {
	my ($self, $name, $step, $call, @request) = @_;
	my $endpoint = $ENDPOINTS{$name};
	local $self->{skew} = $step =~ /^skew:(.*)/ ? $1 : 0;
	local $self->{expired} = $step eq 'expired';

	my $answer = $step eq 'denied' ? $endpoint->{denied}->($self)
	    : $step eq 'echo' ? _echo($endpoint->{error}->($self, 400),
		@request)
	    : $step =~ /^(\d{3})(?::(\D\w*))?/
		? $endpoint->{error}->($self, 0 + $1, $2)
	    : $step eq 'redirect' ? [302, [], '']
	    : $call->($self, @request);
	push @{$answer->[1]}, Date => strftime('%a, %d %b %Y %H:%M:%S GMT',
	    gmtime $self->now);
	_spoil($answer, $step, @request);
	return $answer;
}

# What must not be told, put where an error's message is: as it is, and as it
# was on its way.
sub _echo {
	my ($answer, $request) = @_;
	my @values = grep { length ($_ // '') }
	    (map { $request->{headers}{$_} } qw(authorization
		x-amz-security-token x-aws-ec2-metadata-token
		x-identity-header)),
	    (map { ($request->{form} // {})->{$_} } qw(client_secret
		client_assertion assertion refresh_token subject_token
		WebIdentityToken));
	my $heard = join ' ', 'you sent', map { (s/^Bearer //r, escape($_)) }
	    @values;
	my $json = $heard =~ s/(["\\])/\\$1/gr;
	my $xml = $heard =~ s/([<>&])/'&#' . ord($1) . ';'/ger;
	$answer->[2] =~ s/("(?:message|error_description)":")[^"]*/$1$json/i
	    or $answer->[2] =~ s/(<Message>)[^<]*/$1$xml/
	    or $answer->[2] = $heard;
	return $answer;
}

sub _spoil {
	my ($answer, $step, $request) = @_;
	my ($status, $headers, $body) = @$answer;
	push @$headers, 'Retry-After' => $1 if $step =~ /^\d{3}:(\d+)$/;
	push @$headers, Location => ($request->{https} ? 'https' : 'http')
	    . "://$request->{headers}{host}/elsewhere" if $step eq 'redirect';
	substr $answer->[2], length($body) / 2, length $body, ''
	    if $step eq 'malformed';
	substr $answer->[2], -1, 0, ' ' x 3e6 if $step eq 'oversized';
	@$answer[0, 2] = (200, $1) if $step =~ /^body:(.*)/s;
	$answer->[1] = _without($headers, $1) if $step =~ /^without:(.*)/;
}

sub _without {
	my ($headers, $name) = @_;
	my @kept;
	for (my $i = 0; $i < @$headers; $i += 2) {
		push @kept, @$headers[$i, $i + 1]
		    if lc $headers->[$i] ne lc $name;
	}
	return \@kept;
}

1;
