/* SPDX-License-Identifier: Apache-2.0 */
/* One call: GET /v1/userinfo with the user's own token. */
#include "base.h"

#include "arena.h"
#include "backstage.h"
#include "err.h"
#include "jsonx.h"
#include "settings.h"
#include "transport.h"
#include "userinfo.h"

#define ANSWER_MAX (256 * 1024)

struct userinfo {
	struct transport *transport;
	struct upstream *up;		/* NULL: see why */
	char *path;			/* below the upstream's base */
	struct err why;
};

/* An address of the settings: its origin is the upstream, the rest the path. */
static int
connect_to_url(struct userinfo *ui, const struct settings *s)
{
	const char *url = s->backstage.userinfo_url;
	const char *host = strstr(url, "://");
	size_t len = host == NULL ? strlen(url) :
	    (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");
	char *origin = xstrndup(url, len);
	const struct upstream_options opt = {
		.url = origin,
		.connect_timeout = s->limit_connect,
		.timeout = USERINFO_TIMEOUT,
		.breaker_failures = s->breaker_failures,
		.breaker_probe = s->breaker_probe,
	};
	int r = upstream_get(ui->transport, &opt, &ui->up, &ui->why);

	free(origin);
	ui->path = xstrdup(url[len] == '/' ? url + len : "/");
	return r;
}

struct userinfo *
userinfo_new(const struct settings *settings, struct transport *transport)
{
	static const struct backstage_peer peer = { "auth",
	    USERINFO_TIMEOUT };
	struct userinfo *ui = xcalloc(1, sizeof(*ui));

	ui->transport = transport;
	if (settings->backstage.userinfo_url != NULL) {
		connect_to_url(ui, settings);
	} else {
		backstage_connect(settings, transport, &peer, &ui->up,
		    &ui->why);
		ui->path = xstrdup("/v1/userinfo");
	}
	return ui;
}

void
userinfo_free(struct userinfo *ui)
{
	if (ui == NULL)
		return;
	upstream_put(ui->up);
	free(ui->path);
	free(ui);
}

static int
read_answer(const struct fetch *f, struct arena *arena,
    struct string_list *refs, struct err *err)
{
	struct json_object *top = NULL, *ent, *one;
	size_t i, len;
	int r = 0;

	if (jsonx_parse(f->body.buf, f->body.len, &top, NULL) != 0 ||
	    !json_object_is_type(ent = jsonx_get(jsonx_get(top, "claims"),
	    "ent"), json_type_array)) {
		r = err_set(err, E_PROTOCOL, "the answer has no claims.ent");
		goto out;
	}
	len = json_object_array_length(ent);
	refs->items = arena_alloc(arena, (len + 1) * sizeof(*refs->items));
	for (i = refs->n = 0; i < len; i++) {
		one = json_object_array_get_idx(ent, i);
		if (json_object_is_type(one, json_type_string))
			refs->items[refs->n++] = arena_strdup(arena,
			    json_object_get_string(one));
	}
 out:
	json_object_put(top);
	return r;
}

int
userinfo_ask(struct userinfo *ui, const char *token, struct arena *arena,
    struct string_list *refs, struct err *err)
{
	struct credential cred = CREDENTIAL_INIT;
	struct secret copy = SECRET_INIT;
	struct fetch f = { .up = ui->up, .path = ui->path, .cred = &cred,
	    .limit = ANSWER_MAX };
	int r;

	if (ui->up == NULL) {
		*err = ui->why;
		return err->code;
	}
	secret_set(&copy, token, strlen(token));
	credential_take_bearer(&cred, &copy);
	if ((r = transport_fetch(ui->transport, &f, -1)) != 0)
		*err = f.err;
	else if (f.status != 200)
		r = err_set(err, E_PROTOCOL, "it answered %d", f.status);
	else
		r = read_answer(&f, arena, refs, err);
	strbuf_release(&f.body);
	credential_release(&cred);
	return r;
}
