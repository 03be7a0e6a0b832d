/* SPDX-License-Identifier: Apache-2.0 */
/* How we were started; alone, for who asks that needs nothing of the routes. */
#include "base.h"

#include "cgi.h"

bool
cgi_started(void)
{
	const char *gi = getenv("GATEWAY_INTERFACE");

	return gi != NULL && str_starts(gi, "CGI/1.");
}
