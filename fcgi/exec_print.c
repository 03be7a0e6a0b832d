/* SPDX-License-Identifier: Apache-2.0 */
/* An ExecCredential, printed for kubectl. */
#include "base.h"

#include "clock.h"
#include "credential.h"
#include "err.h"
#include "exec_print.h"
#include "jsonx.h"
#include "strbuf.h"

#define API "client.authentication.k8s.io/"
#define INFO_MAX (1 << 20)	/* bytes of KUBERNETES_EXEC_INFO */
#define ROOM 1024		/* for all but the credential */

/* KUBERNETES_EXEC_INFO names it; without one it is v1. */
int
exec_print_version(const char **out, struct err *err)
{
	static const char *const known[] = { API "v1", API "v1beta1" };
	const char *info = getenv("KUBERNETES_EXEC_INFO"), *version;
	struct json_object *root = NULL;
	size_t i;

	*out = known[0];
	if (info == NULL || *info == '\0')
		return 0;
	if (strlen(info) > INFO_MAX ||
	    jsonx_parse(info, strlen(info), &root, NULL) != 0 ||
	    (version = jsonx_str(root, "apiVersion")) == NULL) {
		json_object_put(root);
		return err_set(err, E_INPUT, "KUBERNETES_EXEC_INFO is no "
		    "ExecCredential");
	}
	for (i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(version, known[i]) == 0)
			break;
	json_object_put(root);
	if (i == ARRAY_LEN(known))
		return err_set(err, E_INPUT, "KUBERNETES_EXEC_INFO wants a "
		    "version that is not known: set " API "v1 in the "
		    "kubeconfig");
	*out = known[i];
	return 0;
}

static void
add_secret(struct strbuf *sb, const char *key, const struct secret *s)
{
	jsonx_add_comma(sb);
	strbuf_addf(sb, "\"%s\":", key);
	jsonx_add_string(sb, s->ptr, s->len);
}

static void
print_credential(const struct credential *cred, const char *version,
    struct strbuf *sb)
{
	char stamp[CLOCK_STAMP_LEN];

	/* Growing would leave copies; JSON makes six bytes of one at most. */
	strbuf_room(sb, ROOM + 6 * (cred->value.len + cred->certificate.len +
	    cred->key.len));
	strbuf_addf(sb, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\","
	    "\"status\":{", version);
	if (cred->expires != 0) {
		clock_stamp(cred->expires, stamp);
		strbuf_addf(sb, "\"expirationTimestamp\":\"%.19sZ\"", stamp);
	}
	if (cred->value.len > 0)	/* also beside a certificate */
		add_secret(sb, "token", &cred->value);
	if (cred->kind == CREDENTIAL_CERTIFICATE) {
		add_secret(sb, "clientCertificateData", &cred->certificate);
		add_secret(sb, "clientKeyData", &cred->key);
	}
	strbuf_addstr(sb, "}}\n");
}

/* Past stdio, which would keep a copy. */
static int
write_out(const struct strbuf *sb, struct err *err)
{
	size_t done = 0;
	ssize_t n;

	while (done < sb->len) {
		n = write(STDOUT_FILENO, sb->buf + done, sb->len - done);
		if (n < 0 && errno != EINTR)
			return err_set(err, E_SYSTEM, "cannot write the "
			    "credential: %s", strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int
exec_print(const struct credential *cred, const char *version,
    struct err *err)
{
	struct strbuf sb = STRBUF_INIT(STRBUF_UNLIMITED);
	int r;

	print_credential(cred, version, &sb);
	r = write_out(&sb, err);
	strbuf_wipe(&sb);
	return r;
}
