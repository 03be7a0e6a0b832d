/* SPDX-License-Identifier: Apache-2.0 */
/* Records of FCGI_STDOUT: FastCGI specification, section 3.3. */
#include "base.h"

#include <sys/uio.h>

#include "err.h"
#include "fcgi_records.h"

#define FCGI_STDOUT 6
#define HEADER 8
/* The greatest length that needs no padding to a multiple of eight. */
#define CONTENT_MAX ((size_t)65528)
#define RECORDS 16		/* in one call */

static void
header_make(unsigned char *h, int id, size_t len)
{
	h[0] = 1;		/* the protocol's version */
	h[1] = FCGI_STDOUT;
	h[2] = (unsigned char)(id >> 8);
	h[3] = (unsigned char)id;
	h[4] = (unsigned char)(len >> 8);
	h[5] = (unsigned char)len;
	h[6] = h[7] = 0;	/* padding, reserved */
}

static int
write_all(int fd, struct iovec *iov, int n)
{
	ssize_t wrote;

	while (n > 0) {
		wrote = writev(fd, iov, n);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)		/* or it took nothing for too long */
			return E_GONE;
		for (; n > 0 && (size_t)wrote >= iov->iov_len; iov++, n--)
			wrote -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + wrote;
			iov->iov_len -= (size_t)wrote;
		}
	}
	return 0;
}

int
fcgi_write_records(int fd, int request_id, const char *data, size_t len)
{
	unsigned char headers[RECORDS][HEADER];
	struct iovec iov[2 * RECORDS];
	size_t piece;
	int i, r = 0;

	while (len > 0 && r == 0) {
		for (i = 0; i < RECORDS && len > 0; i++) {
			piece = SD_MIN(len, CONTENT_MAX);
			header_make(headers[i], request_id, piece);
			iov[2 * i] = (struct iovec){ headers[i], HEADER };
			iov[2 * i + 1] = (struct iovec){
			    (void *)(uintptr_t)data, piece };
			data += piece;
			len -= piece;
		}
		r = write_all(fd, iov, 2 * i);
	}
	return r;
}
