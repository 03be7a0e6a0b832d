/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request over a FastCGI connection, by libfcgi. Accepting and closing
 * connections is the pool's: libfcgi would block in accept, and it lingers
 * in close.
 */
#ifndef STAGEDOOR_FCGI_H
#define STAGEDOOR_FCGI_H

struct runtime;

/* Once, before threads. */
void fcgi_init(void);
enum fcgi_after {
	FCGI_KEEP,	/* the web server wants it kept, and it is clean */
	FCGI_CLOSE,	/* close it */
	FCGI_CLOSED,	/* libfcgi closed it already */
};

/*
 * Read one request from the connection and answer it. Blocks; the socket's
 * own time-outs bound each read and write.
 */
enum fcgi_after fcgi_serve(int fd, struct runtime *rt);

#endif
