/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands. argv[0] is the subcommand's name; each returns the
 * process's exit code: 0 good, 1 it failed at run time, 2 bad usage or bad
 * settings.
 */
#ifndef STAGEDOOR_CMD_H
#define STAGEDOOR_CMD_H

int cmd_serve(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_credential(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_nginx(int argc, char **argv);
int cmd_tokens(int argc, char **argv);
int cmd_login(int argc, char **argv);

/* The settings without -c: $STAGEDOOR_CONFIG, else the installed place. */
const char *cmd_default_file(void);

#endif
