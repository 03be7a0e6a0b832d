#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor import: the contract's app-configs, turned into libconfig, are
# the same settings; importing what was imported changes no byte; and the
# program answers the same with either.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Sets;

my $dir = tempdir();
my $sets = Stagedoor::Sets->new(dir => $dir);

# What check says, without places and without what is only about syntax.
sub said {
	my ($file) = @_;
	my $run = stagedoor('check', '-c', $file);
	my $err = $run->{err} =~ s/\Q$file\E:\d+: //gr;
	return join "\n", $run->{code}, $run->{out},
	    sort grep { !/unknown key/ } split /\n/, $err;
}

sub imported {
	my ($file, $name) = @_;
	my $run = stagedoor('import', $file);
	is $run->{code}, 0, "$name can be imported" or diag $run->{err};
	return write_file("$dir/$name.conf", $run->{out});
}

for my $name (sort $sets->names) {
	my $yaml = $sets->write($name);
	my $conf = imported($yaml, $name);
	is said($conf), said($yaml), 'and says the same of itself';
	my $again = stagedoor('import', $conf);
	is $again->{out}, slurp($conf), 'once is enough';
}

# --- The same answers -------------------------------------------------------

for my $name (qw(main auth)) {
	my @answers;
	for my $file ($sets->write($name), "$dir/$name.conf") {
		my $pool = pool(config => $file);
		my $answer = get($pool, '/clusters');
		push @answers, "$answer->{status} $answer->{body}";
		$pool->stop;
	}
	is $answers[1], $answers[0], "$name answers the same in libconfig";
}

# --- Secrets stay where they are --------------------------------------------

my $app = write_file("$dir/app.yaml", <<'EOF');
app: {title: not ours}
backend: {database: {password: '${PG_PASSWORD}'}}
kubernetes:
  serviceLocatorMethod: {type: multiTenant}
  clusterLocatorMethods:
  - type: config
    clusters:
    - name: one
      url: ${CLUSTER_URL}
      authProvider: serviceAccount
      serviceAccountToken: ${CLUSTER_TOKEN}
    - {name: two, url: u, authProvider: serviceAccount,
       serviceAccountToken: {$file: two.token}}
EOF
write_file("$dir/two.token", "hush-hush\n");
my $run = Stagedoor::Pool->run(['import', $app],
    env => { CLUSTER_TOKEN => 'hush-hush' });
is $run->{code}, 0, 'variables need not be set';
like $run->{out}, qr/serviceAccountToken = "\$\{CLUSTER_TOKEN\}";/,
    'they stay variables';
like $run->{out}, qr{serviceAccountTokenFile = "\Q$dir\E/two\.token";},
    'files stay files';
unlike $run->{out}, qr/hush/, 'no secret is written';
unlike $run->{out}, qr/title|PG_PASSWORD/, 'nor what is not ours';
my $conf = write_file("$dir/app.conf", $run->{out});
my $check = Stagedoor::Pool->run(['check', '-c', $conf], env =>
    { CLUSTER_URL => 'https://127.0.0.1:1', CLUSTER_TOKEN => 'x',
      PG_PASSWORD => undef });
is $check->{code}, 2, 'and it is what it was';
like $check->{err}, qr/cluster 'two' cannot work: url 'u'/, 'word for word';
$run = stagedoor('import', "$dir/none.yaml");
is $run->{code}, 2, 'a file that is not there';
is $run->{out}, '', 'writes nothing';
done_testing;
