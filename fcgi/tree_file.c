/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of a file to a tree, by the reader that its name asks for. */
#include "base.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include "err.h"
#include "files.h"
#include "secret.h"
#include "settings.h"
#include "tree.h"

static bool
ends_in(const char *s, const char *end)
{
	size_t ls = strlen(s), le = strlen(end);

	return ls >= le && strcasecmp(s + ls - le, end) == 0;
}

/* The absolute folder of an (absolute or not) path. */
static char *
dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? xstrdup(".") :
	    xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	struct strbuf sb = STRBUF_INIT(2 * PATH_MAX);
	char *cwd;

	if (*dir == '/' || (cwd = getcwd(NULL, 0)) == NULL)
		return dir;
	strbuf_addstr(&sb, cwd);
	if (strcmp(dir, ".") != 0)
		strbuf_addf(&sb, "/%s", dir);
	free(cwd);
	free(dir);
	return strbuf_detach(&sb, NULL);
}

static const struct tree_source *
source_new(struct tree *t, const char *name, const char *path)
{
	struct tree_source *src = xcalloc(1, sizeof(*src));

	src->name = xstrdup(name);
	src->dir = dir_of(path);
	src->yaml = ends_in(path, ".yaml") || ends_in(path, ".yml") ||
	    ends_in(path, ".json");
	ARRAY_PUSH(t->sources, t->nsources) = src;
	return src;
}

static int
read_bounded(const char *path, struct secret *out, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set(err, E_SYSTEM, "cannot read '%s': %s", path,
		    strerror(errno));
	if (st.st_size > TREE_FILE_MAX)
		return err_set(err, E_TOOLARGE, "cannot read '%s': over %d "
		    "bytes", path, TREE_FILE_MAX);
	return file_read(path, (size_t)st.st_size, out, err);
}

char *
tree_slurp(struct tree *t, const char *path, const struct node *from,
    const struct tree_source **src, size_t *len)
{
	struct strbuf full = STRBUF_INIT(4 * PATH_MAX);
	struct secret content = SECRET_INIT;
	struct err err = ERR_INIT;
	char *text = NULL;

	if (from != NULL && *path != '/')
		strbuf_addf(&full, "%s/", from->source->dir);
	strbuf_addstr(&full, path);
	if (read_bounded(full.buf, &content, &err) != 0) {
		tree_problem(t, false, from, "", "%s", err.text);
		goto out;
	}
	*src = source_new(t, path, full.buf);
	*len = content.len;
	text = content.ptr != NULL ? content.ptr : xcalloc(1, 1);
	content = (struct secret)SECRET_INIT;	/* text has it */
	if (memchr(text, '\0', *len) != NULL) {
		problems_add(t->problems, false, "%s: holds a NUL byte: this "
		    "is no text file", path);
		OPENSSL_cleanse(text, *len);
		free(text);
		text = NULL;
	}
 out:
	secret_release(&content);
	strbuf_release(&full);
	return text;
}

struct node *
tree_read(struct tree *t, const char *path, const struct node *from)
{
	const struct tree_source *src;
	struct node *root;
	size_t len;
	char *text = tree_slurp(t, path, from, &src, &len);

	if (text == NULL)
		return NULL;
	root = src->yaml ? tree_parse_yaml(t, src, text, len) :
	    tree_parse_libconfig(t, src, text, len);
	OPENSSL_cleanse(text, len);
	free(text);
	return root;
}
