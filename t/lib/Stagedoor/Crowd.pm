# SPDX-License-Identifier: Apache-2.0
# Many requests at once over twenty clusters of four providers, whose clouds
# are fake and slow: what a start after a break looks like.
#
#	my $crowd = Stagedoor::Crowd->new;
#	my $web = $crowd->start;
#	my $result = $crowd->rush($web, 200);
#
# The result: good (answers with a row without errors for each cluster),
# seconds, sample (an answer that is not good), and asked: for each source how
# often it was asked since the start, and how many credentials there are.
package Stagedoor::Crowd;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Stagedoor::JSON qw(encode_json);
use Stagedoor::Test ();
use Stagedoor::Util qw(tempdir write_file);
use Time::HiRes qw(time);

my $EACH = 5;		# clusters of each provider
my $PATIENCE = 60;	# seconds
my $ROLE = 'arn:aws:iam::222222222222:role/k8s';
my %CREDENTIALS = (sts => 1, entra => 1, google_token => 1, exec => $EACH);
my $QUERY = '/api/kubernetes/resources/workloads/query';

sub new {
	my ($class) = @_;
	my $self = bless { dir => tempdir(), cloud => Stagedoor::Test::cloud(
	    keys => { AKIACROWD => 'crowd-secret' }) }, $class;
	$self->{fake} = Stagedoor::Test::fake(backstage => 1,
	    clusters => [{ name => 'one', tokens => ['tok-exec'] }]);
	$self->{cloud}->behave(map { $_ => 'slow:1' }
	    qw(sts entra google_token));
	return $self;
}

sub _plugin {
	my ($self) = @_;
	my $file = "$self->{dir}/plugin";
	write_file($file, <<"END");
#!/bin/sh
echo run >>$self->{dir}/runs
sleep 1
echo '{"kind":"ExecCredential","status":{"token":"tok-exec"},'
echo '"apiVersion":"client.authentication.k8s.io/v1"}'
END
	chmod 0755, $file or die "$file: $!";
	return $file;
}

sub _clusters {
	my ($self) = @_;
	my $plugin = $self->_plugin;
	my %more = (
		aws => sub { (assumeRole => $ROLE) },
		azure => sub { () },
		exec => sub { (exec => { command => $plugin,
		    args => ["exec-$_[0]"] }) },
		googleServiceAccount => sub { () },
	);
	my @clusters;
	for my $provider (sort keys %more) {
		push @clusters, map { { name => lc "$provider-$_",
		    url => $self->{fake}->url('one'),
		    skipMetricsLookup => \1, authProvider => $provider,
		    $more{$provider}->($_) } } 1 .. $EACH;
	}
	return @clusters;
}

# A pool behind nginx, with nothing cached.
sub start {
	my ($self) = @_;
	my $cloud = $self->{cloud};
	my $settings = Stagedoor::Test::settings(fake => $self->{fake},
	    clusters => [$self->_clusters], kubernetes => {
		objectTypes => ['pods'], googleServiceAccountCredentials =>
		    encode_json($cloud->google_file('service_account')) },
	    stagedoor => { caFile => $cloud->ca_file });
	$settings->{aws} = { mainAccount => { accessKeyId => 'AKIACROWD',
	    secretAccessKey => 'crowd-secret' } };
	$self->{pool} = Stagedoor::Test::pool(settings => $settings, env => {
	    $cloud->env(qw(sts entra)), AZURE_CLIENT_SECRET =>
	    'azure+secret/%&', AZURE_CLIENT_ID =>
	    'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee', AZURE_TENANT_ID =>
	    '11111111-2222-4333-8444-555555555555' });
	return Stagedoor::Test::nginx(pool => $self->{pool});
}

sub _asked {
	my ($self) = @_;
	my $file = "$self->{dir}/runs";
	my %asked = map { $_ => $self->{cloud}->count($_) }
	    qw(sts entra google_token);
	$asked{exec} = -e $file
	    ? scalar(() = Stagedoor::TLS::slurp($file) =~ /run/g) : 0;
	return { map { $_ => [$asked{$_}, $CREDENTIALS{$_}] } keys %asked };
}

# n queries that are sent before the first is answered.
sub rush {
	my ($self, $web, $n) = @_;
	my $body = encode_json({ entityRef => 'component:default/shop' });
	my $bytes = "POST $QUERY HTTP/1.1\r\nHost: localhost\r\n"
	    . "Content-Type: application/json\r\nConnection: close\r\n"
	    . "Sec-Fetch-Site: same-origin\r\nContent-Length: "
	    . length($body) . "\r\n\r\n$body";
	my $began = time;
	my %answers;
	my $select = IO::Select->new;
	for (1 .. $n) {
		my $socket = IO::Socket::INET->new(PeerAddr =>
		    '127.0.0.1:' . $web->port) or die "connect: $!";
		$socket->syswrite($bytes);
		$select->add($socket);
		$answers{$socket} = '';
	}
	_read_all($select, \%answers, $began + $PATIENCE);
	my @bad = grep { !_is_good($_) } values %answers;
	return { good => $n - @bad, seconds => time - $began,
	    sample => substr($bad[0] // '', 0, 2000),
	    asked => $self->_asked };
}

sub _read_all {
	my ($select, $answers, $until) = @_;
	while ($select->count && time < $until) {
		for my $socket ($select->can_read(1)) {
			my $more = $socket->sysread($answers->{$socket},
			    65536, length $answers->{$socket});
			$select->remove($socket) if !$more;
		}
	}
}

sub _is_good {
	my ($answer) = @_;
	return 0 if $answer !~ m{^HTTP/1\.1 200\b};
	$answer =~ s/\r\n[0-9a-f]+\r\n//g;	# ends of chunks
	my @names = $answer =~ /"cluster":\{"name":"([^"]+)"/g;
	my @errors = $answer =~ /"errors":\[\{/g;
	return @names == 4 * $EACH && !@errors;
}

1;
