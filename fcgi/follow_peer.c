/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peers of a following thread: their multi handles, and whether they are
 * still there. A beat is a GET with the identity of what is followed, so over
 * HTTP/2 it goes on the very connection that is in doubt.
 */
#include "base.h"

#include "clock.h"
#include "follow_private.h"

#define PEER_IDLE_MS 50000	/* without use: close its connections */
#define PEER_ANSWER_MAX 65536

#define PEER_CONNECTIONS 160L	/* HTTP/1.1 takes one for each GET */

/* ---- the list ---- */

static struct follow_peer *
peer_new(struct follower *f, struct upstream *up,
    const unsigned char identity[TRANSFER_IDENTITY])
{
	struct follow_peer *p = xcalloc(1, sizeof(*p));

	p->follower = f;
	p->up = up;
	upstream_ref(up);
	memcpy(p->identity, identity, TRANSFER_IDENTITY);
	multi_init(&p->multi, f->epoll, ++f->next_peer, PEER_CONNECTIONS);
	p->heard = p->idle_since = clock_mono_ms();
	p->next = f->peers;
	f->peers = p;
	return p;
}

struct follow_peer *
peer_get(struct follower *f, struct upstream *up,
    const unsigned char identity[TRANSFER_IDENTITY])
{
	struct follow_peer *p;

	for (p = f->peers; p != NULL; p = p->next)
		if (p->up == up && !p->lost && memcmp(p->identity, identity,
		    TRANSFER_IDENTITY) == 0)
			return p;
	return peer_new(f, up, identity);
}

void
peer_enter(struct follow_peer *p)
{
	p->active++;
}

void
peer_leave(struct follow_peer *p)
{
	if (--p->active == 0)
		p->idle_since = clock_mono_ms();
}

static void
peer_free(struct follow_peer **at)
{
	struct follow_peer *p = *at;

	*at = p->next;
	multi_release(&p->multi);
	upstream_put(p->up);
	free(p);
}

void
peer_free_all(struct follower *f)
{
	while (f->peers != NULL)
		peer_free(&f->peers);
}

/* ---- its connections ---- */

void
peer_event(struct follower *f, uint64_t key, unsigned events)
{
	struct follow_peer *p = f->peers;

	while (p != NULL && p->multi.number != multi_number(key))
		p = p->next;
	if (p != NULL)
		multi_event(&p->multi, key, events);
}

void
peer_run(struct follower *f, int64_t now)
{
	struct follow_peer *p;
	struct follow *fo;
	CURLcode rc;

	for (p = f->peers; p != NULL; p = p->next) {
		multi_run_timer(&p->multi, now);
		while ((fo = multi_next_done(&p->multi, &rc)) != NULL)
			follow_over(fo, rc);
	}
}

/* ---- is it there? ---- */

static int
beat_head(void *ctx UNUSED, int status UNUSED, int64_t retry_after UNUSED)
{
	return 0;
}

static int
beat_body(void *ctx UNUSED, const char *data UNUSED, size_t len UNUSED)
{
	return 0;
}

/* Whatever was heard meanwhile, by the beat or others, will do. */
static void
beat_end(void *ctx, const struct err *err)
{
	struct follow_peer *p = ctx;

	p->beat = NULL;
	if (err->code == 0 || p->heard >= p->beat_began)
		return;
	p->lost = true;
	p->err = *err;
}

static const struct credential *
peer_credential(const struct follow_peer *p)
{
	const struct follow *fo = p->follower->follows;

	while (fo->peer != p || !fo->open)
		fo = fo->next;
	return &fo->cred;
}

static void
peer_ask(struct follow_peer *p, int64_t now)
{
	static const struct follow_ops ops = {
		.head = beat_head, .body = beat_body, .end = beat_end };
	const struct follow_spec spec = {
		.up = p->up,
		.path = "/version",
		.cred = peer_credential(p),
		.limit = PEER_ANSWER_MAX,
		.ops = &ops,
		.ctx = p,
	};

	p->beat_began = now;
	p->beat = follow_start(p->follower, &spec);
	p->beat->deadline = now + p->follower->opt.beat;
}

static bool
peer_is_over(const struct follow_peer *p, int64_t now)
{
	return p->active == 0 && p->beat == NULL &&
	    (p->lost || p->idle_since + PEER_IDLE_MS <= now);
}

void
peer_look(struct follower *f, int64_t now)
{
	struct follow_peer **at = &f->peers, *p;

	while ((p = *at) != NULL) {
		if (peer_is_over(p, now)) {
			peer_free(at);
			continue;
		}
		if (p->open > 0 && p->beat == NULL && !p->lost &&
		    p->heard + f->opt.quiet <= now)
			peer_ask(p, now);
		at = &p->next;
	}
}

int64_t
peer_next_time(const struct follower *f)
{
	const struct follow_peer *p;
	int64_t next = INT64_MAX;

	for (p = f->peers; p != NULL; p = p->next) {
		if (p->multi.at >= 0)
			next = SD_MIN(next, p->multi.at);
		if (p->open > 0 && p->beat == NULL)
			next = SD_MIN(next, p->heard + f->opt.quiet);
		if (p->active == 0)
			next = SD_MIN(next, p->idle_since + PEER_IDLE_MS);
	}
	return next;
}
