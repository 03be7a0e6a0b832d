/* SPDX-License-Identifier: Apache-2.0 */
/* A live lane before the API server of kube.h, and somebody who asks. */
#ifndef STAGEDOOR_TEST_LIVE_RIG_H
#define STAGEDOOR_TEST_LIVE_RIG_H

#include "cluster.h"
#include "kube.h"
#include "live_private.h"
#include "objects.h"
#include "obtain.h"
#include "settings.h"
#include "../providers/provider.h"

struct live_rig {
	struct kube kube;
	struct live *live;
	struct settings settings;
	struct cluster cluster, *list[1];
	struct clusters clusters;
	struct live_options options;
	struct access access;
	struct object_list kind;
	struct selector selector;
	struct live_ask ask;
};

static inline void
live_rig_start(struct live_rig *r)
{
	static const struct provider_ops provider = {
		.name = "double", .flags = PROVIDER_SERVER_SIDE };

	memset(r, 0, sizeof(*r));
	kube_start(&r->kube);
	r->cluster = (struct cluster){ .name = "one",
	    .url = r->kube.rig.server.url, .auth_provider = "double",
	    .provider = &provider, .live = true };
	r->list[0] = &r->cluster;
	r->clusters = (struct clusters){ .items = r->list, .n = 1 };
	r->options = (struct live_options){ .memory = 1 << 20, .idle = 60,
	    .settings = &r->settings, .clusters = &r->clusters };
	rig_bearer(&r->access.cred, "alice");
	r->access.up = r->kube.rig.up;
	r->kind = (struct object_list){ .type = "things",
	    .everywhere = "/apis/x/v1/things", .custom = true };
	r->selector = (struct selector){ .label = "app=x", .namespace = "" };
	r->ask = (struct live_ask){ .cluster = &r->cluster,
	    .access = &r->access, .list = &r->kind,
	    .selector = &r->selector };
	r->live = live_new(r->kube.rig.transport);
	r->live->times.step = 40;	/* ms; then 80, 160 ... */
	r->live->times.steady = 60;
	r->live->times.later = 400;
	live_use(r->live, &r->options);
}

static inline void
live_rig_stop(struct live_rig *r)
{
	live_free(r->live);
	credential_release(&r->access.cred);
	kube_stop(&r->kube);
}

/* What is read now: "a=1 b=2", or "-": read directly. free() it. */
static inline char *
live_rig_read(struct live_rig *r)
{
	struct live_text *t = live_read(r->live, &r->ask);
	struct strbuf sb = STRBUF_INIT(1 << 20);
	const char *p, *v;
	char *text;

	if (t == NULL)
		return xstrdup("-");
	text = xstrndup(t->data, t->len);
	for (p = text; (p = strstr(p, "\"name\":\"")) != NULL; p++) {
		p += 8;
		v = strstr(p, "\"value\":\"") + 9;
		strbuf_addf(&sb, "%s%.*s=%.*s", sb.len > 0 ? " " : "",
		    (int)strcspn(p, "\""), p, (int)strcspn(v, "\""), v);
	}
	free(text);
	live_text_put(t);
	return strbuf_detach(&sb, NULL);
}

/* Does it become that? */
static inline bool
live_rig_becomes(struct live_rig *r, const char *want, int ms)
{
	int64_t end = rig_ms() + ms;
	char *got;
	bool same;

	for (;;) {
		got = live_rig_read(r);
		same = strcmp(got, want) == 0;
		if (!same && rig_ms() >= end)
			print_message("# '%s', not '%s'\n", got, want);
		free(got);
		if (same || rig_ms() >= end)
			return same;
		usleep(2000);
	}
}

static inline struct live_counts
live_rig_counts(const struct live_rig *r)
{
	struct live_counts c;

	live_count(r->live, &c);
	return c;
}

#endif
