/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /connect: every cluster of one user, how it is reached, and a
 * button to connect or disconnect. Plain HTML: no script, one form for each
 * button.
 */
#ifndef STAGEDOOR_CONNECT_PAGE_H
#define STAGEDOOR_CONNECT_PAGE_H

#include "connect_list.h"
#include "notice.h"

struct settings;

struct connect_page {
	const struct connect_list *list;
	const struct notice *notice;
	const char *after;	/* path that sign-ins come back to; NULL: this
				   page */
	int64_t now;		/* wall ms */
};

void connect_page_print(const struct connect_page *p, struct arena *arena,
    struct strbuf *out);
/* A page for what was refused: a sentence, and the way back to base. */
void connect_page_refusal(const char *text, const char *base,
    struct strbuf *out);

/* An issuer as a person knows it: "Google", "id.example.org". */
const char *connect_issuer(const struct login_settings *login,
    struct arena *arena);
/* Where these pages' forms may lead, for their policy. */
const char *connect_form_action(const struct settings *s);

#endif
