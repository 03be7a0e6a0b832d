/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to stop asking a cluster that does not answer. Pure state: no clock,
 * no thread, no network. Times are monotonic milliseconds that the caller
 * passes in; the caller also locks.
 *
 * Closed: transfers pass. So many failures in a row open it. Open: nothing
 * passes, but at most once per interval, and one at a time, the caller is
 * told to probe. Any answer, of the probe or of a transfer that was still
 * under way, closes it.
 */
#ifndef STAGEDOOR_BREAKER_H
#define STAGEDOOR_BREAKER_H

enum breaker_verdict {
	BREAKER_PASS,
	BREAKER_FAIL,
	BREAKER_PROBE,	/* fail, and start a probe */
};

struct breaker {
	unsigned failures;	/* that open it; 0: it never opens */
	int64_t interval;	/* between probes */
	unsigned row;		/* failures since the last answer */
	bool open, probing;
	int64_t answered;	/* when the last answer came */
	int64_t next_probe;
};

void breaker_init(struct breaker *b, unsigned failures, int64_t interval);
/* BREAKER_PROBE is told to one caller, who must call breaker_probed. */
enum breaker_verdict breaker_ask(struct breaker *b, int64_t now);
/* A transfer that began at `began` timed out or got no connection. True
   when that opened the breaker. */
bool breaker_failed(struct breaker *b, int64_t began);
/* Any HTTP answer. */
void breaker_answered(struct breaker *b, int64_t now);
/* The probe ended, whatever it found. */
void breaker_probed(struct breaker *b);

#endif
