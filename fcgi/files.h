/* SPDX-License-Identifier: Apache-2.0 */
/* Small files whole: read, bounded, into memory that is wiped; replaced. */
#ifndef STAGEDOOR_FILES_H
#define STAGEDOOR_FILES_H

#include <sys/types.h>

struct err;
struct secret;

/*
 * The content of a regular file of at most max bytes, one newline at the end
 * trimmed. E_NOTFOUND (there is none, as far as we may see), E_SYSTEM or
 * E_TOOLARGE with the file's name in err.
 */
int file_read(const char *path, size_t max, struct secret *out,
    struct err *err);
/*
 * Let the file hold that, with that mode, in one step: others see the old
 * content or the new one. One that holds it already is left alone. Its folder
 * must be there. E_SYSTEM with the file's name in err.
 */
int file_replace(const char *path, const char *data, size_t len, mode_t mode,
    struct err *err);

#endif
