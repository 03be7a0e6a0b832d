/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time, memory, descriptors. */
#include "base.h"

#include <dirent.h>
#include <sys/resource.h>

#include "exposition.h"
#include "process_numbers.h"

static void
print_cpu(struct exposition *x)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) != 0)
		return;
	exposition_family(x, "process_cpu_seconds_total", "counter",
	    "CPU time, of user and system.");
	exposition_real(x, NULL, (double)(u.ru_utime.tv_sec +
	    u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec +
	    u.ru_stime.tv_usec) / 1e6);
}

static void
print_memory(struct exposition *x)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long size, resident, page = sysconf(_SC_PAGESIZE);
	int n = f == NULL ? 0 : fscanf(f, "%lld %lld", &size, &resident);

	if (f != NULL)
		fclose(f);
	if (n != 2)
		return;
	exposition_family(x, "process_virtual_memory_bytes", "gauge",
	    "Virtual memory.");
	exposition_sample(x, NULL, size * page);
	exposition_family(x, "process_resident_memory_bytes", "gauge",
	    "Resident memory.");
	exposition_sample(x, NULL, resident * page);
}

/* Not for a process that keeps others from looking at it, unless it is
   root's. */
static void
print_open_files(struct exposition *x)
{
	DIR *dir = opendir("/proc/self/fd");
	int64_t n = -1;		/* the one that we read with */

	if (dir == NULL)
		return;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	exposition_family(x, "process_open_fds", "gauge",
	    "Open file descriptors.");
	exposition_sample(x, NULL, n - 2);	/* "." and ".." */
}

void
process_numbers_print(struct exposition *x)
{
	struct rlimit r;

	print_cpu(x);
	print_memory(x);
	print_open_files(x);
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		exposition_family(x, "process_max_fds", "gauge",
		    "How many descriptors may be open.");
		exposition_sample(x, NULL, (int64_t)r.rlim_cur);
	}
}
