#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# A cluster is not trusted with the portal: what its answers to /proxy say in
# headers commands neither the web server nor the browser's view of our site.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Web;

# What the cluster answers: by the name in the path.
my $many = join '', map { "X-Many-$_: v\r\n" } 1 .. 2000;
my %heads = (
	cookie => "Set-Cookie: evil=1\r\nset-cookie: evil=2\r\n"
	    . "SET-COOKIE2: evil=3\r\n",
	folded => "X-Any: a\r\n Set-Cookie: evil=1\r\n",
	bare_lf => "X-Any: a\nSet-Cookie: evil=1\r\n",
	bare_cr => "X-Any: a\rSet-Cookie: evil=1\r\n",
	nul => "X-Any: a\0Set-Cookie: evil=1\r\n",
	status => "Status: 500 evil\r\nstatus: 302\r\n",
	accel => "X-Accel-Redirect: /secret\r\n",
	accel_rest => "X-Accel-Limit-Rate: 1\r\nX-Accel-Expires: 9\r\n"
	    . "X-Accel-Buffering: yes\r\nX-Accel-Charset: utf-7\r\n",
	sendfile => "X-Sendfile: /etc/passwd\r\n"
	    . "X-LIGHTTPD-send-file: /etc/passwd\r\n"
	    . "X-Sendfile2: /etc/passwd 0-\r\n",
	ours => "X-Stagedoor-User: root\r\nX-Stagedoor-Authorization: x\r\n",
	hops => "Keep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\n"
	    . "Upgrade: evil\r\nTrailer: X-Any\r\nTE: trailers\r\n",
	site => "Strict-Transport-Security: max-age=0\r\n"
	    . "Content-Security-Policy: default-src *\r\n"
	    . "X-Frame-Options: ALLOWALL\r\n"
	    . "X-Content-Type-Options: evil\r\n",
	cors => "Access-Control-Allow-Origin: *\r\n"
	    . "Access-Control-Allow-Credentials: true\r\n",
	clear => qq(Clear-Site-Data: "*"\r\n),
	empty_name => ": evil\r\n: \r\n",
	no_colon => "evil without a colon\r\n",
	many => $many,
	long => 'X-Long: ' . 'v' x 200_000 . "\r\n",
	two_types => "Content-Type: text/html\r\n",
	fine => "X-Fine: yes\r\nWarning: 299 - \"w\"\r\n",
);

my $fake = fake(clusters => [{ name => 'evil', handler => sub {
	my ($request, $conn) = @_;
	my ($name) = $request->{target} =~ m{^/(\w+)$};
	$conn->raw_write("HTTP/1.1 200 OK\r\n" . ($heads{$name} // '')
	    . "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody");
	$conn->close;
	return 1;
} }]);
my $pool = pool(settings => settings(fake => $fake));

my $forbidden = join '|', qw(set-cookie set-cookie2 x-accel-redirect
    x-accel-limit-rate x-accel-expires x-accel-charset x-sendfile
    x-lighttpd-send-file x-sendfile2 keep-alive proxy-authenticate upgrade
    trailer te x-stagedoor-user x-stagedoor-authorization);
my %fixed = ('x-frame-options' => 'SAMEORIGIN',
    'x-content-type-options' => 'nosniff');

sub obeys_nothing {
	my ($target, $how) = @_;
	for my $name (sort keys %heads) {
		my $answer = get($target, "/clusters/evil/proxy/$name");
		my $status = $answer->{status} // 0;
		ok $status == 200 || $status >= 500,
		    "$how, $name: passed on or given up"
		    or diag explain $answer;
		next if $status != 200;
		is $answer->{body}, 'body', 'with the body of the cluster';
		my @bad = grep { $_->[0] =~ /^(?:$forbidden)$/i
		    || "$_->[0]$_->[1]" =~ /evil=|[\r\n\0]/ }
		    @{$answer->{list}};
		is join(', ', map { "$_->[0]: $_->[1]" } @bad), '',
		    'and no header that is not its business';
		is $answer->{headers}{$_}, $fixed{$_}, "$_ is ours"
		    for $name eq 'site' ? sort keys %fixed : ();
	}
	is get($target, '/clusters/evil/proxy/fine')->{headers}{'x-fine'},
	    'yes', "$how: other headers pass";
}

obeys_nothing($pool, 'FastCGI');
SKIP: {
	skip_one('no nginx'), last SKIP if !have_program('nginx');
	my $secret = tempdir();
	write_file("$secret/secret", 'the secret file');
	obeys_nothing(nginx(pool => $pool,
	    server => "location /secret { internal; root $secret; }"),
	    'nginx');
}
SKIP: {
	skip_one('no Apache'), last SKIP if !have_program('apache2');
	chmod 0666, $pool->socket;
	obeys_nothing(Stagedoor::Web->apache('apache-proxy-fcgi',
	    pool => $pool, modules => [qw(proxy proxy_fcgi)]), 'Apache');
}
is get($pool, '/clusters')->{status}, 200, 'the pool goes on';
is $pool->stop, 0, 'and ends in order';
done_testing;
