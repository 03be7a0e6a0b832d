/* SPDX-License-Identifier: Apache-2.0 */
/* User tokens of Backstage, read and checked. */
#include "base.h"

#include <openssl/crypto.h>

#include "arena.h"
#include "backstage_token.h"
#include "base64.h"
#include "cluster.h"
#include "jsonx.h"
#include "strbuf.h"

#define TYP_USER "vnd.backstage.user"
#define TYP_LIMITED "vnd.backstage.limited-user"

/* ---- what it says it is ---- */

/* A part of the token as an object; NULL: it is none. */
static struct json_object *
part_object(const char *part, size_t len)
{
	struct json_object *obj = NULL;
	char *json = xmalloc(BASE64URL_ROOM(len));
	ssize_t n = base64url_decode(part, len, json);

	if (n > 0 && (jsonx_parse(json, (size_t)n, &obj, NULL) != 0 ||
	    !json_object_is_type(obj, json_type_object))) {
		jsonx_wipe(obj);
		obj = NULL;
	}
	OPENSSL_cleanse(json, BASE64URL_ROOM(len));
	free(json);
	return obj;
}

static bool
for_audience(const char *claims, size_t len, const char *audience)
{
	struct json_object *obj = part_object(claims, len);
	const char *aud = jsonx_str(obj, "aud");
	bool is = aud != NULL && strcmp(aud, audience) == 0;

	jsonx_wipe(obj);
	return is;
}

enum backstage_token_kind
backstage_token_kind(const char *token, const char *audience)
{
	size_t len = strlen(token);
	const char *end = token + len, *dot, *second;
	enum backstage_token_kind kind = BACKSTAGE_TOKEN_NONE;
	struct json_object *header, *typ;

	if (len > JWT_MAX || (dot = memchr(token, '.', len)) == NULL)
		return kind;
	second = memchr(dot + 1, '.', (size_t)(end - dot - 1));
	header = part_object(token, (size_t)(dot - token));
	if (second == NULL || header == NULL) {
		jsonx_wipe(header);
		return kind;
	}
	typ = jsonx_get(header, "typ");
	if (typ == NULL && !json_object_object_get_ex(header, "typ", NULL) &&
	    for_audience(dot + 1, (size_t)(second - dot - 1), audience))
		kind = BACKSTAGE_TOKEN_USER;
	else if (str_eq(jsonx_str(header, "typ"), TYP_USER))
		kind = BACKSTAGE_TOKEN_USER;
	else if (str_eq(jsonx_str(header, "typ"), TYP_LIMITED))
		kind = BACKSTAGE_TOKEN_LIMITED;
	jsonx_wipe(header);
	return kind;
}

/* ---- whether it is good ---- */

static int
refuse(struct err *err, const char *why)
{
	return err_set(err, E_AUTH, "the user token %s", why);
}

static int
check_times(struct backstage_token *t,
    const struct backstage_token_rules *rules, struct err *err)
{
	struct json_object *claims = t->parts.claims;
	int64_t at;

	if (!jwt_time(&t->parts, "exp", &t->expires))
		return refuse(err, "does not say when it ends (exp)");
	if (t->expires <= rules->now - rules->leeway)
		return refuse(err, "has ended");
	if (json_object_object_get_ex(claims, "nbf", NULL) &&
	    (!jwt_time(&t->parts, "nbf", &at) ||
	    at > rules->now + rules->leeway))
		return refuse(err, "is not good yet (nbf)");
	if (t->parts.typ != NULL && !jwt_time(&t->parts, "iat", &at))
		return refuse(err, "does not say since when it is (iat)");
	return 0;
}

static bool
names_audience(struct json_object *aud, const char *audience)
{
	size_t i;

	if (json_object_is_type(aud, json_type_string))
		return strcmp(json_object_get_string(aud), audience) == 0;
	if (!json_object_is_type(aud, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(aud); i++) {
		struct json_object *one = json_object_array_get_idx(aud, i);

		if (json_object_is_type(one, json_type_string) &&
		    strcmp(json_object_get_string(one), audience) == 0)
			return true;
	}
	return false;
}

static int
check_claims(struct backstage_token *t,
    const struct backstage_token_rules *rules, struct err *err)
{
	struct json_object *aud, *claims = t->parts.claims;

	t->user = jsonx_str(claims, "sub");
	if (t->user == NULL || *t->user == '\0')
		return refuse(err, "names no user (sub)");
	if (rules->issuer != NULL && t->kind == BACKSTAGE_TOKEN_USER &&
	    !str_eq(jsonx_str(claims, "iss"), rules->issuer))
		return refuse(err, "is not of identity.backstage.issuer");
	if (rules->audience_always &&
	    (json_object_object_get_ex(claims, "aud", &aud) ||
	    t->kind == BACKSTAGE_TOKEN_USER) &&
	    !names_audience(aud, rules->audience))
		return refuse(err, "is not for identity.backstage.audience");
	return check_times(t, rules, err);
}

int
backstage_token_check(const char *token,
    const struct backstage_token_rules *rules, const struct jwk_set *set,
    struct backstage_token *out, struct err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	out->kind = backstage_token_kind(token, rules->audience);
	if (out->kind == BACKSTAGE_TOKEN_NONE)
		return err_set(err, E_AUTH, "this is no user token");
	if ((r = jwt_parse(token, strlen(token), rules->algorithms,
	    &out->parts, err)) != 0)
		return r;
	if ((r = jwt_verify(&out->parts, set, err)) == 0)
		r = check_claims(out, rules, err);
	if (r != 0)
		backstage_token_release(out);
	return r;
}

void
backstage_token_release(struct backstage_token *t)
{
	jwt_parts_release(&t->parts);
	memset(t, 0, sizeof(*t));
}

/* ---- what it says of the user ---- */

bool
backstage_token_ownership(const struct backstage_token *t,
    struct arena *arena, struct string_list *out)
{
	struct json_object *ent = jsonx_get(t->parts.claims, "ent");
	size_t i, len;

	*out = (struct string_list){ NULL, 0 };
	if (!json_object_is_type(ent, json_type_array))
		return false;
	len = json_object_array_length(ent);
	out->items = arena_alloc(arena, (len + 1) * sizeof(*out->items));
	for (i = 0; i < len; i++) {
		struct json_object *one = json_object_array_get_idx(ent, i);

		if (json_object_is_type(one, json_type_string))
			out->items[out->n++] = arena_strdup(arena,
			    json_object_get_string(one));
	}
	return true;
}

/* As the auth back end wrote it when it signed: this order, no blanks. */
static const char *
limited_part(struct json_object *from, const char *const *names,
    const char *typ, struct arena *arena)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *part;

	strbuf_addch(&sb, '{');
	if (typ != NULL)
		jsonx_add_pair(&sb, "typ", typ);
	for (; *names != NULL; names++) {
		jsonx_add_comma(&sb);
		jsonx_add_string(&sb, *names, strlen(*names));
		strbuf_addch(&sb, ':');
		jsonx_add_tree(&sb, jsonx_get(from, *names));
	}
	strbuf_addch(&sb, '}');
	part = jwt_base64url(arena, sb.buf, sb.len);
	strbuf_wipe(&sb);
	return part;
}

char *
backstage_token_limited(const struct backstage_token *t, struct arena *arena)
{
	static const char *const header[] = { "alg", "kid", NULL };
	static const char *const claims[] = { "sub", "iat", "exp", NULL };
	const char *uip = jsonx_str(t->parts.claims, "uip");

	if (t->kind != BACKSTAGE_TOKEN_USER || uip == NULL || *uip == '\0')
		return NULL;
	return arena_printf(arena, "%s.%s.%s",
	    limited_part(t->parts.header, header, TYP_LIMITED, arena),
	    limited_part(t->parts.claims, claims, NULL, arena), uip);
}
