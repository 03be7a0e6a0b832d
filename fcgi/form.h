/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of a query or of a form's body (application/x-www-form-urlencoded),
 * and cookies of a request: what a browser sends by name.
 */
#ifndef STAGEDOOR_FORM_H
#define STAGEDOOR_FORM_H

#include "strbuf.h"

struct arena;
struct err;
struct request;

#define FORM_BODY_MAX 4096	/* bytes of a body */

struct form_want {
	const char *name;
	size_t max;		/* bytes, decoded */
	bool prose;		/* for a person to read: a longer one is cut,
				   control characters are blanks */
};
/*
 * The value of a field, decoded, in the arena; NULL if it is not there. 0, or
 * E_INPUT: it came twice (however its name was written), is longer than max,
 * is badly encoded, or holds a control character. text NULL: no fields. Texts
 * of errors hold the name and no value.
 */
int form_field(struct arena *arena, const char *text,
    const struct form_want *want, const char **out, struct err *err);

/*
 * The body, if it is a form, else NULL: in the request's arena. 0; E_MEDIA:
 * it is something else; or as of request_body.
 */
int form_body(struct request *req, const char **out, struct err *err);

/*
 * Call each with every cookie whose name begins with prefix, in the order in
 * which they came, until it returns non-zero, which is given back.
 */
int form_cookies(const struct request *req, const char *prefix,
    int (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* The first cookie of that name, or NULL. */
const char *form_cookie(const struct request *req, const char *name);

#endif
