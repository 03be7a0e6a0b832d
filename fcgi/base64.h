/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as people paste it into settings: blanks between are fine. */
#ifndef STAGEDOOR_BASE64_H
#define STAGEDOOR_BASE64_H

struct secret;

/* 0 and out filled, or E_INPUT: it is none, or empty. Copies are wiped. */
int base64_decode(const char *text, struct secret *out);

#endif
