#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor check: what it says about settings, where it says it, and with
# which exit code; and what serve does with the same settings.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $dir = tempdir();

# The path of a new file with this text.
sub file {
	my ($name, $text) = @_;
	return write_file("$dir/$name", $text);
}

# Runs the program on files, and gives { code, out, err } with our folder's
# name left out.
sub check {
	my ($files, %opt) = @_;
	my $run = Stagedoor::Pool->run(['check', map { ('-c', $_) } @$files],
	    %opt);
	s/\Q$dir\E\///g for $run->{out}, $run->{err};
	return $run;
}

my $clusters = <<'EOF';
kubernetes = {
	serviceLocatorMethod = { type = "multiTenant"; };
	clusterLocatorMethods = ( { type = "config"; clusters = (
		{ name = "one"; url = "https://127.0.0.1:1";
		  authProvider = "serviceAccount";
		  serviceAccountToken = "hush-hush"; } ); } );
};
discovery = { endpoints = ( { target = "http://127.0.0.1:1";
                              plugins = [ "catalog" ]; } ); };
EOF

# --- Good settings ----------------------------------------------------------

my $good = file('good.conf', $clusters);
my $run = check([$good]);
is $run->{code}, 0, 'good settings give 0';
is $run->{out}, "the settings are good: 1 cluster\n", 'and one line';
is $run->{err}, '', 'and nothing else';

$run = Stagedoor::Pool->run(['check'], env => { STAGEDOOR_CONFIG => $good });
is $run->{code}, 0, 'without -c it is $STAGEDOOR_CONFIG that is read';
$run = Stagedoor::Pool->run(['check']);
is $run->{code}, 2, 'without that, the installed place';
like $run->{err}, qr{/stagedoor/stagedoor\.conf}, 'which is named';

# --- Usage ------------------------------------------------------------------

for my $name (qw(check import)) {
	my $help = stagedoor($name, '--help');
	is $help->{code}, 0, "$name --help gives 0";
	like $help->{out}, qr/^usage: stagedoor $name /, 'with the usage';
	for my $args (['--nonsense'], $name eq 'check' ? ['extra'] : []) {
		my $bad = stagedoor($name, @$args);
		is $bad->{code}, 2, "$name @$args gives 2";
		like $bad->{err}, qr/^(?:.*\n)?usage: /, 'with the usage';
		is $bad->{out}, '', 'on standard error';
	}
}
$run = check(["$dir/none.conf"]);
is $run->{code}, 2, 'a file that is not there gives 2';
like $run->{err}, qr/^cannot read 'none\.conf': No such file/, 'and its name';
$run = check([$dir]);
is $run->{code}, 2, 'so does a folder';

# --- Errors: each with its place, all in one run ----------------------------

my $bad = file('bad.conf', <<'EOF');
kubernetes = {
	serviceLocatorMethod = { type = "multiTennant"; };
	clusterLocatorMethods = ( { type = "config"; clusters = (
		{ name = "one"; url = "u"; authProvider = "aks"; },
		{ name = "one"; url = 5; authProvider = "ask"; tittle = "x"; }
	); } );
};
stagedoor = {
	publicUrl = "${SURELY_NOT_SET}";
	threads = 5000;
};
EOF
$run = check([$bad]);
is $run->{code}, 2, 'bad settings give 2';
my $at = 'kubernetes.clusterLocatorMethods[0].clusters[1]';
is_deeply [sort split /\n/, $run->{err}], [sort(
    "bad.conf:2: kubernetes.serviceLocatorMethod.type: 'multiTennant' is "
	. "not known; did you mean 'multiTenant'?",
    "bad.conf:5: $at.url: must be a string, and is a number; put it in "
	. 'quotes',
    "bad.conf:5: $at.tittle: unknown key; did you mean 'title'?",
    'bad.conf:9: stagedoor.publicUrl: environment variable SURELY_NOT_SET '
	. 'is not set; set it, or write $${SURELY_NOT_SET} for the text '
	. 'itself',
    'bad.conf:10: stagedoor.threads: 5000 is out of range; it must be from '
	. '1 to 1024',
    "bad.conf:5: $at.authProvider: there is no provider 'ask'; did you mean "
	. "'aks'?",
    "bad.conf:5: $at.name: the name 'one' is taken by the cluster at line "
	. '4; rename one of them',
    "bad.conf:4: cluster 'one' cannot work: url 'u' is not an http or https "
	. 'URL',
    'stagedoor: 8 errors',
)], 'every error, with file, line, key and what to do';
is $run->{out}, '', 'and no word of success';

# Clusters that cannot work are found also where other things are wrong.
$run = check([file('both.conf', <<'EOF')]);
kubernetes = {
	serviceLocatorMethod = { type = "multiTenant"; };
	clusterLocatorMethods = ( { type = "config"; clusters = (
		{ name = "url"; url = "ftp://me:x@y"; authProvider = "aks"; },
		{ name = "ca"; url = "https://127.0.0.1:1";
		  authProvider = "aks"; caData = "@@@"; },
		{ name = "token"; url = "https://127.0.0.1:1";
		  authProvider = "serviceAccount";
		  serviceAccountTokenFile = "none.token"; },
		{ name = "good"; url = "https://127.0.0.1:1";
		  authProvider = "aks"; timeout = 99999999999;
		  skipTLSVerify = true; },
		{ url = "also not one"; authProvider = "aks"; },
		{ name = 99999999999; url = "ftp://me:hush-hush@here";
		  authProvider = "aks"; },
		5
	); } );
};
stagedoor = {
	threads = 99999999999; streams = "x";
	caFile = "/nonexistent"; socketGroup = "nosuchgroup";
};
EOF
is $run->{code}, 2, 'errors of every kind give 2';
$at = 'kubernetes.clusterLocatorMethods[0].clusters';
my $wide = 'a number past 2147483647 needs the suffix L: 99999999999L';
is_deeply [sort split /\n/, $run->{err}], [sort(
    "both.conf:4: cluster 'url' cannot work: url 'ftp://***\@y' is not an "
	. 'http or https URL',
    "both.conf:5: cluster 'ca' cannot work: caData is not base64",
    "both.conf:7: cluster 'token' cannot work: its serviceAccountTokenFile "
	. "cannot be read or is empty: cannot read 'none.token': No such "
	. 'file or directory',
    "both.conf:11: $at\[3].timeout: $wide",
    "both.conf:13: $at\[4].name: this key is missing; add it: "
	. 'unique in its list',
    "both.conf:14: $at\[5].name: $wide",
    "both.conf:16: $at\[6]: must be an object, and is a number",
    "both.conf:20: stagedoor.threads: $wide",
    'both.conf:20: stagedoor.streams: must be a whole number, and is a '
	. 'string',
    "both.conf:21: stagedoor.caFile: cannot read '/nonexistent': No such "
	. 'file or directory',
    "both.conf:21: stagedoor.socketGroup: there is no group 'nosuchgroup'",
    'stagedoor: 11 errors',
)], 'and all are said in one run';

# --- What only this machine lacks -------------------------------------------

file('empty.pem', "no certificate\n");
for (['caFile = "/nonexistent"', qr{cannot read '/nonexistent'}],
    ['caFile = "empty.pem"', qr/'empty\.pem' holds no PEM certificate/],
    ['socketGroup = "nosuchgroup"', qr/there is no group 'nosuchgroup'/]) {
	my ($text, $why) = @$_;
	my ($key) = $text =~ /^(\w+)/;
	$run = check([file('serve.conf', "$clusters\nstagedoor = {\n\n\t"
	    . "$text; listen = \"unix:$dir/none.sock\"; };\n")]);
	is $run->{code}, 2, "$text gives 2";
	like $run->{err}, qr/^serve\.conf:13: stagedoor\.$key: $why/m,
	    'with file, line and key';
	is $run->{out}, '', 'and no word of success';
}
$run = check([file('tcp.conf', "$clusters\nstagedoor = { socketGroup = "
    . '"nosuchgroup"; listen = "127.0.0.1:1"; };')]);
is $run->{code}, 0, 'a group that is not used need not exist';

# --- Files that are no settings ---------------------------------------------

file('users', join '', map {
    "user$_:x:$_:99999999999:Some Body:/home:/bin\n" } 1 .. 100);
for ('users', 'include.conf') {
	file('include.conf', qq(\@include "users"\n));
	$run = check(["$dir/$_"]);
	is $run->{err}, 'users:1: user1: syntax error: no value such as 5, '
	    . qq(true or "text"\nstagedoor: 1 error\n),
	    "$_: nothing of what stands there";
}
for (['twice.conf', "a = 99999999999;\n" x 100],
    ['sections.conf', join '', map { "key$_ = 1;\n" } 1 .. 100],
    ['sections.yaml', "stagedoor:\n"
    . join '', map { "  key$_: 1\n" } 1 .. 100]) {
	my ($name, $text) = @$_;
	$run = check([file($name, $text)]);
	my @said = split /\n/, $run->{err};
	cmp_ok scalar(@said), '<=', 23, "$name: few lines are said of it";
	ok((grep { /: and \d+ more of the kind; are these settings\?$/ }
	    @said), 'and how many more there are');
	is $run->{code}, $name =~ /yaml/ ? 0 : 2, 'and the code';
}

# --- Layers -----------------------------------------------------------------

my $over = file('over.yaml', "stagedoor:\n  threads: none\n");
$run = check([$good, $over]);
is $run->{code}, 2, 'a later file counts';
like $run->{err}, qr/^over\.yaml:2: stagedoor\.threads: must be a whole/,
    'and is named';
my $under = file('under.yaml', "stagedoor: {threads: none}\n");
my $right = file('right.conf', "stagedoor = { threads = 3; };\n");
is check([$good, $under, $right])->{code}, 0,
    'what a later file replaces need not be right';

# --- Clusters that cannot work ----------------------------------------------

my $fake = fake(clusters => [{ name => 'one' }]);
my $settings = settings(fake => $fake, clusters => ['one',
    { name => 'url', url => 'nonsense' },
    { name => 'ca', of => 'one', caFile => "$dir/none.crt" },
    { name => 'token', of => 'one',
	serviceAccountTokenFile => "$dir/none.token" }]);
my $broken = file('broken.yaml', encode_json($settings));
$run = check([$broken]);
is $run->{code}, 2, 'check fails on a cluster that cannot work';
like $run->{err}, qr/^broken\.yaml:1: cluster '$_' cannot work: /m,
    "and names $_" for qw(url ca token);
my $pool = pool(config => $broken);
my $list = body_of(get($pool, '/clusters'))->{items};
is_deeply [map { $_->{name} } @$list], [qw(one url ca token)],
    'serve starts, and lists them all';
like $pool->log_text, qr/cluster '$_' cannot work/, "says so of $_"
    for qw(url ca token);
is get($pool, '/clusters/one/proxy/version')->{status}, 200,
    'and the others work';
$pool->stop;

# --- serve ------------------------------------------------------------------

$run = Stagedoor::Pool->run(['serve', '-c', $bad, '--listen',
    "unix:$dir/no.sock"]);
is $run->{code}, 2, 'serve does not start on settings that are wrong';
like $run->{err}, qr/bad\.conf:10: stagedoor\.threads/, 'and says why';
ok !-e "$dir/no.sock", 'without a socket';

# --- Secrets ----------------------------------------------------------------

my $leak = file('leak.conf', $clusters =~ s/"hush-hush"/5;\n"hush-hush"/r);
$run = check([$leak]);
is $run->{code}, 2, 'broken around a token';
unlike $run->{err}, qr/hush/, 'the token is not shown';
my $word = file('word.yaml',
    "kubernetes: {serviceLocatorMethod: {type: '\${SD_TOKEN}'}}\n");
$run = check([$word], env => { SD_TOKEN => 'hush-hush' });
is $run->{code}, 2, 'a variable in the wrong place';
unlike $run->{err}, qr/hush/, 'is not shown';

my $escape = file('escape.yaml', qq(stagedoor: {"a\\e[31mb\\nc": 1}\n));
$run = check([$escape]);
unlike $run->{err}, qr/[\x00-\x09\x0b-\x1f]/,
    'no control characters get to a terminal';
done_testing;
