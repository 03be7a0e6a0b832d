/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the live lane share: live.c is what others see,
 * live_place.c the clusters, live_kind.c the life of one kind (when it is
 * listed, why it is not), live_list.c its lists, live_watch.c its watches.
 *
 * Threads: readers (live_read) find and make kinds and look at what the lock
 * guards; all the rest is of the follower's thread.
 */
#ifndef STAGEDOOR_LIVE_PRIVATE_H
#define STAGEDOOR_LIVE_PRIVATE_H

#include <pthread.h>

#include "credential.h"
#include "follow.h"
#include "live.h"
#include "watch_text.h"

/* A cluster's kinds, and all: of others the cluster itself is asked. */
#define LIVE_KINDS_CLUSTER 64
#define LIVE_KINDS_ALL 4096
/* Lists at once: their pages are in memory as they came. */
#define LIVE_LISTS_CLUSTER 3
#define LIVE_LISTS_ALL 8
#define LIVE_PAGE_ITEMS 500
#define LIVE_PAGE_MAX (32 << 20)	/* bytes */
/* An object of etcd has 1.5 MiB at most; in JSON it may be longer. */
#define LIVE_EVENT_MAX (8 << 20)
#define LIVE_PATH_MAX 1024
#define LIVE_AHEAD_MAX 1024	/* events while one watch follows another */
#define LIVE_IDENTITY 32
/* Refusals of what was served before: about ten seconds of them. */
#define LIVE_PATIENCE 5

struct live_place;

enum live_state {
	LIVE_WAITS,		/* until retry_at, or for room to list */
	LIVE_LISTS,
	LIVE_OPENS,		/* listed; its watch is not answered yet */
	LIVE_FOLLOWS,		/* fit */
};

/* Why a watch was ended by us. */
enum live_why { LIVE_WHY_NONE, LIVE_WHY_GONE, LIVE_WHY_BUDGET,
    LIVE_WHY_FORM };

/* One watch of a kind. */
struct live_watch {
	struct live_kind *kind;
	struct follow *follow;
	struct watch_text text;
	struct err err;			/* of what it brought */
	enum live_why why;
	int status;			/* 0: no answer yet */
	int64_t retry_after;
	int64_t opened;			/* mono ms */
	int64_t over_at;		/* then it is ended, if the cluster has
					   not done so */
};

/* An index that readers may be in; the last one frees it. */
struct live_shelf {
	unsigned refs;			/* atomic */
	struct live_index *index;
};

struct live_kind {
	struct live *live;
	struct live_place *place;
	char *path;
	struct live_form form;

	/* Under the lock. */
	struct live_kind *next;
	struct live_shelf *shelf;
	bool fit;
	int64_t asked;			/* mono ms */
	uint64_t serial;		/* of the place's address */

	/* The thread's. */
	enum live_state state;
	int64_t retry_at;		/* when it waits */
	unsigned failures;		/* in a row */
	unsigned patience;		/* refusals that may pass by */
	bool unknown;			/* 401, with the credential used */
	char version[WATCH_VERSION_MAX];	/* what the index is at */

	struct follow *list;		/* a page under way */
	struct live_load *load;
	struct strbuf page;
	char *rest;			/* the next page's token; or NULL */
	bool whole;			/* without pages, after a 410 */
	bool slot;			/* holds room to list */
	int list_status;
	int64_t list_retry_after;
	uint64_t used_serial;		/* the list's or watch's credential */

	struct live_watch *watch, *successor;	/* or NULL */
	int64_t succeed_at;		/* when to open the successor */
	/* Versions that the watch brought since the successor began. */
	char (*ahead)[WATCH_VERSION_MAX];
	size_t nahead, ahead_done;
};

/* What clusters with equal settings share over reloads. */
struct live_place {
	struct live_place *next;
	unsigned char identity[LIVE_IDENTITY];
	char *name;
	struct live_kind *kinds;	/* under the lock; so below */
	unsigned nkinds;
	int64_t asked;			/* mono ms */
	unsigned lists;			/* under way */
	bool gone;			/* not in the settings any more */
	struct upstream *up;		/* a reference; NULL: not asked yet */
	uint64_t serial;		/* grows when up changes */
	struct credential cred;
	uint64_t cred_serial;		/* grows when cred changes */
};

struct live_entry {
	const struct cluster *cluster;
	struct live_place *place;
};

struct live_times {			/* ms, but for watch_s */
	int64_t later;			/* refused, over the budget */
	int64_t steady;			/* after this a watch was a good one */
	int64_t step, longest;		/* of the back-off */
	int64_t grace;			/* after a watch's end */
	unsigned watch_s;		/* a watch's length: to twice that */
};

struct live {
	struct follower *follower;
	struct live_times times;
	struct live_budget budget;
	unsigned char key[LIVE_IDENTITY];	/* of the identities' HMACs */

	pthread_mutex_t lock;		/* of what follows */
	int64_t idle;			/* ms */
	bool again;			/* settings are new: look at all */
	struct live_entry *entries;	/* by address */
	size_t nentries;
	struct live_place *places;
	unsigned nkinds, lists;
	struct live_counts counts;	/* those that only grow */
};

/* ---- live_identity.c ---- */

/* What tells a cluster's credentials from others', but not one from the next
   of the same origin. */
void live_identify(const struct live *l, const struct live_options *opt,
    const struct cluster *c, unsigned char out[LIVE_IDENTITY]);

/* ---- live_place.c ---- */

/* Under the lock: which clusters there are now. */
void live_set_places(struct live *l, const struct live_options *opt);
struct live_place *live_find_place(const struct live *l,
    const struct cluster *c);
/* Under the lock. The newest of both are used; true: that is a change. */
bool live_place_note(struct live_place *p, const struct access *a);
void live_place_free(struct live_place *p);

/* ---- live_kind.c ---- */

/* Under the lock; a reader's. */
struct live_kind *live_kind_new(struct live *l, struct live_place *p,
    const struct live_ask *ask);
void live_shelf_put(struct live_shelf *s);

/* What follows is the thread's, without the lock. */

/* Do what is due; when to come back: mono ms. */
int64_t live_kind_turn(struct live_kind *k, int64_t now);
/* The settings are new: what waits does not wait any longer. */
void live_kind_again(struct live_kind *k, int64_t now);
/* Stops its GETs. */
void live_kind_free(struct live_kind *k);
void live_kind_fit(struct live_kind *k, bool fit);
/* Listed from nothing, or into what there is. */
struct live_shelf *live_kind_shelf(struct live_kind *k);
/* A GET of the place, with its credential of now. */
struct follow *live_kind_get(struct live_kind *k, struct follow_spec *spec);
/* It cannot be used until it was listed again. retry_after: ms. */
void live_kind_lost(struct live_kind *k, int64_t retry_after,
    const char *why);
/* As the status of an answer wants it; 200 is none of these. */
void live_kind_status(struct live_kind *k, int status, int64_t retry_after);
void live_kind_over(struct live_kind *k);
/* Count one in l->counts; any thread. */
void live_add(struct live *l, uint64_t *count);

/* ---- live_list.c ---- */

/* False: there is no room now; the thread is woken when there is. */
bool live_list_start(struct live_kind *k);
/* Drop what was begun; gives its room back. */
void live_list_stop(struct live_kind *k);

/* ---- live_watch.c ---- */

/* From k->version; as k->watch, or as its successor. */
void live_watch_open(struct live_kind *k, bool successor);
void live_watch_stop(struct live_kind *k);	/* both */

#endif
