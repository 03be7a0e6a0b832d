/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions of service accounts as Google's own library makes them: its
 * inputs and outputs, recorded, in the folder t/vectors or the one that
 * STAGEDOOR_VECTORS names.
 */
#include "base.h"

#include "files.h"
#include "google_rig.h"
#include "jwt.h"

#define VECTORS_MAX (4 * 1024 * 1024)

static struct json_object *
load(void)
{
	const char *folder = getenv("STAGEDOOR_VECTORS");
	const char *top = getenv("top_srcdir");
	struct json_object *all = NULL;
	struct secret text = SECRET_INIT;
	struct err err = ERR_INIT;
	char path[4096];

	if (folder != NULL)
		snprintf(path, sizeof(path), "%s/google_sa_jwt.json", folder);
	else
		snprintf(path, sizeof(path),
		    "%s/t/vectors/google_sa_jwt.json", top ? top : ".");
	if (file_read(path, VECTORS_MAX, &text, &err) != 0 ||
	    jsonx_parse(text.ptr, text.len, &all, &err) != 0)
		fail_msg("%s", err.text);
	secret_release(&text);
	assert_true(json_object_array_length(jsonx_get(all, "cases")) > 0);
	return all;
}

/* Keys of the vectors are labelled so that nobody takes them for real. */
static char *
relabelled(const char *text)
{
	static const char label[] = "TEST KEY";
	char *out = arena_strdup(rig.arena, "");
	const char *p;

	while ((p = strstr(text, label)) != NULL) {
		out = arena_printf(rig.arena, "%s%.*sPRIVATE KEY", out,
		    (int)(p - text), text);
		text = p + sizeof(label) - 1;
	}
	return arena_printf(rig.arena, "%s%s", out, text);
}

static char *
scopes_of(struct json_object *in)
{
	struct json_object *list = jsonx_get(in, "scopes");
	char *out = arena_strdup(rig.arena, "");
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		out = arena_printf(rig.arena, "%s%s%s", out, i ? " " : "",
		    json_object_get_string(json_object_array_get_idx(list,
		    i)));
	return out;
}

/* One part of a JWT as text. */
static char *
plain(const char *jwt, unsigned which)
{
	unsigned char out[8192];
	char text[8192];
	size_t len, i;
	int n;

	for (; which > 0; which--)
		jwt = strchr(jwt, '.') + 1;
	len = strcspn(jwt, ".");
	assert_true(len + 4 < sizeof(text));
	for (i = 0; i < len; i++)
		text[i] = jwt[i] == '-' ? '+' : jwt[i] == '_' ? '/' : jwt[i];
	while (i % 4 != 0)
		text[i++] = '=';
	n = EVP_DecodeBlock(out, (unsigned char *)text, (int)i);
	assert_true(n > 0);
	return arena_strndup(rig.arena, (char *)out, (size_t)n);
}

static struct json_object *
decoded(const char *jwt, unsigned which)
{
	const char *text = plain(jwt, which);
	struct json_object *tree = NULL;

	assert_int_equal(jsonx_parse(text, strlen(text), &tree, NULL), 0);
	return tree;
}

static bool
is_signed(const char *jwt, const char *pem)
{
	const char *dot = strrchr(jwt, '.');
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sig[1024];
	char text[1024];
	size_t i = 0;
	bool ok;
	int n;

	for (dot++; *dot != '\0' && i < sizeof(text) - 4; dot++, i++)
		text[i] = *dot == '-' ? '+' : *dot == '_' ? '/' : *dot;
	while (i % 4 != 0)
		text[i++] = '=';
	n = EVP_DecodeBlock(sig, (unsigned char *)text, (int)i);
	ok = EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(md, sig, (size_t)EVP_PKEY_get_size(key),
	    (const unsigned char *)jwt, (size_t)(strrchr(jwt, '.') - jwt)) ==
	    1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok && n > 0;
}

static bool
same(const char *what, struct json_object *want, struct json_object *got)
{
	if (json_object_equal(want, got))
		return true;
	print_error("%s differs: %s\n", what, json_object_to_json_string(got));
	return false;
}

/* Header and claims as JSON, and a signature that the public key opens. */
static bool
assertion_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *account = jsonx_get(in, "service_account_json");
	struct secret key = SECRET_INIT;
	struct err err = ERR_INIT;
	const char *pem = relabelled(jsonx_str(account, "private_key"));
	const struct google_assertion a = { .key = &key,
	    .email = jsonx_str(account, "client_email"),
	    .key_id = jsonx_str(account, "private_key_id"),
	    .scopes = scopes_of(in), .subject = jsonx_str(in, "subject"),
	    .now = json_object_get_int64(jsonx_get(in, "now")) * 1000 + 999 };
	struct json_object *header, *claims;
	const char *jwt;
	bool ok;

	secret_set(&key, pem, strlen(pem));
	jwt = google_assertion(rig.arena, &a, &err);
	if (jwt == NULL)
		fail_msg("%s", err.text);
	header = decoded(jwt, 0);
	claims = decoded(jwt, 1);
	ok = same("header", jsonx_get(expected, "header"), header);
	ok &= same("claims", jsonx_get(expected, "claims"), claims);
	ok &= is_signed(jwt, jsonx_str(expected, "public_key_pem"));
	json_object_put(header);
	json_object_put(claims);
	secret_release(&key);
	return ok;
}

/* RS256 gives the same each time, so their very text comes out signed so. */
static bool
signature_case(struct json_object *in, struct json_object *expected)
{
	const char *text = jsonx_str(expected, "compact_signing_input");
	const char *pem = relabelled(jsonx_str(jsonx_get(in,
	    "service_account_json"), "private_key"));
	struct secret key = SECRET_INIT;
	const struct jwt jwt = { .algorithm = JWT_RS256, .key = &key,
	    .header = plain(text, 0), .claims = plain(text, 1) };
	char *out = NULL;

	secret_set(&key, pem, strlen(pem));
	assert_int_equal(jwt_sign(rig.arena, &jwt, &out, NULL), 0);
	secret_release(&key);
	return str_eq(out, jsonx_str(expected, "compact_assertion"));
}

/* The same through all of google_token: it is posted where it belongs. */
static bool
posted_case(struct json_object *in, struct json_object *expected)
{
	struct json_object *account = jsonx_get(in, "service_account_json");
	const char *uri = jsonx_str(account, "token_uri");

	rig_credentials(relabelled(json_object_to_json_string(account)));
	rig_says(uri, "{\"access_token\":\"tok\",\"expires_in\":3599}");
	rig_expect("tok");
	rig_form_has(0, arena_printf(rig.arena, "grant_type=%s",
	    google_encode(rig.arena, jsonx_str(expected, "grant_type"))));
	return strstr(rig.asked[0].body, "assertion=eyJ") != NULL;
}

static void
each(bool (*test)(struct json_object *in, struct json_object *expected))
{
	struct json_object *all = load(), *cases, *one;
	size_t i, failed = 0;

	cases = jsonx_get(all, "cases");
	for (i = 0; i < json_object_array_length(cases); i++) {
		one = json_object_array_get_idx(cases, i);
		rig_setup(NULL);
		if (!test(jsonx_get(one, "inputs"),
		    jsonx_get(one, "expected"))) {
			print_error("%s fails\n", jsonx_str(one, "id"));
			failed++;
		}
		rig_teardown(NULL);
	}
	json_object_put(all);
	assert_int_equal(failed, 0);
}

static void
assertions(void **state UNUSED)
{
	each(assertion_case);
}

static void
signatures(void **state UNUSED)
{
	each(signature_case);
}

static void
posted(void **state UNUSED)
{
	each(posted_case);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assertions),
		cmocka_unit_test(signatures),
		cmocka_unit_test(posted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
