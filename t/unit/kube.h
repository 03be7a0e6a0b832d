/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny API server for tests of the live lane: one kind of objects, lists in
 * pages and watches of it, and what can go wrong with either. On server.h.
 */
#ifndef STAGEDOOR_TEST_KUBE_H
#define STAGEDOOR_TEST_KUBE_H

#include <pthread.h>

#include "rig.h"

#define KUBE_OBJECTS 64
#define KUBE_EVENTS 8192

struct kube {
	struct rig rig;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned version;
	struct kube_object {
		char name[32];
		char value[32];
		unsigned version;
	} objects[KUBE_OBJECTS];
	unsigned n;
	struct kube_event {
		unsigned version;
		char text[256];
	} events[KUBE_EVENTS];
	unsigned nevents;

	/* What is wrong with it; 0 and NULL: nothing. */
	int list_status, watch_status;
	unsigned list_hangs;		/* lists wait while it is set */
	unsigned page;			/* items in a page; 0: all */
	bool forget_pages;		/* the second page is 410 */
	unsigned cut;			/* grows: watches end now */
	enum { KUBE_END, KUBE_RESET, KUBE_CUT } how;
	const char *retry_after;
	char token[32];			/* the only one that is good; "" any */

	/* What was asked. */
	unsigned lists, watches, open;	/* open: watches */
	char last_list[256], last_watch[256];
	bool stopping;
};

void kube_start(struct kube *k);
void kube_stop(struct kube *k);
/* Change it; value NULL: delete. */
void kube_set(struct kube *k, const char *name, const char *value);
/* Send this to all watches, as it is. */
void kube_say(struct kube *k, const char *text);
void kube_bookmark(struct kube *k);
/* End the watches. */
void kube_cut(struct kube *k, int how);
/* An int or unsigned of it, set under its lock. */
void kube_put(struct kube *k, void *at, int value);
unsigned kube_get(struct kube *k, const unsigned *at);

#endif
