/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider of client certificates, with pairs made here and files that
 * come from the test: what it takes, what it refuses and in which words.
 */
#include "base.h"

#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <time.h>

#include "arena.h"
#include "err.h"
#include "strbuf.h"
#include "note_double.h"
#include "../../providers/provider.h"

#define HOUR 3600
#define SECRET_PATH "/etc/secret-folder/"

struct pair_pem {
	char *certificate, *key, *locked;
};

static struct pair_pem alice, bob, old, rsa;
static const char *files[2];		/* of the certificate, of the key */
static const char *next_key;		/* what the key's file becomes */
static unsigned reads;

static char *
text_of(BIO *bio)
{
	char *data, *out;
	long len = BIO_get_mem_data(bio, &data);

	out = xcalloc(1, (size_t)len + 1);
	memcpy(out, data, (size_t)len);
	BIO_free(bio);
	return out;
}

static void
make_pair(struct pair_pem *p, EVP_PKEY *key, long seconds)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(key);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -2 * HOUR);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	p->certificate = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL), 1);
	p->key = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(),
	    (const unsigned char *)"pass", 4, NULL, NULL), 1);
	p->locked = text_of(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int
make_pairs(void **state UNUSED)
{
	make_pair(&alice, EVP_EC_gen("P-256"), HOUR);
	make_pair(&bob, EVP_EC_gen("P-256"), HOUR);
	make_pair(&old, EVP_EC_gen("P-256"), -HOUR);
	make_pair(&rsa, EVP_RSA_gen(2048), HOUR);
	return 0;
}

static int
free_pairs(void **state UNUSED)
{
	struct pair_pem *const all[] = { &alice, &bob, &old, &rsa };
	size_t i;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		free(all[i]->certificate);
		free(all[i]->key);
		free(all[i]->locked);
	}
	return 0;
}

static int
fake_read(const char *path, struct secret *out, struct err *err)
{
	bool key = str_eq(path, SECRET_PATH "key");
	const char *text = files[key];

	reads++;
	if (text == NULL)
		return err_set(err, E_SYSTEM, "cannot read '%s'", path);
	secret_set(out, text, strlen(text));
	if (!key && next_key != NULL)
		files[1] = next_key;
	return 0;
}

struct outcome {
	enum provider_verdict verdict;
	struct credential cred;
	struct err err;
};

static void
obtain(struct outcome *o, const struct cluster *c)
{
	struct provider_call call = { .cluster = c, .scratch = arena_new(),
	    .read_file = fake_read, .note = note_double,
	    .now = (int64_t)time(NULL) * 1000 };

	noted[0] = '\0';
	credential_release(&o->cred);
	memset(o, 0, sizeof(*o));
	o->verdict = provider_find("x509")->obtain(NULL, &call, &o->cred,
	    &o->err);
	arena_free(call.scratch);
}

/* The step was told, and nothing of a key. */
static void
assert_noted(const char *step)
{
	if (strstr(noted, step) == NULL || strstr(noted, "BEGIN") != NULL)
		fail_msg("'%s' was not told: %s", step, noted);
}

static void
assert_pair(const struct outcome *o, const struct pair_pem *pair)
{
	if (o->verdict != PROVIDER_OK)
		fail_msg("%s", o->err.text);
	assert_int_equal(o->cred.kind, CREDENTIAL_CERTIFICATE);
	assert_string_equal(o->cred.certificate.ptr, pair->certificate);
	assert_string_equal(o->cred.key.ptr, pair->key);
	assert_int_equal(o->cred.value.len, 0);
	assert_true(o->cred.expires > (int64_t)time(NULL) * 1000);
}

/* Refused with these words, and nothing of a path or a key among them. */
static void
assert_refused(const struct outcome *o, const char *words)
{
	assert_int_equal(o->verdict, PROVIDER_FAILED);
	if (strstr(o->err.text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, o->err.text);
	assert_non_null(strstr(o->err.text, "'c'"));
	assert_null(strstr(o->err.text, SECRET_PATH));
	assert_null(strstr(o->err.text, "BEGIN EC"));
	assert_int_equal(o->cred.kind, CREDENTIAL_NONE);
	assert_null(o->cred.key.ptr);
	assert_null(o->cred.certificate.ptr);
}

static void
set(struct secret *s, const char *text)
{
	secret_set(s, text, strlen(text));
}

static struct cluster
of_settings(const char *certificate, const char *key)
{
	struct cluster c = { .name = "c", .auth_provider = "x509",
	    .url = "https://c" };

	set(&c.client_certificate, certificate);
	set(&c.client_key, key);
	return c;
}

static struct cluster
of_files(void)
{
	return (struct cluster){ .name = "c", .auth_provider = "x509",
	    .url = "HTTPS://c",
	    .client_certificate_file = SECRET_PATH "certificate",
	    .client_key_file = SECRET_PATH "key" };
}

static void
drop(struct cluster *c)
{
	secret_release(&c->client_certificate);
	secret_release(&c->client_key);
}

static void
values_of_the_settings(void **state UNUSED)
{
	const struct pair_pem *const good[] = { &alice, &bob, &rsa, &alice };
	struct outcome o = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		struct cluster c = of_settings(good[i]->certificate,
		    good[i]->key);

		assert_int_equal(provider_find("x509")->check(&c, NULL), 0);
		obtain(&o, &c);
		assert_pair(&o, good[i]);
		assert_noted("client key: clientKey of the settings");
		drop(&c);
	}
	credential_release(&o.cred);
}

/* As the files of kubelet: one for both halves, named twice. */
static void
one_text_for_both(void **state UNUSED)
{
	struct strbuf both = STRBUF_INIT(65536);
	struct cluster c;
	struct outcome o = { 0 };

	strbuf_addstr(&both, alice.key);
	strbuf_addstr(&both, alice.certificate);
	strbuf_addstr(&both, bob.certificate);
	c = of_settings(both.buf, both.buf);
	obtain(&o, &c);
	assert_int_equal(o.verdict, PROVIDER_OK);
	drop(&c);
	credential_release(&o.cred);
	strbuf_wipe(&both);
}

static void
pairs_that_are_none(void **state UNUSED)
{
	const struct {
		const char *certificate, *key, *words;
	} rows[] = {
		{ alice.certificate, bob.key, "does not belong" },
		{ bob.certificate, alice.key, "does not belong" },
		{ alice.certificate, rsa.key, "does not belong" },
		{ alice.certificate, alice.locked, "is encrypted" },
		{ alice.certificate, alice.certificate, "key is not PEM" },
		{ alice.certificate, "-----BEGIN EC PRIVATE KEY-----\nAA",
		    "key is not PEM" },
		{ alice.key, alice.key, "certificate is not PEM" },
		{ "nonsense", alice.key, "certificate is not PEM" },
		{ "", alice.key, "certificate is empty" },
		{ alice.certificate, "", "key is empty" },
	};
	struct outcome o = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster c = of_settings(rows[i].certificate,
		    rows[i].key);
		struct err err = ERR_INIT;

		assert_int_equal(provider_find("x509")->check(&c, &err),
		    E_CONFIG);
		assert_null(strstr(err.text, "BEGIN EC"));
		obtain(&o, &c);
		assert_refused(&o, rows[i].words);
		drop(&c);
	}
}

static void
files_are_read_each_time(void **state UNUSED)
{
	struct cluster c = of_files();
	struct outcome o = { 0 };

	files[0] = files[1] = NULL;
	assert_int_equal(provider_find("x509")->check(&c, NULL), 0);
	obtain(&o, &c);
	assert_refused(&o, "file of the client certificate");
	assert_non_null(strstr(o.err.detail, SECRET_PATH "certificate"));
	files[0] = alice.certificate;
	obtain(&o, &c);
	assert_refused(&o, "file of the client key");
	assert_noted("client certificate: '" SECRET_PATH "certificate' is "
	    "read");
	assert_noted("client key: '" SECRET_PATH "key' cannot be read");
	files[1] = bob.key;
	obtain(&o, &c);
	assert_refused(&o, "does not belong");
	files[1] = alice.key;
	obtain(&o, &c);
	assert_pair(&o, &alice);
	files[0] = bob.certificate;
	files[1] = bob.key;
	/* files beat values, though those are a pair as well */
	set(&c.client_certificate, alice.certificate);
	set(&c.client_key, alice.key);
	obtain(&o, &c);
	assert_pair(&o, &bob);
	drop(&c);
	credential_release(&o.cred);
}

/* The certificate is new already, the key comes while we look. */
static void
caught_in_rotation(void **state UNUSED)
{
	struct cluster c = of_files();
	struct outcome o = { 0 };

	files[0] = alice.certificate;
	files[1] = alice.key;
	next_key = bob.key;
	obtain(&o, &c);
	assert_refused(&o, "does not belong");
	files[0] = bob.certificate;
	files[1] = alice.key;
	reads = 0;
	next_key = NULL;
	obtain(&o, &c);
	assert_refused(&o, "does not belong");
	assert_int_equal(reads, 4);	/* looked twice */
	next_key = bob.key;
	obtain(&o, &c);
	assert_pair(&o, &bob);
	next_key = NULL;
	credential_release(&o.cred);
}

static void
what_has_expired(void **state UNUSED)
{
	struct cluster c = of_settings(old.certificate, old.key);
	struct outcome o = { 0 };
	int i;

	for (i = 0; i < 2; i++) {	/* also when it is known */
		obtain(&o, &c);
		assert_refused(&o, "its client certificate expired at 20");
		assert_non_null(strstr(o.err.text, "put a new one"));
	}
	drop(&c);
}

static void
checks_settings(void **state UNUSED)
{
	const struct provider_ops *ops = provider_find("x509");
	struct cluster none = { .name = "c", .url = "https://c" };
	struct cluster half = of_files(), plain = of_files();
	struct err err = ERR_INIT;

	assert_int_equal(ops->check(&none, &err), E_CONFIG);
	assert_non_null(strstr(err.text, "set clientCertificateFile"));
	half.client_key_file = NULL;
	assert_int_equal(ops->check(&half, &err), E_CONFIG);
	assert_non_null(strstr(err.text, "set clientKeyFile"));
	plain.url = "http://c";
	assert_int_equal(ops->check(&plain, &err), E_CONFIG);
	assert_non_null(strstr(err.text, "https"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_the_settings),
		cmocka_unit_test(one_text_for_both),
		cmocka_unit_test(pairs_that_are_none),
		cmocka_unit_test(files_are_read_each_time),
		cmocka_unit_test(caught_in_rotation),
		cmocka_unit_test(what_has_expired),
		cmocka_unit_test(checks_settings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
