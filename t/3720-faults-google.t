#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What each source of Google's tokens makes of each fault: the table.
# lib/Stagedoor/Faults.pm says how to read it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Faults;

have_program('openssl') or skip_or_fail('no openssl');

my %NOWHERE = (HOME => '/nonexistent', METADATA_SERVER_DETECTION => 'none',
    map { $_ => undef } qw(CLOUDSDK_CONFIG GCE_METADATA_HOST GCE_METADATA_IP
	NO_GCE_CHECK));
my $AWS_TYPE = 'urn:ietf:params:aws:token-type:aws4_request';

# Credentials of that type in the settings.
sub settings_with {
	my ($type, $more) = @_;
	return sub { my ($cloud, $dir) = @_;
		my %env = ref $more ? $more->($cloud, $dir) : ();
		my %file = %{delete $env{file} // {}};
		return (env => \%env, kubernetes => {
		    googleServiceAccountCredentials => encode_json(
			$cloud->google_file($type, %file)) }) };
}

sub subject_file {
	my ($text) = @_;
	return sub { my ($cloud, $dir) = @_;
		return (file => { credential_source => { file =>
		    write_file("$dir/subject", $text) } }) };
}

sub aws_source {
	my ($cloud) = @_;
	return { subject_token_type => $AWS_TYPE, credential_source => {
		environment_id => 'aws1',
		imdsv2_session_token_url => $cloud->url('/latest/api/token'),
		region_url => $cloud->url('/latest/meta-data/placement/'
		    . 'availability-zone'),
		url => $cloud->url('/latest/meta-data/iam/'
		    . 'security-credentials/') } };
}

my %SOURCES = (
	key => { at => 'google_token', gets => 'google-token-1',
	    with => settings_with('service_account') },
	user => { at => 'google_token', gets => 'google-token-1',
	    with => settings_with('authorized_user') },
	url => { at => 'google_sts', gets => 'google-sts-token-1',
	    with => settings_with('external_account') },
	file => { at => 'google_sts', gets => 'google-sts-token-1',
	    with => settings_with('external_account',
		subject_file("subject-token\n")) },
	'file, an old token' => { at => 'google_sts',
	    gets => 'google-sts-token-1',
	    with => settings_with('external_account',
		subject_file("old-subject-token\n")) },
	aws => { at => 'google_sts', gets => 'google-sts-token-1',
	    with => settings_with('external_account', sub { my ($cloud) = @_;
		return (file => aws_source($cloud), AWS_ACCESS_KEY_ID =>
		    'AKIAFAKEFAKEFAKEFAKE', AWS_REGION => 'eu-west-1',
		    AWS_SECRET_ACCESS_KEY =>
		    'fakesecretfakesecretfakesecret') }) },
	# Four are asked of the instance: session, region, role and keys.
	instance => { at => 'imds', gets => 'google-sts-token-1',
	    with => settings_with('external_account',
		sub { (file => aws_source($_[0])) }) },
	impersonated => { at => 'iam', gets => 'iam-token-1',
	    with => settings_with('impersonated_service_account') },
	metadata => { at => 'metadata', gets => 'metadata-token-1',
	    with => sub { (env => { $_[0]->env('metadata'),
		METADATA_SERVER_DETECTION => undef }) } },
);

my $AT = qr/127\.0\.0\.1:\d+/;
my $KEY = qr/service account 'stagedoor\@proj\.iam\S+: $AT/;
my $OTHER = qr/service account 'stagedoor\@proj\.iam\S+, as a user .*: $AT/;
my $SUBJECT = qr/workload identity\): $AT/;

# What any endpoint that is posted to for a token does.
sub posted {
	my ($source, $name, %more) = @_;
	return map { [$source, $_->[0], $_->[1], %more, @$_[2 .. $#$_]] } (
		['ok', 1],
		['slow:2', 1, after => 2, within => 4],
		['503,500', 3, after => 2.7, within => 5],
		['503', 3, says => qr/$name answered 503/, within => 5],
		['429:1,ok', 2, after => 1],
		['429:30', 1, says => qr/$name answered 429/,
		    later => [2.5, 1]],
		['denied', 1, says => qr/$name answered 40[03]/],
		['denied,ok', 1, says => qr/$name answered 40[03]/,
		    later => [1.5, 2, $SOURCES{$source}{gets}]],
		['echo', 1, says => qr/$name answered 400/],
		['400', 1, says => qr/$name answered 400/],
		['expired', 1, says => qr/expired already/],
		['malformed', 1, says => qr/$name answered what is no JSON/],
		['body:{}', 1, says => qr/$name answered no/],
		['oversized', 1, says => qr/$name: .*bytes/],
		['redirect', 1, says => qr/$name answered 302/],
		['reset', 1, says => qr/$name: /],
		['skew:600', 1],
		['skew:600', 1, lifetime => 4, too => 'google_token', later =>
		    [3, 2, $SOURCES{$source}{gets} =~ s/1$/2/r]],
	);
}

my @TABLE = (
	posted(key => $KEY),
	[key => '500:internal_failure,ok', 2],
	[key => '400:temporarily_unavailable,ok', 2],
	# Its assertion was of the future: made again by its clock.
	[key => 'skew:-600', 2],
	[key => 'skew:-600', 2, lifetime => 300],

	posted(user => $AT),
	[user => 'skew:-600', 1],

	posted(url => $SUBJECT),
	[url => 'skew:-600', 1, lifetime => 300],
	[url => 'denied', 1, at => 'subject', says =>
	    qr/$SUBJECT answered 403/],
	[url => '503,ok', 2, at => 'subject', within => 4],
	[url => 'oversized', 1, at => 'subject', says => qr/$SUBJECT: /],
	[url => 'malformed', 1, at => 'subject', says => qr/no subject token/],
	[url => 'redirect', 1, at => 'subject', says => qr/$SUBJECT .* 302/],
	[url => 'body:{"token":""}', 1, at => 'subject', says =>
	    qr/no subject token/],

	[file => 'ok', 1],
	[file => 'denied', 1, says => qr/$SUBJECT answered 400/],
	['file, an old token' => 'slow:1', 1, says =>
	    qr/$SUBJECT answered 400 invalid_grant/, rotate =>
	    [subject => "subject-token\n"],
	    later => [1.5, 2, 'google-sts-token-1']],

	[aws => 'ok', 1],
	[aws => 'denied', 1, says => qr/answered 400 invalid_grant/],
	[aws => 'echo', 1, says => qr/answered 400/],
	# What it signed was of another time: signed again by Google's.
	[aws => 'skew:600', 2],
	[aws => 'skew:-600', 2],

	[instance => 'ok', 4],
	[instance => 'slow:0.5', 4, after => 2],
	[instance => '503', 3, says => qr/answered 503/, within => 5],
	[instance => 'denied', 1, says => qr/answered 403/],
	[instance => 'ok,redirect', 2, says => qr/answered 302/],
	[instance => 'ok,ok,ok,malformed', 4, says => qr/no keys/],
	[instance => 'oversized', 1, says => qr/bytes/],

	posted(impersonated => $OTHER),
	[impersonated => 'skew:-600', 1, lifetime => 300],
	[impersonated => 'denied', 1, at => 'google_token', says =>
	    qr/answered 400 invalid_grant/],

	[metadata => 'ok', 1],
	[metadata => 'slow:2', 1, after => 2],
	[metadata => '503*2', 3, within => 5],
	[metadata => '404', 1, says =>
	    qr/metadata server, .* set: .*answered 404/],
	[metadata => 'without:Metadata-Flavor', 1, says =>
	    qr/no metadata server/],
	[metadata => 'reset', 1, says => qr/metadata server, .* set: $AT: /],
	[metadata => 'expired', 1, says => qr/expired already/],
	[metadata => 'malformed', 1, says => qr/no access_token/],
	[metadata => 'oversized', 1, says => qr/bytes/],
	[metadata => 'redirect', 1, says => qr/302|no metadata server/],
	[metadata => 'skew:600', 1],
	[metadata => 'skew:-600', 1, lifetime => 300],
	[metadata => 'skew:600', 1, lifetime => 4,
	    later => [3, 2, 'metadata-token-2']],
);

Stagedoor::Faults->new(provider => 'googleServiceAccount',
    env => \%NOWHERE, sources => \%SOURCES,
    secrets => qr{PRIVATE\ KEY|eyJ|google-(?:secret|refresh)|subject-token
	|(?:google|sts|iam|metadata|imds)-token-\d|fakesecret
	|imds-(?:secret|session)-\d}x)
    ->run(@TABLE);
done_testing;
