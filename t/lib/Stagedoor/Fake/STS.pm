# SPDX-License-Identifier: Apache-2.0
# STS for who can be told no other address: behind a proxy, under the names of
# the real hosts. It answers GetCallerIdentity and nothing else, and only to
# who signed for it rightly.
#
#	my $sts = Stagedoor::Fake::STS->start(identities => {
#	    AKIA... => { secret => '...', session_token => '...' or undef,
#		arn => '...', user_id => '...' } },
#	    hosts => ['sts.eu-west-1.amazonaws.com'...]);
#	$sts->proxy;		# a Stagedoor::Fake::Proxy
package Stagedoor::Fake::STS;

use strict;
use warnings;

use Stagedoor::Fake;
use Stagedoor::Fake::Proxy;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::SigV4 qw(pairs_of signature);
use Time::Local qw(timegm);

use constant LIFE => 15 * 60;

sub start {
	my ($class, %opt) = @_;
	my $self = bless { %opt }, $class;
	my $fake = Stagedoor::Fake->start(clusters => [{ name => 'sts',
	    handler => sub { $self->_handle(@_) } }]);
	$self->{proxy} = Stagedoor::Fake::Proxy->start(
	    map { $_ => $fake->port('sts') } @{$opt{hosts}});
	return $self;
}

sub proxy { return $_[0]{proxy} }

sub _handle {
	my ($self, $request, $conn) = @_;
	my ($status, $answer) = $self->_answer($request);
	$conn->reply($status, ['Content-Type' => 'application/json'],
	    encode_json($answer));
	return 1;
}

sub _refusal {
	my ($code, $message) = @_;
	return (403, { Error => { Code => $code, Message => $message,
	    Type => 'Sender' }, RequestId => 'fake' });
}

sub _answer {
	my ($self, $request) = @_;
	my %query = map { @$_ } pairs_of($request->{query});
	return _refusal(InvalidAction => 'not GetCallerIdentity')
	    if $request->{method} ne 'GET' || $request->{raw_path} ne '/'
	    || ($query{Action} // '') ne 'GetCallerIdentity'
	    || ($query{Version} // '') ne '2011-06-15';
	my ($key, $scope) = split m{/}, $query{'X-Amz-Credential'} // '', 2;
	my $identity = $self->{identities}{$key // ''}
	    or return _refusal(InvalidClientTokenId => 'unknown key');
	my $wrong = _wrong_with($request, \%query, $scope, $identity);
	return _refusal(@$wrong) if $wrong;
	return _refusal(SignatureDoesNotMatch => 'the signature is wrong')
	    if !_is_signed($request, \%query, $scope, $identity->{secret});
	my ($account) = $identity->{arn} =~ /^arn:[^:]+:\w+::(\d+):/;
	return (200, { GetCallerIdentityResponse => {
		GetCallerIdentityResult => { Account => $account,
		    Arn => $identity->{arn}, UserId => $identity->{user_id} },
		ResponseMetadata => { RequestId => 'fake' } } });
}

# Everything but the signature: [code, message] if there is something.
sub _wrong_with {
	my ($request, $query, $scope, $identity) = @_;
	my ($region) = ($request->{headers}{host} // '') =~ /^sts\.([^.]+)\./;
	my $date = $query->{'X-Amz-Date'} // '';
	my $time = _time_of($date) // 0;
	return ['SignatureDoesNotMatch', 'scope'] if ($scope // '') ne
	    substr($date, 0, 8) . '/' . ($region // '') . '/sts/aws4_request';
	return ['InvalidClientTokenId', 'session token']
	    if ($query->{'X-Amz-Security-Token'} // '')
	    ne ($identity->{session_token} // '');
	return ['SignatureDoesNotMatch', 'expired or not yet valid']
	    if $time + LIFE < time || $time - LIFE > time;
	return undef;
}

sub _time_of {
	my ($date) = @_;
	my ($y, $mon, @rest) = $date
	    =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/ or return undef;
	return eval { timegm(reverse(@rest), $mon - 1, $y) };
}

sub _is_signed {
	my ($request, $query, $scope, $secret) = @_;
	my $names = $query->{'X-Amz-SignedHeaders'} // '';
	return 0 if $names !~ /(?:^|;)host(?:;|$)/;
	my $unsigned = join '&', grep { !/^X-Amz-Signature=/ }
	    split /&/, $request->{query};
	return ($query->{'X-Amz-Signature'} // '') eq signature($secret,
	    method => 'GET', query => $unsigned, names => $names,
	    headers => $request->{headers}, scope => $scope,
	    date => $query->{'X-Amz-Date'});
}

1;
