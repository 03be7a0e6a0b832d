/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: our own (a Unix socket that only the web server's group
 * may open, TCP only where it is asked for) or one that we were started with
 * (systemd's LISTEN_FDS, or fd 0 from spawn-fcgi, multiwatch, mod_fcgid).
 * libfcgi's own way of opening is not used: it makes sockets that everyone
 * may open, and unlinks whatever is at the path.
 */
#ifndef STAGEDOOR_LISTEN_H
#define STAGEDOOR_LISTEN_H

struct err;

struct listener {
	int fd;
	bool inherited;		/* other processes may share it */
	bool systemd;		/* inherited from systemd */
	char *path;		/* Unix socket of ours, to unlink; or NULL */
};

#define LISTENER_INIT { .fd = -1 }

/* spec: "unix:PATH" or "HOST:PORT". group "" is left as it is. */
int listen_open(const char *spec, unsigned mode, const char *group,
    struct listener *out, struct err *err);
/* The socket we were started with; false if there is none. */
bool listen_inherited(struct listener *out);
/* No new connections to a socket of ours. */
void listen_unlink(struct listener *l);
void listen_close(struct listener *l);

#endif
