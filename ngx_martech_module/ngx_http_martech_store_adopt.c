
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Adoption: the segments of processes that are gone become ours.
 *
 * A segment changes its folder by one rename, so that it is found in exactly
 * one of them after a crash; both folders are synced before the old one goes.
 * The lock of the old folder is held meanwhile, against other adopters.
 */


#include "ngx_http_martech_store_private.h"


#define NGX_HTTP_MARTECH_STORE_IDS  64


/* One run over ROOT. */
typedef struct {
    ngx_http_martech_store_t           *store;
    uint64_t                            next_id;
    ngx_http_martech_store_adopted_t   *out;
    size_t                              max;
    ngx_http_martech_store_adoption_t  *result;
    ngx_http_martech_store_error_t     *err;     /* the first one */
    ngx_http_martech_store_error_t      last;    /* to be noted, or not */
} ngx_http_martech_store_run_t;


static void ngx_http_martech_store_adopt_failed(
    ngx_http_martech_store_run_t *run);
static void ngx_http_martech_store_adopt_folder(
    ngx_http_martech_store_run_t *run, const char *name);
static int ngx_http_martech_store_adopt_lock(
    ngx_http_martech_store_run_t *run, ngx_http_martech_store_t *orphan);
static void ngx_http_martech_store_adopt_segments(
    ngx_http_martech_store_run_t *run, const ngx_http_martech_store_t *orphan);
static void ngx_http_martech_store_adopt_segment(
    ngx_http_martech_store_run_t *run, const ngx_http_martech_store_t *orphan,
    uint64_t id);
static void ngx_http_martech_store_adopt_unreadable(
    ngx_http_martech_store_run_t *run, const ngx_http_martech_store_t *orphan,
    uint64_t id);
static void ngx_http_martech_store_adopt_move(
    ngx_http_martech_store_run_t *run, const ngx_http_martech_store_t *orphan,
    uint64_t id, uint64_t zone, uint64_t size);
static void ngx_http_martech_store_adopt_rest(
    ngx_http_martech_store_run_t *run, const ngx_http_martech_store_t *orphan);


int
ngx_http_martech_store_adopt(ngx_http_martech_store_t *store,
    uint64_t first_id, ngx_http_martech_store_adopted_t *out, size_t max,
    ngx_http_martech_store_adoption_t *result,
    ngx_http_martech_store_error_t *err)
{
    DIR                           *d;
    const char                    *name;
    ngx_http_martech_store_run_t   run;

    memset(result, 0, sizeof(ngx_http_martech_store_adoption_t));
    memset(&run, 0, sizeof(ngx_http_martech_store_run_t));

    run.store = store;
    run.next_id = first_id;
    run.out = out;
    run.max = max;
    run.result = result;
    run.err = err;

    ngx_http_martech_store_sweep(store);

    d = ngx_http_martech_store_opendir(store->root_fd);
    if (d == NULL) {
        result->failed++;
        return ngx_http_martech_store_fail(err, store, NULL,
                                           "listing the spool of");
    }

    while (!result->more) {
        name = ngx_http_martech_store_readdir(d);

        if (name == NULL) {
            if (errno != 0) {
                (void) ngx_http_martech_store_fail(&run.last, store, NULL,
                                                   "listing the spool of");
                ngx_http_martech_store_adopt_failed(&run);
            }

            break;
        }

        if (name[0] != '.' && strcmp(name, store->name) != 0
            && strcmp(name, NGX_HTTP_MARTECH_STORE_ASIDE) != 0)
        {
            ngx_http_martech_store_adopt_folder(&run, name);
        }
    }

    (void) closedir(d);

    return (result->failed > 0) ? -1 : 0;
}


static void
ngx_http_martech_store_adopt_failed(ngx_http_martech_store_run_t *run)
{
    if (run->result->failed++ == 0) {
        *run->err = run->last;
    }
}


/* The descriptor of ROOT is lent to the orphan. */

static void
ngx_http_martech_store_adopt_folder(ngx_http_martech_store_run_t *run,
    const char *name)
{
    unsigned                  moved;
    ngx_http_martech_store_t  orphan;

    if (strlen(name) >= NGX_HTTP_MARTECH_STORE_NAME_MAX) {
        run->result->unknown++;
        return;
    }

    memset(&orphan, 0, sizeof(ngx_http_martech_store_t));
    memcpy(orphan.name, name, strlen(name) + 1);

    orphan.root = run->store->root;
    orphan.root_fd = -1;
    orphan.lock_fd = -1;
    orphan.fd = openat(run->store->root_fd, name, NGX_HTTP_MARTECH_STORE_DIR);

    if (!ngx_http_martech_store_adopt_lock(run, &orphan)) {
        ngx_http_martech_store_close(&orphan);
        return;
    }

    orphan.root_fd = run->store->root_fd;
    moved = run->result->segments;

    ngx_http_martech_store_adopt_segments(run, &orphan);
    ngx_http_martech_store_adopt_rest(run, &orphan);

    if (run->result->segments > moved
        && (ngx_http_martech_store_sync_dir(run->store->fd) == -1
            || ngx_http_martech_store_sync_dir(orphan.fd) == -1))
    {
        (void) ngx_http_martech_store_fail(&run->last, &orphan, NULL,
                                           "syncing the moves from");
        ngx_http_martech_store_adopt_failed(run);

    } else if (ngx_http_martech_store_remove_folder(&orphan, &run->last)
               == 0)
    {
        run->result->folders++;

    } else if (run->last.err != ENOTEMPTY) {
        ngx_http_martech_store_adopt_failed(run);
    }

    orphan.root_fd = -1;
    ngx_http_martech_store_close(&orphan);
}


/*
 * 1 when the folder is an orphan and its lock ours.  A lock that was deleted
 * while we opened it is that of a folder that is gone.
 */

static int
ngx_http_martech_store_adopt_lock(ngx_http_martech_store_run_t *run,
    ngx_http_martech_store_t *orphan)
{
    struct stat  st;

    if (orphan->fd == -1) {
        if (errno == ENOTDIR || errno == ELOOP) {
            run->result->unknown++;
            return 0;
        }

        if (errno == ENOENT) {
            return 0;
        }

        goto failed;
    }

    orphan->lock_fd = openat(orphan->fd, NGX_HTTP_MARTECH_STORE_LOCK,
                             O_RDWR | O_NOFOLLOW | O_CLOEXEC);

    if (orphan->lock_fd == -1) {
        if (errno != ENOENT) {
            goto failed;
        }

        if (fstat(orphan->fd, &st) == 0 && st.st_nlink > 0) {
            run->result->unknown++;
        }

        return 0;
    }

    if (ngx_http_martech_store_flock(orphan->lock_fd, LOCK_EX | LOCK_NB)
        == -1)
    {
        if (errno == EWOULDBLOCK) {
            run->result->busy++;
            return 0;
        }

        goto failed;
    }

    if (fstat(orphan->lock_fd, &st) == -1) {
        goto failed;
    }

    return st.st_nlink > 0;

failed:

    (void) ngx_http_martech_store_fail(&run->last, orphan, NULL, "taking");
    ngx_http_martech_store_adopt_failed(run);

    return 0;
}


/* What is left where it is must not be met again: the ids go on from there. */

static void
ngx_http_martech_store_adopt_segments(ngx_http_martech_store_run_t *run,
    const ngx_http_martech_store_t *orphan)
{
    size_t    i, count;
    uint64_t  after, ids[NGX_HTTP_MARTECH_STORE_IDS];

    after = 0;

    do {
        if (ngx_http_martech_store_list(orphan, after, ids,
                                        NGX_HTTP_MARTECH_STORE_IDS, &count,
                                        &run->last)
            == -1)
        {
            ngx_http_martech_store_adopt_failed(run);
            return;
        }

        for (i = 0; i < count && !run->result->more; i++) {
            ngx_http_martech_store_adopt_segment(run, orphan, ids[i]);
            after = ids[i];
        }

    } while (count == NGX_HTTP_MARTECH_STORE_IDS && !run->result->more);
}


/* A torn segment is moved like a good one: who reads it decides about it. */

static void
ngx_http_martech_store_adopt_segment(ngx_http_martech_store_run_t *run,
    const ngx_http_martech_store_t *orphan, uint64_t id)
{
    uint64_t                         zone, size;
    ngx_http_martech_store_next_e    next;
    ngx_http_martech_store_record_t  record;
    ngx_http_martech_store_reader_t  reader;

    if (ngx_http_martech_store_reader_open(&reader, orphan, id, 0, 0,
                                           &run->last)
        == -1)
    {
        ngx_http_martech_store_adopt_unreadable(run, orphan, id);
        return;
    }

    zone = reader.segment.zone;
    size = reader.end;

    next = ngx_http_martech_store_reader_next(&reader, &record, &run->last);

    ngx_http_martech_store_reader_close(&reader);

    switch (next) {

    case NGX_HTTP_MARTECH_STORE_ERROR:
        ngx_http_martech_store_adopt_failed(run);
        break;

    case NGX_HTTP_MARTECH_STORE_END:
        if (ngx_http_martech_store_delete(orphan, id, &run->last) == -1) {
            ngx_http_martech_store_adopt_failed(run);
            break;
        }

        run->result->empty++;
        break;

    default:
        ngx_http_martech_store_adopt_move(run, orphan, id, zone, size);
    }
}


static void
ngx_http_martech_store_adopt_unreadable(ngx_http_martech_store_run_t *run,
    const ngx_http_martech_store_t *orphan, uint64_t id)
{
    switch (run->last.err) {

    case EPROTONOSUPPORT:
        run->result->foreign++;
        break;

    case EBADMSG:
        if (ngx_http_martech_store_keep(orphan, id, &run->last) == -1) {
            ngx_http_martech_store_adopt_failed(run);
            break;
        }

        run->result->damaged++;
        break;

    default:
        ngx_http_martech_store_adopt_failed(run);
    }
}


static void
ngx_http_martech_store_adopt_move(ngx_http_martech_store_run_t *run,
    const ngx_http_martech_store_t *orphan, uint64_t id, uint64_t zone,
    uint64_t size)
{
    ngx_http_martech_store_adopted_t  *adopted;

    if (run->result->segments == run->max) {
        run->result->more = 1;
        return;
    }

    if (ngx_http_martech_store_move(orphan, id, run->store, run->next_id,
                                    &run->last)
        == -1)
    {
        ngx_http_martech_store_adopt_failed(run);
        return;
    }

    adopted = &run->out[run->result->segments++];

    adopted->id = run->next_id++;
    adopted->zone = zone;
    adopted->size = size;
}


/* Deletes segments that were never finished, counts what is not of ours. */

static void
ngx_http_martech_store_adopt_rest(ngx_http_martech_store_run_t *run,
    const ngx_http_martech_store_t *orphan)
{
    DIR         *d;
    const char  *name;

    d = ngx_http_martech_store_opendir(orphan->fd);

    while (d != NULL) {
        name = ngx_http_martech_store_readdir(d);

        if (name == NULL) {
            (void) closedir(d);
            break;
        }

        if (strcmp(name, NGX_HTTP_MARTECH_STORE_LOCK) == 0
            || ngx_http_martech_store_file_id(name, NGX_HTTP_MARTECH_STORE_SEG)
               != 0)
        {
            continue;
        }

        if (ngx_http_martech_store_file_id(name, NGX_HTTP_MARTECH_STORE_NEW)
            == 0)
        {
            run->result->unknown++;
            continue;
        }

        if (unlinkat(orphan->fd, name, 0) == -1) {
            (void) ngx_http_martech_store_fail(&run->last, orphan, name,
                                               "deleting");
            ngx_http_martech_store_adopt_failed(run);
        }
    }
}
