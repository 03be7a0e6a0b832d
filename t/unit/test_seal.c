/* SPDX-License-Identifier: Apache-2.0 */
/* Key files, and values sealed with their keys. */
#include "base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "err.h"
#include "keyring.h"
#include "seal.h"
#include "secret.h"

/* Bytes 0 to 31, and others. */
#define ONE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define TWO "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="

static char dir[] = "/tmp/stagedoor-seal-XXXXXX";
static char file[64];

static int
set_up(void **state UNUSED)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/keys", dir);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	unlink(file);
	return rmdir(dir);
}

static void
write_keys(const char *text, size_t len, mode_t mode)
{
	int fd;

	unlink(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static struct keyring *
keys(const char *text)
{
	struct keyring *ring = NULL;
	struct err err = ERR_INIT;

	write_keys(text, strlen(text), 0600);
	if (keyring_read(file, &ring, &err) != 0)
		fail_msg("%s", err.text);
	return ring;
}

static void
refused(const char *why)
{
	struct keyring *ring = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(keyring_read(file, &ring, &err), E_CONFIG);
	assert_int_equal(err.code, E_CONFIG);
	assert_null(ring);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, why);
	/* Nothing of what could be a key. */
	assert_null(strstr(err.text, "AAEC"));
	assert_null(strstr(err.text, "hush"));
}

static void
refused_text(const char *text, const char *why)
{
	write_keys(text, strlen(text), 0600);
	refused(why);
}

/* --- Key files ------------------------------------------------------------ */

static void
reads_keys(void **state UNUSED)
{
	struct keyring *ring = keys("# the first seals\n\n  new.1_-:" ONE
	    " \r\n\t# old ones\nold:" TWO "\n");
	unsigned char i;

	assert_string_equal(keyring_first(ring)->id, "new.1_-");
	for (i = 0; i < KEYRING_KEY; i++)
		assert_int_equal(keyring_first(ring)->key[i], i);
	assert_string_equal(keyring_find(ring, "oldest", 3)->id, "old");
	assert_null(keyring_find(ring, "ol", 2));
	assert_null(keyring_find(ring, "oldest", 6));
	keyring_free(ring);
}

static void
refuses_what_is_no_key_file(void **state UNUSED)
{
	char many[65 * 64] = "", *p = many;
	int i;

	refused_text("", "holds no key");
	refused_text("# nothing\n\n", "holds no key");
	refused_text("one:" ONE "\nhush\n", "line 2 has no colon");
	refused_text("\n\n:" ONE, "line 3 has an id");
	refused_text("a b:" ONE, "has an id");
	refused_text("0123456789012345678901234567890123:" ONE, "has an id");
	refused_text("one:" ONE "\none:" TWO, "line 2 has the id of a line");
	refused_text("one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
	    "not base64 of 32 bytes");
	refused_text("one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8fHw==",
	    "not base64 of 32 bytes");
	refused_text("one:hush!!!", "not base64 of 32 bytes");
	refused_text("one:", "not base64 of 32 bytes");
	write_keys("one:" ONE "\0hush\n", sizeof("one:" ONE) + 5, 0600);
	refused("line 1 has a NUL byte");
	for (i = 0; i < 65; i++)
		p += snprintf(p, (size_t)(many + sizeof(many) - p), "k%d:%s\n",
		    i, TWO);
	refused_text(many, "line 65 is one too many");
	unlink(file);
	refused("No such file or directory: make it with");
	assert_int_equal(mkfifo(file, 0600), 0);
	refused("not a regular file");
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0);
	refused("not a regular file");
	assert_int_equal(rmdir(file), 0);
}

static void
bounds_the_file(void **state UNUSED)
{
	char *long_text = xmalloc(70000);

	memset(long_text, '#', 70000);
	write_keys(long_text, 70000, 0600);
	refused("over 65536 bytes");
	free(long_text);
}

static void
refuses_a_file_that_lets_others_in(void **state UNUSED)
{
	const mode_t bad[] = { 0644, 0604, 0602, 0620, 0660, 0666 };
	const mode_t good[] = { 0600, 0400, 0640, 0440 };
	struct keyring *ring;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		write_keys("one:" ONE, sizeof("one:" ONE) - 1, bad[i]);
		refused("chmod 600 it");
	}
	for (i = 0; i < ARRAY_LEN(good); i++) {
		write_keys("one:" ONE, sizeof("one:" ONE) - 1, good[i]);
		ring = NULL;
		assert_int_equal(keyring_read(file, &ring, NULL), 0);
		keyring_free(ring);
	}
}

static void
makes_lines_that_can_be_read(void **state UNUSED)
{
	struct strbuf text = STRBUF_INIT(KEYRING_LINE * 2);
	struct keyring *ring;
	char *second;

	keyring_add_line(&text);
	keyring_add_line(&text);
	assert_false(text.overflow);
	ring = keys(text.buf);
	second = strchr(text.buf, '\n') + 1;
	assert_memory_equal(keyring_first(ring)->id, text.buf, 15);
	assert_non_null(keyring_find(ring, second, 15));
	assert_memory_not_equal(keyring_first(ring)->key,
	    keyring_find(ring, second, 15)->key, KEYRING_KEY);
	keyring_free(ring);
	strbuf_wipe(&text);
}

/* The expected bytes are those of another program's HKDF. */
static void
derives_keys(void **state UNUSED)
{
	static const unsigned char expected[KEYRING_KEY] = {
		0x3e, 0x8c, 0x17, 0x0f, 0x38, 0x70, 0xbb, 0x49, 0x92, 0x0d,
		0x3b, 0x69, 0x31, 0x20, 0x58, 0xa8, 0x1a, 0xb8, 0x27, 0x5f,
		0x31, 0xcd, 0xe8, 0x3f, 0xba, 0x7c, 0x37, 0x0c, 0xaf, 0x8f,
		0x1c, 0x3c };
	struct keyring *ring = keys("one:" ONE);
	const struct keyring_key *key = keyring_first(ring);
	unsigned char out[KEYRING_KEY], other[KEYRING_KEY];

	keyring_derive(key, "cache names", out);
	assert_memory_equal(out, expected, KEYRING_KEY);
	keyring_derive(key, "cache name", other);
	assert_memory_not_equal(out, other, KEYRING_KEY);
	assert_memory_not_equal(key->seal, key->key, KEYRING_KEY);
	keyring_free(ring);
}

/* --- Sealing -------------------------------------------------------------- */

static const unsigned char a_key[32] = {
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa };
static const struct seal_name a_name = { .kind = "source", .key = a_key,
	.len = sizeof(a_key), .expires = 1790000000123 };

static void
seal_text(const struct keyring *ring, const char *text, struct strbuf *out)
{
	struct secret value = SECRET_INIT;

	strbuf_init(out, 1 << 20);
	secret_set(&value, text, strlen(text));
	seal_value(ring, &a_name, &value, out);
	secret_release(&value);
}

static void
opens(const struct keyring *ring, const struct strbuf *sealed,
    const char *text)
{
	struct secret out = SECRET_INIT;
	struct err err = ERR_INIT;

	if (seal_open(ring, &a_name, sealed, &out, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(out.len, strlen(text));
	if (out.len > 0)
		assert_string_equal(out.ptr, text);
	secret_release(&out);
}

static void
stays_shut(const struct keyring *ring, const struct seal_name *name,
    const struct strbuf *sealed, int code)
{
	struct secret out = SECRET_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(seal_open(ring, name, sealed, &out, &err), code);
	assert_int_equal(err.code, code);
	assert_null(out.ptr);
}

static void
seals_and_opens(void **state UNUSED)
{
	struct keyring *ring = keys("one:" ONE);
	struct strbuf sealed, again;

	seal_text(ring, "alice-token", &sealed);
	assert_null(memmem(sealed.buf, sealed.len, "alice", 5));
	assert_int_equal(sealed.len, 2 + 3 + 12 + 16 + 11);
	opens(ring, &sealed, "alice-token");
	seal_text(ring, "alice-token", &again);
	assert_int_equal(again.len, sealed.len);
	/* Not two bytes in a row are those of the other time. */
	assert_memory_not_equal(again.buf + 5, sealed.buf + 5, 12);
	assert_memory_not_equal(again.buf + 33, sealed.buf + 33, 11);
	strbuf_release(&again);
	strbuf_release(&sealed);
	seal_text(ring, "", &sealed);
	opens(ring, &sealed, "");
	strbuf_release(&sealed);
	keyring_free(ring);
}

/* Made by another program: what is in a database must stay readable. */
static void
opens_what_was_sealed_before(void **state UNUSED)
{
	char bytes[] = "\x01\x03one"
	    "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"
	    "\xf4\x1f\xd2\x80\x81\xbe\x25\xc3\x49\x0e\x96\xe7\xcb\x31\x06\x42"
	    "\x4d\xfb\x93\xf5\x02\x37\xc1\x04\x5f\x2b\x1e";
	const struct strbuf sealed = { .buf = bytes,
		.len = sizeof(bytes) - 1, .max = sizeof(bytes) };
	struct keyring *ring = keys("one:" ONE);

	opens(ring, &sealed, "alice-token");
	keyring_free(ring);
}

static void
opens_for_its_name_only(void **state UNUSED)
{
	struct keyring *ring = keys("one:" ONE);
	unsigned char other[33];
	struct seal_name name = a_name;
	struct strbuf sealed;

	seal_text(ring, "alice-token", &sealed);
	name.kind = "sourcf";
	stays_shut(ring, &name, &sealed, E_STORE);
	name = a_name;
	name.expires++;
	stays_shut(ring, &name, &sealed, E_STORE);
	name.expires = 0;
	stays_shut(ring, &name, &sealed, E_STORE);
	name = a_name;
	memcpy(other, a_key, sizeof(a_key));
	other[31] ^= 1;
	name.key = other;
	stays_shut(ring, &name, &sealed, E_STORE);
	/* What moves from one part of the name to the next is another name. */
	other[0] = 'e';
	memcpy(other + 1, a_key, sizeof(a_key));
	name.kind = "sourc";
	name.len = sizeof(other);
	stays_shut(ring, &name, &sealed, E_STORE);
	strbuf_release(&sealed);
	keyring_free(ring);
}

static void
sees_every_damage(void **state UNUSED)
{
	struct keyring *ring = keys("one:" ONE);
	struct secret out = SECRET_INIT;
	struct strbuf sealed;
	size_t i, len;
	int bit;

	seal_text(ring, "alice-token", &sealed);
	len = sealed.len;
	for (i = 0; i < len; i++)
		for (bit = 0; bit < 8; bit++) {
			sealed.buf[i] = (char)(sealed.buf[i] ^ (1 << bit));
			assert_int_not_equal(seal_open(ring, &a_name, &sealed,
			    &out, NULL), 0);
			assert_null(out.ptr);
			sealed.buf[i] = (char)(sealed.buf[i] ^ (1 << bit));
		}
	for (sealed.len = 0; sealed.len < len; sealed.len++)
		stays_shut(ring, &a_name, &sealed, E_STORE);
	opens(ring, &sealed, "alice-token");
	strbuf_addch(&sealed, 'x');
	stays_shut(ring, &a_name, &sealed, E_STORE);
	strbuf_release(&sealed);
	keyring_free(ring);
}

static void
knows_its_keys(void **state UNUSED)
{
	struct keyring *old = keys("one:" ONE), *ring;
	struct strbuf sealed, new;

	seal_text(old, "alice-token", &sealed);
	ring = keys("two:" TWO "\none:" ONE);
	opens(ring, &sealed, "alice-token");
	seal_text(ring, "bob-token", &new);
	opens(ring, &new, "bob-token");
	stays_shut(old, &a_name, &new, E_NOTFOUND);
	keyring_free(ring);
	ring = keys("two:" TWO);
	stays_shut(ring, &a_name, &sealed, E_NOTFOUND);
	opens(ring, &new, "bob-token");
	keyring_free(ring);
	/* The id is that of the key, the bytes are another's. */
	ring = keys("one:" TWO);
	stays_shut(ring, &a_name, &sealed, E_STORE);
	keyring_free(ring);
	keyring_free(old);
	strbuf_release(&new);
	strbuf_release(&sealed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_keys),
		cmocka_unit_test(refuses_what_is_no_key_file),
		cmocka_unit_test(bounds_the_file),
		cmocka_unit_test(refuses_a_file_that_lets_others_in),
		cmocka_unit_test(makes_lines_that_can_be_read),
		cmocka_unit_test(derives_keys),
		cmocka_unit_test(seals_and_opens),
		cmocka_unit_test(opens_what_was_sealed_before),
		cmocka_unit_test(opens_for_its_name_only),
		cmocka_unit_test(sees_every_damage),
		cmocka_unit_test(knows_its_keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
