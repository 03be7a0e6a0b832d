/* SPDX-License-Identifier: Apache-2.0 */
/* Counting long answers. */
#include "base.h"

#include "streams.h"

static unsigned held;

bool
streams_enter(unsigned max)
{
	if (__atomic_add_fetch(&held, 1, __ATOMIC_ACQ_REL) <= max)
		return true;
	streams_leave();
	return false;
}

void
streams_leave(void)
{
	__atomic_sub_fetch(&held, 1, __ATOMIC_ACQ_REL);
}
