/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the benchmark: a FastCGI program that says yes to everything at once,
 * the least that can stand behind nginx's auth_request. usage: empty SOCKET
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 64	/* one for each connection that nginx keeps */

static int sock;

static void *
serve(void *arg)
{
	FCGX_Request rq;

	FCGX_InitRequest(&rq, sock, 0);
	while (FCGX_Accept_r(&rq) == 0) {
		FCGX_PutS("Status: 204 No Content\r\n"
		    "X-Stagedoor-Authorization: Bearer bench\r\n\r\n", rq.out);
		FCGX_Finish_r(&rq);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	int i;

	if (argc != 2)
		return 2;
	FCGX_Init();
	sock = FCGX_OpenSocket(argv[1], 4096);
	if (sock < 0)
		return 1;
	for (i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 0;
}
