/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials into a source's value and out of it. */
#include "base.h"

#include "arena.h"
#include "aws_text.h"
#include "aws_value.h"
#include "jsonx.h"
#include "rfc3339.h"

static bool
is_key(const struct source_value *v)
{
	const struct secret *id = &v->part[0], *session = &v->part[2];

	return credential_token_ok(id->ptr, id->len) && v->part[1].len > 0 &&
	    (session->len == 0 || credential_token_ok(session->ptr,
	    session->len));
}

int
aws_value_expires(const struct provider_call *call, const char *time,
    int64_t skew, struct source_value *out, struct err *err)
{
	const char *text;
	int64_t left;

	if (!is_key(out))
		return err_set(err, E_PROTOCOL, "no credentials, or ones that "
		    "cannot be right");
	if (skew != 0) {
		text = arena_printf(call->scratch, "%lld", (long long)skew);
		secret_set(&out->part[3], text, strlen(text));
	}
	if (time == NULL || *time == '\0') {
		out->expires = 0;
		return 0;
	}
	if (!rfc3339_parse(time, &out->expires))
		return err_set(err, E_PROTOCOL, "credentials whose "
		    "Expiration is no time");
	out->expires -= skew;
	left = out->expires - call->now;
	if (left <= 0)
		return err_set(err, E_PROTOCOL, "credentials that have "
		    "expired already");
	out->margin = SD_MIN((int64_t)AWS_MARGIN, left / 2);
	return 0;
}

/* --- JSON ---------------------------------------------------------------- */

static void
take_string(struct json_object *obj, const char *key, struct secret *out)
{
	const char *s = jsonx_str(obj, key);

	if (s != NULL)
		secret_set(out, s, strlen(s));
}

/* Is it the number 1, however it is written? */
static bool
is_version_1(struct json_object *obj)
{
	struct json_object *v = jsonx_get(obj, "Version");

	return (json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double)) &&
	    json_object_get_double(v) == 1;
}

static int
take_object(const struct provider_call *call, const struct aws_json *json,
    struct json_object *obj, struct source_value *out, struct err *err)
{
	const char *time = jsonx_str(obj, "Expiration");
	const char *code = jsonx_str(obj, "Code");

	if (json->metadata && code != NULL && strcmp(code, "Success") != 0)
		return err_set(err, E_PROTOCOL, "'%s' in place of credentials",
		    aws_said(call->scratch, code, NULL, 0));
	if (!json->metadata && !is_version_1(obj))
		return err_set(err, E_PROTOCOL, "JSON whose Version is not "
		    "the number 1");
	take_string(obj, "AccessKeyId", &out->part[0]);
	take_string(obj, "SecretAccessKey", &out->part[1]);
	take_string(obj, json->metadata ? "Token" : "SessionToken",
	    &out->part[2]);
	if (json->metadata && (out->part[2].len == 0 || time == NULL))
		return err_set(err, E_PROTOCOL, "JSON without a Token or an "
		    "Expiration");
	return aws_value_expires(call, time, json->skew, out, err);
}

int
aws_value_parse(const struct provider_call *call,
    const struct aws_json *json, struct source_value *out, struct err *err)
{
	const struct secret *text = json->text;
	struct json_object *obj = NULL;
	struct err why = ERR_INIT;
	int r;

	if (jsonx_parse(text->len > 0 ? text->ptr : "", text->len, &obj,
	    &why) != 0)
		return err_set(err, E_PROTOCOL, "what is no JSON");
	r = take_object(call, json, obj, out, err);
	jsonx_wipe(obj);
	return r;
}

void
aws_value_take(const struct provider_call *call, struct source_value *v,
    struct aws_credentials *out)
{
	out->access_key_id = arena_strndup(call->scratch, v->part[0].ptr,
	    v->part[0].len);
	secret_move(&out->secret, &v->part[1]);
	secret_move(&out->session_token, &v->part[2]);
	out->expires = v->expires;
	out->skew = v->part[3].len == 0 ? 0 :
	    strtoll(v->part[3].ptr, NULL, 10);
}
