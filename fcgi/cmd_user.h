/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What subcommands that ask for one user have in common: their options, the
 * settings made ready without serving anybody, and who the user is.
 */
#ifndef STAGEDOOR_CMD_USER_H
#define STAGEDOOR_CMD_USER_H

#include "err.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

struct cmd_user {
	const char *usage;
	const char **files;
	size_t nfiles;
	struct identity_words words;
	const char *cluster_name;	/* --cluster; NULL: not given */

	struct secret roots;
	struct err store_err;	/* why the store is not for us */
	bool quiet;		/* in: no cloud is asked for clusters */
	struct services services;
	struct runtime *rt;
	struct request req;	/* rt, arena and who only: obtain_blocking */
	const struct cluster *cluster;	/* of that name; NULL: not given */
	struct problems warnings;	/* about the settings */
};

/* 0 to go on, else the exit code plus one; all was said. */
int cmd_user_options(struct cmd_user *cu, int argc, char **argv);
/*
 * Settings, services and runtime. 0, or the exit code: then errors and
 * warnings were said.
 */
int cmd_user_load(struct cmd_user *cu);
/* The same, and who the user is, and the cluster. */
int cmd_user_open(struct cmd_user *cu);
/*
 * For what works on the token store: it must be there, and others must see
 * it. 0, or the exit code: all was said.
 */
int cmd_user_store(struct cmd_user *cu);
/* For what has to be in the audit log: the same. */
int cmd_user_audit(const struct cmd_user *cu);
/* "stagedoor: TEXT: DETAIL" on standard error. Returns code. */
int cmd_user_fail(int code, const struct err *err);
void cmd_user_warn(const struct cmd_user *cu);
/* Also after options or open failed. */
void cmd_user_close(struct cmd_user *cu);

#endif
