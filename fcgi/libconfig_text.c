/* SPDX-License-Identifier: Apache-2.0 */
/* Words, brackets and numbers of a libconfig file; values are not ours. */
#include "base.h"

#include <openssl/crypto.h>

#include "err.h"
#include "libconfig_text.h"
#include "settings.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_-*"
#define WRONG_MAX 100		/* each value is compared with them */
#define MARK_LEN 8		/* digits that stand for a string */

/* A bracket that is open: the names in a group, the place in a list. */
struct scope {
	bool group;
	size_t index;
	char **names;
	size_t n;
	size_t path;		/* length of the path outside */
};

struct scan {
	struct tree *t;
	struct libconfig_text *out;
	const struct tree_source *source;
	const char *p, *end;
	unsigned line, out_line;
	unsigned files;		/* open includes */
	struct scope *scopes;
	size_t nscopes;
	size_t values;
	struct strbuf path;
	bool assigned;		/* = or : was last: a value must follow */
	bool failed;
};

static void scan_file(struct scan *s);

static void
complain(struct scan *s, const char *path, const char *what)
{
	struct node at = { .source = s->source, .line = s->line };

	tree_strange(s->t, false, &at, path, what);
	s->failed = true;
}

/* A value that libconfig must not see: its key is wrong, the rest is read. */
static void
complain_of_value(struct scan *s, const char *what)
{
	struct node at = { .source = s->source, .line = s->line };

	tree_strange(s->t, false, &at, s->path.buf, what);
	if (s->out->nwrong < WRONG_MAX)
		ARRAY_PUSH(s->out->wrong, s->out->nwrong) =
		    xstrdup(s->path.buf ? s->path.buf : "");
	else
		s->failed = true;
}

/* The end of what can be said: the rest is not looked at. */
static void
give_up(struct scan *s, const char *what)
{
	complain(s, "", what);
	s->p = s->end;
}

static void
take(struct scan *s, size_t len)
{
	size_t i;

	if (strbuf_add(&s->out->text, s->p, len) != 0) {
		give_up(s, "the settings are too large");
		return;
	}
	for (i = 0; i < len; i++)
		if (s->p[i] == '\n') {
			s->line++;
			s->out_line++;
		}
	s->p += len;
}

static void
begin_part(struct scan *s)
{
	struct libconfig_part *part = &ARRAY_PUSH(s->out->parts,
	    s->out->nparts);

	part->first = s->out_line;
	part->source = s->source;
	part->line = s->line;
}

/* --- Scopes and names ---------------------------------------------------- */

static void
open_scope(struct scan *s, bool group)
{
	struct scope *sc;

	if (s->nscopes >= TREE_DEPTH_MAX) {
		give_up(s, "nested too deeply");
		return;
	}
	if (s->nscopes > 0 && !s->scopes[s->nscopes - 1].group)
		path_index(&s->path, s->scopes[s->nscopes - 1].index);
	sc = &ARRAY_PUSH(s->scopes, s->nscopes);
	sc->group = group;
	sc->path = s->path.len;
}

static void
close_scope(struct scan *s)
{
	struct scope *sc = &s->scopes[--s->nscopes];
	size_t i, outer = 0;

	for (i = 0; i < sc->n; i++)
		free(sc->names[i]);
	free(sc->names);
	if (s->nscopes > 0)
		outer = s->scopes[s->nscopes - 1].path;
	path_cut(&s->path, outer);
}

/* A name before = or : in a group; the path now ends in it. */
static void
add_name(struct scan *s, const char *name, size_t len)
{
	struct scope *sc = &s->scopes[s->nscopes - 1];
	char *copy;
	size_t i;

	if (!sc->group)
		return;		/* libconfig will call it a syntax error */
	copy = xstrndup(name, len);
	path_cut(&s->path, sc->path);
	path_key(&s->path, copy);
	for (i = 0; i < sc->n && strcmp(sc->names[i], copy) != 0; i++)
		;
	if (i < sc->n) {
		complain(s, s->path.buf, "this key stands here twice; keep one "
		    "of them");
		free(copy);
	} else if (sc->n >= TREE_MEMBERS_MAX) {
		free(copy);
		give_up(s, "too many keys in one group");
	} else {
		ARRAY_PUSH(sc->names, sc->n) = copy;
	}
}

static void
count_value(struct scan *s)
{
	if (++s->values > TREE_NODES_MAX)
		give_up(s, "the settings are too large");
}

/* --- Tokens -------------------------------------------------------------- */

static bool
is_bool(const char *word, size_t len)
{
	return (len == 4 && strncasecmp(word, "true", len) == 0) ||
	    (len == 5 && strncasecmp(word, "false", len) == 0);
}

static void
scan_word(struct scan *s)
{
	size_t len = strspn(s->p, NAME_CHARS), after = len;

	/* No settings, then; what follows would only look like names. */
	if (s->assigned && !is_bool(s->p, len)) {
		complain(s, s->path.buf, "syntax error: no value such as 5, "
		    "true or \"text\"");
		s->p = s->end;
		return;
	}
	s->assigned = false;
	after += strspn(s->p + after, " \t\r\n");
	if (s->p[after] == '=' || s->p[after] == ':')
		add_name(s, s->p, len);
	take(s, SD_MIN(len, (size_t)(s->end - s->p)));
}

/* Integers that libconfig cuts off without a word: what to say of them. */
static bool
integer_complaint(const char *s, size_t len, char *what, size_t size)
{
	char text[32] = "";
	bool hex = len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	bool wide = s[len - 1] == 'L';
	char *end = text;
	long long v = 0;

	snprintf(what, size, "this number is too large");
	if (len >= sizeof(text))
		return true;
	memcpy(text, s, len);
	errno = 0;
	v = strtoll(text, &end, hex ? 16 : 10);
	if (errno == ERANGE)
		return true;
	if (wide || (v <= INT32_MAX && v >= INT32_MIN))
		return false;
	/* What is no number may be part of something secret. */
	snprintf(what, size, "a number past 2147483647 needs the suffix L%s%s"
	    "%s", *end == '\0' ? ": " : "", *end == '\0' ? text : "",
	    *end == '\0' ? "L" : "");
	return true;
}

static void
scan_number(struct scan *s)
{
	size_t len = strspn(s->p + 1, "0123456789abcdefABCDEFxXL.+-") + 1;
	bool hex = s->p[0] == '0' && (s->p[1] == 'x' || s->p[1] == 'X');
	char what[128];

	len = SD_MIN(len, (size_t)(s->end - s->p));
	if ((hex || (memchr(s->p, '.', len) == NULL &&
	    memchr(s->p, 'e', len) == NULL &&
	    memchr(s->p, 'E', len) == NULL)) &&
	    integer_complaint(s->p, len, what, sizeof(what))) {
		complain_of_value(s, what);
		/* Of the same width: arrays are of one type. */
		strbuf_addstr(&s->out->text,
		    s->p[len - 1] == 'L' ? "0L" : "0");
		s->p += len;
	} else {
		take(s, len);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape or plain character at p: how long it is; *out is what it means. */
static size_t
unescape(const char *p, char *out)
{
	static const char from[] = "nrtf\"\\", to[] = "\n\r\t\f\"\\";
	const char *at;

	*out = *p;
	if (*p != '\\')
		return 1;
	if (p[1] != '\0' && (at = strchr(from, p[1])) != NULL) {
		*out = to[at - from];
		return 2;
	}
	if (p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
		*out = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
		return 4;
	}
	return 1;		/* libconfig leaves what it does not know */
}

/*
 * A string becomes its number in eight hex digits, so that libconfig can put
 * several behind each other, and as many line breaks as it had.
 */
static void
scan_string(struct scan *s)
{
	const char *p = s->p + 1, *end = p;
	unsigned breaks = 0;
	char *text, *to;

	while (end < s->end && *end != '"')
		end += *end == '\\' && end + 1 < s->end ? 2 : 1;
	if (end >= s->end) {
		give_up(s, "a string begins here that does not end");
		return;
	}
	text = to = xmalloc((size_t)(end - p) + 1);
	while (p < end) {
		breaks += *p == '\n';
		p += unescape(p, to);
		/* Would end the string early: admin\x00evil. */
		if (*to++ == '\0')
			complain_of_value(s, "a NUL in a string");
	}
	*to = '\0';
	strbuf_addf(&s->out->text, "\"%0*zx", MARK_LEN, s->out->nstrings);
	ARRAY_PUSH(s->out->strings, s->out->nstrings) = text;
	s->line += breaks;
	s->out_line += breaks;
	while (breaks-- > 0)
		strbuf_addch(&s->out->text, '\n');
	s->p = end;
	take(s, 1);
}

/* A comment that opens with skip characters. */
static void
scan_comment(struct scan *s, size_t skip, const char *close)
{
	size_t left = (size_t)(s->end - s->p);
	const char *end = memmem(s->p + skip, left - skip, close,
	    strlen(close));

	take(s, end == NULL ? left : (size_t)(end - s->p) + strlen(close));
}

/* The file of an @include line, in memory of the caller; NULL: it is none. */
static char *
include_path(struct scan *s, size_t *len)
{
	const char *p = s->p, *end;

	p += strspn(p, " \t");
	if (!str_starts(p, "@include"))
		return NULL;
	p += strlen("@include");
	p += strspn(p, " \t");
	if (*p++ != '"' || (end = memchr(p, '"', (size_t)(s->end - p))) == NULL)
		return NULL;
	*len = (size_t)(end + 1 - s->p);
	return xstrndup(p, (size_t)(end - p));
}

static void
include(struct scan *s, const char *path)
{
	struct node from = { .source = s->source, .line = s->line };
	struct scan inner = *s;
	size_t len;
	char *text;

	if (s->files >= TREE_INCLUDES_MAX) {
		give_up(s, "too many files that include each other");
		return;
	}
	text = tree_slurp(s->t, path, &from, &inner.source, &len);
	if (text == NULL) {
		s->failed = true;
		return;
	}
	inner.files++;
	inner.p = text;
	inner.end = text + len;
	inner.line = 1;
	begin_part(&inner);
	scan_file(&inner);
	/* The rest of our line begins a line of its own. */
	if (strbuf_addch(&inner.out->text, '\n') == 0)
		inner.out_line++;
	OPENSSL_cleanse(text, len);
	free(text);
	/* All but the place in the text goes on where the other file ended. */
	inner.source = s->source;
	inner.p = s->p;
	inner.end = s->end;
	inner.line = s->line;
	inner.files = s->files;
	*s = inner;
	begin_part(s);
}

/* What may stand at the start of a line only. */
static void
scan_line_start(struct scan *s)
{
	size_t len;
	char *path = include_path(s, &len);

	if (path == NULL)
		return;
	s->p += len;
	include(s, path);
	free(path);
}

static void
scan_token(struct scan *s)
{
	char c = *s->p;

	if (c == '"') {
		s->assigned = false;
		scan_string(s);
	} else if (c == '#') {
		scan_comment(s, 1, "\n");
	} else if (c == '/' && s->p[1] == '/') {
		scan_comment(s, 2, "\n");
	} else if (c == '/' && s->p[1] == '*') {
		scan_comment(s, 2, "*/");
	} else if ((c >= '0' && c <= '9') || c == '-' || c == '+') {
		s->assigned = false;
		scan_number(s);
	} else if (strchr(NAME_CHARS, c) != NULL) {
		scan_word(s);
	} else {
		if (c == '{' || c == '(' || c == '[')
			open_scope(s, c == '{');
		else if ((c == '}' || c == ')' || c == ']') && s->nscopes > 1)
			close_scope(s);
		if (c == ',')
			s->scopes[s->nscopes - 1].index++;
		if (c == ',' || c == '=' || c == ':')
			count_value(s);
		if (strchr(" \t\r\n\f", c) == NULL)
			s->assigned = c == '=' || c == ':';
		if (s->p < s->end)
			take(s, 1);
	}
}

static void
scan_file(struct scan *s)
{
	bool start = true;

	while (s->p < s->end) {
		if (start)
			scan_line_start(s);
		if (s->p >= s->end)
			break;
		start = *s->p == '\n' || *s->p == '#' ||
		    (*s->p == '/' && s->p[1] == '/');
		scan_token(s);
	}
}

int
libconfig_text_read(struct tree *t, const struct tree_source *src,
    const char *text, size_t len, struct libconfig_text *out)
{
	struct scan s = { .t = t, .out = out, .source = src, .p = text,
	    .end = text + len, .line = 1, .out_line = 1, .path = PATH_INIT };

	memset(out, 0, sizeof(*out));
	strbuf_init(&out->text, TREE_FILE_MAX);
	open_scope(&s, true);
	begin_part(&s);
	scan_file(&s);
	/* libconfig does not end a comment at the end of the text. */
	strbuf_addch(&out->text, '\n');
	while (s.nscopes > 0)
		close_scope(&s);
	free(s.scopes);
	strbuf_release(&s.path);
	return s.failed ? E_CONFIG : 0;
}

void
libconfig_text_release(struct libconfig_text *lt)
{
	size_t i;

	for (i = 0; i < lt->nstrings; i++) {
		OPENSSL_cleanse(lt->strings[i], strlen(lt->strings[i]));
		free(lt->strings[i]);
	}
	free(lt->strings);
	for (i = 0; i < lt->nwrong; i++)
		free(lt->wrong[i]);
	free(lt->wrong);
	free(lt->parts);
	strbuf_release(&lt->text);
	memset(lt, 0, sizeof(*lt));
}

/* The string of the mark at *p, which goes past it; NULL at the end. */
static const char *
next_string(const struct libconfig_text *lt, const char **p)
{
	size_t n = 0;
	int i;

	*p += strspn(*p, "\n");
	if (**p == '\0')
		return NULL;
	for (i = 0; i < MARK_LEN; i++, ++*p)
		n = n << 4 | (size_t)hex_digit(**p);
	if (n >= lt->nstrings)
		BUG("libconfig changed a string");
	return lt->strings[n];
}

bool
libconfig_text_wrong(const struct libconfig_text *lt, const char *path)
{
	size_t i;

	for (i = 0; i < lt->nwrong; i++)
		if (str_eq(lt->wrong[i], path))
			return true;
	return false;
}

char *
libconfig_text_string(const struct libconfig_text *lt, const char *value)
{
	const char *p = value, *part;
	size_t len = 0;
	char *out;

	/* First how long it is: growing would leave copies behind. */
	while ((part = next_string(lt, &p)) != NULL)
		len += strlen(part);
	out = xmalloc(len + 1);
	for (p = value, len = 0; (part = next_string(lt, &p)) != NULL;
	    len += strlen(part))
		memcpy(out + len, part, strlen(part));
	out[len] = '\0';
	return out;
}

void
libconfig_text_place(const struct libconfig_text *lt, unsigned line,
    struct node *n)
{
	const struct libconfig_part *part = lt->parts;
	size_t i;

	for (i = 1; i < lt->nparts && lt->parts[i].first <= line; i++)
		part = &lt->parts[i];
	n->source = part->source;
	n->line = part->line + (line > part->first ? line - part->first : 0);
}
