/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are looked at from time to time, by name: replaced, written,
 * gone or come. Names may be those of symbolic links that move. One thread.
 */
#ifndef STAGEDOOR_WATCH_H
#define STAGEDOOR_WATCH_H

#include <sys/stat.h>

struct watched {
	char *path;
	struct stat used, seen;	/* zeros: there was none */
};

struct watch {
	struct watched *items;
	size_t n;
};

/* Add a file as it is now. */
void watch_add(struct watch *w, const char *path);
/*
 * Look. True if something differs from what was there when it was added, and
 * has not changed since the look before: nobody is writing any more.
 */
bool watch_changed(struct watch *w);
void watch_release(struct watch *w);

#endif
