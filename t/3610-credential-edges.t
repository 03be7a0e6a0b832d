#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# The edges of the credential cache, seen from outside: what a client gets
# when a credential comes too late, or is refused where nothing is sent again.
# A plug-in stands for any cloud.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep time);

my $dir = tempdir();
chmod 0777, $dir or die "$dir: $!";
my $fake = fake(backstage => 1, clusters => [{ name => 'one',
    tokens => [map { ("tok-$_") } qw(slow fresh well)] }]);

# DIR/NAME: says when it ran, then does what the test wants.
sub plugin {
	my ($name, $body) = @_;
	write_file("$dir/$name.new", "#!/bin/sh\necho run >>$dir/$name.runs\n"
	    . $body);
	chmod 0755, "$dir/$name.new" or die "$name: $!";
	rename "$dir/$name.new", "$dir/$name" or die "$name: $!";
	write_file("$dir/$name.runs", '');
	chmod 0666, "$dir/$name.runs";
}

sub prints {
	my ($token) = @_;
	return qq(echo '{"kind":"ExecCredential","apiVersion":)
	    . qq("client.authentication.k8s.io/v1",)
	    . qq("status":{"token":"$token"}}'\n);
}

sub runs {
	my ($name) = @_;
	return scalar(() = slurp("$dir/$name.runs") =~ /run/g);
}

sub cluster {
	my ($name, $plugin, %more) = @_;
	return { name => $name, url => $fake->url('one'),
	    authProvider => 'exec', skipMetricsLookup => \1,
	    exec => { command => "$dir/$plugin" }, %more };
}

sub with {
	my (@clusters) = @_;
	return settings(fake => $fake, kubernetes => {
	    objectTypes => [qw(pods services)] }, clusters => \@clusters,
	    stagedoor => { breaker => { failures => 1000 } });
}

# --- A write that meets a 401 -----------------------------------------------

plugin('stale', qq(if [ \$(wc -l <$dir/stale.runs) = 1 ]; then\n)
    . prints('stale-hush') . "else\n" . prints('tok-fresh') . "fi\n");
my $pool = pool(settings => with(cluster('stale', 'stale')), threads => 8);
my @write = ($pool, 'POST', '/clusters/stale/proxy/version', body => 'x');
is request(@write)->{status}, 401, 'a write is not sent again after a 401';
ok wait_for(sub { runs('stale') == 2 }, 5, 'another run'),
    'but another credential is asked for';
sleep 0.3;
is request(@write)->{status}, 200, 'which the next write gets';
is runs('stale'), 2, 'with no further run';

# --- Workers ----------------------------------------------------------------

plugin('slow', "sleep 4\n" . prints('tok-slow'));
plugin('well', prints('tok-well'));
$pool = pool(settings => with(map { cluster($_, $_) } qw(well slow)),
    threads => 8);
is get($pool, '/clusters/well/proxy/version')->{status}, 200, 'one is well';
my @children = map {
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		get($pool, '/clusters/slow/proxy/version', timeout => 20);
		require POSIX;
		POSIX::_exit(0);
	}
	$pid;
} 1 .. 12;
sleep 0.5;
my $began = time;
is get($pool, '/clusters')->{status}, 200, 'the list of clusters is there';
cmp_ok time - $began, '<', 2.5,
    'while more wait for a credential than there are workers';
waitpid $_, 0 for @children;

# --- CGI --------------------------------------------------------------------

plugin('slow', "sleep 4\n" . prints('tok-slow'));
my $bin = Stagedoor::Util::stagedoor_bin();

sub cgi {
	my ($file) = @_;
	local %ENV = (%ENV, GATEWAY_INTERFACE => 'CGI/1.1',
	    REQUEST_METHOD => 'GET', SERVER_PROTOCOL => 'HTTP/1.1',
	    REQUEST_URI => '/api/kubernetes/clusters/slow/proxy/version',
	    STAGEDOOR_USER => 'user:default/alice', QUERY_STRING => '',
	    STAGEDOOR_CONFIG => $file);
	open my $out, '-|', "exec $bin 2>>$dir/cgi.log </dev/null"
	    or die "$bin: $!";
	my $began = time;
	my $answer = do { local $/; <$out> };
	return ($answer, time - $began);	# the program may go on
}

my $late = with(cluster('slow', 'slow', timeout => 1, connectTimeout => 0.5));
my $file = write_file("$dir/cgi.json.yaml", encode_json($late));
my ($out, $took) = cgi($file);
cmp_ok $took, '<', 3, 'a CGI process does not keep its client '
    . 'waiting for what it asked for in vain';
like $out, qr/try again soon/, 'which has its answer';

# A header "Proxy" is HTTP_PROXY to a CGI program, and no setting of ours.
plugin('slow', "echo \"\${HTTP_PROXY-none} \${HTTPS_PROXY-none}\" "
    . ">$dir/proxies\n" . prints('tok-slow'));
{
	local @ENV{qw(HTTP_PROXY HTTPS_PROXY)} = qw(http://client http://ours);
	cgi(write_file("$dir/proxy.json.yaml",
	    encode_json(with(cluster('slow', 'slow')))));
}
is slurp("$dir/proxies"), "none http://ours\n",
    'no client of a CGI program chooses a proxy for programs';

log_has_no('no secret is in a log', 'stale-hush', 'tok-');
done_testing;
