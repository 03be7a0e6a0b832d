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

static char *
trimmed(const char *s, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", *s) != NULL) {
		s++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL)
		len--;
	return xstrndup(s, len);
}

static void
add_trimmed(struct strbuf *out, const char *value)
{
	size_t len;

	value += strspn(value, " \t\r\n\v\f");
	len = strlen(value);
	while (len > 0 && strchr(" \t\r\n\v\f", value[len - 1]) != NULL)
		len--;
	strbuf_add(out, value, len);
}

char *
expand(const char *s, char **missing)
{
	struct strbuf out = STRBUF_INIT(EXPANDED_MAX);
	const char *value;
	bool escaped;
	size_t len;

	for (; *s != '\0'; s += len > 0 ? len : 1) {
		if ((len = reference(s, &escaped)) == 0) {
			strbuf_addch(&out, *s);
		} else if (escaped) {
			strbuf_add(&out, s + 1, len - 1);
		} else {
			*missing = trimmed(s + 2, len - 3);
			if ((value = getenv(*missing)) == NULL) {
				strbuf_wipe(&out);
				return NULL;
			}
			free(*missing);
			add_trimmed(&out, value);
		}
	}
	*missing = NULL;
	return strbuf_detach(&out, NULL);
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
