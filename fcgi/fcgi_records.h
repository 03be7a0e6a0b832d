/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large pieces of an answer, written as FastCGI records of the greatest size
 * from where they are: libfcgi would copy each into records of 8 KiB.
 */
#ifndef STAGEDOOR_FCGI_RECORDS_H
#define STAGEDOOR_FCGI_RECORDS_H

/* Smaller pieces go to libfcgi, which puts them together. */
#define FCGI_LARGE 8192

/*
 * Blocks. What libfcgi has buffered must be out. 0, or E_GONE: the connection
 * is of no use any more.
 */
int fcgi_write_records(int fd, int request_id, const char *data, size_t len);

#endif
