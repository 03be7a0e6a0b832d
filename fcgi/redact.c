/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting secrets out of other people's words. */
#include "base.h"

#include <ctype.h>

#include "redact.h"

#define MARK "***"
#define MARK_LEN (sizeof(MARK) - 1)
#define SHORT 6			/* shorter values are no secrets */
#define MIXED_MIN 20		/* characters of a run with all sorts of them */
#define RUN_MIN 32		/* of a run with digits and letters */

static const char *const telling[] = { "token", "secret", "password",
    "passwd", "pwd", "authorization", "credential", "signature", "key",
    "assertion", NULL };

/* Replace len characters at `at`; returns where to go on. */
static char *
cut(char *at, size_t len)
{
	if (len < MARK_LEN) {
		memset(at, '*', len);
		return at + len;
	}
	memcpy(at, MARK, MARK_LEN);
	memmove(at + MARK_LEN, at + len, strlen(at + len) + 1);
	return at + MARK_LEN;
}

void
redact_value(char *text, const char *secret)
{
	size_t len = strlen(secret);

	if (len < SHORT)
		return;
	while ((text = strstr(text, secret)) != NULL)
		text = cut(text, len);
}

static bool
in_run(char c)
{
	return isalnum((unsigned char)c) || strchr("_-+/=~%", c) != NULL;
}

static size_t
run_length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && in_run(s[n]))
		n++;
	return n;
}

/* A UUID names a tenant or a request; people need it. */
static bool
is_uuid(const char *s, size_t len)
{
	size_t i;

	if (len != 36)
		return false;
	for (i = 0; i < len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' :
		    !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool
looks_random(const char *s, size_t len)
{
	size_t i, upper = 0, lower = 0, digit = 0;

	for (i = 0; i < len; i++) {
		upper += isupper((unsigned char)s[i]) != 0;
		lower += islower((unsigned char)s[i]) != 0;
		digit += isdigit((unsigned char)s[i]) != 0;
	}
	if (len >= MIXED_MIN && upper > 0 && lower > 0 && digit > 0)
		return true;
	return len >= RUN_MIN && digit > 0 && upper + lower > 0 &&
	    !is_uuid(s, len);
}

/* Is [s, s + len) a name whose value is a secret: "access_token"? */
static bool
is_telling(const char *s, size_t len)
{
	size_t i, n;

	for (i = 0; telling[i] != NULL; i++) {
		n = strlen(telling[i]);
		if (len >= n && strncasecmp(s + len - n, telling[i], n) == 0)
			return true;
	}
	return false;
}

/* Of `name = "value"` or `name: value` after the name: the value's start;
   NULL if none follows. */
static char *
value_after(char *s)
{
	bool sign;

	s += strspn(s, "\"'");
	s += strspn(s, " ");
	sign = *s == '=' || *s == ':';
	s += sign ? 1 : 0;
	s += strspn(s, " ");
	s += strspn(s, "\"'");
	if (sign && strncasecmp(s, "bearer ", 7) == 0)
		s += 7;
	return sign && strncmp(s, MARK, MARK_LEN) != 0 ? s : NULL;
}

static size_t
name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-')
		n++;
	return n;
}

/* What follows a telling name, if s is the start of one. */
static char *
cut_named(char *s, size_t name)
{
	char *value = NULL;
	size_t len;

	if (name == 6 && strncasecmp(s, "bearer ", 7) == 0)
		value = s + 7;
	else if (is_telling(s, name))
		value = value_after(s + name);
	len = value != NULL ? strcspn(value, " \"',;&") : 0;
	return len > 0 ? cut(value, len) : NULL;
}

/* user:password@ behind "//". */
static void
cut_users(char *text)
{
	size_t len;

	while ((text = strstr(text, "//")) != NULL) {
		text += 2;
		len = strcspn(text, "/?# \"'");
		while (len > 0 && text[len] != '@')
			len--;
		if (len > 0)
			text = cut(text, len);
	}
}

void
redact(char *text)
{
	size_t name, run;
	char *next;

	cut_users(text);
	while (*text != '\0') {
		name = name_length(text);
		run = run_length(text);
		if (name > 0 && (next = cut_named(text, name)) != NULL)
			text = next;
		else if (run > 0 && looks_random(text, run))
			text = cut(text, run);
		else
			text += SD_MAX(SD_MAX(name, run > 0 ? (size_t)1 :
			    (size_t)0), (size_t)1);
	}
}
