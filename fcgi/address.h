/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which network addresses anybody on the internet could reach. Addresses that
 * come from where many may write (Backstage's catalog) must be such ones, or
 * we would be their way into networks that they cannot reach themselves.
 */
#ifndef STAGEDOOR_ADDRESS_H
#define STAGEDOOR_ADDRESS_H

#include <netdb.h>
#include <sys/socket.h>

/*
 * False for all that IANA's registries of special-purpose addresses hold
 * (IPv4 and IPv6; private, loopback, link-local, shared, documentation,
 * benchmarks, NAT64, 6to4, Teredo, mapped and so on), for multicast and
 * reserved ranges, and for what is neither IPv4 nor IPv6.
 */
bool address_is_public(const struct sockaddr *sa);

enum address_verdict {
	ADDRESS_PUBLIC,		/* all that the name stands for */
	ADDRESS_PRIVATE,	/* not public, or one of several that is not */
	ADDRESS_ABSENT,		/* there is no such name */
	ADDRESS_UNKNOWN,	/* the name server did not say, or was not
				   asked */
};

/* getaddrinfo, or a test's. */
typedef int address_resolver(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **out);

/*
 * What is behind a host: a name, or an address in any notation that the
 * system knows (0x7f.1; IPv6 without brackets). Blocks as long as the system
 * does. resolve NULL: getaddrinfo, freed with freeaddrinfo.
 */
enum address_verdict address_look(const char *host, address_resolver *resolve);
/* The same of many at once, for ms at most to begin with one. Out has a
   verdict for each. */
struct address_looking {
	const char *const *hosts;
	size_t n;
	int64_t ms;
	address_resolver *resolve;	/* or NULL; on several threads */
};
void address_look_all(const struct address_looking *l,
    enum address_verdict *out);

#endif
