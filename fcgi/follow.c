/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A followed GET: from the easy handle to whoever follows. Starting and
 * stopping wait for the loop, for curl's callbacks must not do either.
 */
#include "base.h"

#include "clock.h"
#include "follow_private.h"
#include "metrics.h"

#define FOLLOW_TRIES 2		/* after the first, when a kept connection
				   was at its end; the last on a new one */
#define FOLLOW_ERROR_MAX 65536	/* bytes of an answer that is not good */
#define FOLLOW_RETRY_MAX 300	/* s: nobody is told to wait for longer */

/* ---- curl's callbacks ---- */

static bool
is_endless(const struct follow *fo)
{
	return fo->spec.limit == 0;
}

static void
read_retry_after(struct follow *fo, const char *line, size_t len)
{
	static const char name[] = "retry-after:";
	char value[16];
	long s;

	if (len < sizeof(name) || strncasecmp(line, name,
	    sizeof(name) - 1) != 0)
		return;
	len = SD_MIN(len - sizeof(name) + 1, sizeof(value) - 1);
	memcpy(value, line + sizeof(name) - 1, len);
	value[len] = '\0';
	s = strtol(value, NULL, 10);	/* a date is not understood: 0 */
	fo->retry_after = SD_MIN(SD_MAX(s, 0L), (long)FOLLOW_RETRY_MAX) * 1000;
}

/* The headers are whole. */
static int
take_head(struct follow *fo)
{
	static const struct err none = ERR_INIT;
	long status = 0;

	curl_easy_getinfo(fo->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return 0;
	fo->answered = true;
	upstream_report(fo->spec.up, &none, true, fo->began);
	metrics_answer(fo->spec.counts, (int)status,
	    (clock_mono_ms() - fo->began) * 1000);
	if (is_endless(fo) && status == 200) {
		fo->deadline = INT64_MAX;
		fo->open = true;
		fo->peer->open++;
	}
	return fo->spec.ops->head(fo->spec.ctx, (int)status, fo->retry_after);
}

static size_t
on_head(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct follow *fo = ctx;

	fo->peer->heard = clock_mono_ms();
	if (fo->stopped || fo->answered)	/* a trailer */
		return len;
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
		fo->retry_after = 0;
	else if (len <= 2)
		fo->refused = take_head(fo);
	else
		read_retry_after(fo, data, len);
	return fo->refused == 0 ? len : CURL_WRITEFUNC_ERROR;
}

static size_t
on_body(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct follow *fo = ctx;
	size_t limit = fo->open ? SIZE_MAX : SD_MAX(fo->spec.limit,
	    (size_t)FOLLOW_ERROR_MAX);

	fo->peer->heard = clock_mono_ms();
	if (fo->stopped)
		return len;
	if (len > limit - SD_MIN(fo->got, limit))
		fo->refused = E_TOOLARGE;
	else
		fo->refused = fo->spec.ops->body(fo->spec.ctx, data, len);
	fo->got = fo->open ? 0 : fo->got + len;
	return fo->refused == 0 ? len : CURL_WRITEFUNC_ERROR;
}

/* ---- start ---- */

static int
follow_init(struct follow *fo, struct err *err)
{
	struct transfer_spec spec = {
		.up = fo->spec.up,
		.path = fo->path,
		.cred = &fo->cred,
		.bounded = true,
		.fresh = fo->tries == FOLLOW_TRIES,
		.silence = FOLLOW_SILENCE_S,
		.limit = fo->spec.limit,
		.ctx = fo,
		.on_head = on_head,
		.on_body = on_body,
	};
	int r;

	if ((r = upstream_admit(fo->spec.up, err)) != 0)
		return r;
	return transfer_init(&fo->transfer, &spec, err);
}

/* Off the list and gone. */
static void
follow_free(struct follow *fo)
{
	if (fo->prev != NULL)
		fo->prev->next = fo->next;
	else
		fo->follower->follows = fo->next;
	if (fo->next != NULL)
		fo->next->prev = fo->prev;
	upstream_put(fo->spec.up);
	credential_release(&fo->cred);
	free(fo->path);
	free(fo);
}

static void
follow_tell(struct follow *fo, const struct err *err)
{
	const struct follow_ops *ops = fo->stopped ? NULL : fo->spec.ops;
	void *ctx = fo->spec.ctx;

	if (ops != NULL && err->code != 0)
		metrics_failure(fo->spec.counts, err->code);
	follow_free(fo);
	if (ops != NULL)
		ops->end(ctx, err);
}

/* Connecting has curl's deadline besides. */
static void
follow_run(struct follow *fo)
{
	struct err err = ERR_INIT;

	if (fo->stopped || follow_init(fo, &err) != 0) {
		follow_tell(fo, &err);
		return;
	}
	if (fo->tries == 0) {
		fo->began = clock_mono_ms();
		fo->deadline = SD_MIN(fo->deadline, fo->began +
		    fo->spec.up->connect_ms + fo->spec.up->timeout_ms);
	}
	fo->peer = peer_get(fo->follower, fo->spec.up, fo->transfer.identity);
	peer_enter(fo->peer);
	if (curl_multi_add_handle(fo->peer->multi.curl, fo->transfer.easy) !=
	    CURLM_OK)
		BUG("curl_multi_add_handle failed");
}

bool
follow_start_new(struct follower *f)
{
	struct follow *fo;
	bool any = false;

	for (;;) {
		for (fo = f->follows; fo != NULL && fo->peer != NULL;
		    fo = fo->next)
			;
		if (fo == NULL)
			return any;
		any = true;
		follow_run(fo);
	}
}

struct follow *
follow_start(struct follower *f, const struct follow_spec *spec)
{
	struct follow *fo = xcalloc(1, sizeof(*fo));

	fo->follower = f;
	fo->spec = *spec;
	fo->path = xstrdup(spec->path);
	upstream_ref(spec->up);
	credential_copy(&fo->cred, spec->cred);
	fo->spec.path = fo->path;
	fo->spec.cred = &fo->cred;
	fo->deadline = INT64_MAX;
	fo->next = f->follows;
	if (fo->next != NULL)
		fo->next->prev = fo;
	f->follows = fo;
	follower_wake(f);
	return fo;
}

void
follow_stop(struct follow *fo)
{
	if (fo == NULL)
		return;
	fo->stopped = true;
	follower_wake(fo->follower);
}

/* ---- end ---- */

/* Off its multi handle. */
static void
follow_leave(struct follow *fo)
{
	struct follow_peer *p = fo->peer;

	if (p == NULL)
		return;
	curl_multi_remove_handle(p->multi.curl, fo->transfer.easy);
	transfer_release(&fo->transfer);
	fo->peer = NULL;
	if (fo->open)
		p->open--;
	fo->open = false;
	peer_leave(p);
}

void
follow_drop(struct follow *fo)
{
	follow_leave(fo);
	follow_free(fo);
}

static void
follow_result(struct follow *fo, CURLcode rc, struct err *err)
{
	if (fo->refused == E_TOOLARGE || rc == CURLE_FILESIZE_EXCEEDED)
		err_set(err, E_TOOLARGE, "the answer is too large");
	else if (fo->refused != 0)
		err_set(err, fo->refused, "it is of no use");
	else
		transfer_result(&fo->transfer, rc, err);
}

void
follow_over(struct follow *fo, CURLcode rc)
{
	struct err err = ERR_INIT;

	if (!fo->answered && !fo->stopped && fo->tries < FOLLOW_TRIES &&
	    transfer_met_closing(&fo->transfer, rc)) {
		follow_leave(fo);	/* and is started anew */
		fo->tries++;
		return;
	}
	follow_result(fo, rc, &err);
	if (!fo->answered)
		upstream_report(fo->spec.up, &err, false, fo->began);
	follow_leave(fo);
	follow_tell(fo, &err);
}

/* True: it is over. */
static bool
sweep_one(struct follow *fo, int64_t now)
{
	struct err err = ERR_INIT;

	if (fo->stopped) {
		follow_drop(fo);
	} else if (fo->peer != NULL && fo->peer->lost) {
		err = fo->peer->err;
		follow_leave(fo);
		follow_tell(fo, &err);
	} else if (fo->peer != NULL && fo->deadline <= now) {
		follow_over(fo, CURLE_OPERATION_TIMEDOUT);
	} else {
		return false;
	}
	return true;
}

/* An end may start and stop others: from the beginning then. */
void
follow_sweep(struct follower *f, int64_t now)
{
	struct follow *fo = f->follows;

	while (fo != NULL)
		fo = sweep_one(fo, now) ? f->follows : fo->next;
}

int64_t
follow_next_deadline(const struct follower *f)
{
	const struct follow *fo;
	int64_t next = INT64_MAX;

	for (fo = f->follows; fo != NULL; fo = fo->next)
		next = SD_MIN(next, fo->deadline);
	return next;
}
