/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull reader over JSON bytes (RFC 8259) that allocates nothing: for
 * answers of clusters, which are large and mostly passed on as they came.
 * It is strict: whole grammar, UTF-8, no lone surrogate bytes, bounded depth.
 * Values are handed out as spans of the caller's bytes.
 */
#ifndef STAGEDOOR_JSONSCAN_H
#define STAGEDOOR_JSONSCAN_H

struct arena;
struct err;

#define JSONSCAN_DEPTH 64	/* objects of Kubernetes nest to about 20 */

/* A value as it stands in the input, without white space around it. */
struct json_span {
	const char *ptr;	/* NULL: absent */
	size_t len;
};

/* A member of the outermost object, noted while the text is checked. */
struct json_pick {
	const char *name;
	struct json_span *value;	/* the last of that name, or NULL */
};
struct json_rules {
	unsigned depth;		/* containers in containers, at most */
	bool no_nul;		/* refuse "\u0000" */
	const struct json_pick *picks;
	size_t npicks;
};
/*
 * Check one whole text: one value, white space around it, nothing else; one
 * pass finds the picked members too. Returns 0, or E_PROTOCOL with the offset
 * of the first bad byte in err.
 */
int jsonscan_check(const char *data, size_t len,
    const struct json_rules *rules, struct err *err);
/*
 * The length of the well-formed UTF-8 character at data; 0 if there is none.
 */
size_t jsonscan_utf8(const char *data, size_t len);

/*
 * Iterate over the members of an object or the elements of an array that
 * jsonscan_check has accepted (as a whole or as part of an accepted text).
 * jsonscan_begin returns false if the span is not of that kind ('{' or '[').
 * Each _next returns false at the end. key is the raw span with its quotes.
 */
struct jsonscan {
	const char *p, *end;
};
bool jsonscan_begin(struct jsonscan *it, struct json_span value, char kind);
bool jsonscan_member(struct jsonscan *it, struct json_span *key,
    struct json_span *value);
bool jsonscan_element(struct jsonscan *it, struct json_span *value);

/* The last member of that name (as in JavaScript); ptr NULL if none. */
struct json_span jsonscan_get(struct json_span object, const char *name);
/* Several at once, in one walk. False, and all NULL, if it is no object. */
bool jsonscan_pick(struct json_span object, const struct json_pick *picks,
    size_t n);
/*
 * The next element and members of it, in one walk: all NULL if it is no
 * object. value is the whole element. False at the end of the array.
 */
bool jsonscan_element_pick(struct jsonscan *it, struct json_span *value,
    const struct json_pick *picks, size_t n);
/* Is the span the string s? Understands escapes. */
bool jsonscan_is(struct json_span value, const char *s);
bool jsonscan_is_string(struct json_span value);
/*
 * The decoded content of a string span, into memory of the arena.
 * NULL if it is no string or holds a NUL.
 */
char *jsonscan_string(struct json_span value, struct arena *arena);

#endif
