/* SPDX-License-Identifier: Apache-2.0 */
/* The provider aws: which credentials, which region, what goes into a token. */
#include "base.h"

#include "aws_rig.h"

#define KEYS_FILE "[default]\naws_access_key_id = AKFILE\n" \
	"aws_secret_access_key = SFILE\n"

static void
account_keys(struct aws_account *a, const char *id, const char *secret)
{
	a->access_key_id = id;
	secret_set(&a->secret_access_key, secret, strlen(secret));
}

static void
got(const char *id, const char *secret, const char *session)
{
	rig_get();
	if (rig.r != 0)
		fail_msg("%s", rig.err.text);
	assert_string_equal(rig.got.access_key_id, id);
	assert_string_equal(rig.got.secret.ptr, secret);
	assert_true(str_eq(rig.got.session_token.ptr, session));
}

static void
failed(int code, const char *told)
{
	rig_get();
	assert_int_equal(rig.r, code);
	if (strstr(rig.err.text, told) == NULL)
		fail_msg("'%s' does not say '%s'", rig.err.text, told);
	assert_non_null(strstr(rig.err.text, "'eks'"));
	assert_null(rig.got.access_key_id);
	assert_int_equal(rig.got.secret.len, 0);
}

/* What was there before is less than what comes after it in the chain. */
static void
order(void **state UNUSED)
{
	failed(E_NOTBUILT, "IMDS");
	rig_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://[::1]/");
	failed(E_NOTBUILT, "the container");
	rig_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
	failed(E_NOTBUILT, "the container");
	rig_variable("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/x");
	failed(E_NOTBUILT, "a web identity");
	rig_variable("HOME", "/h");
	rig_file("/h/.aws/credentials", KEYS_FILE);
	got("AKFILE", "SFILE", NULL);
	rig_variable("AWS_ACCESS_KEY_ID", "AKENV");
	got("AKFILE", "SFILE", NULL);
	rig_variable("AWS_SECRET_ACCESS_KEY", "SENV");
	rig_variable("AWS_SESSION_TOKEN", "TENV");
	got("AKENV", "SENV", "TENV");
	rig_variable("AWS_PROFILE", "default");
	got("AKFILE", "SFILE", NULL);
	account_keys(&rig.settings.aws.main, "AKMAIN", " SMAIN\n");
	got("AKMAIN", "SMAIN", NULL);
	rig.settings.aws.main.role_name = "backstage";
	failed(E_NOTBUILT, "aws.mainAccount.roleName");
	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	failed(E_NOTBUILT, "assumeRole");
	secret_release(&rig.settings.aws.main.secret_access_key);
}

static void
nothing_there(void **state UNUSED)
{
	rig_variable("AWS_EC2_METADATA_DISABLED", "true");
	failed(E_CONFIG, "no AWS credentials");
	rig_variable("AWS_ACCESS_KEY_ID", "");
	rig_variable("AWS_SECRET_ACCESS_KEY", "SENV");
	failed(E_CONFIG, "no AWS credentials");
}

static void
expired_environment(void **state UNUSED)
{
	rig_variable("AWS_ACCESS_KEY_ID", "AKENV");
	rig_variable("AWS_SECRET_ACCESS_KEY", "SENV");
	rig_variable("AWS_CREDENTIAL_EXPIRATION", "2025-03-14T15:09:27Z");
	got("AKENV", "SENV", NULL);
	assert_int_equal(rig.got.expires, RIG_NOW + 1000);
	rig_variable("AWS_CREDENTIAL_EXPIRATION", "2025-03-14T15:09:26Z");
	failed(E_CONFIG, "have expired");
	assert_null(strstr(rig.err.text, "AKENV"));
}

/* A profile that is named must do: nobody else's credentials are tried. */
static void
named_profiles(void **state UNUSED)
{
	rig_variable("AWS_CONFIG_FILE", "~/conf");
	rig_variable("HOME", "/h");
	rig_file("/h/conf", "[profile empty]\nregion = x\n"
	    "[profile process]\ncredential_process = /bin/x\n"
	    "[profile web]\nrole_arn = r\nweb_identity_token_file = /t\n"
	    "[profile role]\nrole_arn = r\nsource_profile = default\n"
	    "[profile sso]\nsso_session = s\n"
	    "[profile both]\nrole_arn = r\nsource_profile = default\n"
	    "credential_source = Environment\n"
	    "aws_access_key_id = AKB\naws_secret_access_key = SB\n");
	rig_file("/h/.aws/credentials", KEYS_FILE);
	rig.settings.aws.main.profile = "gone";
	failed(E_CONFIG, "there is no AWS profile 'gone'");
	rig.settings.aws.main.profile = "empty";
	failed(E_CONFIG, "has no credentials");
	rig.settings.aws.main.profile = "process";
	failed(E_NOTBUILT, "credential_process");
	rig.settings.aws.main.profile = "web";
	failed(E_NOTBUILT, "web_identity_token_file");
	rig.settings.aws.main.profile = "role";
	failed(E_NOTBUILT, "role_arn");
	rig.settings.aws.main.profile = "sso";
	failed(E_NOTBUILT, "sso_session");
	rig.settings.aws.main.profile = "both";
	got("AKB", "SB", NULL);
	rig.settings.aws.main.profile = NULL;
	rig_variable("AWS_PROFILE", "gone");
	failed(E_CONFIG, "there is no AWS profile 'gone'");
}

/* Lines of a file, and the secret that they give, or NULL for none. */
static void
file_syntax(void **state UNUSED)
{
	static const struct {
		const char *text, *secret;
	} rows[] = {
		{ "[p]\naws_access_key_id=A\naws_secret_access_key=S", "S" },
		{ "[p]\r\naws_access_key_id = A\r\n"
		    "aws_secret_access_key = S=T/+ \r\n", "S=T/+" },
		{ "# [q]\n[p] ; x\naws_access_key_id=A # c\n"
		    "aws_secret_access_key=S ;c\n", "S" },
		{ "[p]\n  aws_access_key_id=A\n\taws_secret_access_key=S\n",
		    "S" },
		{ "[p]\nx =\n aws_access_key_id=A\n aws_secret_access_key=S\n",
		    NULL },
		{ "[p]\nx =\n[p]\n aws_access_key_id=A\n"
		    " aws_secret_access_key=S\n", "S" },
		{ "[p]\nAWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=S\n",
		    NULL },
		{ "[p]\naws_access_key_id=A\naws_secret_access_key=S\n"
		    "aws_secret_access_key=T\n", "T" },
		{ "[P]\naws_access_key_id=A\naws_secret_access_key=S\n",
		    NULL },
		{ "[profile p]\naws_access_key_id=A\n"
		    "aws_secret_access_key=S\n", NULL },
		{ "[p\naws_access_key_id=A\naws_secret_access_key=S\n", NULL },
		{ "[p]\n=\n==\n[]\n[\n]\n", NULL },
		{ "aws_access_key_id=A\naws_secret_access_key=S\n", NULL },
	};
	size_t i;

	rig_variable("AWS_PROFILE", "p");
	rig_variable("AWS_SHARED_CREDENTIALS_FILE", "/c");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		rig.nfiles = 0;
		rig_file("/c", rows[i].text);
		rig_get();
		if ((rig.r == 0) != (rows[i].secret != NULL) ||
		    !str_eq(rig.got.secret.ptr, rows[i].secret))
			fail_msg("row %zu: '%s' %s", i, rig.got.secret.ptr ?
			    rig.got.secret.ptr : "", rig.err.text);
	}
}

static void
regions(void **state UNUSED)
{
	struct aws_account listed[2] = {
		{ .id = "111111111111", .region = "cn-north-1" },
		{ .id = "222222222222", .region = "eu-west-1" },
	};

	account_keys(&rig.settings.aws.main, "AKMAIN", "SMAIN");
	rig_variable("AWS_DEFAULT_REGION", "eu-west-3");
	got("AKMAIN", "SMAIN", NULL);
	assert_string_equal(rig.region, "us-east-1");
	rig_variable("AWS_REGION", "eu-west-2");
	got("AKMAIN", "SMAIN", NULL);
	assert_string_equal(rig.region, "eu-west-2");
	rig_variable("AWS_REGION", "evil.example.org/");
	failed(E_CONFIG, "region");

	/* An empty main account beside the one account that can be meant. */
	rig_variable("AWS_REGION", "eu-west-2");
	account_keys(&listed[0], "AKACC", "SACC");
	rig.settings.aws.accounts = listed;
	rig.settings.aws.naccounts = 1;
	got("AKMAIN", "SMAIN", NULL);
	rig.settings.aws.main.access_key_id = NULL;
	got("AKACC", "SACC", NULL);
	assert_string_equal(rig.region, "cn-north-1");
	rig.settings.aws.naccounts = 2;
	failed(E_NOTBUILT, "IMDS");
	rig.settings.aws.naccounts = 1;
	listed[0].region = NULL;
	failed(E_NOTBUILT, "IMDS");
	secret_release(&listed[0].secret_access_key);
	secret_release(&rig.settings.aws.main.secret_access_key);
}

static void
hosts(void **state UNUSED)
{
	static const struct pair rows[] = {
		{ "eu-west-1", "sts.eu-west-1.amazonaws.com" },
		{ "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com" },
		{ "cn-northwest-1", "sts.cn-northwest-1.amazonaws.com.cn" },
		{ "us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov" },
		{ "us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov" },
		{ "eu-isoe-west-1", "sts.eu-isoe-west-1.cloud.adc-e.uk" },
		{ "us-isof-south-1", "sts.us-isof-south-1.csp.hci.ic.gov" },
		{ "eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(aws_sts_host(rig.arena, rows[i].key),
		    rows[i].value);
}

/* The provider as the core calls it. */
static void
provider(void **state UNUSED)
{
	const struct provider_ops *ops = provider_find("aws");
	struct pair meta = { "kubernetes.io/x-k8s-aws-id", "real" };
	struct credential own = CREDENTIAL_INIT, named = CREDENTIAL_INIT;
	struct provider_call call = rig_call();
	void *memory = calloc(1, ops->state_size);

	account_keys(&rig.settings.aws.main, "AKMAIN", "SMAIN");
	assert_int_equal(ops->init(memory, &rig.settings, NULL), 0);
	assert_int_equal(ops->obtain(memory, &call, &own, NULL), PROVIDER_OK);
	assert_int_equal(own.kind, CREDENTIAL_BEARER);
	assert_int_equal(own.expires, RIG_NOW + 14 * 60 * 1000);
	assert_true(credential_token_ok(own.value.ptr, own.value.len));
	assert_true(str_starts(own.value.ptr, "k8s-aws-v1.aHR0cHM6Ly9zdHMu"));

	rig.cluster.metadata = &meta;
	rig.cluster.nmetadata = 1;
	assert_int_equal(ops->obtain(memory, &call, &named, NULL),
	    PROVIDER_OK);
	assert_string_not_equal(own.value.ptr, named.value.ptr);
	credential_release(&named);

	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	assert_int_equal(ops->obtain(memory, &call, &named, &rig.err),
	    PROVIDER_FAILED);
	assert_int_equal(named.kind, CREDENTIAL_NONE);
	credential_release(&own);
	secret_release(&rig.settings.aws.main.secret_access_key);
	free(memory);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(order), TEST(nothing_there), TEST(expired_environment),
		TEST(named_profiles), TEST(file_syntax), TEST(regions),
		TEST(hosts), TEST(provider),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
