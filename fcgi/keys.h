/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of keys: what may stand in the settings, of which type, with
 * which default, and what for. Reading, checking, suggesting and printing
 * all walk this table, so a key that is not here does not exist.
 *
 * A key that goes straight into a struct says so with INTO; what needs more
 * than a conversion (lists, maps) is filled in settings_read.c.
 */
#ifndef STAGEDOOR_KEYS_H
#define STAGEDOOR_KEYS_H

#include "strbuf.h"

enum key_type {
	KEY_STRING,
	KEY_WORD,	/* one of words; stored as its place, or as a string */
	KEY_SECRET,	/* a string that is stored as struct secret */
	KEY_PATH,	/* of a file; made absolute */
	KEY_CONTENT,	/* NAMEFile: the value of NAME is in this file */
	KEY_OCTAL,	/* a string of octal digits */
	KEY_BOOL,
	KEY_NUMBER,
	KEY_INTEGER,
	KEY_STRINGS,	/* a list of strings */
	KEY_MAP,	/* strings under any names */
	KEY_ANY,	/* whatever JSON can say */
	KEY_OBJECT,
	KEY_LIST,	/* of objects */
};

enum key_flags {
	KEY_REQUIRED = 1,
	KEY_EMPTY_OK = 2,	/* "" is a value */
	KEY_FOREIGN = 4,	/* known, and none of our business */
	KEY_SHARED = 8,		/* others keep keys in this object too */
	KEY_STRICT = 16,	/* Backstage too refuses an unknown member */
	KEY_LENIENT = 32,	/* a wrong type is ignored, as in Backstage */
	KEY_ONE_OK = 64,	/* KEY_STRINGS: one string is a list of one */
	KEY_LOOSE = 128,	/* KEY_MAP: values are checked elsewhere */
};

/* What is wrong with the value, or NULL. */
typedef const char *key_check(const char *value);

struct key {
	const char *name;
	enum key_type type;
	unsigned flags;
	const char *fallback;	/* the default, as one writes it */
	double min, max;	/* of numbers; both 0: any */
	const char *const *words;	/* NULL-terminated */
	const char *when;	/* only beside type = "when" */
	const struct key *keys;	/* the members, up to a name of NULL */
	key_check *check;	/* of each string */
	size_t at, size;	/* where it goes; size 0: nowhere */
	const char *text;
};

#define INTO(type, field) .at = offsetof(struct type, field), \
	.size = sizeof(((struct type *)NULL)->field)

extern const struct key keys_root[];		/* keys.c */
extern const struct key keys_kubernetes[];	/* keys_backstage.c */
extern const struct key keys_aws[], keys_backend[], keys_discovery[];
extern const struct key keys_permission[];
extern const struct key keys_cluster[];
extern const struct key keys_stagedoor[];	/* keys_stagedoor.c */
extern const struct key keys_exec[], keys_impersonate[];

/* The key of that name, or NULL. keys may be NULL. */
const struct key *keys_find(const struct key *keys, const char *name);
/* The same for an object whose "type" is type (NULL: not known). */
const struct key *keys_pick(const struct key *keys, const char *name,
    const char *type);
/* The place of word in words, -1 if it is not there. */
int keys_word(const char *const *words, const char *word);
/*
 * The name that was probably meant among keys (those that are for type, or
 * for any), or "elsewhere.in.the.table" where just this name is known.
 * NULL: no idea. Borrowed; path is room for the second kind.
 */
const char *keys_suggest(const struct key *keys, const char *name,
    const char *type, struct strbuf *path);
/* "number, 0…5" and the like. */
void keys_print_type(const struct key *key, struct strbuf *out);

/* keycheck.c: the checks that are used in the table. */
key_check check_url, check_origin, check_listen, check_base_path, check_ref,
    check_member, check_network, check_audit, check_store_url,
    check_template, check_template_one, check_route, check_action,
    check_login_name;

#endif
