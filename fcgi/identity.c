/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks. In `params` mode from STAGEDOOR_* parameters, which only the web
 * server can set: whatever a client sends arrives with HTTP_ before its name
 * and is never looked at. For `backstage` mode see identity_backstage.c, for
 * kubectl's tokens in either identity_portal.c.
 */
#include "base.h"

#include "arena.h"
#include "err.h"
#include "identity_private.h"
#include "log.h"
#include "request.h"
#include "runtime.h"
#include "settings.h"

#define REF_MAX IDENTITY_REF_MAX
#define EMAIL_MAX 320		/* RFC 3696 */
#define GROUPS_MAX 16384

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

const char *
identity_ref(struct arena *arena, const char *text, const char *default_kind)
{
	const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
	const char *name;
	char *ref;

	/* A colon behind the slash belongs to the name. */
	if (colon != NULL && slash != NULL && slash < colon)
		colon = NULL;
	name = slash != NULL ? slash + 1 : colon != NULL ? colon + 1 : text;
	if (*name == '\0' || colon == text || slash == text ||
	    (colon != NULL && slash == colon + 1) || strlen(text) > REF_MAX ||
	    has_control(text))
		return NULL;
	ref = arena_printf(arena, "%.*s:%.*s/%s",
	    (int)(colon ? colon - text : (ptrdiff_t)strlen(default_kind)),
	    colon ? text : default_kind,
	    (int)(slash ? slash - (colon ? colon + 1 : text) : 7),
	    slash ? (colon ? colon + 1 : text) : "default", name);
	lower(ref);
	return ref;
}

void
identity_set_user(struct arena *arena, struct identity *who, const char *ref)
{
	const char *colon = strchr(ref, ':'), *slash = strchr(ref, '/');

	who->user = ref;
	who->namespace = arena_strndup(arena, colon + 1,
	    (size_t)(slash - colon - 1));
	who->name = slash + 1;
}

int
identity_param(const struct request *req, const char *name, size_t max,
    const char **out, struct err *err)
{
	const char *v = request_param(req, name);

	*out = NULL;
	if (request_param_count(req, name) > 1)
		return err_set(err, E_INPUT, "parameter %s came twice", name);
	if (v == NULL || *v == '\0')
		return 0;
	if (strlen(v) > max)
		return err_set(err, E_INPUT, "parameter %s is too long", name);
	if (has_control(v))
		return err_set(err, E_INPUT,
		    "parameter %s holds a control character", name);
	*out = v;
	return 0;
}

/*
 * Those of a comma separated list; how many are no refs, and left out: an
 * issuer that calls groups "/team" must not keep their members out.
 */
static size_t
set_groups(struct request *req, struct identity *who, const char *list)
{
	const char *p = list, *end, *ref;
	size_t max = 1, left_out = 0;
	char *one;

	for (; *p != '\0'; p++)
		max += *p == ',';
	who->groups = arena_alloc(req->arena, max * sizeof(*who->groups));
	for (p = list; ; p = end + 1) {
		while (*p == ' ')
			p++;
		end = p + strcspn(p, ",");
		one = arena_strndup(req->arena, p, (size_t)(end - p));
		while (*one != '\0' && one[strlen(one) - 1] == ' ')
			one[strlen(one) - 1] = '\0';
		ref = identity_ref(req->arena, one, "group");
		if (ref != NULL)
			who->groups[who->ngroups++] = ref;
		else if (*one != '\0')
			left_out++;
		if (*end == '\0')
			return left_out;
	}
}

static int
guest_identity(struct request *req, struct identity *who, struct err *err)
{
	const char *guest = req->rt->settings->guest;

	if (guest == NULL || *guest == '\0')
		return err_set(err, E_AUTH, "Missing credentials");
	who->kind = IDENTITY_GUEST;
	guest = identity_ref(req->arena, guest, "user");
	if (guest == NULL)
		return err_set(err, E_AUTH, "Missing credentials");
	identity_set_user(req->arena, who, guest);
	return 0;
}

static int
params_identity(struct request *req, struct identity *who, struct err *err)
{
	const char *user, *remote, *email, *groups, *ref;
	int r;

	r = identity_param(req, "STAGEDOOR_USER", REF_MAX, &user, err);
	if (r == 0)
		r = identity_param(req, "STAGEDOOR_EMAIL", EMAIL_MAX, &email,
		    err);
	if (r == 0)
		r = identity_param(req, "STAGEDOOR_GROUPS", GROUPS_MAX, &groups,
		    err);
	if (r != 0)
		return r;
	if (user == NULL && req->rt->settings->remote_user) {
		r = identity_param(req, "REMOTE_USER", REF_MAX, &remote, err);
		if (r != 0)
			return r;
		user = remote;
	}
	if (user == NULL)
		return guest_identity(req, who, err);
	if ((ref = identity_ref(req->arena, user, "user")) == NULL)
		return err_set(err, E_INPUT,
		    "parameter STAGEDOOR_USER is no entity ref");
	who->kind = IDENTITY_USER;
	who->session = true;
	who->email = email;
	identity_set_user(req->arena, who, ref);
	if (groups != NULL && set_groups(req, who, groups) > 0)
		log_debug("%s STAGEDOOR_GROUPS of %s holds groups that are no "
		    "entity refs: they are left out", req->id, ref);
	return 0;
}

int
identity_of(struct request *req, struct identity *out, struct err *err)
{
	const char *token = identity_portal_token(req);

	memset(out, 0, sizeof(*out));
	if (token != NULL)
		return identity_portal(req, token, out, err);
	if (req->rt->settings->identity_backstage)
		return identity_backstage(req, out, err);
	return params_identity(req, out, err);
}

/* ---- whom the command line names ---- */

static int
word_ok(const char *option, const char *word, size_t max, struct err *err)
{
	if (word != NULL && strlen(word) > max)
		return err_set(err, E_INPUT, "%s is too long", option);
	if (word != NULL && has_control(word))
		return err_set(err, E_INPUT, "%s holds a control character",
		    option);
	return 0;
}

static int
words_ok(const struct identity_words *w, struct err *err)
{
	int r;

	if ((r = word_ok("--user", w->user, REF_MAX, err)) != 0 ||
	    (r = word_ok("--email", w->email, EMAIL_MAX, err)) != 0)
		return r;
	return word_ok("--groups", w->groups, GROUPS_MAX, err);
}

/* The visitor without a name. */
static int
unnamed_identity(struct request *req, struct identity *who, struct err *err)
{
	const struct settings *s = req->rt->settings;

	if (s->identity_backstage && s->auth_disabled)
		return 0;
	if (s->identity_backstage || guest_identity(req, who, err) != 0)
		return err_set(err, E_AUTH, "the settings let nobody in "
		    "without a name: there is no identity.guest");
	return 0;
}

static bool
is_guest(struct request *req, const char *ref)
{
	const struct settings *s = req->rt->settings;
	const char *guest = s->guest == NULL || s->identity_backstage ? NULL :
	    identity_ref(req->arena, s->guest, "user");

	return guest != NULL && strcmp(guest, ref) == 0;
}

int
identity_named(struct request *req, const struct identity_words *words,
    struct identity *out, struct err *err)
{
	const char *ref;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = words_ok(words, err)) != 0)
		return r;
	if (words->user == NULL || *words->user == '\0')
		return unnamed_identity(req, out, err);
	if ((ref = identity_ref(req->arena, words->user, "user")) == NULL)
		return err_set(err, E_INPUT, "--user is no entity ref: give a "
		    "name, or kind:namespace/name");
	if (is_guest(req, ref))
		return unnamed_identity(req, out, err);
	out->kind = IDENTITY_USER;
	out->email = words->email != NULL && *words->email != '\0' ?
	    words->email : NULL;
	identity_set_user(req->arena, out, ref);
	if (words->groups != NULL &&
	    set_groups(req, out, words->groups) > 0)
		return err_set(err, E_INPUT, "--groups holds no entity ref");
	return 0;
}

/* ---- origins ---- */

static bool
is_unsafe(const struct request *req)
{
	const char *connection = request_header(req, "connection");

	if (request_header(req, "upgrade") != NULL ||
	    (connection != NULL && strcasestr(connection, "upgrade") != NULL))
		return true;
	return strcmp(req->method, "GET") != 0 && !req->is_head &&
	    strcmp(req->method, "OPTIONS") != 0;
}

static bool
origin_allowed(const struct settings *s, const char *origin)
{
	size_t i;

	for (i = 0; i < s->origins.n; i++)
		if (strcasecmp(s->origins.items[i], origin) == 0)
			return true;
	return false;
}

int
identity_same_origin(const struct request *req, const struct identity *who,
    struct err *err)
{
	const char *origin, *site;

	if ((!who->session && who->kind != IDENTITY_GUEST) || !is_unsafe(req))
		return 0;
	origin = request_header(req, "origin");
	site = request_header(req, "sec-fetch-site");
	if (origin != NULL && origin_allowed(req->rt->settings, origin))
		return 0;
	if (site != NULL && strcmp(site, "same-origin") == 0)
		return 0;
	/*
	 * A guest has no cookie that a foreign page could ride on; but a page
	 * that says it is foreign does not get to use the visitor's network.
	 */
	if (who->kind == IDENTITY_GUEST && origin == NULL && site == NULL)
		return 0;
	return err_set(err, E_DENIED, "request comes from another origin: "
	    "send an Origin of identity.origins or Sec-Fetch-Site: "
	    "same-origin");
}

static bool
listed(const struct string_list *list, struct arena *scratch, const char *ref,
    const char *kind)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		const char *want = identity_ref(scratch, list->items[i], kind);

		if (want != NULL && strcmp(want, ref) == 0)
			return true;
	}
	return false;
}

bool
identity_may_use(const struct identity *who, const struct cluster *c)
{
	bool nameless = who->kind == IDENTITY_GUEST ||
	    who->kind == IDENTITY_NOBODY;
	struct arena *scratch;
	bool ok = false;
	size_t i;

	if (nameless && !c->guests)
		return false;
	if (c->allow.n == 0)
		return true;
	if (who->kind != IDENTITY_USER && who->kind != IDENTITY_GUEST)
		return false;
	scratch = arena_new();
	ok = listed(&c->allow, scratch, who->user, "user");
	for (i = 0; i < who->ngroups && !ok; i++)
		ok = listed(&c->allow, scratch, who->groups[i], "user");
	arena_free(scratch);
	return ok;
}
