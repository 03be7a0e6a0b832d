/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are right in themselves, and do not fit this machine. */
#include "base.h"

#include <grp.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "audit.h"
#include "err.h"
#include "files.h"
#include "serve_checks.h"
#include "settings.h"
#include "store.h"
#include "strbuf.h"

#define ROOTS_MAX (4 * 1024 * 1024)
#define PASSWORD_MAX 4096
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

static int
check_key_file(const struct settings *s, struct problems *problems)
{
	const char *at = s->store_key_file_at ? s->store_key_file_at :
	    "settings";
	struct err err = ERR_INIT;

	if (store_check(&s->store, &err) == 0)
		return 0;
	problems_add(problems, false, "%s: stagedoor.store.keyFile: %s", at,
	    err.text);
	return E_CONFIG;
}

static int
check_folder(const struct settings *s, struct problems *problems)
{
	const char *at = s->store_path_at ? s->store_path_at : "settings";
	const char *slash = strrchr(s->store.path, '/');
	struct strbuf folder = STRBUF_INIT(PATH_MAX);
	struct stat st;
	int r = 0;

	strbuf_add(&folder, s->store.path, slash == NULL ? 0 :
	    (size_t)(slash - s->store.path));
	if (folder.len == 0)
		strbuf_addstr(&folder, slash == NULL ? "." : "/");
	if (stat(folder.buf, &st) != 0 || !S_ISDIR(st.st_mode)) {
		problems_add(problems, false, "%s: stagedoor.store.path: "
		    "there is no folder '%s': make one that only the server "
		    "may use (chmod 700)", at, folder.buf);
		r = E_CONFIG;
	}
	strbuf_release(&folder);
	return r;
}

static int
check_password_file(const struct settings *s, struct problems *problems)
{
	struct secret password = SECRET_INIT;
	struct err err = ERR_INIT;

	if (s->store.password_file == NULL || file_read(
	    s->store.password_file, PASSWORD_MAX, &password, &err) == 0) {
		secret_release(&password);
		return 0;
	}
	problems_add(problems, false, "%s: stagedoor.store.passwordFile: %s",
	    s->store_password_file_at ? s->store_password_file_at :
	    "settings", err.text);
	return E_CONFIG;
}

int
serve_check_store(const struct settings *s, struct problems *problems)
{
	int keys, rest;

	if (s->store.type == NULL || s->store.key_file == NULL ||
	    (s->store.path == NULL && s->store.url == NULL))
		return 0;
	keys = check_key_file(s, problems);
	rest = str_eq(s->store.type, "sqlite") ? check_folder(s, problems) :
	    check_password_file(s, problems);
	return keys != 0 ? keys : rest;
}

int
serve_check_audit(const struct settings *s, struct problems *problems)
{
	const char *at = s->audit_at ? s->audit_at : "settings";
	struct err err = ERR_INIT;

	if (audit_check(s->audit, &err) == 0)
		return 0;
	problems_add(problems, false, "%s: stagedoor.audit: %s", at,
	    err.text);
	return E_CONFIG;
}

int
serve_check(const struct settings *s, struct problems *problems)
{
	int roots = serve_check_roots(s, problems);
	int group = serve_check_group(s, problems);
	int store = serve_check_store(s, problems);
	int to = serve_check_audit(s, problems);

	return roots != 0 ? roots : group != 0 ? group : store != 0 ? store :
	    to;
}
