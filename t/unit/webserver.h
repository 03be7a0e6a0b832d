/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nginx as a TLS cluster for unit tests, with a CA and certificates of its
 * own in a temporary folder. Answers say on which connection and with which
 * protocol, credential and client certificate they were asked for:
 * "CONNECTION PROTOCOL AUTHORIZATION SUBJECT", "-" for what is missing.
 */
#ifndef STAGEDOOR_TEST_WEBSERVER_H
#define STAGEDOOR_TEST_WEBSERVER_H

struct webserver {
	char dir[64];
	pid_t pid;
	/* https://127.0.0.1:port each */
	char http2[64], http1[64];
	char goodbye[64];		/* HTTP/2: closes after few answers */
	char other_name[64], expired[64];	/* wrong certificates */
	char plain[64];				/* https url, no TLS there */
};

/* False: nginx or openssl is missing (under CI=true that ends the test). */
bool webserver_start(struct webserver *w);
void webserver_stop(struct webserver *w);
/* A file of its folder: ca.pem other-ca.pem alice.pem alice.key bob.pem
   bob.key. free() it. */
char *webserver_file(const struct webserver *w, const char *name);

#endif
