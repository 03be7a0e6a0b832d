/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as RFC 3339 writes them: "2026-01-02T03:04:05.678+01:00". */
#ifndef STAGEDOOR_RFC3339_H
#define STAGEDOOR_RFC3339_H

/*
 * The whole text to wall ms, rounded down; a fraction and an offset are fine.
 * False: it is none, or no such day or hour is. Any thread.
 */
bool rfc3339_parse(const char *text, int64_t *wall_ms);

#endif
