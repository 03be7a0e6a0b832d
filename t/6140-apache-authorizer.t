#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Backstage's tokens as identity for applications in Apache: a real Apache
# with the files that users include, mod_fcgid and mod_authnz_fcgi asking, and
# a CGI program that shows what it is told.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::Spoofing;
use Stagedoor::Web;
use Stagedoor::WebChecks;

have_program('apache2') or skip_or_fail('no Apache');
my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);

# Apache's workers are another user where we are root.
sub settings_file {
	my ($name, %opt) = @_;
	my $file = write_file(tempdir() . "/$name.yaml",
	    encode_json(settings(fake => $fake, %opt)));
	chmod 0644, $file or die "$file: $!";
	return $file;
}
my $config = settings_file('tokens', auth => { externalAccess => [{
    type => 'static', options => { token => 'static-token-1',
	subject => 'user:default/alice' } }] });

my $folder = tempdir() . '/programs';
mkdir $folder or die "$folder: $!";
write_file("$folder/show", "#!/bin/sh\necho 'Content-Type: text/plain'\n"
    . "echo\nenv\n");
chmod 0755, "$folder/show" or die "$folder/show: $!";
my $program = <<"END";
ScriptSock cgisock
ScriptAlias /app/ $folder/
<Directory $folder>
	Require all granted
</Directory>
END
my $fcgid = "FcgidIPCDir run\nFcgidProcessTableFile run/table\n";

my $jane = $tokens->user('user:default/jane',
    ent => ['user:default/jane', 'group:default/team']);
my $bearer = $tokens->bearer($jane);
my $told = 'user:default/jane user:default/jane,group:default/team';

# What the program is told, or the status.
sub told {
	my ($web, @headers) = @_;
	my $answer = $web->get('/app/show?q=1', headers => \@headers);
	return $answer->{status} // 'closed' if ($answer->{status} // 0) != 200;
	return join ' ', map { $answer->{body} =~ /^STAGEDOOR_$_=(.*)$/m
	    ? $1 : '-' } qw(USER GROUPS);
}

# refused: what Apache makes of a 403.
sub all_of_it {
	my ($web, $how, $refused) = @_;
	is told($web, $bearer), $told, "$how: jane and her groups";
	is told($web), 401, 'nobody';
	is told($web, $tokens->bearer("${jane}x")), 401, 'a bad token';
	is told($web, $tokens->bearer('static-token-1')), $refused,
	    'a service that is called like a user';
	my $answer = $web->post('/app/show', headers => [$bearer],
	    body => 'x' x 20000);
	like $answer->{body}, qr{^STAGEDOOR_USER=user:default/jane$}m,
	    'with a body';
	unlike $answer->{body}, qr/\Q$jane\E/, 'her token does not go along';
	no_attempt($web, $how, $bearer, $told);
}

sub no_attempt {
	my ($web, $how, $sign, $normal) = @_;
	my @bad;
	for my $attempt (Stagedoor::Spoofing::attempts()) {
		my ($what, $headers) = @$attempt;
		my $seen = told($web, @$headers);
		push @bad, "$what: nobody is $seen"
		    if $seen !~ /^(?:4\d\d|closed)$/;
		next if $what =~ /header$/;
		$seen = told($web, $sign, @$headers);
		push @bad, "$what: the user is $seen"
		    if $seen ne $normal && $seen !~ /^(?:4\d\d|closed)$/;
	}
	is scalar @bad, 0, "$how: no attempt makes anybody somebody"
	    or diag join "\n", @bad;
}

# --- mod_fcgid --------------------------------------------------------------

SKIP: {
	skip_one('no mod_fcgid'), last SKIP
	    if !-e Stagedoor::Web::APACHE_MODULES . '/mod_fcgid.so';
	my $web = Stagedoor::Web->apache('apache-authorizer',
	    config => $config, modules => [qw(fcgid cgid alias)],
	    global => $program . $fcgid);
	all_of_it($web, 'mod_fcgid', 401);
	$web->stop;

	# As FcgidAuthorizer, about whom Apache's own passwords let in.
	my $passwords = Stagedoor::WebChecks::password_file();
	my $params = settings_file('params', source => 'params',
	    stagedoor => { identity => { source => 'params',
		remoteUser => \1 } });
	$web = Stagedoor::Web->apache('apache-fcgid', config => $params,
	    modules => [qw(fcgid cgid alias)], global => $program . $fcgid,
	    host => <<"END");
	<Location "/app/">
		AuthType Basic
		AuthName x
		AuthUserFile $passwords
		Require valid-user
		FcgidAuthorizer "@{[$web->dir]}/bin/stagedoor"
		FcgidAuthorizerAuthoritative On
	</Location>
END
	my ($basic) = grep { $_->[0] eq 'Authorization' }
	    @{{ Stagedoor::WebChecks::as('bob') }->{headers}};
	is told($web, $basic), 'user:default/bob -', 'FcgidAuthorizer: bob';
	is told($web), 401, 'nobody';
	is told($web, $bearer), 401, 'a token';
	no_attempt($web, 'FcgidAuthorizer', $basic, 'user:default/bob -');
	$web->stop;
}

# --- mod_authnz_fcgi --------------------------------------------------------

SKIP: {
	skip_one('no mod_authnz_fcgi'), last SKIP
	    if !-e Stagedoor::Web::APACHE_MODULES . '/mod_authnz_fcgi.so';
	my $place = '127.0.0.1:' . free_port();
	my $pool = Stagedoor::Process->start(name => 'tcp', ours => 1,
	    env => Stagedoor::Pool::clean_env(), command => [stagedoor_bin(),
		'serve', '-c', $config, '--listen', $place,
		'--threads', 16]);
	wait_for(sub { IO::Socket::INET->new(PeerAddr => $place) }, 20,
	    'the pool');
	my $web = Stagedoor::Web->apache('apache-authnz-fcgi', outside => 1,
	    authorizer => $place, modules => [qw(authnz_fcgi cgid alias)],
	    global => $program);
	all_of_it($web, 'mod_authnz_fcgi', 403);
	like $web->get('/app/show', headers => [$bearer])->{body},
	    qr{^REMOTE_USER=user:default/jane$}m, 'she is REMOTE_USER';
	$pool->stop;
	isnt told($web, $bearer), $told,
	    'Stagedoor is not there: nobody gets in';
}
log_has_no('no token is in a log', $jane, (split /\./, $jane)[2]);
done_testing;
