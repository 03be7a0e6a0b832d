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
	[AWS_KEY_EXTERNAL_ID] = "external_id",
	[AWS_KEY_SESSION_NAME] = "role_session_name",
	[AWS_KEY_DURATION] = "duration_seconds",
	[AWS_KEY_MFA] = "mfa_serial",
	[AWS_KEY_WEB_IDENTITY] = "web_identity_token_file",
	[AWS_KEY_PROCESS] = "credential_process",
	[AWS_KEY_REGION] = "region",
	[AWS_KEY_ENDPOINT] = "endpoint_url",
	[AWS_KEY_SERVICES] = "services",
	[AWS_KEY_SSO_URL] = "sso_start_url",
	[AWS_KEY_SSO_SESSION] = "sso_session",
	[AWS_KEY_SSO_ACCOUNT] = "sso_account_id",
	[AWS_KEY_SSO_REGION] = "sso_region",
	[AWS_KEY_SSO_ROLE] = "sso_role_name",
};

/* Where in a file we are. */
struct reading {
	struct arena *arena;
	const char *name;	/* of the section that is looked for */
	const char *prefix;	/* before it: "profile"; NULL: none */
	bool inside;		/* this section is it */
	const char *above;	/* the key without a value that we are below;
				   or NULL */
	struct aws_profile *out;	/* what a profile says */
	const char *endpoint;		/* what services say of STS */
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

/* The name in a title, with quotes that match taken off in place. */
static const char *
unquoted(char *name)
{
	size_t len = strlen(name);

	if (len > 2 && (*name == '"' || *name == '\'') &&
	    name[len - 1] == *name) {
		name[len - 1] = '\0';
		name++;
	}
	return name;
}

static bool
is_name(const char *s)
{
	return *s != '\0' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@+.%:/")] == '\0';
}

/* [default] is a profile's section in both files. */
static bool
is_section_of(const struct reading *r, char *title)
{
	size_t len = r->prefix != NULL ? strlen(r->prefix) : 0;
	const char *name;

	if (r->prefix == NULL || (strcmp(title, "default") == 0 &&
	    strcmp(r->prefix, "profile") == 0))
		return strcmp(title, r->name) == 0 &&
		    strpbrk(title, BLANKS) == NULL;
	if (strncmp(title, r->prefix, len) != 0 || title[len] == '\0' ||
	    strchr(BLANKS, title[len]) == NULL)
		return false;
	name = unquoted(title + len + 1);
	return is_name(name) && strcmp(name, r->name) == 0;
}

static void
take(struct reading *r, const char *key, const char *value)
{
	size_t i;

	if (!r->inside)
		return;
	if (r->above != NULL) {
		if (strcmp(r->above, "sts") == 0 &&
		    strcmp(key, "endpoint_url") == 0)
			r->endpoint = arena_strdup(r->arena, value);
		return;
	}
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
		r->above = NULL;
		return;
	}
	equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return;
	*equals = '\0';
	value = trim(equals + 1);
	text = trim(text);
	if (*value == '\0') {
		r->above = text;
		return;
	}
	if (!indented)
		r->above = NULL;
	take(r, text, value);
}

/* Lines are cut in place, so a copy is. */
static void
read_text(struct reading *r, const char *text)
{
	char *line, *end;

	if (text == NULL)
		return;
	r->inside = false;
	r->above = NULL;
	line = arena_strdup(r->arena, text);
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

static const char *
read_file(const struct provider_call *call, const char *path,
    struct err *why)
{
	struct secret text = SECRET_INIT;
	const char *copy = NULL;

	if (call->read_file(path, &text, why) == 0 && text.len > 0)
		copy = arena_strndup(call->scratch, text.ptr, text.len);
	secret_release(&text);
	return copy;
}

void
aws_files_read(const struct provider_call *call, struct aws_files *out)
{
	memset(out, 0, sizeof(*out));
	out->config = read_file(call, path_of(call, "AWS_CONFIG_FILE",
	    "config"), &out->why);
	out->credentials = read_file(call, path_of(call,
	    "AWS_SHARED_CREDENTIALS_FILE", "credentials"), &out->why);
}

void
aws_files_profile(const struct provider_call *call,
    const struct aws_files *files, const char *name, struct aws_profile *out)
{
	struct reading r = { .arena = call->scratch, .name = name,
	    .prefix = "profile", .out = out };

	memset(out, 0, sizeof(*out));
	read_text(&r, files->config);
	r.prefix = NULL;
	read_text(&r, files->credentials);
}

const char *
aws_files_sts_endpoint(const struct provider_call *call,
    const struct aws_files *files, const char *name)
{
	struct aws_profile ignored;
	struct reading r = { .arena = call->scratch, .name = name,
	    .prefix = "services", .out = &ignored };

	memset(&ignored, 0, sizeof(ignored));
	read_text(&r, files->config);
	return r.endpoint;
}
