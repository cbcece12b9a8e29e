
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The spool of a worker, as its files share it: spool writes segments,
 * replay reads them.  All members belong to the event loop, but for those of
 * a job while a thread has it.
 */


#ifndef _NGX_HTTP_MARTECH_SPOOL_H_INCLUDED_
#define _NGX_HTTP_MARTECH_SPOOL_H_INCLUDED_


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_SPOOL_BATCH     512    /* records of a write */
#define NGX_HTTP_MARTECH_SPOOL_PAUSE     1000   /* ms, after a failure */
#define NGX_HTTP_MARTECH_REPLAY_RECORDS  512    /* of a block */
#define NGX_HTTP_MARTECH_REPLAY_ADOPT    16     /* segments at once */


/* A segment that is not written any more. */
typedef struct {
    ngx_queue_t                      queue;
    uint64_t                         id;
    uint64_t                         records;     /* to be replayed */
    uint64_t                         bytes;       /* on disk */
    unsigned                         damaged:1;   /* to be kept for a human */
} ngx_http_martech_sealed_t;


typedef enum {
    NGX_HTTP_MARTECH_JOB_OPEN = 0,         /* the folder and a segment */
    NGX_HTTP_MARTECH_JOB_WRITE,            /* the batch */
    NGX_HTTP_MARTECH_JOB_SYNC,
    NGX_HTTP_MARTECH_JOB_SPARE,            /* one more segment */
    NGX_HTTP_MARTECH_JOB_SEAL              /* the segment, to replay it */
} ngx_http_martech_job_e;


/* What a thread does for the writer. */
typedef struct {
    ngx_http_martech_job_e           kind;
    ngx_http_martech_store_t         store;
    ngx_http_martech_store_file_t    file;        /* fd -1: none */
    ngx_http_martech_store_file_t    spare;       /* fd -1: none */
    uint64_t                         file_records;
    uint64_t                         next_id;     /* of JOB_IDS */
    uint64_t                         zone;
    uint64_t                         now_ms;
    size_t                           segment;
    const char                      *root;
    char                             name[NGX_HTTP_MARTECH_STORE_NAME_MAX];

    ngx_queue_t                      batch;       /* records */
    ngx_uint_t                       records;
    size_t                           bytes;       /* of them on disk */
    struct iovec                    *iovs;
    u_char                          *frames;

    unsigned                         opened:1;
    unsigned                         sync:1;      /* before it is done */
    unsigned                         lazy:1;      /* not after each write */
    unsigned                         full:1;      /* no segment may be added */
    unsigned                         gone:1;      /* the folder, after -1 */

    int                              rc;          /* 0 or -1: error */
    ngx_http_martech_store_error_t   error;
    ngx_uint_t                       nsealed;
    ngx_http_martech_sealed_t        sealed[3];   /* by this job */
    ngx_atomic_t                     finished;
} ngx_http_martech_job_t;


typedef enum {
    NGX_HTTP_MARTECH_REPLAY_ADOPT_JOB = 0,
    NGX_HTTP_MARTECH_REPLAY_READ_JOB,
    NGX_HTTP_MARTECH_REPLAY_END_JOB
} ngx_http_martech_replay_job_e;


/* What a thread does for the replay. */
typedef struct {
    ngx_http_martech_replay_job_e       kind;
    ngx_http_martech_main_conf_t       *conf;
    ngx_http_martech_store_t           *store;
    ngx_http_martech_store_reader_t     reader;
    unsigned                            reading:1;    /* reader is open */
    unsigned                            held:1;       /* record is to be
                                                         taken first */
    unsigned                            damaged:1;    /* the segment is */
    ngx_http_martech_store_record_t     record;
    unsigned                            gone:1;       /* the folder is */
    uint64_t                            id;           /* of the segment */
    uint64_t                            progress;     /* to be noted, or 0 */

    /* a block: commands, and a record for each */
    u_char                             *block;
    size_t                              size;
    ngx_http_martech_record_t          *records;
    uint64_t                           *behind;       /* offsets */
    ngx_uint_t                          nrecords;
    uint64_t                            skipped;      /* bytes lost */

    /* adoption */
    uint64_t                            first_id;
    ngx_http_martech_store_adopted_t    adopted[NGX_HTTP_MARTECH_REPLAY_ADOPT];
    ngx_http_martech_store_count_t      counts[NGX_HTTP_MARTECH_REPLAY_ADOPT];
    ngx_http_martech_store_adoption_t   adoption;

    int                                 rc;
    ngx_http_martech_store_error_t      error;
    ngx_atomic_t                        finished;
} ngx_http_martech_replay_task_t;


struct ngx_http_martech_spool_s {
    ngx_http_martech_worker_t       *worker;
    ngx_http_martech_spool_conf_t   *conf;
    ngx_http_martech_job_t           job;
    ngx_thread_task_t                task;
    uint64_t                         next_id;     /* of a segment */
    ngx_queue_t                      waiting;     /* records to write */
    size_t                           waiting_bytes;
    size_t                           room;        /* in the segment */
    uint64_t                         bytes;       /* of sealed segments */
    uint64_t                         open_bytes;  /* of the others */
    ngx_queue_t                      sealed;      /* by id, and those
                                                     put off behind */
    uint64_t                         ids_end;     /* of the job's ids */
    ngx_msec_t                       synced;
    ngx_msec_t                       failed_since;
    ngx_msec_t                       spare_failed_since;
    time_t                           logged;
    ngx_event_t                      flush;       /* posted */
    ngx_event_t                      timer;       /* sync, retry */
    ngx_connection_t                 dummy;
    unsigned                         busy:1;      /* a thread has the job */
    unsigned                         failed:1;
    unsigned                         spare_failed:1;
    unsigned                         dirty:1;     /* written, not synced */
    unsigned                         gone:1;      /* the folder; the replay
                                                     begins nothing */
    unsigned                         seal:1;      /* the replay wants it */
    unsigned                         opened:1;    /* its folder is there */
    unsigned                         closed:1;
};


/* How the files of the spool meet. */
void ngx_http_martech_spool_next(ngx_http_martech_spool_t *spool);
void ngx_http_martech_spool_completed(ngx_event_t *ev);
void ngx_http_martech_spool_result(ngx_http_martech_spool_t *spool);
void ngx_http_martech_spool_give_up(ngx_http_martech_spool_t *spool);
void ngx_http_martech_spool_gauges(ngx_http_martech_spool_t *spool);

/* replay_job: what the thread does; notes in the file how far it has come. */
void ngx_http_martech_replay_thread(void *data, ngx_log_t *log);
void ngx_http_martech_replay_note(ngx_http_martech_replay_task_t *job);

/* job: does what its kind says, blocking; gives up its files. */
void ngx_http_martech_job_run(void *data, ngx_log_t *log);
void ngx_http_martech_job_close(ngx_http_martech_job_t *job);

/* Asks for the segment that is being written, if it has records. */
void ngx_http_martech_spool_seal(ngx_http_martech_spool_t *spool);

/* The folder is gone: it is made once more, when the replay is idle. */
void ngx_http_martech_spool_renew(ngx_http_martech_spool_t *spool);

/* Has a thread do a task. */
ngx_int_t ngx_http_martech_spool_task(ngx_http_martech_spool_t *spool,
    ngx_thread_task_t *task);

/* Ids for n segments; returns the first. */
uint64_t ngx_http_martech_spool_ids(ngx_http_martech_spool_t *spool,
    ngx_uint_t n);

/* One more to be replayed; NGX_ERROR without memory. */
ngx_int_t ngx_http_martech_spool_add(ngx_http_martech_spool_t *spool,
    ngx_http_martech_sealed_t *sealed);

/* It is gone from disk. */
void ngx_http_martech_spool_remove(ngx_http_martech_spool_t *spool,
    ngx_http_martech_sealed_t *sealed);

/* Events came to disk, or have left it. */
void ngx_http_martech_spool_count(ngx_http_martech_spool_t *spool, int64_t n);

void ngx_http_martech_spool_log(ngx_http_martech_spool_t *spool,
    ngx_http_martech_store_error_t *err, const char *consequence);


#endif /* _NGX_HTTP_MARTECH_SPOOL_H_INCLUDED_ */
