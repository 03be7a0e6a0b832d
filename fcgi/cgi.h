/* SPDX-License-Identifier: Apache-2.0 */
/* Plain CGI (RFC 3875): one request on stdin and stdout, then the end. */
#ifndef STAGEDOOR_CGI_H
#define STAGEDOOR_CGI_H

struct runtime;

/* Were we started as a CGI program? */
bool cgi_started(void);
/* Answer the one request. Exit code: 0, or 1 if the answer broke off. */
int cgi_serve(struct runtime *rt);

#endif
