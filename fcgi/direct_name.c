/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the direct lane. */
#include "base.h"

#include <openssl/evp.h>

#include "../providers/provider.h"
#include "arena.h"
#include "cluster.h"
#include "direct_name.h"
#include "strbuf.h"
#include "transport.h"

#define READABLE_MAX 32		/* of the cluster's name */
#define DIGEST_BYTES 10		/* of SHA-256 */

/* With its end, so that two parts are never another one. */
static void
add_part(struct strbuf *sb, const char *part)
{
	if (part != NULL)
		strbuf_add(sb, part, strlen(part));
	strbuf_addch(sb, '\0');
}

static void
add_digest(struct strbuf *sb, const struct cluster *c,
    const struct upstream *up)
{
	struct strbuf all = STRBUF_INIT(STRBUF_UNLIMITED);
	unsigned char md[EVP_MAX_MD_SIZE];
	struct upstream_options at;
	size_t i;

	upstream_tell(up, &at);
	add_part(&all, c->name);
	add_part(&all, at.url);
	add_part(&all, at.ca_pem);
	add_part(&all, at.insecure ? "insecure" : NULL);
	if (direct_has_certificate(c)) {
		add_part(&all, c->client_certificate_file);
		add_part(&all, c->client_key_file);
		add_part(&all, c->client_certificate.ptr);
	}
	if (at.public_only)
		add_part(&all, "public");
	if (EVP_Digest(all.buf, all.len, md, NULL, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 failed");
	for (i = 0; i < DIGEST_BYTES; i++)
		strbuf_addf(sb, "%02x", md[i]);
	strbuf_release(&all);
}

const char *
direct_name(struct arena *arena, const struct cluster *c,
    const struct upstream *up)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *p, *name;
	size_t n = 0;

	strbuf_addstr(&sb, DIRECT_PREFIX);
	for (p = c->name; *p != '\0' && n < READABLE_MAX; p++, n++)
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
		    *p == '-')
			strbuf_addch(&sb, *p);
	strbuf_addch(&sb, '-');
	add_digest(&sb, c, up);
	name = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return name;
}

bool
direct_has_certificate(const struct cluster *c)
{
	return c->provider != NULL && strcmp(c->provider->name, "x509") == 0 &&
	    (c->client_certificate_file != NULL ||
	    c->client_certificate.len > 0);
}

const char *
direct_extra(struct arena *arena, const char *key)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	const char *name;

	for (; *key != '\0'; key++) {
		char c = *key;

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			strbuf_addch(&sb, c);
		else
			strbuf_addf(&sb, "-%02x", (unsigned char)c);
	}
	name = arena_strdup(arena, sb.buf);
	strbuf_release(&sb);
	return name;
}
