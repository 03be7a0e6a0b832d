/* SPDX-License-Identifier: Apache-2.0 */
/* Time: the wall clock for stamps, the monotonic one for every deadline. */
#ifndef STAGEDOOR_CLOCK_H
#define STAGEDOOR_CLOCK_H

int64_t clock_wall_ms(void);	/* milliseconds since 1970, UTC */
int64_t clock_mono_ms(void);	/* milliseconds since some point at boot */
int64_t clock_mono_us(void);	/* the same in microseconds */
/* Seconds (a setting) to milliseconds, rounded up so that 0.0001 is not 0. */
int64_t clock_ms(double seconds);

#define CLOCK_STAMP_LEN 25	/* 2026-01-02T03:04:05.678Z and NUL */
const char *clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_LEN]);

#endif
