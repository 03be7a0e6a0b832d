/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of kubectl in the store. */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "portal_session.h"
#include "portal_text.h"
#include "strbuf.h"

#define FORMAT "1"
#define BEGIN_KIND "portal-begin"
#define BEGIN_MS 10000		/* that choosing a slot may take */
#define HEAD 8			/* fields before the groups */

static struct store_item
item_of(const char *user, unsigned slot)
{
	struct strbuf name = STRBUF_INIT(STRBUF_UNLIMITED);
	struct store_item item;

	strbuf_addf(&name, "%u %s", slot, user);
	item = portal_item(PORTAL_KIND, name.buf);
	strbuf_release(&name);
	return item;
}

/* ---- as text ---- */

static void
print(const struct portal_session *s, struct strbuf *sb)
{
	char slot[16];
	size_t i;

	snprintf(slot, sizeof(slot), "%u", s->slot);
	portal_text_add(sb, FORMAT);
	portal_text_add(sb, s->id);
	portal_text_add(sb, s->user);
	portal_text_add(sb, s->email);
	portal_text_add(sb, s->from);
	portal_text_add(sb, s->device);
	portal_text_add_number(sb, s->issued);
	portal_text_add_number(sb, s->expires);
	portal_text_add(sb, slot);
	for (i = 0; i < s->ngroups; i++)
		portal_text_add(sb, s->groups[i]);
}

bool
portal_session_parse(struct arena *arena, const char *text,
    struct portal_session *out)
{
	const size_t max = HEAD + 1 + PORTAL_GROUPS_MAX;
	const char **field = arena_alloc(arena, max * sizeof(*field));
	size_t n = portal_text_split(arena, text, field, max);
	int64_t slot;

	memset(out, 0, sizeof(*out));
	if (n < HEAD + 1 || strcmp(field[0], FORMAT) != 0 ||
	    strlen(field[1]) != PORTAL_ID - 1 ||
	    !portal_text_number(field[6], &out->issued) ||
	    !portal_text_number(field[7], &out->expires) ||
	    !portal_text_number(field[8], &slot) || slot >= PORTAL_SLOTS)
		return false;
	memcpy(out->id, field[1], PORTAL_ID);
	out->slot = (unsigned)slot;
	out->user = field[2];
	out->email = *field[3] != '\0' ? field[3] : NULL;
	out->from = field[4];
	out->device = field[5];
	out->groups = field + HEAD + 1;
	out->ngroups = n - HEAD - 1;
	return true;
}

/* ---- one ---- */

int
portal_session_read(struct store *st, const char *user, unsigned slot,
    struct secret *out, struct err *err)
{
	const struct store_item item = item_of(user, slot);
	int64_t expires;

	return store_get(st, &item, out, &expires, err);
}

int
portal_session_get(struct store *st, struct arena *arena,
    struct portal_session *s, struct err *err)
{
	struct secret text = SECRET_INIT;
	int r = portal_session_read(st, s->user, s->slot, &text, err);

	if (r == 0 && !portal_session_parse(arena, text.len > 0 ? text.ptr :
	    "", s))
		r = err_set(err, E_NOTFOUND, "a session of kubectl cannot be "
		    "read");
	secret_release(&text);
	return r;
}

static int
put(struct store *st, const struct portal_session *s, struct err *err)
{
	const struct store_item item = item_of(s->user, s->slot);
	struct strbuf text = STRBUF_INIT(STORE_VALUE_MAX / 2);
	struct secret value = SECRET_INIT;
	int r;

	print(s, &text);
	if (text.overflow || s->ngroups > PORTAL_GROUPS_MAX) {
		r = err_set(err, E_TOOLARGE, "the user is in too many groups");
	} else {
		secret_set(&value, text.buf, text.len);
		r = store_put(st, &item, &value, s->expires, err);
	}
	secret_release(&value);
	strbuf_wipe(&text);
	return r;
}

/* ---- all of one user's ---- */

static int
by_issued(const void *va, const void *vb)
{
	const struct portal_session *a = va, *b = vb;

	return a->issued < b->issued ? -1 : a->issued > b->issued;
}

int
portal_session_list(struct store *st, struct arena *arena,
    const char *user, struct portal_sessions *out, struct err *err)
{
	unsigned slot;
	int r;

	out->n = 0;
	for (slot = 0; slot < PORTAL_SLOTS; slot++) {
		out->items[out->n].user = user;
		out->items[out->n].slot = slot;
		r = portal_session_get(st, arena, &out->items[out->n], err);
		if (r == 0)
			out->n++;
		else if (r != E_NOTFOUND)
			return r;
	}
	qsort(out->items, out->n, sizeof(out->items[0]), by_issued);
	return 0;
}

static unsigned
free_slot(const struct portal_sessions *all)
{
	bool taken[PORTAL_SLOTS] = { false };
	unsigned slot;
	size_t i;

	for (i = 0; i < all->n; i++)
		taken[all->items[i].slot] = true;
	for (slot = 0; slot < PORTAL_SLOTS; slot++)
		if (!taken[slot])
			return slot;
	return all->items[0].slot;
}

/* With the lease that keeps two from taking the same slot. */
static int
begin(struct store *st, struct portal_session *s, struct err *err)
{
	struct arena *scratch = arena_new();
	struct portal_sessions all;
	int r = portal_session_list(st, scratch, s->user, &all, err);

	if (r == 0) {
		portal_id_new(s->id);
		s->slot = free_slot(&all);
		r = put(st, s, err);
	}
	arena_free(scratch);
	return r;
}

int
portal_session_begin(struct store *st, struct portal_session *s,
    struct err *err)
{
	const struct store_item item = portal_item(BEGIN_KIND, s->user);
	struct store_lease lease;
	int r = store_lease(st, &item, BEGIN_MS, &lease, err);

	if (r == E_BUSY)
		return err_set(err, E_BUSY, "another sign-in of this user is "
		    "just under way");
	if (r != 0)
		return r;
	r = begin(st, s, err);
	store_lease_end(st, &lease);
	return r;
}

int
portal_session_end(struct store *st, struct arena *arena,
    struct portal_session *s, struct err *err)
{
	struct portal_sessions all;
	struct store_item item;
	size_t i;
	int r = portal_session_list(st, arena, s->user, &all, err);

	for (i = 0; r == 0 && i < all.n; i++) {
		if (strcmp(all.items[i].id, s->id) != 0)
			continue;
		*s = all.items[i];
		item = item_of(s->user, s->slot);
		return store_del(st, &item, err);
	}
	return r != 0 ? r : err_set(err, E_NOTFOUND, "there is no such "
	    "session of kubectl: it is over");
}

/* ---- everybody's ---- */

struct visit {
	int (*each)(void *ctx, const struct portal_session *s);
	void *ctx;
	size_t bad;
};

static int
visit_one(void *ctx, const struct store_item *item UNUSED,
    const struct secret *value)
{
	struct visit *v = ctx;
	struct arena *scratch = arena_new();
	struct portal_session s;
	int r = 0;

	if (!portal_session_parse(scratch, value->len > 0 ? value->ptr : "",
	    &s))
		v->bad++;
	else if (v->each != NULL)
		r = v->each(v->ctx, &s);
	arena_free(scratch);
	return r;
}

int
portal_session_each(struct store *st, int (*each)(void *ctx,
    const struct portal_session *s), void *ctx, size_t *bad,
    struct err *err)
{
	struct visit v = { .each = each, .ctx = ctx };
	struct store_visit visit = { .kind = PORTAL_KIND, .each = visit_one,
	    .ctx = &v };
	int r = store_each(st, &visit, err);

	*bad = v.bad + visit.bad;
	return r;
}

int
portal_session_drop_unread(struct store *st, size_t *n, struct err *err)
{
	struct visit v = { .each = NULL };
	struct store_visit visit = { .kind = PORTAL_KIND, .each = visit_one,
	    .ctx = &v, .drop_bad = true };
	int r = store_each(st, &visit, err);

	*n = visit.bad;
	return r;
}
