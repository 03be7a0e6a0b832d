/* SPDX-License-Identifier: Apache-2.0 */
/* Set up and taken down by each of the transport's tests. */
#include "base.h"

#include "clock.h"
#include "log.h"
#include "rig.h"

#define RIG_ALARM 60

int64_t
rig_ms(void)
{
	return clock_mono_ms();
}

void
rig_bearer(struct credential *cred, const char *token)
{
	struct secret s = SECRET_INIT;

	*cred = (struct credential)CREDENTIAL_INIT;
	secret_set(&s, token, strlen(token));
	credential_take_bearer(cred, &s);
}

struct upstream *
rig_upstream(struct rig *r, const char *url, unsigned breaker_failures)
{
	const struct upstream_options opt = {
		.url = url,
		.connect_timeout = 0.5,
		.timeout = RIG_TIMEOUT,
		.breaker_failures = breaker_failures,
		.breaker_probe = 0.2,
	};
	struct upstream *up = NULL;
	struct err err = ERR_INIT;

	if (upstream_get(r->transport, &opt, &up, &err) != 0)
		BUG("upstream_get: %s", err.text);
	return up;
}

void
rig_start(struct rig *r, server_handler *handler)
{
	const struct transport_options opt = { .threads = 2 };

	alarm(RIG_ALARM);	/* a test that hangs has failed */
	memset(r, 0, sizeof(*r));
	log_init(LOG_LEVEL_ERROR, false);	/* the breaker warns */
	r->transport = transport_new(&opt);
	server_start(&r->server, handler);
	r->up = rig_upstream(r, r->server.url, 0);
	rig_bearer(&r->cred, "alice");
}

void
rig_stop(struct rig *r)
{
	upstream_put(r->up);
	credential_release(&r->cred);
	transport_free(r->transport);
	server_stop(&r->server);
}

int
rig_fetch(struct rig *r, struct upstream *up, const char *path,
    struct fetch *f)
{
	memset(f, 0, sizeof(*f));
	f->up = up;
	f->path = path;
	f->cred = &r->cred;
	f->limit = 1 << 20;
	return transport_fetch(r->transport, f, -1);
}
