/* SPDX-License-Identifier: Apache-2.0 */
/* One line a message, escaped at the sink. */
#include "base.h"

#include <syslog.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"
#include "sink.h"
#include "strbuf.h"

#define LOG_LINE_MAX 4096	/* longer messages are cut */

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int level_syslog[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
static enum log_level max_level = LOG_LEVEL_INFO;
static bool use_syslog;

void
log_init(enum log_level level, bool to_syslog)
{
	sink_look_at_stderr();
	__atomic_store_n(&max_level, level, __ATOMIC_RELAXED);
	if (to_syslog && !use_syslog)
		openlog("stagedoor", LOG_PID, LOG_DAEMON);
	__atomic_store_n(&use_syslog, to_syslog, __ATOMIC_RELAXED);
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static void
add_escaped(struct strbuf *sb, const char *s)
{
	const char *end;

	for (; *s != '\0'; s = end) {
		for (end = s; *end != '\0' && !is_control(*end); end++)
			continue;
		strbuf_add(sb, s, (size_t)(end - s));
		if (*end != '\0')
			strbuf_addf(sb, "\\x%02x", (unsigned char)*end++);
	}
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(4 * LOG_LINE_MAX + 64);
	char stamp[CLOCK_STAMP_LEN], text[LOG_LINE_MAX];
	va_list ap;

	if (level > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (__atomic_load_n(&use_syslog, __ATOMIC_RELAXED)) {
		add_escaped(&line, text);
		syslog(level_syslog[level], "%s", line.buf);
	} else {
		strbuf_addf(&line, "%s %s ", clock_stamp(clock_wall_ms(),
		    stamp), level_names[level]);
		add_escaped(&line, text);
		strbuf_addch(&line, '\n');
		/* If that fails there is nowhere to complain. */
		if (sink_stderr(line.buf, line.len) != 0)
			metric_add(METRIC_LOG_LOST, 1);
	}
	strbuf_release(&line);
}
