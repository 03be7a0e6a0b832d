/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and cookies by their names. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "form.h"
#include "path.h"
#include "request.h"

#define COOKIES_MAX 256		/* that are looked at: browsers keep 180 */
#define FORM_TYPE "application/x-www-form-urlencoded"

/* Decoded, with "+" for a blank; NULL: badly encoded. */
static char *
decode(struct arena *arena, const char *s, size_t len)
{
	char *blank = arena_strndup(arena, s, len), *p;

	for (p = blank; *p != '\0'; p++)
		if (*p == '+')
			*p = ' ';
	return path_decode(arena, blank, len);
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Is the value as it is wanted, or can it be made so? */
static bool
fits(char *value, const struct form_want *want)
{
	char *p;

	if (strlen(value) > want->max) {
		if (!want->prose)
			return false;
		value[want->max] = '\0';
	}
	for (p = value; *p != '\0'; p++) {
		if (!is_control(*p))
			continue;
		if (!want->prose)
			return false;
		*p = ' ';
	}
	return true;
}

static int
take_value(struct arena *arena, const char *pair, size_t len,
    const struct form_want *want, const char **out)
{
	const char *eq = memchr(pair, '=', len);
	size_t klen = eq == NULL ? len : (size_t)(eq - pair);
	const char *key = decode(arena, pair, klen);
	char *value;

	if (key == NULL || strcmp(key, want->name) != 0)
		return 0;
	value = decode(arena, pair + klen + (eq != NULL),
	    len - klen - (eq != NULL));
	if (*out != NULL || value == NULL || !fits(value, want))
		return E_INPUT;
	*out = value;
	return 0;
}

int
form_field(struct arena *arena, const char *text,
    const struct form_want *want, const char **out, struct err *err)
{
	size_t len;
	int r = 0;

	*out = NULL;
	for (; text != NULL && *text != '\0' && r == 0;
	    text += len + (text[len] != '\0')) {
		len = strcspn(text, "&");
		if (len > 0)
			r = take_value(arena, text, len, want, out);
	}
	if (r == 0)
		return 0;
	*out = NULL;
	return err_set(err, E_INPUT, "parameter %s came twice, is too long, "
	    "or is badly encoded", want->name);
}

int
form_body(struct request *req, const char **out, struct err *err)
{
	const char *type = request_param(req, "CONTENT_TYPE");
	size_t len = type != NULL ? strcspn(type, "; \t") : 0;
	struct strbuf body = STRBUF_INIT(FORM_BODY_MAX);
	int r;

	*out = NULL;
	if (req->length == 0 || len == 0)
		return 0;
	if (len != strlen(FORM_TYPE) ||
	    strncasecmp(type, FORM_TYPE, len) != 0)
		return err_set(err, E_MEDIA, "only a form's body is read: "
		    FORM_TYPE);
	r = request_body(req, FORM_BODY_MAX, &body, err);
	if (r == 0 && memchr(body.buf, '\0', body.len) != NULL)
		r = err_set(err, E_INPUT, "the form holds a NUL");
	if (r == 0)
		*out = arena_strndup(req->arena, body.buf, body.len);
	strbuf_wipe(&body);
	return r;
}

/* One "name=value" of a header; blanks around it are not its own. */
struct cookie_walk {
	const struct request *req;
	const char *prefix;
	int (*each)(void *ctx, const char *name, const char *value);
	void *ctx;
	unsigned left;
};

static int
walk_one(const struct cookie_walk *w, const char *s, size_t len)
{
	const char *eq;
	size_t klen;

	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	eq = memchr(s, '=', len);
	klen = eq == NULL ? 0 : (size_t)(eq - s);
	if (klen < strlen(w->prefix) || !str_starts(s, w->prefix))
		return 0;
	return w->each(w->ctx, arena_strndup(w->req->arena, s, klen),
	    arena_strndup(w->req->arena, eq + 1, len - klen - 1));
}

/* Headers that came twice are joined by a comma, which ours never hold. */
static int
walk(struct cookie_walk *w, const char *header)
{
	size_t len;
	int r = 0;

	for (; *header != '\0' && r == 0 && w->left > 0; w->left--) {
		len = strcspn(header, ";,");
		r = walk_one(w, header, len);
		header += len + (header[len] != '\0');
	}
	return r;
}

int
form_cookies(const struct request *req, const char *prefix,
    int (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	struct cookie_walk w = { .req = req, .prefix = prefix, .each = each,
	    .ctx = ctx, .left = COOKIES_MAX };
	const char *header = request_header(req, "cookie");

	return header == NULL ? 0 : walk(&w, header);
}

struct cookie_find {
	const char *name, *value;
};

static int
find_one(void *ctx, const char *name, const char *value)
{
	struct cookie_find *f = ctx;

	if (strcmp(f->name, name) != 0)
		return 0;
	f->value = value;
	return 1;
}

const char *
form_cookie(const struct request *req, const char *name)
{
	struct cookie_find f = { .name = name };

	form_cookies(req, name, find_one, &f);
	return f.value;
}
