
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The supervisor's side of the secrets.
 *
 * A file is taken when it has looked the same for half a second: it may be
 * under way.  A look that led to nothing good is not repeated before the file
 * changes once more.
 */


#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <sys/wait.h>

#include "fwd_keeper.h"
#include "fwd_loop.h"
#include "fwd_vault.h"
#include "fwd_vault_private.h"


#define FWD_KEEPER_LOOK_MS   250
#define FWD_KEEPER_SETTLE_MS  500
#define FWD_KEEPER_AGAIN_MS  1000
#define FWD_KEEPER_AGAIN_MAX  30000


static void fwd_keeper_values(json_t *known, const fwd_vault_conf_t *vault);
static void fwd_keeper_put(json_t *to, const char *name, json_t *value);
static int fwd_keeper_files(fwd_keeper_t *k, const fwd_config_t *conf,
    uint64_t now_ms);
static void fwd_keeper_start(fwd_keeper_t *k, const fwd_config_t *conf,
    uint64_t now_ms);
static int fwd_keeper_child(const fwd_config_t *conf, pid_t parent, int fd);
static int fwd_keeper_read(fwd_keeper_t *k);
static void fwd_keeper_stop(fwd_keeper_t *k);
static void fwd_keeper_wipe(fwd_buf_t *text);


void
fwd_keeper_init(fwd_keeper_t *k)
{
    memset(k, 0, sizeof(fwd_keeper_t));

    k->fd = -1;
    k->again_ms = FWD_KEEPER_AGAIN_MS;
    k->open = 1;
    fwd_buf_init(&k->text, FWD_VAULT_MESSAGE_MAX + FWD_VAULT_LENGTH);
}


void
fwd_keeper_close(fwd_keeper_t *k)
{
    if (k->open) {
        fwd_keeper_stop(k);
        fwd_keeper_forget(k);
    }
}


void
fwd_keeper_forget(fwd_keeper_t *k)
{
    if (k->known != NULL) {
        OPENSSL_cleanse(k->known, strlen(k->known));
        free(k->known);
        k->known = NULL;
    }
}


/*
 * The role may be good for few logins, or one: the token that we have is tried
 * first.  With the values a reload does without Vault, which may be away.
 */

void
fwd_keeper_recall(fwd_keeper_t *k, const fwd_config_t *conf, int values)
{
    json_t                  *known;
    const fwd_vault_conf_t  *vault;

    fwd_keeper_forget(k);
    vault = conf->secrets.vault;

    if (vault == NULL) {
        return;
    }

    known = fwd_vault_parse("{}", 2);

    if (vault->role_id != NULL && vault->token != NULL) {
        fwd_keeper_put(known, "token", json_string(vault->token));
        fwd_keeper_put(known, "role", json_string(vault->role_id));
        fwd_keeper_put(known, "address", json_string(vault->address));
    }

    if (values) {
        fwd_keeper_values(known, vault);
    }

    k->known = json_dumps(known, JSON_COMPACT);
    fwd_vault_parsed(known);
}


static void
fwd_keeper_values(json_t *known, const fwd_vault_conf_t *vault)
{
    size_t       i;
    json_t      *values, *leases;
    const char  *path;

    values = json_object();
    leases = json_object();

    for (i = 0; i < vault->paths.count; i++) {
        path = vault->paths.list[i];

        if (vault->values[i] != NULL) {
            fwd_keeper_put(values, path, json_loads(vault->values[i], 0,
                                                    NULL));
        }

        if (vault->leases[i] != NULL) {
            fwd_keeper_put(leases, path, json_string(vault->leases[i]));
        }
    }

    fwd_keeper_put(known, "values", values);
    fwd_keeper_put(known, "leases", leases);
}


static void
fwd_keeper_put(json_t *to, const char *name, json_t *value)
{
    (void) json_object_set_new(to, name, value);
}


void
fwd_keeper_follow(fwd_keeper_t *k, const fwd_config_t *conf)
{
    k->seen = fwd_secret_seen(&conf->secrets);
    k->last = k->seen;
    k->start_ms = 0;

    /* the one before is at work for a configuration that is gone */

    fwd_keeper_stop(k);
}


const char *
fwd_keeper_look(fwd_keeper_t *k, const fwd_config_t *conf, uint64_t now_ms)
{
    const char  *what;

    what = NULL;

    if (conf->secrets.vault != NULL
        && conf->secrets.vault->paths.count != 0)
    {
        if (k->pid == 0 && now_ms >= k->start_ms) {
            fwd_keeper_start(k, conf, now_ms);
        }

        if (k->pid != 0 && fwd_keeper_read(k)) {
            what = "vault";
        }
    }

    if (now_ms >= k->look_ms) {
        k->look_ms = now_ms + FWD_KEEPER_LOOK_MS;

        if (fwd_keeper_files(k, conf, now_ms)) {
            what = "file";
        }
    }

    return what;
}


static int
fwd_keeper_files(fwd_keeper_t *k, const fwd_config_t *conf, uint64_t now_ms)
{
    uint64_t  now;

    now = fwd_secret_look(&conf->secrets);

    if (now != k->last) {
        k->last = now;
        k->last_ms = now_ms;
        return 0;
    }

    if (now == k->seen || now_ms < k->last_ms + FWD_KEEPER_SETTLE_MS) {
        return 0;
    }

    k->seen = now;

    return 1;
}


static void
fwd_keeper_start(fwd_keeper_t *k, const fwd_config_t *conf, uint64_t now_ms)
{
    int    fds[2];
    pid_t  pid, parent;

    k->start_ms = now_ms + k->again_ms;
    k->again_ms = k->again_ms * 2 < FWD_KEEPER_AGAIN_MAX
                  ? k->again_ms * 2 : FWD_KEEPER_AGAIN_MAX;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return;
    }

    parent = getpid();
    pid = fork();

    if (pid == 0) {
        _exit(fwd_keeper_child(conf, parent, fds[1]));
    }

    (void) close(fds[1]);

    if (pid == -1) {
        (void) close(fds[0]);
        return;
    }

    (void) fcntl(fds[0], F_SETFL, O_NONBLOCK);

    k->pid = pid;
    k->fd = fds[0];
}


static int
fwd_keeper_child(const fwd_config_t *conf, pid_t parent, int fd)
{
    sigset_t    none;
    fwd_log_t  *log;

    /* the file descriptors that are kept are the first three */

    if (dup2(fd, STDOUT_FILENO) == -1
        || fwd_loop_detach(parent, SIGKILL) != FWD_OK)
    {
        return FWD_EXIT_OK;
    }

    (void) signal(SIGINT, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
    (void) sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    log = fwd_log_create(STDERR_FILENO, (fwd_log_level_t) conf->log_level);

    if (log == NULL) {
        return FWD_EXIT_FAILED;
    }

    fwd_vault_serve(conf->secrets.vault, STDOUT_FILENO, 1, log);
    fwd_log_destroy(log);

    return FWD_EXIT_OK;
}


/* 1 if there is something new. */

static int
fwd_keeper_read(fwd_keeper_t *k)
{
    int          news, status;
    char         buf[4096];
    size_t       len;
    ssize_t      n;
    const char  *message;

    news = 0;

    do {
        n = read(k->fd, buf, sizeof(buf));

        if (n > 0) {
            fwd_buf_add(&k->text, buf, (size_t) n);
        }

    } while (n > 0);

    OPENSSL_cleanse(buf, sizeof(buf));

    for ( ;; ) {
        message = fwd_vault_message(&k->text);

        if (message == NULL) {
            break;
        }

        len = strtoul((const char *) k->text.data, NULL, 16);

        fwd_keeper_forget(k);
        k->known = strndup(message, len);
        k->again_ms = FWD_KEEPER_AGAIN_MS;
        news = 1;

        len += FWD_VAULT_LENGTH;
        memmove(k->text.data, k->text.data + len, k->text.len - len);
        OPENSSL_cleanse(k->text.data + k->text.len - len, len);
        k->text.len -= len;
    }

    if (waitpid(k->pid, &status, WNOHANG) == k->pid) {
        k->pid = 0;
        fwd_keeper_stop(k);
    }

    return news;
}


static void
fwd_keeper_stop(fwd_keeper_t *k)
{
    int  status;

    if (k->pid != 0) {
        (void) kill(k->pid, SIGKILL);
        (void) waitpid(k->pid, &status, 0);
        k->pid = 0;
    }

    if (k->fd != -1) {
        (void) close(k->fd);
        k->fd = -1;
    }

    fwd_keeper_wipe(&k->text);
}


static void
fwd_keeper_wipe(fwd_buf_t *text)
{
    if (text->data != NULL) {
        OPENSSL_cleanse(text->data, text->len);
    }

    fwd_buf_free(text);
}
