#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# stagedoor connect signs a user in from a terminal: a code is shown, entered
# elsewhere, and the tokens are that user's, for the servers too. And stagedoor
# tokens tells of them and ends them.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

use Time::HiRes qw(sleep time);

my $dir = tempdir();
my $issuer = issuer(id_seconds => 300);
my $google = issuer(dialect => 'google');
my $aks = issuer(dialect => 'aks');
my $audit = "$dir/audit.jsonl";
# A cluster that tells whom the token that reaches it is of.
my $fake = fake(clusters => [{ name => 'one', handler => sub {
	my ($request, $conn) = @_;
	my ($token) = ($request->{headers}{authorization} // '')
	    =~ /^Bearer (.+)$/;
	my $claims = Stagedoor::Issuer::claims_of($token) // {};
	$conn->reply(200, ['Content-Type' => 'text/plain'],
	    $claims->{email} // 'nobody');
	return 1;
} }]);
my @users = ('--user', 'ann');
my @corp = (@users, qw(--provider oidc));

sub settings_with {
	my (%more) = @_;
	my $settings = settings(fake => $fake, source => 'params',
	    clusters => [{ name => 'one', authProvider => 'oidc',
		oidcTokenProvider => 'corp', signIn => 'stagedoor' },
		{ name => 'two', of => 'one', authProvider => 'aks',
		signIn => 'stagedoor' }],
	    stagedoor => { identity => { guest => 'guest' },
		publicUrl => 'https://portal.test', audit => "file:$audit",
		login => [$issuer->login('corp'), $google->login,
		    $aks->login], cloud => { entraHost => $aks->base },
		store => { type => 'sqlite', path => "$dir/tokens.db",
		    keyFile => "$dir/keys" }, %more });
	for (keys %{$settings->{stagedoor}}) {
		delete $settings->{stagedoor}{$_}
		    if !defined $settings->{stagedoor}{$_};
	}
	return $settings;
}

my $n = 0;

sub file_with {
	my (%more) = @_;
	return write_file("$dir/settings-" . ++$n . '.yaml',
	    encode_json(settings_with(%more)));
}
my $keys = stagedoor('key');
write_file("$dir/keys", $keys->{out});
chmod 0600, "$dir/keys" or die "$dir/keys: $!";
my $config = file_with();

# A connect that waits: the process, once it shows a code, and the code.
sub connecting {
	my (@args) = @_;
	my $process = Stagedoor::Process->start(name => 'connect',
	    env => Stagedoor::Pool::clean_env(), command => [stagedoor_bin(),
		'connect', @args]);
	wait_for(sub { $process->ended || $process->log_text =~ /^waiting/m },
	    20, 'a code');
	my ($code) = $process->log_text =~ /^and enter the code\n\n +(\S+)$/m;
	return ($process, $code);
}

sub ends {
	my ($process, $code, $what) = @_;
	$process->wait_end(20);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $process->stop, $code, $what or diag $process->log_text;
	return $process->log_text;
}

my $seen = 0;

sub events {
	my @lines = -e $audit ? split /^/, slurp($audit) : ();
	my @new = map { decode_json($_) } @lines[$seen .. $#lines];
	$seen = @lines;
	return grep { $_->{event} ne 'request' } @new;
}

# --- All goes well ----------------------------------------------------------

my $pool = pool(config => $config);
is get($pool, '/clusters/one/proxy/version', as => 'ann')->{status}, 401,
    'ann has not signed in';
my ($process, $code) = connecting('-c', $config, @corp);
like $code, qr/^[A-Z0-9-]{4,}$/, 'a code is shown';
my $text = $process->log_text;
my $page = $issuer->url('device_page');
like $text, qr/^to sign in user:default\/ann, open\n\n    \Q$page\E\n\n/,
    'for whom, and where to enter it';
like $text, qr/^or open\n\n    \Q$page\E\?\S*\Q$code\E\n\n/m,
    'and an address that has it';
like $text, qr/^waiting until \d{4}-\d\d-\d\d [\d:]{8}; Ctrl-C stops$/m,
    'and how long it waits';
sleep 1.2;
ok !$process->ended, 'it goes on waiting';
$issuer->approve($code, 'alice');
$text = ends($process, 0, 'once it is entered, connect ends well');
my $when = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;
my $alice = 'alice@example.test';
like $text, qr/^connected as $alice until $when, renewed by itself\n\z/m,
    'and says as whom, and until when';
my $answer;
wait_for(sub { $answer = get($pool, '/clusters/one/proxy/version',
    as => 'ann'); $answer->{status} == 200 }, 5, 'the tokens');
is $answer->{body}, 'alice@example.test', 'a server that runs has the token';
is get($pool, '/clusters/one/proxy/version', as => 'bob')->{status}, 401,
    'for ann alone';
my @events = events();
is_deeply [map { [@$_{qw(event user kind by provider name account result)}] }
    @events], [['device', 'user:default/ann', 'user', 'cli', 'oidc', 'corp',
	undef, 'ok'], ['sign-in', 'user:default/ann', 'user', 'cli', 'oidc',
	'corp', 'alice@example.test', 'ok']],
    'the audit log tells of it' or diag explain \@events;
is $events[1]{issuer}, $issuer->issuer, 'and of the issuer';
my ($request) = grep { $_->{event} eq 'request' && $_->{status} == 200 }
    map { decode_json($_) } split /^/, slurp($audit);
is_deeply [@$request{qw(credential source provider)}],
    [qw(token stored oidc)], 'and of what a cluster was reached with';

# --- What is kept -----------------------------------------------------------

sub tokens {
	my (@args) = @_;
	return stagedoor('tokens', @args);
}
my $list = tokens('list', '-c', $config);
is $list->{code}, 0, 'tokens list' or diag $list->{err};
my @lines = split /\n/, $list->{out};
like $lines[0], qr/^USER +PROVIDER +NAME +ACCOUNT +SIGNED IN +RENEWED +UNTIL/,
    'a table';
like $lines[1], qr/^user:default\/ann +oidc +corp +$alice(?: +$when){3}/,
    'with a line for ann';
like $lines[1], qr/ renewed by itself$/, 'and what becomes of it';
is scalar @lines, 2, 'and no more';
my $json = tokens('list', '-c', $config, '--json');
my $object = decode_json($json->{out});
my %sub = (issuer => $issuer->issuer, subject => $object->{subject});
like delete $object->{$_}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, "$_ in UTC"
    for qw(signedIn renewed expires);
is_deeply $object, { user => 'user:default/ann', provider => 'oidc',
    name => 'corp', account => 'alice@example.test', renews => \1, %sub },
    'or as JSON, and no token' or diag explain $object;
($process, $code) = connecting('-c', $config, qw(--user bob --provider oidc
    --name corp));
$issuer->approve($code, 'bob');
ends($process, 0, 'bob connects too');
for (['--user', 'ann'], ['--user', 'user:default/ANN'],
    [qw(--provider oidc --name corp --user ann)]) {
	$list = tokens('list', '-c', $config, @$_);
	is $list->{out} =~ tr/\n//, 2, "list @$_ is of ann";
	unlike $list->{out}, qr/bob/, 'alone';
}
for ([qw(--user carol)], [qw(--provider aks)], [qw(--name other)]) {
	$list = tokens('list', '-c', $config, @$_);
	is $list->{code}, 0, "list @$_ is good";
	is $list->{out}, "nobody has signed in\n", 'and says of nobody';
	is tokens('list', '-c', $config, '--json', @$_)->{out}, '',
	    'or nothing';
}

# --- explain, credential ----------------------------------------------------

my $explain = stagedoor('explain', '-c', $config, @users);
like $explain->{out}, qr/^  signed in as $alice at $when, until $when, /m,
    'explain tells of the sign-in';
like $explain->{out}, qr/^  credential: a token \([0-9a-f]{8}\), until /m,
    'and until when the token is good';
$explain = stagedoor('explain', '-c', $config, '--user', 'carol');
is $explain->{code}, 1, 'without a sign-in it is not good';
like $explain->{out}, qr/who must sign in.*portal\.test\S*\/connect/s,
    'and it says where to sign in';
like stagedoor('explain', '-c', file_with(store => undef), @users)->{out},
    qr/sign-ins are in the server's memory/, 'or why it cannot know';
my $given = stagedoor('credential', '-c', $config, @users, '--cluster',
    'one');
is $given->{code}, 0, 'credential prints the token that is kept'
    or diag $given->{err};
my $status = (decode_json($given->{out} || '{}'))->{status} // {};
is Stagedoor::Issuer::claims_of($status->{token})->{email},
    'alice@example.test', 'which is ann\'s';
like $status->{expirationTimestamp}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/,
    'with its end';

# --- Signing out ------------------------------------------------------------

events();
my $ran = tokens('revoke', '-c', $config, @users);
is $ran->{code}, 0, 'tokens revoke' or diag $ran->{err};
is $ran->{out}, "signed out: user:default/ann, oidc corp, "
    . "alice\@example.test\n", 'says who';
is $issuer->count('revocation'), 1, 'the issuer knows';
is_deeply [map { [@$_{qw(event user by provider name account result)}] }
    events()], [['revoke', 'user:default/ann', 'cli', 'oidc', 'corp',
	'alice@example.test', 'ok']], 'and the audit log';
wait_for(sub { get($pool, '/clusters/one/proxy/version', as => 'ann')
    ->{status} == 401 }, 5, 'the server to know');
pass 'a server that runs knows it soon';
$list = tokens('list', '-c', $config, '--json');
is $list->{out} =~ tr/\n//, 1, 'bob is there still';
like $list->{out}, qr/"user:default\/bob"/, 'who was not named';
is tokens('revoke', '-c', $config, @users)->{out},
    "nobody is signed in there\n", 'twice is nothing';
$issuer->behave(revocation => '503');
$ran = tokens('revoke', '-c', $config, '--all');
is $ran->{code}, 0, 'revoke --all' or diag $ran->{err};
like $ran->{out}, qr/^signed out: user:default\/bob/, 'is of all';
like $ran->{err}, qr/revo/, 'also where the issuer cannot be told, as is said';
is tokens('list', '-c', $config)->{out}, "nobody has signed in\n",
    'and nothing is left';
$issuer->behave(revocation => 'ok');

# What cannot be read now, because its key is away, must not come back with it.
sub keys_are {
	write_file("$dir/keys", @_);
	chmod 0600, "$dir/keys" or die "$dir/keys: $!";
}

sub connected {
	my ($user) = @_;
	my ($at, $with) = connecting('-c', $config, '--user', $user,
	    qw(--provider oidc --name corp));
	$issuer->approve($with, $user);
	ends($at, 0, "$user connects");
}
connected($_) for qw(ann bob carol);
keys_are(stagedoor('key')->{out});
$ran = tokens('revoke', '-c', $config, @users);
is $ran->{code}, 1, 'revoke where nothing can be read fails';
like $ran->{err}, qr/^stagedoor: 2 sign-ins cannot be read/m,
    'but for the user whom it named';
keys_are($keys->{out});
$list = tokens('list', '-c', $config);
unlike $list->{out}, qr/ann/, 'whose sign-in is gone';
like $list->{out}, qr/bob.*carol/s, 'the others are as they were';
keys_are(stagedoor('key')->{out});
events();
$ran = tokens('revoke', '-c', $config, '--all');
is $ran->{code}, 0, 'revoke --all ends those too';
like $ran->{out}, qr/^ended: 2 sign-ins that cannot be read$/m, 'and says so';
is_deeply [map { [@$_{qw(event by result)}] } events()],
    [['revoke', 'cli', '2 that cannot be read']], 'to the audit log, too';
keys_are($keys->{out});
is tokens('list', '-c', $config)->{out}, "nobody has signed in\n",
    'nothing is left of them';

# --- It goes otherwise ------------------------------------------------------

events();
($process, $code) = connecting('-c', $config, @corp);
$issuer->deny($code);
$text = ends($process, 1, 'a person who refuses');
like $text, qr/^stagedoor: .*access_denied/m, 'is told of';
is_deeply [map { $_->{event} } events()], [qw(device sign-in-failed)],
    'in the audit log too';

($process, $code) = connecting('-c', $config, @corp);
my $began = time;
kill 'INT', $process->pid;
$text = ends($process, 1, 'Ctrl-C stops it');
cmp_ok time - $began, '<', 2, 'at once';
like $text, qr/^stagedoor: stopped: user:default\/ann is not signed in$/m,
    'as is said';
is [events()]->[-1]{event}, 'sign-in-failed', 'and in the audit log';

$issuer->set(device_seconds => 2);
($process, $code) = connecting('-c', $config, @corp);
$text = ends($process, 1, 'a code that nobody enters');
like $text, qr/^stagedoor: .*run out|^stagedoor: .*expired/m, 'runs out';
$issuer->set(device_seconds => 600);

$issuer->set(device_interval => 2);
$issuer->behave(token => '400:slow_down,ok');
($process, $code) = connecting('-c', $config, @corp);
$issuer->approve($code, 'alice');
$began = time;
ends($process, 0, 'an issuer that wants us slower');
cmp_ok time - $began, '>', 6, 'is heard';
is $issuer->counters->{too_fast} // 0, 0, 'it is never asked too fast';
$issuer->set(device_interval => 1);

$issuer->behave(token => '503,ok');
($process, $code) = connecting('-c', $config, @corp);
$issuer->approve($code, 'alice');
ends($process, 0, 'one that is ill for a moment is asked again');
$issuer->behave(device_authorization => '500');
($process, $code) = connecting('-c', $config, @corp);
$text = ends($process, 1, 'one that gives no code');
like $text, qr/^stagedoor: .*500/m, 'is told of';
$issuer->behave(device_authorization => 'ok', token => 'wrong:aud');
($process, $code) = connecting('-c', $config, @corp);
$issuer->approve($code, 'alice');
$text = ends($process, 1, 'a token that is not for us');
like $text, qr/^stagedoor: .*aud/m, 'is refused';
$issuer->behave(token => 'ok');
$issuer->behave(device_authorization =>
    'member:user_code="A\u001b[2JB\nroot"');
($process, $code) = connecting('-c', $config, @corp);
$process->signal('INT') if !$process->ended;
$text = ends($process, 1, 'a code that is none');
unlike $text, qr/\x1b|^root/m, 'reaches no terminal';
$issuer->behave(device_authorization => 'ok');
tokens('revoke', '-c', $config, '--all');

($process, $code) = connecting('-c', $config, @users, qw(--provider aks));
$aks->approve($code, 'carol');
$text = ends($process, 0, 'Entra goes as well');
like $text, qr/^connected as carol\S* until $when/m, 'as whom it says';
like tokens('list', '-c', $config)->{out},
    qr/^user:default\/ann +aks +- +carol/m, 'and is kept';
wait_for(sub { get($pool, '/clusters/two/proxy/version', as => 'ann')
    ->{status} == 200 }, 5, 'the token');
tokens('revoke', '-c', $config, '--all');

# --- What is refused --------------------------------------------------------

my $memory = file_with(store => undef);
my $no_device = file_with(login => [$issuer->login('corp',
    device => \0)]);
my $two = file_with(login => [map { $issuer->login($_) } qw(corp other)]);
my $lost = file_with(store => { type => 'sqlite', path => "$dir/tokens.db",
    keyFile => "$dir/none" });
my $unwritable = file_with(audit => "file:$dir/settings-1.yaml/x");
for ([2, qr/no stagedoor\.store/, $memory, @corp],
    [2, qr/device is false/, $no_device, @corp],
    [2, qr/there are 2 logins.*--name/, $two, @corp],
    [2, qr/none of provider 'oidc' named 'okta'/, $config, @corp, '--name',
	'okta'],
    [2, qr/none of provider 'aks'/, $no_device, @users,
	qw(--provider aks)],
    [2, qr/Google's sign-in.*portal\.test\/api\/kubernetes\/connect/, $config,
	@users, qw(--provider google)],
    [2, qr/names a guest/, $config, qw(--user guest --provider oidc)],
    [2, qr/names a guest/, $config, '--user', '', qw(--provider oidc)],
    [2, qr/no entity ref/, $config, '--user', ':', qw(--provider oidc)],
    [2, qr/keyFile|key file|none/, $lost, @corp],
    [2, qr/audit/, $unwritable, @corp],
    [2, qr/^usage: /m, $config, @users],
    [2, qr/^usage: /m, $config, qw(--provider oidc)],
    [2, qr/^usage: /m, $config, @corp, 'more'],
    [2, qr/^usage: /m, $config, @corp, @users]) {
	my ($expected, $why, $file, @args) = @$_;
	my $refused = stagedoor('connect', '-c', $file, @args);
	is $refused->{code}, $expected, "connect @args gives $expected"
	    or diag $refused->{out};
	like $refused->{err}, $why, 'and says why';
	is $refused->{out}, '', 'and nothing else';
}
for ([qr/no stagedoor\.store/, $memory, 'list'],
    [qr/no stagedoor\.store/, $memory, 'revoke', '--all'],
    [qr/keyFile|key file|none/, $lost, 'list'],
    [qr/no entity ref/, $config, 'list', '--user', ':'],
    [qr/audit/, $unwritable, 'revoke', '--all'],
    [qr/--user, or --all/, $config, 'revoke'],
    [qr/--user, or --all/, $config, 'revoke', '--all', @users],
    [qr/--json/, $config, 'revoke', '--all', '--json'],
    [qr/--all/, $config, 'list', '--all'], [qr/list or revoke/, $config],
    [qr/list or revoke/, $config, 'look'],
    [qr/too many/, $config, 'list', 'more'],
    [qr/twice/, $config, 'list', @users, @users]) {
	my ($why, $file, @args) = @$_;
	my $refused = tokens(@args, '-c', $file);
	is $refused->{code}, 2, "tokens @args gives 2" or diag $refused->{out};
	like $refused->{err}, $why, 'and says why';
	is $refused->{out}, '', 'and nothing else';
}
for my $word (qw(connect tokens)) {
	my $help = stagedoor($word, '--help');
	is $help->{code}, 0, "$word --help";
	like $help->{out}, qr/^usage: stagedoor $word /, 'helps';
	like stagedoor('--help')->{out}, qr/^  $word +\w/m,
	    'and is in the list';
}

# --- A store that is ill ----------------------------------------------------

($process, $code) = connecting('-c', $config, @corp);
$issuer->approve($code, 'alice');
ends($process, 0, 'ann connects once more');
my $other = stagedoor('key');
write_file("$dir/other-keys", $other->{out});
chmod 0600, "$dir/other-keys";
$list = tokens('list', '-c', file_with(store => { type => 'sqlite',
    path => "$dir/tokens.db", keyFile => "$dir/other-keys" }));
is $list->{code}, 1, 'with another key, what is there cannot be read';
like $list->{err}, qr/^stagedoor: 1 sign-in cannot be read: /,
    'as is said';
unlike "$list->{out}$list->{err}", qr/alice|default\/ann/, 'and nothing of it';

# --- No secret --------------------------------------------------------------

my @tokens = map { my $form = $_->{form} // {};
    grep { defined && length } @$form{qw(device_code refresh_token token
    client_secret)} } @{$issuer->requests};
cmp_ok scalar @tokens, '>', 3, 'secrets were sent';
push @tokens, $status->{token};
log_has_no('none of them is in a log', @tokens);
my $told = slurp($audit) . join '', map { slurp($_) } glob("$dir/run.*");
is scalar(grep { index($told, $_) >= 0 } @tokens), 0,
    'nor in the audit log';
is $pool->stop, 0, 'the pool ends in order';
done_testing;
