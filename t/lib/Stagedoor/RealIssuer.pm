# SPDX-License-Identifier: Apache-2.0
# What Stagedoor::Dex and Stagedoor::OidcProvider share: a real issuer in the
# folder of this test, with a gate before it that counts, delays and fails as
# it is told, and TLS before that if it is wanted.
#
#	$real->issuer, ->ca_file, ->login('corp')	for the settings
#	$real->sign_in($address, user => 'alice')	where it ends
#	$real->behave(token => 'slow:2.5,lost')		Fake/IssuerServer.pm
#	$real->counters		rotations refused reuses codes
#	$real->requests('token'), ->count, ->reset	as of issuer()
package Stagedoor::RealIssuer;

use strict;
use warnings;

use parent 'Stagedoor::Issuer';

use Stagedoor::Fake::IssuerGate;
use Stagedoor::HTTP;
use Stagedoor::Process;
use Stagedoor::Surfer;
use Stagedoor::TLS;
use Stagedoor::Util qw(free_port program skip_or_fail top wait_for);

my $count = 0;

# start(tls => 1, certificate => { crt, key, ca } for one that is there, gate =>
# another class of gate, and what the class has). A class has: _name, _paths,
# _launch (starts the program on the port {upstream}).
sub start {
	my ($class, %opt) = @_;
	my $dir = Stagedoor::Process::dir() . '/' . $class->_name . '-'
	    . ++$count;
	mkdir $dir or die "$dir: $!";
	my ($port, $upstream, $front) = (free_port(), free_port(),
	    $opt{tls} ? free_port() : undef);
	my $base = $front ? "https://127.0.0.1:$front"
	    : "http://127.0.0.1:$port";
	my $self = $class->Stagedoor::Fake::start(clusters => [{
	    name => 'issuer', class => $opt{gate}
		// 'Stagedoor::Fake::IssuerGate',
	    port => $port, base => $base, upstream => $upstream,
	    paths => $class->_paths, options => {} }]);
	@$self{qw(dir base upstream options opt)}
	    = ($dir, $base, $upstream, {}, \%opt);
	$self->_tls($front) if $front;
	$self->_launch;
	$self->_wait_until_ready;
	return $self;
}

sub _tls {
	my ($self, $front) = @_;
	my $own = $self->{opt}{certificate};
	return $self->_tls_front($front) if !$own;
	$self->{ca} = $own->{ca};
	$self->{front} = Stagedoor::TLS::tls_front(listen => $front,
	    to => $self->port, cert => $own->{crt}, key => $own->{key});
}

sub ca_file { return $_[0]{ca} // "$_[0]{dir}/ca.crt" }
sub issuer { return $_[0]{base} . $_[0]->_prefix }
sub _prefix { return '' }
sub process { return $_[0]{process} }

sub _wait_until_ready {
	my ($self) = @_;
	my $http = Stagedoor::HTTP->new(port => $self->{upstream});
	my $process = $self->{process};
	wait_for(sub { $process->ended || ($http->get($self->_prefix
	    . '/.well-known/openid-configuration')->{status} // 0) == 200 },
	    60, $self->_name);
	die $self->_name . " does not start:\n" . $process->log_text
	    if $process->ended;
}

sub stop {
	my ($self) = @_;
	$self->{process}->stop;
	return $self->SUPER::stop;
}

# The folder of what t/issuers/build makes, or the test is skipped.
sub built {
	my ($what) = @_;
	program($_) for qw(sha256sum flock);
	open my $build, '-|', top() . '/t/issuers/build', $what
	    or die "t/issuers/build: $!";
	chomp(my $dir = <$build> // '');
	return $dir if close $build && -d $dir;
	skip_or_fail("$what cannot be had here");
}

# A browser that finds this issuer, and what else "at" says.
sub surfer {
	my ($self, %at) = @_;
	return Stagedoor::Surfer->new(
	    at => { $self->{base} => $self->port, %at });
}

# Follow an address of the authorization endpoint through the issuer's pages,
# as a person would: the address that it sends the browser to in the end.
sub sign_in {
	my ($self, $url, %opt) = @_;
	my $surfer = $self->surfer;
	my $page = $self->_pages($surfer, $surfer->go($url),
	    $opt{user} // 'alice');
	return $page->{url} if !defined $page->{status};
	die $self->_name . " goes no further than $page->{url}:\n"
	    . "$page->{body}\n";
}

1;
