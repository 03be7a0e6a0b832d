/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The userinfo endpoint of Backstage's auth back end: the refs that a user
 * owns things by, for tokens that do not say them.
 */
#ifndef STAGEDOOR_USERINFO_H
#define STAGEDOOR_USERINFO_H

struct arena;
struct err;
struct settings;
struct string_list;
struct transport;
struct userinfo;

#define USERINFO_TIMEOUT 5.0		/* seconds */

/* At identity.backstage.userinfoUrl, else by discovery. Settings and
   transport must live longer. Never NULL. */
struct userinfo *userinfo_new(const struct settings *settings,
    struct transport *transport);
void userinfo_free(struct userinfo *ui);	/* NULL is fine */
/*
 * Ask for the user whose good token this is; refs go to the arena. 0; else
 * err says what failed. Blocks. Any thread.
 */
int userinfo_ask(struct userinfo *ui, const char *token, struct arena *arena,
    struct string_list *refs, struct err *err);

#endif
