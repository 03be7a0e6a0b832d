/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantities. Numbers are added as doubles, in the order in which they come,
 * so that a page shows the very digits that Backstage's own backend gives;
 * bytes are added as integers and lose nothing.
 */
#include "base.h"

#include <math.h>

#include "jsonx.h"
#include "quantity.h"
#include "strbuf.h"

#define WHOLE_MAX (((__int128)INT64_MAX << 64) | UINT64_MAX)

/* The digits of a decimal number: mantissa / 10^scale. */
struct decimal {
	__int128 mantissa;
	unsigned scale;
	bool exact;		/* false: more digits than fit */
};

/* Read digits with at most one point; returns how far it came. */
static size_t
decimal_read(const char *s, size_t len, struct decimal *d)
{
	bool point = false, digit = false;
	size_t i;

	*d = (struct decimal){ .exact = true };
	for (i = 0; i < len; i++) {
		if (s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s[i] < '0' || s[i] > '9')
			break;
		digit = true;
		if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa) ||
		    __builtin_add_overflow(d->mantissa, s[i] - '0',
		    &d->mantissa))
			d->exact = false;
		d->scale += point;
	}
	return digit ? i : 0;
}

/* mantissa * factor / 10^scale, rounded up (away from what is left over). */
static __int128
decimal_scale(const struct decimal *d, __int128 factor)
{
	__int128 v = d->mantissa, whole;
	unsigned i;

	if (!d->exact || __builtin_mul_overflow(v, factor, &v))
		return WHOLE_MAX;
	whole = v;
	for (i = 0; i < d->scale; i++)
		whole = whole / 10 + (whole % 10 != 0);
	return whole;
}

/* The factor of a suffix that makes an integer; 0 if it is none. */
static __int128
suffix_factor(const char *s, size_t len)
{
	static const char units[] = "kMGTPE";
	static const char binary_units[] = "KMGTPE";
	bool binary = len == 2 && s[1] == 'i';
	const char *set = binary ? binary_units : units;
	const char *at = len >= 1 && s[0] != '\0' ? strchr(set, s[0]) : NULL;
	__int128 factor = 1;

	if (at == NULL || (len != 1 && !binary))
		return 0;
	for (; at >= set; at--)
		factor *= binary ? 1024 : 1000;
	return factor;
}

/* A plain number, an exponent, or n, u, m. */
static bool
number_read(const char *s, size_t len, double *out)
{
	double divisor = 1;
	char copy[QUANTITY_MAX_LEN + 1], *end;

	switch (s[len - 1]) {
	case 'n':
		divisor = 1e9;
		break;
	case 'u':
		divisor = 1e6;
		break;
	case 'm':
		divisor = 1e3;
		break;
	}
	len -= divisor != 1;
	memcpy(copy, s, len);
	copy[len] = '\0';
	/* strtod knows more than quantities: hexadecimal, inf, nan */
	if (strspn(copy, "0123456789.eE+-") != len)
		return false;
	*out = strtod(copy, &end) / divisor;
	return len > 0 && *end == '\0' && isfinite(*out);
}

/* What Kubernetes nearly always writes: few digits, perhaps n, u or m. */
static bool
number_from_digits(const struct decimal *d, const char *suffix, size_t len,
    double *out)
{
	if (d->scale != 0 || d->mantissa >= (__int128)1 << 53 || !d->exact ||
	    len > 1)
		return false;
	*out = (double)d->mantissa;
	if (len == 0)
		return true;
	if (*suffix != 'n' && *suffix != 'u' && *suffix != 'm')
		return false;
	*out /= *suffix == 'n' ? 1e9 : *suffix == 'u' ? 1e6 : 1e3;
	return true;
}

bool
quantity_parse(const char *text, size_t len, struct quantity *out)
{
	bool minus = len > 0 && text[0] == '-';
	size_t sign = len > 0 && (minus || text[0] == '+');
	size_t n;
	struct decimal d;
	__int128 factor;

	*out = (struct quantity)QUANTITY_ZERO;
	if (len == 0 || len > QUANTITY_MAX_LEN)
		return false;
	n = sign + decimal_read(text + sign, len - sign, &d);
	if (n == sign)
		return false;
	if (!minus && number_from_digits(&d, text + n, len - n, &out->number))
		return true;
	if ((factor = suffix_factor(text + n, len - n)) == 0)
		return number_read(text, len, &out->number) ||
		    (out->number = 0, false);
	out->integer = true;
	out->whole = decimal_scale(&d, factor);
	if (minus)
		out->whole = -out->whole;
	return true;
}

/* Half up, as JavaScript's Math.round. */
static __int128
quantity_whole(const struct quantity *q)
{
	double rounded;

	if (q->integer)
		return q->whole;
	rounded = floor(q->number + 0.5);
	if (fabs(rounded) > 1e38)
		return rounded < 0 ? -WHOLE_MAX : WHOLE_MAX;
	return (__int128)rounded;
}

void
quantity_add(struct quantity *sum, const struct quantity *q)
{
	__int128 whole, more;

	if (!sum->integer && !q->integer) {
		sum->number += q->number;
		return;
	}
	whole = quantity_whole(sum);
	more = quantity_whole(q);
	if (__builtin_add_overflow(whole, more, &sum->whole))
		sum->whole = more < 0 ? -WHOLE_MAX : WHOLE_MAX;
	sum->integer = true;
}

void
quantity_print(struct strbuf *sb, const struct quantity *q)
{
	unsigned __int128 v;
	char buf[44], *p = buf + sizeof(buf);

	if (!q->integer) {
		jsonx_add_double(sb, q->number);
		return;
	}
	v = q->whole < 0 ? -(unsigned __int128)q->whole :
	    (unsigned __int128)q->whole;
	*--p = '"';
	do {
		*--p = (char)('0' + (int)(v % 10));
		v /= 10;
	} while (v != 0);
	if (q->whole < 0)
		*--p = '-';
	*--p = '"';
	strbuf_add(sb, p, (size_t)(buf + sizeof(buf) - p));
}
