# SPDX-License-Identifier: Apache-2.0
# Somebody with a browser, as far as sign-ins need one: it keeps cookies as
# RFC 6265 says, sends forms as our own page's would come, and follows
# nothing by itself.
#
#	my $ann = Stagedoor::Visitor->new(web => $nginx, user => 'ann',
#	    issuer => $issuer);
#	my $answer = $ann->sign_in('oidc/corp');	# of the callback
#	is $ann->sees('one')->{connected}, \1, 'connected';
#
# The web server takes the user from the header X-Test-User: SERVER is text
# for its server block that does so.
package Stagedoor::Visitor;

use strict;
use warnings;

use Stagedoor::Fake::URL qw(escape);
use Stagedoor::HTTP;

use constant SERVER => 'set $stagedoor_user $http_x_test_user;';
use constant BASE => '/api/kubernetes';

sub new {
	my ($class, %opt) = @_;
	return bless { cookies => {}, %opt }, $class;
}

# A path below the base path, or a whole address of ours. form => {...} or
# [NAME, VALUE...] is sent as a form; headers => {...}; foreign => 1: not from
# a page of ours.
sub request {
	my ($self, $method, $address, %opt) = @_;
	my $path = $address =~ m{^https?://[^/]+(/.*)$} ? $1 : BASE . $address;
	my %headers = (
		defined $self->{user} ? ('X-Test-User' => $self->{user}) : (),
		'Sec-Fetch-Site' => $opt{foreign} ? 'cross-site'
		    : 'same-origin', $self->_cookie_header($path),
		%{$opt{headers} // {}});
	if (defined $opt{form}) {
		$headers{'Content-Type'} = 'application/x-www-form-urlencoded';
		$opt{body} = _form($opt{form});
	}
	my $answer = $self->{web}->request($method, $path,
	    body => $opt{body} // ($method eq 'POST' ? '' : undef),
	    headers => \%headers, timeout => $opt{timeout} // 15);
	$self->_take_cookies($answer);
	return $answer;
}

sub get { my $self = shift; return $self->request(GET => @_) }
sub post { my $self = shift; return $self->request(POST => @_) }

sub _form {
	my ($form) = @_;
	my @pairs = ref $form eq 'HASH' ? %$form : @$form;
	my @out;
	while (my ($name, $value) = splice @pairs, 0, 2) {
		push @out, escape($name) . '=' . escape($value);
	}
	return join '&', @out;
}

# --- Cookies ----------------------------------------------------------------

sub _cookie_header {
	my ($self, $path) = @_;
	$path =~ s/\?.*//;
	my @pairs;
	for my $name (sort keys %{$self->{cookies}}) {
		my $cookie = $self->{cookies}{$name};
		push @pairs, "$name=$cookie->{value}"
		    if $path eq $cookie->{path}
		    || index($path, "$cookie->{path}/") == 0;
	}
	return @pairs ? (Cookie => join '; ', @pairs) : ();
}

sub _take_cookies {
	my ($self, $answer) = @_;
	for my $pair (@{$answer->{list} // []}) {
		next if lc $pair->[0] ne 'set-cookie';
		my ($first, @attributes) = split /;\s*/, $pair->[1];
		my ($name, $value) = split /=/, $first, 2;
		my %of = map { my ($k, $v) = split /=/, $_, 2;
		    (lc $k => $v // 1) } @attributes;
		if (($of{'max-age'} // 1) <= 0) {
			delete $self->{cookies}{$name};
			next;
		}
		$self->{cookies}{$name} = { %of, value => $value };
	}
}

# The names of what it keeps.
sub cookies { return sort keys %{$_[0]{cookies}} }

# --- Sign-ins ---------------------------------------------------------------

# Where the start sends it, or undef: begin('oidc/corp', return => '/x').
sub begin {
	my ($self, $login, %form) = @_;
	my $answer = $self->post("/connect/$login", form => \%form);
	return $self->{begun} = $answer->{headers}{location};
}

# As far as the address of the callback; as => whom the issuer signs in.
sub come_back {
	my ($self, $login, %opt) = @_;
	my ($as, $issuer) = (delete $opt{as}, delete $opt{issuer});
	my $to = $self->begin($login, %opt) // return undef;
	return ($issuer // $self->{issuer})->sign_in($to,
	    defined $as ? (user => $as) : ());
}

# All of it: the answer of the callback.
sub sign_in {
	my ($self, $login, %opt) = @_;
	my $back = $self->come_back($login, %opt) // return undef;
	return $self->get($back, foreign => 1);
}

# A cluster of /connect.json, by its name.
sub sees {
	my ($self, $cluster) = @_;
	my $all = Stagedoor::HTTP::json($self->get('/connect.json'));
	my ($one) = grep { $_->{name} eq $cluster } @{$all->{clusters} // []};
	return $one;
}

1;
