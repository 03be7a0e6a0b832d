/* SPDX-License-Identifier: Apache-2.0 */
/* Which headers pass /proxy, either way. */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"
#include "proxy_headers.h"
#include "request.h"
#include "transport.h"

static struct arena *arena;

/* The names that go out, joined. */
static const char *
names_out(bool own, char **params)
{
	struct request req = { .arena = arena, .params = params };
	struct credential cred = { .kind = CREDENTIAL_BEARER,
	    .from_client = own };
	const struct header *h;
	const char *out = "";
	size_t n, i;

	h = proxy_headers_out(&req, &cred, &n);
	for (i = 0; i < n; i++)
		out = arena_printf(arena, "%s%s%s=%s", out, i ? " " : "",
		    h[i].name, h[i].value);
	return out;
}

#define OUT(own, ...) names_out(own, (char *[]){ __VA_ARGS__, NULL })

static void
what_goes_out(void **state UNUSED)
{
	arena = arena_new();
	assert_string_equal(OUT(false, "HTTP_ACCEPT=a/b", "HTTP_X_CUSTOM=1",
	    "CONTENT_TYPE=text/plain", "CONTENT_LENGTH=3", "SERVER_NAME=x",
	    "HTTP_RANGE=bytes=0-1", "STAGEDOOR_USER=root"),
	    "accept=a/b x-custom=1 content-type=text/plain range=bytes=0-1");
	assert_string_equal(OUT(false, "HTTP_AUTHORIZATION=Bearer x",
	    "HTTP_COOKIE=s=1", "HTTP_HOST=h", "HTTP_TE=trailers",
	    "HTTP_BACKSTAGE_KUBERNETES_AUTHORIZATION_GOOGLE=t",
	    "HTTP_BACKSTAGE_KUBERNETES_CLUSTER=c", "HTTP_BACKSTAGE_TOKEN=t",
	    "HTTP_X_STAGEDOOR_USER=root", "HTTP_STAGEDOOR_USER=root",
	    "HTTP_TRANSFER_ENCODING=chunked", "HTTP_EXPECT=100-continue",
	    "HTTP_UPGRADE=websocket", "HTTP_PROXY=http://evil",
	    "HTTP_PROXY_AUTHORIZATION=x", "CONTENT_TYPE="), "");
	assert_string_equal(OUT(false, "HTTP_CONNECTION=close, X-Hop",
	    "HTTP_X_HOP=1", "HTTP_X_HOPS=2"), "x-hops=2");
	arena_free(arena);
}

static void
impersonation(void **state UNUSED)
{
	arena = arena_new();
	assert_string_equal(OUT(false, "HTTP_IMPERSONATE_USER=root",
	    "HTTP_IMPERSONATE_EXTRA_X=1", "HTTP_IMPERSONATE_GROUP=g"), "");
	assert_string_equal(OUT(true, "HTTP_IMPERSONATE_USER=root"),
	    "impersonate-user=root");
	arena_free(arena);
}

static void
what_comes_back(void **state UNUSED)
{
	const struct header h[] = {
		{ "Content-Type", "a/b" }, { "Set-Cookie", "a=1" },
		{ "Connection", "X-Hop" }, { "x-hop", "1" },
		{ "Transfer-Encoding", "chunked" },
		{ "X-Stagedoor-Authorization", "Bearer x" },
		{ "X-Accel-Redirect", "/etc/passwd" },
		{ "X-Sendfile", "/etc/passwd" }, { "Status", "200" },
		{ "Location", "/x" }, { "Audit-Id", "1" },
		{ "X-Frame-Options", "ALLOWALL" }, { "Warning", "299" },
	};
	const bool want[] = { true, false, false, false, false, false, false,
	    false, false, true, true, false, true };
	size_t i;

	for (i = 0; i < ARRAY_LEN(h); i++)
		if (proxy_header_back(h, ARRAY_LEN(h), i) != want[i])
			fail_msg("%s", h[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_out),
		cmocka_unit_test(impersonation),
		cmocka_unit_test(what_comes_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
