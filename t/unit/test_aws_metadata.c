/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials from next to us: the container's endpoint, the instance's
 * metadata, a program of the profile's.
 */
#include "base.h"

#include "aws_origin.h"
#include "aws_rig.h"

#define JSON(token, time) "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":" \
	"\"S\",\"" token "\":\"T\",\"Expiration\":\"" time "\"}"
#define ENDS "2025-03-14T16:09:26Z"
#define PAST "2025-03-14T15:09:25Z"

static void
fails(int code, const char *told)
{
	rig_get();
	if (rig.r != code || strstr(rig.err.text, told) == NULL)
		fail_msg("%d '%s' does not say '%s'", rig.r, rig.err.text,
		    told);
	assert_null(strstr(rig.err.text, "topsecret"));
}

static void
works(void)
{
	rig_get();
	if (rig.r != 0)
		fail_msg("%s", rig.err.text);
	assert_string_equal(aws.got.access_key_id, "ASIA");
	assert_string_equal(aws.got.secret.ptr, "S");
}

/* --- Containers ---------------------------------------------------------- */

static int statuses[8];		/* of the answers; the last one stays */
static const char *body;
static int64_t wait_for, skewed;

static int
container(const struct rig_asked *rq UNUSED, struct http_answer *out)
{
	size_t n = SD_MIN(rig.nasked - 1, ARRAY_LEN(statuses) - 1);
	int status;

	while (n > 0 && statuses[n] == 0)
		n--;
	status = statuses[n];
	if (status < 0)
		return status;
	rig_say(out, status, status == 200 ? body : status < 500 ?
	    "{\"Code\":\"AccessDeniedException\",\"Message\":\"not for "
	    "topsecret.token\"}" : "<oops>");
	out->retry_after = wait_for;
	out->skew = skewed;
	return 0;
}

static void
answers(int first, int second, int third)
{
	statuses[0] = first;
	statuses[1] = second;
	statuses[2] = third;
}

static void
containers(void **state UNUSED)
{
	rig.cloud = container;
	answers(200, 0, 0);
	body = JSON("Token", ENDS);
	wait_for = skewed = 0;
	rig_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI",
	    "http://169.254.170.23/v1/credentials?a=1");
	rig_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", "topsecret.token");
	works();
	assert_string_equal(rig.asked[0].url,
	    "http://169.254.170.23/v1/credentials?a=1");
	assert_string_equal(rig_header(&rig.asked[0], "Authorization"),
	    "topsecret.token");
	assert_int_equal(aws.got.expires, RIG_NOW + 3600000);
	skewed = 60000;
	works();
	assert_int_equal(aws.got.expires, RIG_NOW + 3540000);

	/* The file wins over the variable, the path over the URL. */
	rig_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token");
	rig_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x?y");
	fails(E_SYSTEM, "file of the token cannot be read");
	rig_file("/token", "Basic abc\r");
	works();
	assert_string_equal(rig.asked[0].url, "http://169.254.170.2/v2/x?y");
	assert_string_equal(rig_header(&rig.asked[0], "Authorization"),
	    "Basic abc");
	rig_file("/token", "");
	fails(E_CONFIG, "is empty");
	rig_file("/token", "topsecret\nX: y");
	fails(E_CONFIG, "not one line");
	assert_int_equal(rig.nasked, 0);
	rig_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.test/");
	fails(E_CONFIG, "RELATIVE_URI");
	rig_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "");
	rig_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI",
	    "http://192.0.2.1/creds");
	fails(E_CONFIG, "FULL_URI");
	assert_int_equal(rig.nasked, 0);
}

static void
container_trouble(void **state UNUSED)
{
	rig.cloud = container;
	body = JSON("Token", ENDS);
	wait_for = skewed = 0;
	rig_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://c.test/");
	rig_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", "topsecret.token");
	answers(503, E_TIMEOUT, 200);
	works();
	assert_int_equal(rig.nasked, 3);
	assert_int_equal(rig_slept(), 2000);
	answers(503, 0, 0);
	fails(E_BUSY, "container's endpoint of credentials answered 503");
	assert_int_equal(rig.nasked, 3);
	wait_for = 60000;
	fails(E_BUSY, "503");
	assert_int_equal(rig.nasked, 1);
	answers(403, 0, 0);
	wait_for = 0;
	fails(E_DENIED, "403 AccessDeniedException: not for ***");
	assert_int_equal(rig.nasked, 1);
	answers(302, 0, 0);
	fails(E_DENIED, "302");
	answers(200, 0, 0);
	body = JSON("Token", PAST);
	fails(E_PROTOCOL, "expired already");
	body = JSON("SessionToken", ENDS);
	fails(E_PROTOCOL, "without a Token");
	body = "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"topsecret\","
	    "\"Token\":\"T\"}";
	fails(E_PROTOCOL, "without a Token or an Expiration");
	body = "[]";
	fails(E_PROTOCOL, "without a Token");
	body = JSON("Token", ENDS) "x";
	fails(E_PROTOCOL, "no JSON");
}

static void
container_hosts(void **state UNUSED)
{
	static const struct {
		const char *url;
		bool ok;
	} rows[] = {
		{ "http://127.0.0.1/x", true },
		{ "http://127.255.1.2:80", true },
		{ "http://localhost:1/", true }, { "http://[::1]:1/", true },
		{ "http://169.254.170.2?x", true },
		{ "http://169.254.170.23/", true },
		{ "http://[fd00:ec2::23]/", true },
		{ "https://any.test/x?y", true }, { "HTTP://LOCALHOST", true },
		{ "http://192.0.2.1/", false },
		{ "http://127.0.0.1.x/", false },
		{ "http://127.0.0/", false }, { "http://127.0.0.256/", false },
		{ "http://128.0.0.1/", false }, { "http://localhostx", false },
		{ "http://[::2]/", false }, { "http://169.254.169.254", false },
		{ "http://127.0.0.1@evil.test/", false },
		{ "http://localhost\\@evil.test/", false },
		{ "https://a@b/", false }, { "https:///x", false },
		{ "ftp://127.0.0.1/", false }, { "127.0.0.1", false },
		{ "", false }, { "http://", false },
		{ "http://127.0.0.1/#@x", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (aws_container_url_ok(rows[i].url) != rows[i].ok)
			fail_msg("row %zu: %s", i, rows[i].url);
}

/* --- Instances ----------------------------------------------------------- */

static struct {
	int status;
	const char *body;
} parts[3];			/* the token, the roles, the credentials */

static int
instance(const struct rig_asked *rq, struct http_answer *out)
{
	size_t n = strcmp(rq->method, "PUT") == 0 ? 0 :
	    strcmp(rig_path(rq), "/latest/meta-data/iam/"
	    "security-credentials/") == 0 ? 1 : 2;

	if (parts[n].status < 0)
		return parts[n].status;
	rig_say(out, parts[n].status, parts[n].body);
	return 0;
}

static void
well(void)
{
	parts[0].status = parts[1].status = parts[2].status = 200;
	parts[0].body = "topsecret==";
	parts[1].body = "my-role\nother";
	parts[2].body = JSON("Token", ENDS);
}

static void
instances(void **state UNUSED)
{
	rig.cloud = instance;
	well();
	works();
	assert_int_equal(rig.nasked, 3);
	assert_string_equal(rig.asked[0].url,
	    "http://169.254.169.254/latest/api/token");
	assert_string_equal(rig.asked[0].headers,
	    "x-aws-ec2-metadata-token-ttl-seconds: 21600\n");
	assert_string_equal(rig_path(&rig.asked[2]),
	    "/latest/meta-data/iam/security-credentials/my-role");
	assert_string_equal(rig.asked[1].headers,
	    "x-aws-ec2-metadata-token: topsecret==\n");
	assert_string_equal(rig.asked[2].headers, rig.asked[1].headers);

	rig_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6");
	works();
	assert_true(str_starts(rig.asked[0].url, "http://[fd00:ec2::254]/l"));
	rig_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://i.test:1/");
	works();
	assert_true(str_starts(rig.asked[0].url, "http://i.test:1/latest/"));
	rig_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://a@b");
	fails(E_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	rig_variable("AWS_EC2_METADATA_DISABLED", "false");
	fails(E_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	rig_variable("AWS_EC2_METADATA_DISABLED", "1");
	fails(E_CONFIG, "metadata are off");
}

/* Never version 1, whatever the answer to the PUT. */
static void
instance_trouble(void **state UNUSED)
{
	static const int refused[] = { 400, 403, 404, 405, 302 };
	size_t i;

	rig.cloud = instance;
	for (i = 0; i < ARRAY_LEN(refused); i++) {
		well();
		parts[0].status = refused[i];
		fails(E_DENIED, arena_printf(rig.arena, "IMDSv2) answered %d",
		    refused[i]));
		assert_int_equal(rig.nasked, 1);
		assert_non_null(strstr(rig.err.text,
		    "no AWS credentials in aws.mainAccount"));
	}
	well();
	parts[0].status = E_TIMEOUT;
	fails(E_TIMEOUT, "IMDSv2) cannot be asked");
	assert_int_equal(rig.nasked, 1);
	parts[0].status = 503;
	fails(E_BUSY, "503");
	assert_int_equal(rig.nasked, 3);
	well();
	parts[0].body = "two lines\n";
	fails(E_PROTOCOL, "gave no token");
	well();
	parts[1].status = 404;
	fails(E_DENIED, "404");
	well();
	parts[1].body = "../../user-data";
	fails(E_DENIED, "names no role");
	parts[1].body = "";
	fails(E_DENIED, "names no role");
	well();
	parts[2].body = "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}";
	fails(E_PROTOCOL, "'AssumeRoleUnauthorizedAccess' in place of");
	parts[2].body = JSON("Token", "then");
	fails(E_PROTOCOL, "is no time");
}

/* Old credentials are better than none, here, and only here. */
static void
static_stability(void **state UNUSED)
{
	rig.cloud = instance;
	well();
	parts[2].body = JSON("Token", PAST);
	works();
	assert_in_range(aws.got.expires, RIG_NOW + 5 * 60 * 1000,
	    RIG_NOW + 10 * 60 * 1000);
	assert_non_null(strstr(rig.notes, "have expired"));
}

/* --- Programs ------------------------------------------------------------ */

static struct {
	char args[512], env[2048];
	int r, status;
	const char *output, *errors;
} program;

static int
run_program(const struct provider_call *call UNUSED, const struct process *p,
    struct process_result *out, struct err *err)
{
	const char *const *s;

	*out = (struct process_result)PROCESS_RESULT_INIT;
	program.args[0] = program.env[0] = '\0';
	for (s = p->argv; *s != NULL; s++)
		snprintf(program.args + strlen(program.args),
		    sizeof(program.args) - strlen(program.args), "[%s]", *s);
	for (s = p->env; *s != NULL; s++)
		snprintf(program.env + strlen(program.env),
		    sizeof(program.env) - strlen(program.env), "[%s]", *s);
	if (program.r != 0)
		return err_set(err, program.r, "no /path/to/it");
	out->status = program.status;
	secret_set(&out->output, program.output, strlen(program.output));
	snprintf(out->errors, sizeof(out->errors), "%s", program.errors);
	return 0;
}

static void
run_profile(const char *command)
{
	struct provider_call call = rig_call();

	call.run = run_program;
	rig.nfiles = 0;
	rig_file("/c", arena_printf(rig.arena, "[profile p]\n"
	    "credential_process = %s\n", command));
	rig_get_with(&call);
}

static void
programs(void **state UNUSED)
{
	static const struct pair rows[] = {
		{ "/bin/x", "[/bin/x]" },
		{ "x  a\tb", "[x][a][b]" },
		{ "x 'a b' \"c 'd' \\\"e\\x\" f\\ g", "[x][a b][c 'd' \"e\\x]"
		    "[f g]" },
		{ "x '' \"\"", "[x][][]" },
		{ "x a'b'\"c\"d", "[x][abcd]" },
		{ "x $(y) `z` | w > $HOME; !", "[x][$(y)][`z`][|][w][>]"
		    "[$HOME;][!]" },
	};
	size_t i;

	rig_variable("AWS_PROFILE", "p");
	rig_variable("AWS_CONFIG_FILE", "/c");
	rig_variable("PATH", "/bin");
	rig_variable("BACKSTAGE_TOKEN", "topsecret");
	program.output = "{\"Version\":1,\"AccessKeyId\":\"ASIA\","
	    "\"SecretAccessKey\":\"S\"}";
	program.errors = "";
	program.r = program.status = 0;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		run_profile(rows[i].key);
		assert_int_equal(rig.r, 0);
		assert_string_equal(program.args, rows[i].value);
	}
	assert_string_equal(aws.got.secret.ptr, "S");
	assert_int_equal(aws.got.session_token.len, 0);
	assert_int_equal(aws.got.expires, 0);
	assert_string_equal(program.env,
	    "[PATH=/bin][AWS_PROFILE=p][AWS_CONFIG_FILE=/c]");
	run_profile("x 'y");
	assert_int_equal(rig.r, E_CONFIG);
	assert_non_null(strstr(rig.err.text, "quote that is not closed"));
}

static void
process_fails(int code, const char *told)
{
	run_profile("x");
	if (rig.r != code || strstr(rig.err.text, told) == NULL)
		fail_msg("%d '%s' does not say '%s'", rig.r, rig.err.text,
		    told);
	assert_non_null(strstr(rig.err.text, "credential_process of the AWS "
	    "profile 'p'"));
	assert_null(strstr(rig.err.text, "/path"));
	assert_null(strstr(rig.err.text, "AKIA"));
}

static void
program_trouble(void **state UNUSED)
{
	rig_variable("AWS_PROFILE", "p");
	rig_variable("AWS_CONFIG_FILE", "/c");
	program.r = E_NOTFOUND;
	process_fails(E_NOTFOUND, "is not there");
	program.r = E_TIMEOUT;
	process_fails(E_TIMEOUT, "took too long");
	program.r = 0;
	program.status = 3;
	program.output = "";
	program.errors = "sign in again wJalrXUtnFEMIK7MDENGbPxRfiCY";
	process_fails(E_SYSTEM, "exit code 3: sign in again ***");
	program.status = 0;
	process_fails(E_PROTOCOL, "no JSON");
	program.output = "{\"Version\":\"1\",\"AccessKeyId\":\"AKIA\","
	    "\"SecretAccessKey\":\"S\"}";
	process_fails(E_PROTOCOL, "Version is not the number 1");
	program.output = "{\"Version\":1,\"AccessKeyId\":\"AKIA\"}";
	process_fails(E_PROTOCOL, "no credentials");
	program.output = "{\"Version\":1,\"AccessKeyId\":\"AKIA\","
	    "\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\\n\"}";
	process_fails(E_PROTOCOL, "cannot be right");
	program.output = "{\"Version\":1,\"AccessKeyId\":\"AKIA\","
	    "\"SecretAccessKey\":\"S\",\"Expiration\":\"" PAST "\"}";
	process_fails(E_PROTOCOL, "expired already");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(containers), TEST(container_trouble),
		TEST(container_hosts), TEST(instances),
		TEST(instance_trouble), TEST(static_stability),
		TEST(programs), TEST(program_trouble),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
