/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lines go, each by one write: standard error, a file, the system's
 * log. Whoever reads them at the other end of a pipe or socket may stop, and
 * must not stop us: a line waits for SINK_WAIT_MS at most, and after one that
 * did not get through, none waits for SINK_STUCK_MS. A file is its disk's
 * business. Any thread.
 */
#ifndef STAGEDOOR_SINK_H
#define STAGEDOOR_SINK_H

struct err;
struct sink;

#define SINK_LINE_MAX 4096	/* bytes that are never torn: PIPE_BUF */
#define SINK_WAIT_MS 200
#define SINK_STUCK_MS 1000

/*
 * "stderr", "syslog" (facility authpriv, level info, as "stagedoor") or
 * "file:PATH": appended to, made for its owner only if it is not there. 0
 * with *out a reference for sink_put; E_CONFIG with why not.
 */
int sink_open(const char *to, struct sink **out, struct err *err);
/* The same, but the system's log listens on that socket: for tests. */
int sink_open_syslog(const char *path, struct sink **out, struct err *err);
/* Would it open? Changes nothing. 0 or E_CONFIG. */
int sink_check(const char *to, struct err *err);
struct sink *sink_ref(struct sink *s);
void sink_put(struct sink *s);		/* NULL is fine */
/*
 * line ends with a newline. 0, or an errno: then nothing of it is there, or,
 * of a file whose disk is full, its beginning.
 */
int sink_write(struct sink *s, const char *line, size_t len);
/* Is it a file whose path leads elsewhere by now? Looks once a second. */
bool sink_moved(struct sink *s);

/* What standard error is, a file or a pipe, decides how it is written to. */
void sink_look_at_stderr(void);
/* To standard error, of any length: what is longer than SINK_LINE_MAX may be
   torn. 0 or an errno. */
int sink_stderr(const char *line, size_t len);

#endif
