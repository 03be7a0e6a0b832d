/* SPDX-License-Identifier: Apache-2.0 */
/* Whether files are what they were, as far as stat tells. */
#include "base.h"

#include "watch.h"

static void
look(const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		memset(st, 0, sizeof(*st));
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_mode == b->st_mode && a->st_size == b->st_size &&
	    same_time(&a->st_mtim, &b->st_mtim) &&
	    same_time(&a->st_ctim, &b->st_ctim);
}

void
watch_add(struct watch *w, const char *path)
{
	struct watched *f = &ARRAY_PUSH(w->items, w->n);

	memset(f, 0, sizeof(*f));
	f->path = xstrdup(path);
	look(path, &f->used);
	f->seen = f->used;
}

bool
watch_changed(struct watch *w)
{
	bool changed = false, settled = true;
	struct stat now;
	size_t i;

	for (i = 0; i < w->n; i++) {
		struct watched *f = &w->items[i];

		look(f->path, &now);
		changed = changed || !same(&now, &f->used);
		settled = settled && same(&now, &f->seen);
		f->seen = now;
	}
	return changed && settled;
}

void
watch_release(struct watch *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->items[i].path);
	free(w->items);
	memset(w, 0, sizeof(*w));
}
