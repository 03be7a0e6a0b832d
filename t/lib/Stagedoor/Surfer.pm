# SPDX-License-Identifier: Apache-2.0
# A browser without a screen, for signing in at real issuers' pages: cookies,
# redirects, links and forms. What is at one address (an issuer behind TLS)
# can be asked for at a port of loopback instead.
#
#	my $surfer = Stagedoor::Surfer->new(
#	    at => { 'https://127.0.0.1:8443' => $port });
#	my $page = $surfer->go($address);	# { url, status, body }
#	$page = $surfer->submit($page, login => 'alice', password => 'x');
#
# A redirect to somewhere that is not in "at" is not followed: url says where
# it leads, and status is undef.
package Stagedoor::Surfer;

use strict;
use warnings;

use Stagedoor::Fake::URL qw(escape);
use Stagedoor::HTTP;

sub new {
	my ($class, %opt) = @_;
	return bless { at => {}, cookies => {}, %opt }, $class;
}

sub go { return $_[0]->_walk('GET', $_[1]) }

# Cookies for what is at that port: cookie(PORT, NAME => VALUE).
sub cookie {
	my ($self, $port, $name, $value) = @_;
	$self->{cookies}{$port}{$name} = $value;
	return $self;
}

# from is the origin of the page with the form.
sub _walk {
	my ($self, $method, $url, $body, $from) = @_;
	for (1 .. 20) {
		my ($origin, $target) = $url =~ m{^(https?://[^/?]+)(.*)$}s
		    or die "no URL: $url\n";
		my $port = $self->{at}{$origin} // return { url => $url };
		my $answer = $self->_ask($port, $method, $target || '/',
		    body => $body, origin => $from);
		my $to = $answer->{headers}{location};
		return { url => $url, status => $answer->{status},
		    body => $answer->{body}, headers => $answer->{headers} }
		    if ($answer->{status} // 0) !~ /^30[1237]$/;
		($method, $body, $from) = ('GET') if $answer->{status} != 307;
		$url = _absolute($url, $to);
	}
	die "too many redirects, to $url\n";
}

sub _ask {
	my ($self, $port, $method, $target, %opt) = @_;
	my $body = $opt{body};
	my $jar = $self->{cookies}{$port} //= {};
	my %headers = (Accept => 'text/html');
	$headers{Cookie} = join '; ', map { "$_=$jar->{$_}" } sort keys %$jar
	    if %$jar;
	$headers{'Content-Type'} = 'application/x-www-form-urlencoded'
	    if defined $body;
	$headers{Origin} = $opt{origin} if defined $opt{origin};
	my $answer = Stagedoor::HTTP->new(port => $port)->request($method,
	    $target =~ s/#.*//sr, headers => \%headers,
	    defined $body ? (body => $body) : (), timeout => 60);
	for (@{$answer->{list} // []}) {
		my ($name, $value) = @$_;
		$jar->{$1} = $2 if lc $name eq 'set-cookie'
		    && $value =~ /^([^=]+)=([^;]*)/;
	}
	return $answer;
}

sub _absolute {
	my ($base, $to) = @_;
	return $to if $to =~ m{^https?://};
	my ($origin, $path) = $base =~ m{^(https?://[^/?]+)([^?#]*)};
	return "$origin$to" if $to =~ m{^/};
	$path = $base =~ s/\?.*//sr, return "$path$to" if $to =~ /^\?/;
	return $origin . ($path =~ s{[^/]*$}{}r) . $to;
}

sub _plain {
	my ($text) = @_;
	my %of = (amp => '&', lt => '<', gt => '>', quot => '"', '#34' => '"',
	    '#39' => "'", '#43' => '+');
	return $text =~ s/&(#?\w+);/$of{$1} \/\/ "&$1;"/ger;
}

# The address of the first link whose text or address matches.
sub link_to {
	my ($page, $pattern) = @_;
	while ($page->{body} =~ m{<a\b([^>]*)>(.*?)</a>}gs) {
		my ($attributes, $text) = ($1, $2);
		my ($href) = $attributes =~ /\bhref="([^"]*)"/ or next;
		return _absolute($page->{url}, _plain($href))
		    if $text =~ $pattern || $href =~ $pattern;
	}
	return undef;
}

# post(ADDRESS, FORM, ADDRESS of the page that it is on).
sub post {
	my ($self, $url, $form, $page) = @_;
	my ($origin) = ($page // $url) =~ m{^(https?://[^/?]+)};
	return $self->_walk(POST => $url, $form, $origin);
}

# Send the page's first form, with these values in it.
sub submit {
	my ($self, $page, %values) = @_;
	my ($head, $inside) = $page->{body} =~ m{<form\b([^>]*)>(.*?)</form>}s
	    or die "no form on $page->{url}:\n$page->{body}\n";
	my %all;
	while ($inside =~ /<input\b([^>]*)>/g) {
		my $attributes = $1;
		my ($name) = $attributes =~ /\bname="([^"]*)"/ or next;
		my ($value) = $attributes =~ /\bvalue="([^"]*)"/;
		$all{$name} = _plain($value // '');
	}
	%all = (%all, %values);
	my $form = join '&', map { "$_=" . escape($all{$_}) } sort keys %all;
	my ($action) = $head =~ /\baction="([^"]*)"/;
	my $url = defined $action && $action ne ''
	    ? _absolute($page->{url}, _plain($action)) : $page->{url};
	return $self->post($url, $form, $page->{url})
	    if $head =~ /\bmethod="post"/i;
	return $self->go($url . ($url =~ /\?/ ? '&' : '?') . $form);
}

1;
