#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Who asks is the web server's word. Whatever a client writes into headers,
# query or cookies, in every spelling that nginx and Apache let through, it
# stays who it is.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Stagedoor::Spoofing;
use Stagedoor::Web;

my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my @clusters = ({ name => 'everyone', of => 'one' },
    { name => 'of-alice', of => 'one', allow => ['user:default/alice'] },
    { name => 'of-bob', of => 'one', allow => ['user:default/bob'] },
    { name => 'of-admins', of => 'one', allow => ['group:default/admins'] });

sub settings_with {
	my (%identity) = @_;
	my $settings = settings(fake => $fake, clusters => \@clusters,
	    source => 'params', stagedoor => { socketMode => '0666' });
	%{$settings->{stagedoor}{identity}}
	    = (%{$settings->{stagedoor}{identity}}, %identity);
	return $settings;
}
my $pool = pool(settings => settings_with());

# --- What a client may try --------------------------------------------------

my @attempts = Stagedoor::Spoofing::attempts();
my @targets = Stagedoor::Spoofing::targets('/clusters');

# The clusters that one sees, or the status.
sub sees {
	my ($answer) = @_;
	return $answer->{status} // $answer->{error} // 'timeout'
	    if ($answer->{status} // 0) != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

# Each attempt must give what no attempt gives, or be refused by the web
# server.
sub none_succeeds {
	my ($web, $who, $normal) = @_;
	my @bad;
	for my $attempt (@attempts) {
		my $seen = sees(get($web, '/clusters',
		    headers => $attempt->[1]));
		push @bad, "$attempt->[0]: $seen"
		    if $seen ne $normal && $seen !~ /^(?:4\d\d|closed)$/;
	}
	for my $target (@targets) {
		my $seen = sees(get($web, $target));
		push @bad, "$target: $seen" if $seen ne $normal;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is scalar @bad, 0, "$who: " . (@attempts + @targets)
	    . ' attempts change nothing' or diag join "\n", @bad;
}

# --- The pool itself --------------------------------------------------------

is sees(get($pool, '/clusters')), 401, 'nobody is nobody';
is sees(get($pool, '/clusters', as => 'alice')), 'everyone of-alice',
    'alice is alice';
is sees(get($pool, '/clusters', as => 'USER:Default/Alice')),
    'everyone of-alice', 'in any spelling of her ref';
is sees(get($pool, '/clusters', as => 'carl', params =>
    [STAGEDOOR_GROUPS => 'x, admins'])), 'everyone of-admins', 'with groups';
is sees(get($pool, '/clusters', params => [REMOTE_USER => 'alice'])), 401,
    'REMOTE_USER is no identity unless a setting says so';
is sees(get($pool, '/clusters', as => 'bob',
    params => [STAGEDOOR_USER => 'alice'])), 400, 'twice is refused';
is sees(get($pool, '/clusters', as => $_)), 400,
    'refused: ' . encode_json(substr $_, 0, 20) for "alice\nx", "al\x7fice",
    "\x01", 'a' x 5000, ':', 'user:', 'user:/x', 'user:a/';
is sees(get($pool, '/clusters', as => '')), 401, 'an empty name is none';
none_succeeds($pool, 'over FastCGI', 401);

# --- nginx ------------------------------------------------------------------

SKIP: {
	skip_one('no nginx'), last SKIP if !have_program('nginx');
	my $loose = 'underscores_in_headers on; ignore_invalid_headers off;';
	for my $more ('', $loose) {
		my $how = $more ? ', any header let in' : '';
		my $nobody = nginx(pool => $pool, server => $more);
		none_succeeds($nobody, "nginx, nobody$how", 401);
		my $bob = nginx(pool => $pool, server => $more,
		    user => 'bob');
		is sees(get($bob, '/clusters')), 'everyone of-bob',
		    "nginx says bob$how";
		none_succeeds($bob, "nginx, bob$how", 'everyone of-bob');
		$_->stop for $nobody, $bob;
	}
	trailers_and_pipes(nginx(pool => $pool));
}

# A trailer, and a second request hidden in the body of the first.
sub trailers_and_pipes {
	my ($web) = @_;
	my $list = BASE . '/clusters';
	my $answer = $web->raw("GET $list HTTP/1.1\r\nHost: x\r\n"
	    . "Transfer-Encoding: chunked\r\nTrailer: STAGEDOOR_USER\r\n\r\n"
	    . "0\r\nSTAGEDOOR_USER: alice\r\n\r\n");
	isnt $answer->{status}, 200, 'a trailer changes nothing';
	$answer = $web->raw("POST $list HTTP/1.1\r\nHost: x\r\n"
	    . "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
	    . "0\r\n\r\nGET $list HTTP/1.1\r\nSTAGEDOOR_USER: alice\r\n\r\n");
	isnt $answer->{status}, 200, 'a hidden request is not served';
}

# --- Apache -----------------------------------------------------------------

sub apache_tests {
	my ($file, @start) = @_;
	my $nobody = Stagedoor::Web->apache($file, @start);
	is sees(get($nobody, '/clusters')), 401, "$file: nobody is nobody";
	none_succeeds($nobody, "$file, nobody", 401);
	$nobody->stop;
	my $bob = Stagedoor::Web->apache($file, @start,
	    location => 'SetEnv STAGEDOOR_USER bob');
	is sees(get($bob, '/clusters')), 'everyone of-bob',
	    "$file: Apache says bob";
	none_succeeds($bob, "$file, bob", 'everyone of-bob');
	$bob->stop;
}

SKIP: {
	skip_one('no Apache'), last SKIP if !have_program('apache2');
	apache_tests('apache-proxy-fcgi', pool => $pool,
	    modules => [qw(proxy proxy_fcgi)]);
	skip_one('no mod_fcgid'), last SKIP
	    if !-e Stagedoor::Web::APACHE_MODULES . '/mod_fcgid.so';
	my $file = write_file(tempdir() . '/fcgid.yaml',
	    encode_json(settings_with()));
	chmod 0644, $file;
	apache_tests('apache-fcgid', config => $file, modules => ['fcgid'],
	    global => "FcgidIPCDir run\nFcgidProcessTableFile run/table\n");
}

# --- Where REMOTE_USER counts -----------------------------------------------

my $remote = pool(settings => settings_with(remoteUser => \1));
is sees(get($remote, '/clusters', params => [REMOTE_USER => 'alice'])),
    'everyone of-alice', 'REMOTE_USER, where a setting says so';
is sees(get($remote, '/clusters', as => 'bob',
    params => [REMOTE_USER => 'alice'])), 'everyone of-bob',
    'does not outdo STAGEDOOR_USER';
none_succeeds($remote, 'over FastCGI', 401);
SKIP: {
	skip_one('no nginx'), last SKIP if !have_program('nginx');
	none_succeeds(nginx(pool => $remote, server =>
	    'underscores_in_headers on; ignore_invalid_headers off;'),
	    'nginx, where REMOTE_USER would count', 401);
}

# --- Guests -----------------------------------------------------------------

my $guests = pool(settings => settings_with(guest => 'user:default/guest'));
is sees(get($guests, '/clusters')), 'everyone', 'a guest is a guest';
none_succeeds($guests, 'as a guest', 'everyone');
done_testing;
