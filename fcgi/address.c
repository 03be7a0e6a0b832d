/* SPDX-License-Identifier: Apache-2.0 */
/* Public addresses, and what names stand for. */
#include "base.h"

#include <netinet/in.h>
#include <pthread.h>

#include "address.h"
#include "clock.h"

#define LOOKERS 16	/* threads: a name server answers in milliseconds, one
			   that does not must not hold up all others */

/* ---- ranges ---- */

struct range4 {
	uint32_t net;
	unsigned bits;
};

#define NET4(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

/* iana-ipv4-special-registry, multicast, and one that is not in there. */
static const struct range4 special4[] = {
	{ NET4(0, 0, 0, 0), 8 },	/* this network */
	{ NET4(10, 0, 0, 0), 8 },	/* private */
	{ NET4(100, 64, 0, 0), 10 },	/* shared: behind carriers' NAT */
	{ NET4(127, 0, 0, 0), 8 },	/* loopback */
	{ NET4(168, 63, 129, 16), 32 },	/* Azure's own, to each machine */
	{ NET4(169, 254, 0, 0), 16 },	/* link-local, clouds' metadata */
	{ NET4(172, 16, 0, 0), 12 },	/* private */
	{ NET4(192, 0, 0, 0), 24 },	/* protocol assignments */
	{ NET4(192, 0, 2, 0), 24 },	/* documentation */
	{ NET4(192, 31, 196, 0), 24 },	/* AS112 */
	{ NET4(192, 52, 193, 0), 24 },	/* AMT */
	{ NET4(192, 88, 99, 0), 24 },	/* 6to4 relays */
	{ NET4(192, 168, 0, 0), 16 },	/* private */
	{ NET4(192, 175, 48, 0), 24 },	/* AS112 */
	{ NET4(198, 18, 0, 0), 15 },	/* benchmarks */
	{ NET4(198, 51, 100, 0), 24 },	/* documentation */
	{ NET4(203, 0, 113, 0), 24 },	/* documentation */
	{ NET4(224, 0, 0, 0), 3 },	/* multicast, reserved, broadcast */
};

static bool
is_public4(uint32_t a)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(special4); i++)
		if ((a ^ special4[i].net) >> (32 - special4[i].bits) == 0)
			return false;
	return true;
}

struct range6 {
	unsigned char net[6];
	unsigned bits;
};

/* Within 2000::/3, iana-ipv6-special-registry. Nothing else is given to
   anybody: loopback, mapped, NAT64, local and multicast are all outside. */
static const struct range6 special6[] = {
	{ { 0x20, 0x01, 0x00 }, 23 },		/* protocols, Teredo */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },	/* documentation */
	{ { 0x20, 0x02 }, 16 },			/* 6to4 */
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48 },	/* AS112 */
	{ { 0x3f, 0xff }, 20 },			/* documentation */
};

static bool
is_within(const unsigned char *a, const struct range6 *r)
{
	unsigned i, left = r->bits;

	for (i = 0; left >= 8; i++, left -= 8)
		if (a[i] != r->net[i])
			return false;
	return left == 0 || (a[i] ^ r->net[i]) >> (8 - left) == 0;
}

static bool
is_public6(const unsigned char a[16])
{
	size_t i;

	if (a[0] >> 5 != 1)
		return false;
	for (i = 0; i < ARRAY_LEN(special6); i++)
		if (is_within(a, &special6[i]))
			return false;
	return true;
}

bool
address_is_public(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return is_public4(ntohl(v4->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6)
		return v6->sin6_scope_id == 0 &&
		    is_public6(v6->sin6_addr.s6_addr);
	return false;
}

/* ---- names ---- */

enum address_verdict
address_look(const char *host, address_resolver *resolve)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *a;
	enum address_verdict v = ADDRESS_PUBLIC;
	int r = (resolve != NULL ? resolve : getaddrinfo)(host, NULL, &hints,
	    &list);

	if (r == EAI_NONAME || r == EAI_NODATA)
		return ADDRESS_ABSENT;
	if (r != 0)
		return ADDRESS_UNKNOWN;
	for (a = list; a != NULL; a = a->ai_next)
		if (!address_is_public(a->ai_addr))
			v = ADDRESS_PRIVATE;
	if (list == NULL)
		return ADDRESS_ABSENT;
	freeaddrinfo(list);
	return v;
}

struct lookers {
	const struct address_looking *what;
	enum address_verdict *out;
	int64_t until;
	size_t next;		/* atomic */
};

static void *
looker_main(void *arg)
{
	struct lookers *l = arg;
	size_t i;

	for (;;) {
		i = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
		if (i >= l->what->n || clock_mono_ms() >= l->until)
			return NULL;
		l->out[i] = address_look(l->what->hosts[i], l->what->resolve);
	}
}

void
address_look_all(const struct address_looking *what,
    enum address_verdict *out)
{
	struct lookers l = { .what = what, .out = out,
	    .until = clock_mono_ms() + what->ms };
	pthread_t threads[LOOKERS];
	size_t i, n = 0;

	for (i = 0; i < what->n; i++)
		out[i] = ADDRESS_UNKNOWN;
	while (n < SD_MIN(what->n, (size_t)LOOKERS) && pthread_create(
	    &threads[n], NULL, looker_main, &l) == 0)
		n++;
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}
