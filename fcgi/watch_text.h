/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a watch: JSON objects one after the other, cut into pieces
 * anywhere, and what each of them says. Kubernetes writes one a line; that is
 * not relied on.
 */
#ifndef STAGEDOOR_WATCH_TEXT_H
#define STAGEDOOR_WATCH_TEXT_H

#include "jsonscan.h"
#include "strbuf.h"

struct err;

#define WATCH_VERSION_MAX 64	/* of a resourceVersion, with its NUL */

struct watch_text {
	struct strbuf part;	/* of an event that is not whole yet */
	unsigned depth;		/* of containers */
	uint64_t arrays;	/* which of them are arrays, a bit each */
	bool string, escaped;
};

void watch_text_init(struct watch_text *w, size_t event_max);
void watch_text_release(struct watch_text *w);
/*
 * Take more bytes; each event that they complete goes to take, which returns
 * 0, or an E_* that ends it and is returned. E_PROTOCOL: these are no
 * objects. E_TOOLARGE: one is longer than event_max.
 */
int watch_text_add(struct watch_text *w, const char *data, size_t len,
    int (*take)(void *ctx, const char *event, size_t len), void *ctx);

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK,
    WATCH_ERROR };

struct watch_event {
	enum watch_type type;
	struct json_span object;	/* points into the text */
	char version[WATCH_VERSION_MAX];	/* not of WATCH_ERROR */
	int code;			/* of WATCH_ERROR, as of HTTP; or 0 */
};

/* 0 or E_PROTOCOL: none of the API's events. */
int watch_event_read(const char *text, size_t len, struct watch_event *out,
    struct err *err);
/* A resourceVersion of an object's or a list's metadata, unquoted. False:
   there is none that can be used. */
bool watch_version(struct json_span metadata, char out[WATCH_VERSION_MAX]);

#endif
