/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, networks, and who may watch. */
#include "base.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "request.h"
#include "runtime.h"
#include "settings.h"
#include "watchers.h"

#define MAPPED "\0\0\0\0\0\0\0\0\0\0\377\377"	/* RFC 4291, 2.5.5.2 */
#define MAPPED_LEN 12

struct address {
	unsigned char bytes[16];
	unsigned bits;		/* 32 or 128; 0: it is none */
};

static struct address
address_parse(const char *text, size_t len)
{
	struct address a = { .bits = 0 };
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return a;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, a.bytes) == 1) {
		a.bits = 32;
	} else if (inet_pton(AF_INET6, copy, a.bytes) == 1) {
		a.bits = 128;
		if (memcmp(a.bytes, MAPPED, MAPPED_LEN) == 0) {
			memmove(a.bytes, a.bytes + MAPPED_LEN, 4);
			a.bits = 32;
		}
	}
	return a;
}

static bool
same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	    (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool
network_has(const char *network, const char *address)
{
	size_t len = strcspn(network, "/");
	struct address net = address_parse(network, len);
	struct address a = address_parse(address, strlen(address));
	unsigned long bits = net.bits;

	if (network[len] == '/')
		bits = strtoul(network + len + 1, NULL, 10);
	return a.bits != 0 && a.bits == net.bits && bits <= net.bits &&
	    same_bits(net.bytes, a.bytes, (unsigned)bits);
}

static bool
on_unix_socket(const struct request *req)
{
	struct sockaddr_storage ours;
	socklen_t len = sizeof(ours);

	return req->fd >= 0 && getsockname(req->fd,
	    (struct sockaddr *)&ours, &len) == 0 &&
	    ours.ss_family == AF_UNIX;
}

bool
watchers_have(const struct request *req)
{
	const struct string_list *allow = &req->rt->settings->metrics_allow;
	const char *from = request_param(req, "REMOTE_ADDR");
	size_t i;

	if (from == NULL)
		return on_unix_socket(req);
	if (request_param_count(req, "REMOTE_ADDR") != 1)
		return false;
	for (i = 0; i < allow->n; i++)
		if (network_has(allow->items[i], from))
			return true;
	return false;
}
