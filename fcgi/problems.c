/* SPDX-License-Identifier: Apache-2.0 */
/* The list of messages that one reading of the settings gives. */
#include "base.h"

#include "settings.h"

#define PROBLEM_MAX 1024	/* a message is for a person */
#define PROBLEMS_MAX 200	/* nobody reads on after so many */

static char *
message(const char *fmt, va_list ap)
{
	char text[PROBLEM_MAX], *p;

	vsnprintf(text, sizeof(text), fmt, ap);
	/* Names of keys come from a file: no escape codes on a terminal. */
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return xstrdup(text);
}

void
problems_add(struct problems *p, bool warning, const char *fmt, ...)
{
	struct problem *item;
	va_list ap;

	if (!warning)
		p->nerrors++;
	if (p->n > PROBLEMS_MAX)
		return;
	item = &ARRAY_PUSH(p->items, p->n);
	item->warning = warning;
	if (p->n > PROBLEMS_MAX) {
		item->text = xstrdup("there is more, which is not shown");
		return;
	}
	va_start(ap, fmt);
	item->text = message(fmt, ap);
	va_end(ap);
}

void
problems_release(struct problems *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->items[i].text);
	free(p->items);
	memset(p, 0, sizeof(*p));
}
