/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates and header lines of impersonation (Kubernetes, "User
 * impersonation"): Impersonate-User, -Group once for each, -Uid, and
 * -Extra-KEY once for each value, with KEY percent-encoded.
 */
#include "base.h"

#include "arena.h"
#include "cluster.h"
#include "err.h"
#include "identity.h"
#include "impersonate.h"
#include "strbuf.h"

#define GROUPS "{groups}"
#define RESERVED "system:"
#define VALUE_MAX 4096		/* bytes of one value, and of one key */
#define LINES_MAX 384		/* a transfer has room for 512 headers */

struct acting {
	const struct cluster *cluster;
	const struct identity *who;
	struct arena *arena;
	const char **lines;
	size_t n;
	struct err *err;
};

/* One header, or one for each group if the template says so. */
struct attribute {
	const char *header, *what;
	const char *prefix;	/* a template too; NULL: none */
	const char *template;
	bool reserves;		/* system: names mean something here */
};

static int
refuse(const struct acting *a, const char *why, const char *what)
{
	return err_set(a->err, E_DENIED, "cannot act as you on cluster '%s': "
	    "%s%s", a->cluster->name, what, why);
}

/* Only these have the parts of a user. */
static bool
is_somebody(const struct identity *who)
{
	return who->kind == IDENTITY_USER || who->kind == IDENTITY_GUEST;
}

static size_t
lines_of(const struct identity *who, const char *template)
{
	return strstr(template, GROUPS) != NULL ? who->ngroups : 1;
}

/* What {word} stands for, or NULL. */
static const char *
part(const struct identity *who, const char *word, const char *group)
{
	const struct {
		const char *word, *value;
	} parts[] = {
		{ "user", who->user }, { "name", who->name },
		{ "namespace", who->namespace }, { "email", who->email },
		{ "groups", group },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++)
		if (strcmp(parts[i].word, word) == 0)
			return parts[i].value;
	return NULL;
}

static int
add_part(const struct acting *a, const char *word, const char *group,
    struct strbuf *out)
{
	const char *value = part(a->who, word, group);

	if (a->who->kind == IDENTITY_SERVICE)
		return refuse(a, "the token of a service is no user's", "");
	if (!is_somebody(a->who))
		return refuse(a, "nobody is signed in", "");
	if (value == NULL || *value == '\0')
		return refuse(a, " is not known", arena_printf(a->arena,
		    "your %.16s", word));
	strbuf_addstr(out, value);
	return 0;
}

/* In one pass: braces that a user's name brings along mean nothing. */
static int
fill(const struct acting *a, const char *template, const char *group,
    struct strbuf *out)
{
	const char *p = template, *end;
	int r = 0;

	while (p != NULL && *p != '\0' && r == 0) {
		end = p + strcspn(p, *p == '{' ? "}" : "{");
		if (*p != '{') {
			strbuf_add(out, p, (size_t)(end - p));
		} else {
			r = add_part(a, arena_strndup(a->arena, p + 1,
			    (size_t)(end - p) - 1), group, out);
			end += *end != '\0';
		}
		p = end;
	}
	return r;
}

/*
 * Printable ASCII only: how a header carries other bytes is nowhere agreed.
 * Blanks at an end are dropped on the way, so that " system:x" would arrive
 * as a name that was never checked.
 */
static bool
value_ok(const struct strbuf *v)
{
	size_t i;

	if (v->len == 0 || v->overflow || v->buf[0] == ' ' ||
	    v->buf[v->len - 1] == ' ')
		return false;
	for (i = 0; i < v->len; i++)
		if ((unsigned char)v->buf[i] < 0x20 ||
		    (unsigned char)v->buf[i] >= 0x7f)
			return false;
	return true;
}

static int
add_one(struct acting *a, const struct attribute *at, const char *group)
{
	struct strbuf v = STRBUF_INIT(VALUE_MAX);
	int r;

	if ((r = fill(a, at->prefix, group, &v)) != 0 ||
	    (r = fill(a, at->template, group, &v)) != 0)
		goto out;
	if (!value_ok(&v))
		r = refuse(a, " is too long or holds characters that cannot "
		    "stand in a header", at->what);
	else if (at->reserves &&
	    strncasecmp(v.buf, RESERVED, strlen(RESERVED)) == 0)
		r = refuse(a, "' is one of the " RESERVED " names, which "
		    "Kubernetes keeps for itself", arena_printf(a->arena,
		    "%s '%.100s", at->what, v.buf));
	else
		a->lines[a->n++] = arena_printf(a->arena, "%s: %s",
		    at->header, v.buf);
 out:
	strbuf_release(&v);
	return r;
}

static int
add(struct acting *a, const struct attribute *at)
{
	size_t i;
	int r = 0;

	if (at->template == NULL)
		return 0;
	if (strstr(at->template, GROUPS) == NULL)
		return add_one(a, at, NULL);
	/* Nobody is not a user without groups. */
	if (!is_somebody(a->who))
		return add_one(a, at, NULL);
	for (i = 0; i < a->who->ngroups && r == 0; i++)
		r = add_one(a, at, a->who->groups[i]);
	return r;
}

/*
 * The API server makes header names lower-case, then decodes them: so
 * capitals are encoded too. So is '_', which proxies drop names for.
 */
const char *
impersonate_extra(struct arena *arena, const char *key)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *name;

	strbuf_addstr(&sb, "Impersonate-Extra-");
	for (; *key != '\0'; key++)
		if ((*key >= 'a' && *key <= 'z') ||
		    (*key >= '0' && *key <= '9') || *key == '-' ||
		    *key == '.')
			strbuf_addch(&sb, *key);
		else
			strbuf_addf(&sb, "%%%02X", (unsigned char)*key);
	name = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return name;
}

static int
add_extra(struct acting *a, const struct pair *extra)
{
	const struct attribute at = {
		.header = impersonate_extra(a->arena, extra->key),
		.what = arena_printf(a->arena, "'%.100s'", extra->key),
		.template = extra->value,
	};

	return add(a, &at);
}

/* How many lines there will be at most. */
static size_t
count(const struct impersonation *im, const struct identity *who)
{
	size_t i, n = 2;

	for (i = 0; i < im->groups.n; i++)
		n += SD_MAX(lines_of(who, im->groups.items[i]), 1);
	for (i = 0; i < im->nextra; i++)
		n += SD_MAX(lines_of(who, im->extra[i].value), 1);
	return n;
}

static int
add_all(struct acting *a, const struct impersonation *im)
{
	struct attribute at = { "Impersonate-User", "user", im->user_prefix,
	    im->user, true };
	size_t i;
	int r = add(a, &at);

	at = (struct attribute){ "Impersonate-Group", "group",
	    im->group_prefix, NULL, true };
	for (i = 0; i < im->groups.n && r == 0; i++) {
		at.template = im->groups.items[i];
		r = add(a, &at);
	}
	at = (struct attribute){ "Impersonate-Uid", "uid", NULL, im->uid,
	    false };
	if (r == 0)
		r = add(a, &at);
	for (i = 0; i < im->nextra && r == 0; i++)
		r = add_extra(a, &im->extra[i]);
	return r;
}

int
impersonate_lines(const struct cluster *c, const struct identity *who,
    struct arena *arena, const char *const **out, struct err *err)
{
	struct acting a = { .cluster = c, .who = who, .arena = arena,
	    .err = err };
	size_t room = count(&c->impersonate, who);
	int r;

	*out = NULL;
	if (room > LINES_MAX)
		return refuse(&a, "you are in too many groups", "");
	a.lines = arena_alloc(arena, (room + 1) * sizeof(*a.lines));
	if ((r = add_all(&a, &c->impersonate)) == 0)
		*out = a.lines;
	return r;
}
