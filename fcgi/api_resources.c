/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three ways to ask for an entity's objects: workloads, custom
 * resources, and the older /services. Each reads its body, finds the entity
 * in the catalog, and hands over to the query.
 */
#include "base.h"

#include "api.h"
#include "arena.h"
#include "body.h"
#include "catalog.h"
#include "entity.h"
#include "err.h"
#include "jsonx.h"
#include "objects.h"
#include "query.h"
#include "request.h"
#include "response.h"

/* More lists of one request would be an attack on the clusters. */
#define CUSTOM_MAX 200

static struct json_object *
body_auth(struct json_object *body)
{
	struct json_object *auth = jsonx_get(body, "auth");

	return json_object_is_type(auth, json_type_object) ? auth : NULL;
}

/* The entity that the body names, with the contract's refusals. */
static int
named_entity(struct request *req, struct json_object *body,
    struct entity *out, struct err *err)
{
	struct json_object *text = jsonx_get(body, "entityRef");
	struct entity_ref ref;
	int r;

	if (!jsonx_truthy(text))
		return err_set(err, E_INPUT, "entity is a required field");
	if (!json_object_is_type(text, json_type_string))
		return err_set(err, E_INPUT, "entity query must be a string");
	if ((r = entity_ref_parse(json_object_get_string(text), req->arena,
	    &ref, err)) != 0)
		return r;
	r = catalog_entity(req, &ref, out, err);
	if (r == E_NOTFOUND)
		return err_set(err, E_INPUT, "Entity ref missing, %s",
		    ref.full);
	return r;
}

static int
answer_error(struct request *req, const struct err *err)
{
	struct api_error e = { .code = err->code, .message = err->text };

	if (err->code == E_GONE)
		return E_GONE;
	if (err->code == E_PROTOCOL) {	/* the catalog's */
		e.status = 500;
		e.name = "ResponseError";
	}
	return response_api_error(req, &e);
}

/* A text, or a number or a word as JavaScript would write it into a path. */
static const char *
text_member(struct json_object *obj, const char *key, struct arena *arena)
{
	struct json_object *value = jsonx_get(obj, key);
	struct strbuf sb = STRBUF_INIT(64);
	const char *text = NULL;

	switch (json_object_get_type(value)) {
	case json_type_string:
		return json_object_get_string(value);
	case json_type_int:
	case json_type_double:
	case json_type_boolean:
		jsonx_add_tree(&sb, value);
		text = arena_strdup(arena, sb.buf);
		strbuf_release(&sb);
		return text;
	default:
		return NULL;
	}
}

static int
read_custom(struct request *req, struct json_object *list,
    struct query_spec *spec, struct err *err)
{
	size_t i, n = json_object_array_length(list);
	struct custom_resource *custom = arena_alloc(req->arena,
	    n * sizeof(*custom));

	for (i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		custom[i].group = text_member(one, "group", req->arena);
		custom[i].version = text_member(one, "apiVersion", req->arena);
		custom[i].plural = text_member(one, "plural", req->arena);
		if (custom[i].group == NULL || custom[i].version == NULL ||
		    custom[i].plural == NULL || !object_custom_ok(&custom[i]))
			return err_set(err, E_INPUT, "customResources[%zu] "
			    "must have group, apiVersion and plural", i);
	}
	spec->custom = custom;
	spec->ncustom = n;
	return 0;
}

static int
custom_of_body(struct request *req, struct json_object *body,
    struct query_spec *spec, struct err *err)
{
	struct json_object *list = jsonx_get(body, "customResources");

	if (!jsonx_truthy(list))
		return err_set(err, E_INPUT,
		    "customResources is a required field");
	if (!json_object_is_type(list, json_type_array))
		return err_set(err, E_INPUT,
		    "customResources must be an array");
	if (json_object_array_length(list) == 0)
		return err_set(err, E_INPUT,
		    "at least 1 customResource is required");
	if (json_object_array_length(list) > CUSTOM_MAX)
		return err_set(err, E_INPUT, "customResources holds more than "
		    "%d elements", CUSTOM_MAX);
	return read_custom(req, list, spec, err);
}

static int
answer_query(struct request *req, bool custom)
{
	struct json_object *body = NULL;
	struct api_error refusal;
	struct entity entity;
	struct query_spec spec = { .entity = &entity };
	struct err err = ERR_INIT;
	int r;

	if ((r = body_json(req, &body, &refusal)) == E_GONE)
		return r;
	if (r != 0)
		return response_api_error(req, &refusal);
	spec.auth = body_auth(body);
	r = named_entity(req, body, &entity, &err);
	if (r == 0 && custom)
		r = custom_of_body(req, body, &spec, &err);
	r = r == 0 ? query_answer(req, &spec) : answer_error(req, &err);
	jsonx_wipe(body);
	return r;
}

int
api_workloads(struct request *req)
{
	return answer_query(req, false);
}

int
api_custom(struct request *req)
{
	return answer_query(req, true);
}

/* The older route answers what it did not expect with a bare sentence. */
static int
answer_sentence(struct request *req, const char *sentence)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	int r;

	strbuf_addch(&sb, '{');
	jsonx_add_pair(&sb, "error", sentence);
	strbuf_addch(&sb, '}');
	r = response_json(req, 500, sb.buf, sb.len);
	strbuf_release(&sb);
	return r;
}

/* The entity of a /services body, as the catalog has it. */
static int
services_entity(struct request *req, struct json_object *body,
    struct entity *out, struct err *err)
{
	struct json_object *given = NULL;
	struct entity_ref ref;
	bool there;
	int r;

	there = json_object_is_type(body, json_type_object) &&
	    json_object_object_get_ex(body, "entity", &given);
	if (given == NULL)
		return err_set(err, E_SYSTEM, "Cannot read properties of %s "
		    "(reading 'metadata')", there ? "null" : "undefined");
	if ((r = entity_ref_of(given, req->arena, &ref, err)) != 0)
		return r;
	r = catalog_entity(req, &ref, out, err);
	if (r == E_NOTFOUND)
		return err_set(err, E_DENIED, "Entity not found, %s",
		    ref.full);
	return r;
}

int
api_services(struct request *req)
{
	struct json_object *body = NULL;
	struct api_error refusal;
	struct entity entity;
	struct query_spec spec = { .entity = &entity };
	struct err err = ERR_INIT;
	int r;

	if ((r = body_json(req, &body, &refusal)) == E_GONE)
		return r;
	if (r != 0)
		return response_api_error(req, &refusal);
	spec.auth = body_auth(body);
	r = services_entity(req, body, &entity, &err);
	if (r == 0)
		r = query_answer(req, &spec);
	else if (r == E_DENIED)
		r = response_error(req, &err);
	else if (r != E_GONE)
		r = answer_sentence(req, err.text);
	jsonx_wipe(body);
	return r;
}
