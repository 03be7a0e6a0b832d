/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of requests (RFC 3986): normalised for choosing a route, checked
 * before they go to a cluster byte for byte.
 */
#ifndef STAGEDOOR_PATH_H
#define STAGEDOOR_PATH_H

struct arena;

/*
 * Decode percent-encoded unreserved characters and remove dot segments; a
 * path that climbs above its root stays there. NULL: bad percent-encoding.
 */
char *path_normalise(struct arena *arena, const char *path);
/* Decode every percent escape. NULL: bad, or a NUL came out. */
char *path_decode(struct arena *arena, const char *s, size_t len);
/*
 * Would a dot segment, plain or encoded, climb above the start of the path?
 * Counts "%2f", "%5c" and "\" as separators too, for servers that do.
 */
bool path_climbs(const char *path);
/* Runs of "/" become one; the rest stays byte for byte. */
char *path_squeeze(struct arena *arena, const char *path);

#endif
