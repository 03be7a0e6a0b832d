#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The faults of the fake clouds that a test can order: each endpoint by
# itself, once, some times or always, and then well again.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::CloudClient qw(code_of keys_of xml_of seconds_to AWS_KEYS);
use Stagedoor::Fake::CloudServer;

have_program('openssl') or skip_or_fail('no openssl');

my $cloud = cloud(gke => { proj => { clusters => [{ name => 'a' }] } });
my $client = Stagedoor::CloudClient->new($cloud);

# How it ended, so many times.
sub ends {
	my ($n, $endpoint) = @_;
	return join ' ', map {
		my $answer = $client->ask($endpoint);
		$answer->{status} // $answer->{error};
	} 1 .. $n;
}

# --- For how many requests --------------------------------------------------

$cloud->behave(sts => '503,429,ok');
is ends(4, 'sts'), '503 429 200 200', 'a sequence, and then well';
$cloud->behave(sts => '503*2');
is ends(3, 'sts'), '503 503 200', 'one fault for some requests';
$cloud->behave(sts => ['500', 'ok']);
is ends(2, 'sts'), '500 200', 'a list is a sequence';
$cloud->behave(sts => '503');
is ends(3, 'sts'), '503 503 503', 'one fault for all';
is ends(1, 'entra'), '200', 'of one endpoint';
is code_of($client->ask('sts')), '503 ServiceUnavailable', 'as STS says it';
$cloud->behave(sts => '400:Throttling', entra => '400:invalid_grant');
is code_of($client->ask('sts')), '400 Throttling', 'an error by its name';
is body_of($client->ask('entra'))->{error}, 'invalid_grant', 'as Entra has it';
$cloud->behave(sts => 'ok', entra => 'ok');
is ends(1, 'sts'), '200', 'and well again';

# --- One by one -------------------------------------------------------------

$cloud->behave(sts => '429:3', entra => '429:7');
is $client->ask('sts')->{headers}{'retry-after'}, 3, 'when to come again';
is $client->ask('entra')->{headers}{'retry-after'}, 7, 'for each its own';
$cloud->behave(sts => 'slow:0.5', entra => 'ok');
my $begun = Time::HiRes::time();
my $answer = $client->ask('sts');
cmp_ok $answer->{end} - $begun, '>', 0.45, 'a slow answer';
is $answer->{status}, 200, 'comes';
$cloud->behave(sts => 'reset');
like ends(1, 'sts'), qr/closed|reset/, 'a connection that closes';
$cloud->behave(sts => 'redirect');
$answer = $client->ask('sts');
is "$answer->{status} $answer->{headers}{location}",
    '302 ' . $cloud->url('/elsewhere'), 'a redirect';
is $cloud->count('elsewhere'), 0, 'that nobody followed';
$cloud->behave(sts => 'oversized');
$answer = $client->ask('sts');
cmp_ok length $answer->{body}, '>=', 3e6, 'an answer too long';
like xml_of($answer)->{SessionToken}, qr/^sts-token/, 'but a right one';
$cloud->behave(entra => 'echo');
$answer = $client->ask('entra');
is $answer->{status}, 400, 'an error that tells';
like body_of($answer)->{error_description}, qr{azure\+secret/%& azure%2B},
    'what was sent, and how';
$cloud->behave(entra => 'ok');
$cloud->recount;
is body_of($client->ask('entra'))->{access_token}, 'entra-token-1',
    'numbers begin anew';
$cloud->behave(sts => 'body:a,b');
is $client->ask('sts')->{body}, 'a,b', 'a body that the test gives';
$cloud->behave(sts => 'ok', metadata => 'without:metadata-flavor');
$answer = $client->ask('metadata');
is $answer->{status}, 200, 'well';
is $answer->{headers}{'metadata-flavor'}, undef, 'but for a header';
$cloud->behave(metadata => 'ok');

# --- Of all endpoints -------------------------------------------------------

my %no = (sts => '403 AccessDenied', imds => 403, container => 403,
    entra => '401 invalid_client AADSTS7000215', app_service => 403,
    azure_imds => 403, google_token => '400 invalid_grant', metadata => 403,
    google_sts => '400 invalid_grant', iam => '403 PERMISSION_DENIED',
    gke => '403 PERMISSION_DENIED', subject => 403);

for my $name ($client->endpoints) {
	is ends(1, $name), '200', "$name is well";
	$cloud->behave($name => 'malformed');
	my $half = $client->ask($name);
	is $half->{status}, 200, 'half an answer';
	ok !body_of($half) && $half->{body} !~ m{</\w+Response>},
	    'is neither JSON nor XML';
	$cloud->behave($name => '503');
	is ends(1, $name), '503', 'a status';
	$cloud->behave($name => 'denied');
	my $denied = $client->ask($name);
	my ($status, @words) = split / /, $no{$name};
	is $denied->{status}, $status, 'its "no"';
	like $denied->{body}, qr/$_/, "says $_" for @words;
	$cloud->behave($name => 'ok');
}

# --- Time -------------------------------------------------------------------

sub close_to {
	my ($got, $want, $what) = @_;
	cmp_ok abs($got - $want), '<', 3, $what;
}

my %left = (
	sts => sub { seconds_to(xml_of($_[0])->{Expiration}) },
	imds => sub { seconds_to(body_of($_[0])->{Expiration}) },
	container => sub { seconds_to(body_of($_[0])->{Expiration}) },
	entra => sub { body_of($_[0])->{expires_in} },
	app_service => sub { body_of($_[0])->{expires_on} - time },
	azure_imds => sub { body_of($_[0])->{expires_on} - time },
	google_token => sub { body_of($_[0])->{expires_in} },
	metadata => sub { body_of($_[0])->{expires_in} },
	google_sts => sub { body_of($_[0])->{expires_in} },
	iam => sub { seconds_to(body_of($_[0])->{expireTime}) },
);
for my $name (sort keys %left) {
	$cloud->behave($name => 'expired,ok');
	cmp_ok $left{$name}->($client->ask($name)), '<=', 0,
	    "$name: expired";
	cmp_ok $left{$name}->($client->ask($name)), '>', 500, 'and fresh';
	$cloud->set(lifetime => 60);
	close_to($left{$name}->($client->ask($name)), 60, 'a short life');
	$cloud->set(lifetime => undef);
}
close_to($left{sts}->($client->assume({ AWS_KEYS },
    DurationSeconds => 900)), 900, 'else a life is as was asked for');
$cloud->behave(sts => 'expired,ok');
my $dead = keys_of($client->ask('sts'));
is code_of($client->assume($dead)), '403 ExpiredToken',
    'expired keys sign nothing';

# --- A clock that is off ----------------------------------------------------

for my $case ([600, 'is now earlier than \S+ \(\S+ - 5 min'],
	[-600, 'is still later than \S+ \(\S+ \+ 5 min']) {
	my ($skew, $text) = @$case;
	$cloud->behave(sts => "skew:$skew", azure_imds => "skew:$skew");
	$answer = $client->ask('sts');
	is code_of($answer), '403 SignatureDoesNotMatch',
	    "a clock that is off by $skew";
	like xml_of($answer)->{Message}, qr/$text/, 'with its reason';
	my $heard = $client->assume({ AWS_KEYS, off => $skew });
	is $heard->{status}, 200, 'who goes by its time is heard';
	close_to($left{sts}->($heard), 3600 + $skew, 'and gets its times');
	close_to($left{azure_imds}->($client->ask('azure_imds')),
	    86400 + $skew, 'elsewhere too');
	my ($clock) = $heard->{headers}{date} =~ /(\d\d:\d\d):\d\d GMT$/;
	my @now = map { Stagedoor::Fake::CloudServer::utc(time + $skew - $_) }
	    0, 3;
	ok scalar(grep { /T$clock/ } @now), 'that the Date shows';
}
$cloud->behave(sts => 'skew:1200');
is code_of($client->ask('sts')), '400 RequestExpired', 'long ago';
$cloud->behave(map { $_ => 'skew:-600' } qw(google_token entra));
is body_of($client->ask('google_token'))->{error}, 'invalid_grant',
    'an assertion from the future';
is $client->with_assertion($client->assertion('PS256'))->{status}, 401,
    'is none for Entra either';

# --- Mistakes of tests ------------------------------------------------------

my %mistake = (behaviour => sub { $cloud->behave(sts => 'slw:3') },
    endpoint => sub { $cloud->behave(st => 'ok') },
    counted => sub { $cloud->count('st') },
    variables => sub { $cloud->env('gke') });
for my $name (sort keys %mistake) {
	ok !eval { $mistake{$name}->(); 1 }, "a wrong name: $name";
}
done_testing;
