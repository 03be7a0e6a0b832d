# SPDX-License-Identifier: Apache-2.0
# aws-iam-authenticator on loopback: what an EKS cluster asks who a token is
# of. It is the real server; the STS that it asks is a fake one.
#
#	my $iam = Stagedoor::Authenticator->start(cluster_id => 'shop',
#	    identities => {...}, hosts => [...],  # see Fake::STS
#	    users => { ARN => [name, group...] },
#	    roles => { ARN => [name, group...] }, partition => 'aws-cn');
#	Stagedoor::Cluster->start(webhook => $iam->webhook);
#	$iam->review($token);		# the status of a TokenReview
package Stagedoor::Authenticator;

use strict;
use warnings;

use IO::Socket::INET;
use Stagedoor::Cluster;
use Stagedoor::Fake::STS;
use Stagedoor::HTTP;
use Stagedoor::JSON qw(decode_json encode_json);
use Stagedoor::Process;
use Stagedoor::Util qw(free_port program run_command tempdir wait_for
    write_file);

# It insists on showing its health there, on all addresses. Whoever has the
# port on loopback keeps it from that, and it goes on without.
my $health = 21363;

my $count = 0;

sub start {
	my ($class, %opt) = @_;
	my $self = bless { name => 'iam-' . ++$count, port => free_port(),
	    partition => 'aws', %opt }, $class;
	my $program = Stagedoor::Cluster::programs()
	    . '/aws-iam-authenticator';
	$self->{dir} = tempdir() . "/$self->{name}";
	mkdir $self->{dir} or die "$self->{dir}: $!";
	$self->{sts} = Stagedoor::Fake::STS->start(
	    map { $_ => $opt{$_} } qw(identities hosts));
	$self->{held} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
	    LocalPort => $health, Listen => 1);
	$self->{process} = Stagedoor::Process->start(name => $self->{name},
	    env => $self->_environment, command => [$program, 'server',
	    '--config', $self->_write_config]);
	wait_for(sub { $self->{process}->ended || Stagedoor::HTTP::connect_to(
	    { host => '127.0.0.1', port => $self->{port} }) }, 30,
	    'aws-iam-authenticator');
	die "aws-iam-authenticator does not start\n"
	    if $self->{process}->ended;
	return $self;
}

sub _environment {
	my ($self) = @_;
	my %none = map { $_ => undef } grep { /^AWS_|_proxy$/i } keys %ENV;
	return { %none, HOME => $self->{dir}, AWS_REGION => 'us-east-1',
	    AWS_EC2_METADATA_DISABLED => 'true',
	    HTTPS_PROXY => $self->{sts}->proxy->url,
	    SSL_CERT_FILE => $self->{sts}->proxy->ca_file,
	    SSL_CERT_DIR => '/nonexistent' };
}

# It reads YAML, which JSON is.
sub _write_config {
	my ($self) = @_;
	return write_file("$self->{dir}/config.yaml", encode_json({
		clusterID => $self->{cluster_id},
		server => {
			address => '127.0.0.1', port => $self->{port},
			partition => $self->{partition},
			stateDir => $self->{dir},
			generateKubeconfig => $self->webhook,
			backendMode => ['MountedFile'],
			mapUsers => _mappings('userARN', $self->{users}),
			mapRoles => _mappings('roleARN', $self->{roles}),
		} }));
}

sub _mappings {
	my ($key, $mappings) = @_;
	return [map {
		my ($name, @groups) = @{$mappings->{$_}};
		+{ $key => $_, username => $name, groups => \@groups };
	} sort keys %{$mappings // {}}];
}

# For --authentication-token-webhook-config-file.
sub webhook { return "$_[0]{dir}/webhook.kubeconfig" }
sub log_text { return $_[0]{process}->log_text }

sub review {
	my ($self, $token) = @_;
	my $ran = run_command([program('curl'), '-s', '--cacert',
	    "$self->{dir}/cert.pem", '-d', '@-',
	    "https://127.0.0.1:$self->{port}/authenticate"],
	    stdin => encode_json({ kind => 'TokenReview',
	    apiVersion => 'authentication.k8s.io/v1beta1',
	    spec => { token => $token } }));
	die "TokenReview: $ran->{err}" if $ran->{code} != 0;
	return decode_json($ran->{out})->{status};
}

1;
