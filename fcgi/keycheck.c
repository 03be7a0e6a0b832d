/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a string must look like, where its type alone says too little. Each
 * check gives what is wrong, in words that follow the path of the key. They
 * never repeat the value: it may hold a password.
 */
#include "base.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "keys.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789._-"

#define REF_PART_MAX 63		/* Backstage's bound of kinds and names */

/* Behind http:// or https://; NULL if it begins with neither. */
static const char *
after_scheme(const char *url)
{
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

const char *
check_url(const char *value)
{
	const char *host = after_scheme(value);
	size_t len = host ? strcspn(host, "/?#") : 0;

	if (len == 0 || strpbrk(value, " \t\r\n\"<>\\") != NULL)
		return "not a URL such as https://host:port/path";
	if (memchr(host, '@', len) != NULL)
		return "a URL with a user name or password; leave it out";
	return NULL;
}

const char *
check_origin(const char *value)
{
	const char *host = after_scheme(value);

	if (host == NULL || *host == '\0' ||
	    strpbrk(host, "/?#@ \t\r\n\"<>\\") != NULL)
		return "not an origin such as https://portal.example.org, "
		    "without a path";
	return NULL;
}

static bool
port_ok(const char *s)
{
	char *end;
	long v;

	if (*s < '0' || *s > '9')
		return false;
	v = strtol(s, &end, 10);
	return *end == '\0' && v >= 1 && v <= 65535;
}

const char *
check_listen(const char *value)
{
	struct sockaddr_un un;
	const char *colon;

	if (str_starts(value, "unix:")) {
		if (value[5] != '/')
			return "not an absolute path behind unix:";
		return strlen(value + 5) < sizeof(un.sun_path) ? NULL :
		    "too long for a Unix socket's path";
	}
	colon = strrchr(value, ':');
	if (colon == NULL || colon == value || !port_ok(colon + 1))
		return "neither unix:PATH nor HOST:PORT";
	return NULL;
}

/* A path whose segments stand for themselves. */
static bool
plain_path(const char *s)
{
	size_t len;

	while (*s == '/') {
		len = strspn(++s, NAME_CHARS "~");
		if (len == 0)
			return *s == '\0';
		if (strncmp(s, "..", SD_MAX(len, (size_t)2)) == 0 ||
		    (len == 1 && *s == '.'))
			return false;
		s += len;
	}
	return *s == '\0';
}

const char *
check_base_path(const char *value)
{
	return *value == '/' && plain_path(value) ? NULL :
	    "not a plain path such as /api/kubernetes";
}

const char *
check_route(const char *value)
{
	return *value == '/' && value[1] != '\0' && plain_path(value) ? NULL :
	    "not a plain path such as /metrics";
}

/* [kind:][namespace/]name, the parts of plain characters. */
static bool
ref_ok(const char *s)
{
	size_t len = strspn(s, NAME_CHARS);

	if (len > REF_PART_MAX)
		return false;
	if (len > 0 && s[len] == ':') {
		s += len + 1;
		len = strspn(s, NAME_CHARS);
	}
	if (len > 0 && len <= REF_PART_MAX && s[len] == '/') {
		s += len + 1;
		len = strspn(s, NAME_CHARS);
	}
	return len > 0 && s[len] == '\0' && len <= REF_PART_MAX;
}

const char *
check_ref(const char *value)
{
	return *value == '\0' || ref_ok(value) ? NULL :
	    "not an entity ref such as user:default/guest";
}

const char *
check_member(const char *value)
{
	if (ref_ok(value) && (strncasecmp(value, "user:", 5) == 0 ||
	    strncasecmp(value, "group:", 6) == 0))
		return NULL;
	return "not a user or group such as user:default/some.user or "
	    "group:default/sre";
}

const char *
check_network(const char *value)
{
	unsigned char address[16];
	char text[INET6_ADDRSTRLEN], *end;
	const char *slash = strchr(value, '/');
	size_t len = slash ? (size_t)(slash - value) : strlen(value);
	int family = strchr(value, ':') ? AF_INET6 : AF_INET;
	long bits = 0;

	if (slash != NULL && slash[1] >= '0' && slash[1] <= '9') {
		bits = strtol(slash + 1, &end, 10);
		slash = *end == '\0' ? NULL : slash;
	}
	if (slash == NULL && len < sizeof(text) &&
	    bits <= (family == AF_INET ? 32 : 128)) {
		memcpy(text, value, len);
		text[len] = '\0';
		if (inet_pton(family, text, address) == 1)
			return NULL;
	}
	return "not an address or network such as 127.0.0.1/8";
}

const char *
check_audit(const char *value)
{
	static const char *const words[] = { "stderr", "syslog", "off", NULL };

	if (keys_word(words, value) >= 0 || str_starts(value, "file:/"))
		return NULL;
	return "not \"stderr\", \"syslog\", \"off\" or \"file:\" with an "
	    "absolute path";
}

#define SOCKET_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define DIGITS "0123456789"

/* /path, or /path?db=N */
static const char *
check_socket_url(const char *path)
{
	size_t len = strcspn(path, "?");
	const char *db = path + len;

	if (len > SOCKET_MAX)
		return "longer than the path of a socket may be";
	if (*db == '\0' || (str_starts(db, "?db=") && db[4] != '\0' &&
	    db[4 + strspn(db + 4, DIGITS)] == '\0'))
		return NULL;
	return "not unix:/path or unix:/path?db=number";
}

const char *
check_store_url(const char *value)
{
	const char *host, *port, *db;
	size_t len, digits;

	if (str_starts(value, "unix:/"))
		return check_socket_url(value + strlen("unix:"));
	if (!str_starts(value, "redis://"))
		return "neither unix:/path nor redis://host:port/db";
	host = value + strlen("redis://");
	if (strchr(host, '@') != NULL)
		return "a URL with a password; username and password are keys "
		    "of their own";
	len = strcspn(host, "/");
	db = host + len + (host[len] == '/');
	port = memrchr(host, ':', len);
	digits = port == NULL ? 0 : strspn(port + 1, DIGITS);
	if (port == NULL || port == host || digits == 0 || digits > 5 ||
	    port + 1 + digits != host + len ||
	    db[strspn(db, DIGITS)] != '\0')
		return "not redis://host:port/db, db being a number";
	return NULL;
}

const char *
check_template(const char *value)
{
	static const char *const words[] = { "user", "name", "namespace",
	    "email", "groups", NULL };
	const char *p, *end;
	char word[16];

	/* Kubernetes keeps these for itself: system:masters may all. */
	if (strncasecmp(value, "system:", 7) == 0)
		return "system: names are not given away";
	for (p = strchr(value, '{'); p != NULL; p = strchr(end, '{')) {
		end = p + strcspn(p, "}");
		snprintf(word, sizeof(word), "%.*s",
		    (int)SD_MIN((size_t)(end - p) - 1, sizeof(word) - 1),
		    p + 1);
		if (*end == '\0' || keys_word(words, word) < 0)
			return "only {user}, {name}, {namespace}, {email} and "
			    "{groups} are known between braces";
	}
	return NULL;
}

const char *
check_template_one(const char *value)
{
	if (strstr(value, "{groups}") != NULL)
		return "{groups} may be many, and this is one: it has its "
		    "place in groups and extra";
	return check_template(value);
}

const char *
check_action(const char *value)
{
	static const char *const words[] = { "create", "read", "update",
	    "delete", NULL };
	char word[16];
	size_t len;

	/* As in Backstage: one string may hold several. */
	for (; *value != '\0'; value += len + strspn(value + len, " ,")) {
		len = strcspn(value, " ,");
		snprintf(word, sizeof(word), "%.*s",
		    (int)SD_MIN(len, sizeof(word) - 1), value);
		if (len > 0 && keys_word(words, word) < 0)
			return "not create, read, update or delete";
	}
	return NULL;
}

const char *
check_login_name(const char *value)
{
	size_t i;

	for (i = 0; value[i] != '\0'; i++)
		if (!((value[i] >= 'a' && value[i] <= 'z') ||
		    (value[i] >= 'A' && value[i] <= 'Z') ||
		    (value[i] >= '0' && value[i] <= '9') ||
		    strchr("._-", value[i]) != NULL))
			return "only letters, digits and ._- stand in a path";
	return i > 64 ? "longer than 64 letters" : NULL;
}
