
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the Snowplow dialect: its fields, an event being
 * translated, and what its endpoints share.
 *
 * Names and meanings: Snowplow tracker protocol, version 2.
 */


#ifndef _MARTECH_DIALECT_SNOWPLOW_H_INCLUDED_
#define _MARTECH_DIALECT_SNOWPLOW_H_INCLUDED_


#include "martech_dialect_flat.h"


/* Of the protocol, by length; MARTECH_SP_n is the first of n characters. */

enum {
    MARTECH_SP_1 = 0,
    MARTECH_SP_E = MARTECH_SP_1,
    MARTECH_SP_P,
    MARTECH_SP_U,                          /* target of a redirect */

    MARTECH_SP_2,
    MARTECH_SP_CO = MARTECH_SP_2,
    MARTECH_SP_CX,
    MARTECH_SP_TV,
    MARTECH_SP_TZ,
    MARTECH_SP_UA,
    MARTECH_SP_IP,

    MARTECH_SP_3,
    MARTECH_SP_AID = MARTECH_SP_3,
    MARTECH_SP_DTM,
    MARTECH_SP_EID,
    MARTECH_SP_RES,
    MARTECH_SP_SID,
    MARTECH_SP_SIG,                        /* signature of u, ours */
    MARTECH_SP_STM,
    MARTECH_SP_TTM,
    MARTECH_SP_UID,
    MARTECH_SP_URL,
    MARTECH_SP_VID,

    MARTECH_SP_4,
    MARTECH_SP_DUID = MARTECH_SP_4,
    MARTECH_SP_LANG,
    MARTECH_SP_NUID,
    MARTECH_SP_PAGE,
    MARTECH_SP_REFR,
    MARTECH_SP_N3PC,                       /* mark of a cookie bounce */

    MARTECH_SP_5,
    MARTECH_SP_SE_CA = MARTECH_SP_5,
    MARTECH_SP_SE_AC,
    MARTECH_SP_SE_LA,
    MARTECH_SP_SE_PR,
    MARTECH_SP_SE_VA,
    MARTECH_SP_TI_ID,
    MARTECH_SP_TI_SK,
    MARTECH_SP_TI_NM,
    MARTECH_SP_TI_CA,
    MARTECH_SP_TI_PR,
    MARTECH_SP_TI_QU,
    MARTECH_SP_TI_CU,
    MARTECH_SP_TNUID,
    MARTECH_SP_TR_ID,
    MARTECH_SP_TR_AF,
    MARTECH_SP_TR_TT,
    MARTECH_SP_TR_TX,
    MARTECH_SP_TR_SH,
    MARTECH_SP_TR_CI,
    MARTECH_SP_TR_ST,
    MARTECH_SP_TR_CO,
    MARTECH_SP_TR_CU,
    MARTECH_SP_UE_PR,
    MARTECH_SP_UE_PX,

    MARTECH_SP_6,
    MARTECH_SP_PP_MIX = MARTECH_SP_6,
    MARTECH_SP_PP_MAX,
    MARTECH_SP_PP_MIY,
    MARTECH_SP_PP_MAY,

    MARTECH_SP_7,
    MARTECH_SP_8 = MARTECH_SP_7,
    MARTECH_SP_WRITE_KEY = MARTECH_SP_8,     /* of this server, not of events */

    MARTECH_SP_COUNT
};


typedef enum {
    MARTECH_SP_GOOD = 0,
    MARTECH_SP_BAD,                        /* not understood: null */
    MARTECH_SP_TOKENS                      /* the tape is too small */
} martech_snowplow_rc_t;


/* "iglu:VENDOR/NAME/FORMAT/VERSION" */
typedef struct {
    martech_str_t  uri;
    martech_str_t  vendor;
    martech_str_t  name;
} martech_iglu_t;


/* Of a request, for all of its events. */
typedef struct {
    martech_str_t  nuid;                 /* network user id; may be empty */
    unsigned       anonymous:1;          /* header SP-Anonymous */
} martech_snowplow_user_t;


/* An event: its fields, and the JSON in them. */
typedef struct {
    martech_flat_t       flat;
    martech_json_tape_t  event;          /* of ue_pr or ue_px */
    martech_json_tape_t  entities;       /* of co or cx */
    uint32_t             used;           /* nodes of the tape that are taken */
    martech_iglu_t       schema;
    uint32_t             data;           /* nodes of these tapes, NONE: there
                                            is none */
    uint32_t             list;
    unsigned             self:1;         /* self-describing */
    martech_str_t        target;         /* of a redirect */
} martech_snowplow_t;


extern const martech_flat_table_t  martech_snowplow_table;


/* martech_dialect_snowplow_event.c: one event, as gathered in flat. */
martech_snowplow_rc_t martech_snowplow_read(martech_translation_t *t,
    martech_snowplow_t *sp);
void martech_snowplow_write(martech_translation_t *t, martech_snowplow_t *sp,
    const martech_snowplow_user_t *user);

/* 1 if a text is an Iglu URI. */
int martech_iglu_parse(martech_str_t text, martech_iglu_t *iglu);

/*
 * The network user id: one in the query, else that of the cookie; zeros for
 * who asks for anonymity.  out has MARTECH_ID_SIZE_MAX bytes.
 */
void martech_snowplow_user(const martech_request_t *request,
    unsigned char *out, martech_snowplow_user_t *user);

/* The ids of an event, and the parts of the context that all events have. */
void martech_snowplow_ids(martech_translation_t *t, martech_str_t uid,
    martech_str_t duid, martech_str_t nuid,
    const martech_snowplow_user_t *user);


/* martech_dialect_snowplow_iglu.c: events of other systems' webhooks. */
martech_rc_t martech_snowplow_iglu(martech_translation_t *t);


/*
 * martech_dialect_snowplow_target.c: where a redirect goes.  Writes the
 * checked target to out; returns its length, or -1 if it must not be followed.
 */
long martech_snowplow_target(const martech_request_t *request,
    unsigned char *out, size_t size);


#endif /* _MARTECH_DIALECT_SNOWPLOW_H_INCLUDED_ */
