#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor explain: for clusters of every kind, which credential a user has,
# from where, and what the cluster says to it; never the credential itself.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

my %secret = (
	good => 'alpha-token', wrong => 'wrong-0001',
	file => 'file-token', forbidden => 'forbidden-token',
	aws => 'fakesecretfakesecretfakesecret',
	user_info => 'password-in-a-url-0002',
	external => 'static-external-token-0003',
	plugged => 'plugged-',		# and a number
);

# What an API server says to SelfSubjectReview, with a word too many: what it
# was sent. Others answer as the fake clusters do.
sub review {
	my ($request, $conn, $cluster) = @_;
	my $headers = $request->{headers};
	my $known = $cluster->{known} // 'v1';
	return 0 if ($headers->{authorization} // '') !~ /alpha-token|k8s-aws/
	    && !$cluster->{anyone};
	return 0 if $request->{target} !~
	    m{^/apis/authentication\.k8s\.io/$known/selfsubjectreviews$};
	return 0 if $request->{method} ne 'POST' || $request->{body}
	    !~ m{"apiVersion":"authentication.k8s.io/$known"};
	$conn->reply(201, ['Content-Type' => 'application/json'],
	    $cluster->{says} // encode_json({ kind => 'SelfSubjectReview',
	    status => { userInfo => {
		username => $headers->{'impersonate-user'}
		    // 'system:serviceaccount:demo:reader',
		uid => 'uid-1', groups => ['system:authenticated',
		    split /, /, $headers->{'impersonate-group'} // ''],
		extra => { sent => [$headers->{authorization} // 'nothing'] },
	    } } }));
	return 1;
}

my @review = (handler => \&review);
my $fake = fake(backstage => 1, clusters => [
	{ name => 'one', @review },
	{ name => 'old', @review, known => 'v1beta1' },
	{ name => 'ancient', @review, known => 'none' },
	{ name => 'anon', @review, behaviour => 'anon', anyone => 1 },
	{ name => 'rude', @review, says => '{"status":{"userInfo":{"username":'
	    . '"a\u001b[2Jb\nc","groups":["x\u009b31my",5],"extra":7}}}' },
	{ name => 'many', @review, says => encode_json({ status => {
	    userInfo => { username => 'many', groups => [1000 .. 1999] } } }) },
	{ name => 'fresh', handler => sub {
		my ($request, $conn, $cluster) = @_;
		my $token = $request->{headers}{authorization} // '';
		$cluster->{first} //= $token;
		return $conn->reply(401, [], '') // 1
		    if $token eq $cluster->{first};
		return review($request, $conn, { %$cluster, anyone => 1 });
	} },
	{ name => 'odd', @review, says => '{"status":{}}' },
	{ name => 'tls', @review, anyone => 1 },
	map({ { name => $_, behaviour => $_ } } qw(hang s500 html redirect
	    truncated rst)),
    ]);
my $dir = tempdir();
my $closed = free_port();
write_file("$dir/token", "$secret{file}\n");
Stagedoor::TLS::make_ca($dir, 'ca');
Stagedoor::TLS::make_cert($dir, 'server', 'ca');
Stagedoor::TLS::make_cert($dir, 'ann', 'ca', client => 1,
    subject => '/CN=ann');
my $tls = free_port();
Stagedoor::TLS::tls_front(listen => $tls, to => $fake->port('tls'),
    cert => "$dir/server.crt", key => "$dir/server.key",
    client_ca => "$dir/ca.crt", require_client => 1);
my %x509 = (url => "https://127.0.0.1:$tls", authProvider => 'x509',
    clientCertificateFile => "$dir/ann.crt",
    clientKeyFile => "$dir/ann.key");

sub config {
	my (@clusters) = @_;
	my %more = ref $clusters[-1] eq 'ARRAY' ? @{pop @clusters} : ();
	return write_file("$dir/settings.yaml", encode_json({ %{settings(
	    fake => $fake, clusters => \@clusters, source => 'params',
	    stagedoor => { limits => { connect => 1, cluster => 1 },
		identity => { guest => 'user:development/guest' } })},
	    aws => { mainAccount => { accessKeyId => 'AKIAFAKEFAKEFAKEFAKE',
		secretAccessKey => $secret{aws} } }, %more }));
}

# The text has these lines, or what these patterns say, in this order.
sub tells {
	my ($text, $what, @lines) = @_;
	my $rest = $text;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $line (@lines) {
		my $pattern = ref $line ? $line : qr/^ *\Q$line\E$/m;
		if ($rest !~ $pattern) {
			fail($what);
			return diag("no '$line' in:\n$rest");
		}
		$rest = substr $rest, $+[0];
	}
	pass($what);
}

my @all;		# everything that was ever said

# explain with these clusters: { code, out, err, of => { NAME => text } }.
sub explained {
	my ($clusters, @args) = @_;
	@args = ('--user', 'ann') if !@args;
	my $ran = Stagedoor::Pool->run(['explain', '-c',
	    config(@$clusters), @args], env => { TZ => 'UTC' });
	push @all, $ran->{out}, $ran->{err};
	$ran->{of} = { $ran->{out} =~ /^cluster (\S+)\n(.*?)(?=^\S|\z)/msg };
	return $ran;
}

# --- What works -------------------------------------------------------------

my $ran = explained([{ name => 'one', title => 'The one' }], '--user', 'Ann',
    '--groups', 'dev,x/ops', '--email', 'ann@example.test');
is $ran->{code}, 0, 'a cluster that can be used gives 0' or diag $ran->{out};
is $ran->{err}, '', 'and no complaint';
tells $ran->{out}, 'who asks comes first', qr/\Auser user:default\/ann\n/,
    'email: ann@example.test', 'group: group:default/dev',
    'group: group:x/ops', qr/^\ncluster one\n/m;
tells $ran->{of}{one}, 'then each step, and what the cluster says',
    qr/\A  title: The one\n/, 'url: ' . $fake->url('one'),
    'provider: serviceAccount', qr/may be used: yes, /, 'steps:',
    'a token in the settings: is set',
    qr/^  credential: a token \([0-9a-f]{8}\), its end is not known$/m,
    'the cluster takes it for: system:serviceaccount:demo:reader',
    'uid: uid-1', 'group: system:authenticated',
    'extra: sent = Bearer ***', qr/^  can be used\n\z/m;

$ran = explained([{ name => 'old' }, { name => 'ancient' },
    { name => 'local', of => 'anon', authProvider => 'localKubectlProxy' },
    { name => 'eks', of => 'one', authProvider => 'aws' },
    { name => 'cert', caFile => "$dir/ca.crt", %x509 },
    { name => 'acting', of => 'one', impersonate => { user => '{name}',
	groups => ['all', '{groups}'] } }], '--user', 'ann', '--groups',
    'dev');
is $ran->{code}, 0, 'clusters of several kinds can be used'
    or diag $ran->{out};
my $of = $ran->{of};
is_deeply [$ran->{out} =~ /^cluster (\S+)/mg],
    [qw(old ancient local eks cert acting)], 'in the order of the settings';
like $of->{old}, qr/takes it for: system:serviceaccount/,
    'one that knows v1beta1 only';
like $of->{ancient}, qr/cannot say.*\n  can be used/,
    'one that does not know the question';
like $of->{local}, qr/credential: none of ours.*\n.*takes it for/,
    'one without a credential of ours';
like $of->{local}, qr/kubectl proxy adds its own/, 'and why';
like $of->{eks}, qr/a token \([0-9a-f]{8}\), until 20[-0-9]{8} [:0-9]{8} UTC/,
    'a token that ends, in local time';
like $of->{eks}, qr/until .*\(in 1[34] min\)$/m, 'and how soon';
tells $of->{cert}, 'a certificate, from which files, until when',
    "client certificate: '$dir/ann.crt' is read",
    "client key: '$dir/ann.key' is read",
    qr/a client certificate \([0-9a-f]{8}\), until .*\(in (?:29|30) days\)$/m;
is $fake->last_request('tls')->{tls_subject}, 'CN=ann', 'which is used';
tells $of->{acting}, 'whom it acts for, and that the cluster takes it so',
    'acts for the user:', 'Impersonate-User: ann',
    'Impersonate-Group: all', 'Impersonate-Group: group:default/dev',
    'the cluster takes it for: ann', 'group: all';

# --- What does not ----------------------------------------------------------

# A cluster, and what is told of it.
my %why = (
	wrong => [{ of => 'one', serviceAccountToken => $secret{wrong} },
	    qr/cluster refuses it: .* 401: Unauthorized\n/],
	forbidden => [{ of => 'one', serviceAccountToken =>
	    $secret{forbidden} }, qr/cluster refuses it: .* 403: \/apis/],
	file => [{ of => 'one', authProvider => 'serviceAccount' },
	    qr/serviceaccount\/token': cannot be read\n/, 'credential: none',
	    qr/there is none in the settings\n/, qr/No such file/],
	refused => [{ url => "http://127.0.0.1:$closed" },
	    qr/cannot be asked: connect ECONNREFUSED 127\.0\.0\.1:$closed\n/],
	plain => [{ url => 'https://127.0.0.1:' . $fake->port('one') },
	    qr/credential: a token /, qr/the cluster cannot be asked: /],
	unknown_ca => [{ %x509 }, qr/cannot be asked: .*certificate/],
	lost => [{ %x509, caFile => "$dir/ca.crt",
	    clientKeyFile => "$dir/nowhere.key" },
	    "client key: '$dir/nowhere.key' cannot be read",
	    'credential: none', qr/nowhere\.key': No such file/],
	mixed => [{ %x509, caFile => "$dir/ca.crt",
	    clientKeyFile => "$dir/server.key" },
	    'credential: none', qr/does not belong/],
	s500 => [{}, qr/cannot be asked: .* 500: all s500\n/],
	html => [{}, qr/cannot be asked: .* 200: <html>login/],
	redirect => [{}, qr/cannot be asked: the cluster answered 302\n/],
	truncated => [{}, qr/cannot be asked: /],
	rst => [{}, qr/cannot be asked: /],
	odd => [{}, qr/cannot be asked: .*no SelfSubjectReview\n/],
	aks => [{ of => 'one', authProvider => 'aks' },
	    qr/auth\.aks: is not there\n/,
	    "credential: the user's own, who must sign in",
	    qr/brings auth\.aks\n/],
	google => [{ of => 'one', authProvider => 'google' },
	    qr/must sign in\n.*auth\.google\n/],
	oidc => [{ of => 'one', authProvider => 'oidc',
	    oidcTokenProvider => 'okta' }, qr/must sign in\n.*oidc\.okta\n/],
	others => [{ of => 'one', allow => ['user:default/bob'] },
	    qr/may be used: no, its allow/],
	nobody => [{ of => 'one', impersonate => { user => '{email}' } },
	    'refused', qr/cannot act as you .*email is not known\n/],
	info => [{ url => "http://u:$secret{user_info}\@127.0.0.1:1" },
	    qr/url: http:\/\/\*\*\*\@127/, 'credential: none',
	    qr/cannot work/],
);
my @names = sort keys %why;
$ran = explained([map { { name => $_, %{$why{$_}[0]} } } @names]);
is $ran->{code}, 1, 'clusters that cannot be used give 1';
is_deeply [$ran->{out} =~ /^cluster (\S+)/mg], \@names,
    'each of them is told of';
for my $name (@names) {
	my (undef, @lines) = @{$why{$name}};
	tells $ran->{of}{$name}, "$name: why", @lines;
	like $ran->{of}{$name}, qr/^  cannot be used\n\n?\z/m,
	    "$name: and that";
}
unlike $ran->{of}{others}, qr/steps|credential/,
    'who may not is not told what there is';

is explained([{ name => 'one' }, { name => 'refused', %{$why{refused}[0]} }])
    ->{code}, 1, 'one among others that cannot be used is enough';
$ran = explained([{ name => 'one' }, { name => 'wrong', %{$why{wrong}[0]} }],
    '--user', 'ann', '--cluster', 'one');
is $ran->{code}, 0, 'but not where it was not asked about';
is_deeply [keys %{$ran->{of}}], ['one'], 'which is not told of';

# --- What a cluster says is data --------------------------------------------

$ran = explained([map { { name => $_ } } qw(rude many)]);
unlike $ran->{out}, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/,
    'no control character reaches the terminal';
like $ran->{of}{rude}, qr/takes it for: a\\x1b\[2Jb\\x0ac\n.*group: x/s,
    'they are shown as what they are';
cmp_ok scalar(() = $ran->{of}{many} =~ /group:/g), '==', 100,
    'of a thousand groups some are shown';
like $ran->{of}{many}, qr/^    and more$/m, 'and that there are more';

# --- A credential that was withdrawn ----------------------------------------

# A plug-in that gives another token each time.
my $plugin = write_file("$dir/plugin", <<"END");
#!/bin/sh
echo again >>$dir/runs
n=\$(wc -l <$dir/runs)
echo '{"apiVersion":"client.authentication.k8s.io/v1",'
echo '"kind":"ExecCredential","status":{"token":"plugged-'\$n'"}}'
END
chmod 0755, $plugin;
my %exec = (authProvider => 'exec', exec => { command => $plugin,
	apiVersion => 'client.authentication.k8s.io/v1' });
$ran = explained([{ name => 'fresh', %exec }]);
tells $ran->{of}{fresh}, 'a plug-in is asked, and once more after a 401',
    'steps:', qr/plug-in/, qr/credential: a token/, 'another one is got:',
    qr/plug-in/, qr/credential: a token/, qr/takes it for: system/,
    qr/^  can be used/m;
is slurp("$dir/runs") =~ tr/\n//, 2, 'twice in all';
is $ran->{code}, 0, 'so it can be used';
$fake->reset;
$ran = explained([{ name => 'plug', of => 'one', %exec }]);
tells $ran->{of}{plug}, 'a token that the cluster does not know is refused',
    qr/plug-in/, qr/refuses it: .*401/, 'another one is got:',
    qr/refuses it: .*401/, qr/^  cannot be used/m;

# --- Guests -----------------------------------------------------------------

for my $guest ('', 'user:development/guest') {
	$ran = explained([{ name => 'one' }, { name => 'in', of => 'one',
	    guests => \0 }], '--user', $guest);
	is $ran->{code}, 1, "guests by '$guest'";
	like $ran->{out}, qr/\Aguest user:development\/guest\n/, 'are guests';
	like $ran->{of}{in}, qr/used: no, its guests/,
	    'who may not where guests may not';
}

# --- Time -------------------------------------------------------------------

my $began = time;
$ran = explained([(map { { name => "hang$_", url => $fake->url('hang')
    . "/$_" } } 1 .. 6), { name => 'one' }]);	# no breaker for all
cmp_ok time - $began, '<', 4, 'clusters that hang cost one time-out, not six';
like $ran->{of}{hang5}, qr/cannot be asked: .*(?:time|1 s)/i,
    'which is said';
like $ran->{of}{one}, qr/^  can be used/m, 'and nothing to the others';

# --- Usage ------------------------------------------------------------------

my $help = stagedoor('explain', '--help');
is $help->{code}, 0, '--help gives 0';
my $file = config({ name => 'one' });
for my $args ([], ['--user'], ['--user', 'a', '--user', 'b'],
    ['--user', 'a', 'b'], ['--user', 'a', '--nonsense']) {
	$ran = stagedoor('explain', '-c', $file, @$args);
	is $ran->{code}, 2, "'@$args' gives 2";
	like $ran->{err}, qr/^usage: stagedoor explain /m, 'with the usage';
	is $ran->{out}, '', 'and no more';
}
for (['user:', qr/--user is no entity ref/], ["a\nb", qr/control/]) {
	$ran = stagedoor('explain', '-c', $file, '--user', $_->[0]);
	is $ran->{code}, 2, 'a user that is none gives 2';
	like $ran->{err}, $_->[1], 'and why';
}
$ran = stagedoor('explain', '-c', $file, '--user', 'a', '--cluster', 'ome');
is $ran->{code}, 2, 'so does a cluster that is not there';
like $ran->{err}, qr/no cluster 'ome'; did you mean 'one'\?/,
    'with the one that is';
$ran = stagedoor('explain', '-c', "$dir/none.yaml", '--user', 'a');
is $ran->{code}, 2, 'and settings that cannot be read';
like $ran->{err}, qr/cannot read/, 'which is said';
$ran = explained([]);
is $ran->{code}, 1, 'no cluster at all can be used';

my $whole = slurp(top() . '/README.md');
my %command = stagedoor('--help')->{out} =~ /^  (\w+) +(\S.*)$/mg;
is join(' ', grep { !$command{$_} } $whole =~ /`(?:\.\/)?stagedoor (\w+)/g),
    '', 'the README names only subcommands that --help lists';
ok $command{$_}, "$_ is among them" for qw(explain credential);
my ($readme) = $whole =~ /^(`stagedoor explain.*?)\n\n/ms;
for my $option (($readme // '') =~ /(--\w+)/g) {
	like $help->{out}, qr/\Q$option\E\b/,
	    "$option of the README is in --help";
}
like $readme // '', qr/--user/, 'the README tells of it';

# --- Never a secret ---------------------------------------------------------

my $said = join '', @all;
my ($key) = (split /\n/, slurp("$dir/ann.key"))[1];
for my $what (sort(keys %secret), 'key') {
	my $text = $secret{$what} // $key;
	is index($said, $text), -1, "nothing of the secret: $what";
}
unlike $said, qr/k8s-aws-v1|PRIVATE KEY|X-Amz/, 'nor of what is made of one';
done_testing;
