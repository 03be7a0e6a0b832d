/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One read for many: of the lists that several ask for at the same moment,
 * from the same upstream with the same credential, each is fetched once, and
 * all have the answer, without a copy. A credential is all of it that goes
 * out: a user's own token and an impersonated user are each one of their own.
 *
 * What is promised of an answer:
 * - With fresh 0 it was under way when it was asked for: who asks joins a read
 *   that began at most READS_JOIN_MS ago (and less where the upstream has
 *   little time to answer). With fresh > 0 it may be one that began at most
 *   so many seconds ago.
 * - It does not come from a read that began before a write of this process
 *   (upstream_wrote) was over: who writes through /proxy and asks then sees
 *   what was written. Writes that go elsewhere are not known here.
 * - A failure is shared by those who wait when it happens, and not kept.
 *
 * Who leaves costs the others nothing. When nobody waits any more, the read
 * is cancelled. Nobody waits longer than for a read of his own: what he joins
 * began earlier and has the same time. Thread-safe.
 */
#ifndef STAGEDOOR_READS_H
#define STAGEDOOR_READS_H

#include <stdint.h>

struct batch;
struct err;
struct fetch_group;
struct object_list;
struct reading;
struct reads;
struct splice;

#define READS_JOIN_MS 1000
/* What is kept for `fresh`, all of it together. */
#define READS_KEPT_BYTES ((size_t)32 << 20)
#define READS_KEPT 8192

struct reads *reads_new(void);
/* When no batch is under way any more; waits for what is being cancelled.
   Before the transport goes. NULL is fine. */
void reads_free(struct reads *rs);
/*
 * As batch_submit, for fetches of lists (GET, no headers of their own) of one
 * upstream with one credential, which need not outlive the call. Of each
 * fetch: status and err are filled; the body stays with `reading`, which the
 * caller puts, whatever came; NULL when it was cancelled.
 */
void reads_submit(struct reads *rs, struct batch *b, struct fetch_group *g,
    double fresh);
/* Drop what is older than its time. */
void reads_sweep(struct reads *rs);

/*
 * The answer to a list, checked; out points into it, as long as the caller
 * has the reading. 0, or what splice_read says.
 */
int reading_splice(struct reading *rd, const struct object_list *list,
    struct splice *out, struct err *err);
void reading_put(struct reading *rd);		/* NULL is fine */

struct reads_counts {
	uint64_t reads, joined, reused;	/* lists fetched, and not */
	unsigned under_way, kept;
	size_t kept_bytes;
};
void reads_count(struct reads *rs, struct reads_counts *out);

#endif
