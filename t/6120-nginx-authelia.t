#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Authelia before a real nginx with the file that users include. Authelia
# itself is played, by its documented answers: 200 with Remote-*, or 401 with
# the address to sign in at.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::Nginx;
use Stagedoor::Spoofing;

have_program('nginx') or skip_or_fail('no nginx');
my $fake = fake(clusters => [{ name => 'one' }], backstage => 1);
my @clusters = map { { name => $_->[0], of => 'one', allow => [$_->[1]] } }
    ['of-alice', 'user:default/alice'], ['of-bob', 'user:default/bob'],
    ['of-admins', 'group:default/admins'], ['of-devs', 'group:default/devs'];
my $pool = pool(settings => settings(fake => $fake, source => 'params',
    clusters => \@clusters));

# --- The servers ------------------------------------------------------------

my $port = free_port();
my $authelia = Stagedoor::Nginx->start_bare(name => 'authelia',
    port => $port, http => <<"END");
	map \$cookie_authelia_session \$is_user {
		bobs-session bob;
		nobodys-session "";
		default "";
	}
	map \$cookie_authelia_session \$is_in {
		bobs-session devs,ops;
		default "";
	}
	map \$cookie_authelia_session \$answer {
		bobs-session 200;
		nobodys-session 200;
		default 401;
	}
	log_format asked '\$http_x_original_method \$http_x_original_url '
	    '\$http_content_length|\$http_transfer_encoding|';
	server {
		listen 127.0.0.1:$port;
		location = /api/authz/auth-request {
			access_log asked.log asked;
			add_header Remote-User \$is_user;
			add_header Remote-Groups \$is_in;
			add_header Remote-Email bob\@example.test;
			add_header Location https://auth.test/?rd=x always;
			if (\$answer = 401) { return 401; }
			return 200 "";
		}
	}
END

sub web {
	my ($more) = @_;
	# As the include file has it, but for the port.
	my $block = slurp(top() . '/nginx/stagedoor-authelia.conf')
	    =~ s/127\.0\.0\.1:9091/127.0.0.1:$port/gr;
	my $file = write_file(tempdir() . '/authelia-' . length($more)
	    . '.conf', $block);
	return nginx(pool => $pool, server => "$more include $file;\n"
	    . "location /page { error_page 401 =302 \$stagedoor_sign_in; "
	    . "alias /nowhere; }\n");
}

sub sees {
	my ($web, @headers) = @_;
	my $answer = get($web, '/clusters', headers => \@headers);
	return $answer->{status} // 'closed' if ($answer->{status} // 0) != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

# --- Who is who -------------------------------------------------------------

my $bob = [Cookie => 'authelia_session=bobs-session'];
my $loose = 'underscores_in_headers on; ignore_invalid_headers off;';
for my $more ('', $loose) {
	my $how = $more ? ' (any header let in)' : '';
	my $web = web($more);
	is sees($web), 401, "nobody is nobody$how";
	is sees($web, $bob), 'of-bob of-devs', 'bob, and one of his groups';
	is sees($web, [Cookie => 'authelia_session=nobodys-session']), 401,
	    'who has no name is nobody';
	is $web->get('/_stagedoor/authelia', headers => [$bob])->{status},
	    404, 'the question is not for clients';
	my $page = $web->get('/page');
	is "$page->{status} $page->{headers}{location}",
	    '302 https://auth.test/?rd=x', 'a page may send to sign in';
	post($web, '/services/x?secret=1', headers => [$bob],
	    json => { x => 'y' x 3000 });
	like slurp("$authelia->{dir}/asked.log"),
	    qr{^POST http://\S*/api/kubernetes/services/x\?secret=1 -\|-\|$}m,
	    'it is told method and address, and gets no body';

	my @bad;
	for my $attempt (Stagedoor::Spoofing::attempts()) {
		my ($what, $headers) = @$attempt;
		my $seen = sees($web, @$headers);
		push @bad, "$what: nobody is $seen"
		    if $seen !~ /^(?:4\d\d|closed)$/;
		next if $what =~ /cookie/;
		$seen = sees($web, $bob, @$headers);
		push @bad, "$what: bob is $seen"
		    if $seen !~ /^(?:4\d\d|closed|of-bob of-devs)$/;
	}
	is scalar @bad, 0, "no attempt makes anybody somebody$how"
	    or diag join "\n", @bad;
}
$authelia->stop;
is sees(web(' '), $bob), 500, 'Authelia is not there: nobody gets in';
done_testing;
