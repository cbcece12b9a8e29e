
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading of secrets.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "fwd_secret.h"
#include "fwd_vault.h"


static fwd_rc_t fwd_secret_env(const char **value, const char *name,
    fwd_pool_t *pool, fwd_error_t *err);
static fwd_rc_t fwd_secret_file(const char **value, const char *path,
    struct stat *seen, fwd_pool_t *pool, fwd_error_t *err);


fwd_rc_t
fwd_secret_read(const char **value, const char *reference,
    fwd_secrets_t *secrets, fwd_pool_t *pool, fwd_error_t *err)
{
    fwd_source_t  *source;

    source = fwd_pool_alloc(pool, sizeof(fwd_source_t));
    source->reference = reference;

    if (secrets != NULL) {
        source->next = secrets->sources;
        secrets->sources = source;
    }

    if (strncmp(reference, "file:", 5) == 0 && reference[5] != '\0') {
        return fwd_secret_file(value, reference + 5, &source->seen, pool,
                               err);
    }

    if (strncmp(reference, "env:", 4) == 0 && reference[4] != '\0') {
        return fwd_secret_env(value, reference + 4, pool, err);
    }

    if (fwd_vault_reference_valid(reference)) {
        return fwd_vault_value(value, reference,
                               secrets ? secrets->vault : NULL, pool, err);
    }

    source->reference = "";              /* it may be the secret itself */

    return fwd_error(err, "is a secret, allowed is " FWD_SECRET_ALLOWED
                     " (the value is not shown)");
}


static fwd_rc_t
fwd_secret_env(const char **value, const char *name, fwd_pool_t *pool,
    fwd_error_t *err)
{
    const char  *text;

    text = getenv(name);

    if (text == NULL || *text == '\0') {
        return fwd_error(err, "environment variable \"%s\" is not set", name);
    }

    if (strlen(text) > FWD_SECRET_SIZE_MAX) {
        return fwd_error(err, "environment variable \"%s\" is longer than %d "
                         "bytes", name, FWD_SECRET_SIZE_MAX);
    }

    *value = fwd_pool_string(pool, text, strlen(text));

    return FWD_OK;
}


static fwd_rc_t
fwd_secret_file(const char **value, const char *path, struct stat *seen,
    fwd_pool_t *pool, fwd_error_t *err)
{
    int       fd;
    char      buf[FWD_SECRET_SIZE_MAX + 1];
    size_t    len;
    ssize_t   n;
    fwd_rc_t  rc;

    /* a fifo without a writer must not hold up the start */
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return fwd_error(err, "file \"%s\" cannot be opened: %s", path,
                         strerror(errno));
    }

    /* before it is read: what changes meanwhile is seen as a change */
    (void) fstat(fd, seen);

    len = 0;

    do {
        n = read(fd, buf + len, sizeof(buf) - len);

        if (n > 0) {
            len += (size_t) n;
        }

    } while ((n > 0 && len < sizeof(buf)) || (n < 0 && errno == EINTR));

    if (n < 0) {
        rc = fwd_error(err, "file \"%s\" cannot be read: %s", path,
                       strerror(errno));
        goto done;
    }

    if (len > 0 && len <= FWD_SECRET_SIZE_MAX && buf[len - 1] == '\n') {
        len--;

        if (len > 0 && buf[len - 1] == '\r') {
            len--;
        }
    }

    if (len == 0) {
        rc = fwd_error(err, "file \"%s\" is empty", path);
        goto done;
    }

    if (len > FWD_SECRET_SIZE_MAX || memchr(buf, '\0', len) != NULL) {
        rc = fwd_error(err, "file \"%s\" is longer than %d bytes or holds "
                       "a zero byte", path, FWD_SECRET_SIZE_MAX);
        goto done;
    }

    *value = fwd_pool_string(pool, buf, len);
    rc = FWD_OK;

done:

    OPENSSL_cleanse(buf, sizeof(buf));
    (void) close(fd);

    return rc;
}
