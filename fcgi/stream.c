/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request passed through to a cluster, both ways, on the caller's thread.
 * curl's callbacks call the caller's, which may block: then nothing is read
 * from the cluster, and its TCP window closes.
 */
#include "base.h"

#include "clock.h"
#include "lane.h"
#include "metrics.h"
#include "transfer.h"
#include "transport_private.h"

#define STREAM_HEADERS_MAX 512
#define STREAM_HEAD_MAX (256 * 1024)	/* bytes of an answer's headers */
#define STREAM_POLL 30000	/* ms; curl's own timers may be sooner */
#define STREAM_FD_REST 1000	/* ms in which a false alarm is not heard */

struct stream {
	const struct stream_request *rq;
	const struct stream_io *io;
	struct transfer transfer;
	struct err *err;
	int64_t began;
	int64_t deadline;	/* 0: none */
	int64_t fd_rest;	/* io->fd is not watched before */
	int64_t left;		/* bytes of the body to come; -1: unknown */
	bool paused;		/* read said STREAM_AGAIN */
	bool sent;		/* the whole request */
	bool head;		/* was passed on */
	bool answered;
	bool dirty;		/* something was passed on and not flushed */
	int failed;		/* by a callback: E_* */
	struct strbuf lines;	/* of the answer's headers, NUL between */
	size_t nlines;
};

/* ---- the answer ---- */

/* Split "Name: value" lines in place. */
static size_t
head_split(struct stream *s, struct header *out)
{
	char *p = s->lines.buf, *colon, *next;
	size_t i, n = 0;

	for (i = 0; i < s->nlines; i++, p = next) {
		next = p + strlen(p) + 1;
		colon = strchr(p, ':');
		if (colon == NULL || colon == p)
			continue;
		*colon++ = '\0';
		colon += strspn(colon, " \t");
		out[n].name = p;
		out[n++].value = colon;
	}
	return n;
}

static int
head_pass(struct stream *s, int status)
{
	struct header headers[STREAM_HEADERS_MAX];
	size_t n;

	if (s->lines.overflow || s->nlines >= STREAM_HEADERS_MAX)
		return err_set(s->err, E_TOOLARGE,
		    "the answer's headers are too large");
	n = head_split(s, headers);
	s->head = s->dirty = true;
	if (s->sent)
		s->deadline = 0;
	metrics_answer(s->rq->counts, status,
	    (clock_mono_ms() - s->began) * 1000);
	return s->io->head(s->io->ctx, status, headers, n);
}

static int
head_line(struct stream *s, const char *data, size_t len)
{
	long status = 0;

	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r' ||
	    data[len - 1] == ' ' || data[len - 1] == '\t'))
		len--;
	if (s->head)		/* trailers */
		return 0;
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
		s->answered = true;
		strbuf_reset(&s->lines);
		s->nlines = 0;
		return 0;
	}
	if (len > 0) {
		strbuf_add(&s->lines, data, len);
		strbuf_addch(&s->lines, '\0');
		s->nlines++;
		return 0;
	}
	curl_easy_getinfo(s->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 101)
		return err_set(s->err, E_PROTOCOL,
		    "the cluster changed the protocol unasked");
	return status < 200 ? 0 : head_pass(s, (int)status);
}

static size_t
on_head(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct stream *s = ctx;

	s->failed = head_line(s, data, len);
	return s->failed == 0 ? len : CURL_WRITEFUNC_ERROR;
}

static size_t
on_body(char *data, size_t size UNUSED, size_t len, void *ctx)
{
	struct stream *s = ctx;

	s->dirty = true;
	s->failed = s->io->body(s->io->ctx, data, len);
	return s->failed == 0 ? len : CURL_WRITEFUNC_ERROR;
}

/* ---- the request ---- */

/*
 * The cluster has this long for its next step: to take more of the body, and
 * then to answer. Once it answers and has the body, there is no limit.
 */
static void
deadline_push(struct stream *s)
{
	s->deadline = s->head && s->sent ? 0 :
	    clock_mono_ms() + s->rq->up->timeout_ms;
}

static void
on_send(void *ctx)
{
	struct stream *s = ctx;

	deadline_push(s);
}

static size_t
read_failed(struct stream *s, int code, const char *text)
{
	s->failed = err_set(s->err, code, "%s", text);
	return CURL_READFUNC_ABORT;
}

/* Each time curl asks for more, it has got rid of what it had. */
static size_t
on_read(char *buf, size_t size UNUSED, size_t len, void *ctx)
{
	struct stream *s = ctx;
	ssize_t n = 0;

	if (s->left >= 0)	/* never more than was announced */
		len = (size_t)SD_MIN((int64_t)len, s->left);
	if (len > 0)
		n = s->io->read(s->io->ctx, buf, len);
	if (n == STREAM_AGAIN) {
		s->paused = true;
		s->deadline = 0;	/* the client's time, not ours */
		return CURL_READFUNC_PAUSE;
	}
	if (n < 0)
		return read_failed(s, (int)n, "the body could not be read");
	if (n == 0 && s->left > 0)
		return read_failed(s, E_INPUT, "the body ended early");
	if (s->left > 0)
		s->left -= n;
	s->sent = n == 0 || s->left == 0;
	deadline_push(s);
	return (size_t)n;
}

/* ---- waiting ---- */

static bool
watches_fd(const struct stream *s, int64_t now)
{
	return s->io->fd >= 0 && now >= s->fd_rest &&
	    (s->paused || s->sent);
}

static int
poll_time(const struct stream *s, int64_t now)
{
	int64_t until = now + STREAM_POLL;

	if (s->deadline != 0)
		until = SD_MIN(until, s->deadline);
	if (s->fd_rest > now)
		until = SD_MIN(until, s->fd_rest);
	return until <= now ? 0 : (int)(until - now);
}

/* The client's descriptor is readable: more of the body, or a good-bye. */
static int
fd_event(struct stream *s)
{
	if (s->paused) {
		s->paused = false;
		deadline_push(s);
		curl_easy_pause(s->transfer.easy, CURLPAUSE_CONT);
		return s->failed;
	}
	if (s->io->gone != NULL && s->io->gone(s->io->ctx))
		return err_set(s->err, E_GONE, "the client left");
	s->fd_rest = clock_mono_ms() + STREAM_FD_REST;
	return 0;
}

static void
stream_poll(struct stream *s, struct lane *lane, int64_t now)
{
	struct curl_waitfd fd = { .fd = s->io->fd, .events = CURL_WAIT_POLLIN };
	unsigned n = watches_fd(s, now) ? 1 : 0;

	if (curl_multi_poll(lane->multi, &fd, n, poll_time(s, now), NULL) !=
	    CURLM_OK)
		BUG("curl_multi_poll failed");
	if (n == 1 && fd.revents != 0)
		s->failed = fd_event(s);
}

/* Wait until something happens; what was passed on is flushed before. */
static CURLcode
stream_wait(struct stream *s, struct lane *lane)
{
	int64_t now;

	if (s->dirty && s->io->flush != NULL) {
		s->dirty = false;
		s->failed = s->io->flush(s->io->ctx);
		if (s->failed != 0)
			return CURLE_OK;
	}
	now = clock_mono_ms();
	if (s->deadline != 0 && now >= s->deadline)
		return CURLE_OPERATION_TIMEDOUT;
	stream_poll(s, lane, now);
	return CURLE_OK;
}

/* ---- running ---- */

static CURLcode
lane_outcome(struct lane *lane)
{
	CURLcode rc = CURLE_OK;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(lane->multi, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			rc = msg->data.result;
	return rc;
}

/* How curl ended it; where a callback did, s->failed says so. */
static CURLcode
stream_run(struct stream *s, struct lane *lane)
{
	CURLcode rc = CURLE_OK;
	int running = 1;

	while (rc == CURLE_OK && s->failed == 0) {
		if (curl_multi_perform(lane->multi, &running) != CURLM_OK)
			BUG("curl_multi_perform failed");
		if (running == 0)
			return lane_outcome(lane);
		if (s->failed == 0)
			rc = stream_wait(s, lane);
	}
	return rc;
}

static int
stream_result(struct stream *s, CURLcode rc)
{
	if (s->failed == 0)
		return transfer_result(&s->transfer, rc, s->err);
	if (s->err->code != s->failed)
		err_set(s->err, s->failed, s->failed == E_GONE ?
		    "the client left" : "the stream was ended");
	return s->failed;
}

static int
stream_init(struct stream *s)
{
	const struct stream_request *rq = s->rq;
	struct transfer_spec spec = {
		.up = rq->up,
		.method = rq->method,
		.path = rq->path,
		.headers = rq->headers,
		.nheaders = rq->nheaders,
		.cred = rq->cred,
		.id = rq->id,
		.length = rq->length,
		.ctx = s,
		.on_head = on_head,
		.on_body = on_body,
		.on_read = on_read,
		.on_send = on_send,
	};

	strbuf_init(&s->lines, STREAM_HEAD_MAX);
	s->left = rq->length;
	s->sent = !transfer_has_body(&spec);
	return transfer_init(&s->transfer, &spec, s->err);
}

int
transport_stream(struct transport *t UNUSED, const struct stream_request *rq,
    const struct stream_io *io, struct err *err)
{
	struct err failure = ERR_INIT;
	struct stream s = { .rq = rq, .io = io, .err = &failure };
	struct lane *lane = NULL;
	CURLcode rc;
	int r;

	s.began = clock_mono_ms();
	if ((r = stream_init(&s)) != 0 ||
	    (r = upstream_admit(rq->up, &failure)) != 0)
		goto out;
	lane = lane_get(rq->up, s.transfer.identity);
	if (curl_multi_add_handle(lane->multi, s.transfer.easy) != CURLM_OK)
		BUG("curl_multi_add_handle failed");
	rc = stream_run(&s, lane);
	r = stream_result(&s, rc);
	/* Else it was not the cluster. */
	if (s.answered || s.failed == 0)
		upstream_report(rq->up, &failure, s.answered, s.began);
	curl_multi_remove_handle(lane->multi, s.transfer.easy);
	lane_put(rq->up, lane);
 out:
	if (err != NULL)
		*err = failure;
	/* A 401 that is not passed on is no failure. */
	if (r != 0 && r != E_PENDING)
		metrics_failure(rq->counts, r);
	transfer_release(&s.transfer);
	strbuf_release(&s.lines);
	return r;
}
