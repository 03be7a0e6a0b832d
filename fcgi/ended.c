/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that are at their end, until they are joined. */
#include "base.h"

#include "ended.h"

void
ended_add(struct ended *e)
{
	ARRAY_PUSH(e->threads, e->n) = pthread_self();
}

void
ended_join(struct ended *e)
{
	while (e->n > 0)
		pthread_join(e->threads[--e->n], NULL);
	free(e->threads);
	e->threads = NULL;
}
