
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Markers: values in the output of a map that are computed here, such as
 * {"@sha256": "text", "do": ["trim", "lower"]}.  jq 1.6 is slow with texts,
 * and has no digests.  docs/DESTINATIONS.md lists them.
 *
 * Pure: no clock, no I/O.  An object of an event is no marker: names that
 * begin with "@" are kept apart while the event is in jq (fwd_jv.h).
 */


#ifndef _FWD_MARKER_H_INCLUDED_
#define _FWD_MARKER_H_INCLUDED_


#include <locale.h>

#include <jv.h>
#include <openssl/evp.h>

#include "fwd_buf.h"
#include "fwd_jv.h"


#define FWD_MARKER_TEXT_MAX  (1024 * 1024)   /* bytes of a text worked on */
#define FWD_MARKER_OPS_MAX   16          /* words of "do" */


#define FWD_MARKER_KNOWN     512         /* places of those that are kept */


typedef struct fwd_marker_args_s  fwd_marker_args_t;

/* What markers work with; two buffers, so that nothing is allocated each
   time. */
typedef struct {
    const char         *(*secret)(void *data, const char *name);
                                         /* value of a secret setting */
    fwd_rc_t            (*json)(void *data, jv value, fwd_buf_t *out,
                                fwd_error_t *err);
                                         /* appends a value, which is freed,
                                            with its markers computed; NULL:
                                            as it is */
    void                 *data;          /* of these */
    const fwd_reader_tape_t  *event;     /* of "@get"; NULL: none */
    fwd_jv_names_t       *names;         /* or NULL */
    fwd_buf_t             in;
    fwd_buf_t             out;
    locale_t              locale;        /* letters of all scripts */
    EVP_MD               *sha256;        /* NULL: OpenSSL has it not */
    EVP_MD               *sha1;
    EVP_MD               *md5;
    EVP_MD_CTX           *digest;
    unsigned              depth;         /* of markers in each other */
    fwd_buf_t            *direct;        /* of fwd_marker_write() */
    unsigned              wrote:1;
    fwd_marker_args_t    *known[FWD_MARKER_KNOWN];
} fwd_marker_t;


void fwd_marker_init(fwd_marker_t *m);
void fwd_marker_cleanup(fwd_marker_t *m);

/* 1 if an object is a marker: its first name begins with "@". */
int fwd_marker_is(jv object);

/* 1 if an object was computed before and is kept; sooner than the above. */
int fwd_marker_is_known(const fwd_marker_t *m, jv object);

/*
 * Computes a marker, which is freed; *out is a text, a number or null, or what
 * "@get" found.  FWD_ERROR with a text that holds no value.
 */
fwd_rc_t fwd_marker_compute(fwd_marker_t *m, jv marker, jv *out,
    fwd_error_t *err) FWD_MUST_CHECK;


/*
 * The same; *wrote is 1 if it was a text and its JSON was appended to out,
 * which saves a value.
 */
fwd_rc_t fwd_marker_write(fwd_marker_t *m, jv marker, fwd_buf_t *out,
    int *wrote, jv *value, fwd_error_t *err) FWD_MUST_CHECK;


/*
 * fwd_marker_time.c: microseconds since 1970 of a time text or a number of
 * seconds; and the value as a word of "as" has it.  FWD_NONE: it is no time.
 * FWD_ERROR: no such word.
 */
fwd_rc_t fwd_marker_time(jv value, int64_t *us) FWD_MUST_CHECK;
fwd_rc_t fwd_marker_time_as(int64_t us, const char *as, jv *out,
    fwd_error_t *err) FWD_MUST_CHECK;

/*
 * fwd_marker_time.c: the number in a text with currency signs and
 * thousands separators.  FWD_NONE: there is none.
 */
fwd_rc_t fwd_marker_number(const unsigned char *text, size_t len,
    double *number) FWD_MUST_CHECK;

/* The bytes of a UUID's text.  FWD_ERROR: it is none. */
fwd_rc_t fwd_marker_uuid(const char *text, unsigned char uuid[16])
    FWD_MUST_CHECK;


#endif /* _FWD_MARKER_H_INCLUDED_ */
