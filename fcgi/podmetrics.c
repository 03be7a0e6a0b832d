/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pods ask for, may use and do use. Everything is read from the bytes
 * of two lists, pods and their metrics; a quantity that cannot be read
 * counts as zero. Names in Kubernetes hold no escapes, so they are compared
 * as they stand.
 */
#include "base.h"

#include "arena.h"
#include "podmetrics.h"
#include "quantity.h"
#include "strbuf.h"

/* A pod may have more, but their metrics are not looked for. */
#define POD_CONTAINERS_MAX 256

struct usage {
	struct quantity current, request, limit;
};

struct container_metric {
	struct json_span name, usage;
};

static int
span_cmp(struct json_span a, struct json_span b)
{
	int r = memcmp(a.ptr, b.ptr, SD_MIN(a.len, b.len));

	return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

static bool
span_same(struct json_span a, struct json_span b)
{
	return a.len == b.len && a.ptr != NULL && b.ptr != NULL &&
	    memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Room for one more element; arrays grow by half. */
static void *
grown(void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	*cap = SD_MAX(*cap + *cap / 2, (size_t)8);
	return xrealloc(items, *cap * size);
}

/* The index of a namespace; SIZE_MAX if there is no room for a new one. */
static size_t
namespace_index(struct pods *pods, struct json_span raw, size_t guess,
    struct arena *arena)
{
	struct pod_namespace *ns = pods->namespaces;
	size_t i, n = pods->nnamespaces;
	const char *name;

	if (guess < n && span_same(ns[guess].raw, raw))
		return guess;
	for (i = 0; i < n; i++)
		if (span_same(ns[i].raw, raw))
			return i;
	name = jsonscan_string(raw, arena);
	if (n == POD_NAMESPACES_MAX || name == NULL || *name == '\0' ||
	    *name == '.')	/* no name, and perhaps a way out of the path */
		return SIZE_MAX;
	if ((n & (n - 1)) == 0)
		pods->namespaces = xrealloc(pods->namespaces,
		    SD_MAX(2 * n, (size_t)1) * sizeof(*pods->namespaces));
	pods->namespaces[n] = (struct pod_namespace){ .raw = raw,
	    .name = name, .first = SIZE_MAX, .last = SIZE_MAX };
	return pods->nnamespaces++;
}

static void
pod_add(struct pods *pods, const struct pod *pod, struct pod_namespace *ns)
{
	pods->items = grown(pods->items, pods->n, &pods->cap,
	    sizeof(*pods->items));
	pods->items[pods->n] = *pod;
	if (ns->first == SIZE_MAX)
		ns->first = pods->n;
	else
		pods->items[ns->last].next = pods->n;
	ns->last = pods->n++;
}

void
pods_read(struct pods *pods, struct json_span items, struct arena *arena)
{
	struct json_span metadata, namespace;
	struct pod pod = { .next = SIZE_MAX };
	const struct json_pick parts[] = {
		{ "metadata", &metadata }, { "spec", &pod.spec },
	};
	const struct json_pick names[] = {
		{ "name", &pod.name }, { "namespace", &namespace },
	};
	struct jsonscan it;
	size_t ns = 0, found;

	memset(pods, 0, sizeof(*pods));
	if (!jsonscan_begin(&it, items, '['))
		return;
	while (jsonscan_element_pick(&it, &pod.object, parts,
	    ARRAY_LEN(parts))) {
		if (!jsonscan_pick(metadata, names, ARRAY_LEN(names)))
			continue;
		found = namespace_index(pods, namespace, ns, arena);
		if (found == SIZE_MAX)
			continue;
		ns = found;
		pod_add(pods, &pod, &pods->namespaces[ns]);
	}
}

void
pods_release(struct pods *pods)
{
	free(pods->items);
	free(pods->namespaces);
	memset(pods, 0, sizeof(*pods));
}

static int
metric_cmp(const void *a, const void *b)
{
	const struct pod_metric *x = a, *y = b;

	return span_cmp(x->name, y->name);
}

void
pod_metrics_read(struct pod_metrics *m, struct json_span items)
{
	struct json_span item, metadata;
	struct pod_metric one;
	const struct json_pick parts[] = {
		{ "metadata", &metadata }, { "containers", &one.containers },
	};
	struct jsonscan it;

	memset(m, 0, sizeof(*m));
	if (!jsonscan_begin(&it, items, '['))
		return;
	while (jsonscan_element_pick(&it, &item, parts, ARRAY_LEN(parts))) {
		one.name = jsonscan_get(metadata, "name");
		if (!jsonscan_is_string(one.name))
			continue;
		m->items = grown(m->items, m->n, &m->cap, sizeof(*m->items));
		m->items[m->n++] = one;
	}
	if (m->n > 1)
		qsort(m->items, m->n, sizeof(*m->items), metric_cmp);
}

void
pod_metrics_release(struct pod_metrics *m)
{
	free(m->items);
	memset(m, 0, sizeof(*m));
}

/* The containers of the pod's metrics, at most max of them. */
static size_t
metrics_of(const struct pod_metrics *m, const struct pod *pod,
    struct container_metric *out, size_t max)
{
	struct pod_metric key = { .name = pod->name }, *found;
	struct json_span item;
	struct jsonscan it;
	size_t n = 0;

	if (m->n == 0 || !jsonscan_is_string(pod->name))
		return 0;
	found = bsearch(&key, m->items, m->n, sizeof(*m->items), metric_cmp);
	if (found == NULL || !jsonscan_begin(&it, found->containers, '['))
		return 0;
	while (n < max) {
		const struct json_pick parts[] = {
			{ "name", &out[n].name }, { "usage", &out[n].usage },
		};

		if (!jsonscan_element_pick(&it, &item, parts,
		    ARRAY_LEN(parts)))
			break;
		n++;
	}
	return n;
}

/* cpu and memory of an object of quantities, as strings or bare numbers. */
static void
read_quantities(struct json_span object, struct quantity *cpu,
    struct quantity *memory)
{
	struct json_span texts[2];
	const struct json_pick parts[] = {
		{ "cpu", &texts[0] }, { "memory", &texts[1] },
	};
	struct quantity *out[] = { cpu, memory };
	size_t i;

	jsonscan_pick(object, parts, ARRAY_LEN(parts));
	for (i = 0; i < 2; i++) {
		size_t quote = jsonscan_is_string(texts[i]);

		if (texts[i].ptr != NULL)
			quantity_parse(texts[i].ptr + quote,
			    texts[i].len - 2 * quote, out[i]);
	}
}

static void
usage_add(struct usage *sum, const struct usage *u)
{
	quantity_add(&sum->current, &u->current);
	quantity_add(&sum->request, &u->request);
	quantity_add(&sum->limit, &u->limit);
}

static void
usage_print(struct strbuf *sb, const char *name, const struct usage *u)
{
	strbuf_addch(sb, '"');
	strbuf_addstr(sb, name);
	strbuf_addstr(sb, "\":{\"currentUsage\":");
	quantity_print(sb, &u->current);
	strbuf_addstr(sb, ",\"requestTotal\":");
	quantity_print(sb, &u->request);
	strbuf_addstr(sb, ",\"limitTotal\":");
	quantity_print(sb, &u->limit);
	strbuf_addch(sb, '}');
}

/* The two resources of a pod or of a container. */
struct both {
	struct usage cpu, memory;
};

/* What the resources of one container of a pod's spec ask for. */
static void
resources_read(struct json_span resources, struct both *out)
{
	struct json_span requests, limits;
	const struct json_pick sides[] = {
		{ "requests", &requests }, { "limits", &limits },
	};

	memset(out, 0, sizeof(*out));
	jsonscan_pick(resources, sides, ARRAY_LEN(sides));
	read_quantities(requests, &out->cpu.request, &out->memory.request);
	read_quantities(limits, &out->cpu.limit, &out->memory.limit);
}

static const struct container_metric *
metric_named(const struct container_metric *metrics, size_t n,
    struct json_span name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (span_same(metrics[i].name, name))
			return &metrics[i];
	return NULL;
}

static void
container_print(struct strbuf *sb, struct json_span name,
    const struct both *use)
{
	if (sb->buf[sb->len - 1] != '[')
		strbuf_addch(sb, ',');
	strbuf_addstr(sb, "{\"container\":");
	strbuf_add(sb, name.ptr, name.len);
	strbuf_addch(sb, ',');
	usage_print(sb, "cpuUsage", &use->cpu);
	strbuf_addch(sb, ',');
	usage_print(sb, "memoryUsage", &use->memory);
	strbuf_addch(sb, '}');
}

/* Append those containers that have metrics; sum up all. */
static void
containers_add(struct strbuf *sb, const struct pod *pod,
    const struct pod_metrics *m, struct both *sum)
{
	struct container_metric metrics[POD_CONTAINERS_MAX];
	const struct container_metric *metric;
	struct json_span container, name, resources;
	const struct json_pick parts[] = {
		{ "name", &name }, { "resources", &resources },
	};
	struct jsonscan it;
	struct both use;
	size_t n;

	if (!jsonscan_begin(&it, jsonscan_get(pod->spec, "containers"), '['))
		return;
	n = metrics_of(m, pod, metrics, ARRAY_LEN(metrics));
	while (jsonscan_element_pick(&it, &container, parts,
	    ARRAY_LEN(parts))) {
		resources_read(resources, &use);
		metric = metric_named(metrics, n, name);
		if (metric != NULL) {
			read_quantities(metric->usage, &use.cpu.current,
			    &use.memory.current);
			container_print(sb, name, &use);
		}
		usage_add(&sum->cpu, &use.cpu);
		usage_add(&sum->memory, &use.memory);
	}
}

void
pod_metrics_add(struct strbuf *sb, const struct pod *pod,
    const struct pod_metrics *m)
{
	struct both sum;

	memset(&sum, 0, sizeof(sum));
	strbuf_addstr(sb, "{\"pod\":");
	strbuf_add(sb, pod->object.ptr, pod->object.len);
	strbuf_addstr(sb, ",\"containers\":[");
	containers_add(sb, pod, m, &sum);
	strbuf_addstr(sb, "],");
	usage_print(sb, "cpu", &sum.cpu);
	strbuf_addch(sb, ',');
	usage_print(sb, "memory", &sum.memory);
	strbuf_addch(sb, '}');
}
