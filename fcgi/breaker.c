/* SPDX-License-Identifier: Apache-2.0 */
/* Failures in a row open it, an answer closes it, probes are rationed. */
#include "base.h"

#include "breaker.h"

void
breaker_init(struct breaker *b, unsigned failures, int64_t interval)
{
	*b = (struct breaker){
		.failures = failures,
		.interval = interval,
		.answered = INT64_MIN,
		.next_probe = INT64_MIN,
	};
}

enum breaker_verdict
breaker_ask(struct breaker *b, int64_t now)
{
	if (!b->open)
		return BREAKER_PASS;
	if (b->probing || now < b->next_probe)
		return BREAKER_FAIL;
	b->probing = true;
	b->next_probe = now + b->interval;
	return BREAKER_PROBE;
}

bool
breaker_failed(struct breaker *b, int64_t began)
{
	/* What began before the last answer says nothing about now: the
	   stragglers of an outage must not open it again. */
	if (b->failures == 0 || b->open || began < b->answered)
		return false;
	b->row++;
	if (b->row < b->failures)
		return false;
	b->open = true;
	return true;
}

void
breaker_answered(struct breaker *b, int64_t now)
{
	b->row = 0;
	b->open = false;
	b->answered = now;
}

void
breaker_probed(struct breaker *b)
{
	b->probing = false;
}
