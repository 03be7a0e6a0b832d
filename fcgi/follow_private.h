/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the following thread share: follower.c has the thread and
 * its loop, follow.c the GETs, follow_peer.c the clusters that they are of.
 * All but what the lock guards belongs to the thread alone.
 */
#ifndef STAGEDOOR_FOLLOW_PRIVATE_H
#define STAGEDOOR_FOLLOW_PRIVATE_H

#include "follow.h"
#include "multi.h"
#include "transfer.h"
#include "transport_private.h"

/*
 * A cluster with one identity, and the connections for it: whoever is silent
 * loses them all at once.
 */
struct follow_peer {
	struct follow_peer *next;
	struct follower *follower;
	struct upstream *up;		/* a reference */
	unsigned char identity[TRANSFER_IDENTITY];
	struct multi multi;
	unsigned active;		/* GETs under way, beats too */
	unsigned open;			/* endless ones that were answered */
	int64_t heard;			/* mono ms: of the last byte */
	int64_t idle_since;
	struct follow *beat;		/* is it still there? or NULL */
	int64_t beat_began;
	bool lost;			/* it is not; err says why */
	struct err err;
};

struct follow {
	struct follower *follower;
	struct follow *prev, *next;
	struct follow_spec spec;	/* path and cred are the follow's */
	char *path;
	struct credential cred;
	struct transfer transfer;
	struct follow_peer *peer;	/* NULL: not started yet */
	unsigned tries;
	int64_t began, deadline;	/* mono ms */
	int64_t retry_after;
	bool answered;			/* head was called */
	bool open;			/* counted in peer->open */
	bool stopped;
	int refused;			/* what a call returned */
	size_t got;
};

struct follower {
	struct follower_options opt;
	pthread_t thread;
	int epoll, event;
	int64_t turn_at;
	struct follow *follows;		/* under way, or to be started */
	struct follow_peer *peers;
	unsigned next_peer;

	pthread_mutex_t lock;		/* of what follows */
	bool asleep, woken, stop;
};

/* ---- follow.c ---- */

/* Start what is new. True: there was something. */
bool follow_start_new(struct follower *f);
void follow_over(struct follow *fo, CURLcode rc);
/* End what is past its deadline, was stopped, or is of a lost peer. */
void follow_sweep(struct follower *f, int64_t now);
int64_t follow_next_deadline(const struct follower *f);
/* Without a word. */
void follow_drop(struct follow *fo);

/* ---- follow_peer.c ---- */

struct follow_peer *peer_get(struct follower *f, struct upstream *up,
    const unsigned char identity[TRANSFER_IDENTITY]);
/* One more or one less of its GETs is under way. */
void peer_enter(struct follow_peer *p);
void peer_leave(struct follow_peer *p);
void peer_event(struct follower *f, uint64_t key, unsigned events);
/* Run curl's timers, take what is done. */
void peer_run(struct follower *f, int64_t now);
/* Ask those that have been silent; close those that are not used. */
void peer_look(struct follower *f, int64_t now);
/* When peer_run or peer_look have something to do. */
int64_t peer_next_time(const struct follower *f);
void peer_free_all(struct follower *f);

#endif
