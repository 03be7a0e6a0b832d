# SPDX-License-Identifier: Apache-2.0
# JSON for tests: what JSON::PP gives, and the kinds of its values, which
# Perl itself does not tell apart.
package Stagedoor::JSON;

use strict;
use warnings;

use B ();
use Exporter qw(import);
use JSON::PP ();

our @EXPORT_OK = qw(decode_json encode_json canonical kind_of read_json
    member_text spaced);

my $coder = JSON::PP->new->utf8->canonical->allow_nonref;

# Bytes to a value; dies if they are no JSON.
sub decode_json { return $coder->decode($_[0]) }

# A value to bytes, keys sorted.
sub encode_json { return $coder->encode($_[0]) }
*canonical = \&encode_json;

sub read_json {
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	my $value = eval { decode_json(scalar <$fh>) };
	die "$file: $@" if $@;
	return $value;
}

# 'object', 'array', 'bool', 'null', 'number' or 'string'.
sub kind_of {
	my ($value) = @_;
	return 'null' if !defined $value;
	return 'object' if ref $value eq 'HASH';
	return 'array' if ref $value eq 'ARRAY';
	return 'bool' if JSON::PP::is_bool($value);
	my $flags = B::svref_2object(\$value)->FLAGS;
	return 'string' if $flags & B::SVf_POK;
	return $flags & (B::SVp_IOK | B::SVp_NOK) ? 'number' : 'string';
}

# --- Text, where order and spelling matter ----------------------------------

my $string = qr/"(?:[^"\\]++|\\.)*+"/s;
my $scalar = qr/$string|-?[0-9][0-9.eE+-]*|true|false|null/;
my $value;
$value = qr/\s*(?:$scalar
    |\{(?:\s*$string\s*:(??{$value})\s*,?)*\s*\}
    |\[(?:(??{$value})\s*,?)*\s*\])/xs;

# The text of a member of an object, given by the names on the way to it:
# member_text($text, 'request', 'body'). undef if there is none.
sub member_text {
	my ($text, @names) = @_;
	for my $name (@names) {
		$text = _member($text, $name) // return undef;
	}
	return $text;
}

sub _member {
	my ($text, $name) = @_;
	my $found;
	return undef if $text !~ /\G\s*\{/gc;
	while ($text =~ /\G\s*,?\s*($string)\s*:\s*($value)/gc) {
		$found = $2 if decode_json($1) eq $name;
	}
	return $found;
}

# The same JSON with ", " and ": " between its parts, order kept, as some
# programs write it, and no escapes but those that must be.
sub spaced {
	my ($text) = @_;
	my $out = '';
	while ($text =~ /\G\s*(?:($string)|($scalar)|([\[\]{}:,]))/gc) {
		if (defined $1) {
			$out .= encode_json(decode_json($1));
		} elsif (defined $2) {
			$out .= $2;
		} else {
			$out .= $3 eq ',' ? ', ' : $3 eq ':' ? ': ' : $3;
		}
	}
	return $out;
}

1;
