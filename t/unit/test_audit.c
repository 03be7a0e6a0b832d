/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: what a line holds, and where it goes when things go wrong. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <signal.h>

#include "audit.h"
#include "clock.h"
#include "jsonx.h"
#include "sink.h"
#include "strbuf.h"

static char dir[] = "/tmp/stagedoor-audit-XXXXXX";
static char target[80], path[64], other[64];

static const char *
content(const char *of)
{
	static char got[65536];
	FILE *f = fopen(of, "r");
	size_t n = f == NULL ? 0 : fread(got, 1, sizeof(got) - 1, f);

	if (f != NULL)
		fclose(f);
	got[n] = '\0';
	return got;
}

static int
begin(void **state UNUSED)
{
	unlink(path);
	unlink(other);
	assert_int_equal(audit_init(target, NULL), 0);
	return 0;
}

static int
end(void **state UNUSED)
{
	audit_end();
	return 0;
}

/* The line of an event without its time, which is looked at. */
static const char *
line_of(const struct audit_event *e)
{
	const char *line;

	assert_int_equal(truncate(path, 0), 0);
	audit(e);
	line = content(path);
	assert_memory_equal(line, "{\"time\":\"20", 11);
	assert_memory_equal(line + 32, "Z\"", 2);
	return line + 34;
}

static void
writes_what_is_set(void **state UNUSED)
{
	assert_string_equal(line_of(&(struct audit_event){
	    .event = "request", .id = "abc", .user = "user:default/ann",
	    .kind = "user", .cluster = "one", .method = "GET",
	    .path = "/a/b?token=secret", .status = 200, .credential = "token",
	    .source = "server", .provider = "aws", .as = "ann",
	    .result = "ok" }),
	    ",\"event\":\"request\",\"id\":\"abc\","
	    "\"user\":\"user:default/ann\",\"kind\":\"user\","
	    "\"cluster\":\"one\",\"method\":\"GET\",\"path\":\"/a/b\","
	    "\"credential\":\"token\",\"source\":\"server\","
	    "\"provider\":\"aws\",\"as\":\"ann\",\"result\":\"ok\","
	    "\"status\":200,\"ms\":0}\n");
	assert_string_equal(line_of(&(struct audit_event){
	    .event = "revoke", .by = "cli", .provider = "oidc", .name = "okta",
	    .account = "ann@example.org", .issuer = "https://i.example.org",
	    .result = "ok" }),
	    ",\"event\":\"revoke\",\"by\":\"cli\",\"provider\":\"oidc\","
	    "\"name\":\"okta\",\"account\":\"ann@example.org\","
	    "\"issuer\":\"https://i.example.org\",\"result\":\"ok\"}\n");
	assert_string_equal(line_of(&(struct audit_event){
	    .event = "refresh", .ms = 12 }),
	    ",\"event\":\"refresh\",\"ms\":12}\n");
}

static void
escapes_what_could_be_a_line(void **state UNUSED)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "a\n{\"event\":\"x\"}", "a\\n{\\\"event\\\":\\\"x\\\"}" },
		{ "\r\t\x01\x1b[31m", "\\r\\t\\u0001\\u001b[31m" },
		{ "back\\slash", "back\\\\slash" },
		{ "del\x7f", "del\\u007f" },
		{ "c1\xc2\x9b" "31m", "c1\\u009b31m" },
		{ "line\xe2\x80\xa8sep", "line\\u2028sep" },
		{ "turn\xe2\x80\xae" "txt", "turn\\u202etxt" },
		{ "iso\xe2\x81\xa7late", "iso\\u2067late" },
		{ "bad\xff\xfe utf", "bad\xef\xbf\xbd\xef\xbf\xbd utf" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "", "" },
	};
	char want[256];
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(want, sizeof(want), ",\"user\":\"%s\"}\n",
		    cases[i].told);
		assert_string_equal(line_of(&(struct audit_event){
		    .user = cases[i].text }), want);
	}
}

/* Everything too long, in bytes that grow, shrink or break when cut. */
static void
is_never_longer_than_a_write(void **state UNUSED)
{
	static const char *const fill[] = { "x", "\x01", "\"", "\x7f",
	    "\xff", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	    "\xe2\x80\xae", "\xc2\x80", "y\xf0\x9f\x98\x80" };
	struct strbuf big = STRBUF_INIT(STRBUF_UNLIMITED);
	struct json_object *root;
	const char *line;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(fill); i++) {
		const struct audit_event *e;

		strbuf_reset(&big);
		while (big.len < 70000)
			strbuf_addstr(&big, fill[i]);
		e = &(struct audit_event){ big.buf, big.buf, big.buf, big.buf,
		    big.buf, big.buf, big.buf, INT_MIN, big.buf, big.buf,
		    big.buf, big.buf, big.buf, big.buf, big.buf, big.buf,
		    big.buf, big.buf, big.buf, INT64_MIN };
		line_of(e);
		line = content(path);
		n = strlen(line);
		assert_true(n > 2000 && n < SINK_LINE_MAX);
		assert_ptr_equal(strchr(line, '\n'), line + n - 1);
		assert_int_equal(jsonx_parse(line, n, &root, NULL), 0);
		assert_string_equal(jsonx_str(root, "path") +
		    strlen(jsonx_str(root, "path")) - 3, "...");
		assert_null(strstr(line, "\xef\xbf\xbd...") == NULL ||
		    fill[i][0] == '\xff' ? NULL : line);
		json_object_put(root);
	}
	strbuf_release(&big);
}

static void
cuts_nothing_that_fits(void **state UNUSED)
{
	char user[385], want[512];

	memset(user, 'u', sizeof(user));
	user[384] = '\0';
	snprintf(want, sizeof(want), ",\"user\":\"%s\"}\n", user);
	assert_string_equal(line_of(&(struct audit_event){ .user = user }),
	    want);
}

static void
keeps_a_file_to_its_owner(void **state UNUSED)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* As root by a subcommand, for a server that is somebody else. */
static void
is_the_servers_who_has_the_folder(void **state UNUSED)
{
	struct stat st;

	if (geteuid() != 0)
		skip();
	audit_end();
	unlink(path);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(audit_init(target, NULL), 0);
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65534);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Whoever has the folder must not choose what root opens, and gives away. */
static void
leads_root_nowhere_else(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct stat st;
	int fd;

	if (geteuid() != 0)
		skip();
	audit_end();
	unlink(path);
	fd = open(other, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(audit_init(target, &err), E_CONFIG);
	assert_non_null(strstr(err.text, "is a link"));
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(link(other, path), 0);
	assert_int_equal(audit_init(target, &err), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(audit_init(target, &err), 0);	/* root's own */
	audit_end();
	unlink(path);
}

static void
writes_nothing_when_off(void **state UNUSED)
{
	struct err err = ERR_INIT;

	audit(&(struct audit_event){ .event = "before" });
	assert_int_equal(audit_init("off", &err), 0);
	audit(&(struct audit_event){ .event = "off" });
	audit_reopen();
	audit(&(struct audit_event){ .event = "off" });
	assert_null(strstr(content(path), "off"));
	assert_non_null(strstr(content(path), "before"));
}

static void
goes_on_where_it_was_when_it_cannot(void **state UNUSED)
{
	static const char *const bad[] = { "file:/nowhere/at/all",
	    "file:/dev/null", "file:/" };
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(audit_init(bad[i], &err), E_CONFIG);
		assert_true(strlen(err.text) > 10);
		assert_int_equal(audit_check(bad[i], &err), E_CONFIG);
	}
	assert_int_equal(mkfifo(other, 0600), 0);
	snprintf(target, sizeof(target), "file:%s", other);
	assert_int_equal(audit_init(target, &err), E_CONFIG);
	snprintf(target, sizeof(target), "file:%s", path);
	audit(&(struct audit_event){ .event = "still" });
	assert_non_null(strstr(content(path), "still"));
	assert_int_equal(audit_check(target, &err), 0);
}

static void
follows_a_file_that_is_moved(void **state UNUSED)
{
	int64_t until = clock_mono_ms() + 5000;

	audit(&(struct audit_event){ .event = "first" });
	assert_int_equal(rename(path, other), 0);
	audit(&(struct audit_event){ .event = "second" });
	audit_reopen();
	audit(&(struct audit_event){ .event = "third" });
	assert_non_null(strstr(content(other), "second"));
	assert_null(strstr(content(other), "third"));
	assert_non_null(strstr(content(path), "third"));

	/* and by itself, soon after */
	assert_int_equal(rename(path, other), 0);
	while (access(path, F_OK) != 0 && clock_mono_ms() < until) {
		audit(&(struct audit_event){ .event = "fourth" });
		usleep(20000);
	}
	assert_non_null(strstr(content(path), "fourth"));
}

static void
tells_what_a_full_disk_lost(void **state UNUSED)
{
	struct rlimit old, none;
	const char *text;
	size_t n;

	signal(SIGXFSZ, SIG_IGN);
	audit(&(struct audit_event){ .event = "first" });
	n = strlen(content(path));
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = n + 7;
	setrlimit(RLIMIT_FSIZE, &none);
	audit(&(struct audit_event){ .event = "torn" });
	audit(&(struct audit_event){ .event = "none" });
	assert_int_equal(strlen(content(path)), n + 7);
	setrlimit(RLIMIT_FSIZE, &old);
	audit(&(struct audit_event){ .event = "later" });
	text = content(path) + n;
	assert_memory_equal(text, "{\"time\"\n{\"time\"", 15);
	assert_non_null(strstr(text, "\"event\":\"later\"}\n{"));
	assert_non_null(strstr(text, "\"event\":\"lost\",\"result\":\"2 events "
	    "before this one could not be written\"}\n"));
	assert_null(strstr(text, "none"));
}

static void
ends_a_line_that_another_process_left(void **state UNUSED)
{
	FILE *f;

	audit_end();
	f = fopen(path, "a");
	fputs("{\"time\":", f);
	fclose(f);
	assert_int_equal(audit_init(target, NULL), 0);
	audit(&(struct audit_event){ .event = "next" });
	assert_memory_equal(content(path), "{\"time\":\n{\"time\":\"", 17);
}

/* Nobody reads; it is neither waited for nor gone on with half a line. */
static void
does_not_wait_for_a_full_pipe(void **state UNUSED)
{
	const struct audit_event e = { .event = "request", .user = "ann" };
	int fds[2], saved = dup(STDERR_FILENO), i;
	char got[SINK_LINE_MAX * 20], *line, *next;
	int64_t began, took;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 8192), 8192);
	dup2(fds[1], STDERR_FILENO);
	assert_int_equal(audit_init("stderr", NULL), 0);
	began = clock_mono_ms();
	for (i = 0; i < 200; i++)
		audit(&e);
	took = clock_mono_ms() - began;
	n = read(fds[0], got, sizeof(got) - 1);
	usleep(SINK_STUCK_MS * 1000);
	audit(&e);
	n += read(fds[0], got + n, sizeof(got) - 1 - (size_t)n);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	assert_true(took < 2 * SINK_WAIT_MS + 500);
	got[n] = '\0';
	assert_non_null(strstr(got, "\"event\":\"lost\""));
	for (line = got; *line != '\0'; line = next + 1) {
		next = strchr(line, '\n');
		assert_non_null(next);
		assert_int_equal(next[-1], '}');
		assert_memory_equal(line, "{\"time\"", 7);
	}
}

static int
listen_at(const char *where)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(where);
	memcpy(to.sun_path, where, strlen(where) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void
speaks_to_syslog(void **state UNUSED)
{
	char got[SINK_LINE_MAX * 2], want[64];
	struct sink *s = NULL;
	struct err err = ERR_INIT;
	int64_t began;
	int fd, i, r = 0;
	ssize_t n;

	assert_int_equal(sink_open_syslog(other, &s, &err), E_CONFIG);
	assert_non_null(strstr(err.text, "no syslog listens"));
	fd = listen_at(other);
	assert_int_equal(sink_open_syslog(other, &s, &err), 0);
	assert_int_equal(sink_write(s, "{\"a\":1}\n", 8), 0);
	n = recv(fd, got, sizeof(got) - 1, 0);
	got[n] = '\0';
	assert_memory_equal(got, "<86>", 4);
	assert_int_equal(got[7], ' ');
	snprintf(want, sizeof(want), " stagedoor[%ld]: {\"a\":1}",
	    (long)getpid());
	assert_string_equal(got + 19, want);

	/* One that is started anew is found again, */
	close(fd);
	assert_int_not_equal(sink_write(s, "{\"b\":1}\n", 8), 0);
	fd = listen_at(other);
	assert_int_equal(sink_write(s, "{\"c\":1}\n", 8), 0);
	n = recv(fd, got, sizeof(got) - 1, 0);
	assert_memory_equal(got + n - 7, "{\"c\":1}", 7);
	/* and one that hangs is not waited for. */
	began = clock_mono_ms();
	for (i = 0; i < 2000; i++)
		r = sink_write(s, "{\"d\":1}\n", 8);
	assert_int_equal(r, EAGAIN);
	assert_true(clock_mono_ms() - began < 2 * SINK_WAIT_MS + 500);
	close(fd);
	sink_put(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(writes_what_is_set), T(escapes_what_could_be_a_line),
		T(is_never_longer_than_a_write), T(cuts_nothing_that_fits),
		T(keeps_a_file_to_its_owner),
		T(is_the_servers_who_has_the_folder),
		T(leads_root_nowhere_else),
		T(writes_nothing_when_off),
		T(goes_on_where_it_was_when_it_cannot),
		T(follows_a_file_that_is_moved),
		T(tells_what_a_full_disk_lost),
		T(ends_a_line_that_another_process_left),
		T(does_not_wait_for_a_full_pipe), T(speaks_to_syslog),
	};
	int failed;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/audit", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(target, sizeof(target), "file:%s", path);
	umask(0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	unlink(other);
	rmdir(dir);
	return failed;
}
