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

/* ---- streams ---- */

static int
on_head(void *ctx, int status, const struct header *headers, size_t n)
{
	struct client *c = ctx;
	size_t i;

	c->heads++;
	c->status = status;
	for (i = 0; i < n; i++)
		strbuf_addf(&c->head, "%s: %s\n", headers[i].name,
		    headers[i].value);
	return c->head_error;
}

static int
on_body(void *ctx, const char *data, size_t len)
{
	struct client *c = ctx;

	c->bodies++;
	strbuf_add(&c->body, data, len);
	if (c->on_body != NULL)
		c->on_body(c);
	return c->body_error;
}

static int
on_flush(void *ctx)
{
	struct client *c = ctx;

	c->flushes++;
	if (c->on_flush != NULL)
		c->on_flush(c);
	return 0;
}

static ssize_t
on_read(void *ctx, char *buf, size_t len)
{
	struct client *c = ctx;
	size_t n = SD_MIN(len, c->nsend - c->sent);

	c->reads++;
	if (c->again && c->agains < c->reads / 2 + 1) {
		c->agains++;	/* every other time */
		return STREAM_AGAIN;
	}
	if (c->piece != 0)
		n = SD_MIN(n, c->piece);
	memcpy(buf, c->send + c->sent, n);
	c->sent += n;
	return (ssize_t)n;
}

static bool
on_gone(void *ctx)
{
	struct client *c = ctx;

	c->asked++;
	return c->gone;
}

void
client_init(struct client *c, struct rig *r, const char *method,
    const char *path)
{
	memset(c, 0, sizeof(*c));
	c->rq.up = r->up;
	c->rq.method = method;
	c->rq.path = path;
	c->rq.cred = &r->cred;
	c->io = (struct stream_io){ .ctx = c, .head = on_head,
		.body = on_body, .flush = on_flush, .read = on_read,
		.gone = on_gone, .fd = -1 };
	c->pipe[0] = c->pipe[1] = -1;
	c->send = "";
	strbuf_init(&c->head, 1 << 20);
	strbuf_init(&c->body, RIG_BODY_MAX);
}

void
client_sends(struct client *c, const char *data, size_t n, int64_t length)
{
	c->send = data;
	c->nsend = n;
	c->rq.length = length;
}

void
client_watched(struct client *c)
{
	if (pipe(c->pipe) != 0)
		BUG("pipe: %s", strerror(errno));
	c->io.fd = c->pipe[0];
}

int
client_run(struct client *c, struct rig *r)
{
	return transport_stream(r->transport, &c->rq, &c->io, &c->err);
}

void
client_release(struct client *c)
{
	if (c->pipe[0] >= 0)
		close(c->pipe[0]);
	if (c->pipe[1] >= 0)
		close(c->pipe[1]);
	strbuf_release(&c->head);
	strbuf_release(&c->body);
}
