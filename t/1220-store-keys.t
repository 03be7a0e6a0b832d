#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A new key for the store: put before the old ones and taken up by SIGHUP, it
# seals from then on, what is there is sealed with it, and the log says when
# the old line may go.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Redis;

my $dir = tempdir();
my $fake = fake(clusters => [{ name => 'one', tokens => ['hush-hush-1'] }],
    backstage => 1);
my $plugin = write_file("$dir/plugin", "#!/bin/sh\necho run >>$dir/runs\n",
    qq(echo '{"kind":"ExecCredential","apiVersion":),
    qq("client.authentication.k8s.io/v1","status":{"token":"hush-hush-1",),
    qq("expirationTimestamp":"2099-01-01T00:00:00Z"}}'\n));
chmod 0755, $plugin or die "$plugin: $!";
my $keys = "$dir/store.keys";

sub runs { return -e "$dir/runs" ? scalar(() = slurp("$dir/runs") =~ /run/g)
	: 0 }

sub new_line { return stagedoor('key')->{out} }
sub id { return $_[0] =~ /^([^:]+):/ ? $1 : die $_[0] }

# As an editor does: another file takes the place of the old one.
sub write_keys {
	write_file("$keys.new", @_);
	chmod 0600, "$keys.new" or die "$keys.new: $!";
	rename "$keys.new", $keys or die "$keys: $!";
}

sub ask {
	my ($pool, $what) = @_;
	is get($pool, '/clusters/one/proxy/version')->{status}, 200, $what;
}

sub rotate {
	my ($name, $store, $sealed) = @_;
	my ($old, $new) = (new_line(), new_line());
	my ($old_id, $new_id) = (id($old), id($new));

	write_keys($old);
	my $settings = settings(fake => $fake,
	    clusters => [{ name => 'one', authProvider => 'exec',
		exec => { command => $plugin } }],
	    stagedoor => { store => { keyFile => $keys, %$store } });
	my $pool = pool(settings => $settings);
	my $other = pool(settings => $settings);
	my $before = runs();
	ask($pool, "$name: a value is stored");
	is runs() - $before, 1, 'by running the plug-in';
	ok $sealed->($old_id), 'sealed with the key';
	unlike $pool->log_text, qr/not needed any more/,
	    'nothing is to be taken away';

	# A file that cannot be read changes nothing.
	write_keys("hush\n");
	$pool->reload;
	wait_for(sub { $pool->log_text =~ /the keys stay/ }, 10, 'keys stay');
	like $pool->log_text, qr/error stagedoor\.store\.keyFile: key file /,
	    'a wrong key file is said';

	write_keys($new, $old);
	$pool->reload;
	my $done = qr/sealed with key '$new_id' .*, its lines $old_id /;
	wait_for(sub { $pool->log_text =~ $done }, 10, 'sealed anew');
	like $pool->log_text, $done, 'the log says that the old line may go';
	ok $sealed->($new_id), 'sealed with the new key';
	ok !$sealed->($old_id), 'and not with the old one';
	unlike $pool->log_text, qr/needs a restart/, 'no restart is needed';

	# Without the old line all is there; and who was not told sees it too.
	write_keys($new);
	$pool->reload;
	sleep 1;
	my $third = pool(settings => $settings);
	ask($_, "$name: served without the old line") for $pool, $other, $third;
	unlike $_->log_text, qr/cannot be opened/, 'and nothing is lost'
	    for $pool, $other, $third;
	is $_->stop, 0, 'a pool ends in order' for $pool, $other, $third;
}

my $db = "$dir/store.db";
rotate('SQLite', { type => 'sqlite', path => $db }, sub {
	return scalar grep { -e $_ && index(slurp($_), $_[0]) >= 0 } $db
	    if !have_program('sqlite3');
	my $n = run_command(['sqlite3', '-readonly', $db,
	    "SELECT count(*) FROM item WHERE instr(sealed, '$_[0]') = 3"]);
	return $n->{out} > 0;
});
SKIP: {
	if (!have_program('redis-server')) {
		skip_one('there is no redis-server');
		last SKIP;
	}
	my $redis = Stagedoor::Redis->start;
	rotate('Redis', { $redis->store }, sub {
		my ($id) = @_;
		return scalar grep {
			index($redis->command('GET', $_) // '', $id) == 10
		} grep { !/:lease:/ } $redis->keys('stagedoor:*');
	});
}
log_has_no('no log has the token', 'hush-hush');
done_testing;
