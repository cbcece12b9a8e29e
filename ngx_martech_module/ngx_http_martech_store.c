
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The folders of the spool: own one, list and delete what is in it, and the
 * small helpers of the other store files.
 *
 * A folder gets its name only when its lock is held, and loses it before the
 * lock goes, so that nobody sees a named folder of a living process unlocked.
 */


#include "ngx_http_martech_store_private.h"

#include <inttypes.h>

#include <sys/vfs.h>


#define NGX_HTTP_MARTECH_STORE_NFS       0x6969
#define NGX_HTTP_MARTECH_STORE_KEEP_MAX  1000

#define NGX_HTTP_MARTECH_STORE_HIDE_MAX                                       \
    (NGX_HTTP_MARTECH_STORE_NAME_MAX + sizeof(NGX_HTTP_MARTECH_STORE_HIDDEN))


static int ngx_http_martech_store_name_check(const char *name);
static int ngx_http_martech_store_root(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_create(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_lock(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);
static const char *ngx_http_martech_store_hidden(char *hidden,
    const char *name);
static int ngx_http_martech_store_is_empty(int fd);
static void ngx_http_martech_store_insert(uint64_t *ids, size_t max,
    size_t *count, uint64_t id);
static int ngx_http_martech_store_aside(const ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);
static int ngx_http_martech_store_reserve(
    const ngx_http_martech_store_t *store, int aside, uint64_t id,
    char *name, size_t room, ngx_http_martech_store_error_t *err);


int
ngx_http_martech_store_open(ngx_http_martech_store_t *store,
    const char *root, const char *name, ngx_http_martech_store_error_t *err)
{
    int  rc;

    memset(store, 0, sizeof(ngx_http_martech_store_t));

    store->root = root;
    store->root_fd = -1;
    store->fd = -1;
    store->lock_fd = -1;

    if (!ngx_http_martech_store_name_check(name)) {
        errno = EINVAL;
        return ngx_http_martech_store_fail(err, store, name,
                                           "naming the spool folder");
    }

    memcpy(store->name, name, strlen(name) + 1);

    rc = ngx_http_martech_store_root(store, err);

    if (rc == 0) {

        /* shared: against the sweep only, not against each other */

        rc = ngx_http_martech_store_flock(store->root_fd, LOCK_SH);

        rc = (rc == 0) ? ngx_http_martech_store_create(store, err)
                       : ngx_http_martech_store_fail(err, store, NULL,
                                           "locking the spool for");
        (void) flock(store->root_fd, LOCK_UN);
    }

    if (rc != 0) {
        ngx_http_martech_store_close(store);
    }

    return rc;
}


static int
ngx_http_martech_store_name_check(const char *name)
{
    return name[0] != '\0' && name[0] != '.'
           && strlen(name) < NGX_HTTP_MARTECH_STORE_NAME_MAX
           && strchr(name, '/') == NULL
           && strcmp(name, NGX_HTTP_MARTECH_STORE_ASIDE) != 0;
}


static int
ngx_http_martech_store_root(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    struct statfs  fs;

    store->root_fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (store->root_fd == -1) {
        return ngx_http_martech_store_fail(err, store, NULL,
                           "opening the folder of the spool for");
    }

    if (fstatfs(store->root_fd, &fs) == -1) {
        return ngx_http_martech_store_fail(err, store, NULL,
                           "asking for the file system of");
    }

    if (fs.f_type == NGX_HTTP_MARTECH_STORE_NFS) {
        errno = EOPNOTSUPP;
        return ngx_http_martech_store_fail(err, store, NULL,
                           "the spool is on NFS, where locks do not hold;");
    }

    return 0;
}


/*
 * Modes are set once more by chmod, because the umask takes from those that
 * creating a file asks for.
 */

static int
ngx_http_martech_store_create(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    int          rc;
    char         hidden[NGX_HTTP_MARTECH_STORE_HIDE_MAX];
    const char  *at;

    at = ngx_http_martech_store_hidden(hidden, store->name);

    if (mkdirat(store->root_fd, at, 0700) == -1) {
        return ngx_http_martech_store_fail(err, store, NULL,
                                           "creating the spool folder");
    }

    rc = fchmodat(store->root_fd, at, 0700, 0);

    if (rc == 0) {
        store->fd = openat(store->root_fd, at, NGX_HTTP_MARTECH_STORE_DIR);
    }

    if (store->fd == -1) {
        (void) ngx_http_martech_store_fail(err, store, NULL,
                                           "opening the spool folder");
        goto failed;
    }

    if (ngx_http_martech_store_lock(store, err) != 0) {
        goto failed;
    }

    if (renameat(store->root_fd, at, store->root_fd, store->name) == -1) {
        (void) ngx_http_martech_store_fail(err, store, NULL,
                                           "naming the spool folder");
        goto failed;
    }

    at = store->name;

    if (ngx_http_martech_store_sync_dir(store->root_fd) == -1) {
        (void) ngx_http_martech_store_fail(err, store, NULL,
                                           "syncing the spool with");
        goto failed;
    }

    return 0;

failed:

    if (store->fd != -1) {
        (void) unlinkat(store->fd, NGX_HTTP_MARTECH_STORE_LOCK, 0);
    }

    (void) unlinkat(store->root_fd, at, AT_REMOVEDIR);

    return -1;
}


static int
ngx_http_martech_store_lock(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    store->lock_fd = openat(store->fd, NGX_HTTP_MARTECH_STORE_LOCK,
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (store->lock_fd == -1 || fchmod(store->lock_fd, 0600) == -1) {
        return ngx_http_martech_store_fail(err, store,
                                           NGX_HTTP_MARTECH_STORE_LOCK,
                                           "creating");
    }

    if (ngx_http_martech_store_flock(store->lock_fd, LOCK_EX | LOCK_NB) == -1) {
        return ngx_http_martech_store_fail(err, store,
                                           NGX_HTTP_MARTECH_STORE_LOCK,
                                           "locking");
    }

    return 0;
}


int
ngx_http_martech_store_gone(const ngx_http_martech_store_t *store)
{
    struct stat  st;

    return fstat(store->fd, &st) == 0 && st.st_nlink == 0;
}


void
ngx_http_martech_store_close(ngx_http_martech_store_t *store)
{
    if (store->lock_fd != -1) {
        (void) close(store->lock_fd);
    }

    if (store->fd != -1) {
        (void) close(store->fd);
    }

    if (store->root_fd != -1) {
        (void) close(store->root_fd);
    }

    store->lock_fd = -1;
    store->fd = -1;
    store->root_fd = -1;
}


int
ngx_http_martech_store_remove(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    if (ngx_http_martech_store_remove_folder(store, err) == -1) {
        return -1;
    }

    ngx_http_martech_store_close(store);

    return 0;
}


/* What is gone already was removed by a sweep, to which it was a leftover. */

int
ngx_http_martech_store_remove_folder(const ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    int          empty;
    char         hidden[NGX_HTTP_MARTECH_STORE_HIDE_MAX];
    const char  *at;

    empty = ngx_http_martech_store_is_empty(store->fd);

    if (empty != 1) {
        errno = (empty == 0) ? ENOTEMPTY : errno;
        return ngx_http_martech_store_fail(err, store, NULL,
                                           "removing the spool folder");
    }

    at = ngx_http_martech_store_hidden(hidden, store->name);

    if (renameat(store->root_fd, store->name, store->root_fd, at) == -1
        && errno != ENOENT)
    {
        return ngx_http_martech_store_fail(err, store, NULL,
                                           "renaming the spool folder");
    }

    if ((unlinkat(store->fd, NGX_HTTP_MARTECH_STORE_LOCK, 0) == -1
         && errno != ENOENT)
        || (unlinkat(store->root_fd, at, AT_REMOVEDIR) == -1
            && errno != ENOENT))
    {
        return ngx_http_martech_store_fail(err, store, NULL,
                                           "removing the spool folder");
    }

    return 0;
}


static const char *
ngx_http_martech_store_hidden(char *hidden, const char *name)
{
    (void) snprintf(hidden, NGX_HTTP_MARTECH_STORE_HIDE_MAX, "%s%s",
                    NGX_HTTP_MARTECH_STORE_HIDDEN, name);

    return hidden;
}


/* 1 if the folder has nothing but a lock, 0 if it has, -1 on an error. */

static int
ngx_http_martech_store_is_empty(int fd)
{
    DIR         *d;
    int          error;
    const char  *name;

    d = ngx_http_martech_store_opendir(fd);
    if (d == NULL) {
        return -1;
    }

    do {
        name = ngx_http_martech_store_readdir(d);
    } while (name != NULL && strcmp(name, NGX_HTTP_MARTECH_STORE_LOCK) == 0);

    error = errno;
    (void) closedir(d);
    errno = error;

    if (name != NULL) {
        return 0;
    }

    return (error == 0) ? 1 : -1;
}


/*
 * Who creates a folder holds the lock of ROOT meanwhile, and who removes one
 * does not mind to be helped: with that lock all hidden folders are leftovers.
 */

void
ngx_http_martech_store_sweep(const ngx_http_martech_store_t *store)
{
    DIR         *d;
    int          fd;
    size_t       len;
    const char  *name;

    if (ngx_http_martech_store_flock(store->root_fd, LOCK_EX | LOCK_NB) == -1) {
        return;
    }

    d = ngx_http_martech_store_opendir(store->root_fd);
    len = sizeof(NGX_HTTP_MARTECH_STORE_HIDDEN) - 1;

    while (d != NULL) {
        name = ngx_http_martech_store_readdir(d);

        if (name == NULL) {
            (void) closedir(d);
            break;
        }

        if (strncmp(name, NGX_HTTP_MARTECH_STORE_HIDDEN, len) != 0) {
            continue;
        }

        fd = openat(store->root_fd, name, NGX_HTTP_MARTECH_STORE_DIR);
        if (fd == -1) {
            continue;
        }

        if (ngx_http_martech_store_is_empty(fd) == 1) {
            (void) unlinkat(fd, NGX_HTTP_MARTECH_STORE_LOCK, 0);
            (void) unlinkat(store->root_fd, name, AT_REMOVEDIR);
        }

        (void) close(fd);
    }

    (void) flock(store->root_fd, LOCK_UN);
}


int
ngx_http_martech_store_list(const ngx_http_martech_store_t *store,
    uint64_t after, uint64_t *ids, size_t max, size_t *count,
    ngx_http_martech_store_error_t *err)
{
    DIR         *d;
    int          error;
    uint64_t     id;
    const char  *name;

    *count = 0;

    d = ngx_http_martech_store_opendir(store->fd);
    if (d == NULL) {
        return ngx_http_martech_store_fail(err, store, NULL, "listing");
    }

    for ( ;; ) {
        name = ngx_http_martech_store_readdir(d);
        if (name == NULL) {
            break;
        }

        id = ngx_http_martech_store_file_id(name, NGX_HTTP_MARTECH_STORE_SEG);

        if (id > after) {
            ngx_http_martech_store_insert(ids, max, count, id);
        }
    }

    error = errno;
    (void) closedir(d);
    errno = error;

    if (error != 0) {
        return ngx_http_martech_store_fail(err, store, NULL, "listing");
    }

    return 0;
}


/* Keeps the smallest max ids in order. */

static void
ngx_http_martech_store_insert(uint64_t *ids, size_t max, size_t *count,
    uint64_t id)
{
    size_t  i;

    for (i = *count; i > 0 && ids[i - 1] > id; i--) { /* void */ }

    if (i == max) {
        return;
    }

    if (*count < max) {
        (*count)++;
    }

    memmove(&ids[i + 1], &ids[i], (*count - i - 1) * sizeof(uint64_t));

    ids[i] = id;
}


int
ngx_http_martech_store_delete(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_error_t *err)
{
    char         buf[NGX_HTTP_MARTECH_STORE_FILE];
    const char  *name;

    name = ngx_http_martech_store_file_name(buf, id,
                                            NGX_HTTP_MARTECH_STORE_SEG);

    if (unlinkat(store->fd, name, 0) == -1) {
        return ngx_http_martech_store_fail(err, store, name, "deleting");
    }

    if (ngx_http_martech_store_sync_dir(store->fd) == -1) {
        return ngx_http_martech_store_fail(err, store, NULL, "syncing");
    }

    return 0;
}


/*
 * An empty file takes the new name first: two processes then never choose the
 * same, and the segment replaces only that.
 */

int
ngx_http_martech_store_keep(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_error_t *err)
{
    int          rc, aside;
    char         buf[NGX_HTTP_MARTECH_STORE_FILE];
    char         to[NGX_HTTP_MARTECH_STORE_NAME_MAX
                    + 2 * NGX_HTTP_MARTECH_STORE_FILE];
    const char  *name;

    name = ngx_http_martech_store_file_name(buf, id,
                                            NGX_HTTP_MARTECH_STORE_SEG);

    aside = ngx_http_martech_store_aside(store, err);
    if (aside == -1) {
        return -1;
    }

    rc = ngx_http_martech_store_reserve(store, aside, id, to, sizeof(to), err);

    if (rc == 0 && renameat(store->fd, name, aside, to) == -1) {
        rc = ngx_http_martech_store_fail(err, store, name, "putting aside");
        (void) unlinkat(aside, to, 0);
    }

    if (rc == 0 && (ngx_http_martech_store_sync_dir(aside) == -1
                    || ngx_http_martech_store_sync_dir(store->fd) == -1))
    {
        rc = ngx_http_martech_store_fail(err, store, name,
                                         "syncing the new folder of");
    }

    (void) close(aside);

    return rc;
}


/* Opens the folder for damaged segments, creates it when it is missing. */

static int
ngx_http_martech_store_aside(const ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err)
{
    int  fd;

    if (mkdirat(store->root_fd, NGX_HTTP_MARTECH_STORE_ASIDE, 0700) == 0) {

        if (fchmodat(store->root_fd, NGX_HTTP_MARTECH_STORE_ASIDE, 0700, 0)
            == -1
            || ngx_http_martech_store_sync_dir(store->root_fd) == -1)
        {
            return ngx_http_martech_store_fail(err, store, NULL,
                               "creating the folder \"damaged\" beside");
        }

    } else if (errno != EEXIST) {
        return ngx_http_martech_store_fail(err, store, NULL,
                               "creating the folder \"damaged\" beside");
    }

    fd = openat(store->root_fd, NGX_HTTP_MARTECH_STORE_ASIDE,
                NGX_HTTP_MARTECH_STORE_DIR);
    if (fd == -1) {
        return ngx_http_martech_store_fail(err, store, NULL,
                               "opening the folder \"damaged\" beside");
    }

    return fd;
}


static int
ngx_http_martech_store_reserve(const ngx_http_martech_store_t *store,
    int aside, uint64_t id, char *name, size_t room,
    ngx_http_martech_store_error_t *err)
{
    int  fd, i;

    for (i = 0; i < NGX_HTTP_MARTECH_STORE_KEEP_MAX; i++) {
        (void) snprintf(name, room, "%s-%010" PRIu64 "-%d%s", store->name, id,
                        i, NGX_HTTP_MARTECH_STORE_SEG);

        fd = openat(aside, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    0600);
        if (fd != -1) {
            (void) close(fd);
            return 0;
        }

        if (errno != EEXIST) {
            break;
        }
    }

    return ngx_http_martech_store_fail(err, store, NULL,
                       "creating a file in the folder \"damaged\" beside");
}


/* Where the name is free is known for sure: the folder has one process. */

int
ngx_http_martech_store_move(const ngx_http_martech_store_t *from,
    uint64_t from_id, const ngx_http_martech_store_t *to, uint64_t to_id,
    ngx_http_martech_store_error_t *err)
{
    char         from_buf[NGX_HTTP_MARTECH_STORE_FILE];
    char         to_buf[NGX_HTTP_MARTECH_STORE_FILE];
    const char  *old, *new;
    struct stat  st;

    old = ngx_http_martech_store_file_name(from_buf, from_id,
                                           NGX_HTTP_MARTECH_STORE_SEG);
    new = ngx_http_martech_store_file_name(to_buf, to_id,
                                           NGX_HTTP_MARTECH_STORE_SEG);

    if (fstatat(to->fd, new, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
    }

    if (errno != ENOENT || renameat(from->fd, old, to->fd, new) == -1) {
        return ngx_http_martech_store_fail(err, from, old, "moving");
    }

    return 0;
}


int
ngx_http_martech_store_fail(ngx_http_martech_store_error_t *err,
    const ngx_http_martech_store_t *store, const char *file,
    const char *step)
{
    err->err = errno;
    err->step = step;

    (void) snprintf(err->file, sizeof(err->file), "%s%s%s%s%s", store->root,
                    store->name[0] != '\0' ? "/" : "", store->name,
                    file != NULL ? "/" : "", file != NULL ? file : "");

    return -1;
}


const char *
ngx_http_martech_store_file_name(char *name, uint64_t id, const char *suffix)
{
    (void) snprintf(name, NGX_HTTP_MARTECH_STORE_FILE, "%010" PRIu64 "%s", id,
                    suffix);

    return name;
}


uint64_t
ngx_http_martech_store_file_id(const char *name, const char *suffix)
{
    int       i;
    uint64_t  id;

    id = 0;

    for (i = 0; i < 10; i++) {

        if (name[i] < '0' || name[i] > '9') {
            return 0;
        }

        id = id * 10 + (uint64_t) (name[i] - '0');
    }

    return (strcmp(name + 10, suffix) == 0) ? id : 0;
}


DIR *
ngx_http_martech_store_opendir(int fd)
{
    DIR  *d;
    int   copy;

    /* not dup(): the position in the folder would be shared */

    copy = openat(fd, ".", NGX_HTTP_MARTECH_STORE_DIR);
    if (copy == -1) {
        return NULL;
    }

    d = fdopendir(copy);
    if (d == NULL) {
        (void) close(copy);
    }

    return d;
}


const char *
ngx_http_martech_store_readdir(DIR *d)
{
    struct dirent  *entry;

    do {
        errno = 0;
        entry = readdir(d);
    } while (entry != NULL && (strcmp(entry->d_name, ".") == 0
                               || strcmp(entry->d_name, "..") == 0));

    return (entry == NULL) ? NULL : entry->d_name;
}


int
ngx_http_martech_store_flock(int fd, int operation)
{
    int  rc;

    do {
        rc = flock(fd, operation);
    } while (rc == -1 && errno == EINTR);

    return rc;
}


/* Some file systems cannot sync a folder, and say so by EINVAL. */

int
ngx_http_martech_store_sync_dir(int fd)
{
    if (fsync(fd) == -1 && errno != EINVAL) {
        return -1;
    }

    return 0;
}
