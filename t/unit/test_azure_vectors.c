/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entra's assertions as its own libraries make them: inputs and outputs of
 * those, recorded, in the folder t/vectors or the one that STAGEDOOR_VECTORS
 * names.
 */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "azure_rig.h"
#include "azure_assertion.h"
#include "azure_entra.h"
#include "files.h"
#include "jsonx.h"
#include "strbuf.h"

#define VECTORS_MAX (4 * 1024 * 1024)
#define DECODED_MAX 65536

/* --- Reading ------------------------------------------------------------- */

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

/* The keys are written under a label of their own. */
static void
load_key(struct secret *out, const char *text)
{
	char *pem = arena_strdup(rig.arena, ""), *at;

	while ((at = strstr(text, "TEST KEY")) != NULL) {
		pem = arena_printf(rig.arena, "%s%.*sPRIVATE KEY", pem,
		    (int)(at - text), text);
		text = at + strlen("TEST KEY");
	}
	pem = arena_printf(rig.arena, "%s%s", pem, text);
	secret_set(out, pem, strlen(pem));
}

static bool
same(const char *what, const char *want, const char *got)
{
	if (str_eq(want, got))
		return true;
	print_error("%s: expected\n%s\ngot\n%s\n", what, want ? want : "-",
	    got ? got : "-");
	return false;
}

/* --- Tokens taken apart -------------------------------------------------- */

static size_t
decode(const char *text, size_t len, unsigned char *out)
{
	size_t n = (len + 3) / 4 * 4, i;
	char *padded = arena_alloc(rig.arena, n + 1);

	assert_true(n < DECODED_MAX);
	for (i = 0; i < n; i++)
		padded[i] = i >= len ? '=' : text[i] == '-' ? '+' :
		    text[i] == '_' ? '/' : text[i];
	assert_true(EVP_DecodeBlock(out, (unsigned char *)padded, (int)n) > 0);
	return n / 4 * 3 - (n - len);
}

/* Part 0, 1 or 2 of a token, NUL-terminated; in the arena. */
static char *
part(const char *token, int which, size_t *len)
{
	char *out = arena_alloc(rig.arena, DECODED_MAX);

	while (which-- > 0) {
		token = strchr(token, '.');
		assert_non_null(token);
		token++;
	}
	*len = decode(token, strcspn(token, "."), (unsigned char *)out);
	out[*len] = '\0';
	return out;
}

static struct json_object *
json_part(const char *token, int which)
{
	struct json_object *obj = NULL;
	size_t len;
	char *text = part(token, which, &len);

	assert_int_equal(jsonx_parse(text, len, &obj, NULL), 0);
	return obj;
}

static bool
verified(const char *token, const char *pem, bool pss)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t len;
	char *sig = part(token, 2, &len);
	bool good;

	assert_int_equal(EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL,
	    key), 1);
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32);
	}
	good = EVP_DigestVerify(md, (unsigned char *)sig, len,
	    (const unsigned char *)token,
	    (size_t)(strrchr(token, '.') - token)) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	BIO_free(bio);
	if (!good)
		print_error("the signature is not good\n");
	return good;
}

/* --- Cases --------------------------------------------------------------- */

static bool
same_parts(const char *token, struct json_object *expected)
{
	struct json_object *header = json_part(token, 0);
	struct json_object *claims = json_part(token, 1);
	bool ok = json_object_equal(header, jsonx_get(expected, "header")) &&
	    jsonx_get(claims, "iat") != NULL;

	json_object_object_foreach(jsonx_get(expected, "claims_required"),
	    name, value)
		ok &= json_object_equal(jsonx_get(claims, name), value) != 0;
	if (!ok)
		print_error("%s\n%s\n", json_object_to_json_string(header),
		    json_object_to_json_string(claims));
	json_object_put(header);
	json_object_put(claims);
	return ok;
}

/* What the library signed, signed by us. */
static bool
same_bytes(const struct azure_assertion *a, struct json_object *expected)
{
	const char *want = jsonx_str(expected, "assertion");
	struct jwt jwt = { .algorithm = a->algorithm, .key = a->pem };
	char *token = NULL;
	size_t len;

	if (!json_object_get_boolean(jsonx_get(expected, "deterministic")))
		return true;
	jwt.header = part(want, 0, &len);
	jwt.claims = part(want, 1, &len);
	assert_int_equal(jwt_sign(rig.arena, &jwt, &token, NULL), 0);
	return same("assertion", want, token) &&
	    str_starts(token, jsonx_str(expected, "signing_input"));
}

static bool
same_form(const struct provider_call *call, struct azure_application *app,
    struct json_object *expected)
{
	struct strbuf sb = STRBUF_INIT(65536);
	bool ok;

	strbuf_addstr(&sb, "client_assertion_type=");
	strbuf_add_percent(&sb, jsonx_str(expected, "client_assertion_type"),
	    "");
	strbuf_addf(&sb, "&client_assertion=%s", app->assertion);
	ok = strstr(azure_form(call, app), sb.buf) != NULL;
	if (!ok)
		print_error("the form is %s\n", azure_form(call, app));
	strbuf_release(&sb);
	return ok;
}

static bool
one_case(struct json_object *in, struct json_object *expected)
{
	struct azure_application app = { .client_id = jsonx_str(in,
	    "client_id") };
	struct provider_call call = rig_call();
	struct secret pem = SECRET_INIT;
	struct azure_assertion a = { .pem = &pem, .client_id = app.client_id,
	    .chain = json_object_get_boolean(jsonx_get(in, "send_chain")),
	    .algorithm = strcmp(jsonx_str(in, "alg"), "RS256") == 0 ?
		JWT_RS256 : JWT_PS256,
	    .now = json_object_get_int64(jsonx_get(in, "now")) * 1000,
	    .id = jsonx_str(in, "jti") };
	struct err err = ERR_INIT;
	char *token = NULL;
	bool ok;

	rig_variable("AZURE_TENANT_ID", jsonx_str(in, "tenant_id"));
	rig_variable("AZURE_AUTHORITY_HOST", jsonx_str(in, "authority_host"));
	load_key(&pem, jsonx_str(in, "pem"));
	assert_int_equal(azure_token_url(&call, NULL, &app, &err), 0);
	a.token_url = app.token_url;
	if (azure_assertion(rig.arena, &a, &token, &err) != 0)
		fail_msg("%s", err.text);
	app.assertion = token;
	ok = same("url", jsonx_str(expected, "token_url"), app.token_url) &&
	    same_parts(token, expected) && same_bytes(&a, expected) &&
	    same_form(&call, &app, expected) && verified(token,
	    jsonx_str(expected, "public_key_pem"), a.algorithm == JWT_PS256);
	secret_release(&pem);
	return ok;
}

static void
assertions(void **state UNUSED)
{
	struct json_object *all = load("azure_cert_assertion"), *cases, *one;
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
		cmocka_unit_test(assertions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
