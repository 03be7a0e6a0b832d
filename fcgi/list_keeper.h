/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of clusters that settings name and others have (GKE's, Backstage's
 * catalog), asked for on threads of their own and asked for again after each
 * locator's `refresh`: no request, reload or runtime waits for them. A list
 * that was good once stays while nobody answers; the source cache (sources.h)
 * has the back-off, says each failure in the log, and shares lists through the
 * store.
 *
 * Outlives the runtimes and must end before the sources do. One thread uses
 * it (the one that makes runtimes), but for list_keeper_list.
 */
#ifndef STAGEDOOR_LIST_KEEPER_H
#define STAGEDOOR_LIST_KEEPER_H

struct arena;
struct err;
struct list_keeper;
struct locator_settings;
struct services;
struct settings;

#define LIST_FIRST_MS 5000	/* for a start to wait, which then goes on */

/*
 * Borrows transport and sources. once: ask once and not again, for processes
 * that answer one request.
 */
struct list_keeper *list_keeper_new(const struct services *services,
    bool once);
/*
 * From now on keep what the locators of these settings name (they are not
 * needed afterwards); lists that are held already stay. Waits up to ms
 * until each has been asked for once; 0: not at all.
 */
void list_keeper_use(struct list_keeper *k, const struct settings *s,
    int64_t ms);
/* Is there anything to keep? */
bool list_keeper_active(const struct list_keeper *k);
/* Is a list another one than at the last call, or use? */
bool list_keeper_changed(struct list_keeper *k);
/* The last good list for a locator, in the form of google_clusters.h or
   catalog_clusters.h, in the arena. NULL: there is none, and err says why. */
const char *list_keeper_list(const struct list_keeper *k,
    const struct settings *s, const struct locator_settings *ls,
    struct arena *arena, struct err *err);
/* Begin no more questions; nothing is held from now on. */
void list_keeper_end(struct list_keeper *k);
/* The same, wait for those under way (seconds at most), and gone. NULL is
   fine. */
void list_keeper_free(struct list_keeper *k);

#endif
