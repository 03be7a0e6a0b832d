/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's log: one line a message, to stderr or syslog. The sink
 * escapes control characters and cuts long lines, so no caller can inject a
 * line. Callers never pass a secret; they pass its tag (secret.h). A reader
 * that hangs costs lines, not time (sink.h). Thread-safe.
 */
#ifndef STAGEDOOR_LOG_H
#define STAGEDOOR_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG };

/* Before threads start, and again on reload. */
void log_init(enum log_level level, bool to_syslog);

void log_msg(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
