/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Azure CLI as a source: whoever ran `az login` as our user, in our HOME
 * or AZURE_CONFIG_DIR. az is looked up in PATH and run without a shell.
 */
#ifndef STAGEDOOR_AZURE_CLI_H
#define STAGEDOOR_AZURE_CLI_H

#include "azure_token.h"

/* The variables that az is given, NULL at the end. */
extern const char *const azure_cli_variables[];

/*
 * 0 with out filled, AZURE_NEXT (az is not there, or nobody is logged in)
 * with err saying why, or E_*.
 */
int azure_cli(const struct provider_call *call, struct source_value *out,
    struct err *err);
/*
 * What az prints, by its own version: the end of the token is expires_on, a
 * number, or (before 2.54) expiresOn, which is local time. 0 or E_PROTOCOL.
 */
int azure_cli_take(const struct provider_call *call,
    const struct secret *printed, struct source_value *out, struct err *err);

#endif
