/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree without errors to struct settings. Single values go by the table of
 * keys (INTO); lists and maps by hand. For settings.c only.
 */
#ifndef STAGEDOOR_SETTINGS_READ_H
#define STAGEDOOR_SETTINGS_READ_H

#include "keys.h"
#include "settings.h"
#include "tree.h"

/*
 * Put every member of obj (which may be NULL) that keys know, or its
 * default, into the struct at base. Strings go to the arena.
 */
void read_keys(struct arena *arena, const struct key *keys,
    const struct node *obj, void *base);
/* A string of the arena, NULL if the member is absent. */
const char *read_string(struct arena *arena, const struct node *obj,
    const char *key);
/* The strings of a list; n == 0 if list is NULL. */
void read_strings(struct arena *arena, const struct node *list,
    struct string_list *out);
/* Zeroed room for the elements of a list; *n is 0 if list is NULL. */
void *read_room(struct arena *arena, const struct node *list, size_t size,
    size_t *n);

/* settings_clusters.c: clusterLocatorMethods and customResources. */
void read_locators(struct settings *s, const struct node *kubernetes);
void read_custom(struct arena *arena, const struct node *list,
    struct custom_resource **out, size_t *n);
/* settings_backend.c: backend and discovery. */
void read_backend(struct settings *s, const struct node *root);
/* settings_login.c: stagedoor.login. */
void read_logins(struct settings *s, const struct node *list);

#endif
