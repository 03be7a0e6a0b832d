/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies as Backstage's backend takes them: which types are read, which
 * errors name what is wrong.
 */
#include "base.h"

#include "arena.h"
#include "body.h"
#include "err.h"
#include "jsonx.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

/* Is the media type application/json, whatever parameters follow? */
static bool
is_json(const char *type)
{
	size_t len = strcspn(type, "; \t");

	return len == 16 && strncasecmp(type, "application/json", len) == 0;
}

/* The charset parameter in lower case; "utf-8" if there is none. */
static const char *
charset_of(const char *type, struct arena *arena)
{
	const char *p = type;
	char *name, *c;
	size_t len;

	while ((p = strchr(p, ';')) != NULL) {
		p += 1 + strspn(p + 1, " \t");
		if (strncasecmp(p, "charset=", 8) == 0)
			break;
	}
	if (p == NULL)
		return "utf-8";
	p += 8;
	len = *p == '"' ? strcspn(++p, "\"") : strcspn(p, "; \t");
	name = arena_strndup(arena, p, len);
	for (c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return name;
}

/* An extra member list for api_error, taken from a strbuf. */
static const char *
extra_of(struct strbuf *sb, struct arena *arena)
{
	const char *extra = arena_strndup(arena, sb->buf, sb->len);

	strbuf_wipe(sb);
	return extra;
}

static int
refuse_charset(struct request *req, const char *charset,
    struct api_error *error)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	char *upper = arena_strdup(req->arena, charset), *c;

	for (c = upper; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c -= 'a' - 'A';
	strbuf_addch(&sb, ',');
	jsonx_add_pair(&sb, "charset", charset);
	jsonx_add_pair(&sb, "type", "charset.unsupported");
	*error = (struct api_error){ .code = E_MEDIA,
	    .message = arena_printf(req->arena, "unsupported charset \"%s\"",
	    upper), .extra = extra_of(&sb, req->arena) };
	return E_MEDIA;
}

/*
 * Those of request_body. For what could not be read the sender gets the
 * contract's numbers.
 */
static int
refuse_body(struct request *req, size_t limit, const struct err *err,
    struct api_error *error)
{
	*error = (struct api_error){ .code = err->code,
	    .message = arena_strdup(req->arena, err->text) };
	if (err->code == E_TOOLARGE && req->length > 0 &&
	    (uint64_t)req->length > limit)
		error->extra = arena_printf(req->arena,
		    ",\"expected\":%lld,\"length\":%lld,\"limit\":%zu,"
		    "\"type\":\"entity.too.large\"", (long long)req->length,
		    (long long)req->length, limit);
	else if (err->code == E_TOOLARGE)
		error->extra = arena_printf(req->arena, ",\"limit\":%zu,"
		    "\"type\":\"entity.too.large\"", limit);
	else if (err->code == E_MEDIA)
		error->extra = ",\"type\":\"encoding.unsupported\"";
	if (err->code == E_TIMEOUT) {
		error->status = 408;
		error->name = "RequestTimeoutError";
	}
	return err->code;
}

/* Could there be a token in it? Then it is not repeated in an answer. */
static bool
may_hold_token(const struct strbuf *body)
{
	return memmem(body->buf, body->len, "auth", 4) != NULL ||
	    memchr(body->buf, '\\', body->len) != NULL;
}

static int
refuse_syntax(struct request *req, const struct strbuf *body,
    const char *why, struct api_error *error)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_addstr(&sb, ",\"expose\":true,\"statusCode\":400,"
	    "\"status\":400,\"type\":\"entity.parse.failed\"");
	if (!may_hold_token(body)) {
		strbuf_addstr(&sb, ",\"body\":");
		jsonx_add_string(&sb, body->buf, body->len);
	}
	*error = (struct api_error){ .code = E_INPUT, .name = "SyntaxError",
	    .message = arena_printf(req->arena, "body is not valid JSON: %s",
	    why), .extra = extra_of(&sb, req->arena) };
	return E_INPUT;
}

static int
parse_body(struct request *req, const struct strbuf *body,
    struct json_object **out, struct api_error *error)
{
	struct err err = ERR_INIT;

	if (body->len == 0) {
		*out = json_object_new_object();
		return 0;
	}
	if (jsonx_parse(body->buf, body->len, out, &err) != 0)
		return refuse_syntax(req, body, err.text, error);
	if (json_object_is_type(*out, json_type_object) ||
	    json_object_is_type(*out, json_type_array))
		return 0;
	jsonx_wipe(*out);
	*out = NULL;
	return refuse_syntax(req, body, "it is neither an object nor an array",
	    error);
}

int
body_json(struct request *req, struct json_object **out,
    struct api_error *error)
{
	const char *type = request_param(req, "CONTENT_TYPE");
	size_t limit = req->rt->settings->limit_request_body;
	struct strbuf body = STRBUF_INIT(limit);
	struct err err = ERR_INIT;
	const char *charset;
	int r;

	*out = NULL;
	if (type == NULL || !is_json(type) || req->length == 0) {
		*out = json_object_new_object();
		return 0;
	}
	charset = charset_of(type, req->arena);
	if (strcmp(charset, "utf-8") != 0)
		return refuse_charset(req, charset, error);
	if ((r = request_body(req, limit, &body, &err)) == 0)
		r = parse_body(req, &body, out, error);
	else if (r != E_GONE)
		r = refuse_body(req, limit, &err, error);
	strbuf_wipe(&body);
	return r;
}
