/* SPDX-License-Identifier: Apache-2.0 */
/* The back end's calls, each counted with its time and how it ended. */
#include "base.h"

#include "clock.h"
#include "metrics.h"
#include "store_private.h"

static int
counted(enum store_call call, int64_t began, int r)
{
	metrics_store(call, r, clock_mono_us() - began);
	return r;
}

int
store_do_get(struct store *st, const struct store_item *item,
    struct store_sealed_row *out, struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_GET, began, st->ops->get(st->be, item,
	    &out->sealed, &out->expires, err));
}

int
store_do_put(struct store *st, const struct store_row *row, struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_PUT, began, st->ops->put(st->be, row,
	    st->now(), err));
}

int
store_do_del(struct store *st, const struct store_item *item,
    struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_DEL, began, st->ops->del(st->be, item,
	    err));
}

int
store_do_swap(struct store *st, const struct store_row *row,
    const struct store_sealed_row *old, struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_SWAP, began, st->ops->swap(st->be, row, old,
	    st->now(), err));
}

int
store_do_list(struct store *st, struct store_list *list, struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_LIST, began, st->ops->list(st->be, list,
	    err));
}

int
store_do_sweep(struct store *st, int64_t before, struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_SWEEP, began, st->ops->sweep(st->be, before,
	    err));
}

int
store_do_claim(struct store *st, const struct store_claim *claim,
    struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_CLAIM, began, st->ops->claim(st->be, claim,
	    err));
}

int
store_do_renew(struct store *st, const struct store_claim *claim,
    struct err *err)
{
	int64_t began = clock_mono_us();

	return counted(STORE_CALL_RENEW, began, st->ops->renew(st->be, claim,
	    err));
}

void
store_do_release(struct store *st, const struct store_lease *lease)
{
	int64_t began = clock_mono_us();

	st->ops->release(st->be, lease);
	counted(STORE_CALL_RELEASE, began, 0);
}
