
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What every part of the event model shares: the string slice, the result
 * codes with their names and texts, and the limits.
 *
 * Nothing in this folder knows NGINX, Redis, sockets, files, clocks or logs:
 * time, settings and random bytes are arguments.
 */


#ifndef _MARTECH_H_INCLUDED_
#define _MARTECH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define MARTECH_VERSION         "0.1.0"
#define MARTECH_FORMAT_VERSION  "1"          /* docs/SPEC.md */

#define MARTECH_ID_SIZE_MAX     512          /* bytes, un-escaped */

/* Members of a batch's own context and integrations, which every event of
   the batch is merged with. */
#define MARTECH_BATCH_MEMBERS_MAX  64

#define MARTECH_MUST_CHECK      __attribute__((warn_unused_result))


/* A slice of somebody else's bytes; not terminated by zero. */
typedef struct {
    size_t                len;
    const unsigned char  *data;
} martech_str_t;


#define martech_string(s)  { sizeof(s) - 1, (const unsigned char *) (s) }


/*
 * Result of an operation of the event model.  The codes that a sender can
 * cause have a stable name, used in answers, counters and documentation
 * (martech_rc_name()); names of the Segment API are kept where it has one.
 */
typedef enum {
    MARTECH_OK = 0,

    /* the document */
    MARTECH_BODY_EMPTY,             /* no byte but white space */
    MARTECH_JSON_INVALID,           /* not RFC 8259 */
    MARTECH_JSON_UTF8,              /* bytes that are not UTF-8, or a lone
                                       surrogate escape */
    MARTECH_JSON_DEPTH,             /* nested too deeply */
    MARTECH_JSON_TOKENS,            /* more values than the tape holds */
    MARTECH_JSON_KEY_SIZE,          /* a member name is too long */
    MARTECH_JSON_STRING_SIZE,       /* a string is too long */
    MARTECH_REQUEST_FIELD,          /* what the sender's wire format asks for
                                       is missing, or is not what it says */

    /* the batch */
    MARTECH_BODY_NOT_OBJECT,
    MARTECH_BATCH_NOT_ARRAY,
    MARTECH_BATCH_EMPTY,
    MARTECH_BATCH_COUNT,            /* more events than allowed */
    MARTECH_BATCH_SIZE,             /* more bytes than allowed */
    MARTECH_BATCH_MEMBERS,          /* more than MARTECH_BATCH_MEMBERS_MAX */

    /* one event */
    MARTECH_EVENT_NOT_OBJECT,
    MARTECH_EVENT_SIZE,
    MARTECH_FIELD_DUPLICATE,        /* a member we interpret stands twice */
    MARTECH_TYPE_REQUIRED,
    MARTECH_TYPE_UNKNOWN,
    MARTECH_TYPE_MISMATCH,          /* path says one type, body another */
    MARTECH_NO_USER_ANON_ID,
    MARTECH_ID_NOT_STRING,
    MARTECH_ID_SIZE,                /* more than MARTECH_ID_SIZE_MAX */
    MARTECH_MESSAGE_ID_INVALID,     /* not a string, or control characters */
    MARTECH_MESSAGE_ID_SIZE,
    MARTECH_EVENT_NOT_DEFINED,
    MARTECH_EVENT_NOT_STRING,
    MARTECH_NAME_NOT_STRING,
    MARTECH_CATEGORY_NOT_STRING,
    MARTECH_PROPERTIES_NOT_OBJECT,
    MARTECH_TRAITS_NOT_OBJECT,
    MARTECH_CONTEXT_NOT_OBJECT,
    MARTECH_INTEGRATIONS_NOT_OBJECT,
    MARTECH_GROUP_ID_REQUIRED,
    MARTECH_PREVIOUS_ID_REQUIRED,
    MARTECH_USER_ID_REQUIRED,

    /* what is configured for events */
    MARTECH_PLAN_VIOLATION,         /* the tracking plan rejects it */
    MARTECH_PRIVACY_LIMIT,          /* more to redact than there is room for */

    MARTECH_RC_COUNT                /* number of codes, not a code */
} martech_rc_t;


/* Limits on what comes from outside.  Set by martech_limits_default(). */
typedef struct {
    size_t    event_size_max;       /* bytes of one event as sent, 32 KiB */
    size_t    batch_size_max;       /* bytes of a request body, 500 KiB;
                                       applied by who reads the body */
    uint32_t  batch_count_max;      /* events of a request, 2500 */
    uint32_t  message_id_max;       /* characters, 100 */
    uint32_t  depth_max;            /* nested arrays and objects, 32 */
    uint32_t  tokens_max;           /* values in one body, 262144; applied
                                       by who provides the tape */
    uint32_t  key_size_max;         /* bytes of a member name, 1024;
                                       at most 65535 */
    size_t    string_size_max;      /* bytes of a string, 32 KiB */
    uint32_t  inflate_ratio_max;    /* bytes that one byte of a compressed
                                       body becomes, 200; applied by who
                                       decompresses */
} martech_limits_t;


/* Fills in the defaults named above (docs/DIRECTIVES.md: martech_limits). */
void martech_limits_default(martech_limits_t *limits);

/* The stable name of a code, such as "no_user_anon_id"; never NULL. */
const char *martech_rc_name(martech_rc_t rc);

/* One sentence for the sender, without values of the event; never NULL. */
const char *martech_rc_text(martech_rc_t rc);


#endif /* _MARTECH_H_INCLUDED_ */
