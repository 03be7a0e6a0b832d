/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What serve needs of the machine before it starts, so that check can say the
 * same beforehand. 0, or E_CONFIG: problems says why, with file, line and key.
 */
#ifndef STAGEDOOR_SERVE_CHECKS_H
#define STAGEDOOR_SERVE_CHECKS_H

struct problems;
struct settings;

/* stagedoor.caFile can be read, and holds certificates. */
int serve_check_roots(const struct settings *s, struct problems *problems);
/* stagedoor.socketGroup exists, if stagedoor.listen names a Unix socket. */
int serve_check_group(const struct settings *s, struct problems *problems);
/*
 * stagedoor.store: the key file can be used, and the folder of the database is
 * there, or the file of Redis's password. (Redis itself is not asked.)
 */
int serve_check_store(const struct settings *s, struct problems *problems);
/* stagedoor.audit can be written to. */
int serve_check_audit(const struct settings *s, struct problems *problems);
/* All of them. */
int serve_check(const struct settings *s, struct problems *problems);

#endif
