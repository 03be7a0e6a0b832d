/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept sign-ins as people and scripts are told of them: whose, where, as
 * whom, until when. Of their tokens only whether and until when.
 */
#ifndef STAGEDOOR_TOKENS_TOLD_H
#define STAGEDOOR_TOKENS_TOLD_H

struct arena;
struct portal_session;
struct settings;
struct strbuf;
struct token_set;

struct token_told {
	const char *user, *provider, *name, *account, *issuer, *subject;
	const char *ended;	/* NULL: it has not */
	int64_t signed_in, refreshed, expires;	/* wall ms; 0: not known */
	bool renews;		/* it will be renewed by itself */
	const char *session;	/* of kubectl: its whole id; NULL: a sign-in.
				   Its provider is "portal", its name the
				   id's beginning, its account a machine */
};

struct tokens_told {
	struct arena *arena;	/* of all strings; the caller's */
	struct token_told *items;
	size_t n;
};

/* A session of kubectl; copied. */
void tokens_told_add_portal(struct tokens_told *told,
    const struct portal_session *s);
/* Copies what is told. The settings say which token counts. */
void tokens_told_add(struct tokens_told *told, const struct settings *s,
    const struct token_set *ts);
/* By user, provider and name. */
void tokens_told_sort(struct tokens_told *told);
void tokens_told_release(struct tokens_told *told);

/* A table with a heading, times as this machine has them; nothing if there
   are none. */
void tokens_told_table(const struct tokens_told *told, struct strbuf *out);
/* One object a line, times in UTC; what is not known is left out. */
void tokens_told_json(const struct tokens_told *told, struct strbuf *out);
/* One line: "what: user, provider name, account". */
void tokens_told_print(const struct token_told *t, const char *what,
    FILE *to);

/* "renewed by itself until the user signs out", and the like. */
const char *token_told_state(struct arena *arena, const struct token_told *t);
/* Local, as people write it; "-" for 0. */
const char *tokens_told_time(struct arena *arena, int64_t wall_ms);

#endif
