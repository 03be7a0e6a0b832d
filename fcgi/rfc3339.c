/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time, strictly. */
#include "base.h"

#include "rfc3339.h"

/* Exactly n digits, of a number from min to max; -1: there are none. */
static int
number(const char **at, int n, int min, int max)
{
	int value = 0;

	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + **at - '0';
	}
	return value >= min && value <= max ? value : -1;
}

static bool
mark(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool
date(const char **at, struct tm *tm)
{
	struct tm same;
	time_t seconds;

	tm->tm_year = number(at, 4, 0, 9999);
	if (tm->tm_year < 0 || !mark(at, '-') ||
	    (tm->tm_mon = number(at, 2, 1, 12)) < 0 || !mark(at, '-') ||
	    (tm->tm_mday = number(at, 2, 1, 31)) < 0)
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	same = *tm;
	seconds = timegm(&same);
	return gmtime_r(&seconds, &same) != NULL &&
	    same.tm_mday == tm->tm_mday;	/* else the 31st of June */
}

static bool
hours(const char **at, struct tm *tm)
{
	return (tm->tm_hour = number(at, 2, 0, 23)) >= 0 && mark(at, ':') &&
	    (tm->tm_min = number(at, 2, 0, 59)) >= 0 && mark(at, ':') &&
	    (tm->tm_sec = number(at, 2, 0, 59)) >= 0;
}

static bool
fraction(const char **at, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (!mark(at, '.'))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
		*ms += (**at - '0') * scale;
	return true;
}

/* Minutes east of Greenwich. */
static bool
offset(const char **at, int *minutes)
{
	int sign = **at == '-' ? -1 : 1, h, m;

	*minutes = 0;
	if (mark(at, 'Z'))
		return true;
	if ((!mark(at, '+') && !mark(at, '-')) ||
	    (h = number(at, 2, 0, 23)) < 0 || !mark(at, ':') ||
	    (m = number(at, 2, 0, 59)) < 0)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool
rfc3339_parse(const char *text, int64_t *wall_ms)
{
	struct tm tm = { 0 };
	int ms, minutes;

	if (!date(&text, &tm) || !mark(&text, 'T') || !hours(&text, &tm) ||
	    !fraction(&text, &ms) || !offset(&text, &minutes) || *text != '\0')
		return false;
	*wall_ms = ((int64_t)timegm(&tm) - minutes * 60) * 1000 + ms;
	return true;
}
