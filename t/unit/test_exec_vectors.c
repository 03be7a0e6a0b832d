/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential plug-ins as client-go takes them: what they print and what the
 * cluster answers, with what went to the cluster and how often the plug-in
 * ran, recorded.
 */
#include "base.h"

#include "exec_rig.h"
#include "vectors.h"

#define BETWEEN_CALLS_MS 2000

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
		rig.stdout_text = vectors_with_keys(jsonx_str(in, "stdout"));
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
	vectors_each("exec_credential", one_case);
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
