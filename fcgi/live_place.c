/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clusters of the live lane. Requests know one by the address of its
 * record; a reload makes new records, and those whose settings are the same
 * find the place that was there before.
 */
#include "base.h"

#include "cluster.h"
#include "live_private.h"
#include "obtain.h"
#include "upstream.h"

static int
entry_compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct live_entry *)a)->cluster;
	uintptr_t y = (uintptr_t)((const struct live_entry *)b)->cluster;

	return x < y ? -1 : x > y;
}

struct live_place *
live_find_place(const struct live *l, const struct cluster *c)
{
	const struct live_entry key = { .cluster = c }, *e;

	if (l->nentries == 0)
		return NULL;
	e = bsearch(&key, l->entries, l->nentries, sizeof(key),
	    entry_compare);
	return e == NULL ? NULL : e->place;
}

static struct live_place *
place_get(struct live *l, const unsigned char identity[LIVE_IDENTITY],
    const char *name)
{
	struct live_place *p = l->places;

	while (p != NULL && memcmp(p->identity, identity,
	    LIVE_IDENTITY) != 0)
		p = p->next;
	if (p != NULL)
		return p;
	p = xcalloc(1, sizeof(*p));
	memcpy(p->identity, identity, LIVE_IDENTITY);
	p->name = xstrdup(name);
	p->next = l->places;
	l->places = p;
	return p;
}

static void
entry_add(struct live *l, const struct live_options *opt,
    const struct cluster *c)
{
	unsigned char identity[LIVE_IDENTITY];
	struct live_entry *e = &ARRAY_PUSH(l->entries, l->nentries);

	live_identify(l, opt, c, identity);
	e->cluster = c;
	e->place = place_get(l, identity, c->name);
	e->place->gone = false;
}

void
live_set_places(struct live *l, const struct live_options *opt)
{
	const struct clusters *all = opt->clusters;
	struct live_place *p;
	size_t i;

	free(l->entries);
	l->entries = NULL;
	l->nentries = 0;
	for (p = l->places; p != NULL; p = p->next)
		p->gone = true;
	for (i = 0; i < all->n; i++)
		if (all->items[i]->live && all->items[i]->broken == NULL)
			entry_add(l, opt, all->items[i]);
	if (l->nentries > 0)
		qsort(l->entries, l->nentries, sizeof(*l->entries),
		    entry_compare);
}

bool
live_place_note(struct live_place *p, const struct access *a)
{
	bool moved = p->up != a->up;

	if (!moved && credential_same(&p->cred, &a->cred))
		return false;
	if (moved) {
		upstream_put(p->up);
		p->up = a->up;
		upstream_ref(p->up);
		p->serial++;
	}
	credential_release(&p->cred);
	credential_copy(&p->cred, &a->cred);
	p->cred_serial++;
	return true;
}

void
live_place_free(struct live_place *p)
{
	upstream_put(p->up);
	credential_release(&p->cred);
	free(p->name);
	free(p);
}
