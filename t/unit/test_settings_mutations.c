/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings with bytes changed, left out, doubled or swapped at random (the
 * same in every run): whatever comes of them, the readers end, and what they
 * return goes with what they say. Run it under a sanitizer to see more.
 * STAGEDOOR_MUTATIONS is the number of tries.
 */
#include "base.h"

#include "runtime.h"
#include "serve_checks.h"
#include "settings_rig.h"
#include "transport.h"

#define TRIES 3000

static const char *const seeds[] = {
	CONF_CLUSTER("title = \"a\\\"b\\x41 ${HOME} $${X}\"; timeout = 1.5e0; "
	    "authMetadata = ( { key = \"a/b\"; value = \"c\"; } ); guests = "
	    "true; dashboardParameters = { a = ( 1, 0x10, \"x\" \"y\", [1, 2],"
	    " { b = -5000000000L; } ); }; /* c */ # d\n // e\n")
	    "@include \"other.conf\"\n"
	    "stagedoor : { limits = { response = 5000000000L } threads = 4 };",
	"# c\nbackend: &b\n  baseUrl: \"http://\\u00e9\\x41\"\n  auth:\n"
	    "    externalAccess:\n"
	    "    - {type: static, options: {token: '12345678', subject: s}}\n"
	    "stagedoor: {threads: 0x10, limits: {connect: .5, drain: 1e1}}\n"
	    "x: [*b, ~, !!str 5, |\n  text\n, >-\n  more\n]\n"
	    "kubernetes:\n  serviceLocatorMethod: &t {type: multiTenant}\n"
	    "  clusterLocatorMethods:\n  - type: config\n    clusters:\n"
	    "    - name: ${HOME}\n      url: {$env: HOME}\n"
	    "      serviceAccountToken: {$file: other.conf}\n"
	    "      dashboardParameters: {$include: 'o.yaml#a.b'}\n"
	    "      authProvider: aks\n",
	"{\"kubernetes\": {\"serviceLocatorMethod\": {\"type\": "
	    "\"multiTenant\"}, \"clusterLocatorMethods\": [{\"type\": "
	    "\"config\", \"clusters\": [{\"name\": \"\\ud83d\\ude00\", "
	    "\"url\": \"http://x\", \"authProvider\": \"oidc\", "
	    "\"oidcTokenProvider\": \"y\"}]}]}, \"aws\": {\"accounts\": "
	    "[{\"accountId\": \"1\", \"profile\": \"a\"}]}}",
};

static const char *const bits[] = { "{", "}", "[", "]", "(", ")", "\"", "'",
    ",", ";", ":", "=", "\n", "\\", "&a ", "*a ", "!", "|", "-", "#", "/*",
    "*/", "//", "${", "}", "$", "\\x", "\\u", "null", "99999999999", "1e999",
    "0x", "\xff", "\xc3\xa9", "\t", "  ", "<<: *b\n", "@include \"a\"\n",
    "{$include: a.yaml}", "---\n", "? ", "%YAML 1.1\n" };

static uint64_t seed = 88172645463325252U;

static size_t
random_below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static void
mutate_once(struct strbuf *sb)
{
	struct strbuf out = STRBUF_INIT(65536);
	size_t at = random_below(sb->len + 1);
	size_t len = random_below(SD_MIN(sb->len - at, (size_t)20) + 1);
	const char *bit = bits[random_below(ARRAY_LEN(bits))];

	strbuf_add(&out, sb->buf, at);
	switch (random_below(4)) {
	case 0:			/* something in between */
		strbuf_addstr(&out, bit);
		len = 0;
		break;
	case 1:			/* a part left out */
		break;
	case 2:			/* a part twice */
		strbuf_add(&out, sb->buf + at, len);
		len = 0;
		break;
	default:		/* one byte changed */
		len = at < sb->len;
		strbuf_addch(&out, (char)(random_below(255) + 1));
		break;
	}
	strbuf_add(&out, sb->buf + at + len, sb->len - at - len);
	strbuf_release(sb);
	*sb = out;
}

/* What is left of wrong settings must do to make clusters of. */
static void
look_for_more(const char *file)
{
	struct transport *t = transport_new(
	    &(struct transport_options){ .threads = 1 });
	struct runtime *rt;

	settings_check(&file, 1, &rig.s, &rig.problems);
	if (rig.s != NULL) {
		rt = runtime_new(rig.s, &(struct services){ .transport = t },
		    &rig.problems);
		serve_check(rig.s, &rig.problems);
		rig.s = NULL;	/* the runtime has it */
		runtime_put(rt);
	}
	transport_free(t);
	rig_reset();
}

static void
mutations(void **state UNUSED)
{
	const char *tries = getenv("STAGEDOOR_MUTATIONS");
	size_t n = tries ? strtoul(tries, NULL, 10) : TRIES, i, k, good = 0;

	rig_file(1, "other.conf", "permission = { enabled = true; };\n");
	rig_file(2, "o.yaml", "a: {b: {c: [1]}}\n");
	rig_file(3, "a.yaml", "a: 1\n");
	rig_file(4, "a", "stagedoor = {};\n");
	for (i = 0; i < n; i++) {
		size_t which = random_below(ARRAY_LEN(seeds));
		struct strbuf sb = STRBUF_INIT(65536), out = STRBUF_INIT(1 <<
		    20);
		const char *file;
		int r;

		strbuf_addstr(&sb, seeds[which]);
		for (k = random_below(4); k > 0; k--)
			mutate_once(&sb);
		file = rig_write(0, which == 0 ? "f.conf" : "f.yaml", sb.buf,
		    sb.len);
		r = rig_load_files(1);
		assert_int_equal(r == 0, rig.s != NULL);
		assert_int_equal(r == 0, rig.problems.nerrors == 0);
		good += r == 0;
		rig_reset();
		look_for_more(file);
		settings_import(&file, 1, &out, &rig.problems);
		strbuf_release(&sb);
		strbuf_release(&out);
	}
	/* Otherwise the seeds are no settings, and little is tried. */
	assert_true(good > n / 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { RIG_TEST(mutations) };

	setenv("HOME", "/nowhere", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
