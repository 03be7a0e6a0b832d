/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of others (what a program or a cloud says went wrong) before a person
 * sees them: what is or looks like a token, key or password is cut out. A
 * help against accidents, not a proof.
 */
#ifndef STAGEDOOR_REDACT_H
#define STAGEDOOR_REDACT_H

/*
 * In place, each cut becoming "***": long runs of letters and digits that no
 * word or number is; what follows "Bearer " and names like token=, password:,
 * "secret": ; user and password of a URL. Any thread.
 */
void redact(char *text);
/* Cut one secret that is known, wherever it stands. Short ones (under six
   characters) stay: they are part of words. */
void redact_value(char *text, const char *secret);

#endif
