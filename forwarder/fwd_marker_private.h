
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of markers share: a marker as it was read.
 */


#ifndef _FWD_MARKER_PRIVATE_H_INCLUDED_
#define _FWD_MARKER_PRIVATE_H_INCLUDED_


#include "fwd_marker.h"


#define FWD_MARKER_PATHS_MAX  16         /* of "@get" */


/* What may stand beside a marker's own value. */
typedef enum {
    FWD_MARKER_DO = 0,
    FWD_MARKER_AS,
    FWD_MARKER_KEY,
    FWD_MARKER_NAME,
    FWD_MARKER_NAMESPACE,
    FWD_MARKER_ELSE,
    FWD_MARKER_MEMBERS
} fwd_marker_member_t;

#define FWD_MARKER_BIT(member)  (1u << (member))


typedef fwd_rc_t (*fwd_marker_pt)(fwd_marker_t *m,
    const fwd_marker_args_t *args, jv *out, fwd_error_t *err);


typedef struct {
    const char           *name;
    fwd_marker_pt         compute;       /* its text is in m->in, not empty */
    unsigned              members;       /* allowed: FWD_MARKER_BIT()s */
    unsigned              raw:1;         /* it takes the value itself */
} fwd_marker_row_t;


/* From m->in into m->out. */
typedef void (*fwd_marker_op_pt)(fwd_marker_t *m, const char *arg);

/* An operation of "do"; arg is a part of its word. */
typedef struct {
    fwd_marker_op_pt      run;
    const char           *arg;
} fwd_marker_step_t;


/* Texts are those of the marker's values, which are kept. */
struct fwd_marker_args_s {
    jv                       marker;     /* of those that are known */
    const fwd_marker_row_t  *row;
    jv                       value;
    jv                       members[FWD_MARKER_MEMBERS];  /* null: none */
    jv                       other;      /* "else" of "@get", or null */
    const char              *paths[FWD_MARKER_PATHS_MAX];
    uint32_t                 paths_count;  /* 0: the value is no "@get" */
    fwd_marker_step_t        ops[FWD_MARKER_OPS_MAX];
    uint32_t                 ops_count;
    uint32_t                 busy;       /* how often it is being computed */
};


/* fwd_marker.c: NULL if there is none of this name. */
const fwd_marker_row_t *fwd_marker_find(const char *name);

/* The text of a value, which is freed, in m->in; nothing of what has none. */
fwd_rc_t fwd_marker_in(fwd_marker_t *m, jv value, fwd_error_t *err)
    FWD_MUST_CHECK;

/* The operations of "do" on m->in. */
void fwd_marker_ops(fwd_marker_t *m, const fwd_marker_args_t *args);

int fwd_marker_blank(const fwd_buf_t *text);

/* A text of valid UTF-8: written where it belongs, or a value. */
jv fwd_marker_give(fwd_marker_t *m, const void *text, size_t len);


/* fwd_marker_digest.c: rows of the table. */
fwd_rc_t fwd_marker_sha256(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err);
fwd_rc_t fwd_marker_digest(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err);
fwd_rc_t fwd_marker_hmac(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err);
fwd_rc_t fwd_marker_base64(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err);
fwd_rc_t fwd_marker_uuid5(fwd_marker_t *m, const fwd_marker_args_t *args,
    jv *out, fwd_error_t *err);


/* fwd_marker_text.c: FWD_ERROR if there is no such word. */
fwd_rc_t fwd_marker_step(fwd_marker_step_t *step, const char *word,
    fwd_error_t *err) FWD_MUST_CHECK;
void fwd_marker_run(fwd_marker_t *m, const fwd_marker_step_t *step);

/*
 * fwd_marker_read.c: a marker, which is freed, as it is known, or read into
 * space; the caller frees the latter.  NULL with a text if it breaks the
 * rules.
 */
fwd_marker_args_t *fwd_marker_read(fwd_marker_t *m, jv marker,
    fwd_marker_args_t *space, fwd_error_t *err) FWD_MUST_CHECK;
void fwd_marker_args_free(fwd_marker_args_t *args);
void fwd_marker_known_free(fwd_marker_t *m);


#endif /* _FWD_MARKER_PRIVATE_H_INCLUDED_ */
