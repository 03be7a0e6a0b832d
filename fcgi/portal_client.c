/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges with the portal. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "http.h"
#include "jsonx.h"
#include "portal_client.h"
#include "strbuf.h"

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"
#define ANSWER_MAX 65536
#define CODES_MAX 1800		/* seconds that are believed */
#define INTERVAL_MAX 60
#define SLOWER 5000		/* ms: RFC 8628, section 3.5 */
#define URL_MAX 2048

/* ---- the address ---- */

static bool
may_be_http(const char *host)
{
	static const char *const loopback[] = { "127.0.0.1", "localhost",
	    "[::1]" };
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(loopback); i++) {
		len = strlen(loopback[i]);
		if (strncasecmp(host, loopback[i], len) == 0 &&
		    strchr(":/", host[len]) != NULL)
			return true;
	}
	return false;
}

int
portal_client_url(struct arena *arena, const char *text,
    const char **out, struct err *err)
{
	size_t len = strlen(text), scheme = strcspn(text, ":") + 3;
	const char *p;

	for (p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("@?#\\\"<>", *p) != NULL)
			return err_set(err, E_INPUT, "--portal is no address: "
			    "give one like https://portal.example.org/api/"
			    "kubernetes");
	if (strncasecmp(text, "https://", 8) != 0 &&
	    (strncasecmp(text, "http://", 7) != 0 ||
	    !may_be_http(text + 7)))
		return err_set(err, E_INPUT, "--portal must begin with "
		    "https://: a token does not travel without TLS");
	while (len > scheme && text[len - 1] == '/')
		len--;
	if (len == scheme || len > URL_MAX || text[scheme] == '/')
		return err_set(err, E_INPUT, "--portal is no address");
	*out = arena_strndup(arena, text, len);
	return 0;
}

/* ---- one exchange ---- */

struct said {
	int status;
	struct json_object *json;	/* NULL: it is none */
	const char *error;		/* of an answer that is one, or NULL */
};

static void
said_release(struct said *said)
{
	jsonx_wipe(said->json);
	said->json = NULL;
}

/* The form is wiped. 0 with *out whatever was said; E_*. */
static int
post(const struct portal_client *pc, const char *route, struct strbuf *form,
    struct said *out, struct err *err)
{
	static const char *const headers[] = { "Content-Type: "
	    "application/x-www-form-urlencoded", "Accept: application/json",
	    NULL };
	const struct http_request rq = {
		.method = "POST",
		.url = arena_printf(pc->arena, "%s%s", pc->url, route),
		.headers = headers,
		.body = form->buf,
		.body_len = form->len,
		.connect_timeout = 10,
		.timeout = 20,
		.limit = ANSWER_MAX,
	};
	struct http_answer a;
	int r = http_exchange(pc->transport, &rq, &a, err);

	memset(out, 0, sizeof(*out));
	strbuf_wipe(form);
	if (r != 0)
		return r;
	out->status = a.status;
	if (a.body.len > 0)
		jsonx_parse(a.body.ptr, a.body.len, &out->json, NULL);
	out->error = jsonx_str(out->json, "error");
	http_answer_release(&a);
	return 0;
}

static void
add_field(struct strbuf *form, const char *name, const char *value)
{
	/* Growing would leave copies of a token. */
	strbuf_room(form, 16 + strlen(name) + 3 * strlen(value));
	strbuf_addf(form, "%s%s=", form->len > 0 ? "&" : "", name);
	strbuf_add_percent(form, value, "");
}

/* What was said in place of what was asked for. */
static int
unexpected(const struct portal_client *pc, const struct said *said,
    struct err *err)
{
	const char *why = jsonx_str(said->json, "error_description");

	if (said->error != NULL)
		return err_set(err, E_DENIED, "the portal says: %.200s",
		    why != NULL ? why : said->error);
	if (said->status == 404)
		return err_set(err, E_NOTFOUND, "there is nothing at %.200s: "
		    "give the address with its path, such as https://portal."
		    "example.org/api/kubernetes", pc->url);
	if (said->status == 401 || said->status == 403 ||
	    (said->status >= 300 && said->status < 400))
		return err_set(err, E_PROTOCOL, "%.200s answers %d: its web "
		    "server wants a sign-in where kubectl has none", pc->url,
		    said->status);
	return err_set(err, E_PROTOCOL, "%.200s answers %d, and not as a "
	    "portal does", pc->url, said->status);
}

/* ---- what is asked ---- */

static int
take_codes(const struct portal_client *pc, struct said *said,
    struct portal_codes *codes)
{
	const char *device = jsonx_str(said->json, "device_code");
	const char *user = jsonx_str(said->json, "user_code");
	const char *page = jsonx_str(said->json, "verification_uri");
	int64_t seconds = json_object_get_int64(jsonx_get(said->json,
	    "expires_in")), every = json_object_get_int64(
	    jsonx_get(said->json, "interval"));

	if (said->status != 200 || device == NULL || user == NULL ||
	    page == NULL)
		return -1;
	secret_set(&codes->device, device, strlen(device));
	codes->user = arena_strdup(pc->arena, user);
	codes->page = arena_strdup(pc->arena, page);
	codes->page_complete = arena_strdup(pc->arena, jsonx_str(said->json,
	    "verification_uri_complete"));
	codes->expires = clock_mono_ms() + 1000 * SD_MIN(SD_MAX(seconds,
	    (int64_t)1), (int64_t)CODES_MAX);
	codes->interval = 1000 * SD_MIN(every > 0 ? every : 5,
	    (int64_t)INTERVAL_MAX);
	return 0;
}

int
portal_client_begin(const struct portal_client *pc, const char *name,
    struct portal_codes *codes, struct err *err)
{
	struct strbuf form = STRBUF_INIT(STRBUF_UNLIMITED);
	struct said said;
	int r;

	add_field(&form, "client_id", "stagedoor");
	add_field(&form, "device", name);
	if ((r = post(pc, "/portal/device", &form, &said, err)) != 0)
		return r;
	if (take_codes(pc, &said, codes) != 0)
		r = unexpected(pc, &said, err);
	said_release(&said);
	return r;
}

static int
take_token(const struct portal_client *pc, const struct said *said,
    struct portal_given *out, struct err *err)
{
	const char *token = jsonx_str(said->json, "access_token");
	int64_t seconds = json_object_get_int64(jsonx_get(said->json,
	    "expires_in"));

	if (token == NULL || seconds <= 0 || seconds > 86400)
		return unexpected(pc, said, err);
	secret_set(&out->token, token, strlen(token));
	out->user = arena_strdup(pc->arena, jsonx_str(said->json, "user"));
	out->expires = clock_wall_ms() + 1000 * seconds;
	return 0;
}

static int
take_refusal(const struct portal_client *pc, const struct said *said,
    struct portal_codes *codes, struct err *err)
{
	if (str_eq(said->error, "slow_down"))
		codes->interval += SLOWER;
	if (str_eq(said->error, "slow_down") ||
	    str_eq(said->error, "authorization_pending") ||
	    said->status >= 500 || said->status == 429)
		return err_set(err, E_PENDING, "nobody has answered yet");
	if (str_eq(said->error, "expired_token"))
		return err_set(err, E_TIMEOUT, "the code has run out before "
		    "anybody allowed it");
	if (str_eq(said->error, "access_denied"))
		return err_set(err, E_DENIED, "it was refused at the portal");
	return unexpected(pc, said, err);
}

int
portal_client_poll(const struct portal_client *pc,
    struct portal_codes *codes, struct portal_given *out, struct err *err)
{
	struct strbuf form = STRBUF_INIT(STRBUF_UNLIMITED);
	struct said said;
	int r;

	add_field(&form, "client_id", "stagedoor");
	add_field(&form, "grant_type", GRANT);
	add_field(&form, "device_code", codes->device.ptr);
	if (post(pc, "/portal/token", &form, &said, err) != 0) {
		codes->interval = SD_MIN(codes->interval + SLOWER,
		    (int64_t)INTERVAL_MAX * 1000);
		return E_PENDING;	/* the network may come back */
	}
	r = said.status == 200 ? take_token(pc, &said, out, err) :
	    take_refusal(pc, &said, codes, err);
	said_release(&said);
	return r;
}

static int
tell(const struct portal_client *pc, const char *route,
    const struct secret *token, struct said *said, struct err *err)
{
	struct strbuf form = STRBUF_INIT(STRBUF_UNLIMITED);

	add_field(&form, "token", token->ptr);
	return post(pc, route, &form, said, err);
}

int
portal_client_check(const struct portal_client *pc,
    const struct secret *token, struct err *err)
{
	struct said said;
	struct json_object *active;
	int r = tell(pc, "/portal/introspect", token, &said, err);

	if (r != 0)
		return r;
	active = jsonx_get(said.json, "active");
	if (said.status != 200 || !json_object_is_type(active,
	    json_type_boolean))
		r = unexpected(pc, &said, err);
	else if (!json_object_get_boolean(active))
		r = err_set(err, E_AUTH, "the session has ended");
	said_release(&said);
	return r;
}

int
portal_client_revoke(const struct portal_client *pc,
    const struct secret *token, struct err *err)
{
	struct said said;
	int r = tell(pc, "/portal/revoke", token, &said, err);

	if (r == 0 && said.status != 200)
		r = unexpected(pc, &said, err);
	said_release(&said);
	return r;
}
