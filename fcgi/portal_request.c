/* SPDX-License-Identifier: Apache-2.0 */
/* Codes that a user has entered: rows of the store, a step at a time. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "err.h"
#include "identity.h"
#include "portal_code.h"
#include "portal_session.h"
#include "portal_text.h"
#include "strbuf.h"

#define KIND "portal-code"
#define CLAIM_KIND "portal-claim"
#define TRY_KIND "portal-try"
#define CLAIM_MS 10000
#define FORMAT "1"
#define HEAD 10			/* fields before the groups */

/* ---- as text ---- */

static void
print(const struct portal_request *pr, struct strbuf *sb)
{
	size_t i;

	portal_text_add(sb, FORMAT);
	portal_text_add_number(sb, (int64_t)pr->state);
	portal_text_add(sb, pr->user);
	portal_text_add(sb, pr->email);
	portal_text_add(sb, pr->nonce);
	portal_text_add(sb, pr->from);
	portal_text_add(sb, pr->name);
	portal_text_add_number(sb, pr->claimed);
	portal_text_add_number(sb, pr->asked);
	portal_text_add_number(sb, pr->expires);
	for (i = 0; i < pr->ngroups; i++)
		portal_text_add(sb, pr->groups[i]);
}

static bool
parse(struct arena *arena, const char *text, struct portal_request *out)
{
	const size_t max = HEAD + PORTAL_GROUPS_MAX;
	const char **field = arena_alloc(arena, max * sizeof(*field));
	size_t n = portal_text_split(arena, text, field, max);
	int64_t state;

	if (n < HEAD || strcmp(field[0], FORMAT) != 0 ||
	    !portal_text_number(field[1], &state) || state > PORTAL_USED ||
	    strlen(field[4]) >= PORTAL_ID ||
	    !portal_text_number(field[7], &out->claimed) ||
	    !portal_text_number(field[8], &out->asked) ||
	    !portal_text_number(field[9], &out->expires))
		return false;
	out->state = (enum portal_state)state;
	out->user = field[2];
	out->email = *field[3] != '\0' ? field[3] : NULL;
	memcpy(out->nonce, field[4], strlen(field[4]) + 1);
	out->from = field[5];
	out->name = field[6];
	out->groups = field + HEAD;
	out->ngroups = n - HEAD;
	return true;
}

int
portal_request_get(struct store *st, struct arena *arena,
    const char *code, struct portal_request *out, struct err *err)
{
	const struct store_item item = portal_item(KIND, code);
	struct secret value = SECRET_INIT;
	int64_t expires;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = store_get(st, &item, &value, &expires, err)) != 0)
		return r;
	out->text = value.len > 0 ? arena_strndup(arena, value.ptr, value.len)
	    : "";
	secret_release(&value);
	snprintf(out->code, sizeof(out->code), "%s", code);
	if (!parse(arena, out->text, out))
		return err_set(err, E_STORE, "a code that was entered cannot "
		    "be read");
	return 0;
}

/* ---- steps ---- */

static bool
is_same(void *ctx, const struct secret *now)
{
	const char *text = ctx;

	return now->len == strlen(text) &&
	    memcmp(now->ptr, text, now->len) == 0;
}

/* Put it, in the place of what was read, if something was. */
static int
step(struct store *st, const struct portal_request *pr, struct err *err)
{
	const struct store_item item = portal_item(KIND, pr->code);
	struct strbuf text = STRBUF_INIT(STORE_VALUE_MAX / 2);
	struct secret value = SECRET_INIT;
	const struct store_swap swap = { .item = &item, .is = is_same,
	    .ctx = (void *)(uintptr_t)pr->text, .value = &value,
	    .expires = pr->expires };
	int r;

	print(pr, &text);
	if (text.overflow || pr->ngroups > PORTAL_GROUPS_MAX) {
		r = err_set(err, E_TOOLARGE, "the user is in too many groups");
	} else {
		secret_set(&value, text.buf, text.len);
		r = pr->text == NULL ? store_put(st, &item, &value,
		    pr->expires, err) : store_swap(st, &swap, err);
	}
	secret_release(&value);
	strbuf_wipe(&text);
	return r == E_NOTFOUND ? err_set(err, E_BUSY, "the code has run out") :
	    r;
}

/* One of the user's tries: leases that nobody gives back, so that all
   processes count together. */
static int
take_try(struct store *st, const char *user, struct err *err)
{
	struct strbuf name = STRBUF_INIT(STRBUF_UNLIMITED);
	struct store_lease lease;
	struct store_item item;
	int i, r = E_BUSY;

	for (i = 0; i < PORTAL_TRIES && r == E_BUSY; i++) {
		strbuf_reset(&name);
		strbuf_addf(&name, "%d %s", i, user);
		item = portal_item(TRY_KIND, name.buf);
		r = store_lease(st, &item, PORTAL_CODE_MS, &lease, err);
	}
	strbuf_release(&name);
	return r == E_BUSY ? err_set(err, E_DENIED, "you have entered too "
	    "many codes: please wait for ten minutes") : r;
}

static int
claim_new(struct store *st, const char *user, const char *code,
    struct portal_request *out, struct err *err)
{
	*out = (struct portal_request){ .state = PORTAL_CLAIMED,
	    .user = user, .from = "", .name = "",
	    .claimed = clock_wall_ms() };
	out->expires = out->claimed + PORTAL_CODE_MS;
	snprintf(out->code, sizeof(out->code), "%s", code);
	return step(st, out, err);
}

int
portal_request_claim(struct store *st, struct arena *arena,
    const struct identity *who, struct portal_request *pr,
    struct err *err)
{
	const char *code = arena_strdup(arena, pr->code);
	const struct store_item item = portal_item(CLAIM_KIND, code);
	struct store_lease lease;
	int r;

	r = portal_request_get(st, arena, code, pr, err);
	if (r == 0 && strcmp(pr->user, who->user) == 0)
		return 0;
	if ((r != 0 && r != E_NOTFOUND) ||
	    (r = take_try(st, who->user, err)) != 0)
		return r;
	/* Nobody else between looking and putting. */
	if ((r = store_lease(st, &item, CLAIM_MS, &lease, err)) != 0)
		return r == E_BUSY ? err_set(err, E_BUSY, "somebody else is "
		    "just entering this code") : r;
	r = portal_request_get(st, arena, code, pr, err);
	if (r == E_NOTFOUND)
		r = claim_new(st, who->user, code, pr, err);
	else if (r == 0 && strcmp(pr->user, who->user) != 0)
		r = err_set(err, E_DENIED, "somebody else has entered this "
		    "code: please begin anew");
	store_lease_end(st, &lease);
	return r;
}

int
portal_request_meet(struct store *st, struct portal_request *pr,
    const struct portal_device *d, struct err *err)
{
	if (pr->state != PORTAL_CLAIMED)
		return strcmp(pr->nonce, d->nonce) == 0 ? 0 : err_set(err,
		    E_DENIED, "another device asks with this code");
	pr->state = PORTAL_ASKING;
	memcpy(pr->nonce, d->nonce, PORTAL_ID);
	pr->from = d->from;
	pr->name = d->name;
	pr->asked = d->asked;
	pr->expires = SD_MIN(pr->expires, d->expires);
	return step(st, pr, err);
}

int
portal_request_decide(struct store *st, struct portal_request *pr,
    const struct identity *who, bool allow, struct err *err)
{
	pr->state = allow ? PORTAL_ALLOWED : PORTAL_REFUSED;
	if (allow) {
		pr->email = who->email;
		pr->groups = who->groups;
		pr->ngroups = who->ngroups;
	}
	return step(st, pr, err);
}

int
portal_request_use(struct store *st, struct portal_request *pr,
    struct err *err)
{
	pr->state = PORTAL_USED;
	return step(st, pr, err);
}
