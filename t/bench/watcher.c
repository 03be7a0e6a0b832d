/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the benchmark: an API server as far as watches of what does not change
 * go. It answers each request with headers (and with event=1 an event) and then
 * says nothing, for as many connections as come. usage: watcher PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENT "3\r\n{}\n\r\n"

/* With an event; the others get none. */
static const char head[] = "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    EVENT;

/* A request comes in one piece, on loopback. */
static void
hear(int fd)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	size_t len = sizeof(head) - 1;

	buf[n > 0 ? n : 0] = '\0';
	if (strstr(buf, "event=1") == NULL)
		len -= sizeof(EVENT) - 1;
	if (n <= 0 || write(fd, head, len) < 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN }, got[64];
	int one = 1, sock, epoll, n, i;

	if (argc != 2)
		return 2;
	at.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	epoll = epoll_create1(0);
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(sock, 4096) != 0)
		return 1;
	ev.data.fd = sock;
	epoll_ctl(epoll, EPOLL_CTL_ADD, sock, &ev);
	while ((n = epoll_wait(epoll, got, 64, -1)) >= 0)
		for (i = 0; i < n; i++) {
			if (got[i].data.fd != sock) {
				hear(got[i].data.fd);
				continue;
			}
			ev.data.fd = accept(sock, NULL, NULL);
			if (ev.data.fd >= 0)
				epoll_ctl(epoll, EPOLL_CTL_ADD, ev.data.fd,
				    &ev);
		}
	return 1;
}
