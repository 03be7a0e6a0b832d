/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors: words and signs, then requirements, then what they say of
 * an object's labels. What is odd here is odd in Kubernetes: "a=" wants an
 * empty value, "a in (,b)" too, and "a in (b,,)" is an error.
 */
#include "base.h"

#include "err.h"
#include "label_selector.h"

/* A request line of more would not get through a web server. */
#define SELECTOR_TEXT_MAX 16384
/* IsQualifiedName and IsValidLabelValue of Kubernetes' API machinery. */
#define LABEL_NAME_MAX 63
#define LABEL_PREFIX_MAX 253

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define LOWER_ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"

enum token { END, WORD, IN, NOT_IN, EQUALS, NOT_EQUALS, NOT, GREATER, LESS,
    COMMA, OPEN, CLOSE };

enum operator { OP_EXISTS, OP_ABSENT, OP_IN, OP_NOT_IN, OP_GREATER, OP_LESS };

struct requirement {
	enum operator op;
	const char *key;
	const char **values;
	size_t n;
	int64_t bound;		/* of OP_GREATER and OP_LESS */
};

struct label_selector {
	struct requirement *items;
	size_t n;
	struct label needs;	/* key NULL: none */
	char *words;		/* all keys and values */
};

struct parser {
	const char *p;		/* behind the token */
	enum token token;
	const char *word;	/* of WORD, IN and NOT_IN */
	char *words;		/* room for the next */
	struct label_selector *out;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char signs[] = "=!(),><";

static enum token
next_sign(struct parser *ps)
{
	char c = *ps->p++;
	bool equals = *ps->p == '=';

	switch (c) {
	case '=':
		ps->p += equals;
		return EQUALS;
	case '!':
		ps->p += equals;
		return equals ? NOT_EQUALS : NOT;
	case '>':
		return GREATER;
	case '<':
		return LESS;
	case '(':
		return OPEN;
	case ')':
		return CLOSE;
	default:
		return COMMA;
	}
}

static enum token
next_word(struct parser *ps)
{
	size_t len = strcspn(ps->p, "=!(),>< \t\r\n");

	ps->word = memcpy(ps->words, ps->p, len);
	ps->words[len] = '\0';
	ps->words += len + 1;
	ps->p += len;
	if (strcmp(ps->word, "in") == 0)
		return IN;
	return strcmp(ps->word, "notin") == 0 ? NOT_IN : WORD;
}

static void
next(struct parser *ps)
{
	while (is_space(*ps->p))
		ps->p++;
	if (*ps->p == '\0')
		ps->token = END;
	else if (strchr(signs, *ps->p) != NULL)
		ps->token = next_sign(ps);
	else
		ps->token = next_word(ps);
}

/* Everywhere but between a key and its values, "in" is a word. */
static bool
at_word(const struct parser *ps)
{
	return ps->token == WORD || ps->token == IN || ps->token == NOT_IN;
}

/* Characters of inside, with those of ends at both ends. */
static bool
is_framed(const char *s, size_t len, const char *ends, const char *inside)
{
	size_t i;

	if (len == 0 || strchr(ends, s[0]) == NULL ||
	    strchr(ends, s[len - 1]) == NULL)
		return false;
	for (i = 1; i + 1 < len; i++)
		if (strchr(inside, s[i]) == NULL)
			return false;
	return true;
}

static bool
is_name(const char *s)
{
	size_t len = strlen(s);

	return len <= LABEL_NAME_MAX &&
	    is_framed(s, len, ALNUM, ALNUM "-_.");
}

/* DNS names in lower case. */
static bool
is_prefix(const char *s, size_t len)
{
	const char *end = s + len;
	size_t part;

	if (len > LABEL_PREFIX_MAX)
		return false;
	for (;; s += part + 1) {
		part = strcspn(s, "./");
		if (!is_framed(s, part, LOWER_ALNUM, LOWER_ALNUM "-"))
			return false;
		if (s + part == end)
			return true;
	}
}

static bool
is_key(const char *s)
{
	const char *slash = strchr(s, '/');

	if (slash == NULL)
		return is_name(s);
	return is_prefix(s, (size_t)(slash - s)) && is_name(slash + 1);
}

static bool
is_value(const char *s)
{
	return *s == '\0' || is_name(s);
}

/* As Go's ParseInt reads them. Label values have no signs. */
static bool
read_integer(const char *s, int64_t *out)
{
	int64_t v = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' ||
		    __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *s - '0', &v))
			return false;
	}
	*out = v;
	return true;
}

static void
value_add(struct requirement *r, const char *value)
{
	/* grows at powers of two */
	if ((r->n & (r->n - 1)) == 0)
		r->values = xrealloc(r->values,
		    SD_MAX(2 * r->n, (size_t)1) * sizeof(*r->values));
	r->values[r->n++] = value;
}

/* Behind "(": to the token that must be ")". */
static bool
parse_list(struct parser *ps, struct requirement *r)
{
	for (;;) {
		if (at_word(ps)) {
			value_add(r, ps->word);
			next(ps);
			if (ps->token == CLOSE)
				return true;
			if (ps->token != COMMA)
				return false;
		} else if (ps->token != COMMA) {
			return false;
		} else {
			next(ps);
			if (r->n == 0)
				value_add(r, "");
			if (ps->token == CLOSE) {
				value_add(r, "");
				return true;
			}
			if (ps->token == COMMA) {
				value_add(r, "");
				next(ps);
			}
		}
	}
}

static bool
parse_set(struct parser *ps, struct requirement *r)
{
	if (ps->token != OPEN)
		return false;
	next(ps);
	if (!parse_list(ps, r))
		return false;
	next(ps);
	return true;
}

static bool
parse_value(struct parser *ps, struct requirement *r)
{
	if (ps->token == END || ps->token == COMMA) {
		value_add(r, "");
		return true;
	}
	if (!at_word(ps))
		return false;
	value_add(r, ps->word);
	next(ps);
	return true;
}

static bool
parse_operator(struct parser *ps, struct requirement *r)
{
	enum token token = ps->token;

	next(ps);
	r->op = token == NOT_IN || token == NOT_EQUALS ? OP_NOT_IN :
	    token == GREATER ? OP_GREATER : token == LESS ? OP_LESS : OP_IN;
	switch (token) {
	case IN:
	case NOT_IN:
		return parse_set(ps, r);
	case EQUALS:
	case NOT_EQUALS:
		return parse_value(ps, r);
	case GREATER:
	case LESS:
		return parse_value(ps, r) &&
		    read_integer(r->values[0], &r->bound);
	default:
		return false;
	}
}

static bool
parse_requirement(struct parser *ps, struct requirement *r)
{
	bool absent = ps->token == NOT;
	size_t i;

	if (absent)
		next(ps);
	if (!at_word(ps) || !is_key(ps->word))
		return false;
	r->key = ps->word;
	r->op = absent ? OP_ABSENT : OP_EXISTS;
	next(ps);
	if (absent || ps->token == END || ps->token == COMMA)
		return true;
	if (!parse_operator(ps, r))
		return false;
	for (i = 0; i < r->n; i++)
		if (!is_value(r->values[i]))
			return false;
	return true;
}

static bool
parse_all(struct parser *ps)
{
	struct label_selector *s = ps->out;
	struct requirement *r;

	next(ps);
	if (ps->token == END)
		return true;
	for (;;) {
		r = &ARRAY_PUSH(s->items, s->n);
		if (!parse_requirement(ps, r))
			return false;
		if (r->op == OP_IN && r->n == 1 && s->needs.key == NULL)
			s->needs = (struct label){ r->key, r->values[0] };
		if (ps->token == END)
			return true;
		if (ps->token != COMMA)
			return false;
		next(ps);
	}
}

struct label_selector *
label_selector_parse(const char *text, struct err *err)
{
	struct label_selector *s = xcalloc(1, sizeof(*s));
	struct parser ps = { .p = text, .out = s };
	size_t len = strlen(text);

	if (len <= SELECTOR_TEXT_MAX) {
		/* a NUL for each word, and each is one character at least */
		ps.words = s->words = xmalloc(2 * len + 1);
		if (parse_all(&ps))
			return s;
	}
	label_selector_free(s);
	err_set(err, E_INPUT, "not a label selector of Kubernetes");
	return NULL;
}

void
label_selector_free(struct label_selector *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++)
		free(s->items[i].values);
	free(s->items);
	free(s->words);
	free(s);
}

static const char *
label_value(const struct label *labels, size_t n, const char *key)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(labels[i].key, key) == 0)
			return labels[i].value;
	return NULL;
}

static bool
has_value(const struct requirement *r, const char *value)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->values[i], value) == 0)
			return true;
	return false;
}

static bool
is_met(const struct requirement *r, const char *value)
{
	int64_t number;

	switch (r->op) {
	case OP_EXISTS:
		return value != NULL;
	case OP_ABSENT:
		return value == NULL;
	case OP_IN:
		return value != NULL && has_value(r, value);
	case OP_NOT_IN:
		return value == NULL || !has_value(r, value);
	case OP_GREATER:
		return value != NULL && read_integer(value, &number) &&
		    number > r->bound;
	case OP_LESS:
		return value != NULL && read_integer(value, &number) &&
		    number < r->bound;
	}
	return false;
}

bool
label_selector_matches(const struct label_selector *s,
    const struct label *labels, size_t n)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!is_met(&s->items[i],
		    label_value(labels, n, s->items[i].key)))
			return false;
	return true;
}

const struct label *
label_selector_needs(const struct label_selector *s)
{
	return s->needs.key != NULL ? &s->needs : NULL;
}
