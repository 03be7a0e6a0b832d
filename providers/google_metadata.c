/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata server of Google's machines and clusters, which has tokens of
 * the account that the machine runs as. It is not looked for first: asking
 * it for a token tells as much. What answers in its place, on other people's
 * networks, is known by the header that is missing.
 */
#include "base.h"

#include <ctype.h>

#include "arena.h"
#include "google_private.h"

#define HOST "metadata.google.internal"
#define PATH "/computeMetadata/v1/instance/service-accounts/default/token"
#define FLAVOR "Metadata-Flavor"
#define BIOS "/sys/class/dmi/id/bios_vendor"
#define TIMEOUT 3.0	/* s: it is near */

static bool
is_google_machine(const struct provider_call *call)
{
	struct secret vendor = SECRET_INIT;
	bool yes = call->read_file(BIOS, &vendor, NULL) == 0 &&
	    vendor.len > 0 && strstr(vendor.ptr, "Google") != NULL;

	secret_release(&vendor);
	return yes;
}

/* METADATA_SERVER_DETECTION and NO_GCE_CHECK say whether there is one. */
static int
may_ask(const struct provider_call *call, struct err *err)
{
	const char *no = provider_variable(call, "NO_GCE_CHECK");
	const char *how = provider_variable(call, "METADATA_SERVER_DETECTION");

	if (no != NULL && strcasecmp(no, "true") == 0)
		return err_set(err, E_CONFIG, "the metadata server is not "
		    "asked, for NO_GCE_CHECK is set");
	if (how == NULL || strcasecmp(how, "assume-present") == 0 ||
	    strcasecmp(how, "ping-only") == 0)
		return 0;
	if (strcasecmp(how, "none") == 0)
		return err_set(err, E_CONFIG, "the metadata server is not "
		    "asked, for METADATA_SERVER_DETECTION is none");
	if (strcasecmp(how, "bios-only") != 0)
		return err_set(err, E_CONFIG, "METADATA_SERVER_DETECTION is "
		    "none of assume-present, ping-only, bios-only and none");
	if (is_google_machine(call))
		return 0;
	return err_set(err, E_CONFIG, "the metadata server is not asked, for "
	    "this is no machine of Google's by its BIOS");
}

const char *
google_metadata_base(const struct provider_call *call, struct err *err)
{
	const char *host = provider_variable(call, "GCE_METADATA_IP"), *base;
	size_t len;

	if (may_ask(call, err) != 0)
		return NULL;
	if (host == NULL)
		host = provider_variable(call, "GCE_METADATA_HOST");
	if (host == NULL)
		host = HOST;
	base = strstr(host, "://") != NULL ? arena_strdup(call->scratch,
	    host) : arena_printf(call->scratch, "http://%s", host);
	len = strlen(base);
	while (len > 0 && base[len - 1] == '/')
		len--;
	base = arena_strndup(call->scratch, base, len);
	if (google_url_ok(base, GOOGLE_ANYWHERE) &&
	    strpbrk(strstr(base, "://") + 3, "/?#") == NULL)
		return base;
	err_set(err, E_CONFIG, "GCE_METADATA_HOST or GCE_METADATA_IP is no "
	    "host with a port");
	return NULL;
}

/* "a b" as "a%2Cb" */
static char *
scope_list(struct arena *arena, const char *scopes)
{
	char *list = arena_strdup(arena, scopes), *p;

	for (p = list; *p != '\0'; p++)
		if (*p == ' ')
			*p = ',';
	return google_encode(arena, list);
}

static int
take(struct google_work *w, const struct http_answer *a,
    struct source_value *out, struct err *err)
{
	struct json_object *tree = NULL;
	char flavor[16];
	int r;

	if (!http_answer_header(a, FLAVOR, flavor, sizeof(flavor)) ||
	    strcmp(flavor, "Google") != 0)
		return err_set(err, E_PROTOCOL, "what answers at %s is no "
		    "metadata server: it sent no " FLAVOR, w->host);
	if (a->body.len > 0)
		jsonx_parse(a->body.ptr, a->body.len, &tree, NULL);
	r = google_take(w, tree, out, err);
	jsonx_wipe(tree);
	return r;
}

int
google_from_metadata(struct google_work *w, const char *base,
    const char *scopes, struct source_value *out, struct err *err)
{
	struct arena *arena = w->call->scratch;
	const char *const headers[] = { FLAVOR ": Google", NULL };
	const struct http_request rq = { .headers = headers,
	    .timeout = TIMEOUT, .limit = GOOGLE_TOKEN_MAX,
	    .url = arena_printf(arena, "%s" PATH "?scopes=%s", base,
	    scope_list(arena, scopes)) };
	struct http_answer a;
	int r = google_fetch(w, &rq, &a, err);

	if (r != 0)
		return r;
	r = take(w, &a, out, err);
	http_answer_release(&a);
	return r;
}
