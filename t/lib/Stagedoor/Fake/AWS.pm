# SPDX-License-Identifier: Apache-2.0
# Fake AWS: STS, instance metadata (IMDSv2) and the container endpoint.
# STS checks signatures as the real one does, with the secrets that it knows:
# those of the options and those that were handed out, by any of the three.
# Options:
#
#	keys => { ID => SECRET }	long-term keys of arn:...:user/x in
#				account 111111111111
#	roles => { ARN => { external_id => 'x', from => qr/ARN of who may/ } }
#				if given, no other role may be assumed
#	web_identity => TEXT	the token that AssumeRoleWithWebIdentity takes
#	container_authorization => TEXT		what the container must send
#	instance_role => NAME	what IMDS calls the role
#
# IMDS is asked thrice: for a session, for the name of the role, for its keys.
# Each is a request that a sequence of faults counts.
package Stagedoor::Fake::AWS;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(decode_base64);
use Stagedoor::Fake::URL qw(query_of);
use Stagedoor::SigV4 qw(pairs_of signature);
use Time::Local qw(timegm);

use constant ACCOUNT => '111111111111';

our %ENDPOINTS = (
	sts => {
		routes => [[POST => qr{^/$}, \&_sts],
		    [GET => qr{^/\?$}, \&_sts]],
		error => sub { _error($_[1], $_[2] //
		    ($_[1] == 429 ? 'Throttling' : $_[1] < 500
			? 'ValidationError' : 'ServiceUnavailable'),
		    "the fake STS answers $_[1]") },
		denied => sub { _denied('arn:aws:iam::111111111111:user/x',
		    'AssumeRole', 'arn:aws:iam::222222222222:role/k8s') },
		env => sub { (AWS_ENDPOINT_URL_STS => $_[0]->url) },
	},
	imds => {
		routes => [
			[PUT => qr{^/latest/api/token$}, \&_imds_session],
			[GET => qr{^/latest/meta-data/(.*)$}, \&_imds],
		],
		error => \&_plain, denied => sub { _plain($_[0], 403) },
		env => sub {
			(AWS_EC2_METADATA_SERVICE_ENDPOINT => $_[0]->url) },
	},
	container => {
		routes => [[GET => qr{^/v2/credentials$}, \&_container]],
		error => \&_refused,
		denied => sub { _refused($_[0], 403, 'AccessDenied') },
		env => sub { (AWS_CONTAINER_CREDENTIALS_FULL_URI =>
		    $_[0]->url('/v2/credentials'),
		    AWS_CONTAINER_AUTHORIZATION_TOKEN =>
		    'container-authorization') },
	},
);

# New temporary credentials for an ARN.
sub _session {
	my ($cloud, $word, $arn, $asked) = @_;
	my $token = $cloud->issue("$word-token", asked => $asked);
	my ($n) = $token =~ /(\d+)$/;
	my $id = sprintf 'ASIA%s%0*d', uc $word, 16 - length $word, $n;
	return $cloud->{sessions}{$id} = { id => $id, arn => $arn,
	    secret => "$word-secret-$n/+", token => "$token+/=",
	    expires => $cloud->issued($token)->{expires} };
}

# --- STS --------------------------------------------------------------------

my %ACTIONS = (
	AssumeRole => \&_assume_role,
	AssumeRoleWithWebIdentity => \&_with_web_identity,
	GetCallerIdentity => \&_caller_identity,
);

sub _sts {
	my ($cloud, $request) = @_;
	my $form = $request->{method} eq 'GET'
	    ? query_of($request->{query}) : $request->{form} // {};
	my $action = $form->{Action} // '';
	my $call = $ACTIONS{$action};
	return _error(400, InvalidAction => "Could not find operation $action "
	    . 'for version ' . ($form->{Version} // 'NO_VERSION_SPECIFIED'))
	    if !$call || ($form->{Version} // '') ne '2011-06-15';
	return $call->($cloud, $form)
	    if $action eq 'AssumeRoleWithWebIdentity';
	my ($caller, $error) = _caller($cloud, $request);
	return $error // $call->($cloud, $form, $caller);
}

sub _assume_role {
	my ($cloud, $form, $caller) = @_;
	my $error = _invalid($form);
	return $error if $error;
	my $arn = $form->{RoleArn};
	my $roles = $cloud->option(roles => undef);
	my $role = $roles ? $roles->{$arn} : {};
	return _denied($caller->{arn}, 'AssumeRole', $arn) if !$role
	    || (defined $role->{external_id} && $role->{external_id}
		ne ($form->{ExternalId} // ''))
	    || (defined $role->{from} && $caller->{arn} !~ $role->{from});
	return _assumed($cloud, 'AssumeRole', $form);
}

sub _with_web_identity {
	my ($cloud, $form) = @_;
	my $error = _invalid($form);
	return $error if $error;
	return _error(400, InvalidIdentityToken =>
	    'The ID Token provided is not a valid JWT. (You may see this '
	    . 'error if you sent an Access Token)')
	    if ($form->{WebIdentityToken} // '')
	    ne $cloud->option(web_identity => 'web-identity-token');
	return _assumed($cloud, 'AssumeRoleWithWebIdentity', $form);
}

sub _invalid {
	my ($form) = @_;
	my %rule = (RoleArn => qr{^arn:aws[\w-]*:iam::\d{12}:role/.},
	    RoleSessionName => qr/^[\w+=,.@-]{2,64}$/);
	for my $name (sort keys %rule) {
		return _error(400, ValidationError => '1 validation error '
		    . "detected: Value at '" . lcfirst($name)
		    . "' failed to satisfy constraint")
		    if ($form->{$name} // '') !~ $rule{$name};
	}
	my $seconds = $form->{DurationSeconds} // 3600;
	return _error(400, ValidationError => '1 validation error detected: '
	    . "Value '$seconds' at 'durationSeconds' failed to satisfy "
	    . 'constraint: Member must have value between 900 and 43200')
	    if $seconds !~ /^\d+$/ || $seconds < 900 || $seconds > 43200;
	return undef;
}

sub _assumed {
	my ($cloud, $action, $form) = @_;
	my ($partition, $account, $role)
	    = $form->{RoleArn} =~ m{^arn:([\w-]+):iam::(\d+):role/(?:.*/)?(.*)};
	my $arn = "arn:$partition:sts::$account:assumed-role/$role/"
	    . $form->{RoleSessionName};
	my $session = _session($cloud, 'sts', $arn, $form->{DurationSeconds});
	return _answer($action,
	    _xml(Credentials => _xml(AccessKeyId => $session->{id}),
		_xml(SecretAccessKey => $session->{secret}),
		_xml(SessionToken => $session->{token}),
		_xml(Expiration => Stagedoor::Fake::CloudServer::utc(
		    $session->{expires}))),
	    _xml(AssumedRoleUser => _xml(Arn => $arn), _xml(AssumedRoleId =>
		"AROAFAKEFAKEFAKEFAKE:$form->{RoleSessionName}")));
}

sub _caller_identity {
	my ($cloud, $form, $caller) = @_;
	my ($account) = $caller->{arn} =~ /::(\d+):/;
	return _answer('GetCallerIdentity', _xml(Arn => $caller->{arn}),
	    _xml(UserId => 'AIDAFAKEFAKEFAKEFAKE'), _xml(Account => $account));
}

sub _xml {
	my ($name, @content) = @_;
	return "<$name>" . join('', @content) . "</$name>\n";
}

sub _text { return $_[0] =~ s/([<>&])/'&#' . ord($1) . ';'/ger }

my $XMLNS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';
my $ID = '00000000-0000-4000-8000-000000000000';

sub _answer {
	my ($action, @content) = @_;
	return [200, ['Content-Type' => 'text/xml'],
	    "<${action}Response $XMLNS>\n" . _xml("${action}Result", @content)
	    . _xml(ResponseMetadata => _xml(RequestId => $ID))
	    . "</${action}Response>\n"];
}

sub _error {
	my ($status, $code, $message) = @_;
	return [$status, ['Content-Type' => 'text/xml'],
	    "<ErrorResponse $XMLNS>\n" . _xml(Error =>
		_xml(Type => $status < 500 ? 'Sender' : 'Receiver'),
		_xml(Code => $code), _xml(Message => _text($message)))
	    . _xml(RequestId => $ID) . "</ErrorResponse>\n"];
}

sub _denied {
	my ($who, $action, $what) = @_;
	return _error(403, AccessDenied => "User: $who is not authorized to "
	    . "perform: sts:$action on resource: $what");
}

# --- Signatures -------------------------------------------------------------

# Who signed: (what is known of the key, undef) or (undef, the error).
sub _caller {
	my ($cloud, $request) = @_;
	my $signed = $request->{method} eq 'GET' ? _signed_query($request)
	    : _signed_headers($request);
	return (undef, _error(403, MissingAuthenticationToken =>
	    'Request is missing Authentication Token')) if !$signed;
	my $late = _out_of_time($cloud, $signed);
	return (undef, $late) if $late;
	my ($id, $scope) = split m{/}, $signed->{credential}, 2;
	my $key = _key($cloud, $id);
	return (undef, _error(403, InvalidClientTokenId =>
	    'The security token included in the request is invalid.'))
	    if !$key || ($key->{token} // '') ne ($signed->{token} // '');
	return (undef, _error(403, SignatureDoesNotMatch => 'The request '
	    . 'signature we calculated does not match the signature you '
	    . 'provided. Check your AWS Secret Access Key and signing method. '
	    . 'Consult the service documentation for details.'))
	    if !_is_signed($request, $signed, $key->{secret}, $scope // '');
	return (undef, _error(403, ExpiredToken => 'The security token '
	    . 'included in the request is expired'))
	    if defined $key->{expires} && $key->{expires} <= $cloud->now;
	return ($key, undef);
}

sub _key {
	my ($cloud, $id) = @_;
	my $secret = $cloud->option(keys => { AKIAFAKEFAKEFAKEFAKE =>
	    'fakesecretfakesecretfakesecret' })->{$id};
	return { id => $id, secret => $secret,
	    arn => 'arn:aws:iam::' . ACCOUNT . ':user/x' }
	    if defined $secret;
	return $cloud->{sessions}{$id};
}

sub _signed_headers {
	my ($request) = @_;
	my $headers = $request->{headers};
	my ($credential, $names, $hex) = ($headers->{authorization} // '') =~
	    m{^AWS4-HMAC-SHA256\ Credential=([^,\s]+),\s*
	    SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$}x
	    or return undef;
	return { credential => $credential, names => $names, hex => $hex,
	    date => $headers->{'x-amz-date'} // '', window => 5 * 60,
	    token => $headers->{'x-amz-security-token'},
	    query => $request->{query},
	    hash => $request->{sha256} };
}

# A URL that was signed beforehand, as an EKS token holds it.
sub _signed_query {
	my ($request) = @_;
	my %of = map { @$_ } pairs_of($request->{query});
	my $hex = $of{'X-Amz-Signature'} // return undef;
	my $query = join '&', grep { !/^X-Amz-Signature=/ }
	    split /&/, $request->{query};
	return { credential => $of{'X-Amz-Credential'} // '', hex => $hex,
	    names => $of{'X-Amz-SignedHeaders'} // '', query => $query,
	    date => $of{'X-Amz-Date'} // '', window => 15 * 60,
	    token => $of{'X-Amz-Security-Token'} };
}

sub _out_of_time {
	my ($cloud, $signed) = @_;
	my ($year, $month, @rest) = $signed->{date}
	    =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
	    or return _error(400, IncompleteSignature => 'Date must be in '
	    . "ISO-8601 'basic format'. Got '$signed->{date}'.");
	my $now = $cloud->now;
	my $off = timegm(reverse(@rest), $month - 1, $year) - $now;
	my $window = $signed->{window};
	return undef if abs $off <= $window;
	return _error(400, RequestExpired => 'Request has expired.')
	    if abs $off > 15 * 60;
	my ($text, $sign) = $off < 0
	    ? ('Signature expired: %s is now earlier than', '-')
	    : ('Signature not yet current: %s is still later than', '+');
	return _error(403, SignatureDoesNotMatch => sprintf("$text %s (%s %s "
	    . '%d min.)', $signed->{date}, _basic($off < 0 ? $now - $window
	    : $now + $window), _basic($now), $sign, $window / 60));
}

sub _basic { return Stagedoor::Fake::CloudServer::utc($_[0]) =~ tr/-://dr }

# The host and all that begins with x-amz- must be signed.
sub _is_signed {
	my ($request, $signed, $secret, $scope) = @_;
	my %names = map { $_ => 1 } split /;/, $signed->{names};
	my $day = substr $signed->{date}, 0, 8;
	return 0 if $scope !~ m{^$day/[\w-]+/sts/aws4_request$}
	    || grep { !$names{$_} } 'host',
	    grep { /^x-amz-/ } keys %{$request->{headers}};
	return $signed->{hex} eq signature($secret, %$signed,
	    method => $request->{method}, headers => $request->{headers},
	    scope => $scope);
}

# Did a known key sign the request to STS that is in Google's subject token
# ({ url, method, headers: [{ key, value }...] })? Not for others: it names the
# audience.
sub is_signed_subject {
	my ($cloud, $subject, $audience) = @_;
	my %headers = map { lc $_->{key} => $_->{value} }
	    @{$subject->{headers} // []};
	my ($host, $query) = ($subject->{url} // '')
	    =~ m{^https://([^/?]+)/?\?(.*)$} or return 0;
	return 0 if ($headers{host} // '') ne $host
	    || ($headers{'x-goog-cloud-target-resource'} // '') ne $audience;
	my ($caller) = _caller($cloud, { method => $subject->{method},
	    headers => \%headers, query => $query, sha256 => sha256_hex('') });
	return defined $caller;
}

# The host and the target of the URL in an EKS token.
sub eks_target {
	my ($token) = @_;
	my ($text) = $token =~ /^(?:Bearer )?k8s-aws-v1\.([\w-]+)$/
	    or return;
	return decode_base64($text =~ tr{-_}{+/}r)
	    =~ m{^https://([^/?]+)(/\?.*)$}s;
}

# --- Instance metadata ------------------------------------------------------

sub _plain {
	my ($cloud, $status, $text) = @_;
	return [$status, ['Content-Type' => 'text/plain'],
	    $text // "the fake instance metadata answers $status\n"];
}

sub _imds_session {
	my ($cloud, $request) = @_;
	my $name = 'x-aws-ec2-metadata-token-ttl-seconds';
	my $seconds = $request->{headers}{$name} // '';
	return _plain($cloud, 400)
	    if $seconds !~ /^\d+$/ || $seconds < 1 || $seconds > 21600;
	return [200, ['Content-Type' => 'text/plain', $name => $seconds],
	    $cloud->issue('imds-session', asked => $seconds)];
}

# There is no v1: nothing without a session.
sub _imds {
	my ($cloud, $request, $path) = @_;
	my $token = $request->{headers}{'x-aws-ec2-metadata-token'} // '';
	return _plain($cloud, 401) if $token !~ /^imds-session-/
	    || !$cloud->issued($token);
	my $role = $cloud->option(instance_role => 'node-role');
	my $folder = 'iam/security-credentials/';
	my %text = ($folder => $role, 'placement/region' => 'us-east-1',
	    'placement/availability-zone' => 'us-east-1a');
	return _plain($cloud, 200, $text{$path}) if defined $text{$path};
	return _plain($cloud, 404) if $path ne "$folder$role";
	return Stagedoor::Fake::CloudServer::json(200, { Code => 'Success',
	    Type => 'AWS-HMAC', LastUpdated =>
	    Stagedoor::Fake::CloudServer::utc($cloud->now),
	    _keys($cloud, 'imds', "$role/i-0") });
}

sub _keys {
	my ($cloud, $word, $name) = @_;
	my $session = _session($cloud, $word, 'arn:aws:sts::' . ACCOUNT
	    . ":assumed-role/$name", 21600);
	return (AccessKeyId => $session->{id}, Token => $session->{token},
	    SecretAccessKey => $session->{secret}, Expiration =>
	    Stagedoor::Fake::CloudServer::utc($session->{expires}));
}

# --- Containers -------------------------------------------------------------

sub _refused {
	my ($cloud, $status, $code) = @_;
	return Stagedoor::Fake::CloudServer::json($status, {
	    Code => $code // 'InternalServerError',
	    Message => "the fake container endpoint answers $status" });
}

sub _container {
	my ($cloud, $request) = @_;
	return _refused($cloud, 401, 'AccessDenied')
	    if ($request->{headers}{authorization} // '') ne $cloud->option(
	    container_authorization => 'container-authorization');
	return Stagedoor::Fake::CloudServer::json(200, {
	    _keys($cloud, 'container', 'pod-role/pod'),
	    AccountId => ACCOUNT });
}

1;
