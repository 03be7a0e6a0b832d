/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cluster as the settings or a locator describe it. Filled once by
 * settings.c or a locator, immutable afterwards, shared by all threads as
 * long as its runtime lives. Strings live in the arena of their owner.
 */
#ifndef STAGEDOOR_CLUSTER_H
#define STAGEDOOR_CLUSTER_H

#include "secret.h"

struct cluster_counts;
struct json_object;
struct provider_ops;
struct upstream;

struct pair {
	const char *key, *value;
};

struct custom_resource {
	const char *group, *version, *plural;	/* group "" is the core */
};

struct string_list {
	const char **items;
	size_t n;
};

/* The `impersonate` settings: templates, see impersonate.h. */
struct impersonation {
	bool on;
	const char *user, *uid;		/* uid NULL: none */
	struct string_list groups;
	struct pair *extra;
	size_t nextra;
	const char *user_prefix, *group_prefix;		/* or NULL */
};

/* The `exec` settings, or those of a kubeconfig's user: a plug-in of
   client.authentication.k8s.io. */
struct exec_plugin {
	const char *command;		/* NULL: there is none. With a slash it
					   is an absolute path */
	struct string_list args;
	struct pair *env;		/* added to what it gets anyway */
	size_t nenv;
	const char *api_version;
	bool cluster_info;		/* provideClusterInfo */
	const char *config;		/* for cluster_info: JSON; or NULL */
	double timeout;			/* seconds */
};

struct cluster {
	const char *name;
	const char *title;		/* NULL if not set; so below */
	const char *url;
	const char *auth_provider;	/* as configured, metadata wins */
	const char *oidc_token_provider;
	const char *present_as;
	bool sign_in_stagedoor;		/* signIn = "stagedoor" */
	struct secret token;		/* serviceAccountToken */
	const char *token_file;		/* of a kubeconfig: read each time */
	/* PEM, or the files of it, which are read each time and beat it */
	struct secret client_certificate, client_key;
	const char *client_certificate_file, *client_key_file;
	struct exec_plugin exec;
	const char *assume_role, *external_id;
	struct pair *metadata;		/* authMetadata as configured */
	size_t nmetadata;
	bool skip_tls_verify, skip_metrics;
	bool public_only;		/* nothing else may be connected to: the
					   catalog says where it is */
	const char *ca_data, *ca_file;
	bool custom_set;		/* customResources given, even empty */
	struct custom_resource *custom;
	size_t ncustom;
	const char *dashboard_url, *dashboard_app;
	struct json_object *dashboard_parameters;	/* of the settings; or
					   NULL */
	bool own_dashboard;		/* they are the record's own */
	double connect_timeout, timeout;	/* seconds */
	struct string_list allow;	/* n == 0: everyone */
	bool guests;
	bool read_only;
	bool live;			/* may be answered for from memory */
	struct impersonation impersonate;
	const char *where;		/* file:line, for messages */

	/* Filled by cluster_prepare. */
	const char *broken;		/* why it cannot work; NULL: it can */
	const char *broken_detail;	/* for the log: paths; or NULL */
	const char *doubt;		/* why it could not be used when it was
					   loaded, which may change; or NULL */
	const struct provider_ops *provider;
	void *provider_state;		/* of the runtime; borrowed */
	struct upstream *upstream;	/* a reference; NULL when broken */
	struct cluster_counts *counts;	/* of metrics.h */
	const char *base_path;		/* of url: "" or "/prefix", no slash at
					   the end */
	const char *direct_name;	/* of upstream: direct_name.h; NULL
					   when broken */
};

struct clusters {
	struct cluster **items;
	size_t n;
	size_t unlisted;	/* locators whose list cannot be had: theirs
				   are missing */
};

/* The first of exactly that name; NULL if there is none. */
const struct cluster *clusters_find(const struct clusters *cs,
    const char *name);

struct arena;
struct err;
struct settings;
struct transport;

/*
 * Make a filled record ready: provider, CA, address. What cannot work is
 * left in `broken`; strings go to the arena.
 */
void cluster_prepare(struct cluster *c, const struct settings *settings,
    struct transport *transport, struct arena *arena);
/* Let go of what cluster_prepare took, and of secrets. */
void cluster_release(struct cluster *c);
/* Take from the metadata what it says instead of a key: the token provider,
   the role to assume. Strings stay the metadata's. */
void cluster_heed_metadata(struct cluster *c);
/* The name GET /clusters shows (contract, section 12). */
const char *cluster_presented(const struct cluster *c);

#endif
