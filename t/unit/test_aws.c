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
	assert_string_equal(aws.got.access_key_id, id);
	assert_string_equal(aws.got.secret.ptr, secret);
	assert_true(str_eq(aws.got.session_token.ptr, session));
}

static void
failed(int code, const char *told)
{
	rig_get();
	assert_int_equal(rig.r, code);
	if (strstr(rig.err.text, told) == NULL)
		fail_msg("'%s' does not say '%s'", rig.err.text, told);
	assert_non_null(strstr(rig.err.text, "'eks'"));
	assert_null(aws.got.access_key_id);
	assert_int_equal(aws.got.secret.len, 0);
}

/* It would come from that source, and nobody is there. */
static void
nobody_answers(const char *kinds, const char *told)
{
	rig_get();
	assert_int_equal(rig.r, E_CONNECT);
	assert_string_equal(rig.kinds, kinds);
	if (strstr(rig.err.text, told) == NULL)
		fail_msg("'%s' does not say '%s'", rig.err.text, told);
}

/* What was there before is less than what comes after it in the chain. */
static void
order(void **state UNUSED)
{
	nobody_answers("aws instance, ", "IMDSv2");
	rig_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://[::1]/");
	nobody_answers("aws container, ", "the container's endpoint");
	rig_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
	nobody_answers("aws container, ", "the container's endpoint");
	rig_variable("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/x");
	rig_file("/t", "eyJ.w.i");
	nobody_answers("aws web identity, ", "role/x' with a web identity");
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
	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	nobody_answers("aws role, ", "role/k8s");
	rig.cluster.assume_role = NULL;
	rig.settings.aws.main.role_name = "backstage";
	nobody_answers("aws account, ", "find the account");
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
	assert_int_equal(aws.got.expires, RIG_NOW + 1000);
	rig_variable("AWS_CREDENTIAL_EXPIRATION", "2025-03-14T15:09:26Z");
	failed(E_CONFIG, "have expired");
	assert_null(strstr(rig.err.text, "AKENV"));
}

/* --- Profiles ------------------------------------------------------------ */

#define KEYS(x) "aws_access_key_id = AK" x "\naws_secret_access_key = S" x "\n"

/* A profile that is named must do: nobody else's credentials are tried. */
static void
named_profiles(void **state UNUSED)
{
	static const struct {
		const char *name, *told;
	} bad[] = {
		{ "gone", "there is no AWS profile 'gone'" },
		{ "empty", "has no credentials that work" },
		{ "both", "has no credentials that work" },
		{ "sso", "sso_session" },
		{ "mfa", "mfa_serial" },
		{ "a", "circle" },
		{ "lost", "source_profile 'gone'" },
		{ "place", "credential_source must be" },
		{ "unset", "variables for it are not set" },
		{ "short", "duration_seconds" },
		{ "word", "duration_seconds" },
		{ "name", "role_session_name" },
	};
	size_t i;

	rig_variable("AWS_CONFIG_FILE", "~/conf");
	rig_variable("HOME", "/h");
	rig_file("/h/conf", "[profile empty]\nregion = x\n"
	    "[profile sso]\nsso_session = s\n"
	    "[profile both]\nrole_arn = r\nsource_profile = default\n"
	    "credential_source = Environment\n"
	    "[profile mfa]\nrole_arn = r\nsource_profile = default\n"
	    "mfa_serial = m\n"
	    "[profile a]\nrole_arn = r\nsource_profile = b\n"
	    "[profile b]\nrole_arn = r\nsource_profile = c\n"
	    "[profile c]\nrole_arn = r\nsource_profile = a\n"
	    "[profile lost]\nrole_arn = r\nsource_profile = gone\n"
	    "[profile place]\nrole_arn = r\ncredential_source = Here\n"
	    "[profile unset]\nrole_arn = r\ncredential_source = Environment\n"
	    "[profile short]\nrole_arn = r\nsource_profile = default\n"
	    "duration_seconds = 899\n"
	    "[profile word]\nrole_arn = r\nsource_profile = default\n"
	    "duration_seconds = 1h\n"
	    "[profile name]\nrole_arn = r\nsource_profile = default\n"
	    "role_session_name = a/b\n"
	    "[profile \"quoted\"]\n" KEYS("Q"));
	rig_file("/h/.aws/credentials", KEYS_FILE);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		rig.settings.aws.main.profile = bad[i].name;
		failed(E_CONFIG, bad[i].told);
		assert_int_equal(rig.nasked, 0);
	}
	rig.settings.aws.main.profile = "quoted";
	got("AKQ", "SQ", NULL);
	rig.settings.aws.main.profile = NULL;
	rig_variable("AWS_PROFILE", "gone");
	failed(E_CONFIG, "there is no AWS profile 'gone'");
}

/* --- A cloud ------------------------------------------------------------- */

/* Whoever asks gets ASIA and the how-manieth it was, of the action. */
static int
cloud(const struct rig_asked *rq, struct http_answer *out)
{
	const char *action = strstr(rq->body, "WithWebIdentity") != NULL ?
	    "AssumeRoleWithWebIdentity" : "AssumeRole";

	if (strstr(rq->body, "GetCallerIdentity") != NULL)
		rig_say(out, 200, "<GetCallerIdentityResponse>"
		    "<GetCallerIdentityResult><Arn>arn:aws-cn:sts::"
		    "333333333333:assumed-role/a/b</Arn><Account>333333333333"
		    "</Account></GetCallerIdentityResult>"
		    "</GetCallerIdentityResponse>");
	else
		rig_say(out, 200, arena_printf(rig.arena, "<%sResponse>"
		    "<%sResult><Credentials><AccessKeyId>ASIA%zu</AccessKeyId>"
		    "<SecretAccessKey>S%zu</SecretAccessKey><SessionToken>T%zu"
		    "</SessionToken><Expiration>2025-03-14T16:09:26Z"
		    "</Expiration></Credentials></%sResult></%sResponse>",
		    action, action, rig.nasked, rig.nasked, rig.nasked,
		    action, action));
	return 0;
}

/* The nth request, from 0, was to this host, and its body has that. */
static void
asked(size_t n, const char *url, const char *key, const char *part)
{
	const char *authorization;

	assert_true(n < rig.nasked);
	assert_string_equal(rig.asked[n].url, url);
	if (strstr(rig.asked[n].body, part) == NULL)
		fail_msg("'%s' has no '%s'", rig.asked[n].body, part);
	authorization = rig_header(&rig.asked[n], "Authorization");
	if (key == NULL) {
		assert_null(authorization);
		return;
	}
	assert_non_null(authorization);
	if (strstr(authorization, arena_printf(rig.arena, "Credential=%s/",
	    key)) == NULL)
		fail_msg("'%s' is not of %s", authorization, key);
}

#define ROLE(account, name) "&RoleArn=arn%3Aaws%3Aiam%3A%3A" account \
	"%3Arole%2F" name
#define US "https://sts.us-east-1.amazonaws.com/"
#define CN "https://sts.cn-north-1.amazonaws.com.cn/"

/* Each hop is signed with the credentials of the one before it. */
static void
source_profiles(void **state UNUSED)
{
	rig.cloud = cloud;
	rig_variable("AWS_PROFILE", "three");
	rig_variable("AWS_REGION", "eu-west-2");
	rig_variable("AWS_CONFIG_FILE", "/c");
	rig_file("/c", "[profile three]\nrole_arn = r3\n"
	    "source_profile = two\nregion = eu-west-1\n"
	    "duration_seconds = 900\nexternal_id = a b&c\n"
	    "[profile two]\nrole_arn = r2\nsource_profile = one\n"
	    "[profile one]\nrole_arn = r1\nsource_profile = one\n" KEYS("1"));
	got("ASIA2", "S2", "T2");
	assert_int_equal(aws.got.expires, RIG_NOW + 3600000);
	assert_string_equal(rig.kinds, "aws role, aws role, ");
	asked(0, "https://sts.eu-west-1.amazonaws.com/", "AK1",
	    "&RoleArn=r2&RoleSessionName=aws-sdk-js-1741964966000"
	    "&DurationSeconds=3600");
	asked(1, "https://sts.eu-west-1.amazonaws.com/", "ASIA1",
	    "&RoleArn=r3&RoleSessionName=aws-sdk-js-1741964966000"
	    "&ExternalId=a%20b%26c&DurationSeconds=900");
	assert_string_equal(aws.region, "eu-west-2");
	assert_non_null(strstr(rig.notes, "profile 'one': has static keys"));
	assert_null(strstr(rig.notes, "S1"));
}

static void
endpoints(void **state UNUSED)
{
	rig.cloud = cloud;
	rig_variable("AWS_CONFIG_FILE", "/c");
	rig_file("/c", "[default]\nrole_arn = r\nsource_profile = k\n"
	    "services = here\nendpoint_url = http://profile.test\n"
	    "[services other]\nsts =\n  endpoint_url = http://other.test\n"
	    "[services here]\nsts =\n  endpoint_url = http://service.test/\n"
	    "s3 =\n  endpoint_url = http://s3.test\n"
	    "[profile k]\n" KEYS("K"));
	got("ASIA1", "S1", "T1");
	asked(0, "http://service.test/", "AKK", "RoleArn=r&");
	rig_variable("AWS_ENDPOINT_URL", "https://all.test:443");
	got("ASIA1", "S1", "T1");
	asked(0, "https://all.test:443/", "AKK", "RoleArn=r&");
	rig_variable("AWS_ENDPOINT_URL_STS", "http://sts.test:8080");
	got("ASIA1", "S1", "T1");
	asked(0, "http://sts.test:8080/", "AKK", "RoleArn=r&");
	rig_variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
	got("ASIA1", "S1", "T1");
	asked(0, US, "AKK", "RoleArn=r&");
	rig.settings.cloud.sts_endpoint = "http://settings.test";
	got("ASIA1", "S1", "T1");
	asked(0, "http://settings.test/", "AKK", "RoleArn=r&");
	rig.settings.cloud.sts_endpoint = "http://settings.test/x";
	rig_get();
	assert_int_equal(rig.r, E_CONFIG);
	assert_non_null(strstr(rig.err.text, "the address of STS"));
}

/* --- Backstage's settings ------------------------------------------------ */

/* The role of the account, and the cluster's on top of it. */
static void
accounts(void **state UNUSED)
{
	struct aws_account listed[] = {
		{ .id = "222222222222", .role_name = "backstage",
		  .external_id = "acct-ext", .region = "eu-central-1" },
		{ .id = "444444444444", .role_name = "irsa",
		  .web_identity_token_file = "/t", .region = "cn-north-1" },
		{ .id = "555555555555", .profile = "p" },
		{ .id = "666666666666", .role_name = "own",
		  .partition = "aws-us-gov" },
	};

	rig.cloud = cloud;
	account_keys(&rig.settings.aws.main, "AKMAIN", "SMAIN");
	account_keys(&listed[3], "AKOWN", "SOWN");
	rig.settings.aws.accounts = listed;
	rig.settings.aws.naccounts = ARRAY_LEN(listed);
	rig_variable("AWS_CONFIG_FILE", "/c");
	rig_file("/c", "[profile p]\n" KEYS("P"));
	rig_file("/t", "eyJ.w.i\n");

	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	rig.cluster.external_id = "ext-1";
	got("ASIA2", "S2", "T2");
	asked(0, "https://sts.eu-central-1.amazonaws.com/", "AKMAIN",
	    ROLE("222222222222", "backstage")
	    "&RoleSessionName=backstage&ExternalId=acct-ext");
	asked(1, US, "ASIA1", ROLE("222222222222", "k8s"));
	assert_non_null(strstr(rig.asked[1].body, "&ExternalId=ext-1"));
	assert_null(strstr(rig.asked[0].body, "DurationSeconds"));
	assert_null(strstr(rig.asked[1].body, "DurationSeconds"));

	rig.cluster.assume_role = "arn:aws-cn:iam::444444444444:role/k8s";
	got("ASIA2", "S2", "T2");
	asked(0, CN, NULL, "&RoleArn=arn%3Aaws-cn%3Aiam%3A%3A444444444444"
	    "%3Arole%2Firsa&RoleSessionName=backstage"
	    "&WebIdentityToken=eyJ.w.i");
	rig.cluster.assume_role = "arn:aws:iam::555555555555:role/k8s";
	got("ASIA1", "S1", "T1");
	asked(0, US, "AKP", ROLE("555555555555", "k8s"));
	rig.cluster.assume_role = "arn:aws-us-gov:iam::666666666666:role/k8s";
	got("ASIA2", "S2", "T2");
	asked(0, US, "AKOWN", "&RoleArn=arn%3Aaws-us-gov%3Aiam");

	/* Not listed: the defaults' role, or else the main account. */
	rig.cluster.assume_role = "arn:aws:iam::777777777777:role/k8s";
	got("ASIA1", "S1", "T1");
	asked(0, US, "AKMAIN", ROLE("777777777777", "k8s"));
	assert_int_equal(rig.nasked, 1);
	rig.settings.aws.defaults.role_name = "common";
	got("ASIA2", "S2", "T2");
	asked(0, US, "AKMAIN", ROLE("777777777777", "common"));
	asked(1, US, "ASIA1", ROLE("777777777777", "k8s"));
	rig.cluster.assume_role = "k8s";
	failed(E_CONFIG, "is no ARN");
	secret_release(&listed[3].secret_access_key);
	secret_release(&rig.settings.aws.main.secret_access_key);
}

/* A role of the main account is in the account of whoever we are. */
static void
main_role(void **state UNUSED)
{
	rig.cloud = cloud;
	rig_variable("AWS_ACCESS_KEY_ID", "AKENV");
	rig_variable("AWS_SECRET_ACCESS_KEY", "SENV");
	rig_variable("AWS_REGION", "eu-west-1");
	rig.settings.aws.main.role_name = "backstage";
	rig.settings.aws.main.region = "cn-north-1";
	rig.settings.aws.main.external_id = "x";
	got("ASIA2", "S2", "T2");
	assert_string_equal(rig.kinds, "aws account, aws role, ");
	asked(0, CN, "AKENV", "Action=GetCallerIdentity");
	asked(1, CN, "AKENV", "&RoleArn=arn%3Aaws-cn%3Aiam%3A%3A333333333333"
	    "%3Arole%2Fbackstage&RoleSessionName=backstage&ExternalId=x");
	assert_string_equal(aws.region, "cn-north-1");
	rig.settings.aws.main.partition = "aws";
	rig.settings.aws.main.region = NULL;
	got("ASIA2", "S2", "T2");
	asked(1, "https://sts.eu-west-1.amazonaws.com/", "AKENV",
	    ROLE("333333333333", "backstage"));
	rig.settings.aws.main.web_identity_token_file = "/t";
	rig_get();
	assert_int_equal(rig.r, E_CONFIG);
	assert_non_null(strstr(rig.err.text, "webIdentityTokenFile"));
}

/* Where no profile is named, the environment's region is before the one that
   [default] has, as in the SDKs. */
static void
region_of_the_environment(void **state UNUSED)
{
	rig_variable("HOME", "/h");
	rig_file("/h/.aws/config", "[default]\nregion = us-west-2\n");
	rig_variable("AWS_ROLE_ARN", "arn:aws:iam::222222222222:role/x");
	rig_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
	rig_file("/t", "eyJ.w.i");
	rig_get();
	assert_string_equal(rig.asked[0].url,
	    "https://sts.us-west-2.amazonaws.com/");
	rig_variable("AWS_REGION", "eu-west-1");
	rig_get();
	assert_string_equal(rig.asked[0].url,
	    "https://sts.eu-west-1.amazonaws.com/");
}

/* What goes into a source, that others are not given its value. */
static char seen[4096];

static int
note_inputs(const struct provider_call *call, const struct source *source,
    struct source_value *out, struct err *err)
{
	const char *const *in;

	snprintf(seen, sizeof(seen), "%s", source->kind);
	for (in = source->inputs; *in != NULL; in++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen),
		    "|%s", *in);
	return rig_source(call, source, out, err);
}

static void
inputs(void **state UNUSED)
{
	struct provider_call call = rig_call();
	struct aws_account main = { .id = NULL };

	call.source = note_inputs;
	account_keys(&main, "AKMAIN", "SMAIN");
	rig.settings.aws.main = main;
	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	rig_get_with(&call);
	assert_string_equal(seen, "aws role|role|arn:aws:iam::222222222222:"
	    "role/k8s||||us-east-1||keys|AKMAIN|SMAIN|");
	rig.cluster.external_id = "e";
	rig.settings.cloud.sts_endpoint = "http://x";
	rig_get_with(&call);
	assert_string_equal(seen, "aws role|role|arn:aws:iam::222222222222:"
	    "role/k8s||e||us-east-1|http://x|keys|AKMAIN|SMAIN|");
	secret_release(&rig.settings.aws.main.secret_access_key);
}

/* While a source is being made, the core's word is passed on. */
static int
be_pending(const struct provider_call *call UNUSED,
    const struct source *source UNUSED, struct source_value *out UNUSED,
    struct err *err)
{
	return err_set(err, E_PENDING, "wait");
}

static void
pending(void **state UNUSED)
{
	const struct provider_ops *ops = provider_find("aws");
	struct provider_call call = rig_call();
	struct credential cred = CREDENTIAL_INIT;
	void *memory = calloc(1, ops->state_size);

	call.source = be_pending;
	rig.cluster.assume_role = "arn:aws:iam::222222222222:role/k8s";
	rig_variable("AWS_ACCESS_KEY_ID", "AKENV");
	rig_variable("AWS_SECRET_ACCESS_KEY", "SENV");
	assert_int_equal(ops->init(memory, &rig.settings, NULL), 0);
	assert_int_equal(ops->obtain(memory, &call, &cred, &rig.err),
	    PROVIDER_FAILED);
	assert_int_equal(rig.err.code, E_PENDING);
	assert_string_equal(rig.err.text, "wait");
	free(memory);
}

/* --- Files --------------------------------------------------------------- */

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
		    !str_eq(aws.got.secret.ptr, rows[i].secret))
			fail_msg("row %zu: '%s' %s", i, aws.got.secret.ptr ?
			    aws.got.secret.ptr : "", rig.err.text);
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
	assert_string_equal(aws.region, "us-east-1");
	rig_variable("AWS_REGION", "eu-west-2");
	got("AKMAIN", "SMAIN", NULL);
	assert_string_equal(aws.region, "eu-west-2");
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
	assert_string_equal(aws.region, "cn-north-1");
	rig.settings.aws.naccounts = 2;
	nobody_answers("aws instance, ", "IMDSv2");
	rig.settings.aws.naccounts = 1;
	listed[0].region = NULL;
	nobody_answers("aws instance, ", "IMDSv2");
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

	/* A token dies with the session that signed it. */
	rig.cloud = cloud;
	rig.settings.aws.main.role_name = NULL;
	assert_int_equal(ops->obtain(memory, &call, &named, &rig.err),
	    PROVIDER_OK);
	assert_int_equal(named.expires, RIG_NOW + 14 * 60 * 1000);
	credential_release(&named);
	call.now = RIG_NOW + 3600 * 1000 - 1000;
	assert_int_equal(ops->obtain(memory, &call, &named, &rig.err),
	    PROVIDER_OK);
	assert_int_equal(named.expires, RIG_NOW + 3600 * 1000);
	credential_release(&named);
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
		TEST(named_profiles), TEST(source_profiles), TEST(endpoints),
		TEST(accounts), TEST(main_role),
		TEST(region_of_the_environment), TEST(inputs), TEST(pending),
		TEST(file_syntax), TEST(regions), TEST(hosts), TEST(provider),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
