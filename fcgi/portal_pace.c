/* SPDX-License-Identifier: Apache-2.0 */
/* Leaky buckets in a table. */
#include "base.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "clock.h"
#include "portal_pace.h"
#include "secret.h"

void
portal_pace_init(struct portal_pace *pace)
{
	memset(pace, 0, sizeof(*pace));
	pthread_mutex_init(&pace->lock, NULL);
	secret_random(pace->key, sizeof(pace->key));
}

static int64_t *
place_of(struct portal_pace *pace, const char *name)
{
	unsigned char md[EVP_MAX_MD_SIZE] = { 0 };

	HMAC(EVP_sha256(), pace->key, sizeof(pace->key),
	    (const unsigned char *)name, strlen(name), md, NULL);
	return &pace->until[(md[0] << 8 | md[1]) % PORTAL_PACE_PLACES];
}

bool
portal_pace_take(struct portal_pace *pace, const char *name,
    const struct portal_pace_rule *rule)
{
	int64_t *until = place_of(pace, name), now = clock_mono_ms(), next;
	bool ok;

	pthread_mutex_lock(&pace->lock);
	next = SD_MAX(*until, now) + rule->every;
	ok = next - now <= rule->every * rule->burst;
	if (ok)
		*until = next;
	pthread_mutex_unlock(&pace->lock);
	return ok;
}
