/* SPDX-License-Identifier: Apache-2.0 */
/* SelfSubjectReview: the question, and what may come back. */
#include "base.h"

#include "arena.h"
#include "jsonx.h"
#include "obtain.h"
#include "selfreview.h"
#include "shown.h"
#include "transport.h"

#define GROUP "authentication.k8s.io/"
#define ANSWER_MAX (1 << 20)
#define WORDS_MAX 300		/* bytes of an answer that is no JSON */

static const char *const versions[] = { "v1", "v1beta1" };

/* One question. The answer's body is the caller's to wipe. */
static int
ask(struct transport *t, const struct access *a, const char *version,
    struct fetch *f)
{
	static const char *const headers[] = {
		"Content-Type: application/json", "Accept: application/json",
		NULL };
	char path[80], body[120];
	int r;

	snprintf(path, sizeof(path), "/apis/" GROUP "%s/selfsubjectreviews",
	    version);
	snprintf(body, sizeof(body), "{\"apiVersion\":\"" GROUP "%s\","
	    "\"kind\":\"SelfSubjectReview\"}", version);
	*f = (struct fetch){
		.up = a->up, .method = "POST", .path = path, .cred = &a->cred,
		.headers = headers, .upload = body, .upload_len = strlen(body),
		.limit = ANSWER_MAX,
	};
	r = transport_fetch(t, f, -1);
	f->path = f->upload = NULL;
	return r;
}

/* ---- a good answer ---- */

struct reading {
	const struct secret *cut;
	struct arena *arena;
	struct selfreview *out;
};

static const char *
text_of(const struct reading *rd, struct json_object *value)
{
	return shown(rd->arena, json_object_is_type(value, json_type_string) ?
	    json_object_get_string(value) : "?", rd->cut);
}

/* How many of them are kept. */
static size_t
bounded(const struct reading *rd, struct json_object *array)
{
	size_t n = json_object_is_type(array, json_type_array) ?
	    json_object_array_length(array) : 0;

	if (n > SELFREVIEW_MAX)
		rd->out->cut = true;
	return SD_MIN(n, (size_t)SELFREVIEW_MAX);
}

static void
read_groups(const struct reading *rd, struct json_object *array)
{
	struct string_list *groups = &rd->out->groups;
	size_t i, n = bounded(rd, array);

	groups->items = arena_alloc(rd->arena, (n + 1) *
	    sizeof(*groups->items));
	for (i = 0; i < n; i++)
		groups->items[groups->n++] = text_of(rd,
		    json_object_array_get_idx(array, i));
}

static void
read_values(const struct reading *rd, const char *key,
    struct json_object *values)
{
	struct selfreview *out = rd->out;
	size_t i, n = bounded(rd, values);

	for (i = 0; i < n; i++) {
		if (out->nextra == SELFREVIEW_MAX) {
			out->cut = true;
			return;
		}
		out->extra[out->nextra++] = (struct pair){
			shown(rd->arena, key, rd->cut),
			text_of(rd, json_object_array_get_idx(values, i)) };
	}
}

static void
read_extra(const struct reading *rd, struct json_object *extra)
{
	rd->out->extra = arena_alloc(rd->arena, SELFREVIEW_MAX *
	    sizeof(*rd->out->extra));
	if (!json_object_is_type(extra, json_type_object))
		return;
	json_object_object_foreach(extra, key, values)
		read_values(rd, key, values);
}

/* false: it is no SelfSubjectReview. */
static bool
read_answer(const struct reading *rd, struct json_object *root)
{
	struct json_object *info = jsonx_get(jsonx_get(root, "status"),
	    "userInfo");
	const char *user = jsonx_str(info, "username");
	const char *uid = jsonx_str(info, "uid");

	if (user == NULL)
		return false;
	rd->out->user = shown(rd->arena, user, rd->cut);
	rd->out->uid = uid != NULL && *uid != '\0' ?
	    shown(rd->arena, uid, rd->cut) : NULL;
	read_groups(rd, jsonx_get(info, "groups"));
	read_extra(rd, jsonx_get(info, "extra"));
	return true;
}

/* ---- a bad one ---- */

static int
code_of(int status)
{
	switch (status) {
	case 401:
		return E_AUTH;
	case 403:
		return E_DENIED;
	case 404:
		return E_NOTFOUND;
	default:
		return E_PROTOCOL;
	}
}

static int
refused(const struct reading *rd, const struct fetch *f,
    struct json_object *root, struct err *err)
{
	const char *message = jsonx_str(root, "message");

	if (message == NULL)
		message = root == NULL && f->body.len <= WORDS_MAX ?
		    f->body.buf : "";
	message = shown(rd->arena, message, rd->cut);
	return err_set(err, code_of(f->status), "the cluster answered %d%s%s",
	    f->status, *message != '\0' ? ": " : "", message);
}

int
selfreview_ask(struct transport *t, const struct access *a,
    struct arena *arena, struct selfreview *out, struct err *err)
{
	const struct reading rd = { &a->cred.value, arena, out };
	struct json_object *root;
	struct fetch f;
	size_t i;
	int r = E_NOTFOUND;

	for (i = 0; i < ARRAY_LEN(versions) && r == E_NOTFOUND; i++) {
		*out = (struct selfreview){ .user = NULL };
		root = NULL;
		if ((r = ask(t, a, versions[i], &f)) != 0)
			err_set(err, r, "%s", f.err.text);
		else if (jsonx_parse(f.body.buf, f.body.len, &root, NULL) !=
		    0 || f.status / 100 != 2)
			r = refused(&rd, &f, root, err);
		else if (!read_answer(&rd, root))
			r = err_set(err, E_PROTOCOL, "the cluster's answer is "
			    "no SelfSubjectReview");
		json_object_put(root);
		strbuf_wipe(&f.body);
	}
	return r;
}
