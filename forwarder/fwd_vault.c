
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Section vault: its keys, what the file asks of it, and the values.
 */


#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <sys/wait.h>

#include "fwd_config_private.h"
#include "fwd_loop.h"
#include "fwd_vault.h"
#include "fwd_vault_private.h"


#define FWD_VAULT_WAIT_MS  10000         /* for all secrets of a file */


typedef struct {
    fwd_vault_conf_t      conf;
    const char           *token;         /* references */
    const char           *role_id;
    const char           *secret_id;
} fwd_vault_raw_t;


static void fwd_vault_login_keys(fwd_yaml_t *y, fwd_vault_raw_t *raw);
static const char *fwd_vault_secret(fwd_yaml_t *y, const char *key,
    const char *reference);
static void fwd_vault_wanted(fwd_yaml_t *y, fwd_vault_conf_t *vault);
static void fwd_vault_wanted_path(fwd_yaml_t *y, fwd_vault_conf_t *vault,
    const char *reference);
static int fwd_vault_is_ours(const fwd_vault_conf_t *vault,
    const json_t *root);
static fwd_rc_t fwd_vault_learn(fwd_vault_conf_t *vault, const char *text,
    fwd_pool_t *pool);
static void fwd_vault_fetch(fwd_vault_conf_t *vault, fwd_pool_t *pool);
static void fwd_vault_wait(fwd_buf_t *text, int fd);
static int fwd_vault_address_valid(const char *text);


static const char *const  fwd_vault_versions[] = { "1", "2", NULL };


static const fwd_field_t  fwd_vault_fields[] = {
    { .name = "address", .kind = FWD_FIELD_STRING, .required = 1,
      .offset = offsetof(fwd_vault_raw_t, conf.address),
      .valid = fwd_vault_address_valid, .min = "1", .max = "1024",
      .allowed = "an http:// or https:// URL with a host" },
    { .name = "token", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_vault_raw_t, token) },
    { .name = "role_id", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_vault_raw_t, role_id) },
    { .name = "secret_id", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_vault_raw_t, secret_id) },
    { .name = "approle", .kind = FWD_FIELD_STRING, .dflt = "approle",
      .offset = offsetof(fwd_vault_raw_t, conf.approle),
      .min = "1", .max = "128" },
    { .name = "namespace", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_vault_raw_t, conf.namespace),
      .min = "1", .max = "256" },
    { .name = "ca", .kind = FWD_FIELD_STRING,
      .offset = offsetof(fwd_vault_raw_t, conf.ca),
      .min = "1", .max = "4096" },
    { .name = "kv", .kind = FWD_FIELD_WORD, .dflt = "2",
      .offset = offsetof(fwd_vault_raw_t, conf.kv),
      .words = fwd_vault_versions },
    { .name = "refresh", .kind = FWD_FIELD_TIME, .dflt = "30s",
      .offset = offsetof(fwd_vault_raw_t, conf.refresh_ms),
      .min = "1s", .max = "1d" },
    { .name = "timeout", .kind = FWD_FIELD_TIME, .dflt = "5s",
      .offset = offsetof(fwd_vault_raw_t, conf.timeout_ms),
      .min = "100ms", .max = "30s" },
    { .name = NULL }
};


int
fwd_vault_reference_valid(const char *reference)
{
    size_t       len;
    const char  *hash, *p;

    if (strncmp(reference, "vault:", 6) != 0) {
        return 0;
    }

    reference += 6;
    hash = strchr(reference, '#');

    if (hash == NULL || hash[1] == '\0' || strlen(hash) > 128) {
        return 0;
    }

    len = (size_t) (hash - reference);
    p = memchr(reference, '/', len);

    /* it becomes a part of a URL as it is */

    return p != NULL && p > reference && p + 1 < hash && len <= 512
           && hash[-1] != '/' && strstr(reference, "..") == NULL
           && strspn(reference, "abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == len;
}


fwd_rc_t
fwd_vault_value(const char **value, const char *reference,
    const fwd_vault_conf_t *vault, fwd_pool_t *pool, fwd_error_t *err)
{
    size_t       i, len;
    json_t      *fields, *field;
    fwd_rc_t     rc;
    const char  *name;

    if (vault == NULL) {
        return fwd_error(err, "is \"%s\", but there is no section \"vault\"",
                         reference);
    }

    name = strchr(reference, '#') + 1;
    reference += 6;
    len = strcspn(reference, "#");

    for (i = 0; i < vault->paths.count; i++) {
        if (strlen(vault->paths.list[i]) == len
            && memcmp(vault->paths.list[i], reference, len) == 0)
        {
            break;
        }
    }

    if (i == vault->paths.count || vault->values[i] == NULL) {
        return fwd_error(err, "is \"vault:%s\", which cannot be read%s%s",
                         reference, vault->error ? ": " : "",
                         vault->error ? vault->error : "");
    }

    fields = fwd_vault_parse(vault->values[i], strlen(vault->values[i]));
    field = json_object_get(fields, name);

    if (!json_is_string(field) || json_string_length(field) == 0
        || json_string_length(field) > FWD_SECRET_SIZE_MAX
        || strlen(json_string_value(field)) != json_string_length(field))
    {
        rc = fwd_error(err, "is \"vault:%s\", which has no such field, or "
                       "not a text of 1 to %d bytes", reference,
                       FWD_SECRET_SIZE_MAX);

    } else {
        *value = fwd_pool_string(pool, json_string_value(field),
                                 json_string_length(field));
        rc = FWD_OK;
    }

    fwd_vault_parsed(fields);

    return rc;
}


void
fwd_vault_config(fwd_yaml_t *y, yaml_node_t *node, const char *known)
{
    size_t             errors;
    fwd_vault_raw_t   *raw;
    fwd_vault_conf_t  *vault;

    if (node == NULL) {
        return;
    }

    errors = y->report->count;
    raw = fwd_pool_alloc(y->pool, sizeof(fwd_vault_raw_t));
    vault = &raw->conf;

    fwd_yaml_defaults(fwd_vault_fields, raw, y->pool);
    fwd_yaml_section(y, node, "vault", fwd_vault_fields, raw);

    vault->kv++;                         /* the index of its word */

    fwd_vault_login_keys(y, raw);

    if (y->report->count != errors) {
        vault->error = "see the errors of section \"vault\"";
    }

    y->secrets->vault = vault;
    fwd_vault_wanted(y, vault);

    if (vault->error != NULL || vault->paths.count == 0) {
        return;
    }

    if (known == NULL || fwd_vault_learn(vault, known, y->pool) != FWD_OK) {
        fwd_vault_fetch(vault, y->pool);
    }
}


static void
fwd_vault_login_keys(fwd_yaml_t *y, fwd_vault_raw_t *raw)
{
    raw->conf.token = fwd_vault_secret(y, "token", raw->token);
    raw->conf.role_id = fwd_vault_secret(y, "role_id", raw->role_id);
    raw->conf.secret_id = fwd_vault_secret(y, "secret_id", raw->secret_id);

    if ((raw->role_id != NULL) != (raw->secret_id != NULL)
        || (raw->role_id != NULL) == (raw->token != NULL))
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "vault"),
                   "section \"vault\" needs either \"token\", or \"role_id\" "
                   "and \"secret_id\"");
    }
}


/* A key of Vault cannot be in Vault. */

static const char *
fwd_vault_secret(fwd_yaml_t *y, const char *key, const char *reference)
{
    const char   *value, *path;
    fwd_error_t   err;

    if (reference == NULL) {
        return NULL;
    }

    path = fwd_pool_printf(y->pool, "vault.%s", key);

    if (strncmp(reference, "vault:", 6) == 0) {
        (void) fwd_error(&err, "is kept by the server that it is the key of, "
                         "allowed is \"file:PATH\" or \"env:NAME\"");

    } else if (fwd_secret_read(&value, reference, y->secrets, y->pool, &err)
               == FWD_OK)
    {
        if (strpbrk(value, "\r\n") == NULL) {
            return value;
        }

        (void) fwd_error(&err, "has a line end in its value");
    }

    fwd_report(y->report, y->file, fwd_yaml_at(y, path), "\"%s\" %s", path,
               err.text);

    return NULL;
}


static int
fwd_vault_address_valid(const char *text)
{
    size_t  len;

    len = strcspn(text, " \t\r\n?#@\\");

    return text[len] == '\0'
           && ((strncmp(text, "https://", 8) == 0 && len > 8)
               || (strncmp(text, "http://", 7) == 0 && len > 7));
}


/* All at once, before they are asked for one by one. */

static void
fwd_vault_wanted(fwd_yaml_t *y, fwd_vault_conf_t *vault)
{
    const char         *text;
    const yaml_node_t  *node;

    vault->paths.list = fwd_pool_alloc(y->pool, FWD_VAULT_PATHS_MAX
                                                * sizeof(char *));
    vault->values = fwd_pool_alloc(y->pool, FWD_VAULT_PATHS_MAX
                                            * sizeof(char *));
    vault->leases = fwd_pool_alloc(y->pool, FWD_VAULT_PATHS_MAX
                                            * sizeof(char *));

    for (node = y->doc.nodes.start; node < y->doc.nodes.top; node++) {

        if (node->type != YAML_SCALAR_NODE) {
            continue;
        }

        text = (const char *) node->data.scalar.value;

        if (fwd_vault_reference_valid(text)) {
            fwd_vault_wanted_path(y, vault, text + 6);
        }
    }
}


static void
fwd_vault_wanted_path(fwd_yaml_t *y, fwd_vault_conf_t *vault,
    const char *reference)
{
    size_t       i;
    const char  *path;

    path = fwd_pool_string(y->pool, reference, strcspn(reference, "#"));

    for (i = 0; i < vault->paths.count; i++) {
        if (strcmp(vault->paths.list[i], path) == 0) {
            return;
        }
    }

    if (vault->paths.count == FWD_VAULT_PATHS_MAX) {
        vault->error = "more than 256 paths";
        return;
    }

    vault->paths.list[vault->paths.count++] = path;
}


/* FWD_NONE: not all are there. */

static fwd_rc_t
fwd_vault_learn(fwd_vault_conf_t *vault, const char *text, fwd_pool_t *pool)
{
    char        *dump;
    size_t       i, missing;
    json_t      *root, *values, *leases, *fields;
    const char  *token, *error, *lease;

    root = fwd_vault_parse(text, strlen(text));
    values = json_object_get(root, "values");
    leases = json_object_get(root, "leases");
    missing = 0;

    for (i = 0; i < vault->paths.count; i++) {
        fields = json_object_get(values, vault->paths.list[i]);

        if (!json_is_object(fields)) {
            missing++;
            continue;
        }

        lease = json_string_value(json_object_get(leases,
                                                  vault->paths.list[i]));

        if (lease != NULL) {
            vault->leases[i] = fwd_pool_string(pool, lease, strlen(lease));
        }

        dump = json_dumps(fields, JSON_COMPACT);

        if (dump != NULL) {
            vault->values[i] = fwd_pool_string(pool, dump, strlen(dump));
            OPENSSL_cleanse(dump, strlen(dump));
            free(dump);
        }
    }

    token = json_string_value(json_object_get(root, "token"));
    error = json_string_value(json_object_get(root, "error"));

    if (token != NULL && fwd_vault_is_ours(vault, root)) {
        vault->token = fwd_pool_string(pool, token, strlen(token));
    }

    if (error != NULL) {
        vault->error = fwd_pool_string(pool, error, strlen(error));
    }

    fwd_vault_parsed(root);

    return missing ? FWD_NONE : FWD_OK;
}


/* A token is for the server and the role that it was got with. */

static int
fwd_vault_is_ours(const fwd_vault_conf_t *vault, const json_t *root)
{
    const char  *role, *address;

    role = json_string_value(json_object_get(root, "role"));
    address = json_string_value(json_object_get(root, "address"));

    return role != NULL && vault->role_id != NULL
           && strcmp(role, vault->role_id) == 0
           && address != NULL && strcmp(address, vault->address) == 0;
}


static void
fwd_vault_fetch(fwd_vault_conf_t *vault, fwd_pool_t *pool)
{
    int        fds[2], status;
    pid_t      pid, parent;
    fwd_buf_t  text;

    vault->error = "no process to read it";

    if (pipe(fds) != 0) {
        return;
    }

    parent = getpid();
    pid = fork();

    if (pid == 0) {
        if (dup2(fds[1], STDOUT_FILENO) != -1
            && fwd_loop_detach(parent, SIGKILL) == FWD_OK)
        {
            fwd_vault_serve(vault, STDOUT_FILENO, 0, NULL);
        }

        _exit(0);
    }

    (void) close(fds[1]);

    if (pid == -1) {
        (void) close(fds[0]);
        return;
    }

    fwd_buf_init(&text, FWD_VAULT_MESSAGE_MAX);
    fwd_vault_wait(&text, fds[0]);

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, &status, 0);
    (void) close(fds[0]);

    vault->error = "no answer within 10 seconds";

    if (fwd_vault_message(&text) != NULL) {
        vault->error = NULL;
        (void) fwd_vault_learn(vault, fwd_vault_message(&text), pool);
    }

    if (text.data != NULL) {
        OPENSSL_cleanse(text.data, text.len);
    }

    fwd_buf_free(&text);
}


static void
fwd_vault_wait(fwd_buf_t *text, int fd)
{
    int            rounds;
    char           buf[4096];
    ssize_t        n;
    struct pollfd  pfd;

    pfd.fd = fd;
    pfd.events = POLLIN;

    for (rounds = FWD_VAULT_WAIT_MS / 100; rounds > 0; rounds--) {

        if (poll(&pfd, 1, 100) <= 0) {
            continue;
        }

        n = read(fd, buf, sizeof(buf));

        if (n <= 0) {
            break;
        }

        rounds++;
        fwd_buf_add(text, buf, (size_t) n);
    }

    OPENSSL_cleanse(buf, sizeof(buf));
}
