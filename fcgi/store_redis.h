/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the store in Redis (or Valkey) share: store_redis.c says
 * what is asked of one value or lease, store_redis_all.c of all values,
 * store_redis_pool.c on which connection, when again and when not, and
 * store_redis_link.c is one connection (RESP2 over a socket of ours, with
 * hiredis for the form of it) and what Redis's errors mean to a person.
 *
 * Nothing here takes longer than limits.wait_ms, but for the system's looking
 * up of a host's name.
 */
#ifndef STAGEDOOR_STORE_REDIS_H
#define STAGEDOOR_STORE_REDIS_H

#include <pthread.h>

#include "store_backend.h"

struct redisReader;
struct redisReply;

#define REDIS_ARGS 8
#define REDIS_KEY_MAX (16 + 6 + STORE_KIND_MAX + 1 + 2 * STORE_KEY + 1)

struct redis_args {		/* of a command; borrowed */
	const char *argv[REDIS_ARGS];
	size_t len[REDIS_ARGS];
	int n;
};

struct redis_address {
	char *url;		/* as it is in the settings */
	char *path;		/* a Unix socket; else the next two */
	char *host, *port;
	unsigned db;
	char *username;		/* NULL: none */
	struct secret password;
	char *password_file;	/* read at each connection */
};

/* ---- store_redis_link.c ---- */

struct redis_link {
	int fd;
	struct redisReader *reader;
	struct redis_link *next;	/* the pool's */
};

void redis_address_init(struct redis_address *a,
    const struct store_settings *settings);
void redis_address_release(struct redis_address *a);

/*
 * Connect, log in, select the database. 0 with *out for redis_link_free;
 * E_CONNECT, E_TIMEOUT, E_PROTOCOL, or E_STORE where Redis or a file of ours
 * refuses. deadline: monotonic ms.
 */
int redis_link_open(const struct redis_address *a, int64_t deadline,
    struct redis_link **out, struct err *err);
void redis_link_free(struct redis_link *l);	/* NULL is fine */
/*
 * Ask. 0 with *out for freeReplyObject, an error of Redis's too. Else the link
 * is of no use any more: E_GONE (it was lost, and it is not known whether
 * Redis did it), E_TIMEOUT or E_PROTOCOL.
 */
int redis_link_ask(struct redis_link *l, const struct redis_args *args,
    int64_t deadline, struct redisReply **out, struct err *err);
/* Has Redis closed it, or said what nobody asked for? */
bool redis_link_is_stale(const struct redis_link *l);
/* E_STORE with the meaning of an error reply. */
int redis_refused(const struct redisReply *reply, struct err *err);
/* Is it the error of that code, also where a script met it? */
bool redis_is_error(const struct redisReply *reply, const char *code);

/* ---- store_redis_pool.c ---- */

struct store_backend {
	struct redis_address address;
	struct store_limits limits;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t left;
	struct redis_link *idle;
	unsigned links;			/* idle ones, and those in use */
	bool away;			/* Redis is: see until */
	int64_t until;			/* until then nobody tries */
	struct err why;			/* it is away */
	bool judged;			/* its settings were told of */
};

struct store_backend *redis_pool_new(const struct store_settings *settings,
    const struct store_limits *limits);
void redis_pool_free(struct store_backend *be);
enum redis_refusal { REDIS_REFUSED_NOT, REDIS_REFUSED, REDIS_FULL,
    REDIS_WRONG_TYPE };

/*
 * Ask on any connection. What is asked may be done twice with the outcome of
 * once: if a connection is lost, it is asked again on another. 0 with *out for
 * freeReplyObject, which is no error; E_STORE, where *refusal (may be NULL)
 * says whether Redis itself refused.
 */
int redis_ask(struct store_backend *be, const struct redis_args *args,
    struct redisReply **out, enum redis_refusal *refusal, struct err *err);

/* ---- store_redis.c ---- */

#define REDIS_PREFIX "stagedoor:"
#define REDIS_TIME 8			/* bytes of an expiry before a value */

void redis_add_text(struct redis_args *args, const char *text);
/* E_STORE; frees the reply. */
int redis_unexpected(const struct store_backend *be, struct redisReply *reply,
    struct err *err);
/* A value's bytes from the first to last. 0 with *out for freeReplyObject, or
   NULL: there is something, and it is nothing of ours. */
int redis_get_range(struct store_backend *be, const char *key,
    const char *last, struct redisReply **out, struct err *err);
int redis_del_key(struct store_backend *be, const char *key,
    struct err *err);

/* ---- store_redis_all.c: as struct store_ops has the first two ---- */

int redis_list(struct store_backend *be, struct store_list *list,
    struct err *err);
int redis_sweep(struct store_backend *be, int64_t before, struct err *err);
/* Some of what can be made again, where there is no room for what cannot. */
int redis_remove_others(struct store_backend *be, struct err *err);

#endif
