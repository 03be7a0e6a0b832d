/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel knows of the process, under the names that all Prometheus
 * clients use. Linux's proc(5); what cannot be read is left out.
 */
#ifndef STAGEDOOR_PROCESS_NUMBERS_H
#define STAGEDOOR_PROCESS_NUMBERS_H

struct exposition;

void process_numbers_print(struct exposition *x);

#endif
