/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for addresses that come from the catalog. */
#include "base.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

#include "arena.h"
#include "catalog_url.h"
#include "cluster.h"

#define URL_MAX 2048
#define HOST_MAX_LEN 253	/* bytes of a name in DNS */
#define HOST_BYTES "abcdefghijklmnopqrstuvwxyz0123456789-_."

/* Printable ASCII without what only sloppy readers put up with. */
static bool
bytes_ok(const char *s)
{
	size_t len = strlen(s);

	if (len > URL_MAX)
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f || strchr("\\\"<>^`{|}", *s))
			return false;
	return true;
}

static bool
port_ok(const char *s, size_t len)
{
	long port = 0;
	size_t i;

	if (len < 2 || len > 6 || s[0] != ':')
		return len == 0;
	for (i = 1; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		port = port * 10 + (s[i] - '0');
	}
	return port > 0 && port <= 65535;
}

/* "[2001:db8::1]" at s; returns its length, 0: it is none. No zone ids. */
static size_t
read_six(struct arena *arena, const char *s, size_t len,
    struct catalog_url *out)
{
	const char *end = memchr(s, ']', len);
	struct in6_addr six;

	if (end == NULL)
		return 0;
	out->host = arena_strndup(arena, s + 1, (size_t)(end - s) - 1);
	out->literal = true;
	return inet_pton(AF_INET6, out->host, &six) == 1 ?
	    (size_t)(end - s) + 1 : 0;
}

static size_t
read_name(struct arena *arena, const char *s, size_t len,
    struct catalog_url *out)
{
	struct in_addr four;
	char *host, *p;
	size_t n;

	host = arena_strndup(arena, s, len);
	for (p = host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	n = strspn(host, HOST_BYTES);
	host[n] = '\0';
	out->host = host;
	out->literal = inet_pton(AF_INET, host, &four) == 1;
	return n <= HOST_MAX_LEN ? n : 0;
}

const char *
catalog_url_read(struct arena *arena, const char *text,
    struct catalog_url *out)
{
	struct in_addr four;
	const char *s;
	size_t len, n;

	memset(out, 0, sizeof(*out));
	if (strncasecmp(text, "https://", 8) == 0)
		out->tls = true;
	else if (strncasecmp(text, "http://", 7) != 0)
		return "its address is not an http or https URL";
	if (!bytes_ok(text))
		return "its address is not a URL";
	s = text + (out->tls ? 8 : 7);
	len = strcspn(s, "/?#");
	if (memchr(s, '@', len) != NULL)
		return "its address holds a user's name or password";
	if (strpbrk(s, "?#") != NULL)
		return "its address has a query or a fragment";
	n = *s == '[' ? read_six(arena, s, len, out) :
	    read_name(arena, s, len, out);
	if (n == 0 || !port_ok(s + n, len - n))
		return "its address is not a URL";
	if (!out->literal && inet_aton(out->host, &four))
		return "its address is a number in an odd notation";
	return NULL;
}

static bool
is_under(const char *host, const char *domain)
{
	size_t h = strlen(host), d = strlen(domain);

	return h >= d && strcasecmp(host + h - d, domain) == 0 &&
	    (h == d || host[h - d - 1] == '.');
}

static bool
matches(const char *host, const char *pattern)
{
	size_t len = strlen(pattern);

	if (str_starts(pattern, "*."))
		return pattern[2] != '\0' && is_under(host, pattern + 2);
	if (len > 2 && pattern[0] == '[' && pattern[len - 1] == ']')
		return strlen(host) == len - 2 &&
		    strncasecmp(host, pattern + 1, len - 2) == 0;
	return strcasecmp(host, pattern) == 0;
}

bool
catalog_url_allowed(const struct catalog_url *u,
    const struct string_list *allow)
{
	size_t i;

	for (i = 0; i < allow->n; i++)
		if (matches(u->host, allow->items[i]))
			return true;
	return false;
}

static bool
literal_is_public(const char *host)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&v4);
	return inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 &&
	    address_is_public((const struct sockaddr *)&v6);
}

const char *
catalog_url_refused(const struct catalog_url *u, enum address_verdict verdict)
{
	if (!u->tls)
		return "its address is not https";
	if (u->literal)
		return literal_is_public(u->host) ? NULL :
		    "its address is not public";
	if (verdict == ADDRESS_PRIVATE)
		return "its host stands for an address that is not public";
	if (verdict == ADDRESS_ABSENT)
		return "its host is not known in DNS";
	return NULL;
}
