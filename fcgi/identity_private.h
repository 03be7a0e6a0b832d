/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by identity*.c. */
#ifndef STAGEDOOR_IDENTITY_PRIVATE_H
#define STAGEDOOR_IDENTITY_PRIVATE_H

#include "identity.h"

/* Takes "user:ns/name" apart, too. ref is borrowed. */
void identity_set_user(struct arena *arena, struct identity *who,
    const char *ref);
/* identity_of for settings whose identity.source is backstage; who is all
   zero. */
int identity_backstage(struct request *req, struct identity *who,
    struct err *err);

/*
 * The portal token that the request shows, good or bad; NULL: it shows none.
 * What looks like one is nothing else.
 */
const char *identity_portal_token(const struct request *req);
/* identity_of for that token. */
int identity_portal(struct request *req, const char *token,
    struct identity *who, struct err *err);
/* A parameter of the web server's: 0 and NULL if absent or empty; E_INPUT. */
int identity_param(const struct request *req, const char *name, size_t max,
    const char **out, struct err *err);
#define IDENTITY_REF_MAX 512	/* Backstage: kind 63, namespace 63, name 63 */

#endif
