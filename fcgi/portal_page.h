/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page on which a user allows kubectl on some machine: a code is entered,
 * its machine is waited for, then shown, and allowed or refused. Plain HTML in
 * the style of /connect.
 */
#ifndef STAGEDOOR_PORTAL_PAGE_H
#define STAGEDOOR_PORTAL_PAGE_H

#include "portal_code.h"

struct strbuf;

struct portal_page {
	const char *user;
	const char *path;	/* of this page, as the browser has it */
	const char *clusters;	/* of /connect */
	const char *code;	/* as it is in the address; NULL: none */
	bool wrong;		/* that is no code */
	const struct portal_request *request;	/* NULL: nobody entered it */
	int64_t now, lifetime;	/* wall ms; ms of a token */
};

void portal_page_print(const struct portal_page *p, struct arena *arena,
    struct strbuf *out);

#define PORTAL_WAIT_MS 30000	/* that a machine is waited for */

#endif
