/* SPDX-License-Identifier: Apache-2.0 */
/* What subcommands have in common. */
#include "base.h"

#include "cmd.h"

const char *
cmd_default_file(void)
{
	const char *file = getenv("STAGEDOOR_CONFIG");

	return file != NULL && *file != '\0' ? file :
	    SYSCONFDIR "/stagedoor/stagedoor.conf";
}
