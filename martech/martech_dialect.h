
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dialects: the wire formats that senders speak (docs/DIALECTS.md).
 *
 * A dialect recognises its requests by their path, turns one into a batch of
 * events in the form that the event model reads (martech_batch_open()), and
 * knows what its senders expect as an answer.  It knows no server: a request
 * comes in as slices, a batch and an answer go out as bytes.  One file a
 * dialect, martech_dialect_NAME.c; all of them stand in martech_dialect.c.
 */


#ifndef _MARTECH_DIALECT_H_INCLUDED_
#define _MARTECH_DIALECT_H_INCLUDED_


#include "martech.h"
#include "martech_event.h"
#include "martech_json.h"


/* Methods as bits. */
#define MARTECH_GET      0x01
#define MARTECH_HEAD     0x02
#define MARTECH_POST     0x04
#define MARTECH_OPTIONS  0x08
#define MARTECH_PUT      0x10
#define MARTECH_DELETE   0x20

#define MARTECH_REPLY_HEADERS  4         /* at most, of a dialect's own */
#define MARTECH_TARGETS_MAX    32


/* What a location says of one dialect; all slices may be empty. */
typedef struct {
    martech_str_t  path;                 /* post_path=: one more path for
                                            events, from "/" */
    martech_str_t  targets[MARTECH_TARGETS_MAX];
                                         /* redirect=: hosts, "*.host" too */
    unsigned       ntargets;
    martech_str_t  key;                  /* redirect_key_file=: signs them */
    unsigned       enabled:1;
} martech_dialect_conf_t;


typedef struct martech_request_s  martech_request_t;

/* A request, as far as a dialect may see it. */
struct martech_request_s {
    unsigned       method;               /* one bit of those above */
    martech_str_t  path;                 /* behind the location, from "/" */
    martech_str_t  args;                 /* of the query, as sent, no "?" */
    martech_str_t  content_type;         /* as sent; empty: none */
    martech_str_t  scheme;               /* "http", "https" */
    martech_str_t  host;                 /* as sent, with its port */
    martech_str_t  prefix;               /* of the location: "/collect", or
                                            empty */
    martech_str_t  body;                 /* decompressed; for translate alone,
                                            else empty */
    martech_str_t  visitor;              /* id of the identity cookie, sent or
                                            new; empty: none */
    uint64_t       now_ms;
    uint64_t       random[2];
    unsigned       note;                 /* what translate has left for reply,
                                            which sees no body; 0: nothing */
    unsigned       denied:1;             /* for reply: who it is of must not
                                            be passed on */

    const martech_dialect_conf_t  *conf; /* of the dialect asked */

    /* the first value of a header (name in lower case), of a cookie; no data:
       there is none */
    martech_str_t  (*header)(const martech_request_t *request,
                             const char *name, size_t len);
    martech_str_t  (*cookie)(const martech_request_t *request,
                             const char *name, size_t len);

    /* the i-th header, name in any case; 0: there are fewer */
    int            (*each)(const martech_request_t *request, unsigned i,
                           martech_str_t *name, martech_str_t *value);

    void          *data;                 /* of these three */
};


/* A request being turned into a batch. */
typedef struct {
    const martech_request_t  *request;
    const martech_limits_t   *limits;
    martech_json_tape_t      *tape;      /* to scan with, see _scan() */
    unsigned char            *scratch;   /* for what is decoded on the way */
    size_t                    scratch_size;  /* 4 times the body and query,
                                                and 4096 at least */
    size_t                    scratch_used;
    martech_json_writer_t     out;       /* the batch */
    const char               *field;     /* of a refusal: JSON pointer or name
                                            of a parameter, static */
    long                      offset;    /* of a JSON error, or -1 */
    unsigned                  note;      /* for reply */
    unsigned                  tokens:1;  /* a text did not fit on the tape: all
                                            is done again with a larger one */
} martech_translation_t;


/* What became of a request, for its answer. */
typedef struct {
    unsigned  status;                    /* 0: its events are safe, or dropped
                                            by a rule; else of the refusal */
    uint32_t  events;                    /* received */
    uint32_t  accepted;
} martech_verdict_t;


typedef struct {
    unsigned        status;
    const char     *type;                /* of the body, NULL: no body */
    martech_str_t   body;                /* static, or in buf */
    unsigned        nheaders;
    struct {
        const char     *name;
        martech_str_t   value;           /* static, in buf, or of the
                                            request */
    } headers[MARTECH_REPLY_HEADERS];
    unsigned char  *buf;                 /* room of the caller's */
    size_t          size;
} martech_reply_t;

#define MARTECH_REPLY_SIZE  8192         /* of buf, at least */


typedef struct {
    const char            *name;         /* for tests and documents */
    unsigned               methods;
    martech_event_type_t   type;         /* native: of a single event */
    unsigned               native:1;     /* the body is what the event model
                                            reads, translate is not called */
    unsigned               silent:1;     /* brings no events: only reply */
    unsigned               image:1;      /* what is refused is answered with an
                                            image, too, by reply */
    unsigned               always:1;     /* reply answers refusals, too */

    /*
     * The id of the visitor that a header of the dialect's own brings, in out
     * (MARTECH_ID_SIZE_MAX bytes); empty: there is none.  It stands for that
     * of the identity cookie.  NULL: the dialect has no such header.
     */
    martech_str_t        (*visitor)(const martech_request_t *request,
                                    unsigned char *out);

    /*
     * Writes the batch.  Refuses the request as a whole with a code that a
     * body may have, and sets field; an event that cannot be understood is
     * written as null, so that it is refused alone and counted.
     */
    martech_rc_t         (*translate)(martech_translation_t *t);

    /*
     * The answer; NULL: that of the event model.  Called with a verdict of
     * status 0 once the events are safe, at once if silent, and for refusals
     * if it is an image or always.  status 0 left in reply: the usual answer.
     */
    void                 (*reply)(const martech_request_t *request,
                                  const martech_verdict_t *verdict,
                                  martech_reply_t *reply);

    /*
     * The write key of a request that has it where only the dialect knows, as
     * in the path.  NULL, or no data: it is in header, query or body.
     */
    martech_str_t        (*key)(const martech_request_t *request);
} martech_endpoint_t;


typedef struct {
    martech_str_t          name;         /* as configured and as stored */
    unsigned               options;      /* which of those below it takes */

    /* The endpoint of a request, by path, query and headers, whatever the
       method; NULL: it is none of this dialect. */
    const martech_endpoint_t  *(*match)(const martech_request_t *request);
} martech_dialect_t;

#define MARTECH_DIALECT_POST_PATH  0x01
#define MARTECH_DIALECT_REDIRECT   0x02


/* All dialects, in the order in which they are asked; ends with NULL. */
extern const martech_dialect_t *const  martech_dialects[];

#define MARTECH_DIALECTS_MAX  16


/* The number of a dialect in the list, or -1. */
int martech_dialect_find(martech_str_t name);


/*
 * For translations.
 *
 * _scan scans a text with the tape; on failure field and offset are set.
 * _room returns size bytes of scratch space, NULL without any left.
 * _begin and _end write what is around the events: a write key that the
 * sender gave outside of the headers, and when it was sent (ms, -1: unknown).
 */
martech_rc_t martech_dialect_scan(martech_translation_t *t,
    martech_str_t text) MARTECH_MUST_CHECK;
unsigned char *martech_dialect_room(martech_translation_t *t, size_t size);
void martech_dialect_begin(martech_translation_t *t, martech_str_t write_key,
    int64_t sent_ms);
void martech_dialect_end(martech_translation_t *t);

/*
 * Members of what is being written.  A text without data is left out.  _text:
 * raw bytes; _form: a value still percent-encoded; _node: a value of the tape
 * as it stands there, NONE is left out; _number: a text that is a number is
 * written as such, another one as a string; _time: ms since 1970 as a date.
 */
void martech_dialect_text(martech_translation_t *t, const char *name,
    martech_str_t text);
void martech_dialect_form(martech_translation_t *t, const char *name,
    martech_str_t encoded);
void martech_dialect_node(martech_translation_t *t, const char *name,
    uint32_t node);
void martech_dialect_number(martech_translation_t *t, const char *name,
    martech_str_t text);
void martech_dialect_time(martech_translation_t *t, const char *name,
    int64_t ms);

/* A name that comes from the sender; the next call writes its value. */
void martech_dialect_name(martech_translation_t *t, martech_str_t name);

/* 1 if a text is a number as JSON has it. */
int martech_dialect_is_number(martech_str_t text);

/* A whole number of at most 18 digits, or -1. */
int64_t martech_dialect_integer(martech_str_t text);

/* 1 if a path is this word, with or without a "/" behind it. */
int martech_dialect_path_is(martech_str_t path, const char *word, size_t len);


/* For answers: sets status, type and a static body; adds a header. */
void martech_reply_set(martech_reply_t *reply, unsigned status,
    const char *type, const char *body, size_t len);
void martech_reply_header(martech_reply_t *reply, const char *name,
    martech_str_t value);

/* A transparent image of one pixel, not to be cached. */
void martech_reply_image(martech_reply_t *reply, unsigned status);


#endif /* _MARTECH_DIALECT_H_INCLUDED_ */
