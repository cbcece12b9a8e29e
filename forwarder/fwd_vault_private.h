
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of fwd_vault share with the one that keeps the process.
 */


#ifndef _FWD_VAULT_PRIVATE_H_INCLUDED_
#define _FWD_VAULT_PRIVATE_H_INCLUDED_


#include <curl/curl.h>
#include <jansson.h>

#include "fwd_buf.h"
#include "fwd_vault.h"


#define FWD_VAULT_MESSAGE_MAX  (16 * 1024 * 1024)
#define FWD_VAULT_LENGTH       9         /* 8 digits and "\n" */
#define FWD_VAULT_ANSWER_MAX   (1024 * 1024)


typedef struct {
    json_t               *fields;        /* as last told; NULL: none */
    char                 *lease;         /* id, or NULL */
    uint64_t              lease_ms;      /* monotonic, when to renew */
    json_int_t            lease_full_s;  /* the longest that it was given */
} fwd_vault_entry_t;


typedef struct {
    const fwd_vault_conf_t  *conf;
    fwd_log_t            *log;
    int                   fd;
    CURL                 *easy;
    char                  token[FWD_SECRET_SIZE_MAX];
    uint64_t              token_ms;      /* monotonic, when to renew; 0: it
                                            need not be */
    json_int_t            token_full_s;  /* the longest that it was given */
    uint64_t              read_ms;       /* monotonic, next look */
    uint64_t              again_ms;      /* wait after a failure */
    fwd_vault_entry_t     entries[FWD_VAULT_PATHS_MAX];
    fwd_buf_t             answer;
    char                  error[256];    /* of the last failure */
    unsigned              failing:1;
} fwd_vault_t;


/*
 * JSON of which nothing stays in memory: between the two calls all memory of
 * jansson that is freed is wiped.  NULL is no JSON; parsed() takes that too.
 */
json_t *fwd_vault_parse(const char *text, size_t len);
void fwd_vault_parsed(json_t *json);

/*
 * fwd_vault_http.c: one request, which is waited for.  The status, 0 without
 * an answer; what failed stands in v->error.  *root is NULL if the answer is
 * no JSON.
 */
int fwd_vault_call(fwd_vault_t *v, const char *method, const char *path,
    const char *body, json_t **root);

/* The JSON of the first message in a buffer; NULL: not all of it is there. */
const char *fwd_vault_message(fwd_buf_t *text);


#endif /* _FWD_VAULT_PRIVATE_H_INCLUDED_ */
