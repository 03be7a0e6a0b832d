/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of others (of clusters, clouds, settings) made fit for a terminal: one
 * line, no control characters, no secret.
 */
#ifndef STAGEDOOR_SHOWN_H
#define STAGEDOOR_SHOWN_H

#include "secret.h"

struct arena;

#define SHOWN_MAX 600		/* bytes of the text that are shown */

/*
 * A copy in the arena: "***" where the secret stood (cut may be NULL or
 * empty) and where a URL had user info, \xNN for control characters, "..."
 * where it was too long. NULL gives "".
 */
const char *shown(struct arena *arena, const char *text,
    const struct secret *cut);

#endif
