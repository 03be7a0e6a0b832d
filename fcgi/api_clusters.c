/* SPDX-License-Identifier: Apache-2.0 */
/* GET /clusters: what a page shows of each cluster, and nothing secret. */
#include "base.h"

#include "api.h"
#include "err.h"
#include "jsonx.h"
#include "request.h"
#include "response.h"
#include "runtime.h"

static void
add_cluster(struct strbuf *sb, const struct cluster *c)
{
	const char *shown = cluster_presented(c);

	jsonx_add_comma(sb);
	strbuf_addch(sb, '{');
	jsonx_add_pair(sb, "name", c->name);
	if (c->title != NULL)
		jsonx_add_pair(sb, "title", c->title);
	if (c->dashboard_url != NULL)
		jsonx_add_pair(sb, "dashboardUrl", c->dashboard_url);
	jsonx_add_pair(sb, "authProvider", shown);
	/* A page asks the token API of that name: only if it is shown so. */
	if (c->oidc_token_provider != NULL &&
	    strcmp(shown, c->auth_provider) == 0)
		jsonx_add_pair(sb, "oidcTokenProvider",
		    c->oidc_token_provider);
	strbuf_addch(sb, '}');
}

int
api_clusters(struct request *req)
{
	const struct clusters *cs = &req->rt->clusters;
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t i;
	int r;

	strbuf_addstr(&sb, "{\"items\":[");
	for (i = 0; i < cs->n; i++)
		if (identity_may_use(&req->who, cs->items[i]))
			add_cluster(&sb, cs->items[i]);
	strbuf_addstr(&sb, "]}");
	r = response_json(req, 200, sb.buf, sb.len);
	strbuf_release(&sb);
	return r;
}
