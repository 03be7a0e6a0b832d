/* SPDX-License-Identifier: Apache-2.0 */
/* Where Backstage's back ends are, and whose token they get. */
#include "base.h"

#include "backstage.h"
#include "err.h"
#include "identity.h"
#include "jsonscan.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "transport.h"

/* Fill in every {{pluginId}} of a discovery target. */
static void
target_add(struct strbuf *sb, const char *target, const char *plugin)
{
	const char *open, *name, *end;

	while ((open = strstr(target, "{{")) != NULL) {
		name = open + 2 + strspn(open + 2, " ");
		end = name;
		if (str_starts(name, "pluginId"))
			end = name + 8 + strspn(name + 8, " ");
		strbuf_add(sb, target, (size_t)(open - target));
		if (end != name && str_starts(end, "}}")) {
			strbuf_addstr(sb, plugin);
			target = end + 2;
		} else {
			strbuf_addstr(sb, "{{");
			target = open + 2;
		}
	}
	strbuf_addstr(sb, target);
}

void
backstage_base(const struct settings *s, const char *plugin,
    struct strbuf *out)
{
	const char *target = NULL;
	size_t i, j, start = out->len;

	for (i = 0; i < s->ndiscovery; i++)
		for (j = 0; j < s->discovery[i].plugins.n; j++)
			if (strcmp(s->discovery[i].plugins.items[j],
			    plugin) == 0)
				target = s->discovery[i].target;
	if (target != NULL)
		target_add(out, target, plugin);
	else if (s->backend_base_url != NULL)
		strbuf_addstr(out, s->backend_base_url);
	while (out->len > start && out->buf[out->len - 1] == '/')
		out->buf[--out->len] = '\0';
	if (target == NULL && out->len > start)
		strbuf_addf(out, "/api/%s", plugin);
}

int
backstage_connect(const struct settings *s, struct transport *t,
    const struct backstage_peer *peer, struct upstream **out,
    struct err *err)
{
	struct strbuf base = STRBUF_INIT(STRBUF_UNLIMITED);
	struct upstream_options opt = {
		.connect_timeout = s->limit_connect,
		.timeout = peer->timeout,
		.breaker_failures = s->breaker_failures,
		.breaker_probe = s->breaker_probe,
	};
	int r;

	*out = NULL;
	backstage_base(s, peer->plugin, &base);
	opt.url = base.buf;
	if (base.len == 0)
		r = err_set(err, E_CONFIG, "the address of Backstage's %s "
		    "back end is not known: set backend.baseUrl or "
		    "discovery.endpoints", peer->plugin);
	else
		r = upstream_get(t, &opt, out, err);
	strbuf_release(&base);
	return r;
}

void
backstage_credential(const struct request *req, struct credential *out)
{
	const struct secret *ours = &req->rt->settings->backstage_token;
	const char *theirs = identity_backstage_token(req);
	struct secret token = SECRET_INIT;

	*out = (struct credential){ .kind = CREDENTIAL_ANONYMOUS };
	if (theirs != NULL)
		secret_set(&token, theirs, strlen(theirs));
	else if (ours->len > 0)
		secret_set(&token, ours->ptr, ours->len);
	if (token.len > 0)
		credential_take_bearer(out, &token);
	secret_release(&token);
}

static const char *
reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].status == status)
			return table[i].phrase;
	return "";
}

void
backstage_status_text(int status, char *out, size_t size)
{
	const char *phrase = reason_phrase(status);

	snprintf(out, size, "Request failed with %d%s%s", status,
	    *phrase != '\0' ? " " : "", phrase);
}

const char *
backstage_message(const struct fetch *f, struct arena *arena)
{
	struct json_span error;
	const struct json_pick picks[] = { { "error", &error } };
	const struct json_rules rules = { .depth = JSONSCAN_DEPTH,
	    .picks = picks, .npicks = 1 };

	if (jsonscan_check(f->body.buf, f->body.len, &rules, NULL) != 0)
		return NULL;
	return jsonscan_string(jsonscan_get(error, "message"), arena);
}
