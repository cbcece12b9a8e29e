
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Templates of a description: text with "{name}" in it.
 *
 * What is known with the configuration ("{setting}", "{region.host}",
 * "{env}", "{version}") is put in once.  What is known with a call only, or
 * may change while we run, is put in for each: secret settings, "{auth.x}",
 * "{record.x}", "{group.x}", "{batch.id}".
 */


#ifndef _FWD_TEMPLATE_H_INCLUDED_
#define _FWD_TEMPLATE_H_INCLUDED_


#include <jv.h>

#include "fwd_buf.h"
#include "fwd_config.h"


/* Where the text will stand: how values are written. */
typedef enum {
    FWD_TEMPLATE_URL = 0,         /* percent-encoded; as it is at the start */
    FWD_TEMPLATE_QUERY,           /* percent-encoded */
    FWD_TEMPLATE_PLAIN            /* as it is: headers, and texts that their
                                     writer escapes */
} fwd_template_place_t;


typedef struct fwd_template_s  fwd_template_t;


/* What the templates of one call may name. */
typedef struct {
    const fwd_dest_conf_t  *conf;
    const martech_str_t    *texts;       /* records, JSON */
    const martech_str_t    *arrays;      /* their "@array", or NULL */
    uint32_t                count;
    jv                      group;       /* "@group"; invalid: none.  Both
                                            belong to the caller */
    jv                      path;        /* "@path" of the record */
    const char             *id;          /* of the call, stays the same in
                                            all attempts */
    uint64_t                now_ms;      /* wall clock */
    const char           *(*captured)(void *data, const char *name);
                                         /* "{auth.NAME}"; NULL: none */
    void                   *data;        /* of captured */
    unsigned                show:1;      /* for people: no secrets */
} fwd_scope_t;


/*
 * Compiles a text.  Names in it have been checked (fwd_desc_check.c).  NULL
 * if a setting in it has no value: what it stands for is left out.
 */
fwd_template_t *fwd_template_compile(const fwd_dest_conf_t *conf,
    const char *text, fwd_template_place_t place, fwd_pool_t *pool);

/*
 * Appends the text of a call.  FWD_NONE: a value is missing, and out is as
 * it was; *missing (if not NULL) is the name then.
 */
fwd_rc_t fwd_template_expand(const fwd_template_t *t,
    const fwd_scope_t *scope, fwd_buf_t *out, const char **missing)
    FWD_MUST_CHECK;

/* The text of a template that needs no call, else NULL. */
const char *fwd_template_constant(const fwd_template_t *t);

/* 1 if the text needs "{record.x}", or "{group.x}". */
int fwd_template_needs_record(const fwd_template_t *t);
int fwd_template_needs_group(const fwd_template_t *t);

/*
 * The value of a name that is known with the configuration; NULL if it has
 * none, or is no such name.
 */
const char *fwd_template_value(const fwd_dest_conf_t *conf, const char *name,
    size_t len);


#endif /* _FWD_TEMPLATE_H_INCLUDED_ */
