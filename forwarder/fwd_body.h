
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Body templates: a JSON value in which some texts are replaced, by records,
 * by the group, by the time; or a form of such texts.
 */


#ifndef _FWD_BODY_H_INCLUDED_
#define _FWD_BODY_H_INCLUDED_


#include "fwd_template.h"


typedef struct fwd_body_s  fwd_body_t;


/* Which members the writer leaves out, docs/DESTINATIONS.md "omit". */
typedef enum {
    FWD_OMIT_NONE = 0,
    FWD_OMIT_NULL,
    FWD_OMIT_EMPTY
} fwd_omit_t;


/* For errors: what a text that begins with "@" may be. */
#define FWD_BODY_WORDS                                                        \
    "@records, @records:NAME, @record, @group, @group.NAME, @text, @now_ms, " \
    "@now_s and @now_iso"


/* 1 if a text that begins with "@" is one of those. */
int fwd_body_word_valid(const char *text);

/*
 * Compiles the JSON text of a body; form: its members become fields of a
 * form.  NULL with an error if it is none, or says "@..." that is unknown.
 */
fwd_body_t *fwd_body_compile(const fwd_dest_conf_t *conf, const char *json,
    int form, fwd_pool_t *pool, fwd_error_t *err) FWD_MUST_CHECK;

/*
 * Appends the body of a call.  FWD_NONE: a template has no value; the name is
 * in *missing.
 */
fwd_rc_t fwd_body_write(const fwd_body_t *body, const fwd_scope_t *scope,
    fwd_buf_t *out, const char **missing) FWD_MUST_CHECK;

/*
 * Bytes that one more record adds, at most: itself and a comma, escaped
 * where it stands in a text.
 */
size_t fwd_body_cost(const fwd_body_t *body, martech_str_t record);

/* 1 if the body holds one record only ("@record"). */
int fwd_body_is_single(const fwd_body_t *body);


#endif /* _FWD_BODY_H_INCLUDED_ */
