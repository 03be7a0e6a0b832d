# SPDX-License-Identifier: Apache-2.0
# The tokens of the fake issuer: families of refresh tokens that rotate, with
# the detection of reuse that revokes a family; access tokens; id tokens.
package Stagedoor::Fake::IssuerTokens;

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Stagedoor::Fake::JWT qw(base64url);
use Time::HiRes ();

my %USERS = map { $_ => { sub => "sub-$_", email => "$_\@example.test",
    email_verified => \1, name => ucfirst $_, groups => [] } }
    qw(alice bob carol);

sub new {
	my ($class, $server) = @_;
	return bless { server => $server, families => [], refresh => {},
	    access => {}, n => {} }, $class;
}

sub random {
	open my $fh, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
	read $fh, my $bytes, 12;
	return unpack 'H*', $bytes;
}

sub users { return $_[0]{server}->option(users => \%USERS) }

# The name of the account of a login_hint (name, sub or e-mail), or of the
# one that signs in if nobody is named.
sub user_of {
	my ($self, $hint) = @_;
	my $users = $self->users;
	if (defined $hint) {
		for (sort keys %$users) {
			return $_ if $hint eq $_
			    || $hint eq ($users->{$_}{email} // '')
			    || $hint eq $users->{$_}{sub};
		}
	}
	return $self->{server}->option(user => (sort keys %$users)[0]);
}

# A new session: begin(user, client, scope, nonce, query). { json, family }.
sub begin {
	my ($self, %of) = @_;
	my $family = { %of, id => scalar @{$self->{families}}, rotations => 0,
	    begun => time };
	push @{$self->{families}}, $family;
	my $refresh = $self->_has_refresh($family)
	    ? $self->_new_refresh($family) : undef;
	return { family => $family->{id},
	    json => $self->_json($family, $refresh, 1) };
}

sub _has_refresh {
	my ($self, $family) = @_;
	my $server = $self->{server};
	my $query = $family->{query};
	my $way = $server->option(refresh => $server->dialect eq 'google'
	    && $query ? 'access_type' : 'scope');
	return $way eq 'always' || ($way eq 'access_type'
	    ? ($query->{access_type} // '') eq 'offline'
	    && $self->_consents($family)
	    : $way eq 'scope'
	    && ($family->{scope} // '') =~ /(?:^| )offline_access(?: |$)/);
}

# Google gives one at the first consent only, or when it is asked for anew.
sub _consents {
	my ($self, $family) = @_;
	my $first = !$self->{consented}{"@$family{qw(client user)}"}++;
	return $first || ($family->{query}{prompt} // '') =~ /consent/;
}

sub _new_refresh {
	my ($self, $family) = @_;
	my $token = join '-', 'refresh', @$family{qw(user id rotations)},
	    random();
	$self->{refresh}{$token} = $family;
	$family->{current} = $token;
	$family->{issued} = time;
	return $token;
}

# --- What is handed out -----------------------------------------------------

sub _json {
	my ($self, $family, $refresh, $first) = @_;
	my $server = $self->{server};
	my $access = "$family->{user}-access-token-" . ++$self->{n}{access};
	my $seconds = $server->option(access_seconds => 300);
	$self->{access}{$access} = { family => $family,
	    until => $server->now + $seconds };
	my %json = (access_token => $access, token_type => 'Bearer',
	    expires_in => $seconds,
	    scope => $server->option(granted => $family->{scope} // ''));
	$json{refresh_token} = $refresh if defined $refresh;
	$json{id_token} = $self->_id_token($family, $access, $first)
	    if $first || $server->option(refresh_id_token => 1);
	return \%json;
}

sub _id_token {
	my ($self, $family, $access, $first) = @_;
	my $server = $self->{server};
	my $now = $server->now;
	my $until = $server->told('expired') ? -120
	    : $server->option(id_seconds => 300);
	my %claims = (%{$self->_person($family)}, iss => $server->issuer,
	    aud => $family->{client}, iat => $now - ($until < 0 ? 600 : 0),
	    exp => $now + $until, auth_time => int $family->{begun},
	    at_hash => base64url(substr sha256($access), 0, 16));
	$claims{nonce} = $family->{nonce} if defined $family->{nonce}
	    && ($first || $server->option(refresh_nonce => 0));
	for (qw(iss aud azp nonce sub at_hash)) {
		$claims{$_} = $_ eq 'iss' ? 'https://evil.example.org'
		    : "wrong-$_" if $server->is_wrong($_);
	}
	%claims = (%claims, %{$server->told_values('claim')});
	delete @claims{$server->told_names('unclaim')};
	return $server->signing_keys->sign($server,
	    $server->option(alg => 'RS256'), \%claims);
}

sub _person {
	my ($self, $family) = @_;
	my $server = $self->{server};
	my $user = $self->users->{$family->{user}};
	my %more = $server->dialect eq 'aks' ? (tid => $server->tenant,
	    oid => "oid-$family->{user}", ver => '2.0',
	    preferred_username => $user->{email}) : ();
	return { %$user, %more };
}

sub userinfo {
	my ($self, $token) = @_;
	my $of = $self->{access}{$token // ''} or return undef;
	return undef if $of->{until} <= $self->{server}->now
	    || $of->{family}{revoked};
	my $person = $self->_person($of->{family});
	$person->{sub} = 'wrong-sub' if $self->{server}->is_wrong('sub');
	return $person;
}

# --- Refresh ----------------------------------------------------------------

# (ANSWER) as begin gives, or (undef, why not).
sub refresh {
	my ($self, $client, $token, $scope) = @_;
	my $server = $self->{server};
	my $family = $self->{refresh}{$token}
	    or return (undef, 'no such refresh token');
	return (undef, 'a refresh token of another client')
	    if $family->{client} ne $client;
	return (undef, "the session is over: $family->{revoked}")
	    if $family->{revoked};
	my $why = $self->_reuse($family, $token);
	return (undef, $why) if defined $why;
	my $life = $server->option(refresh_seconds => 0);
	return (undef, 'the refresh token has expired')
	    if $life && $family->{issued} + $life < $server->now;
	return (undef, 'more scopes than before')
	    if grep { index(" $family->{scope} ", " $_ ") < 0 }
	    split / /, $scope // '';
	$family->{rotations}++;
	$server->bump('rotations');
	my $new;
	$new = $self->_new_refresh($family)
	    if $server->option(rotate => $server->dialect ne 'google');
	return ({ json => $self->_json($family, $new, 0) });
}

# An old token: fine where old ones stay good (Entra), or for a moment;
# else somebody has stolen one of them, and all are dead.
sub _reuse {
	my ($self, $family, $token) = @_;
	my $server = $self->{server};
	return undef if $token eq $family->{current};
	$server->bump('reuses');
	$family->{reuses}++;
	return undef if $server->option(reuse_interval =>
	    $server->dialect eq 'aks' ? 1e9 : 0)
	    > Time::HiRes::time() - $family->{issued};
	$self->revoke_family($family->{id}, 'an old refresh token was used');
	return 'the refresh token was used before';
}

# --- The end ----------------------------------------------------------------

sub revoke_family {
	my ($self, $id, $why) = @_;
	my $family = $self->{families}[$id];
	$self->{server}->bump('families_revoked') if !$family->{revoked};
	$family->{revoked} //= $why;
}

# A token by its text; true if it was one of this client ('': any).
sub revoke {
	my ($self, $client, $token) = @_;
	my $family = $self->{refresh}{$token}
	    // ($self->{access}{$token} // {})->{family} or return 0;
	return 0 if $client ne '' && $family->{client} ne $client;
	$self->revoke_family($family->{id}, 'revoked by its client');
	return 1;
}

# End all sessions of a user at once, as an administrator does.
sub end {
	my ($self, $user) = @_;
	$self->revoke_family($_->{id}, 'ended by an administrator')
	    for grep { $_->{user} eq $user } @{$self->{families}};
	return 'ok';
}

# What the test may know: no token.
sub sessions {
	my ($self) = @_;
	return [map { { user => $_->{user}, client => $_->{client},
	    rotations => $_->{rotations}, reuses => $_->{reuses} // 0,
	    revoked => $_->{revoked}, scope => $_->{scope} } }
	    @{$self->{families}}];
}

1;
