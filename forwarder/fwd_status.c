
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The status server, by libmicrohttpd with its external epoll descriptor.
 * The socket is ours, so that errors have a reason.
 */


#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <microhttpd.h>

#include "fwd_status.h"


#define FWD_STATUS_BACKLOG      32
#define FWD_STATUS_CONNECTIONS  32
#define FWD_STATUS_TIMEOUT_S    5
#define FWD_STATUS_MEMORY       8192     /* of a connection: its head */
#define FWD_STATUS_PAGE_MAX     (16 * 1024 * 1024)


struct fwd_status_s {
    struct MHD_Daemon    *server;
    fwd_status_page_pt    page;
    void                 *data;
    int                   fd;            /* listens; the server closes it */
    int                   poll_fd;
    char                  address[256];
    char                  path[108];     /* of a unix socket, or empty */
};


static fwd_rc_t fwd_status_listen(fwd_status_t *status, fwd_error_t *err);
static fwd_rc_t fwd_status_listen_unix(fwd_status_t *status,
    fwd_error_t *err);
static int fwd_status_taken(const struct sockaddr_un *sun);
static fwd_rc_t fwd_status_listen_inet(fwd_status_t *status,
    fwd_error_t *err);
static fwd_rc_t fwd_status_split(char *host, size_t size, const char **port,
    const char *address);
static fwd_rc_t fwd_status_bind(fwd_status_t *status,
    const struct addrinfo *ai);
static enum MHD_Result fwd_status_request(void *cls,
    struct MHD_Connection *conn, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size,
    void **con_cls);
static enum MHD_Result fwd_status_answer(struct MHD_Connection *conn,
    unsigned status, const char *type, fwd_buf_t *body);


fwd_rc_t
fwd_status_create(fwd_status_t **out, const char *address,
    fwd_status_page_pt page, void *data, fwd_error_t *err)
{
    fwd_status_t                *status;
    const union MHD_DaemonInfo  *info;

    status = calloc(1, sizeof(fwd_status_t));
    if (status == NULL) {
        return fwd_error(err, "out of memory");
    }

    status->page = page;
    status->data = data;
    status->fd = -1;
    (void) snprintf(status->address, sizeof(status->address), "%s", address);

    if (fwd_status_listen(status, err) != FWD_OK) {
        fwd_status_destroy(status);
        return FWD_ERROR;
    }

    status->server = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL,
                         fwd_status_request, status,
                         MHD_OPTION_LISTEN_SOCKET, status->fd,
                         MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned) FWD_STATUS_CONNECTIONS,
                         MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned) FWD_STATUS_TIMEOUT_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t) FWD_STATUS_MEMORY,
                         MHD_OPTION_END);

    if (status->server == NULL) {
        fwd_status_destroy(status);
        return fwd_error(err, "the HTTP server does not start");
    }

    info = MHD_get_daemon_info(status->server, MHD_DAEMON_INFO_EPOLL_FD);
    status->poll_fd = info->epoll_fd;

    *out = status;

    return FWD_OK;
}


void
fwd_status_destroy(fwd_status_t *status)
{
    if (status == NULL) {
        return;
    }

    if (status->server != NULL) {
        MHD_stop_daemon(status->server);

    } else if (status->fd != -1) {
        (void) close(status->fd);
    }

    if (status->path[0] != '\0') {
        (void) unlink(status->path);
    }

    free(status);
}


const char *
fwd_status_address(const fwd_status_t *status)
{
    return status->address;
}


int
fwd_status_fd(const fwd_status_t *status)
{
    return status->poll_fd;
}


void
fwd_status_run(fwd_status_t *status)
{
    (void) MHD_run(status->server);
}


static fwd_rc_t
fwd_status_listen(fwd_status_t *status, fwd_error_t *err)
{
    fwd_rc_t  rc;

    if (strncmp(status->address, "unix:", 5) == 0) {
        rc = fwd_status_listen_unix(status, err);

    } else {
        rc = fwd_status_listen_inet(status, err);
    }

    if (rc == FWD_OK && listen(status->fd, FWD_STATUS_BACKLOG) != 0) {
        return fwd_error(err, "%s", strerror(errno));
    }

    return rc;
}


static fwd_rc_t
fwd_status_listen_unix(fwd_status_t *status, fwd_error_t *err)
{
    struct stat         st;
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (strlen(status->address + 5) >= sizeof(sun.sun_path)) {
        return fwd_error(err, "the path is too long");
    }

    strcpy(sun.sun_path, status->address + 5);

    /* a socket that nobody listens on is of a process that was killed */

    if (lstat(sun.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {

        if (fwd_status_taken(&sun)) {
            return fwd_error(err, "somebody listens there already");
        }

        (void) unlink(sun.sun_path);
    }

    status->fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (status->fd == -1
        || bind(status->fd, (struct sockaddr *) &sun, sizeof(sun)) != 0)
    {
        return fwd_error(err, "%s", strerror(errno));
    }

    strcpy(status->path, sun.sun_path);

    return FWD_OK;
}


static int
fwd_status_taken(const struct sockaddr_un *sun)
{
    int  fd, taken;

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return 0;
    }

    taken = (connect(fd, (const struct sockaddr *) sun, sizeof(*sun)) == 0
             || errno == EAGAIN);

    (void) close(fd);

    return taken;
}


static fwd_rc_t
fwd_status_listen_inet(fwd_status_t *status, fwd_error_t *err)
{
    int                     rc;
    char                    host[256];
    const char             *port;
    struct addrinfo         hints, *list;
    const struct addrinfo  *ai;

    if (fwd_status_split(host, sizeof(host), &port, status->address)
        != FWD_OK)
    {
        return fwd_error(err, "allowed is unix:/PATH, HOST:PORT or "
                         "[IPV6]:PORT");
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;

    rc = getaddrinfo(host, port, &hints, &list);

    if (rc != 0) {
        return fwd_error(err, "%s", gai_strerror(rc));
    }

    for (ai = list; ai != NULL; ai = ai->ai_next) {
        if (fwd_status_bind(status, ai) == FWD_OK) {
            break;
        }
    }

    freeaddrinfo(list);

    return ai != NULL ? FWD_OK : fwd_error(err, "%s", strerror(errno));
}


static fwd_rc_t
fwd_status_split(char *host, size_t size, const char **port,
    const char *address)
{
    size_t       len;
    const char  *colon;

    colon = strrchr(address, ':');

    if (colon == NULL || colon == address || colon[1] == '\0') {
        return FWD_ERROR;
    }

    len = (size_t) (colon - address);

    if (address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }

    if (len == 0 || len >= size) {
        return FWD_ERROR;
    }

    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;

    return FWD_OK;
}


static fwd_rc_t
fwd_status_bind(fwd_status_t *status, const struct addrinfo *ai)
{
    int  fd, on, reason;

    on = 1;
    fd = socket(ai->ai_family, ai->ai_socktype|SOCK_NONBLOCK|SOCK_CLOEXEC,
                ai->ai_protocol);

    if (fd == -1) {
        return FWD_ERROR;
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        reason = errno;
        (void) close(fd);
        errno = reason;
        return FWD_ERROR;
    }

    status->fd = fd;

    return FWD_OK;
}


/* The server's own signature: called again for each piece of a body. */

static enum MHD_Result
fwd_status_request(void *cls, struct MHD_Connection *conn, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_size, void **con_cls)
{
    int            code;
    fwd_buf_t      body;
    const char    *type;
    fwd_status_t  *status = cls;

    (void) version;
    (void) upload;
    (void) upload_size;
    (void) con_cls;

    fwd_buf_init(&body, FWD_STATUS_PAGE_MAX);
    type = "application/json";

    if (strcmp(method, "GET") != 0) {
        code = MHD_HTTP_METHOD_NOT_ALLOWED;
        fwd_buf_add_string(&body, "{\"error\":\"allowed is GET\"}\n");

    } else {
        code = status->page(status->data, url, &body, &type);

        if (code == 0) {
            code = MHD_HTTP_NOT_FOUND;
            fwd_buf_add_string(&body, "{\"error\":\"there are /metrics, "
                               "/healthz and /readyz\"}\n");
        }
    }

    return fwd_status_answer(conn, (unsigned) code, type, &body);
}


static enum MHD_Result
fwd_status_answer(struct MHD_Connection *conn, unsigned status,
    const char *type, fwd_buf_t *body)
{
    enum MHD_Result       rc;
    struct MHD_Response  *response;

    if (body->failed) {
        fwd_buf_free(body);
        return MHD_NO;
    }

    /* the response frees the memory */

    response = MHD_create_response_from_buffer(body->len, body->data,
                                               MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        fwd_buf_free(body);
        return MHD_NO;
    }

    (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                   type);
    (void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                   "no-store");

    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                       "GET");
    }

    rc = MHD_queue_response(conn, status, response);
    MHD_destroy_response(response);

    return rc;
}
