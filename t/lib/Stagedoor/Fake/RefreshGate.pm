# SPDX-License-Identifier: Apache-2.0
# A gate before a real issuer that keeps account of each user's chain of
# refresh tokens, by their hashes: how often it was rotated, whether an old one
# was shown again, which process showed which, and what is under way. Told:
#
#	pids => [PID, ...]	the processes that connections may belong to
#	tally			{ rotations, reuses, refused, asked }
#	users			{ NAME => { rotations, reuses, refused } }, of
#				the present sign-in
#	reuses			a line for each reuse: who, when, after what
#	busy => PID, SECONDS	users of whom that process shows a token, or got
#				the answer within those last seconds
#	working => PID		how many of its requests the issuer has yet to
#				answer
package Stagedoor::Fake::RefreshGate;

use strict;
use warnings;

use parent 'Stagedoor::Fake::IssuerGate';

use Digest::SHA qw(sha256_hex);
use Stagedoor::Fake::JWT qw(jwt_read);
use Stagedoor::JSON qw(decode_json);
use Time::HiRes qw(time);

use constant STALE => 120;	# seconds that events are kept

sub new {
	my ($class, %opt) = @_;
	return $class->SUPER::new(%opt, chains => {}, events => [],
	    of => {}, lines => [], pids => [],
	    tally => { map { $_ => 0 } qw(rotations reuses refused asked) });
}

sub pids { my $self = shift; $self->{pids} = [@_]; return 'ok' }
sub tally { return $_[0]{tally} }
sub reuses { return $_[0]{lines} }

sub users {
	my ($self) = @_;
	return { map { my $chain = $self->{of}{$_}; ($_ => { map {
	    $_ => $chain->{$_} } qw(rotations reuses refused) }) }
	    keys %{$self->{of}} };
}

sub busy {
	my ($self, $pid, $seconds) = @_;
	my $now = time;
	my %busy = map { ($_->{chain}{user} => 1) } grep { $_->{pid} == $pid
	    && $_->{chain} && (!defined $_->{end} || $_->{end} > $now
	    - $seconds) } @{$self->{events}};
	return [sort keys %busy];
}

sub working {
	my ($self, $pid) = @_;
	return scalar grep { $_->{pid} == $pid && !defined $_->{end} }
	    @{$self->{events}};
}

# --- What passes ------------------------------------------------------------

sub _work {
	my ($self, $name, $request, $conn) = @_;
	my $form = $request->{form} // {};
	if ($name eq 'token' && defined $form->{refresh_token}) {
		$self->{tally}{asked}++;
		$self->_begin($request, $form->{refresh_token}, $conn);
	}
	return $self->SUPER::_work($name, $request, $conn);
}

sub _begin {
	my ($self, $request, $token, $conn) = @_;
	my $hash = sha256_hex($token);
	my $chain = $self->{chains}{$hash};
	my $event = $request->{event} = { hash => $hash, at => time,
	    chain => $chain, pid => $self->_pid_of($conn) };
	my $events = $self->{events};
	shift @$events while @$events && $events->[0]{at} < time - STALE;
	push @$events, $event;
	$self->_reuse($event) if $chain && $chain->{newest} ne $hash;
}

sub _reuse {
	my ($self, $event) = @_;
	my $chain = $event->{chain};
	$self->{tally}{reuses}++;
	$chain->{reuses}++;
	push @{$self->{lines}}, "$chain->{user}: " . join '; ', map {
		sprintf '%s by %d%s%s', _clock($_->{at}), $_->{pid},
		    $_->{status} ? " -> $_->{status}" : '',
		    $_->{end} ? ' until ' . _clock($_->{end}) : ''
	} grep { $_->{hash} eq $event->{hash} } @{$self->{events}};
}

sub _clock { return sprintf '%.3f', $_[0] % 100000 + $_[0] - int $_[0] }

sub _count {
	my ($self, $name, $request, $answer) = @_;
	$self->SUPER::_count($name, $request, $answer);
	return if $name ne 'token';
	my $got = eval { decode_json($answer->[2]) } // {};
	my $event = $request->{event};
	return $self->_sign_in($got) if !$event;
	$event->{status} = $answer->[0];
	$event->{end} = time + ($self->told('slow') // 0);
	my $chain = $event->{chain} or return;
	my $new = $got->{refresh_token};
	if ($answer->[0] != 200 || !defined $new) {
		$self->{tally}{refused}++;
		$chain->{refused}++;
		return;
	}
	$self->{tally}{rotations}++;
	$chain->{rotations}++;
	$chain->{newest} = sha256_hex($new);
	$self->{chains}{$chain->{newest}} = $chain;
}

sub _sign_in {
	my ($self, $got) = @_;
	my $token = $got->{refresh_token} // return;
	my $jwt = jwt_read($got->{id_token}) // return;
	my ($user) = ($jwt->{claims}{email} // '') =~ /^([^@]+)/ or return;
	my $hash = sha256_hex($token);
	$self->{of}{$user} = $self->{chains}{$hash} = { user => $user,
	    newest => $hash, rotations => 0, reuses => 0, refused => 0 };
}

# --- Whose connection it is -------------------------------------------------

sub _pid_of {
	my ($self, $conn) = @_;
	my $socket = $conn->{socket} or return 0;
	my $inode = _inode_of($socket->peerport, $socket->sockport) // return 0;
	for my $pid (@{$self->{pids}}) {
		for my $fd (glob "/proc/$pid/fd/*") {
			return $pid
			    if (readlink $fd // '') eq "socket:[$inode]";
		}
	}
	return 0;
}

sub _inode_of {
	my ($from, $to) = @_;
	my $ports = sprintf '0100007F:%04X 0100007F:%04X', $from, $to;
	open my $fh, '<', '/proc/net/tcp' or return undef;
	while (<$fh>) {
		return (split ' ')[9] if index($_, $ports) >= 0;
	}
	return undef;
}

1;
