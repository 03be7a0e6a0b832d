# SPDX-License-Identifier: Apache-2.0
# What a client may try, to be taken for somebody: headers in all spellings
# that fold into a parameter which some web server, authenticator or program
# takes a user from. The user is "alice", the group "admins".
#
#	for my $attempt (Stagedoor::Spoofing::attempts()) {
#		my ($what, $headers) = @$attempt;
#	Stagedoor::Spoofing::targets('/clusters')	the same in queries
package Stagedoor::Spoofing;

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);

my @NAMES = qw(STAGEDOOR_USER STAGEDOOR-USER HTTP_STAGEDOOR_USER
    HTTP-STAGEDOOR-USER X-STAGEDOOR-USER X_STAGEDOOR_USER X-STAGEDOOR_USER
    REMOTE_USER REMOTE-USER X-REMOTE-USER X-FORWARDED-USER X_FORWARDED_USER
    X-FORWARDED-PREFERRED-USERNAME X-AUTH-REQUEST-USER X_AUTH_REQUEST_USER
    X-AUTH-REQUEST-PREFERRED-USERNAME X_AUTH_REQUEST_PREFERRED_USERNAME
    OIDC_CLAIM_PREFERRED_USERNAME OIDC-CLAIM-PREFERRED-USERNAME
    OIDC_CLAIM_SUB REDIRECT_STAGEDOOR_USER STAGEDOOR.USER STAGEDOOR__USER
    PROXY-STAGEDOOR_USER FCGI-STAGEDOOR_USER SSL_CLIENT_S_DN_CN
    AUTHENTICATE-STAGEDOOR_USER VARIABLE-STAGEDOOR_USER
    UPSTREAM_HTTP_X_STAGEDOOR_USER);

# Names of users with those of groups and addresses that go with them.
sub _headers {
	my ($name) = @_;
	my $groups = $name =~ s/PREFERRED[_-]USERNAME|SUB$|USER$/GROUPS/ir;
	my $email = $name =~ s/PREFERRED[_-]USERNAME|SUB$|USER$/EMAIL/ir;
	return [[$name, 'alice'],
	    $groups ne $name ? ([$groups, 'admins']) : (),
	    $email ne $name ? ([$email, 'alice@example.test']) : ()];
}

sub attempts {
	my %seen;
	my @names = grep { !$seen{$_}++ }
	    (map { ($_, lc $_, uc $_, ucfirst lc $_,
	    join '-', map { ucfirst lc } split /-/) } @NAMES),
	    'sTaGeDoOr_UsEr', 'Stagedoor-User';
	return (map { [$_, _headers($_)] } @names), _others();
}

sub _others {
	my $basic = 'Basic ' . encode_base64('alice:x', '');
	return (
		['twice', [['Stagedoor-User', 'alice'],
		    ['Stagedoor-User', 'alice'],
		    ['STAGEDOOR_USER', 'alice']]],
		['as a full ref', [['STAGEDOOR_USER', 'user:default/alice']]],
		['in a Basic header', [['Authorization', $basic]]],
		['in a Bearer header', [['Authorization', 'Bearer alice']]],
		['in a cookie', [['Cookie', 'STAGEDOOR_USER=alice; '
		    . 'user=alice']]],
		['in the content type', [['Content-Type',
		    'STAGEDOOR_USER=alice']]],
		['with a tab before the name', [["\tSTAGEDOOR_USER",
		    'alice']]],
		['with a blank behind the name', [['STAGEDOOR_USER ',
		    'alice']]],
		['with an equals sign', [['STAGEDOOR_USER=alice', 'x'],
		    ['X=1', 'STAGEDOOR_USER=alice']]],
		['with a NUL', [["STAGEDOOR_USER\0X", 'alice']]],
		['on a continued line', [['X-Any',
		    "y\r\n STAGEDOOR_USER: alice"]]],
		['behind a bare newline', [['X-Any',
		    "y\nSTAGEDOOR_USER: alice"]]],
		['behind a bare return', [['X-Any',
		    "y\rSTAGEDOOR_USER: alice"]]],
		['as a trailer', [['Trailer', 'STAGEDOOR_USER']]],
	);
}

sub targets {
	my ($path) = @_;
	return map { "$path$_" } '?STAGEDOOR_USER=alice',
	    '?user=alice&STAGEDOOR_USER=user:default/alice',
	    '?%53TAGEDOOR_USER=alice', '?x%0d%0aSTAGEDOOR_USER:%20alice';
}

1;
