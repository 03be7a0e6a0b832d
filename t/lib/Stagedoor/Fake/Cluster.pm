# SPDX-License-Identifier: Apache-2.0
# One fake API server: answers lists, objects, logs and watches like a real
# one, or misbehaves in one chosen way. Behaviours:
#
#	good		(or none) all data
#	small		pods only; other lists are empty
#	empty		all lists are empty
#	except:A=N,B=N	plural A answers with status N ("metrics" too)
#	sNNN		everything answers with status NNN
#	hang		reads, never answers
#	slow		answers after 0.6 s
#	html, noitems, jsonnull, redirect, gzipall	wrong or odd answers
#	rst		closes instead of answering; rstone: deployments only
#	truncated	closes before Content-Length is reached
#	weirdmetrics, weirdreq, nometrics	odd quantities, no metrics
#	anon		wants no credential and refuses one
#
# "prefix" puts everything under a path. "tokens" are accepted besides the
# usual ones; "jwt" => 1 accepts any JWT that has not ended yet, whoever signed
# it, and "jwt" => AUDIENCE one for it. "handler" is code that answers instead:
# it gets the request and the connection and returns true if it did.
package Stagedoor::Fake::Cluster;

use strict;
use warnings;

use Compress::Zlib ();
use Encode ();
use Stagedoor::Fake::Data;
use Stagedoor::Fake::JWT qw(jwt_read);
use Stagedoor::Fake::URL qw(path_of query_of);
use Stagedoor::Fake::WebSocket;
use Stagedoor::JSON qw(encode_json);

my @TOKENS = qw(alpha-token user-token google-token oidc-token aks-token
    file-token azure-token gsa-token);

# Behaviours that show before the credential is looked at, and after.
my %EARLY = (
	rst => sub { $_[2]->close },
	rstone => sub { $_[1]{path} =~ /deployments/ && $_[2]->close },
	truncated => \&_truncated,
);
my %LATE = (
	html => \&_html,
	noitems => sub { $_[0]->_json($_[2], 200,
	    '{"kind":"Foo","apiVersion":"v1"}') },
	jsonnull => sub { $_[0]->_json($_[2], 200, 'null') },
	redirect => \&_redirect,
	gzipall => \&_gzipall,
);

# Paths that no API server has, for tests of /proxy.
my @EXTRAS = (
	[qr{^/version$}, \&_version],
	[qr{^/echo(?:/|$)}, \&_echo],
	[qr{^/status/(\d+)$}, \&_status],
	[qr{^/forever$}, \&_forever],
	[qr{^/silent$}, \&_silent],
	[qr{^/big$}, \&_big],
	[qr{^/gz$}, \&_gz],
	[qr{^/bigjson$}, sub { $_[0]->_json($_[2], 200,
	    '{"pad":"' . 'x' x 20000 . '"}') }],
	[qr{^/bytes/(\d+)$}, \&_bytes],
	[qr{^/sink$}, \&_sink],
	[qr{/log$}, \&_log],
);

# Options: name, port, behaviour, prefix, tokens, jwt, handler, redirect_port;
# loop, data and record (code that keeps a request).
sub new {
	my ($class, %opt) = @_;
	my $self = bless { behaviour => 'good', prefix => '', %opt }, $class;
	$self->{accepted} = $self->{open} = 0;
	$self->{ok} = { map { $_ => 1 } @TOKENS, @{$opt{tokens} // []} };
	return $self;
}

sub gone { $_[0]{open}-- }

sub handle {
	my ($self, $request, $conn) = @_;
	$self->{record}->($self->{name}, $request, $conn);
	if ($self->{handler}) {
		return if $self->{handler}->($request, $conn, $self);
	}
	return $self->_upgrade($request, $conn)
	    if Stagedoor::Fake::WebSocket::wanted($request);
	my $path = path_of($request->{target});
	return $self->_failure($conn, 404, 'NotFound', 'no prefix')
	    if $path !~ s/^\Q$self->{prefix}\E//;
	$path =~ s{^//}{/} if $self->{prefix} ne '';
	$request->{path} = $path;
	$request->{params} = query_of($request->{query});

	return if $self->{behaviour} eq 'hang';
	return $self->{loop}->after(0.6,
	    sub { $self->_route($request, $conn) })
	    if $self->{behaviour} eq 'slow';
	$self->_route($request, $conn);
}

sub _route {
	my ($self, $request, $conn) = @_;
	my $behaviour = $self->{behaviour};

	my $early = $EARLY{$behaviour};
	return if $early && $early->($self, $request, $conn);
	return if !$self->_authenticated($request, $conn);
	my $late = $LATE{$behaviour};
	return $late->($self, $request, $conn) if $late;
	return $self->_failure($conn, $1, 'X', "all $behaviour")
	    if $behaviour =~ /^s(\d{3})$/;
	for my $extra (@EXTRAS) {
		my ($pattern, $call) = @$extra;
		if ($request->{path} =~ $pattern) {
			return $call->($self, $request, $conn, $1);
		}
	}
	return $self->_watch($request, $conn)
	    if ($request->{params}{watch} // '') =~ /^(?:true|1)$/;
	$self->_resource($request, $conn);
}

sub _authenticated {
	my ($self, $request, $conn) = @_;
	my $header = $request->{headers}{authorization} // '';
	my ($token) = $header =~ /^Bearer (.*)$/;
	$token //= '';

	if ($self->{behaviour} eq 'anon') {
		return 1 if $header eq '';
		$self->_failure($conn, 401, 'Unauthorized',
		    'no auth expected, got one');
		return 0;
	}
	return 1 if $self->{ok}{$token} || $token =~ /^k8s-aws-v1\./
	    || $token =~ /^[a-z-]+-token-\d{1,6}$/	# of the fake clouds
	    || ($self->{jwt} && $self->_is_good_jwt($token));
	if ($token eq 'forbidden-token') {
		$self->_failure($conn, 403, 'Forbidden',
		    "$request->{path} is forbidden");
	} else {
		$self->_failure($conn, 401, 'Unauthorized', 'Unauthorized');
	}
	return 0;
}

sub _is_good_jwt {
	my ($self, $token) = @_;
	my $jwt = jwt_read($token) or return 0;
	my ($aud, $exp) = @{$jwt->{claims}}{qw(aud exp)};
	return 0 if $self->{jwt} ne '1'
	    && !grep { $_ eq $self->{jwt} } ref $aud ? @$aud : $aud;
	return $exp > time;
}

# --- Resources --------------------------------------------------------------

# { version, namespace, plural, name } of a resource's path, or undef.
sub _split_path {
	my ($path) = @_;
	my $tail = qr{(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/.*)?};
	my @parts;
	if ($path =~ m{^/api/(v1)$tail$}) {
		@parts = ($1, $2, $3, $4);
	} elsif ($path =~ m{^/apis/([^/]+/[^/]+)$tail$}) {
		@parts = ($1, $2, $3, $4);
	} else {
		return undef;
	}
	my %at;
	@at{qw(version namespace plural name)} = @parts;
	return \%at;
}

sub _resource {
	my ($self, $request, $conn) = @_;
	my $at = _split_path($request->{path})
	    or return $self->_failure($conn, 404, 'NotFound',
	    'the server could not find the requested resource');
	my $denied = $self->_exception($at);
	return $self->_failure($conn, $denied, 'X', 'denied') if $denied;
	my $list = $self->_list($at)
	    or return $self->_reply($conn, 404, "404 page not found\n",
	    'Content-Type' => 'text/plain');

	return $self->_object($request, $conn, $at, $list)
	    if defined $at->{name};
	return $self->_said($request, $conn, 201)
	    if $request->{method} eq 'POST';
	$self->_json($conn, 200, $self->_list_text($request, $at, $list));
}

sub _exception {
	my ($self, $at) = @_;
	my ($rules) = $self->{behaviour} =~ /^except:(.*)/ or return 0;
	my $metrics = $at->{version} eq 'metrics.k8s.io/v1beta1';
	for my $rule (split /,/, $rules) {
		my ($plural, $status) = split /=/, $rule;
		return $status if $metrics && $plural eq 'metrics';
		return $status if !$metrics && $plural eq $at->{plural};
	}
	return 0;
}

sub _list {
	my ($self, $at) = @_;
	my $data = $self->{data};
	my $behaviour = $self->{behaviour};
	if ($at->{version} eq 'metrics.k8s.io/v1beta1') {
		return $data->list('weird/metrics')
		    if $behaviour eq 'weirdmetrics';
		return $data->list(Stagedoor::Fake::Data::METRICS);
	}
	my $key = "$at->{version}/$at->{plural}";
	return $data->list('weird/pods')
	    if $behaviour eq 'weirdreq' && $key eq 'v1/pods';
	return $data->list($key);
}

sub _list_text {
	my ($self, $request, $at, $list) = @_;
	my $behaviour = $self->{behaviour};
	my $metrics = $at->{version} eq 'metrics.k8s.io/v1beta1';
	my $pods = "$at->{version}/$at->{plural}" eq 'v1/pods';
	my $none = $behaviour eq 'nometrics' ? $metrics
	    : $behaviour eq 'empty' ? !$metrics
	    : $behaviour eq 'small' ? !$pods : 0;
	return $self->{data}->list_text($list, $at->{namespace},
	    $request->{params}{labelSelector}, $none);
}

sub _object {
	my ($self, $request, $conn, $at, $list) = @_;
	return $self->_said($request, $conn, 200)
	    if $request->{method} ne 'GET';
	my $text = $self->{data}->object_text($list,
	    @$at{qw(version namespace name)});
	return $self->_json($conn, 200, $text) if defined $text;
	$self->_failure($conn, 404, 'NotFound',
	    qq($at->{plural} "$at->{name}" not found));
}

# Tells the client what it sent.
sub _said {
	my ($self, $request, $conn, $status) = @_;
	my $said = { kind => 'Echo', method => $request->{method},
	    body => Encode::decode('UTF-8', $request->{body}) };
	$said->{contentType} = $request->{headers}{'content-type'}
	    if defined $request->{headers}{'content-type'};
	$self->_json($conn, $status, encode_json($said));
}

# --- Answers ----------------------------------------------------------------

sub _json {
	my ($self, $conn, $status, $text, @headers) = @_;
	return $self->_reply($conn, $status, $text,
	    'Content-Type' => 'application/json', @headers);
}

sub _reply {
	my ($self, $conn, $status, $text, @headers) = @_;
	$conn->reply($status, [
		'Audit-Id' => 'fixed-audit',
		'Cache-Control' => 'no-cache, private',
		'X-Kubernetes-PF-FlowSchema-UID' => 'flow', @headers,
	], $text);
	return 1;
}

sub _failure {
	my ($self, $conn, $status, $reason, $message, @headers) = @_;
	return $self->_json($conn, $status, encode_json({
		kind => 'Status', apiVersion => 'v1', metadata => {},
		status => 'Failure', message => $message, reason => $reason,
		code => $status + 0,
	}), @headers);
}

sub _truncated {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'application/json',
	    'Content-Length' => 1000]);
	$conn->write('{"kind":"PodList","items":[');
	$self->{loop}->after(0.03, sub { $conn->close });
	return 1;
}

sub _html {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'text/html']);
	$conn->write('<html>login</html>');
	$conn->finish;
}

sub _redirect {
	my ($self, $request, $conn) = @_;
	my $to = $self->{redirect_port} // $self->{port};
	$conn->start(302, ['Location' =>
	    "http://127.0.0.1:$to$request->{target}"]);
	$conn->finish;
}

sub _gzipall {
	my ($self, $request, $conn) = @_;
	my $at = _split_path($request->{path});
	my $list = $at && $self->_list($at);
	return $self->_failure($conn, 404, 'NotFound', 'not here') if !$list;
	$conn->reply(200, ['Content-Type' => 'application/json',
	    'Content-Encoding' => 'gzip'], Compress::Zlib::memGzip(
	    $self->_list_text($request, $at, $list)));
}

sub _version {
	my ($self, $request, $conn) = @_;
	$self->_json($conn, 200,
	    '{"major":"1","minor":"31","gitVersion":"v1.31.0"}');
}

sub _echo {
	my ($self, $request, $conn) = @_;
	my $body = Encode::decode('UTF-8', $request->{body});
	$self->_json($conn, 200, encode_json({
		method => $request->{method}, url => $request->{target},
		body => substr($body, 0, 2000), bodyLen => $request->{length},
	}), 'X-Custom' => 'yes', 'Set-Cookie' => 'a=1; Path=/',
	    'Set-Cookie' => 'b=2', Warning => '299 - "deprecated"');
}

sub _status {
	my ($self, $request, $conn, $status) = @_;
	return $conn->reply($status, ['ETag' => '"abc"'], '')
	    if $status == 204 || $status == 304;
	my @headers;
	push @headers, Location => $request->{params}{to}
	    // "http://127.0.0.1:$self->{port}/elsewhere"
	    if $status >= 300 && $status < 400;
	$self->_failure($conn, $status, "R$status", "status $status",
	    @headers);
}

sub _ticker {
	my ($self, $conn, $seconds, $piece) = @_;
	$self->{loop}->every($seconds, sub {
		return 0 if !$conn->open;
		my $text = $piece->();
		if (defined $text) {
			$conn->write($text);
			return 1;
		}
		$conn->finish;
		return 0;
	});
}

sub _forever {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'text/plain']);
	$self->_ticker($conn, 0.1, sub { "tick\n" });
}

sub _silent {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'text/plain']);
	$conn->write("hello\n");
}

sub _log {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'text/plain']);
	my $n = 0;
	$self->_ticker($conn, 0.15,
	    sub { $n++ < 4 ? "line $n\n" : undef });
}

sub _watch {
	my ($self, $request, $conn) = @_;
	$conn->start(200, ['Content-Type' => 'application/json']);
	my $n = 0;
	$self->_ticker($conn, 0.15, sub {
		return undef if $n++ >= 3;
		return qq({"type":"ADDED","object":{"metadata":)
		    . qq({"name":"e$n"}}}\n);
	});
}

sub _big {
	my ($self, $request, $conn) = @_;
	$conn->reply(200, ['Content-Type' => 'application/octet-stream'],
	    'k' x (3 * 1024 * 1024));
}

sub _gz {
	my ($self, $request, $conn) = @_;
	$conn->reply(200, ['Content-Type' => 'application/json',
	    'Content-Encoding' => 'gzip'],
	    Compress::Zlib::memGzip('{"gz":true}'));
}

# So many bytes, made as they are taken.
sub _bytes {
	my ($self, $request, $conn, $left) = @_;
	my $block = 'k' x 65536;
	$conn->start(200, ['Content-Type' => 'application/octet-stream',
	    'Content-Length' => $left]);
	$conn->source(sub {
		return undef if $left <= 0;
		my $n = $left < 65536 ? $left : 65536;
		$left -= $n;
		return substr $block, 0, $n;
	});
}

# Says how much it got, and its digest.
sub _sink {
	my ($self, $request, $conn) = @_;
	$self->_json($conn, 200, encode_json({
	    length => $request->{length}, sha256 => $request->{sha256} }));
}

# --- WebSocket and SPDY -----------------------------------------------------

sub _upgrade {
	my ($self, $request, $conn) = @_;
	return if !$self->_authenticated($request, $conn);
	Stagedoor::Fake::WebSocket::upgrade($request, $conn);
}

1;
