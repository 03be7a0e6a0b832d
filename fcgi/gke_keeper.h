/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of GKE's clusters that settings name, asked for on threads of
 * their own and asked for again after each locator's `refresh`: no request,
 * reload or runtime waits for a cloud. A list that was good once stays while
 * Google does not answer; the source cache (sources.h) has the back-off, says
 * each failure in the log, and shares lists through the store.
 *
 * Outlives the runtimes and must end before the sources do. One thread uses
 * it (the one that makes runtimes), but for gke_keeper_list.
 */
#ifndef STAGEDOOR_GKE_KEEPER_H
#define STAGEDOOR_GKE_KEEPER_H

struct arena;
struct err;
struct gke_keeper;
struct locator_settings;
struct services;
struct settings;

#define GKE_FIRST_MS 5000	/* for a start to wait, which then goes on */

/*
 * Borrows transport and sources. once: ask once and not again, for processes
 * that answer one request.
 */
struct gke_keeper *gke_keeper_new(const struct services *services, bool once);
/*
 * From now on keep what the gke locators of these settings name (they are
 * not needed afterwards); lists that are held already stay. Waits up to ms
 * until each has been asked for once; 0: not at all.
 */
void gke_keeper_use(struct gke_keeper *k, const struct settings *s,
    int64_t ms);
/* Is there anything to keep? */
bool gke_keeper_active(const struct gke_keeper *k);
/* Is a list another one than at the last call, or use? */
bool gke_keeper_changed(struct gke_keeper *k);
/* The last good list for a locator (google_clusters.h), in the arena. NULL:
   there is none, and err says why. */
const char *gke_keeper_list(const struct gke_keeper *k,
    const struct settings *s, const struct locator_settings *ls,
    struct arena *arena, struct err *err);
/* Begin no more questions; nothing is held from now on. */
void gke_keeper_end(struct gke_keeper *k);
/* The same, wait for those under way (seconds at most), and gone. NULL is
   fine. */
void gke_keeper_free(struct gke_keeper *k);

#endif
