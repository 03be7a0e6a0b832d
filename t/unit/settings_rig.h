/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of settings share: a folder of its own, files in it, the
 * settings they give, and what is said about them.
 */
#ifndef STAGEDOOR_TEST_SETTINGS_RIG_H
#define STAGEDOOR_TEST_SETTINGS_RIG_H

#include <dirent.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "settings.h"
#include "strbuf.h"

#define RIG_FILES 8

struct settings_rig {
	char dir[64];
	char paths[RIG_FILES][512];
	struct problems problems;
	struct settings *s;
};

static struct settings_rig rig;

static inline int
rig_setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/stagedoor-test-XXXXXX");
	return mkdtemp(rig.dir) == NULL;
}

static inline int
rig_teardown(void **state UNUSED)
{
	DIR *d = opendir(rig.dir);
	struct dirent *e;
	char path[384];

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", rig.dir, e->d_name);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
	settings_free(rig.s);
	problems_release(&rig.problems);
	return rmdir(rig.dir);
}

/* Forget what was read and said. */
static inline void
rig_reset(void)
{
	settings_free(rig.s);
	rig.s = NULL;
	problems_release(&rig.problems);
}

static inline const char *
rig_write(size_t slot, const char *name, const char *text, size_t len)
{
	char *path = rig.paths[slot];
	FILE *f;

	snprintf(path, sizeof(rig.paths[slot]), "%s/%s", rig.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static inline const char *
rig_file(size_t slot, const char *name, const char *text)
{
	return rig_write(slot, name, text, strlen(text));
}

/* Read the first n files, the later over the earlier. */
static inline int
rig_load_files(size_t n)
{
	const char *files[RIG_FILES];
	size_t i;

	for (i = 0; i < n; i++)
		files[i] = rig.paths[i];
	rig_reset();
	return settings_load(files, n, &rig.s, &rig.problems);
}

static inline int
rig_load(const char *name, const char *text)
{
	rig_file(0, name, text);
	return rig_load_files(1);
}

/* The file's name begins with the folder, which no test wants to repeat. */
static inline const char *
rig_short(const char *text)
{
	size_t len = strlen(rig.dir);

	return strncmp(text, rig.dir, len) == 0 ? text + len + 1 : text;
}

/* Exactly this was said, as an error or as a warning. */
static inline bool
rig_said(bool warning, const char *text)
{
	size_t i;

	for (i = 0; i < rig.problems.n; i++)
		if (rig.problems.items[i].warning == warning &&
		    strcmp(rig_short(rig.problems.items[i].text), text) == 0)
			return true;
	for (i = 0; i < rig.problems.n; i++)
		fprintf(stderr, "# said: %s\n",
		    rig_short(rig.problems.items[i].text));
	return false;
}

#define assert_error(text) assert_true(rig_said(false, text))
#define assert_warning(text) assert_true(rig_said(true, text))

/* Loads, and says just this one error. */
static inline void
rig_refuses(const char *name, const char *text, const char *error)
{
	assert_int_equal(rig_load(name, text), E_CONFIG);
	assert_null(rig.s);
	assert_error(error);
	assert_int_equal(rig.problems.nerrors, 1);
}

static inline void
rig_accepts(const char *name, const char *text)
{
	int r = rig_load(name, text);

	if (r != 0)
		rig_said(false, "");
	assert_int_equal(r, 0);
	assert_non_null(rig.s);
}

/* A cluster in each syntax, for tests of something else. */
#define YAML_HEAD \
	"kubernetes:\n" \
	"  serviceLocatorMethod: {type: multiTenant}\n" \
	"  clusterLocatorMethods:\n"
#define YAML_CLUSTER YAML_HEAD \
	"  - type: config\n" \
	"    clusters:\n" \
	"    - {name: one, url: 'https://one', authProvider: aks"
#define CONF_CLUSTER(more) \
	"kubernetes = {\n" \
	"	serviceLocatorMethod = { type = \"multiTenant\"; };\n" \
	"	clusterLocatorMethods = ( { type = \"config\"; clusters = (\n" \
	"{ name = \"one\"; url = \"https://one\"; authProvider = \"aks\"; " \
	more " } ); } );\n};\n"

static inline struct cluster *
rig_cluster(size_t i)
{
	assert_true(rig.s->nlocators > 0 && rig.s->locators[0].nclusters > i);
	return &rig.s->locators[0].clusters[i];
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

#endif
