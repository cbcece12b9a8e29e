
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Records: from an output of a map to the text that is sent, and what its
 * members "@..." say about the sending.  Values that are markers are computed
 * on the way (fwd_marker.h).
 */


#ifndef _FWD_RECORD_H_INCLUDED_
#define _FWD_RECORD_H_INCLUDED_


#include <jv.h>

#include "fwd_buf.h"
#include "fwd_config.h"
#include "fwd_marker.h"


#define FWD_RECORD_REASON_MAX  40        /* bytes of a reason */
#define FWD_RECORD_NAME_MAX    32        /* of "@array" */
#define FWD_RECORD_KEY_MAX     1024      /* of "@merge" */
#define FWD_RECORD_GROUP_MAX   65536     /* of "@group" and "@path" as JSON */


typedef enum {
    FWD_RECORD_SEND = 0,
    FWD_RECORD_DROP,              /* "@drop": the map says why */
    FWD_RECORD_DEAD               /* "@error": likewise */
} fwd_record_kind_t;


/* All slices are of the writer, for the time of the call. */
typedef struct {
    fwd_record_kind_t     kind;
    martech_str_t         text;          /* JSON; of the others the object as
                                            the map gave it */
    uint32_t              endpoint;      /* index, 0: the first */
    martech_str_t         group;         /* JSON with sorted names; empty:
                                            none */
    martech_str_t         path;          /* JSON; empty: none */
    martech_str_t         array;         /* empty: none */
    martech_str_t         merge;         /* empty: none */
    char                  reason[FWD_RECORD_REASON_MAX + 1];
    unsigned              alone:1;
    unsigned              steered:1;     /* anything above was said */
} fwd_record_t;


typedef struct {
    const fwd_dest_conf_t  *conf;
    fwd_marker_t          marker;
    uint64_t              omit;          /* fwd_omit_t */
    fwd_buf_t             text;
    fwd_buf_t             steer;         /* group, path, array, merge */
    unsigned              show:1;        /* for people: no secrets */
    unsigned              sorted:1;      /* while a group is written */
} fwd_record_writer_t;


void fwd_record_init(fwd_record_writer_t *w, const fwd_dest_conf_t *conf);
void fwd_record_cleanup(fwd_record_writer_t *w);

/*
 * Makes a record of an output, which is freed.  FWD_ERROR with a text that
 * holds no value of the event: it is no object, or says what is unknown.
 */
fwd_rc_t fwd_record_write(fwd_record_writer_t *w, jv value,
    fwd_record_t *record, fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_RECORD_H_INCLUDED_ */
