/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens of others: taken apart, and their signatures checked. */
#include "base.h"

#include <math.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base64.h"
#include "jsonscan.h"
#include "jsonx.h"
#include "jwk.h"
#include "jwt_verify.h"

#define HASH_LEN 32		/* of SHA-256; of r and s, each, too */
#define SECONDS_MAX 9e12	/* further ones are as good as that */

/* ---- taking apart ---- */

struct part {
	const char *text;
	size_t len;
};

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, E_AUTH, "the token %s", why);
}

static bool
split(const char *token, size_t len, struct part parts[3])
{
	const char *end = token + len, *dot;
	size_t i;

	for (i = 0; i < 3; i++) {
		dot = memchr(token, '.', (size_t)(end - token));
		if ((dot == NULL) != (i == 2))
			return false;
		parts[i].text = token;
		parts[i].len = (size_t)((dot != NULL ? dot : end) - token);
		if (dot != NULL)
			token = dot + 1;
	}
	return true;
}

/*
 * Members that come twice are refused (RFC 7515, section 4; RFC 7519, section
 * 4): whoever else reads the token might take the other one.
 */
static bool
members_once(const char *json, size_t len, struct json_object *obj)
{
	size_t blanks = strspn(json, " \t\r\n");
	struct jsonscan it;
	struct json_span key, value;
	int n = 0;

	if (!jsonscan_begin(&it, (struct json_span){ json + blanks,
	    len - blanks }, '{'))
		return false;
	while (jsonscan_member(&it, &key, &value))
		n++;
	return n == json_object_object_length(obj);
}

/* An object, or NULL. */
static struct json_object *
object_of(const struct part *part)
{
	size_t room = BASE64URL_ROOM(part->len) + 1;
	char *json = xmalloc(room);
	ssize_t n = base64url_decode(part->text, part->len, json);
	struct json_object *obj = NULL;

	if (n > 0) {
		json[n] = '\0';
		if (jsonx_parse(json, (size_t)n, &obj, NULL) != 0 ||
		    !json_object_is_type(obj, json_type_object) ||
		    !members_once(json, (size_t)n, obj)) {
			jsonx_wipe(obj);
			obj = NULL;
		}
	}
	OPENSSL_cleanse(json, room);
	free(json);
	return obj;
}

/* Absent, or a string. */
static bool
text_of(struct json_object *obj, const char *name, const char **out)
{
	*out = jsonx_str(obj, name);
	return *out != NULL || !json_object_object_get_ex(obj, name, NULL);
}

static int
read_header(struct jwt_parts *out, unsigned allowed, struct err *err)
{
	const char *alg = jsonx_str(out->header, "alg");
	enum jwt_algorithm a;

	for (a = JWT_RS256; a <= JWT_ES256; a++)
		if (str_eq(alg, jwt_algorithm_name(a)) &&
		    (allowed & JWT_ALLOW(a)) != 0)
			break;
	if (a > JWT_ES256)
		return refuse(err, "is signed by an algorithm that is not "
		    "allowed");
	out->algorithm = a;
	if (json_object_object_get_ex(out->header, "crit", NULL))
		return refuse(err, "wants extensions to be understood (crit)");
	if (!text_of(out->header, "kid", &out->kid) ||
	    !text_of(out->header, "typ", &out->typ))
		return refuse(err, "has a kid or typ that is no text");
	return 0;
}

static int
read_signature(struct jwt_parts *out, const struct part *part, struct err *err)
{
	unsigned char buf[BASE64URL_ROOM(sizeof(out->signature) / 3 * 4 + 4)];
	ssize_t n = -1;

	if (part->len <= sizeof(out->signature) / 3 * 4 + 4)
		n = base64url_decode(part->text, part->len, buf);
	if (n > 0 && (size_t)n <= sizeof(out->signature)) {
		memcpy(out->signature, buf, (size_t)n);
		out->signature_len = (size_t)n;
	}
	OPENSSL_cleanse(buf, sizeof(buf));
	return out->signature_len > 0 ? 0 :
	    refuse(err, "has a signature that is none");
}

static int
parse(const char *token, size_t len, unsigned allowed, struct jwt_parts *out,
    struct err *err)
{
	struct part parts[3];
	int r;

	if (len > JWT_MAX)
		return refuse(err, "is too long");
	if (!split(token, len, parts))
		return refuse(err, "has not three parts");
	out->token = token;
	out->signed_len = parts[0].len + 1 + parts[1].len;
	if ((out->header = object_of(&parts[0])) == NULL)
		return refuse(err, "has a header that is no JSON object in "
		    "base64url, or says a thing twice");
	if ((r = read_header(out, allowed, err)) != 0)
		return r;
	if ((out->claims = object_of(&parts[1])) == NULL)
		return refuse(err, "has claims that are no JSON object in "
		    "base64url, or says a thing twice");
	return read_signature(out, &parts[2], err);
}

int
jwt_parse(const char *token, size_t len, unsigned allowed,
    struct jwt_parts *out, struct err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = parse(token, len, allowed, out, err)) != 0)
		jwt_parts_release(out);
	return r;
}

void
jwt_parts_release(struct jwt_parts *parts)
{
	jsonx_wipe(parts->header);
	jsonx_wipe(parts->claims);
	OPENSSL_cleanse(parts, sizeof(*parts));
}

/* ---- the signature ---- */

/* A JWT has the two numbers one after the other; OpenSSL wants DER. Freed by
   OPENSSL_free; NULL: they are none. */
static unsigned char *
der_of(const struct jwt_parts *parts, size_t *len)
{
	ECDSA_SIG *two = ECDSA_SIG_new();
	BIGNUM *r = NULL, *s = NULL;
	unsigned char *der = NULL;
	int n = -1;

	if (two == NULL || parts->signature_len != 2 * HASH_LEN)
		goto out;
	r = BN_bin2bn(parts->signature, HASH_LEN, NULL);
	s = BN_bin2bn(parts->signature + HASH_LEN, HASH_LEN, NULL);
	if (r != NULL && s != NULL && ECDSA_SIG_set0(two, r, s) == 1) {
		r = s = NULL;		/* they are two's from here */
		n = i2d_ECDSA_SIG(two, &der);
	}
 out:
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(two);
	*len = n > 0 ? (size_t)n : 0;
	return n > 0 ? der : NULL;
}

static bool
digest_verify(EVP_PKEY *key, const struct jwt_parts *parts,
    const unsigned char *sig, size_t len)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	bool good;

	good = md != NULL &&
	    EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, key) == 1 &&
	    (parts->algorithm != JWT_PS256 ||
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, HASH_LEN) == 1)) &&
	    EVP_DigestVerify(md, sig, len,
	    (const unsigned char *)parts->token, parts->signed_len) == 1;
	EVP_MD_CTX_free(md);
	return good;
}

int
jwt_verify(const struct jwt_parts *parts, const struct jwk_set *set,
    struct err *err)
{
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	size_t len;
	bool good;
	int r;

	if ((r = jwk_find(set, parts->kid, parts->algorithm, &key, err)) != 0)
		return r;
	if (parts->algorithm == JWT_ES256) {
		der = der_of(parts, &len);
		good = der != NULL && digest_verify(key, parts, der, len);
		OPENSSL_free(der);
	} else {
		good = digest_verify(key, parts, parts->signature,
		    parts->signature_len);
	}
	ERR_clear_error();	/* libcurl would take it for its own */
	return good ? 0 : refuse(err, "is not signed by its issuer's key");
}

/* ---- for those who read claims ---- */

bool
jwt_time(const struct jwt_parts *parts, const char *claim, int64_t *ms)
{
	struct json_object *value = jsonx_get(parts->claims, claim);
	double s;

	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double))
		return false;
	s = json_object_get_double(value);
	if (!isfinite(s))
		return false;
	*ms = llround(SD_MAX(SD_MIN(s, SECONDS_MAX), -SECONDS_MAX) * 1000);
	return true;
}

unsigned
jwt_allowed(const char *const *names, size_t n)
{
	unsigned allowed = 0;
	enum jwt_algorithm a;
	size_t i;

	for (i = 0; i < n; i++)
		for (a = JWT_RS256; a <= JWT_ES256; a++)
			if (str_eq(names[i], jwt_algorithm_name(a)))
				allowed |= JWT_ALLOW(a);
	return allowed;
}
