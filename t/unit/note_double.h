/* SPDX-License-Identifier: Apache-2.0 */
/* A double of provider_call.note, which keeps what it was told. */
#ifndef STAGEDOOR_TEST_NOTE_DOUBLE_H
#define STAGEDOOR_TEST_NOTE_DOUBLE_H

#include "provider.h"

static char noted[4096];	/* lines since the test emptied it */

static inline void note_double(const struct provider_call *call,
    const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline void
note_double(const struct provider_call *call UNUSED, const char *fmt, ...)
{
	size_t len = strlen(noted);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(noted + len, sizeof(noted) - len - 1, fmt, ap);
	va_end(ap);
	len = strlen(noted);
	noted[len] = '\n';
	noted[len + 1] = '\0';
}

#endif
