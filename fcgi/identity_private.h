/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by identity.c and identity_backstage.c. */
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

#endif
