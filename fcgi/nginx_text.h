/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The direct lane in nginx's words: for each cluster an upstream block and a
 * location, and the files (CA, certificates) that these name. What a cluster
 * is called, and its address, are hostile until they are known not to be:
 * nginx reads nothing here that was not checked byte by byte.
 *
 * nginx looks names up only when it starts, and does not start when it
 * cannot; so names are looked up here, and a cluster without an address is
 * left out: a comment says so. So is one that must be public and is not: what
 * was looked at is what is written.
 */
#ifndef STAGEDOOR_NGINX_TEXT_H
#define STAGEDOOR_NGINX_TEXT_H

#include "strbuf.h"

struct access;
struct arena;
struct cluster;

#define NGINX_TEXT_MAX (64 * 1024 * 1024)

struct nginx_file {
	const char *name;	/* in the folder */
	const char *data;
	size_t len;
	bool secret;		/* for root's eyes only */
};

struct nginx_text {
	struct arena *arena;
	const char *folder;	/* absolute; where the files will be */
	const char *roots;	/* the file of the system's roots, or NULL */
	const char *last;	/* upstreams.conf as it was, or NULL: addresses
				   of names that cannot be looked up now */
	struct strbuf upstreams;	/* for the http block */
	struct strbuf captures;		/* where auth_request is */
	struct strbuf locations;	/* where the clusters' locations are */
	struct nginx_file *files;	/* without doubles */
	size_t nfiles;
	const char **extras;	/* keys that were captured */
	size_t nextras;
	size_t left_out;
};

/* Strings of cluster and access must live as long as t. */
void nginx_text_init(struct nginx_text *t, struct arena *arena,
    const char *folder, const char *roots);
void nginx_text_add(struct nginx_text *t, const struct cluster *c,
    const struct access *at);
/* One that cannot work, and why. */
void nginx_text_leave_out(struct nginx_text *t, const struct cluster *c,
    const char *why);
void nginx_text_release(struct nginx_text *t);

#endif
