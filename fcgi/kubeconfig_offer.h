/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig that leads kubectl through the portal: clusters at our own
 * address, one user whose token `stagedoor login` gets. There is no secret in
 * it. YAML in which every text of others is a double-quoted scalar of ASCII
 * (YAML 1.2, section 7.3.1), so that no name is anything but a name.
 */
#ifndef STAGEDOOR_KUBECONFIG_OFFER_H
#define STAGEDOOR_KUBECONFIG_OFFER_H

struct arena;
struct cluster;
struct identity;
struct runtime;
struct strbuf;

/* Can this user's kubectl use it? Not where the portal's page brings a token,
   and only where the portal is https: kubectl shows a token to no other. */
bool kubeconfig_offered(const struct runtime *rt, const struct identity *who,
    const struct cluster *c);
/*
 * For all that are offered, or with that name only. How many they are; of
 * clusters of one name, the first is there.
 */
size_t kubeconfig_offer_print(const struct runtime *rt,
    const struct identity *who, struct arena *arena, const char *name,
    struct strbuf *out);
/* A quoted scalar; bad UTF-8 becomes U+FFFD. */
void kubeconfig_quote(struct strbuf *sb, const char *text);

#endif
