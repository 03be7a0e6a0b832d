/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting a watch into events and reading them. Where an event ends is told
 * by its brackets; whether it is JSON, by reading it as a whole.
 */
#include "base.h"

#include <openssl/crypto.h>

#include "err.h"
#include "watch_text.h"

#define WATCH_KEEP 16384	/* bytes of memory between events */

void
watch_text_init(struct watch_text *w, size_t event_max)
{
	*w = (struct watch_text){ .depth = 0 };
	strbuf_init(&w->part, event_max);
}

void
watch_text_release(struct watch_text *w)
{
	strbuf_wipe(&w->part);
}

/* ---- framing ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_bracket(char c)
{
	return c == '{' || c == '}' || c == '[' || c == ']';
}

static void
in_string(struct watch_text *w, char c)
{
	if (w->escaped)
		w->escaped = false;
	else if (c == '\\')
		w->escaped = true;
	else if (c == '"')
		w->string = false;
}

/* A bracket outside of strings. False: it has no place there. */
static bool
in_brackets(struct watch_text *w, char c)
{
	bool array = c == '[' || c == ']';

	if (c == '{' || c == '[') {
		w->arrays = w->arrays << 1 | array;
		return ++w->depth <= JSONSCAN_DEPTH;
	}
	if ((w->arrays & 1) != array)
		return false;
	w->arrays >>= 1;
	w->depth--;
	return true;
}

/*
 * Where the event that data is part of ends; *stop is NULL if that is not in
 * there. Brackets that do not match would hide what comes after them.
 */
static int
event_end(struct watch_text *w, const char *p, const char *end,
    const char **stop)
{
	*stop = NULL;
	for (; p < end; p++) {
		if (w->string) {
			in_string(w, *p);
		} else if (*p == '"') {
			w->string = true;
		} else if (is_bracket(*p)) {
			if (!in_brackets(w, *p))
				return E_PROTOCOL;
			if (w->depth > 0)
				continue;
			*stop = p + 1;
			return 0;
		}
	}
	return 0;
}

/* Long events are rare, watches many. What was in it may have been a secret of
   the cluster's, and the next event may be hours away. */
static void
watch_text_empty(struct watch_text *w)
{
	if (w->part.cap > WATCH_KEEP) {
		strbuf_wipe(&w->part);
	} else {
		OPENSSL_cleanse(w->part.buf, w->part.len);
		strbuf_reset(&w->part);
	}
}

/* A whole event; what came before is in part. */
static int
event_take(struct watch_text *w, const char *data, size_t len,
    int (*take)(void *ctx, const char *event, size_t len), void *ctx)
{
	int r;

	if (len > w->part.max - w->part.len)
		return E_TOOLARGE;
	if (w->part.len == 0)
		return take(ctx, data, len);
	strbuf_add(&w->part, data, len);
	r = take(ctx, w->part.buf, w->part.len);
	watch_text_empty(w);
	return r;
}

int
watch_text_add(struct watch_text *w, const char *data, size_t len,
    int (*take)(void *ctx, const char *event, size_t len), void *ctx)
{
	const char *p = data, *end = data + len, *stop;
	int r = 0;

	while (r == 0 && p < end) {
		if (w->depth == 0 && is_space(*p)) {
			p++;
			continue;
		}
		if (w->depth == 0 && *p != '{')
			return E_PROTOCOL;
		if ((r = event_end(w, p, end, &stop)) != 0)
			return r;
		if (stop == NULL)
			return strbuf_add(&w->part, p, (size_t)(end - p));
		r = event_take(w, p, (size_t)(stop - p), take, ctx);
		p = stop;
	}
	return r;
}

/* ---- events ---- */

static int
event_type(struct json_span type)
{
	static const char *const names[] = { "ADDED", "MODIFIED", "DELETED",
	    "BOOKMARK", "ERROR" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (type.ptr != NULL && jsonscan_is(type, names[i]))
			return (int)i;
	return -1;
}

/* Opaque, but it goes into a URL: no more than what such ones have. */
bool
watch_version(struct json_span metadata, char out[WATCH_VERSION_MAX])
{
	struct json_span v;
	size_t i;

	out[0] = '\0';
	if (metadata.ptr == NULL || *metadata.ptr != '{')
		return false;
	v = jsonscan_get(metadata, "resourceVersion");
	if (v.ptr == NULL || !jsonscan_is_string(v) || v.len < 3 ||
	    v.len - 2 >= WATCH_VERSION_MAX)
		return false;
	for (i = 1; i < v.len - 1; i++)
		if (strchr("0123456789abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~", v.ptr[i]) == NULL)
			return false;
	memcpy(out, v.ptr + 1, v.len - 2);
	out[v.len - 2] = '\0';
	return true;
}

static int
error_code(struct json_span status)
{
	struct json_span code = jsonscan_get(status, "code");
	int n = 0;
	size_t i;

	if (code.ptr == NULL || code.len > 3)
		return 0;
	for (i = 0; i < code.len; i++) {
		if (code.ptr[i] < '0' || code.ptr[i] > '9')
			return 0;
		n = n * 10 + code.ptr[i] - '0';
	}
	return n;
}

int
watch_event_read(const char *text, size_t len, struct watch_event *out,
    struct err *err)
{
	struct json_span type, object;
	const struct json_pick picks[] = { { "type", &type },
	    { "object", &object } };
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = picks, .npicks = ARRAY_LEN(picks) };
	int r, n;

	*out = (struct watch_event){ .code = 0 };
	type = object = (struct json_span){ NULL, 0 };
	if ((r = jsonscan_check(text, len, &rules, err)) != 0)
		return r;
	n = event_type(type);
	if (n < 0 || object.ptr == NULL || *object.ptr != '{')
		return err_set(err, E_PROTOCOL, "that is no event");
	out->type = (enum watch_type)n;
	out->object = object;
	if (out->type == WATCH_ERROR)
		out->code = error_code(object);
	else if (!watch_version(jsonscan_get(object, "metadata"),
	    out->version))
		return err_set(err, E_PROTOCOL, "an event without a version");
	return 0;
}
