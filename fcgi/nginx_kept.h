/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier `stagedoor nginx --write` said and this one does not. While
 * a list of clusters cannot be had (a catalog that is away, a kubeconfig that
 * is half written), theirs are missing here and the pool still serves them;
 * so nginx goes on knowing them until the list is there again.
 */
#ifndef STAGEDOOR_NGINX_KEPT_H
#define STAGEDOOR_NGINX_KEPT_H

struct strbuf;

/* Append those blocks of last ("# NAME", a line with its own name, the rest,
   an empty line) of which `to` has no such line. */
void nginx_kept_blocks(struct strbuf *to, const char *last);
/* Append those lines of last that `to` has not. */
void nginx_kept_lines(struct strbuf *to, const char *last);

#endif
