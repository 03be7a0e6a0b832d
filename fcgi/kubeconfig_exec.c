/* SPDX-License-Identifier: Apache-2.0 */
/* The exec plug-in of a kubeconfig's user (client-go: ExecConfig). */
#include "base.h"

#include "arena.h"
#include "cluster.h"
#include "jsonx.h"
#include "kubeconfig.h"

#define TIMEOUT 10.0		/* seconds, as the settings' default */
#define EXTENSION "client.authentication.k8s.io/exec"

/* client-go: a command with a slash starts at the kubeconfig's folder. */
static void
read_command(struct arena *arena, struct exec_plugin *x,
    const struct node *exec)
{
	const char *command = kubeconfig_string(exec, "command");

	if (command != NULL && strchr(command, '/') != NULL)
		x->command = kubeconfig_path(arena, exec, "command");
	else
		x->command = arena_strdup(arena, command);
}

/* Numbers and the like are refused, as by kubectl: left out, they would make
   another question of it. */
static const char *
read_args(struct arena *arena, struct exec_plugin *x,
    const struct node *list)
{
	size_t i;

	if (list == NULL)
		return NULL;
	if (list->type != NODE_LIST)
		return "an exec plug-in whose args are no list";
	x->args.items = arena_alloc(arena, (list->n + 1) *
	    sizeof(*x->args.items));
	for (i = 0; i < list->n; i++) {
		if (list->items[i]->type != NODE_STRING)
			return "an exec plug-in with an argument that is no "
			    "string: put it in quotes";
		x->args.items[x->args.n++] = arena_strdup(arena,
		    list->items[i]->string);
	}
	return NULL;
}

static const char *
read_env(struct arena *arena, struct exec_plugin *x,
    const struct node *list)
{
	size_t i;

	if (list == NULL)
		return NULL;
	if (list->type != NODE_LIST)
		return "an exec plug-in whose env is no list";
	x->env = arena_alloc(arena, (list->n + 1) * sizeof(*x->env));
	for (i = 0; i < list->n; i++) {
		const struct node *entry = list->items[i];
		const char *name = kubeconfig_string(entry, "name");
		const char *value = node_string(entry, "value");

		if (name == NULL ||
		    (value == NULL && node_get(entry, "value") != NULL))
			return "an exec plug-in with a variable that is not "
			    "a name and a value, both strings: put them in "
			    "quotes";
		x->env[x->nenv++] = (struct pair){ arena_strdup(arena, name),
			arena_strdup(arena, value ? value : "") };
	}
	return NULL;
}

const char *
kubeconfig_exec(struct arena *arena, const struct node *exec,
    struct exec_plugin *x)
{
	const char *version = kubeconfig_string(exec, "apiVersion");
	const char *mode = kubeconfig_string(exec, "interactiveMode"), *why;

	read_command(arena, x, exec);
	x->api_version = arena_strdup(arena, version ? version : "");
	x->cluster_info = kubeconfig_true(exec, "provideClusterInfo");
	x->timeout = TIMEOUT;
	if (x->command == NULL)
		return "an exec plug-in without a command";
	if (version == NULL)
		return "an exec plug-in without an apiVersion";
	if ((why = read_args(arena, x, node_get(exec, "args"))) != NULL ||
	    (why = read_env(arena, x, node_get(exec, "env"))) != NULL)
		return why;
	return mode != NULL && strcmp(mode, "Always") == 0 ? "an exec plug-in "
	    "with interactiveMode Always: nobody can answer it here" : NULL;
}

const char *
kubeconfig_exec_config(struct arena *arena, const struct node *cluster)
{
	const struct node *list = node_get(cluster, "extensions"), *config;
	struct json_object *tree;
	const char *text;
	size_t i;

	for (i = 0; list != NULL && list->type == NODE_LIST && i < list->n;
	    i++) {
		config = node_get(list->items[i], "extension");
		if (config == NULL || !str_eq(node_string(list->items[i],
		    "name"), EXTENSION))
			continue;
		tree = node_to_json(config);
		text = arena_strdup(arena, json_object_to_json_string_ext(tree,
		    JSON_C_TO_STRING_PLAIN));
		jsonx_wipe(tree);
		return text;
	}
	return NULL;
}
