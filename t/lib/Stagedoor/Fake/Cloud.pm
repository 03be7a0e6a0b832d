# SPDX-License-Identifier: Apache-2.0
# Fake clouds: one process on loopback that plays every endpoint of AWS,
# Azure and Google that hands out credentials, over http and https.
#
#	my $cloud = cloud();
#	pool(..., env => { $cloud->env('sts', 'imds') });
#	$cloud->behave(sts => '503,503,ok');
#	is $cloud->count('sts'), 3, 'it tried thrice';
#
# Endpoints, with what they check and hand out, are in Fake/AWS.pm (sts imds
# container), Fake/Azure.pm (entra app_service azure_imds) and Fake/Google.pm
# (google_token metadata google_sts subject iam gke). A request for anything
# else counts for "elsewhere". What is handed out says where it comes from
# and the how-manieth it is: "entra-token-3".
package Stagedoor::Fake::Cloud;

use strict;
use warnings;

use parent 'Stagedoor::Fake';

use Stagedoor::Fake::AWS;
use Stagedoor::Fake::Azure;
use Stagedoor::Fake::CloudServer;
use Stagedoor::Fake::Google;
use Stagedoor::HTTP;
use Stagedoor::Process;
use Stagedoor::TLS;
use Stagedoor::Util qw(free_port);

my $count = 0;

# start(lifetime => SECONDS of what is handed out, if not what was asked for;
# and what the files of the clouds say in "Options").
sub start {
	my ($class, %opt) = @_;
	my $dir = Stagedoor::Process::dir() . '/cloud-' . ++$count;
	mkdir $dir or die "$dir: $!";
	my $self = $class->SUPER::start(clusters => [{ name => 'cloud',
	    class => 'Stagedoor::Fake::CloudServer', dir => $dir,
	    options => \%opt }]);
	$self->{dir} = $dir;
	return $self;
}

sub dir { return $_[0]{dir} }
sub port { return $_[0]->SUPER::port($_[1] // 'cloud') }

# The address, of a path if one is given. The first https one starts an nginx.
sub url { return 'http://127.0.0.1:' . $_[0]->port . ($_[1] // '') }

sub https_url {
	my ($self, $path) = @_;
	$self->{tls} //= $self->_tls;
	return "https://127.0.0.1:$self->{tls}{port}" . ($path // '');
}

sub ca_file {
	my ($self) = @_;
	$self->https_url;
	return "$self->{dir}/ca.crt";
}

sub _tls {
	my ($self) = @_;
	my $dir = $self->{dir};
	Stagedoor::TLS::make_ca($dir, 'ca');
	Stagedoor::TLS::make_cert($dir, 'server', 'ca');
	return Stagedoor::TLS::tls_front(listen => free_port(),
	    to => $self->port, cert => "$dir/server.crt",
	    key => "$dir/server.key");
}

# The variables that lead a program to these endpoints: a list of names and
# values.
sub env {
	my ($self, @endpoints) = @_;
	return map { my $make = Stagedoor::Fake::CloudServer::endpoint($_)
	    ->{env} or die "endpoint '$_' has no variables\n";
	    $make->($self) } @endpoints;
}

# Recorded requests, of one endpoint or all: what Stagedoor::Fake records,
# with endpoint, path and form (a decoded form or JSON body).
sub requests {
	my ($self, $endpoint) = @_;
	Stagedoor::Fake::CloudServer::endpoint($endpoint) if defined $endpoint;
	my $all = $self->SUPER::requests($endpoint);
	@$_{qw(endpoint path)} = @$_{qw(cluster rawPath)} for @$all;
	return $all;
}

sub count { return scalar @{$_[0]->requests($_[1])} }

# behave(ENDPOINT => BEHAVIOUR, ...): from now on. See CloudServer.pm.
sub behave {
	my ($self, %of) = @_;
	while (my ($endpoint, $behaviour) = each %of) {
		Stagedoor::Fake::CloudServer::endpoint($endpoint);
		my $steps = Stagedoor::Fake::CloudServer::steps($behaviour);
		$self->_tell(behave => $endpoint, $steps);
	}
}

# set(lifetime => 60, gke => {...}): options, from now on.
sub set {
	my ($self, %options) = @_;
	$self->_tell(set => \%options);
}

# The next token is number 1 again.
sub recount { $_[0]->_tell('recount') }

sub _tell {
	my ($self, @what) = @_;
	return $self->_control('/tell', ['cloud', @what]);
}

# Who the bearer of an EKS token is to a cluster: STS is asked as the
# cluster's side would. { Arn, UserId, Account } or { Code, Message }.
sub eks_identity {
	my ($self, $token, $cluster) = @_;
	my ($host, $target) = Stagedoor::Fake::AWS::eks_target($token)
	    or return { Code => 'NoToken' };
	my $answer = Stagedoor::HTTP->new(port => $self->port)->get($target,
	    headers => { Host => $host, 'x-k8s-aws-id' => $cluster });
	return { $answer->{body} =~
	    m{<(Arn|UserId|Account|Code|Message)>([^<]*)<}g };
}

# A certificate with its key that the app of the tenant may sign with: a PEM
# file, as AZURE_CLIENT_CERTIFICATE_PATH has it.
sub azure_certificate {
	my ($self) = @_;
	my $name = "$self->{dir}/azure";
	Stagedoor::TLS::rsa_key($self->{dir}, 'azure') if !-e "$name.pem";
	Stagedoor::Util::write_file("$name.pem", map {
	    Stagedoor::TLS::slurp("$name.$_") } qw(key crt));
	return "$name.pem";
}

# What a credentials file of Google's holds, to be changed and written by the
# test: TYPE is service_account, authorized_user, external_account or
# impersonated_service_account.
sub google_file { return Stagedoor::Fake::Google::file(@_) }

1;
