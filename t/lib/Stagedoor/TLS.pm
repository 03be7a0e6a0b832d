# SPDX-License-Identifier: Apache-2.0
# Keys and certificates, made afresh by each test, and a web server that ends
# TLS in front of a fake cluster and passes on what it got.
package Stagedoor::TLS;

use strict;
use warnings;

use Exporter qw(import);
use Stagedoor::Process;

our @EXPORT_OK = qw(make_ca make_cert ec_key rsa_key tls_front slurp);

sub slurp {
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar(<$fh>) // '';
}

sub _openssl {
	my (@args) = @_;
	my $log = Stagedoor::Process::dir() . '/openssl.log';
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		open STDOUT, '>>', $log;
		open STDERR, '>&', \*STDOUT;
		exec 'openssl', @args or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	die "openssl @args: failed, see $log\n" . slurp($log) if $?;
}

my @EC = qw(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes);

# make_ca(DIR, NAME): DIR/NAME.crt and DIR/NAME.key.
sub make_ca {
	my ($dir, $name) = @_;
	_openssl('req', '-x509', @EC, '-keyout', "$dir/$name.key",
	    '-out', "$dir/$name.crt", '-days', '30',
	    '-subj', "/CN=test $name");
}

# make_cert(DIR, NAME, CA, subject => '/CN=x', client => 1): signed by CA of
# the same folder; a server's is for 127.0.0.1 and localhost, and for the
# names => [...].
sub make_cert {
	my ($dir, $name, $ca, %opt) = @_;
	my $ext = "$dir/$name.ext";
	my $names = join ',', 'IP:127.0.0.1',
	    map { "DNS:$_" } 'localhost', @{$opt{names} // []};
	open my $fh, '>', $ext or die "$ext: $!";
	print $fh "basicConstraints=CA:FALSE\n", $opt{client}
	    ? "extendedKeyUsage=clientAuth\n"
	    : "subjectAltName=$names\n";
	close $fh or die "$ext: $!";
	_openssl('req', @EC, '-keyout', "$dir/$name.key",
	    '-out', "$dir/$name.csr",
	    '-subj', $opt{subject} // '/CN=127.0.0.1');
	_openssl('x509', '-req', '-in', "$dir/$name.csr",
	    '-CA', "$dir/$ca.crt", '-CAkey', "$dir/$ca.key",
	    '-CAcreateserial', '-out', "$dir/$name.crt", '-days', '30',
	    '-extfile', $ext);
}

# A P-256 key: DIR/NAME.key (PKCS#8) and DIR/NAME.pub.
sub ec_key {
	my ($dir, $name) = @_;
	_openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
	    'ec_paramgen_curve:P-256', '-out', "$dir/$name.key");
	_openssl('pkey', '-in', "$dir/$name.key", '-pubout',
	    '-out', "$dir/$name.pub");
}

# An RSA key with a certificate of its own: DIR/NAME.key, .crt and .pub.
sub rsa_key {
	my ($dir, $name) = @_;
	_openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout',
	    "$dir/$name.key", '-out', "$dir/$name.crt", '-days', '30',
	    '-subj', "/CN=$name");
	_openssl('pkey', '-in', "$dir/$name.key", '-pubout',
	    '-out', "$dir/$name.pub");
}

# tls_front(listen => PORT, to => PORT, cert => FILE, key => FILE,
# http2 => 1, client_ca => FILE, require_client => 1): an nginx; what it saw
# of TLS goes on as X-Test-* headers, which the fake cluster keeps apart. A
# connection that breaks behind it breaks before it too.
sub tls_front {
	my (%opt) = @_;
	require Stagedoor::Nginx;
	my $http2 = $opt{http2} ? ' http2' : '';
	my $client = $opt{client_ca} ? "ssl_client_certificate $opt{client_ca};"
	    . 'ssl_verify_client '
	    . ($opt{require_client} ? 'on;' : 'optional;') : '';
	return Stagedoor::Nginx->start_bare(name => 'tls', port => $opt{listen},
	    http => <<"END");
	map \$http_upgrade \$front_connection { default upgrade; '' ''; }
	upstream fake { server 127.0.0.1:$opt{to}; keepalive 64; }
	server {
		listen 127.0.0.1:$opt{listen} ssl$http2;
		ssl_certificate $opt{cert};
		ssl_certificate_key $opt{key};
		$client
		underscores_in_headers on;
		ignore_invalid_headers off;
		large_client_header_buffers 4 128k;
		client_max_body_size 0;
		keepalive_requests 1000000;
		error_page 502 = \@broken;
		location \@broken { return 444; }
		location / {
			proxy_pass http://fake;
			proxy_http_version 1.1;
			proxy_buffering off;
			proxy_request_buffering off;
			proxy_read_timeout 1h;
			proxy_pass_header Date;
			proxy_set_header Host \$http_host;
			proxy_set_header Upgrade \$http_upgrade;
			proxy_set_header Connection \$front_connection;
			proxy_set_header X-Test-Subject \$ssl_client_s_dn;
			proxy_set_header X-Test-Connection \$connection;
			proxy_set_header X-Test-Protocol \$server_protocol;
			proxy_set_header X-Test-Resumed \$ssl_session_reused;
		}
	}
END
}

1;
