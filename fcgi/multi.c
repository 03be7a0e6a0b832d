/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between curl and epoll: curl tells what to watch and when to be called; an
 * event goes back to the multi handle whose number it carries.
 */
#include "base.h"

#include <sys/epoll.h>

#include "clock.h"
#include "multi.h"
#include "transfer.h"

static int
on_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx,
    void *known)
{
	struct multi *m = ctx;
	struct epoll_event ev = {
		.data.u64 = (uint64_t)m->number << 32 | (uint32_t)fd };

	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (known == NULL)
		curl_multi_assign(m->curl, fd, m);
	/* What curl closed without a word has left the set by itself. */
	if (epoll_ctl(m->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
	    &ev) != 0)
		epoll_ctl(m->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd,
		    &ev);
	return 0;
}

static int
on_timer(CURLM *curl UNUSED, long ms, void *ctx)
{
	struct multi *m = ctx;

	m->at = ms < 0 ? -1 : clock_mono_ms() + ms;
	return 0;
}

void
multi_init(struct multi *m, int epoll, unsigned number, long connections)
{
	m->epoll = epoll;
	m->number = number;
	m->at = -1;
	m->curl = transfer_multi_new(connections);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
}

void
multi_release(struct multi *m)
{
	curl_multi_cleanup(m->curl);
	m->curl = NULL;
}

unsigned
multi_number(uint64_t key)
{
	return (unsigned)(key >> 32);
}

void
multi_event(struct multi *m, uint64_t key, unsigned events)
{
	int mask = 0, running;

	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(m->curl, (curl_socket_t)(uint32_t)key, mask,
	    &running);
}

void
multi_run_timer(struct multi *m, int64_t now)
{
	int running;

	if (m->at < 0 || m->at > now)
		return;
	m->at = -1;
	curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
}

void *
multi_next_done(struct multi *m, CURLcode *rc)
{
	CURLMsg *msg;
	char *ctx = NULL;
	int left;

	if ((msg = curl_multi_info_read(m->curl, &left)) == NULL)
		return NULL;
	*rc = msg->data.result;		/* msg goes with its handle */
	curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &ctx);
	return ctx;
}
