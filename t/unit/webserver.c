/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates by the openssl command, nginx as a child. */
#include "base.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "server.h"
#include "strbuf.h"
#include "webserver.h"

static const char certificates[] =
    "set -e; cd \"$0\"; exec >openssl.log 2>&1\n"
    "key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
    "ca() { openssl req -x509 $key -keyout $1.key -out $1.pem -days 2 \\\n"
    "    -subj /CN=$1; }\n"
    "leaf() { openssl req -new $key -keyout $1.key -out $1.csr \\\n"
    "    -subj /CN=$1; printf 'subjectAltName=%s\\n' $2 >ext; \\\n"
    "    openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key \\\n"
    "    -CAcreateserial -days $3 -out $1.pem -extfile ext; }\n"
    "ca ca; ca other-ca\n"
    "leaf server IP:127.0.0.1 2; leaf other-name DNS:other.example 2\n"
    "leaf expired IP:127.0.0.1 -1\n"
    "leaf alice DNS:alice 2; leaf bob DNS:bob 2\n";

static const char configuration[] =
    "daemon off; pid %s/pid; error_log %s/error.log; worker_processes 1;\n"
    "events { worker_connections 512; }\n"
    "http { access_log off; client_body_temp_path %s/t1;\n"
    "proxy_temp_path %s/t2; fastcgi_temp_path %s/t3;\n"
    "uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
    "map $http_authorization $who { '' -; default $http_authorization; }\n"
    "map $ssl_client_s_dn $dn { '' -; default $ssl_client_s_dn; }\n"
    "ssl_client_certificate %s/ca.pem; ssl_verify_client optional;\n";

static const char location[] =
    "location / { return 200 '$connection $server_protocol $who $dn'; } }\n";

static int
run_shell(const char *script, const char *dir)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", script, dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool
have_tools(void)
{
	if (run_shell("PATH=$PATH:/usr/sbin:/sbin; command -v nginx openssl "
	    ">/dev/null", "sh") == 0)
		return true;
	if (str_eq(getenv("CI"), "true"))
		BUG("nginx or openssl is missing");
	return false;
}

static void
add_server(struct strbuf *conf, const struct webserver *w, const char *cert,
    const char *more, char url[64])
{
	int port = server_free_port();

	strbuf_addf(conf, "server { listen 127.0.0.1:%d %s;\n", port, more);
	if (cert != NULL)
		strbuf_addf(conf, "ssl_certificate %s/%s.pem;\n"
		    "ssl_certificate_key %s/%s.key;\n", w->dir, cert, w->dir,
		    cert);
	strbuf_addstr(conf, location);
	snprintf(url, 64, "https://127.0.0.1:%d", port);
}

static void
write_configuration(struct webserver *w)
{
	struct strbuf conf = STRBUF_INIT(65536);
	const char *d = w->dir;
	char path[128];
	FILE *f;

	strbuf_addf(&conf, configuration, d, d, d, d, d, d, d, d);
	add_server(&conf, w, "server", "ssl http2", w->http2);
	add_server(&conf, w, "server", "ssl", w->http1);
	add_server(&conf, w, "server", "ssl http2; keepalive_requests 5",
	    w->goodbye);
	add_server(&conf, w, "other-name", "ssl", w->other_name);
	add_server(&conf, w, "expired", "ssl", w->expired);
	add_server(&conf, w, NULL, "", w->plain);
	strbuf_addstr(&conf, "}\n");
	snprintf(path, sizeof(path), "%s/nginx.conf", w->dir);
	if ((f = fopen(path, "w")) == NULL ||
	    fwrite(conf.buf, 1, conf.len, f) != conf.len || fclose(f) != 0)
		BUG("cannot write '%s'", path);
	strbuf_release(&conf);
}

/* Does somebody listen at the url's port? */
static bool
answers(const char *url)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	sin.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL,
	    10));
	ok = connect(fd, (void *)&sin, sizeof(sin)) == 0;
	close(fd);
	return ok;
}

static void
spawn(struct webserver *w)
{
	char conf[128], log[128];
	int fd, i;

	snprintf(conf, sizeof(conf), "%s/nginx.conf", w->dir);
	snprintf(log, sizeof(log), "%s/output", w->dir);
	w->pid = fork();
	if (w->pid == 0) {
		fd = open(log, O_WRONLY | O_CREAT, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
		    "/usr/bin:/sbin:/bin", 1);
		execlp("nginx", "nginx", "-p", w->dir, "-c", conf,
		    (char *)NULL);
		_exit(127);
	}
	for (i = 0; i < 500 && !answers(w->plain); i++)
		usleep(10000);
	if (i == 500)
		BUG("nginx did not start, see '%s'", log);
}

bool
webserver_start(struct webserver *w)
{
	memset(w, 0, sizeof(*w));
	if (!have_tools())
		return false;
	snprintf(w->dir, sizeof(w->dir), "%.40s/stagedoor-XXXXXX",
	    getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(w->dir) == NULL)
		BUG("mkdtemp: %s", strerror(errno));
	if (run_shell(certificates, w->dir) != 0)
		BUG("no certificates, see '%s/openssl.log'", w->dir);
	write_configuration(w);
	spawn(w);
	return true;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

void
webserver_stop(struct webserver *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGTERM);
		waitpid(w->pid, NULL, 0);
	}
	if (w->dir[0] != '\0')
		nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *
webserver_file(const struct webserver *w, const char *name)
{
	char path[128], *text = xcalloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	if ((f = fopen(path, "r")) == NULL ||
	    fread(text, 1, 65535, f) == 0)
		BUG("cannot read '%s'", path);
	fclose(f);
	return text;
}
