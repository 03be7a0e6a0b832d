/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List answers. Only two things ever change in an item: the values of a
 * Secret, which nobody may see here, and the kind of a custom resource,
 * which Kubernetes leaves out of list items and Backstage's pages need.
 */
#include "base.h"

#include "err.h"
#include "jsonscan.h"
#include "objects.h"
#include "splice.h"
#include "strbuf.h"

static bool
is_null(struct json_span v)
{
	return v.len == 4 && v.ptr[0] == 'n';
}

static void
span_add(struct strbuf *sb, struct json_span s)
{
	strbuf_add(sb, s.ptr, s.len);
}

/* Is there anything but white space between the brackets? */
static bool
has_elements(struct json_span array)
{
	const char *p = array.ptr + 1;

	if (array.ptr[0] != '[')
		return false;
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return *p != ']';
}

int
splice_scan(const char *data, size_t len, struct splice *out,
    struct err *err)
{
	const struct json_pick picks[] = {
		{ "items", &out->items }, { "kind", &out->kind },
	};
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = picks, .npicks = ARRAY_LEN(picks) };

	if (jsonscan_check(data, len, &rules, err) != 0)
		return E_PROTOCOL;
	if (out->items.ptr == NULL)
		return err_set(err, E_PROTOCOL, "it has no items");
	/* null is how Go writes an empty list */
	if (!is_null(out->items) && out->items.ptr[0] != '[')
		return err_set(err, E_PROTOCOL, "its items are no array");
	out->any = has_elements(out->items);
	return 0;
}

int
splice_fit(const struct object_list *list, struct splice *out,
    struct err *err)
{
	if (list->custom && (!jsonscan_is_string(out->kind) ||
	    out->kind.len == 2))
		return err_set(err, E_PROTOCOL, "it has no kind");
	out->changes = list->custom || list->secrets ||
	    jsonscan_is(out->kind, "SecretList");
	if (!out->any)		/* data need not live on */
		out->items = out->kind = (struct json_span){ NULL, 0 };
	return 0;
}

int
splice_read(const struct object_list *list, const char *data, size_t len,
    struct splice *out, struct err *err)
{
	return splice_scan(data, len, out, err) != 0 ||
	    splice_fit(list, out, err) != 0 ? E_PROTOCOL : 0;
}

/* The kind of the items of a list: its own without "List" at the end. */
static void
add_item_kind(struct strbuf *sb, struct json_span kind)
{
	static const char end[] = "List\"";
	size_t n = sizeof(end) - 1;

	if (kind.len > n && memcmp(kind.ptr + kind.len - n, end, n) == 0) {
		strbuf_add(sb, kind.ptr, kind.len - n);
		strbuf_addch(sb, '"');
	} else {
		span_add(sb, kind);
	}
}

/* Keys stay, each value is hidden; null stays null. */
static void
add_hidden(struct strbuf *sb, struct json_span value)
{
	struct json_span key, hidden;
	struct jsonscan it;
	char before = '{';

	if (is_null(value)) {
		span_add(sb, value);
		return;
	}
	if (!jsonscan_begin(&it, value, '{')) {
		strbuf_addstr(sb, "\"***\"");
		return;
	}
	while (jsonscan_member(&it, &key, &hidden)) {
		strbuf_addch(sb, before);
		span_add(sb, key);
		strbuf_addstr(sb, ":\"***\"");
		before = ',';
	}
	strbuf_addstr(sb, before == '{' ? "{}" : "}");
}

/* The object as it is, but for one member's value, which put writes. */
static void
add_replacing(struct strbuf *sb, struct json_span object, const char *name,
    void (*put)(struct strbuf *sb, struct json_span value))
{
	struct json_span key, value;
	struct jsonscan it;
	char before = '{';

	if (!jsonscan_begin(&it, object, '{')) {
		span_add(sb, object);
		return;
	}
	while (jsonscan_member(&it, &key, &value)) {
		strbuf_addch(sb, before);
		before = ',';
		span_add(sb, key);
		strbuf_addch(sb, ':');
		if (jsonscan_is(key, name))
			put(sb, value);
		else
			span_add(sb, value);
	}
	strbuf_addstr(sb, before == '{' ? "{}" : "}");
}

static void
add_stars(struct strbuf *sb, struct json_span value UNUSED)
{
	strbuf_addstr(sb, "\"***\"");
}

/* kubectl apply keeps the whole object in there, values in clear. */
static void
add_annotations(struct strbuf *sb, struct json_span value)
{
	add_replacing(sb, value,
	    "kubectl.kubernetes.io/last-applied-configuration", add_stars);
}

void
splice_add_item(struct strbuf *sb, struct json_span item, bool hide,
    const struct json_span *kind)
{
	struct json_span key, value;
	struct jsonscan it;
	char before = '{';

	if (!jsonscan_begin(&it, item, '{')) {
		if (hide)
			strbuf_addstr(sb, "null");
		else
			span_add(sb, item);
		return;
	}
	if (kind != NULL) {
		strbuf_addstr(sb, "{\"kind\":");
		add_item_kind(sb, *kind);
		before = ',';
	}
	while (jsonscan_member(&it, &key, &value)) {
		if (kind != NULL && jsonscan_is(key, "kind"))
			continue;
		strbuf_addch(sb, before);
		before = ',';
		span_add(sb, key);
		strbuf_addch(sb, ':');
		if (hide && (jsonscan_is(key, "data") ||
		    jsonscan_is(key, "stringData")))
			add_hidden(sb, value);
		else if (hide && jsonscan_is(key, "metadata"))
			add_replacing(sb, value, "annotations",
			    add_annotations);
		else
			span_add(sb, value);
	}
	strbuf_addstr(sb, before == '{' ? "{}" : "}");
}

/* Whatever the list calls itself. */
static bool
is_secret(struct json_span item)
{
	return item.ptr[0] == '{' &&
	    jsonscan_is(jsonscan_get(item, "kind"), "Secret");
}

void
splice_add_items(struct strbuf *sb, const struct object_list *list,
    const struct splice *s)
{
	bool hide = list->secrets || jsonscan_is(s->kind, "SecretList");
	const struct json_span *kind = list->custom ? &s->kind : NULL;
	struct json_span item;
	struct jsonscan it;
	char before = '[';

	if (!s->any) {
		strbuf_addstr(sb, "[]");
		return;
	}
	if (!s->changes) {
		span_add(sb, s->items);
		return;
	}
	jsonscan_begin(&it, s->items, '[');
	while (jsonscan_element(&it, &item)) {
		strbuf_addch(sb, before);
		before = ',';
		splice_add_item(sb, item, hide || is_secret(item), kind);
	}
	strbuf_addch(sb, ']');
}

bool
splice_has_pods(const struct object_list *list, const struct splice *s)
{
	struct json_span first;
	struct jsonscan it;

	if (list->pods || !list->custom)
		return list->pods;
	return jsonscan_begin(&it, s->items, '[') &&
	    jsonscan_element(&it, &first) &&
	    jsonscan_is(s->kind, "PodList") &&
	    jsonscan_is(jsonscan_get(first, "apiVersion"), "v1");
}
