/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ExecCredential of client.authentication.k8s.io (v1, v1beta1): what a
 * plug-in is told and what it answers, read as client-go does (Kubernetes,
 * "client-go credential plugins").
 */
#ifndef STAGEDOOR_EXEC_CREDENTIAL_H
#define STAGEDOOR_EXEC_CREDENTIAL_H

#include "err.h"
#include "secret.h"
#include "source.h"

struct arena;
struct cluster;
struct credential;

enum exec_part { EXEC_TOKEN, EXEC_CERTIFICATE, EXEC_KEY };

/* A server renews before the end, which client-go does not. */
#define EXEC_MARGIN_MS 60000
/* An answer that has expired already is good for this long: its clock and
   ours may differ, and the cluster has the last word. */
#define EXEC_MOMENT_MS 1000

/* May a plug-in be asked in this version? */
bool exec_version_ok(const char *version);
/* KUBERNETES_EXEC_INFO, in the arena. ca: PEM; empty: none. */
const char *exec_info(struct arena *arena, const struct cluster *c,
    const struct secret *ca);
/* The parts of a value as a credential; takes them. */
void exec_credential_take(struct source_value *value, struct credential *out);
/*
 * What it printed to the parts of a value, with when it ends and when to
 * renew it. 0, or E_PROTOCOL with what is wrong: "its answer has no status".
 */
int exec_credential_parse(const struct secret *output, const char *version,
    int64_t now, struct source_value *out, struct err *err);

#endif
