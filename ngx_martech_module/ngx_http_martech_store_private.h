
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files ngx_http_martech_store*.c share, and nobody else uses.  It is
 * included first, because it chooses the interfaces of the C library.
 */


#ifndef _NGX_HTTP_MARTECH_STORE_PRIVATE_H_INCLUDED_
#define _NGX_HTTP_MARTECH_STORE_PRIVATE_H_INCLUDED_


/* fallocate(), pwritev() and O_DIRECTORY; files of any size */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS  64
#endif


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ngx_http_martech_store.h"


/* names in a spool folder */
#define NGX_HTTP_MARTECH_STORE_LOCK     "lock"
#define NGX_HTTP_MARTECH_STORE_SEG      ".seg"
#define NGX_HTTP_MARTECH_STORE_NEW      ".new"
#define NGX_HTTP_MARTECH_STORE_FILE     32

/* names in ROOT */
#define NGX_HTTP_MARTECH_STORE_ASIDE    "damaged"
#define NGX_HTTP_MARTECH_STORE_HIDDEN   ".spool-"

#define NGX_HTTP_MARTECH_STORE_DIR                                            \
    (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)


/*
 * Fills the error from errno; the file is one of the folder, or NULL: the
 * folder itself.  Returns -1.
 */
int ngx_http_martech_store_fail(ngx_http_martech_store_error_t *err,
    const ngx_http_martech_store_t *store, const char *file,
    const char *step);

/* The name of a segment; name has room for FILE bytes. */
const char *ngx_http_martech_store_file_name(char *name, uint64_t id,
    const char *suffix);

/* The id of a file with that suffix, 0 if the name is of another kind. */
uint64_t ngx_http_martech_store_file_id(const char *name, const char *suffix);

/* Opens the folder fd for readdir(); NULL with errno set. */
DIR *ngx_http_martech_store_opendir(int fd);

/* The next name that is not "." or ".."; NULL at the end, errno 0, or else. */
const char *ngx_http_martech_store_readdir(DIR *d);

/* flock(), again when a signal interrupts it. */
int ngx_http_martech_store_flock(int fd, int operation);

/* fsync() of a folder. */
int ngx_http_martech_store_sync_dir(int fd);

/*
 * Renames a segment into another folder, or under another id, unless there is
 * one of that name already.
 */
int ngx_http_martech_store_move(const ngx_http_martech_store_t *from,
    uint64_t from_id, const ngx_http_martech_store_t *to, uint64_t to_id,
    ngx_http_martech_store_error_t *err);

/*
 * Removes a folder whose lock the caller holds, and closes nothing; ENOTEMPTY
 * and nothing changed when there is a file besides the lock.
 */
int ngx_http_martech_store_remove_folder(
    const ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);

/* Removes what crashes while folders were created or removed have left. */
void ngx_http_martech_store_sweep(const ngx_http_martech_store_t *store);


#endif /* _NGX_HTTP_MARTECH_STORE_PRIVATE_H_INCLUDED_ */
