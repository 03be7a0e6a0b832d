/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential plug-ins as client-go takes them: what they print and what the
 * cluster answers, with what went to the cluster and how often the plug-in
 * ran, recorded; in t/vectors or the folder that STAGEDOOR_VECTORS names.
 */
#include "base.h"

#include "exec_rig.h"
#include "files.h"
#include "jsonx.h"

#define VECTORS_MAX (4 * 1024 * 1024)
#define BETWEEN_CALLS_MS 2000

static struct json_object *
load(const char *kind)
{
	const char *folder = getenv("STAGEDOOR_VECTORS");
	const char *top = getenv("top_srcdir");
	struct json_object *all = NULL;
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;
	char path[4096];

	if (folder != NULL)
		snprintf(path, sizeof(path), "%s/%s.json", folder, kind);
	else
		snprintf(path, sizeof(path), "%s/t/vectors/%s.json",
		    top != NULL ? top : ".", kind);
	if (file_read(path, VECTORS_MAX, &text, &err) != 0 ||
	    jsonx_parse(text.ptr, text.len, &all, &err) != 0)
		fail_msg("%s", err.text);
	secret_release(&text);
	assert_true(json_object_array_length(jsonx_get(all, "cases")) > 0);
	return all;
}

/* Keys stand there under another label, so that nobody takes them for some. */
static const char *
with_keys(const char *text)
{
	struct strbuf sb = STRBUF_INIT(VECTORS_MAX);
	const char *at, *copy;

	while ((at = strstr(text, "TEST KEY")) != NULL) {
		strbuf_add(&sb, text, (size_t)(at - text));
		strbuf_addstr(&sb, "PRIVATE KEY");
		text = at + strlen("TEST KEY");
	}
	strbuf_addstr(&sb, text);
	copy = arena_strndup(rig.arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return copy;
}

static int
number_at(struct json_object *list, size_t i, int otherwise)
{
	struct json_object *n = list != NULL ?
	    json_object_array_get_idx(list, i) : NULL;

	return n != NULL ? json_object_get_int(n) : otherwise;
}

static const char *
authorization(void)
{
	return rig.cred.value.len == 0 ? "" : arena_printf(rig.arena,
	    "Bearer %s", rig.cred.value.ptr);
}

/* One request through a client; false: it differs from the oracle's. */
static bool
one_call(size_t i, struct json_object *in, struct json_object *expected)
{
	struct json_object *list = jsonx_get(expected,
	    "authorization_per_call");
	struct json_object *want = json_object_array_get_idx(list, i);
	bool good = json_object_get_boolean(jsonx_get(expected, "ok"));

	rig_obtain();
	rig.now += BETWEEN_CALLS_MS;
	if (number_at(jsonx_get(in, "status"), i, 200) == 401)
		rig_drop();
	if (!good || rig.verdict != PROVIDER_OK) {
		if (good)
			print_error("%s\n", rig.err.text);
		return !good && rig.verdict != PROVIDER_OK;
	}
	if (str_eq(json_object_get_string(want), authorization()))
		return true;
	print_error("expected %s, got %s\n", json_object_get_string(want),
	    authorization());
	return false;
}

/* However it is called: exit, exit_code, exit_status. */
static int
exit_of(struct json_object *in)
{
	json_object_object_foreach(in, key, value)
		if (str_starts(key, "exit"))
			return json_object_get_int(value);
	return 0;
}

static bool
one_case(struct json_object *in, struct json_object *expected)
{
	const char *version = jsonx_str(in, "api_version");
	size_t calls = (size_t)SD_MAX(1, json_object_get_int(jsonx_get(in,
	    "calls")));
	unsigned runs = (unsigned)json_object_get_int(jsonx_get(expected,
	    "exec_runs"));
	bool ok = true;
	size_t i;

	if (version != NULL)
		rig.cluster.exec.api_version = version;
	if (jsonx_str(in, "stdout") != NULL)
		rig.stdout_text = with_keys(jsonx_str(in, "stdout"));
	rig.status = exit_of(in);
	if (provider_find("exec")->check(&rig.cluster, &rig.err) != 0)
		return !json_object_get_boolean(jsonx_get(expected, "ok")) &&
		    runs == 0;
	for (i = 0; i < calls && ok; i++)
		ok = one_call(i, in, expected);
	if (!ok || rig.runs == runs)
		return ok;
	print_error("%u runs, expected %u\n", rig.runs, runs);
	return false;
}

static void
all_of_them(void **state UNUSED)
{
	struct json_object *all = load("exec_credential"), *cases, *one;
	size_t i, failed = 0;

	cases = jsonx_get(all, "cases");
	for (i = 0; i < json_object_array_length(cases); i++) {
		one = json_object_array_get_idx(cases, i);
		rig_setup(NULL);
		if (!one_case(jsonx_get(one, "inputs"),
		    jsonx_get(one, "expected"))) {
			print_error("%s fails\n", jsonx_str(one, "id"));
			failed++;
		}
		rig_teardown(NULL);
	}
	json_object_put(all);
	assert_int_equal(failed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_them),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
