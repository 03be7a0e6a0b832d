/* SPDX-License-Identifier: Apache-2.0 */
/* What a credential plug-in is told, and what it answers. */
#include "base.h"

#include <openssl/evp.h>

#include "arena.h"
#include "cluster.h"
#include "credential.h"
#include "exec_credential.h"
#include "jsonx.h"
#include "keypair.h"
#include "rfc3339.h"
#include "settings.h"
#include "tree.h"

#define GROUP "client.authentication.k8s.io/"
#define INFO_MAX (512 * 1024)	/* a CA of 64 KB in base64, and a config */
/* Go's zero time, which a plug-in that knows no end may print. */
#define YEAR_ONE_MS INT64_C(-62135596800000)

bool
exec_version_ok(const char *version)
{
	return strcmp(version, GROUP "v1") == 0 ||
	    strcmp(version, GROUP "v1beta1") == 0;
}

/* --- The question ----------------------------------------------------------*/

static void
add_base64(struct strbuf *sb, const struct secret *data)
{
	char *room = xmalloc(4 * ((data->len + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)room,
	    (const unsigned char *)data->ptr, (int)data->len);
	jsonx_add_pair(sb, "certificate-authority-data", room);
	free(room);
}

static void
add_cluster(struct strbuf *sb, const struct cluster *c,
    const struct secret *ca)
{
	strbuf_addstr(sb, ",\"cluster\":{");
	jsonx_add_pair(sb, "server", c->url);
	if (c->skip_tls_verify)
		strbuf_addstr(sb, ",\"insecure-skip-tls-verify\":true");
	else if (ca->len > 0)
		add_base64(sb, ca);
	strbuf_addf(sb, ",\"config\":%s}",
	    c->exec.config != NULL ? c->exec.config : "null");
}

const char *
exec_info(struct arena *arena, const struct cluster *c,
    const struct secret *ca)
{
	struct strbuf sb = STRBUF_INIT(INFO_MAX);
	const char *text;

	strbuf_addstr(&sb, "{\"kind\":\"ExecCredential\"");
	jsonx_add_pair(&sb, "apiVersion", c->exec.api_version);
	strbuf_addstr(&sb, ",\"spec\":{\"interactive\":false");
	if (c->exec.cluster_info)
		add_cluster(&sb, c, ca);
	strbuf_addstr(&sb, "}}");
	text = arena_strndup(arena, sb.buf, sb.len);
	strbuf_release(&sb);
	return text;
}

/* --- The answer ------------------------------------------------------------*/

static int
wrong(struct err *err, const char *what)
{
	return err_set(err, E_PROTOCOL, "its answer %s", what);
}

/* client-go reads YAML too; what begins with { is JSON. */
static int
parse_yaml(const struct secret *output, struct json_object **out)
{
	struct problems problems = { 0 };
	struct tree_source src = { .name = (char *)(uintptr_t)"answer",
		.dir = (char *)(uintptr_t)"/", .yaml = true };
	struct secret text = SECRET_INIT;
	struct node *root;
	struct tree tree;

	tree_init(&tree, &problems);
	secret_set(&text, output->ptr, output->len);
	root = tree_parse_yaml(&tree, &src, text.ptr, text.len);
	if (root != NULL && root->type == NODE_OBJECT && problems.nerrors == 0)
		*out = node_to_json(root);
	node_free(root);
	tree_release(&tree);
	secret_release(&text);
	problems_release(&problems);
	return *out != NULL ? 0 : E_INPUT;
}

static int
parse_tree(const struct secret *output, struct json_object **out,
    struct err *err)
{
	const char *text = output->len > 0 ? output->ptr : "";
	size_t blank = strspn(text, " \t\r\n");

	*out = NULL;
	if (output->len > 0 && strlen(text) != output->len)
		return wrong(err, "holds a NUL byte");
	if (text[blank] == '\0')
		return wrong(err, "is empty");
	if (text[blank] == '{' ?
	    jsonx_parse(text, output->len, out, NULL) != 0 :
	    parse_yaml(output, out) != 0)
		return wrong(err, "is no JSON or YAML of one object, with "
		    "nothing before or after it");
	return 0;
}

static int
check_type(struct json_object *root, const char *version, struct err *err)
{
	const char *kind = jsonx_str(root, "kind");
	const char *theirs = jsonx_str(root, "apiVersion");

	if (kind == NULL || strcmp(kind, "ExecCredential") != 0)
		return wrong(err, "is not of kind ExecCredential");
	if (theirs != NULL && strcmp(theirs, version) == 0)
		return 0;
	if (theirs != NULL && exec_version_ok(theirs))
		return err_set(err, E_PROTOCOL, "its answer is of version %s, "
		    "and the settings say %s", theirs, version);
	return err_set(err, E_PROTOCOL, "its answer is not of version %s",
	    version);
}

/* A string member, or nothing; false: it is something else. */
static bool
take_string(struct json_object *status, const char *key, struct secret *out)
{
	struct json_object *value = jsonx_get(status, key);
	const char *text;

	if (value == NULL)
		return true;
	if ((text = jsonx_str(status, key)) == NULL)
		return false;
	secret_set(out, text, strlen(text));
	return true;
}

/* The end that it says; 0: none. */
static int
take_expiry(struct json_object *status, int64_t *expires, struct err *err)
{
	struct json_object *value = jsonx_get(status, "expirationTimestamp");
	const char *text = jsonx_str(status, "expirationTimestamp");

	*expires = 0;
	if (value == NULL)
		return 0;
	if (text == NULL || !rfc3339_parse(text, expires))
		return wrong(err, "has an expirationTimestamp that is no RFC "
		    "3339 time");
	if (*expires == YEAR_ONE_MS)
		*expires = 0;
	return 0;
}

static int
check_pair(const struct source_value *v, int64_t now, int64_t *expires,
    struct err *err)
{
	const struct secret *certificate = &v->part[EXEC_CERTIFICATE];
	const struct secret *key = &v->part[EXEC_KEY];
	const char *flaw;

	*expires = 0;
	if (certificate->len == 0 && key->len == 0)
		return v->part[EXEC_TOKEN].len > 0 ? 0 : wrong(err, "has "
		    "neither a token nor a client certificate");
	if (certificate->len == 0 || key->len == 0)
		return wrong(err, "has only one half of a client certificate "
		    "and its key");
	flaw = keypair_flaw(certificate, key, expires);
	if (flaw != NULL)
		return err_set(err, E_PROTOCOL, "in its answer, %s", flaw);
	return *expires > now ? 0 : wrong(err, "has a client certificate that "
	    "has expired");
}

static int
take_status(struct json_object *status, struct source_value *out,
    struct err *err)
{
	const struct secret *token = &out->part[EXEC_TOKEN];

	if (status == NULL || !json_object_is_type(status, json_type_object))
		return wrong(err, "has no status");
	if (!take_string(status, "token", &out->part[EXEC_TOKEN]) ||
	    !take_string(status, "clientCertificateData",
	    &out->part[EXEC_CERTIFICATE]) ||
	    !take_string(status, "clientKeyData", &out->part[EXEC_KEY]))
		return wrong(err, "has a status with a member that is no "
		    "string");
	if (token->len > 0 && !credential_token_ok(token->ptr, token->len))
		return wrong(err, "has a token with characters that no token "
		    "has");
	return take_expiry(status, &out->expires, err);
}

/* When both the token and the certificate end, the earlier counts. */
static void
set_times(struct source_value *v, int64_t certificate, int64_t now)
{
	if (certificate != 0 && (v->expires == 0 || certificate < v->expires))
		v->expires = certificate;
	if (v->expires == 0)
		return;
	if (v->expires <= now) {
		v->expires = now + EXEC_MOMENT_MS;
		v->margin = 0;
		return;
	}
	v->margin = SD_MIN((int64_t)EXEC_MARGIN_MS, (v->expires - now) / 2);
}

int
exec_credential_parse(const struct secret *output, const char *version,
    int64_t now, struct source_value *out, struct err *err)
{
	struct json_object *root = NULL;
	int64_t certificate = 0;
	int r;

	if ((r = parse_tree(output, &root, err)) == 0 &&
	    (r = check_type(root, version, err)) == 0 &&
	    (r = take_status(jsonx_get(root, "status"), out, err)) == 0)
		r = check_pair(out, now, &certificate, err);
	jsonx_wipe(root);
	if (r == 0)
		set_times(out, certificate, now);
	else
		source_value_release(out);
	return r;
}

void
exec_credential_take(struct source_value *value, struct credential *out)
{
	out->expires = value->expires;
	if (value->part[EXEC_CERTIFICATE].len == 0) {
		credential_take_bearer(out, &value->part[EXEC_TOKEN]);
		return;
	}
	out->kind = CREDENTIAL_CERTIFICATE;
	secret_move(&out->certificate, &value->part[EXEC_CERTIFICATE]);
	secret_move(&out->key, &value->part[EXEC_KEY]);
	secret_move(&out->value, &value->part[EXEC_TOKEN]);
}
