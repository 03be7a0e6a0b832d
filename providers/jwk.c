/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of public keys, made OpenSSL's once, and looked for by signatures. */
#include "base.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base64.h"
#include "jsonx.h"
#include "jwk.h"

#define RSA_BITS_MIN 2048	/* RFC 7518, section 3.3 */
#define RSA_BITS_MAX 8192	/* more, and each signature takes long to see */
#define RSA_E_BITS_MAX 64	/* likewise; 17 is what people have */
#define P256_LEN 32
#define NUMBER_MAX (RSA_BITS_MAX / 8 + 1)	/* some lead with a zero */

struct jwk {
	char *kid;		/* NULL: it has none */
	EVP_PKEY *key;
	unsigned fits;		/* a bit for each enum jwt_algorithm */
};

struct jwk_set {
	struct jwk keys[JWK_SET_MAX];
	size_t n;
};

/* ---- what a key is for ---- */

static bool
has(struct json_object *obj, const char *name)
{
	return json_object_object_get_ex(obj, name, NULL);
}

/* A member of strings has this one. */
static bool
lists(struct json_object *array, const char *text)
{
	struct json_object *item;
	size_t i;

	if (!json_object_is_type(array, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(array); i++) {
		item = json_object_array_get_idx(array, i);
		if (json_object_is_type(item, json_type_string) &&
		    strcmp(json_object_get_string(item), text) == 0)
			return true;
	}
	return false;
}

static bool
for_signatures(struct json_object *obj)
{
	return (!has(obj, "use") || str_eq(jsonx_str(obj, "use"), "sig")) &&
	    (!has(obj, "key_ops") ||
	    lists(jsonx_get(obj, "key_ops"), "verify")) && !has(obj, "d");
}

/* A bit for each algorithm that kty and alg allow; 0: none of ours. */
static unsigned
fits_of(struct json_object *obj)
{
	const char *kty = jsonx_str(obj, "kty"), *alg = jsonx_str(obj, "alg");
	unsigned fits = 0, only = 0;
	enum jwt_algorithm a;

	if (str_eq(kty, "RSA"))
		fits = 1u << JWT_RS256 | 1u << JWT_PS256;
	else if (str_eq(kty, "EC") && str_eq(jsonx_str(obj, "crv"), "P-256"))
		fits = 1u << JWT_ES256;
	if (!has(obj, "alg"))
		return fits;
	for (a = JWT_RS256; a <= JWT_ES256; a++)
		if (str_eq(alg, jwt_algorithm_name(a)))
			only = 1u << a;
	return fits & only;
}

/* ---- the key ---- */

/* Bytes of a member; 0: there are none, or more than fit. */
static size_t
bytes_of(struct json_object *obj, const char *name,
    unsigned char out[BASE64URL_ROOM(NUMBER_MAX / 3 * 4 + 4)])
{
	const char *text = jsonx_str(obj, name);
	size_t len = text != NULL ? strlen(text) : 0;
	ssize_t n = -1;

	if (len <= NUMBER_MAX / 3 * 4 + 4)
		n = base64url_decode(text, len, out);
	return n > 0 ? (size_t)n : 0;
}

static BIGNUM *
number_of(struct json_object *obj, const char *name)
{
	unsigned char buf[BASE64URL_ROOM(NUMBER_MAX / 3 * 4 + 4)];
	size_t len = bytes_of(obj, name, buf);

	return len > 0 ? BN_bin2bn(buf, (int)len, NULL) : NULL;
}

/* NULL if it is no key. */
static EVP_PKEY *
key_from(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || ctx == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

/* With 1 for e, every text would be its own signature. */
static bool
rsa_sound(const BIGNUM *n, const BIGNUM *e)
{
	return n != NULL && e != NULL && BN_is_odd(n) && BN_is_odd(e) &&
	    !BN_is_one(e) && BN_num_bits(e) <= RSA_E_BITS_MAX &&
	    BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX;
}

static EVP_PKEY *
rsa_key(struct json_object *obj)
{
	BIGNUM *n = number_of(obj, "n"), *e = number_of(obj, "e");
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (bld != NULL && rsa_sound(n, e) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_from("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return key;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *
ec_key(struct json_object *obj)
{
	unsigned char buf[BASE64URL_ROOM(NUMBER_MAX / 3 * 4 + 4)];
	unsigned char point[1 + 2 * P256_LEN] = { 4 };	/* uncompressed */
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *key = NULL;

	if (bytes_of(obj, "x", buf) != P256_LEN)
		return NULL;
	memcpy(point + 1, buf, P256_LEN);
	if (bytes_of(obj, "y", buf) != P256_LEN)
		return NULL;
	memcpy(point + 1 + P256_LEN, buf, P256_LEN);
	bld = OSSL_PARAM_BLD_new();
	if (bld != NULL && OSSL_PARAM_BLD_push_utf8_string(bld,
	    OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point, sizeof(point)) == 1)
		key = key_from("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* ---- sets ---- */

static void
set_add(struct jwk_set *set, struct json_object *obj)
{
	const char *kid = jsonx_str(obj, "kid");
	unsigned fits = fits_of(obj);
	EVP_PKEY *key;

	if (fits == 0 || !for_signatures(obj) ||
	    (kid == NULL && has(obj, "kid")))
		return;
	key = fits & 1u << JWT_ES256 ? ec_key(obj) : rsa_key(obj);
	if (key != NULL)
		set->keys[set->n++] = (struct jwk){ .key = key, .fits = fits,
		    .kid = kid != NULL ? xstrdup(kid) : NULL };
}

int
jwk_set_parse(const char *json, size_t len, struct jwk_set **out,
    struct err *err)
{
	struct json_object *top = NULL, *keys, *obj;
	struct jwk_set *set;
	size_t i;

	*out = NULL;
	if (jsonx_parse(json, len, &top, NULL) != 0 ||
	    !json_object_is_type(keys = jsonx_get(top, "keys"),
	    json_type_array)) {
		json_object_put(top);
		return err_set(err, E_PROTOCOL, "the key set is none: it must "
		    "be a JSON object with the array 'keys'");
	}
	set = xcalloc(1, sizeof(*set));
	for (i = 0; i < json_object_array_length(keys) &&
	    set->n < JWK_SET_MAX; i++) {
		obj = json_object_array_get_idx(keys, i);
		if (json_object_is_type(obj, json_type_object))
			set_add(set, obj);
	}
	json_object_put(top);
	ERR_clear_error();	/* libcurl would take it for its own */
	*out = set;
	return 0;
}

void
jwk_set_free(struct jwk_set *set)
{
	size_t i;

	for (i = 0; set != NULL && i < set->n; i++) {
		EVP_PKEY_free(set->keys[i].key);
		free(set->keys[i].kid);
	}
	free(set);
}

int
jwk_find(const struct jwk_set *set, const char *kid, enum jwt_algorithm a,
    struct evp_pkey_st **out, struct err *err)
{
	size_t i, found = 0;

	for (i = 0; i < set->n; i++) {
		const struct jwk *k = &set->keys[i];

		if ((k->fits & 1u << a) == 0 ||
		    (kid != NULL && !str_eq(k->kid, kid)))
			continue;
		*out = k->key;
		found++;
	}
	if (found == 0)
		return err_set(err, E_NOTFOUND, "the issuer has no key that "
		    "fits the token");
	if (found > 1)
		return err_set(err, E_AUTH, "the issuer has several keys that "
		    "fit the token, and nothing tells which one it is");
	return 0;
}
