#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The store from outside: stagedoor key, what check says about the store's
# settings, and what is on the disk.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use MIME::Base64 qw(decode_base64);

my $dir = tempdir();

# --- stagedoor key ----------------------------------------------------------

my %seen;
for (1 .. 5) {
	my $run = stagedoor('key');
	is $run->{code}, 0, 'key gives 0';
	is $run->{err}, '', 'and says nothing';
	like $run->{out}, qr{\A\d{8}-[0-9a-f]{6}:[A-Za-z0-9+/]{43}=\n\z},
	    'one line, id:base64';
	my ($day, $id, $key) = $run->{out} =~ /^((\d{8})-\w+):(.*)$/
	    ? ($2, $1, $3) : ('', '', '');
	my @days = map { my @t = gmtime $_;
	    sprintf '%04d%02d%02d', $t[5] + 1900, $t[4] + 1, $t[3] }
	    time - 60, time;
	ok scalar(grep { $_ eq $day } @days), 'the id begins with the day';
	is length decode_base64($key), 32, 'of 32 bytes';
	ok !$seen{$id}++ && !$seen{$key}++, 'never the same';
}
my $run = stagedoor('key', '--help');
is $run->{code}, 0, 'key --help gives 0';
like $run->{out}, qr/^usage: stagedoor key$/m, 'with the usage';
like $run->{out}, qr/\(umask 077; stagedoor key >store\.keys\)/,
    'and how to begin';
for ('--nonsense', 'extra') {
	$run = stagedoor('key', $_);
	is $run->{code}, 2, "key $_ gives 2";
	is $run->{out}, '', 'and no key';
	like $run->{err}, qr/^usage: /m, 'but the usage';
}
SKIP: {
	skip_one('there is no /dev/full'), last SKIP if !-c '/dev/full';
	$run = run_command(['sh', '-c', '"$1" key >/dev/full', 'sh',
	    stagedoor_bin()]);
	is $run->{code}, 1, 'a key that cannot be written gives 1';
	like $run->{err}, qr/^stagedoor: cannot write the key: No space/,
	    'and says why';
}

# --- Settings ---------------------------------------------------------------

my $keys = write_file("$dir/store.keys", "# ours\n", stagedoor('key')->{out});
chmod 0600, $keys or die "$keys: $!";
my $count = 0;

# Runs check on these lines of settings; our folder's name is left out.
sub check {
	my ($store) = @_;
	my $file = write_file("$dir/settings-" . ++$count . '.conf',
	    qq(kubernetes = {\n  serviceLocatorMethod = { type =\n),
	    qq(    "multiTenant"; };\n  clusterLocatorMethods = ();\n};\n),
	    qq(stagedoor = { store = {\n$store\n}; };\n),
	    qq(backend = { baseUrl = "http://127.0.0.1:1"; };\n));
	my $run = stagedoor('check', '-c', $file);
	s/\Q$dir\E\///g for $run->{out}, $run->{err};
	s/settings-\d+\.conf/settings.conf/g for $run->{out}, $run->{err};
	return $run;
}

my $sqlite = qq(type = "sqlite"; path = "$dir/store.db";);
$run = check(qq($sqlite\nkeyFile = "store.keys";));
is $run->{code}, 0, 'a store with a folder and a key file is good';
is $run->{err}, '', 'without a warning';
ok !-e "$dir/store.db", 'check makes no database';

for my $mode (0644, 0660, 0606) {
	chmod $mode, $keys or die "$keys: $!";
	$run = check(qq($sqlite\nkeyFile = "store.keys";));
	is $run->{code}, 2, sprintf 'a key file of mode %04o gives 2', $mode;
	like $run->{err}, qr/^settings\.conf:8: stagedoor\.store\.keyFile: /m,
	    'with file, line and key';
	like $run->{err}, qr/has mode 0\d+, .*: chmod 600 it/, 'and what to do';
}
chmod 0640, $keys or die "$keys: $!";
is check(qq($sqlite\nkeyFile = "store.keys";))->{code}, 0,
    'the group of the server may read it';

my $key_file = qr/stagedoor\.store\.keyFile/;
my %bad = (
	'none.keys' => [undef, qr/cannot read 'none\.keys': No such file /],
	'empty.keys' => ['', qr/holds no key: make one with 'stagedoor key'/],
	'text.keys' => ["one:hush-hush\n", qr/line 1 has a key that is not/],
	'folder.keys' => ['/', qr/not a regular file/],
);
for my $name (sort keys %bad) {
	my ($text, $why) = @{$bad{$name}};
	if (defined $text && $text eq '/') {
		mkdir "$dir/$name" or die "$name: $!";
	} elsif (defined $text) {
		chmod 0600, write_file("$dir/$name", $text);
	}
	$run = check(qq($sqlite\nkeyFile = "$name";));
	is $run->{code}, 2, "$name gives 2";
	like $run->{err}, qr/^settings\.conf:8: $key_file: .*$why/m,
	    'with the place and what to do';
	unlike $run->{err}, qr/hush/, 'and nothing of what it holds';
}

$run = check(qq(type = "sqlite";\npath = "none/store.db";\n)
    . 'keyFile = "none.keys";');
is $run->{code}, 2, 'a folder that is not there gives 2';
like $run->{err}, qr/^settings\.conf:8: stagedoor\.store\.path: there is no /m,
    'with file, line and key';
like $run->{err}, qr/ folder 'none': make one that only the server may use/,
    'and what to do';
like $run->{err}, qr/^settings\.conf:9: $key_file: /m,
    'and the key file is named in the same run';

$run = check(qq(type = "redis"; url = "redis://127.0.0.1:1/0";\n)
    . 'keyFile = "none.keys";');
is $run->{code}, 2, 'redis needs its key file too';
like $run->{err}, qr/^settings\.conf:8: $key_file: cannot read/m,
    'and check says where';
my $redis = 'type = "redis"; keyFile = "store.keys"; url = ';
for (qw(unix:/none/socket unix:/none/socket?db=3 redis://127.0.0.1:1/0
    redis://[::1]:1)) {
	$run = check(qq($redis "$_";));
	is $run->{code}, 0, "$_ is accepted, whether it is there or not";
	is $run->{err}, '', 'without a word';
}
for (qw(redis://ann:hush@127.0.0.1:1/0 redis://127.0.0.1/0 unix:socket
    unix:/none?hush=1)) {
	$run = check(qq($redis "$_";));
	is $run->{code}, 2, "$_ is not";
	like $run->{err}, qr/^settings\.conf:7: stagedoor\.store\.url: /m,
	    'and check says where';
	unlike $run->{err}, qr/hush/, 'and not what';
}
$run = check(qq($redis "unix:/none/socket";\npasswordFile = "none.password";));
is $run->{code}, 2, 'a password file that is not there gives 2';
like $run->{err},
    qr/^settings\.conf:8: stagedoor\.store\.passwordFile: cannot /m,
    'and check says where';

# --- On the disk ------------------------------------------------------------

chmod 0600, $keys or die "$keys: $!";
my $fake = fake(clusters => [{ name => 'one', tokens => ['hush-hush-1'] }],
    backstage => 1);
my $plugin = write_file("$dir/plugin", "#!/bin/sh\necho run >>$dir/runs\n",
    qq(echo '{"kind":"ExecCredential","apiVersion":),
    qq("client.authentication.k8s.io/v1","status":{"token":"hush-hush-1",),
    qq("expirationTimestamp":"2099-01-01T00:00:00Z"}}'\n));
chmod 0755, $plugin or die "$plugin: $!";
my $settings = settings(fake => $fake, clusters => [{ name => 'one',
	authProvider => 'exec', exec => { command => $plugin } }],
    stagedoor => { store => { type => 'sqlite', path => "$dir/store.db",
	keyFile => $keys } });

# A pool of its own that asks the cluster; the pool.
sub ask {
	my ($what) = @_;
	my $pool = pool(settings => $settings);
	is get($pool, '/clusters/one/proxy/version')->{status}, 200, $what;
	is $fake->last_request('one')->{headers}{authorization},
	    'Bearer hush-hush-1', 'with the token of the plug-in';
	return $pool;
}

sub runs { return scalar(() = slurp("$dir/runs") =~ /run/g) }

my $one = ask('a process makes a credential');
is runs(), 1, 'by running the plug-in';
my $two = ask('another has it from the store');
is runs(), 1, 'the plug-in is not run again';
my @files = map { "$dir/store.db$_" } '', '-wal', '-shm';
for my $file (@files) {
	my ($name) = $file =~ m{([^/]+)$};
	my $bytes = slurp($file);
	is index($bytes, 'hush'), -1, "$name: nothing of the token";
	is index($bytes, decode_base64((split /:/, slurp($keys))[-1])), -1,
	    'nor of the key';
	is sprintf('%04o', (stat $file)[2] & 07777), '0600', 'mode 0600';
}
is $_->stop, 0, 'a pool ends in order' for $one, $two;
is index(slurp("$dir/store.db"), 'hush'), -1, 'nor when it is all in one file';
$one = ask('a new process has it still');
is runs(), 1, 'without the plug-in';
$one->stop;

# Another key: as if nothing were there.
chmod 0600, write_file($keys, stagedoor('key')->{out});
$one = ask('with another key the credential is made anew');
is runs(), 2, 'by running the plug-in';
$one->stop;

# Not our database: said, and served without it.
write_file("$dir/store.db", 'garbage ' x 1000);
$one = ask('with a damaged store credentials are made all the same');
is runs(), 3, 'by running the plug-in';
like $one->log_text, qr/stagedoor\.store: .* is damaged: move it away/,
    'and the log says what to do';
is slurp("$dir/store.db"), 'garbage ' x 1000, 'which is left as it was';
$one->stop;
log_has_no('no log has the token', 'hush-hush');
done_testing;
