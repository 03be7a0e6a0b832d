/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases of the store that are renewed while their work goes on, on one
 * thread, which is started by the first of them. Any thread.
 */
#ifndef STAGEDOOR_LEASES_H
#define STAGEDOOR_LEASES_H

#include "store.h"

struct leases;
struct lease;

#define LEASE_MS 6000		/* one who died is out of the way after that */
#define LEASE_RENEW_MS 1500

struct leases *leases_new(struct store *st);	/* borrows it */
/* Nobody holds one any more. */
void leases_free(struct leases *ls);		/* NULL is fine */

/* 0 with *out for lease_end; E_BUSY: somebody has it; E_STORE. */
int lease_begin(struct leases *ls, const struct store_item *item,
    struct lease **out, struct err *err);
/* Was it ours all the time until now? */
bool lease_holds(struct lease *l);
void lease_end(struct lease *l);		/* gives it back */

#endif
