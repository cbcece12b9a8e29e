
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The files of the disk spool: below one folder, ROOT, each process has a
 * folder of its own with a lock that it holds as long as it lives, and in it
 * its segments.  A folder whose lock is free is an orphan, which the next
 * process adopts.
 *
 *     ROOT/<name>/lock
 *     ROOT/<name>/0000000001.seg     a segment
 *     ROOT/<name>/0000000002.new     one that is being created
 *     ROOT/.spool-<name>/            a folder that is created or removed
 *     ROOT/damaged/                  what was put aside; nobody reads it
 *
 * All calls block, and know neither NGINX nor a clock.  Those that return int
 * give 0, or -1 with the error filled.  There is no global state: objects of
 * different threads do not meet, and a folder is only read by all calls but
 * open, close, remove and adopt.
 */


#ifndef _NGX_HTTP_MARTECH_STORE_H_INCLUDED_
#define _NGX_HTTP_MARTECH_STORE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include <sys/uio.h>

#include "ngx_http_martech_segment.h"


#define NGX_HTTP_MARTECH_STORE_NAME_MAX  128
#define NGX_HTTP_MARTECH_STORE_PATH_MAX  512
#define NGX_HTTP_MARTECH_STORE_ID_MAX    9999999999ULL


/* Why a call failed; "<step> \"<file>\" failed (err: ...)". */
typedef struct {
    int           err;          /* errno */
    const char   *step;         /* static */
    char          file[NGX_HTTP_MARTECH_STORE_PATH_MAX];
                                /* with its path, cut when too long */
} ngx_http_martech_store_error_t;


/*
 * A folder below ROOT.  Files and readers point to it: it stays where it is,
 * and open, as long as one of them is.
 */
typedef struct {
    const char   *root;         /* path, of the caller; outlives the folder */
    char          name[NGX_HTTP_MARTECH_STORE_NAME_MAX];
    int           root_fd;
    int           fd;
    int           lock_fd;
} ngx_http_martech_store_t;


/* A segment that is being written. */
typedef struct {
    const ngx_http_martech_store_t  *store;
    uint64_t                         id;
    uint64_t                         salt;    /* for frames */
    uint64_t                         offset;  /* behind the last record */
    uint64_t                         size;    /* of the file as reserved on
                                                 disk; 0: it grows */
    int                              fd;
} ngx_http_martech_store_file_t;


/* A segment that is being read. */
typedef struct {
    const ngx_http_martech_store_t  *store;
    uint64_t                         id;
    ngx_http_martech_segment_t       segment;
    /* private */
    ngx_http_martech_segment_scan_t  scan;
    unsigned char                   *window;
    size_t                           room;    /* of the window */
    size_t                           pos;     /* in it: what comes next */
    size_t                           len;     /* in it: what was read */
    uint64_t                         offset;  /* in the file: of the window */
    uint64_t                         end;     /* in the file: reading stops */
    int                              fd;
} ngx_http_martech_store_reader_t;


typedef enum {
    NGX_HTTP_MARTECH_STORE_RECORD = 0,
    NGX_HTTP_MARTECH_STORE_END,         /* clean */
    NGX_HTTP_MARTECH_STORE_DAMAGED,     /* lost bytes, and records behind */
    NGX_HTTP_MARTECH_STORE_TORN,        /* garbage up to the end */
    NGX_HTTP_MARTECH_STORE_ERROR        /* of the system: error is filled */
} ngx_http_martech_store_next_e;


/* A record, or the range of bytes that is none. */
typedef struct {
    const unsigned char  *payload;      /* in the window: until the next call */
    size_t                len;          /* of the payload */
    uint64_t              seq;
    uint64_t              hash;
    uint64_t              offset;       /* in the file */
    uint64_t              behind;       /* in the file, of what follows */
} ngx_http_martech_store_record_t;


/* What is in a segment, from its progress on. */
typedef struct {
    uint64_t      records;
    uint64_t      bytes;                /* of the records */
    uint64_t      damaged;              /* ranges between records */
    uint64_t      damaged_bytes;        /* in them and in the torn tail */
    int           torn;                 /* the tail is */
    uint64_t      size;                 /* of the whole file */
    uint64_t      zone;
} ngx_http_martech_store_count_t;


/* A segment that was moved into our folder. */
typedef struct {
    uint64_t      id;                   /* its new one */
    uint64_t      zone;
    uint64_t      size;                 /* of the file */
} ngx_http_martech_store_adopted_t;


typedef struct {
    unsigned      folders;              /* emptied and removed */
    unsigned      segments;             /* moved to us: how many of out */
    unsigned      empty;                /* segments without a record left:
                                           deleted */
    unsigned      damaged;              /* segments whose head is unreadable:
                                           put aside */
    unsigned      foreign;              /* of another version: left */
    unsigned      unknown;              /* other files, and folders without a
                                           lock: left */
    unsigned      busy;                 /* folders of processes that live */
    unsigned      failed;               /* folders and files that could not be
                                           handled: left */
    unsigned      more;                 /* out is full: call again */
} ngx_http_martech_store_adoption_t;


/*
 * Creates ROOT/<name> and holds its lock.  The name is unique among all
 * processes and times, shorter than NAME_MAX, without "/", not "damaged", and
 * does not begin with a dot.  ROOT must be a folder, and not on NFS, whose
 * locks may be granted twice (EOPNOTSUPP).
 */
int ngx_http_martech_store_open(ngx_http_martech_store_t *store,
    const char *root, const char *name, ngx_http_martech_store_error_t *err);

/* 1 when somebody has removed the folder: what is written there is lost. */
int ngx_http_martech_store_gone(const ngx_http_martech_store_t *store);

/* Gives up the lock; files stay and are orphans.  May be called twice. */
void ngx_http_martech_store_close(ngx_http_martech_store_t *store);

/*
 * Removes the folder and closes it; ENOTEMPTY and nothing changed when there
 * is a file besides the lock.  After a failure it is still to be closed.
 */
int ngx_http_martech_store_remove(ngx_http_martech_store_t *store,
    ngx_http_martech_store_error_t *err);

/*
 * Gives the ids above after of the segments of the folder, the smallest max of
 * them, in order.
 */
int ngx_http_martech_store_list(const ngx_http_martech_store_t *store,
    uint64_t after, uint64_t *ids, size_t max, size_t *count,
    ngx_http_martech_store_error_t *err);

/* Deletes a segment for good. */
int ngx_http_martech_store_delete(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_error_t *err);

/* Moves a segment to ROOT/damaged, under a name of its own. */
int ngx_http_martech_store_keep(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_error_t *err);

/*
 * Moves the segments of all orphans into our folder, where they get the ids
 * from first_id on, in the order they had; the caller does not use first_id to
 * first_id + max - 1.  Out has room for max.  A folder that is empty then is
 * removed.  A crash at any time leaves each segment in one folder that is
 * ours or an orphan.  Any number of processes may do this at the same time.
 *
 * -1 when something could not be handled, with the first error; what could is
 * done, and the result is filled in any case.
 */
int ngx_http_martech_store_adopt(ngx_http_martech_store_t *store,
    uint64_t first_id, ngx_http_martech_store_adopted_t *out, size_t max,
    ngx_http_martech_store_adoption_t *result,
    ngx_http_martech_store_error_t *err);


/*
 * Creates a segment with size bytes reserved on disk (none when the file
 * system cannot).  After success it is on disk and will be found; after a
 * failure nothing of it is left.  Ids are from 1 to ID_MAX, EEXIST.
 */
int ngx_http_martech_store_file_create(ngx_http_martech_store_file_t *file,
    const ngx_http_martech_store_t *store, uint64_t id, uint64_t zone,
    uint64_t now_ms, uint64_t size, ngx_http_martech_store_error_t *err);

/*
 * Writes records: frames, payloads and paddings, whole ones (EINVAL when the
 * sum is no multiple of ALIGN).  They are on disk after a sync only.  After a
 * failure the offset is what it was: undo to it, then seal.
 */
int ngx_http_martech_store_file_append(ngx_http_martech_store_file_t *file,
    const struct iovec *iov, size_t count,
    ngx_http_martech_store_error_t *err);

/* 1 when somebody has deleted the file. */
int ngx_http_martech_store_file_gone(
    const ngx_http_martech_store_file_t *file);

/*
 * Waits until all is on disk.  After a failure nobody knows what is, and a
 * second try tells nothing: write the records to another segment.
 */
int ngx_http_martech_store_file_sync(ngx_http_martech_store_file_t *file,
    ngx_http_martech_store_error_t *err);

/*
 * Takes back what was written from offset on, so that it reads as the end.
 * The reservation may be lost with it.
 */
int ngx_http_martech_store_file_undo(ngx_http_martech_store_file_t *file,
    uint64_t offset, ngx_http_martech_store_error_t *err);

/* Gives back what is reserved and not used, and closes in any case. */
int ngx_http_martech_store_file_seal(ngx_http_martech_store_file_t *file,
    ngx_http_martech_store_error_t *err);

/* Closes as it is; may be called twice. */
void ngx_http_martech_store_file_close(ngx_http_martech_store_file_t *file);


/*
 * Opens a segment for reading from offset, which is one a record began at or
 * ended at, or 0: from its progress; and up to end, or 0: all of the file.  Of
 * a segment that is being written the end must be given.
 *
 * Errors besides those of the system: EBADMSG, the head is unreadable;
 * EPROTONOSUPPORT, another version wrote it; EINVAL, it is not a file.
 */
int ngx_http_martech_store_reader_open(ngx_http_martech_store_reader_t *reader,
    const ngx_http_martech_store_t *store, uint64_t id, uint64_t offset,
    uint64_t end, ngx_http_martech_store_error_t *err);

/*
 * Gives the next record, or the range of bytes that is none.  After END and
 * TORN there is nothing more.  After an error the call may be repeated.
 */
ngx_http_martech_store_next_e ngx_http_martech_store_reader_next(
    ngx_http_martech_store_reader_t *reader,
    ngx_http_martech_store_record_t *record,
    ngx_http_martech_store_error_t *err);

/*
 * Notes in the file that all up to offset is done; not synced, because what is
 * forgotten is only done again.
 */
int ngx_http_martech_store_reader_progress(
    ngx_http_martech_store_reader_t *reader, uint64_t offset,
    ngx_http_martech_store_error_t *err);

/* May be called twice. */
void ngx_http_martech_store_reader_close(
    ngx_http_martech_store_reader_t *reader);

/* Reads a segment to its end. */
int ngx_http_martech_store_count(const ngx_http_martech_store_t *store,
    uint64_t id, ngx_http_martech_store_count_t *count,
    ngx_http_martech_store_error_t *err);


#endif /* _NGX_HTTP_MARTECH_STORE_H_INCLUDED_ */
