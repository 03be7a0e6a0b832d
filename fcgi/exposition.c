/* SPDX-License-Identifier: Apache-2.0 */
/* Families, samples, labels, as text. */
#include "base.h"

#include "exposition.h"
#include "jsonscan.h"
#include "metrics.h"
#include "strbuf.h"

void
exposition_family(struct exposition *x, const char *name, const char *type,
    const char *help)
{
	x->name = name;
	strbuf_addf(x->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
	    type);
}

/* Backslash, quote and newline are escaped, and nothing else. */
static void
add_value(struct strbuf *out, const char *value)
{
	size_t left = strlen(value), n;

	for (; left > 0; value += n, left -= n) {
		n = jsonscan_utf8(value, left);
		if (*value == '\\' || *value == '"')
			strbuf_addch(out, '\\');
		if (n == 0) {
			n = 1;
			strbuf_addch(out, '?');
		} else if (*value == '\n') {
			strbuf_add(out, "\\n", 2);
		} else {
			strbuf_add(out, value, n);
		}
	}
}

static void
add_label(struct strbuf *out, const struct label *l, bool first)
{
	strbuf_addch(out, first ? '{' : ',');
	strbuf_addstr(out, l->name);
	strbuf_add(out, "=\"", 2);
	add_value(out, l->value);
	strbuf_addch(out, '"');
}

/* Everything before the value; bound is the label "le", or NULL. */
static void
add_head(struct exposition *x, const char *suffix, const struct label *labels,
    const char *bound)
{
	const struct label le = { "le", bound };
	const struct label *l = labels;

	strbuf_addstr(x->out, x->name);
	strbuf_addstr(x->out, suffix);
	for (; l != NULL && l->name != NULL; l++)
		add_label(x->out, l, l == labels);
	if (bound != NULL)
		add_label(x->out, &le, l == labels);
	if (l != labels || bound != NULL)
		strbuf_addch(x->out, '}');
	strbuf_addch(x->out, ' ');
}

void
exposition_sample(struct exposition *x, const struct label *labels,
    int64_t value)
{
	add_head(x, "", labels, NULL);
	strbuf_addf(x->out, "%lld\n", (long long)value);
}

void
exposition_real(struct exposition *x, const struct label *labels,
    double value)
{
	add_head(x, "", labels, NULL);
	strbuf_addf(x->out, "%.6f\n", value);
}

void
exposition_single(struct exposition *x, const char *name, const char *type,
    const char *help, int64_t value)
{
	exposition_family(x, name, type, help);
	exposition_sample(x, NULL, value);
}

static void
add_bucket(struct exposition *x, const struct label *labels,
    const char *bound, uint64_t n)
{
	add_head(x, "_bucket", labels, bound);
	strbuf_addf(x->out, "%llu\n", (unsigned long long)n);
}

void
exposition_histogram(struct exposition *x, const struct label *labels,
    const struct histogram *h, size_t first)
{
	struct histogram now;
	uint64_t n = histogram_read(h, &now), sum = 0;
	char bound[24];
	size_t i;

	for (i = 0; i < HISTOGRAM_BOUNDS; i++) {
		sum += now.buckets[i];
		if (i < first)
			continue;
		snprintf(bound, sizeof(bound), "%g",
		    (double)histogram_bounds[i] / 1e6);
		add_bucket(x, labels, bound, sum);
	}
	add_bucket(x, labels, "+Inf", n);
	add_head(x, "_sum", labels, NULL);
	strbuf_addf(x->out, "%.6f\n", (double)now.sum / 1e6);
	add_head(x, "_count", labels, NULL);
	strbuf_addf(x->out, "%llu\n", (unsigned long long)n);
}
