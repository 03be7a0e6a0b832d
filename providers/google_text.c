/* SPDX-License-Identifier: Apache-2.0 */
/* URLs that may be asked, and strings in other people's alphabets. */
#include "base.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "arena.h"
#include "google_private.h"
#include "strbuf.h"

#define HOST_MAX 256

struct parts {
	bool tls;
	char host[HOST_MAX];	/* lower case, without brackets and port */
};

/* Host and port: no user info, no escapes, nothing that clients read in
   different ways. */
static bool
read_authority(const char *s, size_t len, char host[HOST_MAX])
{
	const char *end = s + len, *port;
	size_t i, n;

	if (len > 0 && *s == '[') {
		s++;
		n = strspn(s, "0123456789abcdefABCDEF:");
		port = s + n + 1;
		if (s[n] != ']')
			return false;
	} else {
		n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
		port = s + n;
	}
	if (n == 0 || n >= HOST_MAX || s + n > end)
		return false;
	for (i = 0; i < n; i++)
		host[i] = (char)tolower((unsigned char)s[i]);
	host[n] = '\0';
	if (port == end)
		return true;
	return *port == ':' && port + 1 < end && end - port <= 6 &&
	    strspn(port + 1, "0123456789") == (size_t)(end - port - 1);
}

static bool
read_parts(const char *url, struct parts *out)
{
	const char *p;

	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	out->tls = strncasecmp(url, "https://", 8) == 0;
	if (!out->tls && strncasecmp(url, "http://", 7) != 0)
		return false;
	p = url + (out->tls ? 8 : 7);
	return read_authority(p, strcspn(p, "/?#"), out->host);
}

static bool
is_loopback(const char *host)
{
	struct in_addr a;
	struct in6_addr a6;

	if (inet_pton(AF_INET, host, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &a6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&a6);
	return strcmp(host, "localhost") == 0;
}

static bool
is_google(const char *host)
{
	static const char domain[] = ".googleapis.com";
	size_t len = strlen(host), tail = sizeof(domain) - 1;

	return len > tail && *host != '.' &&
	    strcmp(host + len - tail, domain) == 0;
}

bool
google_url_ok(const char *url, enum google_trust trust)
{
	struct parts u;

	if (!read_parts(url, &u))
		return false;
	switch (trust) {
	case GOOGLE_ANYWHERE:
		return true;
	case GOOGLE_TLS:
		return u.tls || is_loopback(u.host);
	case GOOGLE_OWN:
		return (u.tls && is_google(u.host)) || is_loopback(u.host);
	case GOOGLE_LOOPBACK:
		return is_loopback(u.host);
	}
	return false;
}

char *
google_host(struct arena *arena, const char *url)
{
	const char *p = strstr(url, "://");

	p = p != NULL ? p + 3 : url;
	return arena_strndup(arena, p, strcspn(p, "/?#"));
}

/* --- Strings ------------------------------------------------------------- */

static char *
take(struct arena *arena, struct strbuf *sb)
{
	char *out = arena_strndup(arena, sb->buf, sb->len);

	strbuf_wipe(sb);
	return out;
}

char *
google_encode(struct arena *arena, const char *s)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_room(&sb, 3 * strlen(s));	/* once: what it holds stays in
						   one place */
	strbuf_add_percent(&sb, s, "");
	return take(arena, &sb);
}

char *
google_quote(struct arena *arena, const char *s)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);

	strbuf_room(&sb, 6 * strlen(s) + 2);
	jsonx_add_string(&sb, s, strlen(s));
	return take(arena, &sb);
}

char *
google_quote_words(struct arena *arena, const char *s)
{
	char *out = arena_strdup(arena, "[");
	size_t len;

	for (s += strspn(s, " "); *s != '\0'; s += strspn(s, " ")) {
		len = strcspn(s, " ");
		out = arena_printf(arena, "%s%s%s", out,
		    out[1] != '\0' ? "," : "",
		    google_quote(arena, arena_strndup(arena, s, len)));
		s += len;
	}
	return arena_printf(arena, "%s]", out);
}

const char *
google_need(struct json_object *obj, const char *key, struct err *err)
{
	const char *value = jsonx_str(obj, key);

	if (value != NULL && *value != '\0')
		return value;
	err_set(err, E_CONFIG, "%s is missing in it, or not a string", key);
	return NULL;
}
