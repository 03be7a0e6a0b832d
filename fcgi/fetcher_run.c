/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fetch under way: from the easy handle to the caller's struct. Deadlines
 * are ours, for curl's would count from the start of a transfer and these
 * count from the end of the request.
 */
#include "base.h"

#include "clock.h"
#include "fetcher_private.h"
#include "metrics.h"

#define RUN_PRESIZE (1 << 20)	/* trust a Content-Length so far */
#define RUN_TRIES 2		/* after the first; the last on a connection
				   that is new */
/* Deadlines are looked at together: those of one query pass as one, and the
   room they leave is not given to another before the breaker has counted. */
#define RUN_GRAIN 10

/* ---- the fetch ---- */

/* An answer that was too long, or broke off, is both. */
static void
count(const struct fetch *f)
{
	if (f->status != 0)
		metrics_answer(f->counts, f->status,
		    (clock_mono_ms() - f->began) * 1000);
	if (f->err.code != 0)
		metrics_failure(f->counts, f->err.code);
}

void
fetch_over(struct fetch *f)
{
	count(f);
	if (f->done != NULL)
		f->done(f);
	else
		batch_fetched(f);
}

void
fetch_fail(struct fetch *f, int code, const char *text)
{
	err_set(&f->err, code, "%s", text);
	fetch_over(f);
}

void
fetch_set_deadline(struct fetcher *f, struct fetch *fetch, int64_t deadline)
{
	fetch->deadline = deadline;
	f->scan_at = SD_MIN(f->scan_at, deadline + RUN_GRAIN);
}

/* A number and not an address: that might be another batch's by now. */
bool
fetch_is_of(const struct fetch *f, uint64_t batch)
{
	if (batch == FETCH_DROPPED)
		return __atomic_load_n(&f->dropped, __ATOMIC_RELAXED);
	return batch == FETCH_ANY ||
	    (f->group != NULL && batch_id(f->group->batch) == batch);
}

/* ---- curl's callbacks ---- */

static void
on_send(void *ctx)
{
	struct running *run = ctx;

	/* Sent a second time it gets no more time. */
	if (run->transfer.sends == 1 && run->fetch->tries == 0)
		fetch_set_deadline(run->fetcher, run->fetch,
		    clock_mono_ms() + run->fetch->up->timeout_ms);
}

static size_t
on_head(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct running *run = ctx;

	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
		run->headers = true;
	if (run->fetch->head != NULL)
		strbuf_add(run->fetch->head, data, len);
	return len;
}

static size_t
on_read(char *buf, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ((struct running *)ctx)->fetch;
	size_t len = SD_MIN(size * n, f->upload_len - f->uploaded);

	if (len > 0)
		memcpy(buf, f->upload + f->uploaded, len);
	f->uploaded += len;
	return len;
}

/* One allocation of the right size instead of growing to it. */
static void
presize(struct running *run)
{
	struct strbuf *body = &run->fetch->body;
	curl_off_t len = -1;

	curl_easy_getinfo(run->transfer.easy,
	    CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
	if (len > 0 && (size_t)len <= SD_MIN(body->max, (size_t)RUN_PRESIZE))
		strbuf_room(body, (size_t)len);
}

static size_t
on_body(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct running *run = ctx;

	if (run->fetch->body.cap == 0)
		presize(run);
	return strbuf_add(&run->fetch->body, data, len) == 0 ? len :
	    CURL_WRITEFUNC_ERROR;
}

/* ---- start and end ---- */

static int
run_init(struct running *run, struct fetch *fetch)
{
	struct transfer_spec spec = {
		.up = fetch->up,
		.method = fetch->method,
		.path = fetch->path,
		.lines = fetch->headers,
		.cred = fetch->cred,
		.id = fetch->id,
		.length = (int64_t)fetch->upload_len,
		.bounded = true,
		/* What cannot go out twice needs one that is open. */
		.fresh = fetch->method != NULL || fetch->tries == RUN_TRIES,
		.limit = fetch->limit,
		.ctx = run,
		.on_head = on_head,
		.on_body = on_body,
		.on_read = on_read,
		.on_send = on_send,
	};

	return transfer_init(&run->transfer, &spec, &fetch->err);
}

void
run_start(struct fetcher *f, struct fetch *fetch)
{
	struct running *run = xcalloc(1, sizeof(*run));
	int64_t now = clock_mono_ms();

	if (run_init(run, fetch) != 0) {
		free(run);
		fetch_over(fetch);
		return;
	}
	run->fetch = fetch;
	run->fetcher = f;
	run->pool = pool_get(f, run->transfer.identity);
	run->pool->active++;
	run->next = f->running;
	if (run->next != NULL)
		run->next->prev = run;
	f->running = run;
	if (fetch->up->active++ == 0)
		f->asked++;
	/* Until it is sent; connecting has curl's deadline besides. */
	if (fetch->tries == 0) {
		fetch->began = now;
		fetch_set_deadline(f, fetch, now + fetch->up->connect_ms +
		    fetch->up->timeout_ms);
	}
	if (curl_multi_add_handle(run->pool->multi.curl, run->transfer.easy) !=
	    CURLM_OK)
		BUG("curl_multi_add_handle failed");
}

/* Take it off the multi and free it; the fetch is not told. */
static struct fetch *
run_remove(struct running *run)
{
	struct fetcher_pool *pool = run->pool;
	struct fetch *fetch = run->fetch;

	curl_multi_remove_handle(pool->multi.curl, run->transfer.easy);
	transfer_release(&run->transfer);
	if (run->prev != NULL)
		run->prev->next = run->next;
	else
		run->fetcher->running = run->next;
	if (run->next != NULL)
		run->next->prev = run->prev;
	if (--pool->active == 0)
		pool->idle_since = clock_mono_ms();
	if (--fetch->up->active == 0)
		run->fetcher->asked--;
	free(run);
	return fetch;
}

static void
run_note_answer(struct running *run)
{
	long status = 0, version = 0;

	curl_easy_getinfo(run->transfer.easy, CURLINFO_RESPONSE_CODE,
	    &status);
	curl_easy_getinfo(run->transfer.easy, CURLINFO_HTTP_VERSION,
	    &version);
	run->fetch->status = (int)status;
	run->fetch->up->multiplexed = version == CURL_HTTP_VERSION_2_0;
}

/* Once more from the start, within the same deadline. */
static void
run_again(struct running *run)
{
	struct fetcher *f = run->fetcher;
	struct fetch *fetch = run_remove(run);

	fetch->tries++;
	run_start(f, fetch);
}

void
run_end(struct running *run, CURLcode rc)
{
	struct fetch *fetch = run->fetch;

	if (!run->headers && fetch->tries < RUN_TRIES &&
	    fetch->method == NULL &&
	    transfer_met_closing(&run->transfer, rc)) {
		run_again(run);
		return;
	}
	if (run->headers)
		run_note_answer(run);
	if (fetch->body.overflow || rc == CURLE_FILESIZE_EXCEEDED)
		err_set(&fetch->err, E_TOOLARGE,
		    "the answer is larger than %zu bytes", fetch->limit);
	else
		transfer_result(&run->transfer, rc, &fetch->err);
	upstream_report(fetch->up, &fetch->err, run->headers, fetch->began);
	fetch_over(run_remove(run));
}

/* ---- before its end ---- */

int64_t
run_expire(struct fetcher *f, int64_t now)
{
	struct running *run, *following;
	int64_t next = INT64_MAX;

	for (run = f->running; run != NULL; run = following) {
		following = run->next;
		if (run->fetch->deadline <= now)
			run_end(run, CURLE_OPERATION_TIMEDOUT);
		else
			next = SD_MIN(next, run->fetch->deadline + RUN_GRAIN);
	}
	return next;
}

void
run_cancel(struct fetcher *f, uint64_t batch)
{
	struct running *run, *following;

	for (run = f->running; run != NULL; run = following) {
		following = run->next;
		if (fetch_is_of(run->fetch, batch))
			fetch_fail(run_remove(run), E_GONE, "cancelled");
	}
}
