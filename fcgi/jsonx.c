/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON trees for small things, and writing JSON. json-c makes the trees, but
 * only from text that our own strict check has accepted; we print them
 * ourselves, for json-c keeps what it printed inside the tree, and trees of
 * the settings are shared by threads.
 */
#include "base.h"

#include <math.h>
#include <openssl/crypto.h>

#include <json-c/printbuf.h>

#include "err.h"
#include "jsonscan.h"
#include "strbuf.h"

#include "jsonx.h"

static int
tree_make(const char *data, size_t len, struct json_object **out)
{
	struct json_tokener *tok = json_tokener_new_ex(JSONX_DEPTH + 2);
	enum json_tokener_error r;

	if (tok == NULL)
		BUG("json_tokener_new_ex failed");
	*out = json_tokener_parse_ex(tok, data, (int)len);
	r = json_tokener_get_error(tok);
	if (r == json_tokener_continue) {	/* a number may go on */
		*out = json_tokener_parse_ex(tok, "", 1);
		r = json_tokener_get_error(tok);
	}
	/* the last string it read, which may have been a token */
	OPENSSL_cleanse(tok->pb->buf, (size_t)tok->pb->size);
	json_tokener_free(tok);
	return r == json_tokener_success ? 0 : E_INPUT;
}

int
jsonx_parse(const char *data, size_t len, struct json_object **out,
    struct err *err)
{
	struct json_rules rules = { .depth = JSONX_DEPTH, .no_nul = true };

	*out = NULL;
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	if (len > INT_MAX)
		return err_set(err, E_INPUT, "too long");
	if (jsonscan_check(data, len, &rules, err) != 0) {
		if (err != NULL)
			err->code = E_INPUT;
		return E_INPUT;
	}
	if (tree_make(data, len, out) != 0)
		return err_set(err, E_INPUT, "cannot read JSON");
	return 0;
}

struct json_object *
jsonx_get(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(obj, json_type_object))
		json_object_object_get_ex(obj, key, &value);
	return value;
}

const char *
jsonx_str(struct json_object *obj, const char *key)
{
	struct json_object *value = jsonx_get(obj, key);

	return json_object_is_type(value, json_type_string) ?
	    json_object_get_string(value) : NULL;
}

bool
jsonx_truthy(struct json_object *obj)
{
	double d;

	switch (json_object_get_type(obj)) {
	case json_type_null:
		return false;
	case json_type_boolean:
		return json_object_get_boolean(obj);
	case json_type_int:
	case json_type_double:
		d = json_object_get_double(obj);
		return d != 0 && !isnan(d);
	case json_type_string:
		return json_object_get_string_len(obj) > 0;
	default:
		return true;
	}
}

static void
wipe_strings(struct json_object *obj)
{
	size_t i;

	switch (json_object_get_type(obj)) {
	case json_type_string:
		OPENSSL_cleanse((char *)(uintptr_t)json_object_get_string(obj),
		    (size_t)json_object_get_string_len(obj));
		break;
	case json_type_array:
		for (i = 0; i < json_object_array_length(obj); i++)
			wipe_strings(json_object_array_get_idx(obj, i));
		break;
	case json_type_object: {
		json_object_object_foreach(obj, key, value) {
			(void)key;
			wipe_strings(value);
		}
		break;
	}
	default:
		break;
	}
}

void
jsonx_wipe(struct json_object *obj)
{
	wipe_strings(obj);
	json_object_put(obj);
}

static void
add_escaped(struct strbuf *sb, unsigned char ch)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *f = ch != '\0' ? strchr(from, ch) : NULL;

	if (f != NULL)
		strbuf_add(sb, (char[]){ '\\', to[f - from] }, 2);
	else
		strbuf_addf(sb, "\\u%04x", ch);
}

void
jsonx_add_string(struct strbuf *sb, const char *s, size_t len)
{
	size_t i = 0, from = 0, n;

	strbuf_addch(sb, '"');
	while (i < len) {
		unsigned char ch = (unsigned char)s[i];

		if (ch >= 0x20 && ch < 0x80 && ch != '"' && ch != '\\') {
			i++;
			continue;
		}
		if (ch >= 0x80 && (n = jsonscan_utf8(s + i, len - i)) > 0) {
			i += n;
			continue;
		}
		strbuf_add(sb, s + from, i - from);
		if (ch >= 0x80)
			strbuf_addstr(sb, "\xef\xbf\xbd");
		else
			add_escaped(sb, ch);
		from = ++i;
	}
	strbuf_add(sb, s + from, len - from);
	strbuf_addch(sb, '"');
}

void
jsonx_add_comma(struct strbuf *sb)
{
	if (sb->len > 0 && strchr("{[:,", sb->buf[sb->len - 1]) == NULL)
		strbuf_addch(sb, ',');
}

void
jsonx_add_pair(struct strbuf *sb, const char *key, const char *value)
{
	jsonx_add_comma(sb);
	jsonx_add_string(sb, key, strlen(key));
	strbuf_addch(sb, ':');
	jsonx_add_string(sb, value, strlen(value));
}

/* Digits of a billionth, without printf: most of our numbers are such. */
static bool
add_billionths(struct strbuf *sb, double d)
{
	char buf[32], *p = buf + sizeof(buf);
	uint64_t n, whole, part;
	int digits = 9;

	if (d < 0 || d >= 1e6 || signbit(d))
		return false;
	n = (uint64_t)(d * 1e9 + 0.5);
	if ((double)n / 1e9 != d)
		return false;
	whole = n / 1000000000;
	part = n % 1000000000;
	for (; digits > 0 && part % 10 == 0; digits--)
		part /= 10;
	for (; digits > 0; digits--, part /= 10) {
		*--p = (char)('0' + part % 10);
		if (digits == 1)
			*--p = '.';
	}
	do {
		*--p = (char)('0' + whole % 10);
		whole /= 10;
	} while (whole != 0);
	strbuf_add(sb, p, (size_t)(buf + sizeof(buf) - p));
	return true;
}

void
jsonx_add_double(struct strbuf *sb, double d)
{
	char buf[32];
	int digits;

	if (!isfinite(d)) {
		strbuf_addstr(sb, "null");
		return;
	}
	if (add_billionths(sb, d))
		return;
	for (digits = 15; digits <= 17; digits++) {
		snprintf(buf, sizeof(buf), "%.*g", digits, d);
		if (strtod(buf, NULL) == d)
			break;
	}
	strbuf_addstr(sb, buf);
}

static void
add_array(struct strbuf *sb, struct json_object *obj)
{
	size_t i;

	strbuf_addch(sb, '[');
	for (i = 0; i < json_object_array_length(obj); i++) {
		if (i > 0)
			strbuf_addch(sb, ',');
		jsonx_add_tree(sb, json_object_array_get_idx(obj, i));
	}
	strbuf_addch(sb, ']');
}

static void
add_object(struct strbuf *sb, struct json_object *obj)
{
	bool first = true;

	strbuf_addch(sb, '{');
	json_object_object_foreach(obj, key, value) {
		if (!first)
			strbuf_addch(sb, ',');
		first = false;
		jsonx_add_string(sb, key, strlen(key));
		strbuf_addch(sb, ':');
		jsonx_add_tree(sb, value);
	}
	strbuf_addch(sb, '}');
}

void
jsonx_add_tree(struct strbuf *sb, struct json_object *obj)
{
	switch (json_object_get_type(obj)) {
	case json_type_null:
		strbuf_addstr(sb, "null");
		break;
	case json_type_boolean:
		strbuf_addstr(sb, json_object_get_boolean(obj) ? "true" :
		    "false");
		break;
	case json_type_int:
		strbuf_addf(sb, "%lld", (long long)json_object_get_int64(obj));
		break;
	case json_type_double:
		jsonx_add_double(sb, json_object_get_double(obj));
		break;
	case json_type_string:
		jsonx_add_string(sb, json_object_get_string(obj),
		    (size_t)json_object_get_string_len(obj));
		break;
	case json_type_array:
		add_array(sb, obj);
		break;
	case json_type_object:
		add_object(sb, obj);
		break;
	}
}
