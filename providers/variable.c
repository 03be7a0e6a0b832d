/* SPDX-License-Identifier: Apache-2.0 */
/* The environment as providers read it. */
#include "base.h"

#include "provider.h"

const char *
provider_variable(const struct provider_call *call, const char *name)
{
	const char *value = call->getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}
