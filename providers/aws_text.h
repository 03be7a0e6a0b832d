/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AWS or a program said, fit to be shown.
 */
#ifndef STAGEDOOR_AWS_TEXT_H
#define STAGEDOOR_AWS_TEXT_H

#include "secret.h"

struct arena;

/* Longest of what others said that is shown, in bytes. */
#define AWS_SAID_MAX 200

/*
 * At most AWS_SAID_MAX bytes of text, in the arena: one line of printable
 * ASCII. Each of the secrets becomes "***", and so does whatever is longer
 * than names of AWS are and could be a token. Names stay, for they are what
 * a message of AWS is about; what else looks random is for redact.h.
 */
const char *aws_said(struct arena *arena, const char *text,
    const struct secret *const *secrets, size_t n);

#endif
