/* SPDX-License-Identifier: Apache-2.0 */
/* From an event to a line of JSON, and to where the settings want it. */
#include "base.h"

#include <pthread.h>

#include "audit.h"
#include "clock.h"
#include "jsonx.h"
#include "log.h"
#include "metrics.h"
#include "sink.h"
#include "strbuf.h"

#define COMPLAIN_MS 60000	/* between complaints about lost lines */
#define LINE_USUAL 700			/* bytes */
#define CUT "..."		/* ends what was too long */

static struct {
	pthread_mutex_t lock;	/* of sink and to; short */
	struct sink *sink;	/* NULL: off */
	char *to;
	unsigned long lost;	/* events since the last that got through */
	int64_t complain_at;	/* mono ms */
} log_to = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the line ---- */

/*
 * The order of a line, and how many bytes a value may have when escaped:
 * together with the rest less than SINK_LINE_MAX.
 */
#define TEXT(key, max) { #key, offsetof(struct audit_event, key), max }
static const struct field {
	const char *key;
	size_t offset, max;
} texts[] = {
	TEXT(event, 32), TEXT(id, 64), TEXT(user, 384), TEXT(kind, 16),
	TEXT(by, 64), TEXT(cluster, 256), TEXT(method, 32), TEXT(path, 1024),
	TEXT(credential, 32), TEXT(source, 16), TEXT(provider, 64),
	TEXT(name, 128), TEXT(as, 384), TEXT(account, 256), TEXT(issuer, 384),
	TEXT(session, 16), TEXT(from, 64),
	TEXT(result, 384),
};

/*
 * What JSON lets stand and a terminal or an editor obeys: DEL, C1 controls,
 * separators of lines, and marks that turn the direction of text.
 */
static unsigned
obeyed(const char *s)
{
	unsigned char a = (unsigned char)s[0], b, c;

	if (a == 0x7f)
		return a;
	if (a != 0xc2 && a != 0xe2)
		return 0;
	b = (unsigned char)s[1];
	if (a == 0xc2)
		return b < 0xa0 ? b : 0;
	c = (unsigned char)s[2];
	if (b == 0x80 && c >= 0xa8 && c <= 0xae)
		return 0x2000u + c - 0x80;
	return b == 0x81 && c >= 0xa6 && c <= 0xa9 ? 0x2040u + c - 0x80 : 0;
}

/* How many bytes the next character of an escaped string has. */
static size_t
unit_len(const char *s)
{
	unsigned char a = (unsigned char)*s;

	if (a == '\\')
		return s[1] == 'u' ? 6 : 2;
	return a < 0xc0 ? 1 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
}

/* escaped: JSON without its quotes, len bytes. */
static void
add_bounded(struct strbuf *line, const char *escaped, size_t len, size_t max)
{
	struct strbuf value = STRBUF_INIT(max + 8);
	size_t i, n, fits = 0;
	unsigned ch;

	for (i = 0; i < len && value.len <= max; i += n) {
		n = unit_len(escaped + i);
		if ((ch = obeyed(escaped + i)) != 0)
			strbuf_addf(&value, "\\u%04x", ch);
		else
			strbuf_add(&value, escaped + i, n);
		if (value.len <= max - strlen(CUT))
			fits = value.len;
	}
	if (i < len || value.len > max) {
		strbuf_add(line, value.buf, fits);
		strbuf_addstr(line, CUT);
	} else {
		strbuf_add(line, value.buf, value.len);
	}
	strbuf_release(&value);
}

/* Most texts: they stand in JSON as they are. */
static bool
is_plain(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 ||
		    (unsigned char)text[i] >= 0x7f || text[i] == '"' ||
		    text[i] == '\\')
			return false;
	return true;
}

static void
add_text(struct strbuf *line, const char *key, const char *text, size_t max)
{
	struct strbuf escaped = STRBUF_INIT(STRBUF_UNLIMITED);
	size_t len = strnlen(text, max + 8);	/* more would be cut anyway */

	strbuf_add(line, ",\"", 2);
	strbuf_addstr(line, key);
	strbuf_add(line, "\":\"", 3);
	if (len <= max && is_plain(text, len)) {
		strbuf_add(line, text, len);
	} else {
		jsonx_add_string(&escaped, text, len);
		add_bounded(line, escaped.buf + 1, escaped.len - 2, max);
		strbuf_release(&escaped);
	}
	strbuf_addch(line, '"');
}

static void
add_path(struct strbuf *line, const char *path, size_t max)
{
	size_t len = SD_MIN(strcspn(path, "?"), max + 8);
	char *plain = path[len] == '\0' ? NULL : xstrndup(path, len);

	add_text(line, "path", plain != NULL ? plain : path, max);
	free(plain);
}

static void
print_event(struct strbuf *line, const struct audit_event *e)
{
	char stamp[CLOCK_STAMP_LEN];
	const char *text;
	size_t i;

	strbuf_addstr(line, "{\"time\":\"");
	strbuf_addstr(line, clock_stamp(clock_wall_ms(), stamp));
	strbuf_addch(line, '"');
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		memcpy(&text, (const char *)e + texts[i].offset, sizeof(text));
		if (text == NULL)
			continue;
		if (texts[i].offset == offsetof(struct audit_event, path))
			add_path(line, text, texts[i].max);
		else
			add_text(line, texts[i].key, text, texts[i].max);
	}
	if (e->status != 0)
		strbuf_addf(line, ",\"status\":%d", e->status);
	if (e->ms != 0 || e->path != NULL)
		strbuf_addf(line, ",\"ms\":%lld", (long long)e->ms);
	strbuf_addstr(line, "}\n");
}

/* ---- where it goes ---- */

/* Give the old sink back. to NULL: the same again. */
static void
use(struct sink *sink, const char *to)
{
	struct sink *old;

	pthread_mutex_lock(&log_to.lock);
	old = log_to.sink;
	log_to.sink = sink;
	if (to != NULL) {
		free(log_to.to);
		log_to.to = xstrdup(to);
	}
	pthread_mutex_unlock(&log_to.lock);
	sink_put(old);
}

/* A reference, or NULL: off. */
static struct sink *
take(void)
{
	struct sink *s;

	pthread_mutex_lock(&log_to.lock);
	s = log_to.sink == NULL ? NULL : sink_ref(log_to.sink);
	pthread_mutex_unlock(&log_to.lock);
	return s;
}

int
audit_init(const char *to, struct err *err)
{
	struct sink *s = NULL;
	int r;

	if (strcmp(to, "off") != 0 && (r = sink_open(to, &s, err)) != 0)
		return r;
	use(s, to);
	return 0;
}

int
audit_check(const char *to, struct err *err)
{
	return strcmp(to, "off") == 0 ? 0 : sink_check(to, err);
}

void
audit_reopen(void)
{
	struct sink *s = NULL;
	struct err err = ERR_INIT;
	char *to;

	pthread_mutex_lock(&log_to.lock);
	to = log_to.sink == NULL ? NULL : xstrdup(log_to.to);
	pthread_mutex_unlock(&log_to.lock);
	if (to == NULL)
		return;
	if (sink_open(to, &s, &err) == 0)
		use(s, NULL);
	else
		log_error("the audit log stays where it was: %s", err.text);
	free(to);
}

void
audit_end(void)
{
	use(NULL, "off");
}

/* ---- lines that did not get through ---- */

static void
complain(unsigned long lost, int why)
{
	int64_t now = clock_mono_ms();
	int64_t at = __atomic_load_n(&log_to.complain_at, __ATOMIC_RELAXED);

	if (now >= at && __atomic_compare_exchange_n(&log_to.complain_at, &at,
	    now + COMPLAIN_MS, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		log_error("the audit log cannot be written: %s; %lu event%s "
		    "lost so far", strerror(why), lost, lost == 1 ? " is" :
		    "s are");
}

static int
write_event(struct sink *s, const struct audit_event *e)
{
	struct strbuf line = STRBUF_INIT(SINK_LINE_MAX);
	int r;

	strbuf_room(&line, LINE_USUAL);
	print_event(&line, e);
	r = sink_write(s, line.buf, line.len);
	strbuf_release(&line);
	return r;
}

static void
tell_lost(struct sink *s)
{
	unsigned long n = __atomic_exchange_n(&log_to.lost, 0,
	    __ATOMIC_RELAXED);
	char result[80];
	const struct audit_event e = { .event = "lost", .result = result };

	if (n == 0)
		return;
	snprintf(result, sizeof(result), "%lu events before this one could "
	    "not be written", n);
	if (write_event(s, &e) != 0)
		__atomic_add_fetch(&log_to.lost, n, __ATOMIC_RELAXED);
}

void
audit(const struct audit_event *e)
{
	struct sink *s;
	int r;

	if (e->event != NULL && strcmp(e->event, "request") != 0)
		metrics_event(e->event, e->provider);
	if ((s = take()) == NULL)
		return;
	if (sink_moved(s)) {
		sink_put(s);
		audit_reopen();
		if ((s = take()) == NULL)
			return;
	}
	if ((r = write_event(s, e)) != 0) {
		metric_add(METRIC_AUDIT_LOST, 1);
		complain(__atomic_add_fetch(&log_to.lost, 1,
		    __ATOMIC_RELAXED), r);
	} else if (__atomic_load_n(&log_to.lost, __ATOMIC_RELAXED) != 0) {
		tell_lost(s);
	}
	sink_put(s);
}
