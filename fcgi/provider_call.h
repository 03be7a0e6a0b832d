/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What providers may use, filled in: files, the environment, and (bounded by
 * the asker's deadline) clouds, programs and other sources.
 */
#ifndef STAGEDOOR_PROVIDER_CALL_H
#define STAGEDOOR_PROVIDER_CALL_H

#include "sources.h"
#include "../providers/provider.h"

/*
 * cluster and who may be NULL where a provider does not look at them. Borrows
 * all; call->scratch is the caller's to free with provider_call_end. With no
 * sources in the runtime, nothing that needs one can be had: E_CONFIG.
 */
void provider_call_begin(struct provider_call *call,
    struct source_asker *asker, const struct cluster *cluster,
    const struct identity *who);
void provider_call_end(struct provider_call *call);

#endif
