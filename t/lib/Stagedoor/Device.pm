# SPDX-License-Identifier: Apache-2.0
# What `stagedoor login` says to the portal, a step at a time, and what its
# user does in a browser (a Stagedoor::Visitor).
#
#	my $device = Stagedoor::Device->new(web => $nginx, name => 'laptop');
#	$device->ask;			# {code} is the user's
#	$device->allow($ann);		# enters the code, sees, allows
#	my $token = $device->token;	# or undef: {said} is the whole answer
package Stagedoor::Device;

use strict;
use warnings;

use Stagedoor::Fake::URL qw(escape);
use Stagedoor::JSON qw(decode_json);
use Time::HiRes qw(sleep time);

use constant BASE => '/api/kubernetes';
use constant GRANT => 'urn:ietf:params:oauth:grant-type:device_code';

sub new {
	my ($class, %opt) = @_;
	return bless { base => BASE, %opt }, $class;
}

# A form to one of our routes, without an identity: the answer, with {json}.
sub post {
	my ($self, $route, %form) = @_;
	my $body = join '&', map { escape($_) . '=' . escape($form{$_}) }
	    sort keys %form;
	my $answer = $self->{web}->request(POST => "$self->{base}$route",
	    headers => { 'Content-Type' =>
		'application/x-www-form-urlencoded' }, body => $body,
	    @{$self->{with} // []});
	$answer->{json} = eval { decode_json($answer->{body}) } // {};
	return $answer;
}

sub ask {
	my ($self) = @_;
	my $answer = $self->post('/portal/device', device =>
	    $self->{name} // '');
	@$self{qw(code device_code)} =
	    @{$answer->{json}}{qw(user_code device_code)};
	return $answer;
}

# One question for the token, not too early for the process that is asked:
# where there are others with the same store (also => [POOL...]), they take
# turns, so that nobody waits.
sub poll {
	my ($self, %opt) = @_;
	my @all = ($self->{web}, @{$self->{also} // []});
	my $turn = $opt{early} ? 0 : $self->{turn}++ % @all;
	my $wait = ($self->{polled}{$turn} // 0) + 1.7 - time;
	sleep $wait if $wait > 0 && !$opt{early};
	$self->{polled}{$turn} = time;
	local $self->{web} = $all[$turn];
	return $self->{said} = $self->post('/portal/token',
	    grant_type => GRANT, device_code => $self->{device_code});
}

# What the user's page shows of the code.
sub page {
	my ($self, $visitor) = @_;
	return $visitor->get("/portal/activate?code=$self->{code}");
}

sub step {
	my ($self, $visitor, $step, %opt) = @_;
	my ($shown) = $self->page($visitor)->{body} =~
	    /name="device" value="(\w+)"/;
	return $visitor->post('/portal/activate', form => { step => $step,
	    code => $opt{code} // $self->{code},
	    defined $shown ? (device => $shown) : () }, %opt);
}

# All that the user does; the device's own question comes in between.
sub answer {
	my ($self, $visitor, $step) = @_;
	$self->step($visitor, 'look');
	$self->poll;
	return $self->step($visitor, $step);
}

sub allow { return $_[0]->answer($_[1], 'allow') }

sub token {
	my ($self) = @_;
	return $self->poll->{json}{access_token};
}

1;
