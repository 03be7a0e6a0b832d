/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider outside of the tree, in C89: the token of a cluster is the file
 * of the cluster's name in the folder that the settings give. It is read anew
 * every minute.
 *
 *	cc -shared -fPIC -o example.so example.c
 */
#include <stagedoor/provider.h>

#include <stdio.h>
#include <string.h>

#define FOLDER "{\"folder\":\""
#define KEPT 60.0		/* seconds */

/* What is between `{"folder":"` and `"}`; a real one has a JSON parser. */
static int
path_of(const struct stagedoor_core *core, struct stagedoor_call *call,
    char *path, size_t size)
{
	const char *folder = core->settings(call);
	const char *name = core->cluster_name(call);
	size_t len;

	if (strncmp(folder, FOLDER, strlen(FOLDER)) != 0)
		return -1;
	folder += strlen(FOLDER);
	len = strcspn(folder, "\"");
	if (len + strlen(name) + 2 > size || strchr(name, '/') != NULL)
		return -1;
	memcpy(path, folder, len);
	path[len] = '/';
	memcpy(path + len + 1, name, strlen(name) + 1);
	return 0;
}

static int
check(const struct stagedoor_core *core, struct stagedoor_call *call)
{
	char path[1024];

	if (path_of(core, call, path, sizeof(path)) == 0)
		return STAGEDOOR_OK;
	core->fail(call, "its settings must be { folder = \"...\"; }");
	return STAGEDOOR_FAILED;
}

static int
obtain(const struct stagedoor_core *core, struct stagedoor_call *call)
{
	const char *token;
	char path[1024];
	size_t len;

	if (path_of(core, call, path, sizeof(path)) != 0)
		return STAGEDOOR_FAILED;
	core->note(call, "looks for the token's file");
	token = core->read_file(call, path, &len);
	if (token == NULL || len == 0) {
		core->fail(call, "there is no token for this cluster");
		return STAGEDOOR_FAILED;
	}
	core->bearer(call, token);
	core->expires(call, core->now(call) + KEPT);
	return STAGEDOOR_OK;
}

const struct stagedoor_provider stagedoor_provider_v1 = {
	sizeof(struct stagedoor_provider), 0, check, obtain
};
