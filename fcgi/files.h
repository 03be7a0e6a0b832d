/* SPDX-License-Identifier: Apache-2.0 */
/* Reading small files whole: bounded, and into memory that is wiped. */
#ifndef STAGEDOOR_FILES_H
#define STAGEDOOR_FILES_H

struct err;
struct secret;

/*
 * The content of a regular file of at most max bytes, one newline at the end
 * trimmed. E_NOTFOUND (there is none, as far as we may see), E_SYSTEM or
 * E_TOOLARGE with the file's name in err.
 */
int file_read(const char *path, size_t max, struct secret *out,
    struct err *err);

#endif
