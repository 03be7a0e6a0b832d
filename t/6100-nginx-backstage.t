#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Backstage's tokens as identity for other upstreams: a real nginx with the
# two files that users include, before a FastCGI program (another pool, which
# takes its users from parameters) and an HTTP server.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;
use Stagedoor::BackstageTokens;
use Stagedoor::Nginx;
use Stagedoor::Spoofing;

have_program('nginx') or skip_or_fail('no nginx');
my $tokens = Stagedoor::BackstageTokens->new;
my $fake = fake(clusters => [{ name => 'one', behaviour => 'anon' }],
    backstage => 1);
$fake->backstage_says(jwks => $tokens->jwks);
my $pool = pool(settings => settings(fake => $fake, auth => {
    externalAccess => [{ type => 'static', options =>
	{ token => 'static-token-1', subject => 'user:default/alice' } }] }));

# The FastCGI program: what it lists says whom it was told.
my @clusters = map { { name => $_->[0], of => 'one', allow => [$_->[1]] } }
    ['of-alice', 'user:default/alice'], ['of-jane', 'user:default/jane'],
    ['of-team', 'group:default/team'], ['of-admins', 'group:default/admins'];
my $program = pool(name => 'program', settings => settings(fake => $fake,
    source => 'params', clusters => \@clusters,
    stagedoor => { basePath => '/app' }));

sub web {
	my ($more) = @_;
	my $port = free_port();
	my $upstream = $fake->url('one');
	return Stagedoor::Nginx->start_bare(name => 'nginx', port => $port,
	    includes => $pool->socket, http => <<"END");
	include stagedoor/stagedoor.conf;
	server {
		listen 127.0.0.1:$port;
		server_name localhost;
		$more
		include stagedoor/stagedoor-location.conf;
		include stagedoor/stagedoor-backstage.conf;
		location /app/ {
			include stagedoor/stagedoor-backstage-user.conf;
			fastcgi_pass unix:@{[$program->socket]};
			fastcgi_param REQUEST_METHOD \$request_method;
			fastcgi_param REQUEST_URI \$request_uri;
			fastcgi_param CONTENT_TYPE \$content_type;
			fastcgi_param CONTENT_LENGTH \$content_length;
		}
		location /http/ {
			include stagedoor/stagedoor-backstage-user.conf;
			proxy_pass $upstream/;
		}
	}
END
}

my $jane = $tokens->user('user:default/jane',
    ent => ['user:default/jane', 'group:default/team']);
my $bearer = $tokens->bearer($jane);

sub sees {
	my ($web, @headers) = @_;
	my $answer = $web->get('/app/clusters', headers => \@headers);
	return $answer->{status} // 'closed' if ($answer->{status} // 0) != 200;
	return join ' ', map { $_->{name} } @{body_of($answer)->{items}};
}

# What the HTTP server is told: { status, user, groups, authorization }.
sub told {
	my ($web, @headers) = @_;
	$fake->reset;
	my $answer = $web->get('/http/version', headers => \@headers);
	my $got = $fake->last_request('one') // return $answer->{status}
	    // 'closed';
	my %names;
	push @{$names{tr/_/-/r}}, $got->{headers}{$_}
	    for keys %{$got->{headers}};
	return join ' ', map { join '+', @{$names{"x-stagedoor-$_"} // []} }
	    qw(user groups);
}

my $loose = 'underscores_in_headers on; ignore_invalid_headers off;';
for my $more ('', $loose) {
	my $how = $more ? ' (any header let in)' : '';
	my $web = web($more);
	is sees($web, $bearer), 'of-jane of-team', "jane and her groups$how";
	is told($web, $bearer), 'user:default/jane '
	    . 'user:default/jane,group:default/team', "over HTTP$how";
	is $fake->last_request('one')->{headers}{authorization}, undef,
	    'her token does not go along';
	is sees($web), 401, "nobody$how";
	is told($web), 401, "over HTTP$how";
	is sees($web, $tokens->bearer("${jane}x")), 401, 'a bad token';
	is sees($web, $tokens->bearer('static-token-1')), 403,
	    'a service that is called like a user';
	is $web->post('/app/services/x', headers => [$bearer,
	    ['Sec-Fetch-Site', 'same-origin']], json => { pad => 'y' x 5000,
	    entity => { kind => '', metadata => {} } })->{status}, 403,
	    'a body goes past the question';
	is $web->get('/_stagedoor/authorize', headers => [$bearer])->{status},
	    404, 'the question itself is not for clients';
	is $web->get(BASE . '/authorize', headers => [$bearer])->{status},
	    404, 'nor is it at its own place';

	my @bad;
	for my $attempt (Stagedoor::Spoofing::attempts()) {
		my ($what, $headers) = @$attempt;
		my $sign = $what =~ /header$/ ? undef : $bearer;
		my ($nobody, $she) = (sees($web, @$headers),
		    sees($web, $sign // (), @$headers));
		push @bad, "$what: nobody is $nobody"
		    if $nobody !~ /^(?:4\d\d|closed)$/;
		push @bad, "$what: jane is $she" if $she !~
		    /^(?:4\d\d|closed|of-jane of-team)$/;
		my $http = told($web, $sign // (), @$headers);
		push @bad, "$what: over HTTP $http" if $http !~ m{^(?:4\d\d
		    |closed|user:default/jane\ user:default/jane,
		    group:default/team)$}x;
	}
	is scalar @bad, 0, "no attempt makes anybody somebody$how"
	    or diag join "\n", @bad;
	$web->stop;
}

$pool->stop;
is sees(web(''), $bearer), 500, 'Stagedoor is not there: nobody gets in';
log_has_no('no token is in a log', $jane, (split /\./, $jane)[2]);
done_testing;
