#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Whatever is wrong with the store, clusters that are opened with the server's
# own credential answer as usual and at once; the log says what is wrong, and
# when it is put right the store is used again, without another start.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Redis;
use Time::HiRes qw(sleep time);

my $dir = tempdir();
my $fake = fake(clusters => [{ name => 'one', tokens => ['hush-hush-1'] }],
    backstage => 1);
my $keys = write_file("$dir/store.keys", stagedoor('key')->{out});
chmod 0600, $keys or die "$keys: $!";
my $plugin = write_file("$dir/plugin", "#!/bin/sh\necho run >>$dir/runs\n",
    qq(echo '{"kind":"ExecCredential","apiVersion":),
    qq("client.authentication.k8s.io/v1","status":{"token":"hush-hush-1",),
    qq("expirationTimestamp":"2099-01-01T00:00:00Z"}}'\n));
chmod 0755, $plugin or die "$plugin: $!";

sub runs { return -e "$dir/runs" ? scalar(() = slurp("$dir/runs") =~ /run/g)
	: 0 }

sub serve {
	my ($store) = @_;
	return pool(settings => settings(fake => $fake,
		clusters => [{ name => 'one', authProvider => 'exec',
			exec => { command => $plugin } }],
		stagedoor => { store => { keyFile => $keys, %$store } }));
}

# It answers, with the right credential, within seconds.
sub answers {
	my ($pool, $what, $seconds) = @_;
	my $start = time;
	is get($pool, '/clusters/one/proxy/version')->{status}, 200,
	    "$what: the cluster answers";
	cmp_ok time - $start, '<', $seconds // 1.5, 'and soon';
	is $fake->last_request('one')->{headers}{authorization},
	    'Bearer hush-hush-1', 'with its credential';
}

sub says {
	my ($pool, $why) = @_;
	wait_for(sub { $pool->log_text =~ $why }, 10, $why);
	like $pool->log_text, $why, 'and the log says why';
}

# Two pools share what one of them makes: the plug-in runs once.
sub shares {
	my ($store, $what) = @_;
	my $before = runs();
	my $one = serve($store);
	answers($one, $what);
	my $two = serve($store);
	answers($two, "$what, another");
	cmp_ok runs() - $before, '<=', 1, 'what one made the other has';
	$_->stop for $one, $two;
}

# --- SQLite -----------------------------------------------------------------

my $db = "$dir/db/store.db";
my $sqlite = { type => 'sqlite', path => $db };
my $pool = serve($sqlite);
answers($pool, 'a folder that is not there');
says($pool, qr/stagedoor\.store: .*: its folder must be there, and writable/);
mkdir "$dir/db", 0700 or die "$dir/db: $!";
$pool->stop;
shares($sqlite, 'a folder that is there now');

unlink glob "$db*";
mkdir $db or die "$db: $!";
$pool = serve($sqlite);
answers($pool, 'a folder in place of the file');
says($pool, qr/stagedoor\.store: .*its database is no regular file/);
$pool->stop;
rmdir $db or die "$db: $!";

write_file($db, 'garbage ' x 1000);
chmod 0600, $db;
$pool = serve($sqlite);
answers($pool, 'a file that is none');
says($pool, qr/is damaged: move it away/);
# Put right while it serves: the hourly look is not waited for.
unlink $db or die "$db: $!";
$pool->stop;
shares($sqlite, 'a new file');

$pool = serve($sqlite);
unlink glob "$db*";
rmdir "$dir/db" or die "$dir/db: $!";
answers($pool, 'a folder that goes');
mkdir "$dir/db", 0700 or die "$dir/db: $!";
$pool->stop;

SKIP: {
	if (!have_program('prlimit')) {
		skip_one('there is no prlimit');
		last SKIP;
	}
	local $ENV{STAGEDOOR_WRAPPER} = 'prlimit --fsize=16384';
	$pool = serve($sqlite);
	answers($pool, 'a disk that is full');
	says($pool, qr/the store is full: make room on its disk/);
	$pool->stop;
}
shares($sqlite, 'a disk that has room again');

# --- The key file -----------------------------------------------------------

my $good = slurp($keys);
for my $wrong (['is not there', sub { unlink $keys }, qr/No such file/],
    ['lets others in', sub { chmod 0644, $keys }, qr/lets others in/],
    ['holds no key', sub { write_file($keys, "# none\n") },
	qr/holds no key/]) {
	my ($what, $break, $why) = @$wrong;
	$break->();
	$pool = serve($sqlite);
	answers($pool, "a key file that $what");
	says($pool, qr/stagedoor\.store: key file .*$why|$why/);
	unlike $pool->log_text, qr/\Q$good\E/, 'and nothing of a key';
	$pool->stop;
	chmod 0600, write_file($keys, $good);
}
shares($sqlite, 'a key file that is right');

# --- Redis ------------------------------------------------------------------

SKIP: {
	if (!have_program('redis-server')) {
		skip_one('there is no redis-server');
		last SKIP;
	}
	my $redis = Stagedoor::Redis->start(password => 'hush-pass',
	    durable => 1);
	my $store = { $redis->store };
	shares($store, 'Redis');

	$pool = serve({ %$store, password => 'hush-hush-2' });
	answers($pool, 'a wrong password');
	says($pool, qr/does not take this user name and password/);
	$pool->stop;

	$redis->pause(1);
	$pool = serve($store);
	answers($pool, 'one that hangs', 3);
	says($pool, qr/the store's Redis does not answer in time/);
	answers($pool, 'and again');
	$redis->pause(0);
	$pool->stop;

	$redis->kill;
	$pool = serve($store);
	answers($pool, 'one that is not there');
	says($pool, qr/the store's Redis cannot be reached: see that it runs/);
	$redis->start_again;
	sleep 1;
	my $before = runs();
	my $two = serve($store);
	answers($two, 'one that is back');
	cmp_ok runs() - $before, '<=', 1, 'is used';
	$_->stop for $pool, $two;
	unlike $_->log_text, qr/hush-pass/, 'no log has the password'
	    for $pool, $two;

	$redis->command(qw(FLUSHALL));
	$redis->command(qw(CONFIG SET maxmemory 1000));
	$pool = serve($store);
	answers($pool, 'one that is full');
	says($pool, qr/the store is full: its Redis has used all memory/);
	$redis->command(qw(CONFIG SET maxmemory 0));
	$pool->stop;

	# What its settings mean for tokens is said once.
	$redis->command(qw(CONFIG SET maxmemory 100000000));
	$redis->command(qw(CONFIG SET maxmemory-policy allkeys-lru));
	$redis->command(qw(CONFIG SET appendonly no));
	$pool = serve($store);
	answers($pool, 'one that forgets');
	says($pool, qr/warn .*this Redis does not write down what it is told/);
	says($pool, qr/warn .*may have to sign in again; set noeviction/);
	is scalar(() = $pool->log_text =~ /set noeviction/g), 1, 'once';
	$pool->stop;
	$redis->command(qw(ACL SETUSER ours on >hush-pass ~stagedoor:* -@all
	    +getrange +get +set +del +eval +pexpire +scan +select));
	shares({ %$store, username => 'ours' }, 'a user of least rights');
}
log_has_no('no log has the token', 'hush-hush');
done_testing;
