/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a credential plug-in of kubectl prints on standard output: an
 * ExecCredential (Kubernetes, "client-go credential plugins").
 */
#ifndef STAGEDOOR_EXEC_PRINT_H
#define STAGEDOOR_EXEC_PRINT_H

struct credential;
struct err;

/* The version that KUBERNETES_EXEC_INFO names; without one it is v1. 0, or
   E_INPUT: it names none that is known. */
int exec_print_version(const char **out, struct err *err);
/* 0 or E_SYSTEM. Leaves no copies. */
int exec_print(const struct credential *cred, const char *version,
    struct err *err);

#endif
