/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of the environment in strings. */
#include "base.h"

#include "expand.h"
#include "strbuf.h"

#define EXPANDED_MAX (16 * 1024 * 1024)

/* The length of "{...}" at s, 0 if there is none. */
static size_t
braces(const char *s)
{
	size_t len;

	if (*s != '{')
		return 0;
	len = 1 + strcspn(s + 1, "{}");
	return s[len] == '}' ? len + 1 : 0;
}

/* What begins at a $: its length; *escaped if it is $${...}. 0: nothing. */
static size_t
reference(const char *s, bool *escaped)
{
	size_t len;

	if (s[0] != '$')
		return 0;
	*escaped = s[1] == '$' && (len = braces(s + 2)) > 0;
	if (*escaped)
		return len + 2;
	len = braces(s + 1);
	return len > 0 ? len + 1 : 0;
}

bool
expand_refers(const char *s)
{
	bool escaped;
	size_t len;

	for (; *s != '\0'; s += len > 0 ? len : 1)
		if ((len = reference(s, &escaped)) > 0 && !escaped)
			return true;
	return false;
}

/* Without the white space around it; *len gets its length. */
static const char *
trimmed(const char *s, size_t *len)
{
	static const char blanks[] = " \t\r\n\v\f";

	while (*len > 0 && strchr(blanks, *s) != NULL) {
		s++;
		--*len;
	}
	while (*len > 0 && strchr(blanks, s[*len - 1]) != NULL)
		--*len;
	return s;
}

/* What the next part of s stands for: s moves past it. NULL: not set. */
static const char *
next_part(const char **s, size_t *len, char **missing)
{
	const char *start = *s, *value;
	bool escaped;
	char *name;

	if ((*len = reference(start, &escaped)) == 0) {
		*len = 1 + strcspn(start + 1, "$");
		*s += *len;
		return start;
	}
	*s += *len;
	if (escaped) {
		--*len;
		return start + 1;
	}
	*len -= 3;
	value = trimmed(start + 2, len);
	name = xstrndup(value, *len);
	if ((value = getenv(name)) == NULL) {
		*missing = name;
		return NULL;
	}
	free(name);
	*len = strlen(value);
	return trimmed(value, len);
}

char *
expand(const char *s, char **missing)
{
	const char *p, *part;
	size_t len, all = 0;
	char *out;

	/* First how long it is: growing would leave copies behind. */
	*missing = NULL;
	for (p = s; *p != '\0'; all += len)
		if ((part = next_part(&p, &len, missing)) == NULL)
			return NULL;
	out = xmalloc(all + 1);
	for (p = s, all = 0; *p != '\0'; all += len) {
		if ((part = next_part(&p, &len, missing)) == NULL)
			BUG("a variable went away");
		memcpy(out + all, part, len);
	}
	out[all] = '\0';
	return out;
}

char *
expand_escape(const char *s)
{
	struct strbuf out = STRBUF_INIT(EXPANDED_MAX);
	bool escaped;

	for (; *s != '\0'; s++) {
		/* Each $ that begins something gets another one before it. */
		if (reference(s, &escaped) > 0 && !escaped)
			strbuf_addch(&out, '$');
		strbuf_addch(&out, *s);
	}
	return strbuf_detach(&out, NULL);
}
