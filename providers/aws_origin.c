/* SPDX-License-Identifier: Apache-2.0 */
/* From an origin to credentials, by way of the core's sources. */
#include "base.h"

#include "arena.h"
#include "aws_origin.h"
#include "aws_value.h"

#define INPUTS_OWN 64	/* of one source, without those below it */
#define INPUTS_HOP 10

/* --- What goes into a source --------------------------------------------- */

struct inputs {
	const char **items;
	size_t n, room;
};

static void
put(struct inputs *in, const char *value)
{
	if (in->n + 1 >= in->room)
		BUG("%zu inputs", in->n);
	in->items[in->n++] = value != NULL ? value : "";
}

static void
put_sts(struct inputs *in, const struct aws_sts *sts)
{
	put(in, sts->region);
	put(in, sts->endpoint);
}

static void
put_role(struct inputs *in, const struct aws_role *role)
{
	put(in, role->arn);
	put(in, role->session);
	put(in, role->external_id);
	put(in, role->duration);
	put_sts(in, &role->sts);
}

static void
put_process(const struct provider_call *call, struct inputs *in,
    const struct aws_origin *o)
{
	const char *const *env = aws_process_environment(call);

	put(in, o->command);
	for (; *env != NULL; env++)
		put(in, *env);
}

/* Begins with the kind, which says how many follow. */
static void
put_origin(const struct provider_call *call, struct inputs *in,
    const struct aws_origin *o)
{
	static const char *const kinds[] = { "keys", "role", "web identity",
	    "process", "container", "instance" };

	put(in, kinds[o->kind]);
	switch (o->kind) {
	case AWS_AT_HAND:
		put(in, o->id);
		put(in, o->secret);
		put(in, o->session);
		break;
	case AWS_ROLE:
		put_role(in, &o->role);
		put_origin(call, in, o->base);
		break;
	case AWS_WEB_IDENTITY:
		put_role(in, &o->role);
		put(in, o->token_file);
		break;
	case AWS_PROCESS:
		put_process(call, in, o);
		break;
	case AWS_CONTAINER:
	case AWS_INSTANCE:
		put(in, o->url);
		put(in, o->token_file);
		put(in, o->token);
		break;
	}
}

static struct inputs
inputs_for(const struct provider_call *call, const struct aws_origin *o)
{
	struct inputs in = { .room = INPUTS_OWN };
	const struct aws_origin *p;

	for (p = o; p != NULL; p = p->base)
		in.room += INPUTS_HOP;
	in.items = arena_alloc(call->scratch, in.room * sizeof(*in.items));
	put_origin(call, &in, o);
	return in;
}

/* --- Making -------------------------------------------------------------- */

static int
make_role(const struct provider_call *call, const struct aws_origin *o,
    struct source_value *out, struct err *err)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	int r;

	if ((r = aws_origin_get(call, o->base, &keys, err)) == 0)
		r = aws_sts_assume(call, &o->role, &keys, out, err);
	aws_credentials_release(&keys);
	return r;
}

static int
make_web_identity(const struct provider_call *call,
    const struct aws_origin *o, struct source_value *out, struct err *err)
{
	return aws_sts_web_identity(call, &o->role, o->token_file, out, err);
}

static const struct {
	const char *kind;
	aws_maker *make;
} makers[] = {
	[AWS_AT_HAND] = { NULL, NULL },
	[AWS_ROLE] = { "aws role", make_role },
	[AWS_WEB_IDENTITY] = { "aws web identity", make_web_identity },
	[AWS_PROCESS] = { "aws process", aws_process_make },
	[AWS_CONTAINER] = { "aws container", aws_container_make },
	[AWS_INSTANCE] = { "aws instance", aws_instance_make },
};

static int
make(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	const struct aws_origin *o = ctx;

	return makers[o->kind].make(call, o, out, err);
}

/* --- Getting ------------------------------------------------------------- */

static int
take_keys(const struct provider_call *call, const struct aws_origin *o,
    struct aws_credentials *out, struct err *err)
{
	if (!credential_token_ok(o->id, strlen(o->id)) ||
	    (o->session != NULL && !credential_token_ok(o->session,
	    strlen(o->session))))
		return err_set(err, E_CONFIG, "the AWS access key, or its "
		    "session token, has blanks or other characters that no "
		    "key has");
	out->access_key_id = arena_strdup(call->scratch, o->id);
	secret_set(&out->secret, o->secret, strlen(o->secret));
	if (o->session != NULL)
		secret_set(&out->session_token, o->session,
		    strlen(o->session));
	out->expires = o->expires;
	return 0;
}

int
aws_origin_get(const struct provider_call *call, const struct aws_origin *o,
    struct aws_credentials *out, struct err *err)
{
	struct source_value value = SOURCE_VALUE_INIT;
	struct source source = { .kind = makers[o->kind].kind, .make = make,
	    .ctx = o };
	int r;

	if (o->kind == AWS_AT_HAND)
		return take_keys(call, o, out, err);
	source.inputs = inputs_for(call, o).items;
	if ((r = call->source(call, &source, &value, err)) == 0)
		aws_value_take(call, &value, out);
	source_value_release(&value);
	return r;
}

/* --- The account --------------------------------------------------------- */

struct asking {
	const struct aws_origin *origin;
	const struct aws_sts *sts;
};

static int
make_account(const struct provider_call *call, const void *ctx,
    struct source_value *out, struct err *err)
{
	struct aws_credentials keys = AWS_CREDENTIALS_INIT;
	const struct asking *a = ctx;
	int r;

	if ((r = aws_origin_get(call, a->origin, &keys, err)) == 0)
		r = aws_sts_caller(call, a->sts, &keys, out, err);
	aws_credentials_release(&keys);
	return r;
}

int
aws_origin_account(const struct provider_call *call,
    const struct aws_origin *origin, const struct aws_sts *sts,
    struct pair *out, struct err *err)
{
	struct source_value value = SOURCE_VALUE_INIT;
	const struct asking asking = { origin, sts };
	struct inputs in = inputs_for(call, origin);
	const struct source source = { .kind = "aws account",
	    .inputs = in.items, .make = make_account, .ctx = &asking };
	int r;

	put_sts(&in, sts);
	if ((r = call->source(call, &source, &value, err)) == 0) {
		out->key = arena_strdup(call->scratch, value.part[0].ptr);
		out->value = arena_strdup(call->scratch, value.part[1].ptr);
	}
	source_value_release(&value);
	return r;
}
