/* SPDX-License-Identifier: Apache-2.0 */
/* One profile out of AWS's shared files, by the rules of its header. */
#include "base.h"

#include "arena.h"
#include "aws_files.h"

#define BLANKS " \t\v\f\r"

static const char *const key_names[AWS_KEYS] = {
	[AWS_KEY_ID] = "aws_access_key_id",
	[AWS_KEY_SECRET] = "aws_secret_access_key",
	[AWS_KEY_SESSION] = "aws_session_token",
	[AWS_KEY_ROLE] = "role_arn",
	[AWS_KEY_SOURCE_PROFILE] = "source_profile",
	[AWS_KEY_CREDENTIAL_SOURCE] = "credential_source",
	[AWS_KEY_WEB_IDENTITY] = "web_identity_token_file",
	[AWS_KEY_PROCESS] = "credential_process",
	[AWS_KEY_SSO_URL] = "sso_start_url",
	[AWS_KEY_SSO_SESSION] = "sso_session",
};

/* Where in a file we are. */
struct reading {
	struct arena *arena;
	const char *name;	/* of the profile that is looked for */
	bool config;		/* sections have "profile " before the name */
	bool inside;		/* this section is the profile */
	bool nested;		/* below a key without a value */
	struct aws_profile *out;
};

static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len > 0 && strchr(BLANKS, s[len - 1]) != NULL)
		s[--len] = '\0';
	return s;
}

static void
cut_comment(char *line)
{
	char *p;

	for (p = line; *p != '\0'; p++)
		if ((*p == '#' || *p == ';') &&
		    (p == line || strchr(BLANKS, p[-1]) != NULL)) {
			*p = '\0';
			return;
		}
}

/* [default] is a profile's section in both files. */
static bool
is_section_of(const struct reading *r, const char *title)
{
	static const char prefix[] = "profile";

	if (!r->config || strcmp(title, "default") == 0)
		return strcmp(title, r->name) == 0 &&
		    strpbrk(title, BLANKS) == NULL;
	if (!str_starts(title, prefix))
		return false;
	title += strlen(prefix);
	return *title != '\0' && strchr(BLANKS, *title) != NULL &&
	    strcmp(title + 1, r->name) == 0 &&
	    strpbrk(r->name, BLANKS) == NULL;
}

static void
take(struct reading *r, const char *key, const char *value)
{
	size_t i;

	if (!r->inside || r->nested)
		return;
	r->out->found = true;
	for (i = 0; i < AWS_KEYS; i++)
		if (strcmp(key, key_names[i]) == 0)
			r->out->values[i] = arena_strdup(r->arena, value);
}

static void
read_line(struct reading *r, char *line)
{
	bool indented = *line != '\0' && strchr(BLANKS, *line) != NULL;
	char *text, *equals, *value;
	size_t len;

	cut_comment(line);
	text = trim(line);
	len = strlen(text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		r->inside = is_section_of(r, text + 1);
		r->nested = false;
		return;
	}
	equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return;
	*equals = '\0';
	value = trim(equals + 1);
	if (*value == '\0') {
		r->nested = true;
		return;
	}
	if (!indented)
		r->nested = false;
	take(r, trim(text), value);
}

/* The text is the file's, and in scratch: lines are cut in place. */
static void
read_text(struct reading *r, char *text)
{
	char *line = text, *end;

	do {
		end = strchr(line, '\n');
		if (end != NULL)
			*end = '\0';
		read_line(r, line);
		line = end + 1;
	} while (end != NULL);
}

static const char *
path_of(const struct provider_call *call, const char *variable,
    const char *file)
{
	const char *home = call->getenv("HOME");
	const char *path = call->getenv(variable);

	if (home == NULL)
		home = "";
	if (path == NULL || *path == '\0')
		return arena_printf(call->scratch, "%s/.aws/%s", home, file);
	if (str_starts(path, "~/"))
		return arena_printf(call->scratch, "%s%s", home, path + 1);
	return path;
}

static void
read_file(const struct provider_call *call, struct reading *r,
    const char *path, struct err *why)
{
	struct secret text = SECRET_INIT;

	r->inside = r->nested = false;
	if (call->read_file(path, &text, why) == 0 && text.len > 0)
		read_text(r, arena_strndup(call->scratch, text.ptr,
		    text.len));
	secret_release(&text);
}

void
aws_profile_read(const struct provider_call *call, const char *name,
    struct aws_profile *out, struct err *why)
{
	struct reading r = { .arena = call->scratch, .name = name,
	    .out = out };

	memset(out, 0, sizeof(*out));
	r.config = true;
	read_file(call, &r, path_of(call, "AWS_CONFIG_FILE", "config"), why);
	r.config = false;
	read_file(call, &r, path_of(call, "AWS_SHARED_CREDENTIALS_FILE",
	    "credentials"), why);
}
