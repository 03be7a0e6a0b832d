/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c (one value, leases) and store_all.c (all of them) share. */
#ifndef STAGEDOOR_STORE_PRIVATE_H
#define STAGEDOOR_STORE_PRIVATE_H

#include "store_backend.h"
#include "store_keys.h"

struct store {
	struct store_keys *keys;
	const struct store_ops *ops;
	struct store_backend *be;
	int64_t (*now)(void);
};

/* The bytes: 0, E_NOTFOUND (also where they expired) or E_STORE. */
int store_fetch(struct store *st, const struct store_item *item,
    struct store_sealed_row *out, struct err *err);
/* Open them: 0, E_NOTFOUND (no such key) or E_STORE (damaged). */
int store_row_open(struct store *st, const struct store_item *item,
    const struct store_sealed_row *row, struct secret *out, struct err *err);
/* 0, or E_STORE where the key file is wrong. */
int store_ready(struct store *st, struct err *err);
/* What the value is sealed for. */
struct seal_name store_name_of(const struct store_item *item,
    int64_t expires);

/* store_calls.c: the back end's calls (store_backend.h), counted. */
int store_do_get(struct store *st, const struct store_item *item,
    struct store_sealed_row *out, struct err *err);
int store_do_put(struct store *st, const struct store_row *row,
    struct err *err);
int store_do_del(struct store *st, const struct store_item *item,
    struct err *err);
int store_do_swap(struct store *st, const struct store_row *row,
    const struct store_sealed_row *old, struct err *err);
int store_do_list(struct store *st, struct store_list *list,
    struct err *err);
int store_do_sweep(struct store *st, int64_t before, struct err *err);
int store_do_claim(struct store *st, const struct store_claim *claim,
    struct err *err);
int store_do_renew(struct store *st, const struct store_claim *claim,
    struct err *err);
void store_do_release(struct store *st, const struct store_lease *lease);

#endif
