/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client certificate and its private key, both PEM: whether they are what
 * they must be and belong together. Pairs that were found good are known
 * again by their hash, for they are looked at for each request. Any thread.
 */
#ifndef STAGEDOOR_KEYPAIR_H
#define STAGEDOOR_KEYPAIR_H

struct secret;

/*
 * NULL if they are good, with *expires the wall ms at which the certificate
 * ends; else a sentence that says what is wrong and what to do. Either text
 * may hold other PEM blocks too: issuers, or the other half.
 */
const char *keypair_flaw(const struct secret *certificate,
    const struct secret *key, int64_t *expires);

#endif
