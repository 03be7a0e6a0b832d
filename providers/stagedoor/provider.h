/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider in a shared object of its own: this header is all it needs, in
 * C89 and up, or C++. The object exports one constant,
 *
 *	const struct stagedoor_provider stagedoor_provider_v1 = {
 *		sizeof(struct stagedoor_provider), 0, NULL, my_obtain
 *	};
 *
 * and the settings name it:
 *
 *	stagedoor.providers = ( { name = "mine"; path = "/opt/mine.so";
 *	    settings = { anything = "passed on"; }; } );
 *
 * A cluster with authProvider "mine" then gets what obtain gives for it.
 * Stagedoor calls obtain on a thread where it may block, keeps the result
 * until it ends, renews it in time, and never calls it for one result twice
 * at once; but for different clusters it does, so obtain must be safe for
 * threads. Whatever comes by a pointer is good until the function of the
 * provider returns, and is wiped then; what the provider hands over is
 * copied at once. Strings are UTF-8 and end with NUL.
 *
 * This is version 1, and stays: fields are only ever added at the end of a
 * struct, whose size says which it has. A changed object is taken up by a
 * restart.
 */
#ifndef STAGEDOOR_PROVIDER_V1
#define STAGEDOOR_PROVIDER_V1

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stagedoor_call;		/* one call; belongs to stagedoor */

/* What obtain (and check: the first and the last) may return. */
#define STAGEDOOR_OK 0
#define STAGEDOOR_NEEDS_USER 1	/* this user must sign in first */
#define STAGEDOOR_REFUSED 2	/* this user may not */
#define STAGEDOOR_FAILED 3	/* it is broken */

/* An exchange over HTTP(S), bounded in size and time. Set size, zero what is
   not needed. */
struct stagedoor_request {
	size_t size;			/* sizeof(struct stagedoor_request) */
	const char *method;		/* NULL: GET */
	const char *url;
	const char *const *headers;	/* "Name: value", NULL at the end; or
					   NULL */
	const char *body;		/* or NULL */
	size_t body_len;
	double timeout;			/* seconds; 0: ten */
};

struct stagedoor_answer {
	size_t size;			/* sizeof(struct stagedoor_answer) */
	int status;
	const char *body;		/* "" if it is empty */
	size_t body_len;
};

/* A program to run, without a shell. */
struct stagedoor_program {
	size_t size;			/* sizeof(struct stagedoor_program) */
	const char *const *argv;	/* NULL at the end */
	const char *const *env;		/* "NAME=value", NULL at the end: all
					   that it gets; argv[0] is looked up in
					   this PATH */
	double timeout;			/* seconds; 0: ten */
};

struct stagedoor_output {
	size_t size;			/* sizeof(struct stagedoor_output) */
	int status;			/* exit code; 128 + n: by signal n */
	const char *text;		/* what it printed; "" if nothing */
	size_t text_len;
	const char *errors;		/* the end of its standard error */
};

/*
 * What stagedoor does for a provider. Those that return int give 0 when it
 * worked; why() then says nothing, and else what went wrong, without secrets.
 */
struct stagedoor_core {
	size_t size;

	/* --- the question --- */
	const char *(*cluster_name)(struct stagedoor_call *call);
	const char *(*cluster_url)(struct stagedoor_call *call);
	/* Of the cluster's authMetadata; NULL: not there. */
	const char *(*metadata)(struct stagedoor_call *call, const char *key);
	/* `settings` of stagedoor.providers as JSON; "null": none. */
	const char *(*settings)(struct stagedoor_call *call);
	/* "user:default/some.user", for providers with STAGEDOOR_PER_USER;
	   NULL: nobody, or the provider has no such flag. */
	const char *(*user)(struct stagedoor_call *call);
	double (*now)(struct stagedoor_call *call);	/* seconds since 1970 */

	/* --- the world, in obtain only --- */
	const char *(*environment)(struct stagedoor_call *call,
	    const char *name);
	/* A small file without its last newline; NULL: see why(). */
	const char *(*read_file)(struct stagedoor_call *call,
	    const char *path, size_t *len);
	int (*http)(struct stagedoor_call *call,
	    const struct stagedoor_request *request,
	    struct stagedoor_answer *answer);
	int (*run)(struct stagedoor_call *call,
	    const struct stagedoor_program *program,
	    struct stagedoor_output *output);
	const char *(*why)(struct stagedoor_call *call);
	/* A step of the way, for `stagedoor explain`. Never a secret. */
	void (*note)(struct stagedoor_call *call, const char *text);

	/* --- the answer --- */
	void (*bearer)(struct stagedoor_call *call, const char *token);
	/* Both PEM; may go with a token. */
	void (*certificate)(struct stagedoor_call *call,
	    const char *certificate, const char *key);
	/* When the result ends, seconds since 1970. Not called: it is kept
	   until the cluster refuses it. */
	void (*expires)(struct stagedoor_call *call, double when);
	/* A sentence for what is not STAGEDOOR_OK, for people. No secrets. */
	void (*fail)(struct stagedoor_call *call, const char *text);
};

/* The credential is the user's own, and no other user gets it. Without this
   flag one serves everybody, and obtain is not told who asks. */
#define STAGEDOOR_PER_USER 1

struct stagedoor_provider {
	size_t size;			/* sizeof(struct stagedoor_provider) */
	unsigned long flags;
	/* Can this cluster work, as far as settings tell? Optional. */
	int (*check)(const struct stagedoor_core *core,
	    struct stagedoor_call *call);
	int (*obtain)(const struct stagedoor_core *core,
	    struct stagedoor_call *call);
};

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const struct stagedoor_provider stagedoor_provider_v1;

#ifdef __cplusplus
}
#endif

#endif
