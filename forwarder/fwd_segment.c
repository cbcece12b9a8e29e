
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Writing of event files.
 *
 * A file whose fdatasync failed is never synced again: the kernel may have
 * thrown the pages away and called them clean, and a second call would
 * succeed over nothing.  It is left, and the lines go to a new file.
 *
 * The newest file of a former process is gone on with, after a torn last
 * line is cut off.  A lock keeps two processes from writing one file.
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                      /* memrchr() */
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "fwd_rotate.h"
#include "fwd_segment.h"


#define FWD_SEGMENT_TAIL   65536         /* bytes looked at a time */
#define FWD_SEGMENT_IOV    512           /* two for a line */
#define FWD_SEGMENT_TRIES  1000          /* names that may be taken */


static fwd_rc_t fwd_segment_open(fwd_segment_t *seg, uint64_t now_ms,
    fwd_error_t *err);
static fwd_rc_t fwd_segment_look(fwd_segment_t *seg, int dir,
    uint64_t now_ms, fwd_error_t *err);
static fwd_rc_t fwd_segment_cut(int fd, uint64_t *size);
static fwd_rc_t fwd_segment_create(fwd_segment_t *seg, int dir,
    uint64_t now_ms, fwd_error_t *err);
static fwd_rc_t fwd_segment_write(fwd_segment_t *seg,
    const martech_str_t *records, uint32_t count);
static fwd_rc_t fwd_segment_writev(int fd, struct iovec *iov, int count);


void
fwd_segment_init(fwd_segment_t *seg, const fwd_file_target_t *target,
    fwd_core_t *core)
{
    memset(seg, 0, sizeof(fwd_segment_t));

    seg->target = target;
    seg->core = core;
    seg->fd = -1;
}


void
fwd_segment_close(fwd_segment_t *seg)
{
    if (seg->fd != -1) {
        (void) close(seg->fd);
        seg->fd = -1;
    }
}


fwd_rc_t
fwd_segment_append(fwd_segment_t *seg, const martech_str_t *records,
    uint32_t count, uint64_t now_ms, fwd_error_t *err)
{
    int       error;
    uint64_t  size;

    if (seg->fd != -1
        && fwd_rotate_due(seg->opened_ms, seg->size, now_ms,
                          seg->target->rotate_bytes,
                          (fwd_rotate_t) seg->target->rotate_every))
    {
        fwd_segment_close(seg);
    }

    if (seg->fd == -1 && fwd_segment_open(seg, now_ms, err) != FWD_OK) {
        return FWD_ERROR;
    }

    size = seg->size;

    if (fwd_segment_write(seg, records, count) != FWD_OK) {
        error = errno;

        /* no half line; if even that fails, no more lines behind it */

        if (ftruncate(seg->fd, (off_t) size) != 0
            || lseek(seg->fd, (off_t) size, SEEK_SET) == -1)
        {
            fwd_segment_close(seg);

        } else {
            seg->size = size;
        }

        return fwd_error(err, "write: %s", strerror(error));
    }

    fwd_fail(seg->core, FWD_FAIL_FILE_AFTER_WRITE);

    if (fdatasync(seg->fd) != 0) {
        error = errno;

        /* fewer doubles, if it can be had */

        if (ftruncate(seg->fd, (off_t) size) != 0) {
            size = 0;
        }

        fwd_segment_close(seg);

        return fwd_error(err, "fdatasync: %s", strerror(error));
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_segment_open(fwd_segment_t *seg, uint64_t now_ms, fwd_error_t *err)
{
    int       dir;
    fwd_rc_t  rc;

    if (mkdir(seg->target->path, 0700) != 0 && errno != EEXIST) {
        return fwd_error(err, "mkdir: %s", strerror(errno));
    }

    dir = open(seg->target->path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (dir == -1) {
        return fwd_error(err, "open folder: %s", strerror(errno));
    }

    rc = FWD_OK;

    if (!seg->looked) {
        rc = fwd_segment_look(seg, dir, now_ms, err);
    }

    if (rc == FWD_OK && seg->fd == -1) {
        rc = fwd_segment_create(seg, dir, now_ms, err);
    }

    (void) close(dir);

    return rc;
}


/* Takes over the newest file, or at least makes its end a whole line. */

static fwd_rc_t
fwd_segment_look(fwd_segment_t *seg, int dir, uint64_t now_ms,
    fwd_error_t *err)
{
    int             fd, copy;
    DIR            *list;
    char            name[FWD_ROTATE_NAME_LEN];
    uint64_t        ms, newest, size;
    struct dirent  *entry;

    copy = dup(dir);
    list = (copy == -1) ? NULL : fdopendir(copy);

    if (list == NULL) {
        if (copy != -1) {
            (void) close(copy);
        }

        return fwd_error(err, "read folder: %s", strerror(errno));
    }

    newest = 0;

    for ( ;; ) {
        entry = readdir(list);

        if (entry == NULL) {
            break;
        }

        if (fwd_rotate_parse(&ms, entry->d_name) == FWD_OK && ms > newest) {
            newest = ms;
        }
    }

    (void) closedir(list);

    seg->last_ms = newest;

    if (newest == 0) {
        seg->looked = 1;
        return FWD_OK;
    }

    fwd_rotate_name(name, newest);
    fd = openat(dir, name, O_RDWR|O_CLOEXEC|O_NOFOLLOW);

    if (fd == -1) {
        return fwd_error(err, "open \"%s\": %s", name, strerror(errno));
    }

    if (flock(fd, LOCK_EX|LOCK_NB) != 0) {

        /* of a living process: we write beside it */

        (void) close(fd);
        seg->looked = 1;
        return FWD_OK;
    }

    if (fwd_segment_cut(fd, &size) != FWD_OK) {
        (void) fwd_error(err, "repair \"%s\": %s", name, strerror(errno));
        (void) close(fd);
        return FWD_ERROR;
    }

    seg->looked = 1;

    if (fwd_rotate_due(newest, size, now_ms, seg->target->rotate_bytes,
                       (fwd_rotate_t) seg->target->rotate_every))
    {
        (void) close(fd);
        return FWD_OK;
    }

    seg->fd = fd;
    seg->size = size;
    seg->opened_ms = newest;

    return FWD_OK;
}


/* Cuts behind the last line end and goes there; *size is what is left. */

static fwd_rc_t
fwd_segment_cut(int fd, uint64_t *size)
{
    off_t         end, from;
    char         *tail, *p;
    size_t        want;
    ssize_t       n;
    struct stat   st;

    if (fstat(fd, &st) != 0) {
        return FWD_ERROR;
    }

    tail = malloc(FWD_SEGMENT_TAIL);
    if (tail == NULL) {
        errno = ENOMEM;
        return FWD_ERROR;
    }

    end = st.st_size;

    while (end > 0) {
        want = end < FWD_SEGMENT_TAIL ? (size_t) end : FWD_SEGMENT_TAIL;
        from = end - (off_t) want;

        n = pread(fd, tail, want, from);

        if (n != (ssize_t) want) {
            free(tail);
            errno = (n < 0) ? errno : EIO;
            return FWD_ERROR;
        }

        p = memrchr(tail, '\n', want);

        if (p != NULL) {
            end = from + (p - tail) + 1;
            break;
        }

        end = from;
    }

    free(tail);

    if (end != st.st_size
        && (ftruncate(fd, end) != 0 || fdatasync(fd) != 0))
    {
        return FWD_ERROR;
    }

    if (lseek(fd, end, SEEK_SET) == -1) {
        return FWD_ERROR;
    }

    *size = (uint64_t) end;

    return FWD_OK;
}


static fwd_rc_t
fwd_segment_create(fwd_segment_t *seg, int dir, uint64_t now_ms,
    fwd_error_t *err)
{
    int       fd, i;
    char      name[FWD_ROTATE_NAME_LEN];
    uint64_t  ms;

    /* a clock that was set back must not break the order of the names */

    ms = (now_ms > seg->last_ms) ? now_ms : seg->last_ms + 1;
    fd = -1;

    for (i = 0; i < FWD_SEGMENT_TRIES && fd == -1; i++, ms++) {
        fwd_rotate_name(name, ms);
        fd = openat(dir, name, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

        if (fd == -1 && errno != EEXIST) {
            break;
        }
    }

    if (fd == -1) {
        return fwd_error(err, "create \"%s\": %s", name, strerror(errno));
    }

    ms--;

    /* the name has to survive as well as the contents */

    if (flock(fd, LOCK_EX|LOCK_NB) != 0 || fsync(dir) != 0) {
        (void) fwd_error(err, "create \"%s\": %s", name, strerror(errno));
        (void) unlinkat(dir, name, 0);
        (void) close(fd);
        return FWD_ERROR;
    }

    seg->fd = fd;
    seg->size = 0;
    seg->opened_ms = ms;
    seg->last_ms = ms;

    return FWD_OK;
}


static fwd_rc_t
fwd_segment_write(fwd_segment_t *seg, const martech_str_t *records,
    uint32_t count)
{
    int            n;
    uint32_t       i;
    struct iovec   iov[FWD_SEGMENT_IOV];

    n = 0;

    for (i = 0; i < count; i++) {
        iov[n].iov_base = (void *) (uintptr_t) records[i].data;
        iov[n].iov_len = records[i].len;
        iov[n + 1].iov_base = (void *) (uintptr_t) "\n";
        iov[n + 1].iov_len = 1;
        n += 2;

        seg->size += records[i].len + 1;

        if (n == FWD_SEGMENT_IOV || i + 1 == count) {

            if (fwd_segment_writev(seg->fd, iov, n) != FWD_OK) {
                return FWD_ERROR;
            }

            n = 0;
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_segment_writev(int fd, struct iovec *iov, int count)
{
    size_t   done;
    ssize_t  n;

    while (count > 0) {
        n = writev(fd, iov, count);

        if (n < 0) {

            if (errno == EINTR) {
                continue;
            }

            return FWD_ERROR;
        }

        done = (size_t) n;

        while (count > 0 && done >= iov->iov_len) {
            done -= iov->iov_len;
            iov++;
            count--;
        }

        if (count > 0) {
            iov->iov_base = (char *) iov->iov_base + done;
            iov->iov_len -= done;
        }
    }

    return FWD_OK;
}
