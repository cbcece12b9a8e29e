
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A password in a file.  It is read with the configuration, and again by a
 * worker to which a server says that it is wrong: it may have been changed
 * there and in the file.  Nothing here logs a password.
 */


#include "ngx_http_martech_net.h"


#define NGX_HTTP_MARTECH_SECRET_INTERVAL      1000    /* ms */
#define NGX_HTTP_MARTECH_SECRET_LOG_INTERVAL  60      /* s */


static void ngx_http_martech_secret_cleanup(void *data);
static void ngx_http_martech_secret_wipe(ngx_str_t *value);
static ngx_int_t ngx_http_martech_secret_read(ngx_str_t *path,
    ngx_str_t *value, ngx_log_t *log, ngx_err_t *err, const char **what);
static ngx_int_t ngx_http_martech_secret_read_fd(ngx_fd_t fd,
    ngx_str_t *value, ngx_log_t *log, ngx_err_t *err, const char **what);
static ngx_uint_t ngx_http_martech_login_args(
    ngx_http_martech_login_t *login, ngx_str_t *args);


ngx_int_t
ngx_http_martech_secret_load(ngx_conf_t *cf,
    ngx_http_martech_secret_t *secret, ngx_str_t *path)
{
    ngx_err_t            err;
    const char          *what;
    ngx_pool_cleanup_t  *cln;

    secret->path = *path;

    if (ngx_conf_full_name(cf->cycle, &secret->path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_martech_secret_cleanup;
    cln->data = secret;

    if (ngx_http_martech_secret_read(&secret->path, &secret->value, cf->log,
                                     &err, &what)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err, "password file \"%V\" %s",
                           &secret->path, what);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_martech_secret_cleanup(void *data)
{
    ngx_http_martech_secret_t *secret = data;

    ngx_http_martech_secret_wipe(&secret->value);
}


static void
ngx_http_martech_secret_wipe(ngx_str_t *value)
{
    if (value->data) {
        ngx_explicit_memzero(value->data, value->len);
        ngx_free(value->data);
    }

    ngx_str_null(value);
}


ngx_int_t
ngx_http_martech_secret_reload(ngx_http_martech_secret_t *secret,
    ngx_log_t *log)
{
    ngx_err_t    err;
    ngx_str_t    value;
    ngx_uint_t   level;
    const char  *what;

    if (secret->path.len == 0
        || (secret->reloaded
            && ngx_current_msec - secret->tried
               < NGX_HTTP_MARTECH_SECRET_INTERVAL))
    {
        return NGX_DECLINED;
    }

    secret->reloaded = 1;
    secret->tried = ngx_current_msec;

    if (ngx_http_martech_secret_read(&secret->path, &value, log, &err, &what)
        != NGX_OK)
    {
        level = NGX_LOG_INFO;

        if (secret->logged == 0
            || ngx_time() - secret->logged
               >= NGX_HTTP_MARTECH_SECRET_LOG_INTERVAL)
        {
            level = NGX_LOG_ERR;
            secret->logged = ngx_time();
        }

        ngx_log_error(level, log, err,
                      "martech: password file \"%V\" %s, "
                      "the password read before stays", &secret->path, what);
        return NGX_ERROR;
    }

    secret->logged = 0;

    if (value.len == secret->value.len
        && ngx_memcmp(value.data, secret->value.data, value.len) == 0)
    {
        ngx_http_martech_secret_wipe(&value);
        return NGX_DECLINED;
    }

    ngx_http_martech_secret_wipe(&secret->value);
    secret->value = value;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "martech: password file \"%V\" has a new password",
                  &secret->path);

    return NGX_OK;
}


/*
 * The value is the caller's, to be wiped.  A special file cannot hold us: it
 * is opened without waiting, and refused.
 */

static ngx_int_t
ngx_http_martech_secret_read(ngx_str_t *path, ngx_str_t *value,
    ngx_log_t *log, ngx_err_t *err, const char **what)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    ngx_str_null(value);

    fd = open((char *) path->data, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        *err = ngx_errno;
        *what = "cannot be opened";
        return NGX_ERROR;
    }

    rc = ngx_http_martech_secret_read_fd(fd, value, log, err, what);

    (void) ngx_close_file(fd);

    if (rc != NGX_OK) {
        ngx_http_martech_secret_wipe(value);
    }

    return rc;
}


static ngx_int_t
ngx_http_martech_secret_read_fd(ngx_fd_t fd, ngx_str_t *value,
    ngx_log_t *log, ngx_err_t *err, const char **what)
{
    size_t           size;
    ssize_t          n;
    ngx_file_info_t  fi;

    *err = 0;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        *what = "cannot be read";
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) > NGX_HTTP_MARTECH_SECRET_MAX)
    {
        *what = "must be a regular file of at most 65536 bytes";
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&fi);

    value->data = ngx_alloc(size + 1, log);

    if (value->data == NULL) {
        *what = "finds no memory";
        return NGX_ERROR;
    }

    /* one byte more than there should be: it may be written just now */

    value->len = size + 1;
    n = ngx_read_fd(fd, value->data, size + 1);

    if (n != (ssize_t) size) {
        *err = (n == -1) ? ngx_errno : 0;
        *what = (n == -1) ? "cannot be read" : "changes while it is read";
        return NGX_ERROR;
    }

    value->len = size;

    while (value->len > 0
           && (value->data[value->len - 1] == LF
               || value->data[value->len - 1] == CR))
    {
        value->len--;
    }

    if (value->len == 0) {
        *what = "is empty";
        return NGX_ERROR;
    }

    return NGX_OK;
}


size_t
ngx_http_martech_login_size(ngx_http_martech_login_t *login)
{
    ngx_str_t   args[3];
    ngx_uint_t  n;

    n = ngx_http_martech_login_args(login, args);

    return n ? ngx_http_martech_query_size(n, args) : 0;
}


u_char *
ngx_http_martech_login_write(u_char *p, ngx_http_martech_login_t *login)
{
    ngx_str_t   args[3];
    ngx_uint_t  n;

    n = ngx_http_martech_login_args(login, args);

    return n ? ngx_http_martech_query_write(p, n, args) : p;
}


static ngx_uint_t
ngx_http_martech_login_args(ngx_http_martech_login_t *login, ngx_str_t *args)
{
    ngx_uint_t  n;

    if (login == NULL || login->password.value.len == 0) {
        return 0;
    }

    n = 0;
    ngx_str_set(&args[n], "AUTH");
    n++;

    if (login->user.len > 0) {
        args[n++] = login->user;
    }

    args[n++] = login->password.value;

    return n;
}
