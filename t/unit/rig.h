/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport's tests share: a transport, a server, an upstream for
 * it, a token, and one fetch in a line.
 */
#ifndef STAGEDOOR_TEST_RIG_H
#define STAGEDOOR_TEST_RIG_H

#include "server.h"
#include "transport.h"

struct rig {
	struct transport *transport;
	struct server server;
	struct upstream *up;		/* the server's */
	struct credential cred;		/* bearer "alice" */
};

#define RIG_TIMEOUT 0.6		/* of the rig's upstream: seconds */

void rig_start(struct rig *r, server_handler *handler);
void rig_stop(struct rig *r);
/* Another upstream; breaker_failures 0 is none. */
struct upstream *rig_upstream(struct rig *r, const char *url,
    unsigned breaker_failures);
void rig_bearer(struct credential *cred, const char *token);
/* Fetch path from up into f, whose body the caller releases. */
int rig_fetch(struct rig *r, struct upstream *up, const char *path,
    struct fetch *f);
int64_t rig_ms(void);

#endif
