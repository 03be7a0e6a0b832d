/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query: the Kubernetes objects of one entity in all of its clusters. It
 * asks each cluster for the lists of a selector and writes the rows in the
 * order of the clusters, each as soon as it and those before it are there.
 */
#ifndef STAGEDOOR_QUERY_H
#define STAGEDOOR_QUERY_H

struct custom_resource;
struct entity;
struct json_object;
struct request;

struct query_spec {
	const struct entity *entity;
	struct json_object *auth;	/* the client's tokens, or NULL */
	/* Only these lists, and not the object types; NULL: the types and
	   what the settings add. */
	const struct custom_resource *custom;
	size_t ncustom;
};

/*
 * Answer the request. What is wrong with it is answered before the first
 * byte of a 200; what is wrong with a cluster is in its row. 0 or E_GONE.
 */
int query_answer(struct request *req, const struct query_spec *spec);

#endif
