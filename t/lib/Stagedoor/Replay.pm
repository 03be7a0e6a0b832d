# SPDX-License-Identifier: Apache-2.0
# Sends the request of one recorded case and makes of the answer, and of what
# reached the fake clusters, an observation in the form of its "expected".
package Stagedoor::Replay;

use strict;
use warnings;

use Compress::Raw::Zlib qw(Z_OK Z_STREAM_END WANT_GZIP_OR_ZLIB);
use Compress::Zlib ();
use Digest::SHA qw(sha256_hex);
use Encode ();
use File::Path qw(make_path remove_tree);
use Stagedoor::AWS;
use Stagedoor::Fake::URL qw(unescape);
use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json encode_json kind_of member_text spaced);
use Stagedoor::TLS qw(slurp);
use Stagedoor::Util qw(write_file);
use Stagedoor::WebSocket;
use Time::HiRes qw(sleep);

use constant BASE => '/api/kubernetes';

my @HEADERS = qw(content-type content-encoding location set-cookie warning
    audit-id x-custom cache-control etag x-kubernetes-pf-flowschema-uid
    x-frame-options x-content-type-options referrer-policy vary
    sec-websocket-protocol sec-websocket-accept upgrade);

# The text of a case file as a case. The text of the body is kept: the order
# of its members is part of what is sent.
sub parse_case {
	my ($text) = @_;
	my $case = decode_json($text);
	my $body = member_text($text, 'request', 'body');
	$case->{request}{body_text} = spaced($body)
	    if $case->{request} && exists $case->{request}{body};
	return $case;
}

# observe(CASE, CLIENT, FAKE): what came of it.
sub observe {
	my ($case, $client, $fake) = @_;
	$fake->reset;
	my $seen = ($case->{mode} // '') eq 'ws' ? _upgraded($case, $client)
	    : _answer_seen($case, _send($case, $client));
	sleep $case->{settle} if $case->{settle};
	my $requests = $fake->settled;
	my $proxied = $case->{request}{path} =~ m{^/proxy};
	$seen->{upstream} = $case->{ignoreUpstream} ? undef
	    : [map { _request_seen($_, $proxied, $case->{awsIds}) }
	    grep { $_->{cluster} ne '@backstage' } @$requests];
	return $seen;
}

sub _send {
	my ($case, $client) = @_;
	my $request = $case->{request};
	my @headers = Stagedoor::HTTP::header_pairs($request->{headers});
	my $body = _body($request);
	my $typed = grep { lc $_->[0] eq 'content-type' } @headers;
	push @headers, ['content-type', 'application/json']
	    if defined $body && !$typed && !$request->{noContentType};

	return $client->request($request->{method},
	    _bytes(BASE . $request->{path}),
	    headers => [map { [map { _bytes($_) } @$_] } @headers],
	    body => $body, chunked => $request->{chunked},
	    timeout => $case->{timeout} // 15);
}

# A WebSocket that says "hello" once it is one.
sub _upgraded {
	my ($case, $client) = @_;
	my $request = $case->{request};
	my $ws = Stagedoor::WebSocket->connect($client, BASE
	    . $request->{path}, headers => $request->{headers});
	my $answer = $ws->answer;
	return { closedWithoutAnswer => JSON::PP::true }
	    if ($answer->{error} // '') eq 'closed' && !$answer->{status};
	if ($ws->status != 101) {
		my $seen = _answer_seen($case, $answer);
		# The recorded clusters gave none with a refusal.
		delete $seen->{headers}{'audit-id'};
		return $seen;
	}
	$ws->send('hello', Stagedoor::WebSocket::TEXT);
	my $frame = $ws->next;
	$ws->drop;
	return { status => 101, headers => _headers_seen($answer->{list}),
	    body => { '$frame' => $frame && $frame->{data} } };
}

sub _body {
	my ($request) = @_;
	my $body = exists $request->{rawBody} ? _bytes($request->{rawBody})
	    : defined $request->{body_text} ? $request->{body_text}
	    : defined $request->{fillBody} ? 'z' x $request->{fillBody}
	    : undef;
	return $request->{gzip} ? Compress::Zlib::memGzip($body) : $body;
}

sub _bytes { return Encode::encode('UTF-8', "$_[0]") }

# --- Answers ----------------------------------------------------------------

sub _answer_seen {
	my ($case, $answer) = @_;
	return { timeout => \1 } if $answer->{timeout};
	return { connectionError => $answer->{error} } if $answer->{error};
	my %seen = (
		status => $answer->{status},
		headers => _headers_seen($answer->{list}),
		body => _body_seen($answer),
	);
	_loosen_messages($seen{body}) if !$case->{exactMessages};
	$seen{streamed} = _was_streamed($answer) ? JSON::PP::true
	    : JSON::PP::false if $case->{stream};
	return \%seen;
}

sub _headers_seen {
	my ($list) = @_;
	my %seen;
	for my $name (@HEADERS) {
		my @values = map { $_->[1] } grep { lc $_->[0] eq $name }
		    @$list;
		$seen{$name} = @values > 1 ? \@values : $values[0] if @values;
	}
	return \%seen;
}

sub _body_seen {
	my ($answer) = @_;
	return undef if $answer->{body} eq '';
	my $bytes = Stagedoor::HTTP::decoded($answer);
	return { '$undecodable' => $answer->{headers}{'content-encoding'} }
	    if !defined $bytes;
	return { '$bytes' => length $bytes, sha256 => sha256_hex($bytes) }
	    if length $bytes > 50000;
	my $value = eval { [decode_json($bytes)] };
	return $value->[0] if $value;
	return { '$text' => Encode::decode('UTF-8', $bytes) };
}

# Which of several parallel requests failed first is chance.
sub _loosen_messages {
	my ($body) = @_;
	return if kind_of($body) ne 'object'
	    || kind_of($body->{items}) ne 'array';
	for my $item (grep { ref $_ eq 'HASH' } @{$body->{items}}) {
		for my $error (@{$item->{errors} // []}) {
			next if ($error->{errorType} // '') ne 'FETCH_ERROR';
			$error->{message}
			    =~ s{(https?://[^/ ]+)/\S*}{$1/<path>}g;
		}
	}
}

# Did the first of it arrive a good while before the last?
sub _was_streamed {
	my ($answer) = @_;
	my $first = _first_readable($answer) // return 0;
	return $answer->{end} - $first > 0.25;
}

sub _first_readable {
	my ($answer) = @_;
	return $answer->{first}
	    if ($answer->{headers}{'content-encoding'} // '') ne 'gzip';
	my $z = Compress::Raw::Zlib::Inflate->new(
	    -WindowBits => WANT_GZIP_OR_ZLIB);
	my ($at, $out) = (0, '');
	for my $piece (@{$answer->{pieces} // []}) {
		my ($time, $length) = @$piece;
		my $part = substr $answer->{body}, $at, $length;
		$z->inflate($part, $out);
		return $time if length $out;
		$at += $length;
	}
	return undef;
}

# --- Requests ---------------------------------------------------------------

sub _request_seen {
	my ($request, $proxied, $ids) = @_;
	my $headers = $request->{headers};
	my %seen = (
		cluster => $request->{cluster}, method => $request->{method},
		path => $request->{rawPath},
		authorization => _authorization($headers->{authorization},
		    $ids),
		query => $proxied ? $request->{query}
		    : _query_pairs($request->{query}),
	);
	if ($proxied) {
		$headers->{'sec-websocket-key'} = '<key>'
		    if exists $headers->{'sec-websocket-key'};
		@seen{qw(headers body)} = ($headers, $request->{body});
		return \%seen;
	}
	$seen{accept} = $headers->{accept};
	$seen{contentType} = $headers->{'content-type'};
	$seen{body} = $request->{body} if $request->{body} ne '';
	return \%seen;
}

sub _authorization {
	my ($value, $ids) = @_;
	my ($token) = ($value // '') =~ /^Bearer (.*)/;
	return $value if !Stagedoor::AWS::is_token($token);
	return { bearerAws => Stagedoor::AWS::token_seen($token,
	    @{$ids // []}) };
}

sub _query_pairs {
	my ($query) = @_;
	my @pairs = map {
		[map { Encode::decode('UTF-8', unescape(tr/+/ /r)) }
		    split /=/, $_, 2]
	} grep { $_ ne '' } split /&/, $query;
	$_->[1] //= '' for @pairs;
	return [sort { "@$a" cmp "@$b" } @pairs];
}

# --- Files of a service account in the cluster ------------------------------

my $MOUNT = '/var/run/secrets/kubernetes.io';

sub can_mount {
	my $dir = $MOUNT;
	return 0 if -e $dir;
	$dir =~ s{/[^/]+$}{} while !-e $dir;
	return -w $dir;
}

# Lay them while the code runs. kind: "incluster-sa", or with "-newline" a
# token that ends with one.
sub with_mount {
	my ($kind, $ca, $code) = @_;
	my $dir = "$MOUNT/serviceaccount";
	make_path($dir);
	my @result = eval {
		my $end = $kind =~ /newline$/ ? "\n" : '';
		write_file("$dir/ca.crt", slurp($ca));
		write_file("$dir/token", "file-token$end");
		write_file("$dir/namespace", 'default');
		$code->();
	};
	my $why = $@;
	remove_tree($MOUNT);
	die $why if $why;
	return @result;
}

1;
