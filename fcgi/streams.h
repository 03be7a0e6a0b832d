/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many workers hold a long answer (watch, log that follows) right now, in
 * this process. Thread-safe.
 */
#ifndef STAGEDOOR_STREAMS_H
#define STAGEDOOR_STREAMS_H

/* Take one of at most max places; false if none is free. */
bool streams_enter(unsigned max);
void streams_leave(void);

#endif
