
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Writing a segment.  It gets the name under which readers look for it only
 * when its head and its reserved space are on disk.
 */


#include "ngx_http_martech_store_private.h"

#include <sys/random.h>


/* parts of one pwritev(), below every system's IOV_MAX but not by much */
#define NGX_HTTP_MARTECH_STORE_IOV  256


static int ngx_http_martech_store_file_begin(
    ngx_http_martech_store_file_t *file, const char *name,
    const ngx_http_martech_segment_t *segment, uint64_t size,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_file_reserve(int fd, uint64_t offset,
    uint64_t size);
static int ngx_http_martech_store_file_publish(
    ngx_http_martech_store_file_t *file, const char *name,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_file_fail(
    const ngx_http_martech_store_file_t *file, const char *step,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_file_write(int fd, const struct iovec *iov,
    size_t count, uint64_t offset);
static size_t ngx_http_martech_store_file_chunk(struct iovec *chunk,
    const struct iovec *iov, size_t count, size_t skip);


int
ngx_http_martech_store_file_create(ngx_http_martech_store_file_t *file,
    const ngx_http_martech_store_t *store, uint64_t id, uint64_t zone,
    uint64_t now_ms, uint64_t size, ngx_http_martech_store_error_t *err)
{
    char                         buf[NGX_HTTP_MARTECH_STORE_FILE];
    const char                  *name;
    ngx_http_martech_segment_t   segment;

    memset(file, 0, sizeof(ngx_http_martech_store_file_t));

    file->store = store;
    file->id = id;
    file->fd = -1;

    memset(&segment, 0, sizeof(ngx_http_martech_segment_t));

    segment.id = id;
    segment.created_ms = now_ms;
    segment.zone = zone;

    if (id == 0 || id > NGX_HTTP_MARTECH_STORE_ID_MAX) {
        errno = EINVAL;
        return ngx_http_martech_store_file_fail(file, "numbering", err);
    }

    if (getrandom(&segment.salt, sizeof(segment.salt), 0)
        != (ssize_t) sizeof(segment.salt))
    {
        return ngx_http_martech_store_file_fail(file, "getting a salt for",
                                                err);
    }

    file->salt = segment.salt;
    file->offset = NGX_HTTP_MARTECH_SEGMENT_HEAD;

    name = ngx_http_martech_store_file_name(buf, id,
                                            NGX_HTTP_MARTECH_STORE_NEW);

    if (ngx_http_martech_store_file_begin(file, name, &segment, size, err) == 0
        && ngx_http_martech_store_file_publish(file, name, err) == 0)
    {
        return 0;
    }

    ngx_http_martech_store_file_close(file);

    return -1;
}


/* Writes the file under its first name; after a failure it is gone. */

static int
ngx_http_martech_store_file_begin(ngx_http_martech_store_file_t *file,
    const char *name, const ngx_http_martech_segment_t *segment,
    uint64_t size, ngx_http_martech_store_error_t *err)
{
    const char     *step;
    struct iovec    iov;
    unsigned char   head[NGX_HTTP_MARTECH_SEGMENT_HEAD];

    file->fd = openat(file->store->fd, name,
                      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->fd == -1) {
        return ngx_http_martech_store_fail(err, file->store, name,
                                           "creating");
    }

    step = "setting the mode of";

    if (fchmod(file->fd, 0600) == -1) {
        goto failed;
    }

    step = "reserving space for";

    if (size > NGX_HTTP_MARTECH_SEGMENT_HEAD) {
        if (ngx_http_martech_store_file_reserve(file->fd, 0, size) == 0) {
            file->size = size;

        } else if (errno != EOPNOTSUPP && errno != ENOSYS) {
            goto failed;
        }
    }

    step = "writing the head of";

    ngx_http_martech_segment_head_write(head, segment);

    iov.iov_base = head;
    iov.iov_len = sizeof(head);

    if (ngx_http_martech_store_file_write(file->fd, &iov, 1, 0) == -1) {
        goto failed;
    }

    step = "syncing";

    if (fsync(file->fd) == -1) {
        goto failed;
    }

    return 0;

failed:

    (void) ngx_http_martech_store_fail(err, file->store, name, step);
    (void) unlinkat(file->store->fd, name, 0);

    return -1;
}


/* The size of the file is changed with it: a sync then has less to write. */

static int
ngx_http_martech_store_file_reserve(int fd, uint64_t offset, uint64_t size)
{
    int  rc;

    do {
        rc = fallocate(fd, 0, (off_t) offset, (off_t) (size - offset));
    } while (rc == -1 && errno == EINTR);

    return rc;
}


/* The folder has one process, so that a name that is free stays free. */

static int
ngx_http_martech_store_file_publish(ngx_http_martech_store_file_t *file,
    const char *name, ngx_http_martech_store_error_t *err)
{
    int          fd;
    char         buf[NGX_HTTP_MARTECH_STORE_FILE];
    const char  *seg;
    struct stat  st;

    fd = file->store->fd;
    seg = ngx_http_martech_store_file_name(buf, file->id,
                                           NGX_HTTP_MARTECH_STORE_SEG);

    if (fstatat(fd, seg, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
    }

    if (errno != ENOENT || renameat(fd, name, fd, seg) == -1) {
        (void) ngx_http_martech_store_file_fail(file, "naming", err);
        (void) unlinkat(fd, name, 0);
        return -1;
    }

    if (ngx_http_martech_store_sync_dir(fd) == -1) {
        (void) ngx_http_martech_store_file_fail(file, "syncing the folder of",
                                                err);
        (void) unlinkat(fd, seg, 0);
        return -1;
    }

    return 0;
}


static int
ngx_http_martech_store_file_fail(const ngx_http_martech_store_file_t *file,
    const char *step, ngx_http_martech_store_error_t *err)
{
    char  buf[NGX_HTTP_MARTECH_STORE_FILE];

    return ngx_http_martech_store_fail(err, file->store,
                   ngx_http_martech_store_file_name(buf, file->id,
                                                NGX_HTTP_MARTECH_STORE_SEG),
                   step);
}


int
ngx_http_martech_store_file_append(ngx_http_martech_store_file_t *file,
    const struct iovec *iov, size_t count,
    ngx_http_martech_store_error_t *err)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < count; i++) {
        sum += iov[i].iov_len;
    }

    if (sum % NGX_HTTP_MARTECH_SEGMENT_ALIGN != 0) {
        errno = EINVAL;
        return ngx_http_martech_store_file_fail(file, "aligning", err);
    }

    if (ngx_http_martech_store_file_write(file->fd, iov, count, file->offset)
        == -1)
    {
        return ngx_http_martech_store_file_fail(file, "writing", err);
    }

    file->offset += sum;

    return 0;
}


/* The caller's iovecs stay as they are: it may write them a second time. */

static int
ngx_http_martech_store_file_write(int fd, const struct iovec *iov,
    size_t count, uint64_t offset)
{
    size_t        n, skip;
    ssize_t       written;
    struct iovec  chunk[NGX_HTTP_MARTECH_STORE_IOV];

    skip = 0;

    for ( ;; ) {
        while (count > 0 && skip >= iov->iov_len) {
            skip -= iov->iov_len;
            iov++;
            count--;
        }

        if (count == 0) {
            return 0;
        }

        n = ngx_http_martech_store_file_chunk(chunk, iov, count, skip);

        written = pwritev(fd, chunk, (int) n, (off_t) offset);

        if (written == -1 && errno == EINTR) {
            continue;
        }

        if (written <= 0) {

            /* nothing written and no reason given: it would go on for ever */

            errno = (written == 0) ? EIO : errno;
            return -1;
        }

        offset += (uint64_t) written;
        skip += (size_t) written;
    }
}


static size_t
ngx_http_martech_store_file_chunk(struct iovec *chunk,
    const struct iovec *iov, size_t count, size_t skip)
{
    size_t  n;

    for (n = 0; n < count && n < NGX_HTTP_MARTECH_STORE_IOV; n++) {
        chunk[n] = iov[n];
    }

    chunk[0].iov_base = (unsigned char *) chunk[0].iov_base + skip;
    chunk[0].iov_len -= skip;

    return n;
}


int
ngx_http_martech_store_file_sync(ngx_http_martech_store_file_t *file,
    ngx_http_martech_store_error_t *err)
{
    if (fdatasync(file->fd) == -1) {
        return ngx_http_martech_store_file_fail(file, "syncing", err);
    }

    return 0;
}


int
ngx_http_martech_store_file_undo(ngx_http_martech_store_file_t *file,
    uint64_t offset, ngx_http_martech_store_error_t *err)
{
    if (ftruncate(file->fd, (off_t) offset) == -1) {
        return ngx_http_martech_store_file_fail(file, "taking back writes to",
                                                err);
    }

    file->offset = offset;

    if (file->size > offset
        && ngx_http_martech_store_file_reserve(file->fd, offset, file->size)
           == -1)
    {
        file->size = 0;
    }

    return 0;
}


int
ngx_http_martech_store_file_seal(ngx_http_martech_store_file_t *file,
    ngx_http_martech_store_error_t *err)
{
    int  rc;

    rc = 0;

    if (ftruncate(file->fd, (off_t) file->offset) == -1) {
        rc = ngx_http_martech_store_file_fail(file, "sealing", err);
    }

    ngx_http_martech_store_file_close(file);

    return rc;
}


int
ngx_http_martech_store_file_gone(const ngx_http_martech_store_file_t *file)
{
    struct stat  st;

    return fstat(file->fd, &st) == 0 && st.st_nlink == 0;
}


void
ngx_http_martech_store_file_close(ngx_http_martech_store_file_t *file)
{
    if (file->fd != -1) {
        (void) close(file->fd);
        file->fd = -1;
    }
}
