/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where stagedoor login keeps a token: whose folder and file, what cannot be
 * read, links, and one process at a time.
 */
#include "base.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "err.h"
#include "login_cache.h"

#define PORTAL "https://portal.example.org/api/kubernetes"

static char dir[64], folder[96];
static struct login_cache cache;
static struct err err;

static int
setup(void **state UNUSED)
{
	snprintf(dir, sizeof(dir), "/tmp/stagedoor-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(folder, sizeof(folder), "%s/stagedoor", dir);
	setenv("XDG_CACHE_HOME", dir, 1);
	cache = (struct login_cache)LOGIN_CACHE_INIT;
	return 0;
}

static int
drop(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *at UNUSED)
{
	return remove(path);
}

static int
teardown(void **state UNUSED)
{
	login_cache_close(&cache);
	return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static int
open_it(void)
{
	return login_cache_open(PORTAL, NULL, &cache, &err);
}

static void
put(const char *token)
{
	struct login_kept kept = { .expires = 17, .checked = 4 };

	secret_set(&kept.token, token, strlen(token));
	assert_int_equal(login_cache_write(&cache, &kept, &err), 0);
	login_kept_release(&kept);
}

static int
look(struct login_kept *kept)
{
	return login_cache_read(&cache, kept, &err);
}

static void
there_and_back(void **state UNUSED)
{
	struct login_kept kept;
	struct stat st;

	assert_int_equal(open_it(), 0);
	assert_int_equal(look(&kept), E_NOTFOUND);
	put("first\"\\token");
	put("second\"\\token");
	assert_int_equal(look(&kept), 0);
	assert_string_equal(kept.token.ptr, "second\"\\token");
	assert_int_equal(kept.expires, 17);
	assert_int_equal(kept.checked, 4);
	login_kept_release(&kept);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(cache.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	login_cache_remove(&cache);
	assert_int_equal(look(&kept), E_NOTFOUND);
}

static void
portals_have_files_of_their_own(void **state UNUSED)
{
	struct login_cache other;
	struct login_kept kept;

	assert_int_equal(open_it(), 0);
	put("one");
	assert_int_equal(login_cache_open(PORTAL "2", NULL, &other, &err), 0);
	assert_int_equal(login_cache_read(&other, &kept, &err), E_NOTFOUND);
	login_cache_close(&other);
}

static void
what_others_may_touch_is_not_used(void **state UNUSED)
{
	struct login_kept kept;

	assert_int_equal(open_it(), 0);
	put("one");
	assert_int_equal(chmod(cache.file, 0640), 0);
	assert_int_equal(look(&kept), E_SYSTEM);
	login_cache_close(&cache);
	assert_int_equal(chmod(folder, 0770), 0);
	assert_int_equal(open_it(), E_SYSTEM);
}

static void
links_are_not_followed(void **state UNUSED)
{
	struct login_kept kept;
	char elsewhere[96];

	assert_int_equal(open_it(), 0);
	put("one");
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	assert_int_equal(rename(cache.file, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, cache.file), 0);
	assert_int_equal(look(&kept), E_SYSTEM);
	put("two");			/* in the link's place */
	assert_int_equal(look(&kept), 0);
	login_kept_release(&kept);
	login_cache_close(&cache);
	snprintf(elsewhere, sizeof(elsewhere), "%s/moved", dir);
	assert_int_equal(rename(folder, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, folder), 0);
	assert_int_equal(open_it(), E_SYSTEM);
}

static void
nonsense_is_nothing(void **state UNUSED)
{
	static const char *const texts[] = { "", "{", "[]", "null", "{}",
	    "{\"token\":1}", "{\"token\":\"\"}", "\"token\"" };
	struct login_kept kept;
	size_t i;
	int fd;

	assert_int_equal(open_it(), 0);
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		fd = open(cache.file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])),
		    strlen(texts[i]));
		close(fd);
		assert_int_equal(look(&kept), E_NOTFOUND);
	}
}

static int said;

static void
say(void)
{
	said++;
}

/* The second has it only once the first has let it go. */
static void
one_at_a_time(void **state UNUSED)
{
	struct login_cache other;
	int pipes[2], status;
	char byte = 'x';
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(open_it(), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(cache.lock);
		cache.lock = -1;
		if (login_cache_open(PORTAL, say, &other, NULL) != 0)
			_exit(1);
		/* The first wrote before it let go. */
		_exit(read(pipes[0], &byte, 1) == 1 && said == 1 ? 0 : 2);
	}
	close(pipes[0]);
	nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(write(pipes[1], &byte, 1), 1);
	login_cache_close(&cache);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pipes[1]);
}

static void
it_needs_a_home(void **state UNUSED)
{
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", dir, 1);
	assert_int_equal(open_it(), 0);
	assert_non_null(strstr(cache.file, "/.cache/stagedoor/portal-"));
	login_cache_close(&cache);
	setenv("HOME", "/proc/nothing", 1);
	assert_int_equal(open_it(), E_SYSTEM);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(portals_have_files_of_their_own),
		T(what_others_may_touch_is_not_used),
		T(links_are_not_followed),
		T(nonsense_is_nothing),
		T(one_at_a_time),
		T(it_needs_a_home),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
