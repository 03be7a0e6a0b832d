/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever has the files of the store, and not the key file, has nobody's
 * token, and reads in them neither who signed in nor where.
 */
#include "base.h"

#include <dirent.h>

#include "store_rig.h"
#include "tokens.h"

#define FILE_MAX (4 << 20)

/* Each of them would be in some file if it were written as it is. */
static const char *const hidden[] = { "ann-of-the-north", "okta-login",
    "issuer.example.org", "subject-of-ann", "mail-of-ann", "scope-of-ann",
    "id-token-of-ann", "access-token-of-ann", "refresh-token-of-ann",
    "why-it-ended" };

static void
put(struct store *st, const char *user, const char *ended)
{
	struct token_set ts = { .user = xstrdup(user),
		.provider = xstrdup("oidc"), .name = xstrdup("okta-login"),
		.issuer = xstrdup("https://issuer.example.org"),
		.subject = xstrdup("subject-of-ann"),
		.account = xstrdup("mail-of-ann"),
		.scope = xstrdup("scope-of-ann"),
		.ended = ended == NULL ? NULL : xstrdup(ended) };

	if (ended == NULL) {
		secret_set(&ts.id_token, "id-token-of-ann", 15);
		secret_set(&ts.access_token, "access-token-of-ann", 19);
		secret_set(&ts.refresh_token, "refresh-token-of-ann", 20);
	}
	token_set_renew(&ts);
	assert_int_equal(tokens_put(st, &ts, NULL), 0);
	token_set_release(&ts);
}

static size_t
read_file(const char *path, char *buf)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, all = 0;

	if (fd < 0)
		return 0;		/* a socket */
	while ((n = read(fd, buf + all, (size_t)(FILE_MAX - all))) > 0)
		all += n;
	close(fd);
	assert_in_range(all, 0, FILE_MAX - 1);
	return (size_t)all;
}

/* In no file of the folder; but something is there. */
static void
is_in_no_file(const char *dir, const char *needed)
{
	char *buf = xmalloc(FILE_MAX), path[400];
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;
	size_t len, i;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (*e->d_name == '.' || strcmp(path, rig_keys) == 0)
			continue;
		len = e->d_type == DT_REG ? read_file(path, buf) : 0;
		found |= memmem(buf, len, needed, strlen(needed)) != NULL;
		for (i = 0; i < ARRAY_LEN(hidden); i++)
			if (memmem(buf, len, hidden[i], strlen(hidden[i])) !=
			    NULL)
				fail_msg("%s is in %s", hidden[i], e->d_name);
	}
	closedir(d);
	free(buf);
	assert_true(found);
}

/* Redis's files are a folder further. */
static void
look(void)
{
	char path[100];
	DIR *d;

	if (str_eq(rig_type, "sqlite")) {
		is_in_no_file(rig_dir, "tokens");
		return;
	}
	redis_say("SAVE");
	is_in_no_file(redis.dir, "stagedoor:tokens:");
	snprintf(path, sizeof(path), "%s/appendonlydir", redis.dir);
	if ((d = opendir(path)) != NULL) {
		closedir(d);
		is_in_no_file(path, "stagedoor:tokens:");
	}
}

static void
gives_nobody_a_token(void **state UNUSED)
{
	struct store *st = rig_open();
	char user[64];
	int i;

	for (i = 0; i < 30; i++) {
		snprintf(user, sizeof(user), "user:default/ann-of-the-north%d",
		    i);
		put(st, user, NULL);
		put(st, user, i % 2 ? "why-it-ended" : NULL);
	}
	look();
	store_close(st);
	look();
}

/* Also what was there before is not to be found. */
static void
leaves_nothing_of_what_was_deleted(void **state UNUSED)
{
	const struct token_key key = { "user:default/ann-of-the-north", "oidc",
		"okta-login" };
	char *buf = xmalloc(FILE_MAX);
	struct store *st = rig_open();
	size_t len;

	put(st, key.user, NULL);
	rig_reopen(&st);	/* from the log into the database itself */
	len = read_file(rig_db, buf);
	assert_non_null(memmem(buf, len, "\1\3one", 5));
	assert_int_equal(tokens_del(st, &key, NULL), 0);
	store_close(st);
	/* secure_delete: what a stolen key might open is overwritten. */
	len = read_file(rig_db, buf);
	assert_null(memmem(buf, len, "\1\3one", 5));
	free(buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_SHARED(gives_nobody_a_token),
		RIG_ON(leaves_nothing_of_what_was_deleted, "sqlite"),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
