/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by session.c, which decides, and session_refresh.c, which renews. */
#ifndef STAGEDOOR_SESSION_PRIVATE_H
#define STAGEDOOR_SESSION_PRIVATE_H

#include "session.h"
#include "source.h"

struct session_ask {
	struct runtime *rt;
	const struct login_settings *login;
	struct token_key key;
	const char *generation;		/* that is to be renewed */
};

/* What requests need of a set, as the value of a source. */
void session_print(const struct login_settings *login,
    const struct token_set *ts, struct source_value *out);
/* Make of the source `refresh`: ctx is a session_ask. */
int session_refresh(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err);

#endif
