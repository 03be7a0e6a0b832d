#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# What an application with a certificate shows Entra, by azure-identity and
# msal and by us.
use FindBin;
use lib "$FindBin::Bin/../lib";
use Stagedoor::Test;
use Stagedoor::Oracle;
use Stagedoor::TLS qw(rsa_key);

my $oracle = Stagedoor::Oracle->start;
my $WORD = join '', 'a' .. 'z', 'A' .. 'Z', 0 .. 9;
my $PHRASE = 'pass: phrase';

sub openssl {
	my $ran = run_command([program('openssl'), @_]);
	die "openssl @_: $ran->{err}" if $ran->{code} != 0;
	return $ran->{out};
}

my $dir = tempdir();
rsa_key($dir, $_) for qw(app issuer root);
my %certificate = map { $_ => slurp("$dir/$_.crt") } qw(app issuer root);
my %key = (pkcs8 => slurp("$dir/app.key"),
    pkcs1 => openssl('rsa', '-traditional', '-in', "$dir/app.key"),
    locked => openssl('pkcs8', '-topk8', '-in', "$dir/app.key", '-passout',
	"pass:$PHRASE"));

# As people have them in files: in any order, with text between the blocks.
sub a_file {
	my ($key, $chain) = @_;
	my $bag = "Bag Attributes\n    localKeyID: 01 02\n";
	my $certificates = join $oracle->one_of('', $bag),
	    @certificate{'app', $chain ? qw(issuer root) : ()};
	my $file = $oracle->one_of("$key$certificates", "$certificates$key",
	    "$bag$key$bag$certificates");
	return $oracle->one_of($file, $file, $file =~ s/\n/\r\n/gr);
}

sub a_case {
	my $algorithm = $oracle->one_of(qw(RS256 PS256));
	my $kind = $oracle->one_of(sort keys %key);
	# msal shows the certificate in the one case, and only it.
	my $chain = $algorithm eq 'PS256' || rand() < 0.5;
	my $tenant = 't' . $oracle->text(1, 36, "$WORD-.");
	my %case = (op => 'azure_assertion', algorithm => $algorithm,
		pem => a_file($key{$kind}, $algorithm eq 'RS256'),
		chain => $chain ? \1 : \0, tenant => $tenant,
		clientId => $oracle->text(1, 40, "$WORD-_ \"\\+/"),
		tokenUrl => "https://login.microsoftonline.com/$tenant"
		    . '/oauth2/v2.0/token',
		now => $oracle->number(1, 4_102_444_799));
	$case{passphrase} = $PHRASE if $kind eq 'locked';
	return \%case;
}

my @cases = map { a_case() } 1 .. $oracle->each(40);

# What was signed, if it was signed with our key.
sub signed {
	my (@tokens) = @_;
	return $oracle->library('with_msal.py', map { { op => 'jwt_read',
	    token => $tokens[$_]{token} // 'none',
	    algorithm => $cases[$_]{algorithm},
	    certificate => $certificate{app} } } 0 .. $#cases);
}

# We pad no thumbprint and break no certificate into lines (RFC 7515, 4.1.6
# and 4.1.7), and say from when it is good, as Microsoft's documentation and
# its other libraries do. The id is by chance.
sub is_same {
	my ($they, $we, $case) = @_;
	return 'not made, or not signed'
	    if defined $they->{error} || defined $we->{error};
	my $header = $they->{header};
	$header->{$_} =~ s/=+$// for grep { /^x5t/ } keys %$header;
	s/\s+//g for @{$header->{x5c} // []};
	my $begin = delete $we->{claims}{nbf};
	return 'nbf is not now' if $begin != $case->{now};
	my ($id, $other) = map { delete $_->{claims}{jti} } $we, $they;
	return 'jti is no UUID' if $id !~ /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-/
	    || length $id != length $other;
	my ($theirs, $ours) = map { encode_json($_) } $they, $we;
	return $theirs eq $ours ? undef : 'they say different things';
}

Stagedoor::Oracle::same('assertions of applications', \&is_same, \@cases,
    [signed($oracle->library('with_msal.py', @cases))],
    [signed($oracle->ours(@cases))]);
done_testing;
