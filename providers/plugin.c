/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading providers from shared objects. A file that others may write, or
 * that is cut short (the dynamic linker would crash on it), is not loaded.
 */
#include "base.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include "plugin.h"
#include "settings.h"
#include "stagedoor/provider.h"

#define SYMBOL "stagedoor_provider_v1"
#define SEGMENTS_MAX 64		/* of a program header; usual are about ten */

struct plugins {
	struct plugin *items;
	size_t n;
};

/* --- The file --------------------------------------------------------------*/

static int
check_owner(const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, E_CONFIG, "is not a regular file");
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, E_CONFIG, "belongs to somebody else than "
		    "root and the user we run as");
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, E_CONFIG, "may be written by others: "
		    "chmod go-w it");
	return 0;
}

static bool
is_whole(int fd, const ElfW(Ehdr) *head, uint64_t size)
{
	ElfW(Phdr) segments[SEGMENTS_MAX];
	size_t len = head->e_phnum * sizeof(*segments), i;

	if (head->e_phentsize != sizeof(*segments) ||
	    head->e_phnum == 0 || head->e_phnum > SEGMENTS_MAX ||
	    pread(fd, segments, len, (off_t)head->e_phoff) != (ssize_t)len)
		return false;
	for (i = 0; i < head->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD &&
		    (segments[i].p_offset > size ||
		    segments[i].p_filesz > size - segments[i].p_offset))
			return false;
	return true;
}

static int
check_object(int fd, const struct stat *st, struct err *err)
{
	ElfW(Ehdr) head;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_type != ET_DYN)
		return err_set(err, E_CONFIG, "is no shared object");
	if (!is_whole(fd, &head, (uint64_t)st->st_size))
		return err_set(err, E_CONFIG, "is damaged or cut short");
	return 0;
}

static int
check_file(const char *path, struct err *err)
{
	struct stat st;
	int fd, r;

	if (*path != '/')
		return err_set(err, E_CONFIG, "is not an absolute path");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0)
		r = err_set(err, E_CONFIG, "cannot be read: %s",
		    strerror(errno));
	else if ((r = check_owner(&st, err)) == 0)
		r = check_object(fd, &st, err);
	if (fd >= 0)
		close(fd);
	return r;
}

/* --- The object ------------------------------------------------------------*/

static int
check_provider(const struct stagedoor_provider *v1, struct err *err)
{
	if (v1 == NULL)
		return err_set(err, E_CONFIG, "has no " SYMBOL);
	if (v1->size < sizeof(*v1))
		return err_set(err, E_CONFIG, "has a " SYMBOL " of %zu bytes, "
		    "less than version 1 has: compile it against "
		    "stagedoor/provider.h", v1->size);
	if (v1->obtain == NULL)
		return err_set(err, E_CONFIG, "has no obtain in its " SYMBOL);
	return 0;
}

static int
load_object(struct plugin *p, struct err *err)
{
	const char *why;
	void *handle;
	int r;

	if ((r = check_file(p->path, err)) != 0)
		return r;
	handle = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		why = dlerror();
		return err_set(err, E_CONFIG, "cannot be loaded: %.300s",
		    why != NULL ? why : "the dynamic linker does not say why");
	}
	p->v1 = dlsym(handle, SYMBOL);
	if ((r = check_provider(p->v1, err)) != 0)
		p->v1 = NULL;
	return r;
}

/* Names are those of clusters' authProvider: each means one thing. */
static int
check_name(const struct plugins *ps, const struct plugin *p, struct err *err)
{
	const struct plugin *other;

	if (provider_find(p->ops.name) != NULL)
		return err_set(err, E_CONFIG, "is not loaded: the name is that "
		    "of a built-in provider");
	for (other = ps->items; other < p; other++)
		if (strcmp(other->ops.name, p->ops.name) == 0)
			return err_set(err, E_CONFIG, "is not loaded: another "
			    "one has that name");
	return 0;
}

static void
load(struct plugins *ps, struct plugin *p, const struct custom_provider *from,
    struct problems *problems)
{
	*p = (struct plugin) {
		.ops = {
			.name = from->name,
			.check = plugin_check,
			.obtain = plugin_obtain,
		},
		.path = from->path,
		.settings = from->settings,
	};
	if (check_name(ps, p, &p->why) != 0 ||
	    load_object(p, &p->why) != 0) {
		problems_add(problems, true, "%s: provider '%s': '%s' %s",
		    from->where ? from->where : "settings", p->ops.name,
		    p->path, p->why.text);
		return;
	}
	p->ops.flags = PROVIDER_NETWORK | PROVIDER_CACHEABLE |
	    (p->v1->flags & STAGEDOOR_PER_USER ? 0 : PROVIDER_SERVER_SIDE);
}

struct plugins *
plugins_new(const struct settings *s, struct problems *problems)
{
	struct plugins *ps;
	size_t i;

	if (s->ncustom_providers == 0)
		return NULL;
	ps = xcalloc(1, sizeof(*ps));
	ps->n = s->ncustom_providers;
	ps->items = xcalloc(ps->n, sizeof(*ps->items));
	for (i = 0; i < ps->n; i++)
		load(ps, &ps->items[i], &s->custom_providers[i], problems);
	return ps;
}

void
plugins_free(struct plugins *ps)
{
	if (ps == NULL)
		return;
	free(ps->items);
	free(ps);
}

const struct provider_ops *
plugins_find(const struct plugins *ps, const char *name)
{
	size_t i;

	for (i = 0; ps != NULL && i < ps->n; i++)
		if (strcmp(ps->items[i].ops.name, name) == 0)
			return &ps->items[i].ops;
	return NULL;
}

bool
plugins_say(const struct plugins *ps, const char *text)
{
	size_t i;

	for (i = 0; ps != NULL && i < ps->n; i++)
		if (ps->items[i].v1 == NULL &&
		    strstr(text, ps->items[i].path) != NULL &&
		    strstr(text, ps->items[i].why.text) != NULL)
			return true;
	return false;
}
