/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that holds secrets does first. */
#ifndef STAGEDOOR_HARDEN_H
#define STAGEDOOR_HARDEN_H

/*
 * No core files, not dumpable (so no other process of the user can read our
 * memory), no SIGPIPE, no SIGXFSZ (a file that may not grow is an error), few
 * malloc arenas (threads would grow one each), as many descriptors as we may
 * have.
 */
void harden(void);

#endif
