/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from bytes. An event of a watch says kind and apiVersion of each
 * object, a list of a built-in type does not: those go. Names and labels of
 * Kubernetes hold no escapes, so one with a backslash is none.
 */
#include "base.h"

#include "err.h"
#include "live_object.h"
#include "splice.h"
#include "strbuf.h"

/* Kubernetes bounds an object's size only; nobody has a hundred. */
#define LABELS_MAX 1000
/* What malloc and the slots of tables take, about. */
#define OVERHEAD 48

struct parts {
	struct json_span kind, version, metadata;
	struct json_span name, namespace, labels;
	size_t nlabels, text;	/* bytes of label texts and their NULs */
};

static bool
is_plain_string(struct json_span s)
{
	return jsonscan_is_string(s) && memchr(s.ptr, '\\', s.len) == NULL;
}

static bool
is_name(struct json_span s)
{
	return is_plain_string(s) && s.len > 2 &&
	    memchr(s.ptr, '/', s.len) == NULL;
}

static bool
count_labels(struct parts *p)
{
	struct json_span key, value;
	struct jsonscan it;

	if (p->labels.ptr == NULL || p->labels.ptr[0] == 'n')
		return true;
	if (!jsonscan_begin(&it, p->labels, '{'))
		return false;
	while (jsonscan_member(&it, &key, &value)) {
		if (!is_plain_string(key) || !is_plain_string(value) ||
		    ++p->nlabels > LABELS_MAX)
			return false;
		p->text += key.len + value.len - 2;
	}
	return true;
}

static int
read_parts(struct json_span item, struct parts *p, struct err *err)
{
	const struct json_pick outer[] = {
		{ "kind", &p->kind }, { "apiVersion", &p->version },
		{ "metadata", &p->metadata },
	};
	const struct json_pick inner[] = {
		{ "name", &p->name }, { "namespace", &p->namespace },
		{ "labels", &p->labels },
	};

	memset(p, 0, sizeof(*p));
	jsonscan_pick(item, outer, ARRAY_LEN(outer));
	jsonscan_pick(p->metadata, inner, ARRAY_LEN(inner));
	if (!is_name(p->name) ||
	    (p->namespace.ptr != NULL && !is_name(p->namespace)))
		return err_set(err, E_PROTOCOL, "an object has no name");
	if (!count_labels(p))
		return err_set(err, E_PROTOCOL, "the labels of an object are "
		    "none");
	return 0;
}

/* The content of a string, into memory that is there, with a NUL. */
static const char *
put_text(char **to, struct json_span s)
{
	char *text = *to;

	memcpy(text, s.ptr + 1, s.len - 2);
	text[s.len - 2] = '\0';
	*to += s.len - 1;
	return text;
}

static void
put_labels(struct live_object *o, const struct parts *p, char **to)
{
	struct json_span key, value;
	struct jsonscan it;
	struct label *label = o->labels;

	if (p->nlabels == 0)
		return;
	jsonscan_begin(&it, p->labels, '{');
	while (jsonscan_member(&it, &key, &value)) {
		label->key = put_text(to, key);
		label->value = put_text(to, value);
		label++;
	}
}

/* "namespace/name"; the order of lists is the order of these. */
static void
put_names(struct live_object *o, const struct parts *p, char **to)
{
	o->namespace = "";
	if (p->namespace.ptr != NULL)
		o->namespace = put_text(to, p->namespace);
	o->key = *to;
	if (p->namespace.ptr != NULL) {
		put_text(to, p->namespace);
		(*to)[-1] = '/';
	}
	put_text(to, p->name);
	o->node.hash = live_hash(o->key, (size_t)(*to - o->key) - 1, "", 0);
}

static struct live_object *
object_make(const struct parts *p, const char *data, size_t len)
{
	size_t links = p->nlabels + (p->namespace.ptr != NULL);
	size_t fixed = sizeof(struct live_object) +
	    p->nlabels * sizeof(struct label) +
	    links * sizeof(struct live_link);
	size_t size = fixed + p->text + 2 * p->namespace.len + p->name.len +
	    len;
	struct live_object *o = xmalloc(size);
	char *to = (char *)o + fixed;

	memset(o, 0, fixed);
	o->size = size + OVERHEAD;
	o->links = (struct live_link *)(o + 1);
	o->labels = (struct label *)(o->links + links);
	o->nlinks = links;
	o->nlabels = p->nlabels;
	put_labels(o, p, &to);
	put_names(o, p, &to);
	o->data = memcpy(to, data, len);
	o->len = len;
	return o;
}

void
live_shape_learn(struct live_shape *shape, struct json_span item)
{
	const struct json_pick picks[] = {
		{ "kind", &(struct json_span){ NULL, 0 } },
		{ "apiVersion", &(struct json_span){ NULL, 0 } },
	};

	jsonscan_pick(item, picks, ARRAY_LEN(picks));
	shape->has_kind = picks[0].value->ptr != NULL;
	shape->has_version = picks[1].value->ptr != NULL;
	shape->known = true;
}

/* Without what an item of a list does not have. */
static void
add_stripped(struct strbuf *sb, const struct live_shape *shape,
    struct json_span item)
{
	struct json_span key, value;
	struct jsonscan it;
	char before = '{';

	jsonscan_begin(&it, item, '{');
	while (jsonscan_member(&it, &key, &value)) {
		if ((!shape->has_kind && jsonscan_is(key, "kind")) ||
		    (!shape->has_version && jsonscan_is(key, "apiVersion")))
			continue;
		strbuf_addch(sb, before);
		before = ',';
		strbuf_add(sb, key.ptr, key.len);
		strbuf_addch(sb, ':');
		strbuf_add(sb, value.ptr, value.len);
	}
	strbuf_addch(sb, '}');
}

/* What has less than others cannot be made like them. */
static bool
fits(const struct live_shape *shape, const struct parts *p)
{
	bool kind = p->kind.ptr != NULL, version = p->version.ptr != NULL;

	if (shape->listed)
		return kind == shape->has_kind &&
		    version == shape->has_version;
	return kind >= shape->has_kind && version >= shape->has_version;
}

int
live_object_read(const struct live_shape *shape, struct json_span item,
    struct live_object **out, struct err *err)
{
	struct strbuf stripped = STRBUF_INIT(STRBUF_UNLIMITED);
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	struct parts p;
	bool hide;
	int r;

	if ((r = read_parts(item, &p, err)) != 0)
		return r;
	if (!fits(shape, &p))
		return err_set(err, E_PROTOCOL, "objects of one list differ "
		    "in their form");
	hide = shape->hide || jsonscan_is(p.kind, "Secret");
	if ((!shape->has_kind && p.kind.ptr != NULL) ||
	    (!shape->has_version && p.version.ptr != NULL)) {
		add_stripped(&stripped, shape, item);
		item = (struct json_span){ stripped.buf, stripped.len };
	}
	if (hide || shape->custom) {
		splice_add_item(&sb, item, hide, shape->custom ?
		    &shape->kind : NULL);
		item = (struct json_span){ sb.buf, sb.len };
	}
	*out = object_make(&p, item.ptr, item.len);
	strbuf_release(&sb);
	if (hide)
		strbuf_wipe(&stripped);
	else
		strbuf_release(&stripped);
	return 0;
}

int
live_object_read_key(struct json_span item, struct live_object **out,
    struct err *err)
{
	struct parts p;
	int r = read_parts(item, &p, err);

	if (r == 0)
		*out = object_make(&p, "", 0);
	return r;
}
