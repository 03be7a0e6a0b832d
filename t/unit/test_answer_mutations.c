/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clouds, plug-ins and the store answer, with bytes changed, left out,
 * doubled or put in at random (the same in every run): whatever comes of it,
 * the readers end, and say so if it is nothing. Run it under a sanitizer to
 * see more. STAGEDOOR_MUTATIONS is the number of tries.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "aws_xml.h"
#include "exec_credential.h"
#include "google_clusters.h"
#include "jsonx.h"
#include "redact.h"
#include "rfc3339.h"
#include "source.h"
#include "strbuf.h"

#define TRIES 20000
#define TEXT_MAX 4096

static const char role[] =
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/\">\n"
    "<AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>"
    "<SecretAccessKey>a&amp;b&#65;&#x42;</SecretAccessKey>"
    "<SessionToken> t <!-- c --></SessionToken><Expiration>"
    "2025-01-01T00:00:00Z</Expiration></Credentials><Empty/>"
    "</AssumeRoleResult></AssumeRoleResponse>";
static const char plugin[] =
    "{\"kind\":\"ExecCredential\",\"apiVersion\":"
    "\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"t\\u0041\","
    "\"expirationTimestamp\":\"2099-01-01T00:00:00.123456+01:00\"}}";
static const char plugin_yaml[] =
    "kind: ExecCredential\napiVersion: client.authentication.k8s.io/v1\n"
    "status: {token: \"abc\", expirationTimestamp: '2099-01-01T00:00:00Z'}\n";
static const char list[] =
    "{\"clusters\":[{\"name\":\"c\",\"endpoint\":\"10.0.0.1\",\"status\":"
    "\"RUNNING\",\"masterAuth\":{\"clusterCaCertificate\":\"QUJD\"},"
    "\"resourceLabels\":{\"a\":\"b\"},\"controlPlaneEndpointsConfig\":"
    "{\"dnsEndpointConfig\":{\"endpoint\":\"x.gke.goog\"}}}],"
    "\"missingZones\":[\"z\"]}";
static const char words[] =
    "error: token=abcdef0123456789 at https://me:pw@host/ \"secret\": \"x\" "
    "Bearer eyJhbGciOi.J9 \xc3\xa9 password: hush";

static const char *const bits[] = { "<", ">", "</", "/>", "&", ";", "&#", "&#x",
    "<!--", "-->", "<!DOCTYPE", "<?x?>", "\"", "'", "{", "}", "[", "]", ":",
    ",", "\\", "\\u0000", "\\ud800", "null", "true", "1e999", "-1",
    "99999999999999999999", "\xff", "\xc3", "\t", "\n", "  ", "- ", "*a", "&a ",
    "!!str ", "Z", "+99:99", "T", "=", "@", "://", "Bearer " };

static uint64_t seed = 88172645463325252U;

static size_t
random_below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

/* One change, in place of up to four bytes. */
static void
mutate(struct strbuf *sb)
{
	char copy[TEXT_MAX];
	size_t len = sb->len, at = random_below(len + 1), cut, n = 1;
	const char *bit = bits[random_below(ARRAY_LEN(bits))];
	char byte = (char)random_below(256);

	memcpy(copy, sb->buf, len);
	cut = SD_MIN(random_below(5), len - at);
	if (random_below(3) == 0)
		bit = &byte;
	else
		n = strlen(bit);
	strbuf_reset(sb);
	strbuf_add(sb, copy, at);
	strbuf_add(sb, bit, n);
	strbuf_add(sb, copy + at + cut, len - at - cut);
}

static unsigned long
tries(void)
{
	const char *text = getenv("STAGEDOOR_MUTATIONS");

	return text != NULL ? strtoul(text, NULL, 10) : TRIES;
}

/* True: the reader took it for something. */
typedef bool reader(const struct secret *text);

/* Most must be refused, or the reader does not read. */
static void
read_mutated(const char *good, size_t len, reader *read)
{
	unsigned long i, taken = 0, n = tries();
	struct secret text = SECRET_INIT;
	size_t changes;

	secret_set(&text, good, len);
	assert_true(read(&text));
	for (i = 0; i < n; i++) {
		struct strbuf sb = STRBUF_INIT(TEXT_MAX - 64);

		strbuf_add(&sb, good, len);
		for (changes = 1 + random_below(4); changes > 0; changes--)
			mutate(&sb);
		secret_set(&text, sb.buf, sb.len);
		taken += read(&text);
		strbuf_release(&sb);
	}
	printf("# %lu of %lu were taken\n", taken, n);
	assert_true(n < 100 || taken < n);
	secret_release(&text);
}

static bool
read_role(const struct secret *text)
{
	struct secret id = SECRET_INIT, secret = SECRET_INIT;
	const struct aws_xml_want wants[] = {
		{ "AssumeRoleResponse/AssumeRoleResult/Credentials/"
		    "AccessKeyId", &id },
		{ "AssumeRoleResponse/AssumeRoleResult/Credentials/"
		    "SecretAccessKey", &secret },
	};
	struct err err = ERR_INIT;
	bool ok = aws_xml_read(text, wants, ARRAY_LEN(wants), &err) == 0;

	assert_true(ok || err.code == E_PROTOCOL);
	assert_true(id.len + secret.len <= text->len);
	ok = ok && id.len > 0 && secret.len > 0;
	secret_release(&id);
	secret_release(&secret);
	return ok;
}

static bool
read_plugin(const struct secret *text)
{
	struct source_value v = SOURCE_VALUE_INIT;
	struct err err = ERR_INIT;
	int r = exec_credential_parse(text, "client.authentication.k8s.io/v1",
	    1700000000000, &v, &err);

	assert_true(r == 0 || (r == E_PROTOCOL && err.text[0] != '\0'));
	assert_true(r != 0 || v.part[EXEC_TOKEN].len > 0 ||
	    v.part[EXEC_CERTIFICATE].len > 0);
	source_value_release(&v);
	return r == 0;
}

static bool
read_list(const struct secret *text)
{
	struct json_object *json = NULL;
	struct strbuf out = STRBUF_INIT(TEXT_MAX);
	struct err err = ERR_INIT;
	bool ok = jsonx_parse(text->ptr, text->len, &json, &err) == 0 &&
	    google_clusters_reduce(json, &out, &err) == 0;

	jsonx_wipe(json);
	strbuf_release(&out);
	return ok;
}

static bool
read_value(const struct secret *text)
{
	struct source_value v = SOURCE_VALUE_INIT;
	struct secret again = SECRET_INIT;
	bool ok = source_value_parse(text, &v);

	if (ok) {	/* one way to write each */
		source_value_print(&v, &again);
		assert_true(secret_equal(&again, text->ptr, text->len));
	}
	secret_release(&again);
	source_value_release(&v);
	return ok;
}

static bool
read_words(const struct secret *text)
{
	char *copy = xstrdup(text->ptr);

	redact(copy);
	redact_value(copy, "secret");
	assert_true(strlen(copy) <= 4 * text->len + 4);
	free(copy);
	return text->len == sizeof(words) - 1;
}

static bool
read_time(const struct secret *text)
{
	int64_t ms;

	return strlen(text->ptr) == text->len &&
	    rfc3339_parse(text->ptr, &ms);
}

static void
answers(void **state UNUSED)
{
	read_mutated(role, sizeof(role) - 1, read_role);
	read_mutated(plugin, sizeof(plugin) - 1, read_plugin);
	read_mutated(plugin_yaml, sizeof(plugin_yaml) - 1, read_plugin);
	read_mutated(list, sizeof(list) - 1, read_list);
	read_mutated("2026-01-02T03:04:05.678+01:00", 29, read_time);
	read_mutated(words, sizeof(words) - 1, read_words);
}

static void
values(void **state UNUSED)
{
	struct source_value v = { .expires = 1, .margin = 2 };
	struct secret bytes = SECRET_INIT;

	secret_set(&v.part[0], "id", 2);
	secret_set(&v.part[3], "last", 4);
	source_value_print(&v, &bytes);
	read_mutated(bytes.ptr, bytes.len, read_value);
	secret_release(&bytes);
	source_value_release(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(values),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
