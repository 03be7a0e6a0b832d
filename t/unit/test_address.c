/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are public, and what names stand for. */
#include "base.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <sys/un.h>
#include <cmocka.h>

#include "address.h"

/* One or several addresses from each range, and its neighbours. */
static const char *const closed[] = {
	"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
	"100.64.0.0", "100.100.100.200", "100.127.255.255", "127.0.0.1",
	"127.255.255.255", "168.63.129.16", "169.254.0.1", "169.254.169.254",
	"172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.0.9",
	"192.0.0.170", "192.0.0.255", "192.0.2.1", "192.31.196.1",
	"192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
	"192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.7",
	"203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1",
	"255.255.255.255",
	"::", "::1", "::ffff:0:0", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
	"::ffff:0:8.8.8.8", "::8.8.8.8", "64:ff9b::127.0.0.1",
	"64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1",
	"2001::1", "2001:0:4136:e378::1", "2001:2::1", "2001:1ff:ffff::1",
	"2001:20::1", "2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::1",
	"2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1",
	"4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1",
	"fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "1fff::1",
};

static const char *const open_ones[] = {
	"1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
	"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
	"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
	"192.31.195.255", "192.88.98.255", "192.88.100.0", "192.167.255.255",
	"192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
	"203.0.112.255", "203.0.114.0", "223.255.255.255",
	"2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1",
	"2001:db9::1", "2003::1", "2606:4700::1111", "2620:4f:7fff::1",
	"2620:4f:8001::1", "2a00:1450::1", "3ffe::1", "3fff:1000::1",
};

static bool
is_public(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&v4);
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		fail_msg("%s is no address", text);
	return address_is_public((const struct sockaddr *)&v6);
}

static void
special_ranges_are_not_public(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(closed); i++)
		if (is_public(closed[i]))
			fail_msg("%s is public", closed[i]);
}

static void
their_neighbours_are(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(open_ones); i++)
		if (!is_public(open_ones[i]))
			fail_msg("%s is not public", open_ones[i]);
}

/* Whatever it is an address of, it is on this machine's own links. */
static void
zones_and_other_families_are_not(void **state UNUSED)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
	    .sin6_scope_id = 2 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	inet_pton(AF_INET6, "2606:4700::1111", &v6.sin6_addr);
	assert_false(address_is_public((const struct sockaddr *)&v6));
	assert_false(address_is_public((const struct sockaddr *)&un));
}

/* ---- names ---- */

/* One of these for each "+" in what stands before the dot. */
static int
resolver(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	struct addrinfo numeric = *hints, *next = NULL;
	char text[128], *s, *at, *save = NULL;

	*out = NULL;
	if (strcmp(host, "absent") == 0)
		return EAI_NONAME;
	if (strcmp(host, "broken") == 0)
		return EAI_AGAIN;
	snprintf(text, sizeof(text), "%s", host);
	numeric.ai_flags = AI_NUMERICHOST;
	for (s = text; (at = strtok_r(s, "+", &save)) != NULL; s = NULL) {
		struct addrinfo *one = NULL;
		int r = getaddrinfo(at, service, &numeric, &one);

		if (r != 0)
			return r;
		one->ai_next = next;
		*out = next = one;
	}
	return 0;
}

static void
a_name_is_all_that_it_stands_for(void **state UNUSED)
{
	static const struct {
		const char *host;
		enum address_verdict verdict;
	} cases[] = {
		{ "8.8.8.8", ADDRESS_PUBLIC },
		{ "8.8.8.8+2606:4700::1111", ADDRESS_PUBLIC },
		{ "8.8.8.8+10.0.0.1", ADDRESS_PRIVATE },
		{ "10.0.0.1+8.8.8.8", ADDRESS_PRIVATE },
		{ "8.8.8.8+::1", ADDRESS_PRIVATE },
		{ "127.0.0.1", ADDRESS_PRIVATE },
		{ "absent", ADDRESS_ABSENT },
		{ "broken", ADDRESS_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		if (address_look(cases[i].host, resolver) != cases[i].verdict)
			fail_msg("%s", cases[i].host);
}

/* The system reads them too; so must we. */
static void
odd_notations_are_seen_through(void **state UNUSED)
{
	static const char *const hosts[] = { "127.1", "0x7f.1", "2130706433",
	    "0177.0.0.1", "0x7f000001", "10.1", "localhost" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(hosts); i++)
		assert_int_equal(address_look(hosts[i], NULL),
		    ADDRESS_PRIVATE);
	assert_int_equal(address_look("134744072", NULL), ADDRESS_PUBLIC);
}

static void
many_are_looked_at_together(void **state UNUSED)
{
	static const char *const hosts[] = { "8.8.8.8", "10.0.0.1", "absent",
	    "broken" };
	static const enum address_verdict want[] = { ADDRESS_PUBLIC,
	    ADDRESS_PRIVATE, ADDRESS_ABSENT, ADDRESS_UNKNOWN };
	const char *many[200];
	enum address_verdict out[200];
	struct address_looking l = { many, ARRAY_LEN(many), 5000, resolver };
	size_t i;

	for (i = 0; i < ARRAY_LEN(many); i++)
		many[i] = hosts[i % 4];
	address_look_all(&l, out);
	for (i = 0; i < ARRAY_LEN(many); i++)
		assert_int_equal(out[i], want[i % 4]);
	l.ms = 0;	/* no time: nothing is known */
	address_look_all(&l, out);
	for (i = 0; i < ARRAY_LEN(many); i++)
		assert_int_equal(out[i], ADDRESS_UNKNOWN);
	l.n = 0;
	address_look_all(&l, out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_ranges_are_not_public),
		cmocka_unit_test(their_neighbours_are),
		cmocka_unit_test(zones_and_other_families_are_not),
		cmocka_unit_test(a_name_is_all_that_it_stands_for),
		cmocka_unit_test(odd_notations_are_seen_through),
		cmocka_unit_test(many_are_looked_at_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
