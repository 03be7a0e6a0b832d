/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 as people paste it into settings: blanks between are fine. And as
 * tokens and keys have it, strictly.
 */
#ifndef STAGEDOOR_BASE64_H
#define STAGEDOOR_BASE64_H

struct secret;

/* 0 and out filled, or E_INPUT: it is none, or empty. Copies are wiped. */
int base64_decode(const char *text, struct secret *out);
/*
 * With - and _ (RFC 4648, section 5): no padding, no blanks, no bits left
 * over, so each text is the only one for its bytes. out has room for
 * BASE64URL_ROOM(len). Returns how many, or E_INPUT. Leaves no copies.
 */
ssize_t base64url_decode(const char *text, size_t len, void *out);
#define BASE64URL_ROOM(len) ((len) / 4 * 3 + 2)

#endif
