/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token of the settings is in memory once, where it belongs, and after
 * that nowhere: looked for in the process's own heap.
 */
#include "base.h"

#include <fcntl.h>

#include "settings_rig.h"

#define TOKEN_LEN 600
#define PIECE 32		/* so much of it must not be left anywhere */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OTHER_HEAP 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHER_HEAP 1
#endif

static char token[TOKEN_LEN + 1];	/* not in the heap */
static char heap[32 * 1024 * 1024];

static void
make_token(void)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901";
	unsigned x = 12345;
	size_t i;

	for (i = 0; i < TOKEN_LEN; i++) {
		x = x * 1103515245u + 12345u;
		token[i] = letters[(x >> 16) & 63];
	}
}

/* The heap as the kernel knows it; 0 if there is none. */
static size_t
read_heap(void)
{
	char line[256];
	unsigned long from = 0, to = 0;
	static char buf[BUFSIZ];
	FILE *f = fopen("/proc/self/maps", "r");
	ssize_t n = 0;
	int fd;

	if (f == NULL)
		return 0;
	setvbuf(f, buf, _IOFBF, sizeof(buf));
	while (fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "[heap]") != NULL &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2)
			break;
	fclose(f);
	fd = open("/proc/self/mem", O_RDONLY);
	if (to > from && to - from <= sizeof(heap))
		n = pread(fd, heap, to - from, (off_t)from);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* How many places hold a piece of the token, the most over all pieces. */
static size_t
copies(void)
{
	size_t len = read_heap(), most = 0, at;

	for (at = 0; at + PIECE <= TOKEN_LEN; at += PIECE) {
		const char *p = heap, *end = heap + len;
		size_t n = 0;

		while ((p = memmem(p, (size_t)(end - p), token + at, PIECE))) {
			n++;
			p++;
		}
		most = SD_MAX(most, n);
	}
	memset(heap, 0, len);
	return most;
}

/* Writes without stdio, whose buffers would be in the heap too. */
static void
write_plainly(const char *name, const char *before, const char *after)
{
	int fd;

	snprintf(rig.paths[0], sizeof(rig.paths[0]), "%s/%s", rig.dir, name);
	fd = open(rig.paths[0], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_true(write(fd, before, strlen(before)) >= 0);
	assert_int_equal(write(fd, token, TOKEN_LEN), TOKEN_LEN);
	assert_true(write(fd, after, strlen(after)) >= 0);
	close(fd);
}

static void
assert_only_copy(void)
{
	assert_int_equal(rig_load_files(1), 0);
	assert_true(secret_equal(&rig_cluster(0)->token, token, TOKEN_LEN));
	assert_int_equal(copies(), 1);
	rig_reset();
	assert_int_equal(copies(), 0);
}

static void
in_libconfig(void **state UNUSED)
{
	write_plainly("a.conf", "kubernetes = { serviceLocatorMethod = { type "
	    "= \"multiTenant\"; }; clusterLocatorMethods = ( { type = "
	    "\"config\"; clusters = ( { name = \"a\"; url = \"u\"; "
	    "authProvider = \"aks\"; serviceAccountToken = \"",
	    "\"; } ); } ); };");
	assert_only_copy();
}

/*
 * libyaml grows its strings, and leaves shorter ones behind: of a token in
 * the YAML itself no more is promised than that ours are gone. Files and
 * variables do better.
 */
static void
in_yaml(void **state UNUSED)
{
	size_t before;

	write_plainly("a.yaml", YAML_CLUSTER ", serviceAccountToken: '",
	    "'}\n");
	assert_int_equal(rig_load_files(1), 0);
	assert_true(secret_equal(&rig_cluster(0)->token, token, TOKEN_LEN));
	before = copies();
	assert_true(before >= 1);
	rig_reset();
	assert_true(copies() < before);
}

static void
in_a_file(void **state UNUSED)
{
	write_plainly("token", "", "");
	rig_file(0, "a.conf",
	    CONF_CLUSTER("serviceAccountTokenFile = \"token\";"));
	assert_only_copy();
	rig_file(0, "a.yaml", YAML_CLUSTER
	    ", serviceAccountToken: {$file: token}}\n");
	assert_only_copy();
}

static void
in_the_environment(void **state UNUSED)
{
	/* Where it is, is not the heap's. */
	static char variable[TOKEN_LEN + 16];

	snprintf(variable, sizeof(variable), "SD_TOKEN=%s", token);
	putenv(variable);
	rig_file(0, "a.conf",
	    CONF_CLUSTER("serviceAccountToken = \"${SD_TOKEN}\";"));
	assert_only_copy();
	rig_file(0, "a.yaml", YAML_CLUSTER
	    ", serviceAccountToken: '${SD_TOKEN}'}\n");
	assert_only_copy();
}

static void
where_the_settings_are_wrong(void **state UNUSED)
{
	write_plainly("a.conf", "kubernetes = { serviceLocatorMethod = { type "
	    "= \"nonsense\"; }; clusterLocatorMethods = ( { type = "
	    "\"config\"; clusters = ( { name = \"a\"; "
	    "serviceAccountToken = \"", "\"; } ); } ); };");
	assert_int_equal(rig_load_files(1), E_CONFIG);
	assert_int_equal(copies(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(in_libconfig),
		RIG_TEST(in_a_file),
		RIG_TEST(in_the_environment),
		RIG_TEST(where_the_settings_are_wrong),
		RIG_TEST(in_yaml),
	};

#ifdef OTHER_HEAP
	puts("1..0 # SKIP a sanitizer has a heap of its own");
	return 0;
#endif
	make_token();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
