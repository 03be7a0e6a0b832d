/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a sign-in, as far as the issuer has a part in it. */
#include "base.h"

#include "oauth_private.h"
#include "strbuf.h"

/* RFC 7009: 200 also for a token that it does not know. */
static int
tell(struct oauth_call *call, struct oauth_form *form, struct err *err)
{
	struct http_answer answer = HTTP_ANSWER_INIT;
	struct oauth_answer a = OAUTH_ANSWER_INIT;
	int r;

	if ((r = oauth_post(call, form, &answer, err)) != 0)
		goto out;
	oauth_answer_parse(&answer, &a);
	if (a.status / 100 != 2)
		r = oauth_answer_refusal(call, form->url, &a, err);
 out:
	oauth_answer_release(&a);
	http_answer_release(&answer);
	return r;
}

int
oauth_revoke(const struct oauth *o, const struct token_set *ts,
    struct err *err)
{
	bool refresh = ts->refresh_token.len > 0;
	const struct secret *token = refresh ? &ts->refresh_token :
	    &ts->access_token;
	struct oauth_form form = { .n = 0 };
	struct oauth_call call;
	int r;

	if ((r = oauth_call_begin(&call, o, err)) != 0)
		goto out;
	r = err_set(err, E_NOTFOUND, "the issuer offers no revocation");
	/* One that is not the tokens' own must not see them. */
	if (call.issuer.revoke == NULL || token->len == 0 ||
	    (ts->issuer != NULL && strcmp(ts->issuer, call.issuer.name) != 0))
		goto out;
	oauth_hide(&call, token->ptr);
	form.url = call.issuer.revoke;
	oauth_form_add(&form, "token", token->ptr);
	/* Google's wants nothing but the token. */
	form.nameless = o->login->provider == LOGIN_GOOGLE;
	if (!form.nameless)
		oauth_form_add(&form, "token_type_hint", refresh ?
		    "refresh_token" : "access_token");
	r = tell(&call, &form, err);
 out:
	oauth_call_end(&call);
	return r;
}

int
oauth_logout_url(const struct oauth *o, const char *after,
    const char *state, struct strbuf *url, struct err *err)
{
	size_t start = url->len;
	struct oauth_call call;
	int r;

	if ((r = oauth_call_begin(&call, o, err)) != 0)
		goto out;
	if (call.issuer.logout == NULL) {
		r = err_set(err, E_NOTFOUND, "the issuer offers no sign-out");
		goto out;
	}
	strbuf_addstr(url, call.issuer.logout);
	oauth_add_query(url, start, "client_id", o->login->client_id);
	oauth_add_query(url, start, "post_logout_redirect_uri", after);
	oauth_add_query(url, start, "state", state);
	if (url->overflow)
		r = err_set(err, E_TOOLARGE, "the address of the sign-out is "
		    "too long");
 out:
	oauth_call_end(&call);
	return r;
}
