#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What comes of each thing that a credential plug-in can do wrong: the table.
# lib/Stagedoor/Faults.pm says how to read it.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Faults;

use POSIX qw(strftime);

my $V1 = 'client.authentication.k8s.io/v1';
my $HUSH = 'hush-0123456789abcdef';

sub prints {
	my ($status, %more) = @_;
	return "cat <<'END'\n" . encode_json({ kind => 'ExecCredential',
	    apiVersion => $V1, status => $status, %more }) . "\nEND\n";
}

sub until_in {
	my ($seconds) = @_;
	return (token => 'tok-exec', expirationTimestamp =>
	    strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $seconds)));
}

my $good = prints({ token => 'tok-exec' });
my %FAULTS = (
	ok => $good,
	slow => "sleep 2\n$good",
	hangs => "sleep 60\n",
	'hangs, deaf' => "trap '' TERM\nsleep 60\n",
	'leaves a child' => "sleep 60 &\n$good",
	'an hour' => prints({ until_in(3600) }),
	expired => prints({ until_in(-60) }),
	'a bad time' => prints({ token => 'tok-exec',
	    expirationTimestamp => 'soon' }),
	exits => "echo 'no luck: token=$HUSH https://me:$HUSH\@host/' >&2\n"
	    . "exit 7\n",
	'exits, long' => "head -c 300000 /dev/zero | tr '\\0' x >&2\n"
	    . "echo 'at the end' >&2\nexit 7\n",
	'exits, its own' => "echo \"\$MY_SECRET was refused\" >&2\nexit 7\n",
	'exits, odd' => "printf 'a\\033[31m\\tb\\377c' >&2\nexit 7\n",
	'answers, exits' => "$good\nexit 1\n",
	killed => "kill -SEGV \$\$\n",
	empty => '',
	malformed => "echo '{\"kind\": \"ExecCredential\", \"$HUSH'\n",
	'leading text' => "echo $HUSH\n$good",
	oversized => "exec head -c 3000000 /dev/zero\n",
	'right, oversized' => "head -c 3000000 /dev/zero | tr '\\0' ' '\n$good",
	'no status' => prints(undef),
	'no token' => prints({}),
	'a bad token' => prints({ token => "tok\nexec" }),
	'a certificate without its key' => prints({ clientCertificateData =>
	    "-----BEGIN CERTIFICATE-----\n$HUSH\n" }),
	'another kind' => prints({ token => 'tok-exec' }, kind => 'Status'),
	'another version' => prints({ token => 'tok-exec' },
	    apiVersion => "${V1}beta1"),
	'fails once' => "test \$(wc -l <\"\$0.runs\") -gt 1 || exit 3\n"
	    . $good,
);

sub plugin {
	my ($cloud, $dir) = @_;
	return (cluster => { exec => { command => "$dir/program",
	    timeout => 4, env => { MY_SECRET => $HUSH } } });
}

my @TABLE = (
	[exec => 'ok', 1],
	[exec => 'slow', 1, after => 2],
	[exec => 'an hour', 1],
	[exec => 'leaves a child', 1],
	[exec => 'hangs', 1, after => 4, says => qr/not end within 4 sec/],
	[exec => 'hangs, deaf', 1, after => 4, within => 8, says =>
	    qr/not end within 4 sec/],
	# It is used for a moment, as kubectl does.
	[exec => 'expired', 1],
	[exec => 'a bad time', 1, says => qr/expirationTimestamp/],
	[exec => 'exits', 1, says => qr{exit code 7: no luck: token=\*\*\* h}],
	[exec => 'exits, long', 1, says => qr/exit code 7: .*at the end$/],
	[exec => 'exits, its own', 1, says => qr/exit code 7: .*was refused/],
	[exec => 'exits, odd', 1, says => qr/exit code 7: a/],
	[exec => 'answers, exits', 1, says => qr/exit code 1/],
	[exec => 'killed', 1, says => qr/ended with signal 11/],
	[exec => 'empty', 1, says => qr/its answer is empty/],
	[exec => 'malformed', 1, says => qr/no JSON or YAML/],
	[exec => 'leading text', 1, says => qr/no JSON or YAML/],
	[exec => 'oversized', 1, says => qr/more than 1048576 bytes/],
	[exec => 'right, oversized', 1, says => qr/more than 1048576 bytes/],
	[exec => 'no status', 1, says => qr/status/],
	[exec => 'no token', 1, says => qr/has neither a token nor a/],
	[exec => 'a bad token', 1, says => qr/token/],
	[exec => 'a certificate without its key', 1, says => qr/key/],
	[exec => 'another kind', 1, says => qr/kind/],
	[exec => 'another version', 1, says => qr/of version ${V1}beta1/],
	[exec => 'fails once', 1, says => qr/exit code 3/,
	    later => [1.5, 2, 'tok-exec']],
);

Stagedoor::Faults->new(provider => 'exec', tokens => ['tok-exec'],
    sources => { exec => { gets => 'tok-exec', with => \&plugin,
	faults => \%FAULTS } },
    secrets => qr/\Q$HUSH\E|tok-exec/)->run(@TABLE);
done_testing;
