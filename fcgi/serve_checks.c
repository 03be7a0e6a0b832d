/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are right in themselves, and do not fit this machine. */
#include "base.h"

#include <grp.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "err.h"
#include "files.h"
#include "serve_checks.h"
#include "settings.h"

#define ROOTS_MAX (4 * 1024 * 1024)
#define GROUP_MAX 16384		/* bytes of an entry, with its members */

static bool
has_certificate(const struct secret *pem)
{
	BIO *bio = pem->len > 0 ? BIO_new_mem_buf(pem->ptr, (int)pem->len) :
	    NULL;
	X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL,
	    NULL);
	bool has = cert != NULL;

	X509_free(cert);
	BIO_free(bio);
	return has;
}

int
serve_check_roots(const struct settings *s, struct problems *problems)
{
	const char *at = s->ca_file_at ? s->ca_file_at : "settings";
	struct secret pem = SECRET_INIT;
	struct err err = ERR_INIT;

	if (s->ca_file == NULL)
		return 0;
	if (file_read(s->ca_file, ROOTS_MAX, &pem, &err) == 0 &&
	    !has_certificate(&pem))
		err_set(&err, E_CONFIG, "'%s' holds no PEM certificate",
		    s->ca_file);
	secret_release(&pem);
	if (err.code == 0)
		return 0;
	problems_add(problems, false, "%s: stagedoor.caFile: %s", at,
	    err.text);
	return E_CONFIG;
}

int
serve_check_group(const struct settings *s, struct problems *problems)
{
	const char *at = s->socket_group_at ? s->socket_group_at : "settings";
	struct group gr, *found = NULL;
	char buf[GROUP_MAX];

	if (s->socket_group == NULL || *s->socket_group == '\0' ||
	    s->listen == NULL || !str_starts(s->listen, "unix:"))
		return 0;
	if (getgrnam_r(s->socket_group, &gr, buf, sizeof(buf), &found) == 0 &&
	    found != NULL)
		return 0;
	problems_add(problems, false, "%s: stagedoor.socketGroup: there is no "
	    "group '%.64s'", at, s->socket_group);
	return E_CONFIG;
}

int
serve_check(const struct settings *s, struct problems *problems)
{
	int roots = serve_check_roots(s, problems);
	int group = serve_check_group(s, problems);

	return roots != 0 ? roots : group;
}
