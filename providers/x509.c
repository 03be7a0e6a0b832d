/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509: a client certificate with its key, from the settings or from files
 * (of a kubeconfig, too). Files are read for each request, for they rotate;
 * the connections of the old pair are not used for the new one.
 */
#include "base.h"

#include <time.h>

#include "keypair.h"
#include "provider.h"

#define ROTATION_TRIES 2	/* one half may be new, the other still old */

/* Where one half of the pair is. */
struct half {
	const char *what, *key;		/* in words, and in the settings */
	const char *file;		/* beats value */
	const struct secret *value;
};

static struct half
half_certificate(const struct cluster *c)
{
	return (struct half){ "certificate", "clientCertificate",
		c->client_certificate_file, &c->client_certificate };
}

static struct half
half_key(const struct cluster *c)
{
	return (struct half){ "key", "clientKey", c->client_key_file,
		&c->client_key };
}

static int
half_check(const struct half *h, struct err *err)
{
	if (h->file != NULL || h->value->len > 0)
		return 0;
	return err_set(err, E_CONFIG, "authProvider 'x509' needs a client %s: "
	    "set %sFile", h->what, h->key);
}

static int
half_read(const struct provider_call *call, const struct half *h,
    struct secret *out, struct err *err)
{
	struct err why = ERR_INIT;

	if (h->file == NULL) {
		call->note(call, "client %s: %s of the settings", h->what,
		    h->key);
		secret_set(out, h->value->ptr, h->value->len);
		return 0;
	}
	if (call->read_file(h->file, out, &why) == 0) {
		call->note(call, "client %s: '%s' is read", h->what, h->file);
		return 0;
	}
	call->note(call, "client %s: '%s' cannot be read", h->what, h->file);
	err_set(err, E_SYSTEM, "the file of the client %s of cluster '%s' "
	    "cannot be read: the log says why", h->what, call->cluster->name);
	err_detail(err, "%s", why.text);
	return E_SYSTEM;
}

static int
check(const struct cluster *c, struct err *err)
{
	const struct half certificate = half_certificate(c);
	const struct half key = half_key(c);
	const char *flaw;
	int64_t expires;
	int r;

	if ((r = half_check(&certificate, err)) != 0 ||
	    (r = half_check(&key, err)) != 0)
		return r;
	if (strncasecmp(c->url, "https://", 8) != 0)
		return err_set(err, E_CONFIG, "a client certificate needs an "
		    "https url");
	/* What is in a file may be another one tomorrow. */
	if (certificate.file != NULL || key.file != NULL)
		return 0;
	flaw = keypair_flaw(certificate.value, key.value, &expires);
	return flaw == NULL ? 0 : err_set(err, E_CONFIG, "%s", flaw);
}

static int
read_pair(const struct provider_call *call, struct credential *out,
    const char **flaw, struct err *err)
{
	const struct half certificate = half_certificate(call->cluster);
	const struct half key = half_key(call->cluster);
	int r;

	if ((r = half_read(call, &certificate, &out->certificate, err)) != 0 ||
	    (r = half_read(call, &key, &out->key, err)) != 0)
		return r;
	*flaw = keypair_flaw(&out->certificate, &out->key, &out->expires);
	if (*flaw != NULL)
		call->note(call, "%s", *flaw);
	return 0;
}

static int
refuse_expired(const struct provider_call *call, int64_t expires,
    struct err *err)
{
	time_t seconds = (time_t)(expires / 1000);
	char when[32] = "";
	struct tm tm;

	if (expires > call->now)
		return 0;
	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm);
	return err_set(err, E_CONFIG, "cluster '%s': its client certificate "
	    "expired at %s: put a new one, with its key, in its place",
	    call->cluster->name, when);
}

static enum provider_verdict
obtain(const void *state UNUSED, const struct provider_call *call,
    struct credential *out, struct err *err)
{
	const char *flaw = "";
	int r = 0, i;

	for (i = 0; i < ROTATION_TRIES && r == 0 && flaw != NULL; i++)
		r = read_pair(call, out, &flaw, err);
	if (r == 0 && flaw != NULL)
		r = err_set(err, E_CONFIG, "cluster '%s': %s",
		    call->cluster->name, flaw);
	if (r == 0)
		r = refuse_expired(call, out->expires, err);
	if (r != 0) {
		credential_release(out);
		return PROVIDER_FAILED;
	}
	out->kind = CREDENTIAL_CERTIFICATE;
	return PROVIDER_OK;
}

extern const struct provider_ops provider_x509;
const struct provider_ops provider_x509 = {
	.name = "x509",
	.flags = PROVIDER_SERVER_SIDE | PROVIDER_FILES,
	.check = check,
	.obtain = obtain,
};
