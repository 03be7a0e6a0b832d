/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stagedoor credential: an ExecCredential on standard output, for kubectl
 * (Kubernetes, "client-go credential plugins"). What kubectl could not carry
 * along or hold to is not given out.
 */
#include "base.h"

#include "clock.h"
#include "cmd.h"
#include "cmd_user.h"
#include "ending.h"
#include "err.h"
#include "exec_print.h"
#include "explain.h"
#include "harden.h"
#include "obtain.h"

static const char usage[] =
    "usage: stagedoor credential [-c FILE]... --user USER --cluster NAME\n"
    "                            [--groups GROUP,...] [--email ADDRESS]\n"
    "\n"
    "Prints the credential that USER has on the cluster as an ExecCredential,\n"
    "so that kubectl on this machine can use it: name it under `exec` of a\n"
    "user in a kubeconfig. USER is an entity ref or a name, as in\n"
    "STAGEDOOR_USER; '' is the guest. There is none for clusters with\n"
    "`impersonate` or `readOnly` (kubectl would not hold to it), and where\n"
    "users bring their own tokens, other than to `signIn` with Stagedoor.\n"
    "Exit code 1: there is none; 2: the settings or the options are wrong.\n"
    "Without -c: $STAGEDOOR_CONFIG, else\n"
    SYSCONFDIR "/stagedoor/stagedoor.conf.\n";

/* ---- what is not given out ---- */

static int
refuse(const struct cmd_user *cu, const char *why, struct err *err)
{
	return err_set(err, E_DENIED, "no credential for cluster '%s': %s",
	    cu->cluster->name, why);
}

static int
check_cluster(const struct cmd_user *cu, struct err *err)
{
	const struct cluster *c = cu->cluster;

	if (!identity_may_use(&cu->req.who, c))
		return refuse(cu, "this user may not use it", err);
	if (c->impersonate.on)
		return refuse(cu, "it has `impersonate`, and kubectl would "
		    "act as the server and not for the user", err);
	if (c->read_only)
		return refuse(cu, "it is `readOnly`, and kubectl would not "
		    "hold to that", err);
	return 0;
}

static int
check_kind(const struct cmd_user *cu, const struct credential *cred,
    struct err *err)
{
	if (cred->kind == CREDENTIAL_BEARER ||
	    cred->kind == CREDENTIAL_CERTIFICATE)
		return 0;
	return refuse(cu, "requests to it go out without any", err);
}

static int
give(const struct cmd_user *cu, const char *version, struct err *err)
{
	struct source_asker asker = { .rt = cu->rt, .blocking = true,
	    .deadline = clock_mono_ms() + EXPLAIN_SOURCES_MS };
	struct access access = ACCESS_INIT;
	int r;

	if (obtain_blocking(&cu->req, cu->cluster, &asker, &access, err) !=
	    PROVIDER_OK)
		return err->code;
	if ((r = check_kind(cu, &access.cred, err)) == 0) {
		if (isatty(STDOUT_FILENO))
			fputs("stagedoor: this is a secret: whoever sees it "
			    "can use it\n", stderr);
		r = exec_print(&access.cred, version, err);
	}
	access_release(&access);
	return r;
}

static int
run(const struct cmd_user *cu)
{
	struct err err = ERR_INIT;
	const char *version;

	if (exec_print_version(&version, &err) == 0 &&
	    check_cluster(cu, &err) == 0 && give(cu, version, &err) == 0)
		return 0;
	fprintf(stderr, "stagedoor: %s%s%s\n", err.text, err.detail[0] != '\0'
	    ? ": " : "", err.detail);
	return 1;
}

int
cmd_credential(int argc, char **argv)
{
	struct cmd_user cu = { .usage = usage };
	int code = cmd_user_options(&cu, argc, argv) - 1;

	if (code < 0 && cu.cluster_name == NULL) {
		fprintf(stderr, "stagedoor: --cluster is missing\n%s", usage);
		code = 2;
	}
	if (code < 0) {
		harden();
		ending_catch();
		code = cmd_user_open(&cu);
		if (code == 0)
			code = run(&cu);
	}
	cmd_user_close(&cu);
	return code;
}
