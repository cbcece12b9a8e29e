
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * An endpoint ready for use: templates that are compiled, and limits.
 */


#ifndef _FWD_ENDPOINT_H_INCLUDED_
#define _FWD_ENDPOINT_H_INCLUDED_


#include "fwd_body.h"
#include "fwd_sign.h"
#include "fwd_template.h"


/* The place of records with "@endpoint": "sequence"; none of the list. */
#define FWD_ENDPOINT_SEQUENCE  FWD_ENDPOINTS_MAX

/* What is said of an event that has more records beside such a one. */
#define FWD_SEQUENCE_ALONE  "the map gave a record of the sequence and others"


typedef struct {
    const char           *name;
    fwd_template_t       *value;         /* a pair of an empty value is left
                                            out */
} fwd_endpoint_pair_t;


struct fwd_endpoint_s {
    const char           *name;          /* "main" if it is the only one */
    uint32_t              index;
    uint64_t              method;        /* fwd_method_t */
    uint64_t              framing;       /* fwd_framing_t */
    fwd_template_t       *url;
    fwd_endpoint_pair_t  *query;
    size_t                query_count;
    fwd_endpoint_pair_t  *headers;
    size_t                headers_count;
    const char           *content_type;
    fwd_body_t           *body;          /* NULL: the framing makes it */
    const char           *idempotency_header;  /* name, or NULL */
    const char           *answer_key;    /* of records, for ".keys" of
                                            answer.jq: name, or pointer; NULL */
    fwd_sign_key_t        key;           /* len 0: requests are not signed */

    uint64_t              count_max;     /* records of a call */
    uint64_t              bytes_max;     /* of its body, uncompressed */
    uint64_t              record_max;    /* of a record; 0: any */
    uint64_t              in_body_max;   /* of all records; 0: any */
    uint64_t              linger_ms;
    uint64_t              timeout_ms;
    uint64_t              ambiguous;     /* fwd_ambiguous_t */

    unsigned              gzip:1;
    unsigned              single:1;      /* a record a call */

    struct fwd_endpoint_s  *validate;    /* for a check by the vendor; NULL:
                                            it has none */
};


/*
 * Builds dest->http.endpoints of what the description has, if the destination
 * needs calls; what is wrong is reported.  For fwd_target.c.
 */
void fwd_endpoint_build(fwd_yaml_t *y, fwd_dest_conf_t *dest);

/* The same of a destination that does without, for tests of it. */
void fwd_endpoint_force(fwd_yaml_t *y, fwd_dest_conf_t *dest);

/* 1 if requests are more than the frame of a batch. */
int fwd_endpoint_needed(const fwd_desc_t *desc);

/* The endpoint of a name; NULL if there is none. */
const fwd_endpoint_t *fwd_endpoint_find(const fwd_dest_conf_t *dest,
    const char *name, size_t len);


#endif /* _FWD_ENDPOINT_H_INCLUDED_ */
