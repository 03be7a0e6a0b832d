/* SPDX-License-Identifier: Apache-2.0 */
/* The API server of kube.h. */
#include "base.h"

#include <sys/socket.h>

#include "kube.h"

/* ---- objects ---- */

static void
object_print(const struct kube_object *o, char *out, size_t size)
{
	snprintf(out, size, "{\"metadata\":{\"name\":\"%s\",\"namespace\":"
	    "\"n\",\"resourceVersion\":\"%u\",\"labels\":{\"app\":\"x\"}},"
	    "\"value\":\"%s\"}", o->name, o->version, o->value);
}

static struct kube_object *
find(struct kube *k, const char *name)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		if (strcmp(k->objects[i].name, name) == 0)
			return &k->objects[i];
	return NULL;
}

static struct kube_event *
event_add(struct kube *k, unsigned version)
{
	struct kube_event *e = &k->events[k->nevents++ % KUBE_EVENTS];

	e->version = version;
	pthread_cond_broadcast(&k->changed);
	return e;
}

static void
event_of(struct kube *k, const char *type, const struct kube_object *o)
{
	struct kube_event *e = event_add(k, o->version);
	char text[200];

	object_print(o, text, sizeof(text));
	snprintf(e->text, sizeof(e->text), "{\"type\":\"%s\",\"object\":%s}\n",
	    type, text);
}

void
kube_set(struct kube *k, const char *name, const char *value)
{
	struct kube_object *o;
	const char *type = "MODIFIED";

	pthread_mutex_lock(&k->lock);
	o = find(k, name);
	if (o == NULL) {
		type = "ADDED";
		o = &k->objects[k->n++];
		snprintf(o->name, sizeof(o->name), "%s", name);
	}
	o->version = ++k->version;
	if (value != NULL)
		snprintf(o->value, sizeof(o->value), "%s", value);
	event_of(k, value == NULL ? "DELETED" : type, o);
	if (value == NULL)
		*o = k->objects[--k->n];
	pthread_mutex_unlock(&k->lock);
}

void
kube_say(struct kube *k, const char *text)
{
	pthread_mutex_lock(&k->lock);
	snprintf(event_add(k, UINT_MAX)->text, 256, "%s", text);
	pthread_mutex_unlock(&k->lock);
}

void
kube_bookmark(struct kube *k)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"type\":\"BOOKMARK\",\"object\":"
	    "{\"metadata\":{\"resourceVersion\":\"%u\"}}}\n", k->version);
	kube_say(k, text);
}

void
kube_cut(struct kube *k, int how)
{
	pthread_mutex_lock(&k->lock);
	k->how = how;
	k->cut++;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

void
kube_put(struct kube *k, void *at, int value)
{
	pthread_mutex_lock(&k->lock);
	*(int *)at = value;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

unsigned
kube_get(struct kube *k, const unsigned *at)
{
	unsigned n;

	pthread_mutex_lock(&k->lock);
	n = *at;
	pthread_mutex_unlock(&k->lock);
	return n;
}

/* ---- answers; all under the lock ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct kube_object *)a)->name,
	    ((const struct kube_object *)b)->name);
}

static bool
fail(const struct kube *k, struct server_request *rq, int status)
{
	return server_printf(rq, "HTTP/1.1 %d No\r\nContent-Length: 2\r\n"
	    "%s%s%s\r\n{}", status, k->retry_after ? "Retry-After: " : "",
	    k->retry_after ? k->retry_after : "", k->retry_after ? "\r\n" :
	    "");
}

static bool
answer_list(struct kube *k, struct server_request *rq)
{
	const char *rest = strstr(rq->target, "&continue=");
	struct strbuf sb = STRBUF_INIT(1 << 20);
	unsigned from = rest ? (unsigned)strtoul(rest + 10, NULL, 10) : 0, to;
	char text[200];
	bool ok;

	k->lists++;
	snprintf(k->last_list, sizeof(k->last_list), "%.255s",
	    rq->target);
	while (k->list_hangs != 0 && !k->stopping)
		pthread_cond_wait(&k->changed, &k->lock);
	if (k->list_status != 0)
		return fail(k, rq, k->list_status);
	if (rest != NULL && k->forget_pages)
		return fail(k, rq, 410);
	qsort(k->objects, k->n, sizeof(*k->objects), by_name);
	to = k->page != 0 && strstr(rq->target, "limit=") != NULL ?
	    SD_MIN(from + k->page, k->n) : k->n;
	strbuf_addf(&sb, "{\"kind\":\"ThingList\",\"apiVersion\":\"v1\","
	    "\"metadata\":{\"resourceVersion\":\"%u\"", k->version);
	if (to < k->n)
		strbuf_addf(&sb, ",\"continue\":\"%u\"", to);
	strbuf_addstr(&sb, "},\"items\":[");
	for (; from < to; from++) {
		object_print(&k->objects[from], text, sizeof(text));
		strbuf_addf(&sb, "%s%s", text, from + 1 < to ? "," : "");
	}
	strbuf_addstr(&sb, "]}");
	ok = server_answer(rq, 200, sb.buf);
	strbuf_release(&sb);
	return ok;
}

/* A while, or until something changes. False: the client has left. */
static bool
wait_change(struct kube *k, int fd)
{
	struct timespec until;
	char c;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&k->changed, &k->lock, &until);
	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Events after that version, and what was said since. False: it is over. */
static bool
pass_events(struct kube *k, struct server_request *rq, unsigned version)
{
	unsigned said = k->nevents, at, cut = k->cut;
	const struct kube_event *e;

	for (at = 0; !k->stopping && k->cut == cut; ) {
		if (at == k->nevents) {
			if (!wait_change(k, rq->fd))
				return false;
			continue;
		}
		e = &k->events[at++ % KUBE_EVENTS];
		if (e->version == UINT_MAX ? at <= said :
		    e->version <= version)
			continue;
		if (!server_printf(rq, "%zx\r\n%s\r\n", strlen(e->text),
		    e->text))
			return false;
	}
	return !k->stopping;
}

static bool
answer_watch(struct kube *k, struct server_request *rq)
{
	const char *v = strstr(rq->target, "resourceVersion=");
	bool ok;

	k->watches++;
	snprintf(k->last_watch, sizeof(k->last_watch), "%.255s",
	    rq->target);
	if (k->watch_status != 0)
		return fail(k, rq, k->watch_status);
	server_printf(rq, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	    "Content-Type: application/json\r\n\r\n");
	k->open++;
	ok = pass_events(k, rq, (unsigned)strtoul(v + 16, NULL, 10));
	k->open--;
	pthread_cond_broadcast(&k->changed);
	if (ok && k->how == KUBE_END)
		return server_printf(rq, "0\r\n\r\n");
	return ok && k->how == KUBE_RESET ? server_reset(rq) : false;
}

static bool
handle(struct server_request *rq)
{
	struct kube *k = rq->server->ctx;
	const char *auth = server_header(rq, "Authorization");
	bool ok;

	if (strcmp(rq->target, "/version") == 0)
		return server_answer(rq, 200, "{}");
	pthread_mutex_lock(&k->lock);
	if (k->token[0] != '\0' && (auth == NULL ||
	    strcmp(auth + 7, k->token) != 0))
		ok = fail(k, rq, 401);
	else if (strstr(rq->target, "watch=true") != NULL)
		ok = answer_watch(k, rq);
	else
		ok = answer_list(k, rq);
	pthread_mutex_unlock(&k->lock);
	return ok;
}

/* ---- life ---- */

void
kube_start(struct kube *k)
{
	memset(k, 0, sizeof(*k));
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	k->version = 100;
	rig_start(&k->rig, handle);
	k->rig.server.ctx = k;
}

void
kube_stop(struct kube *k)
{
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->lock);
	rig_stop(&k->rig);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
}
