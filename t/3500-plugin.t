#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Providers in shared objects: the example of the tree, one that uses all that
# the header offers, and objects that are damaged, old or not to be trusted.
use FindBin;
use lib "$FindBin::Bin/lib";
use Stagedoor::Test;

my $top = top();
my $dir = tempdir();
my @cc = split ' ', $ENV{CC} || 'cc';
program($cc[0]);
umask 022;

# The header as it is installed, and nothing else of ours.
my $build = $ENV{top_builddir};
if (defined $build && -e "$build/Makefile") {
	my $run = run_command([program('make'), '-s', '-C', $build,
	    'install-stagedoorincludeHEADERS', "includedir=$dir/include"]);
	is $run->{code}, 0, 'the header is installed' or diag $run->{err};
} else {
	mkdir $_ or die "$_: $!" for "$dir/include", "$dir/include/stagedoor";
	write_file("$dir/include/stagedoor/provider.h",
	    slurp("$top/providers/stagedoor/provider.h"));
}

sub object {
	my ($name, $source, @flags) = @_;
	my $run = run_command([@cc, '-std=c89', '-pedantic', '-Wall',
	    '-Wextra', '-Werror', "-I$dir/include", '-shared', '-fPIC',
	    @flags, '-o', "$dir/$name.so", $source]);
	die "$name: $run->{err}" if $run->{code};
	return "$dir/$name.so";
}

sub object_of {
	my ($name, $text) = @_;
	write_file("$dir/$name.c", $text);
	return object($name, "$dir/$name.c");
}

my $fake = fake(backstage => 1, clusters => [{ name => 'one',
    tokens => [qw(tok-file tok-next tok-http tok-run), map { "tok-$_" }
    qw(alice bob)] }]);

object('example', "$top/providers/example/example.c");
object_of('all', <<'END');
#include <stagedoor/provider.h>
#include <string.h>
#include <stdio.h>
static int how_http(const struct stagedoor_core *core,
    struct stagedoor_call *call) {
	struct stagedoor_request rq;
	struct stagedoor_answer answer;
	memset(&rq, 0, sizeof(rq));
	rq.size = sizeof(rq);
	answer.size = sizeof(answer);
	rq.url = core->metadata(call, "url");
	if (core->http(call, &rq, &answer) != 0)
		return STAGEDOOR_FAILED;
	core->bearer(call, answer.status == 401 ? "tok-http" : "no");
	return STAGEDOOR_OK;
}
static int how_run(const struct stagedoor_core *core,
    struct stagedoor_call *call) {
	static const char *const argv[] = { "sh", "-c", "printf $X", NULL };
	static const char *const env[] = { "PATH=/bin:/usr/bin",
	    "X=tok-run", NULL };
	struct stagedoor_program p;
	struct stagedoor_output out;
	memset(&p, 0, sizeof(p));
	p.size = sizeof(p);
	out.size = sizeof(out);
	p.argv = argv;
	p.env = env;
	if (core->run(call, &p, &out) != 0)
		return STAGEDOOR_FAILED;
	core->bearer(call, out.text);
	return STAGEDOOR_OK;
}
/* Structs with nothing but a size, and why after what works. */
static int how_zeros(const struct stagedoor_core *core,
    struct stagedoor_call *call, const char *how) {
	static const char *const argv[] = { "/bin/true", NULL };
	struct stagedoor_request rq;
	struct stagedoor_answer answer;
	struct stagedoor_program p;
	struct stagedoor_output out;
	size_t len;
	memset(&rq, 0, sizeof(rq));
	memset(&p, 0, sizeof(p));
	rq.size = sizeof(rq);
	answer.size = sizeof(answer);
	p.size = sizeof(p);
	out.size = sizeof(out);
	if (strcmp(how, "nourl") == 0)
		return core->http(call, &rq, &answer) == 0 ? STAGEDOOR_OK
		    : STAGEDOOR_FAILED;
	if (core->run(call, &p, &out) == 0 || strcmp(how, "noargv") == 0)
		return STAGEDOOR_FAILED;
	p.argv = argv;
	if (core->run(call, &p, &out) == 0 && *core->why(call) == '\0' &&
	    core->http(call, &rq, &answer) != 0 &&
	    core->read_file(call, "/etc/passwd", &len) != NULL &&
	    *core->why(call) == '\0')
		core->bearer(call, "tok-run");
	return STAGEDOOR_OK;
}
static int obtain(const struct stagedoor_core *core,
    struct stagedoor_call *call) {
	const char *how = core->metadata(call, "how"), *user;
	char text[200];
	if (strncmp(how, "no", 2) == 0)
		return how_zeros(core, call, how);
	if (strcmp(how, "http") == 0)
		return how_http(core, call);
	if (strcmp(how, "run") == 0)
		return how_run(core, call);
	user = core->user(call);
	if (strcmp(how, "user") == 0 && user != NULL) {
		sprintf(text, "tok-%.100s", strchr(user, '/') + 1);
		core->bearer(call, text);
		return STAGEDOOR_OK;
	}
	if (strcmp(how, "empty") == 0)
		return STAGEDOOR_OK;
	if (strcmp(how, "odd") == 0)
		core->bearer(call, "tok\r\nX: y");
	if (strcmp(how, "late") == 0) {
		core->bearer(call, "tok-late");
		core->expires(call, core->now(call) - 1);
	}
	if (strcmp(how, "half") == 0)
		core->certificate(call, "CERT", "");
	if (strcmp(how, "signin") == 0)
		return STAGEDOOR_NEEDS_USER;
	if (strcmp(how, "refused") == 0) {
		core->fail(call, "not for you");
		return STAGEDOOR_REFUSED;
	}
	if (strcmp(how, "broken") == 0) {
		core->fail(call, "no \001 luck: token=hush-hush");
		return STAGEDOOR_FAILED;
	}
	if (strcmp(how, "chatty") == 0) {
		core->bearer(call, "hush-token");
		core->note(call, "it is hush-token");
		core->fail(call, "hush-token is no good");
		return STAGEDOOR_FAILED;
	}
	if (strcmp(how, "size") == 0) {
		struct stagedoor_request rq;
		struct stagedoor_answer answer;
		rq.size = 0;
		answer.size = sizeof(answer);
		core->http(call, &rq, &answer);
		return STAGEDOOR_FAILED;
	}
	return STAGEDOOR_OK;
}
const struct stagedoor_provider stagedoor_provider_v1 = {
	sizeof(struct stagedoor_provider), STAGEDOOR_PER_USER, NULL, obtain
};
END
object_of('shared', <<'END');
#include <stagedoor/provider.h>
static int obtain(const struct stagedoor_core *core,
    struct stagedoor_call *call) {
	core->bearer(call, core->user(call) ? "tok-alice" : "tok-bob");
	return STAGEDOOR_OK;
}
const struct stagedoor_provider stagedoor_provider_v1 = {
	sizeof(struct stagedoor_provider), 0, 0, obtain
};
END
object_of('old', <<'END');
#include <stagedoor/provider.h>
const struct stagedoor_provider stagedoor_provider_v1 = { 8, 0, 0, 0 };
END
object_of('empty', <<'END');
#include <stagedoor/provider.h>
const struct stagedoor_provider stagedoor_provider_v1 = {
	sizeof(struct stagedoor_provider), 0, 0, 0 };
END
object_of('none', "int something_else = 1;\n");
object_of('unresolved', <<'END');
#include <stagedoor/provider.h>
extern int not_to_be_found(const struct stagedoor_core *,
    struct stagedoor_call *);
const struct stagedoor_provider stagedoor_provider_v1 = {
	sizeof(struct stagedoor_provider), 0, 0, not_to_be_found };
END
my $bytes = slurp("$dir/example.so");
write_file("$dir/cut.so", substr $bytes, 0, 5000);
write_file("$dir/tiny.so", substr $bytes, 0, 40);
write_file("$dir/text.so", "#!/bin/sh\n" x 100);
write_file("$dir/writable.so", $bytes);
chmod 0666, "$dir/writable.so" or die "chmod: $!";
mkdir "$dir/folder.so" or die "mkdir: $!";

# --- Good ones --------------------------------------------------------------

mkdir "$dir/tokens" or die "tokens: $!";
write_file("$dir/tokens/file", "tok-file\n");
sub entry {
	my ($name, $provider, %meta) = @_;
	return { name => $name, url => $fake->url('one'),
	    authProvider => $provider, skipMetricsLookup => \1,
	    authMetadata => { %meta, url => $fake->url('one') . '/api' } };
}
my @how = qw(http run user empty odd late half signin refused broken size
    nourl noargv noenv chatty);
my @bad = qw(old empty none unresolved cut tiny text writable folder missing);
my $settings = settings(fake => $fake, source => 'params',
    kubernetes => { objectTypes => ['pods'] },
    stagedoor => { providers => [
	{ name => 'files', path => "$dir/example.so",
	    settings => { folder => "$dir/tokens" } },
	{ name => 'misled', path => "$dir/example.so" },
	{ name => 'all', path => 'all.so' },
	{ name => 'shared', path => "$dir/shared.so" },
	{ name => 'files', path => "$dir/shared.so" },
	{ name => 'aws', path => "$dir/shared.so" },
	map { { name => "bad$_", path => "$dir/$_.so" } } @bad ] },
    clusters => [ entry('file', 'files'), entry('nofile', 'files'),
	entry('misled', 'misled'), entry('shared', 'shared'),
	(map { entry($_, 'all', how => $_) } @how),
	map { entry($_, "bad$_") } grep { $_ ne 'empty' } @bad ]);
my $pool = pool(settings => $settings);

sub proxied {
	my ($name, $as) = @_;
	$fake->reset;
	my $answer = get($pool, "/clusters/$name/proxy/version",
	    as => $as // 'alice');
	my $seen = $fake->last_request('one');
	return "$answer->{status} "
	    . ($seen ? $seen->{headers}{authorization} : 'none');
}

sub query {
	my $answer = post($pool, '/resources/workloads/query', as => 'alice',
	    headers => [['Sec-Fetch-Site', 'same-origin']],
	    json => { entityRef => 'component:default/shop' });
	return { map { $_->{cluster}{name} => $_ }
	    @{body_of($answer)->{items}} };
}

sub message { return $_[0]{errors}[0]{message} // 'no error' }

is proxied('file'), '200 Bearer tok-file', 'the example opens its cluster';
is proxied('run'), '200 Bearer tok-run', 'a program can be run';
is proxied('http'), '200 Bearer tok-http', 'HTTP can be spoken';
is proxied('noenv'), '200 Bearer tok-run',
    'a program needs no environment, and after what works why says nothing';
is proxied('user', $_), "200 Bearer tok-$_", "$_ gets a token of $_"
    for qw(alice bob alice);
is proxied('shared', $_), '200 Bearer tok-bob',
    'who is no provider for users is not told who asks' for qw(alice bob);
my %shown = map { $_->{name} => $_->{authProvider} }
    @{body_of(get($pool, '/clusters', as => 'alice'))->{items}};
is $shown{file}, 'serviceAccount', 'pages see what they know';

# --- What they get wrong ----------------------------------------------------

my $rows = query();
my %want = (
	nofile => qr/'files' for cluster 'nofile': there is no token/,
	misled => qr/'misled' for cluster 'misled': its settings must be/,
	empty => qr/neither a token nor a certificate/,
	odd => qr/characters that no token has/,
	late => qr/credential that has expired/,
	half => qr/needs an https url/,
	refused => qr/'refused': not for you/,
	broken => qr/'broken': no   luck: token=\*\*\*$/,
	size => qr/has no size/,
	chatty => qr/'chatty': \*+ is no good$/,
	nourl => qr/a request has no url/,
	noargv => qr/a program has no argv/,
);
like message($rows->{$_}), $want{$_}, "$_: the row says it"
    for sort keys %want;
is scalar @{$rows->{$_}{errors}}, 0, "$_ is well meanwhile"
    or diag message($rows->{$_}) for qw(file http run user shared);
like message($rows->{$_}), qr/provider 'bad$_' could not be loaded/,
    "$_: the row says that it is not there"
    for grep { $_ ne 'empty' } @bad;
unlike encode_json([values %$rows]), qr/\Q$dir\E|hush/,
    'no row has a path or a secret';

my $asked = get($pool, '/clusters/signin/proxy/version', as => 'alice');
is $asked->{status}, 401, 'who must sign in is told so';
like $asked->{body}, qr/sign in first/, 'in words';
is get($pool, '/clusters/refused/proxy/version', as => 'alice')->{status},
    403, 'who may not is refused';

# --- What cannot be loaded --------------------------------------------------

my %why = (
	old => qr/of 8 bytes, less than version 1 has/,
	empty => qr/has no obtain/,
	none => qr/has no stagedoor_provider_v1/,
	unresolved => qr/cannot be loaded: .*not_to_be_found/,
	cut => qr/damaged or cut short/,
	tiny => qr/no shared object/,
	text => qr/no shared object/,
	writable => qr/may be written by others/,
	folder => qr/not a regular file/,
	missing => qr/cannot be read: No such file/,
);
my $log = $pool->log_text;
my $check = stagedoor('check', '-c', $pool->config_file);
is $check->{code}, 2, 'check does not like them';
for my $text ([start => $log], [check => $check->{err}]) {
	like $text->[1], qr{provider 'bad$_': '$dir/$_\.so' .*$why{$_}},
	    "$text->[0]: $_: file and reason" for sort keys %why;
	like $text->[1], qr/provider 'aws': .* name is that of a built-in/,
	    "$text->[0]: a name that is taken by us";
	like $text->[1], qr/provider 'files': .*another one has that name/,
	    "$text->[0]: or by another";
}
like $check->{err}, qr/^(?!warning).*cluster '$_' cannot work/m,
    "$_: an error in check" for qw(old cut missing misled);
like $check->{err}, qr/^(?!warning).*provider 'badempty'/m,
    'as is an object that no cluster uses';
unlike $check->{err}, qr/cluster '(?:file|http|shared)'/, 'good ones are not';

write_file("$dir/wrong.yaml", slurp($pool->config_file)
    =~ s/("authProvider":")files"/$1filse"/r);
my $told = stagedoor('explain', '-c', $pool->config_file, '--user', 'alice',
    '--cluster', 'chatty');
like $told->{out}, qr/all: it is \*+$/m, 'explain tells the steps';
unlike $told->{out}, qr/hush/, 'and no token that was given';

my $wrong = stagedoor('check', '-c', "$dir/wrong.yaml");
like $wrong->{err}, qr/no provider 'filse'; did you mean 'files'/,
    'their names are known where settings are checked';

# --- Time -------------------------------------------------------------------

$pool->reload;
wait_for(sub { (() = $pool->log_text =~ /provider 'badold': '/g) == 2 }, 15,
    'the reload');
is proxied('file'), '200 Bearer tok-file', 'a reload keeps them';

log_has_no('no secret is in a log', 'hush-hush', 'tok-file');
done_testing;
