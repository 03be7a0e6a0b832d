#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Signing in where each request may be another process: plain CGI and
# mod_fcgid, with a store in SQLite; and behind lighttpd. What is begun in one
# process is completed in another, tokens are renewed by whichever process is
# asked, also by one whose request is long answered, and signing out is known
# to all within a second. mod_fcgid would end such a process with its life time,
# of seconds in the site's settings here.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use MIME::Base64 qw(encode_base64);
use Stagedoor::Visitor;
use Stagedoor::Web;
use Stagedoor::WebChecks;
use Time::HiRes qw(sleep);

my $passwords = Stagedoor::WebChecks::password_file();
my $plain = write_file(tempdir() . '/plain', map { "$_:secret\n" }
    qw(alice bob));
my $at = '/clusters/one/proxy/version';
my $count = 0;

# Issuer, cluster and settings; the processes are Apache's user's, and so is
# the store.
sub world {
	my $dir = tempdir() . '/store-' . ++$count;
	mkdir $dir or die "$dir: $!";
	my $port = free_port();
	my $issuer = issuer(id_seconds => 6);
	my $fake = fake(clusters => [{ name => 'one', jwt => 1 }]);
	write_file("$dir/keys", stagedoor('key')->{out});
	chmod 0600, "$dir/keys" or die "$dir/keys: $!";
	my ($uid, $gid) = (getpwnam Stagedoor::Web::apache_user())[2, 3];
	chown $uid, $gid, $dir, "$dir/keys" if $> == 0;
	my $file = write_file("$dir.yaml", encode_json(settings(
	    fake => $fake, source => 'params', clusters => [{ name => 'one',
		authProvider => 'oidc', oidcTokenProvider => 'corp',
		signIn => 'stagedoor' }],
	    stagedoor => { publicUrl => "http://127.0.0.1:$port",
		identity => { remoteUser => \1 }, audit => 'off',
		login => [$issuer->login('corp')], store => {
		    type => 'sqlite', path => "$dir/tokens.db",
		    keyFile => "$dir/keys" } })));
	chmod 0644, $file or die "$file: $!";
	return { dir => $dir, port => $port, issuer => $issuer,
	    file => $file };
}

# What a visitor's browser gets, with a password.
sub status {
	my ($visitor, $method, $path, %opt) = @_;
	my $answer = $visitor->request($method, $path, %opt, headers => {
	    Authorization => 'Basic ' . encode_base64("$visitor->{user}:secret",
		'') }, timeout => 20);
	return wantarray ? ($answer->{status}, $answer) : $answer->{status};
}

sub sign_in {
	my ($name, $world, $web, $user) = @_;
	my $visitor = Stagedoor::Visitor->new(web => $web, user => $user,
	    issuer => $world->{issuer});
	is scalar(status($visitor, GET => $at)), 401, "$name, $user: before";
	my ($code, $began) = status($visitor, POST => '/connect/oidc/corp',
	    form => {});
	is $code, 303, 'sent to the issuer';
	my $back = $world->{issuer}->sign_in($began->{headers}{location},
	    user => $user);
	my (undef, $done) = status($visitor, GET => $back, foreign => 1);
	like $done->{headers}{location}, qr/done=connected/, 'and back';
	wait_for(sub { status($visitor, GET => $at) == 200 }, 3,
	    'the other processes');
	is scalar(status($visitor, GET => $at)), 200, 'connected';
	return $visitor;
}

sub day {
	my ($name, $world, $web) = @_;
	my $issuer = $world->{issuer};
	my @both = map { sign_in($name, $world, $web, $_) } qw(alice bob);
	my %seen;
	for (1 .. 20) {
		sleep 0.5;
		$seen{status($_, GET => $at)}++ for @both;
	}
	is_deeply [keys %seen], [200], "$name: and stay so" or diag explain
	    \%seen;
	cmp_ok $issuer->counters->{rotations} // 0, '>=', 4,
	    'by tokens that are renewed';

	# Nobody waits for it but the process that it began in.
	$issuer->reset;
	$issuer->behave(token => 'slow:7');
	wait_for(sub { status($both[0], GET => $at);
	    return $issuer->count('token') }, 10, 'a refresh');
	sleep 8;
	$issuer->behave(token => 'ok');
	wait_for(sub { status($both[0], GET => $at) == 200 }, 10,
	    'the new token');
	is scalar(status($both[0], GET => $at)), 200,
	    'a slow refresh outlives its request';
	is $issuer->counters->{reuses} // 0, 0, 'no old token is shown again';

	is scalar(status($both[1], DELETE => '/connect/oidc/corp')), 204,
	    "$name: bob signs out";
	wait_for(sub { status($both[1], GET => $at) == 401 }, 3, 'all to know');
	is scalar(status($both[1], GET => $at)), 401, 'and is out';
	is scalar(status($both[0], GET => $at)), 200, 'alice is not';
	$web->stop;
}

my %basic = (location => <<"END");
	AuthType Basic
	AuthName Backstage
	AuthUserFile $passwords
	Require valid-user
END

my $world = world();
day('plain CGI', $world, Stagedoor::Web->apache('apache-cgid',
    config => $world->{file}, port => $world->{port},
    modules => [qw(alias cgid)], global => "ScriptSock cgid.sock\n", %basic));
$world = world();
day('mod_fcgid', $world, Stagedoor::Web->apache('apache-fcgid',
    config => $world->{file}, port => $world->{port}, modules => [qw(fcgid)],
    global => <<'END', %basic));
FcgidIPCDir run
FcgidProcessTableFile run/fcgid_shm
FcgidProcessLifeTime 3
FcgidMinProcessesPerClass 0
FcgidIdleScanInterval 1
END
$world = world();
day('lighttpd', $world, Stagedoor::Web->lighttpd(
    pool => pool(config => $world->{file}),
    modules => '"mod_auth", "mod_authn_file"', more => <<"END"));
auth.backend = "plain"
auth.backend.plain.userfile = "$plain"
auth.require = ( "/api/kubernetes/" => ( "method" => "basic",
    "realm" => "x", "require" => "valid-user" ) )
END
log_has_no('no log holds a token', 'refresh-alice', 'eyJhbGciOi');
done_testing;
