/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google access tokens for the server's own account. Where its credentials
 * come from, in this order: kubernetes.googleServiceAccountCredentials (its
 * file first), the file that GOOGLE_APPLICATION_CREDENTIALS names, gcloud's
 * application_default_credentials.json, the metadata server. What is named
 * and cannot be used is an error: a server must not get in as somebody else.
 *
 * Credentials are JSON of type service_account (RFC 7523), authorized_user,
 * external_account (RFC 8693; a file, a URL, or AWS), or
 * impersonated_service_account, as Google's client libraries read them, with
 * these differences: token_uri of a service account is heeded, the file of a
 * workload identity may name only Google's hosts (or loopback) for the
 * exchange, and what they run or show certificates for is refused by name.
 */
#ifndef STAGEDOOR_GOOGLE_SOURCES_H
#define STAGEDOOR_GOOGLE_SOURCES_H

#include "provider.h"

struct settings;

#define GOOGLE_SCOPE_CLOUD "https://www.googleapis.com/auth/cloud-platform"
/*
 * What opens clusters. With the e-mail's scope GKE knows the account by its
 * address too, which is what people write into role bindings; without it
 * only by a number. Backstage's two scopes of container are part of
 * cloud-platform.
 */
#define GOOGLE_SCOPES GOOGLE_SCOPE_CLOUD \
	" https://www.googleapis.com/auth/userinfo.email"

/*
 * An access token, part 0 of out, for scopes (with blanks between). On 0 the
 * caller releases out. E_PENDING as of call->source; E_CONFIG: there are no
 * credentials, or they cannot work; E_DENIED: Google refused them; else what
 * may pass. err says which credentials, and what they were answered. call's
 * cluster may be NULL.
 */
int google_token(const struct provider_call *call, const struct settings *s,
    const char *scopes, struct source_value *out, struct err *err);

#endif
