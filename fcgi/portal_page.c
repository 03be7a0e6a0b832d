/* SPDX-License-Identifier: Apache-2.0 */
/* The page of the device flow, printed. */
#include "base.h"

#include "arena.h"
#include "clock.h"
#include "html.h"
#include "portal_page.h"
#include "strbuf.h"

#define TITLE "kubectl as you"
#define REFRESH 2		/* seconds */

static void
print_field(struct strbuf *out, const char *name, const char *value)
{
	html_addf(out, "<input type=\"hidden\" name=\"%s\" value=\"%s\">\n",
	    name, value);
}

/* ---- a code is entered ---- */

static void
print_entry(const struct portal_page *p, struct strbuf *out)
{
	if (p->wrong)
		html_addf(out, "<p class=\"note bad\" role=\"alert\">That is "
		    "no such code: it has eight letters, none of them a "
		    "vowel.</p>\n");
	html_addf(out, "<p>Enter the code that <code>stagedoor login</code> "
	    "shows on the machine where you want to use kubectl. Whoever "
	    "asks you to enter a code of theirs wants to act as you.</p>\n"
	    "<form method=\"post\" action=\"%s\">\n<label "
	    "for=\"code\">Code</label>\n<input type=\"text\" id=\"code\" "
	    "name=\"code\" value=\"%s\" maxlength=\"16\" required "
	    "autocomplete=\"off\" autocapitalize=\"characters\" "
	    "spellcheck=\"false\">\n", p->path, p->code);
	print_field(out, "step", "look");
	html_addf(out, "<button type=\"submit\">Continue</button>\n"
	    "</form>\n");
}

/* ---- its machine is waited for ---- */

static void
print_waiting(const struct portal_page *p, struct strbuf *out)
{
	html_addf(out, "<p class=\"code\">%s</p>\n", p->code);
	if (p->now - p->request->claimed < PORTAL_WAIT_MS) {
		html_addf(out, "<p role=\"status\">Waiting for the machine "
		    "that shows this code\xe2\x80\xa6</p>\n");
		return;
	}
	html_addf(out, "<p class=\"note bad\" role=\"alert\">No machine asks "
	    "with this code. Is <code>stagedoor login</code> still "
	    "waiting, and is this the code that it shows?</p>\n"
	    "<p><a href=\"%s\">Enter another code</a></p>\n", p->path);
}

/* ---- and shown ---- */

static void
print_answer(const struct portal_page *p, const char *step,
    const char *button, const char *look, struct strbuf *out)
{
	html_addf(out, "<form method=\"post\" action=\"%s\">\n", p->path);
	print_field(out, "code", p->request->code);
	print_field(out, "device", p->request->nonce);
	print_field(out, "step", step);
	html_addf(out, "<button type=\"submit\" class=\"%s\">%s</button>\n"
	    "</form>\n", look, button);
}

static void
print_asker(const struct portal_page *p, struct arena *arena,
    struct strbuf *out)
{
	const struct portal_request *pr = p->request;
	const char *minutes = arena_printf(arena, "%lld", (long long)
	    (p->lifetime + 59999) / 60000);
	const char *ago = arena_printf(arena, "%lld", (long long)
	    SD_MAX(p->now - pr->asked, (int64_t)0) / 1000);
	char stamp[CLOCK_STAMP_LEN];

	html_addf(out, "<p>A machine asks to use kubectl as you, with all "
	    "that you may do in the clusters of this portal.</p>\n"
	    "<p class=\"code\">%s</p>\n<dl>\n"
	    "<dt>It calls itself</dt><dd><bdi>%s</bdi></dd>\n"
	    "<dt>Its address</dt><dd>%s</dd>\n<dt>It asked</dt>"
	    "<dd><time datetime=\"%s\">%s seconds ago</time></dd>\n"
	    "<dt>For</dt><dd>%s minutes</dd>\n</dl>\n", pr->code,
	    *pr->name != '\0' ? pr->name : "nothing",
	    *pr->from != '\0' ? pr->from : "not known",
	    clock_stamp(pr->asked, stamp), ago, minutes);
	html_addf(out, "<p class=\"note\">Allow it only if you started "
	    "<code>stagedoor login</code> there yourself just now, and it "
	    "shows this code.</p>\n<div class=\"row\">\n");
	print_answer(p, "allow", "Allow", "", out);
	print_answer(p, "refuse", "Refuse", "quiet", out);
	html_addf(out, "</div>\n");
}

static void
print_outcome(const struct portal_page *p, struct strbuf *out)
{
	bool refused = p->request->state == PORTAL_REFUSED;

	html_addf(out, "<p class=\"note %s\" role=\"status\">%s</p>\n"
	    "<p><a href=\"%s\">Your clusters, and sessions of kubectl</a>"
	    "</p>\n", refused ? "bad" : "good", refused ? "You refused. "
	    "Nothing was given to that machine." : "You allowed it. "
	    "kubectl there goes on in a few seconds; you can close this "
	    "page.", p->clusters);
}

void
portal_page_print(const struct portal_page *p, struct arena *arena,
    struct strbuf *out)
{
	const struct portal_request *pr = p->request;
	struct html_head head = { .title = TITLE };

	head.lead = arena_printf(arena, "The portal knows you as %s.",
	    p->user);
	if (pr != NULL && pr->state == PORTAL_CLAIMED &&
	    p->now - pr->claimed < PORTAL_WAIT_MS)
		head.refresh = REFRESH;
	html_begin(out, &head);
	if (pr == NULL)
		print_entry(p, out);
	else if (pr->state == PORTAL_CLAIMED)
		print_waiting(p, out);
	else if (pr->state == PORTAL_ASKING)
		print_asker(p, arena, out);
	else
		print_outcome(p, out);
	html_end(out);
}
