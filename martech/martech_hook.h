
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Inbound webhooks: requests that a vendor's servers send and sign.
 *
 * A scheme is data: what is signed, how, where signature and time stand, and
 * where the payload says what has happened.  _verify decides whether a request
 * is what it claims to be; _map makes events of its payload.  Neither tells
 * the sender more than a reason.
 */


#ifndef _MARTECH_HOOK_H_INCLUDED_
#define _MARTECH_HOOK_H_INCLUDED_


#include "martech.h"
#include "martech_dialect.h"
#include "martech_json.h"


#define MARTECH_HOOK_SECRETS     8       /* at once, for rotation */
#define MARTECH_HOOK_SECRET_MAX  512     /* bytes of a line, decoded or not */
#define MARTECH_HOOK_PARTS       12      /* of what is signed */
#define MARTECH_HOOK_NOTES       4
#define MARTECH_HOOK_PAIRS       1024    /* of a form */
#define MARTECH_HOOK_REPLY_MAX   1024    /* bytes of a challenge */


/* Becomes of a request; never says what was expected. */
typedef enum {
    MARTECH_HOOK_OK = 0,
    MARTECH_HOOK_TEST,                   /* signed by a key that is no secret:
                                            answered, never stored */
    MARTECH_HOOK_MISSING,                /* no signature */
    MARTECH_HOOK_MALFORMED,              /* what is there cannot be read, or
                                            contradicts itself */
    MARTECH_HOOK_BAD,                    /* no secret has made it */
    MARTECH_HOOK_NO_TIME,
    MARTECH_HOOK_OLD,                    /* good, and out of the tolerance */
    MARTECH_HOOK_NEW
} martech_hook_rc_t;


typedef enum {
    MARTECH_HOOK_END = 0,
    MARTECH_HOOK_LITERAL,
    MARTECH_HOOK_HEADER,                 /* its value as sent */
    MARTECH_HOOK_TIME,                   /* as it stands in its place */
    MARTECH_HOOK_METHOD,
    MARTECH_HOOK_URL,
    MARTECH_HOOK_BODY,
    MARTECH_HOOK_FIRST,                  /* body, of an array its first item */
    MARTECH_HOOK_FORM,                   /* names and values, decoded, by
                                            name */
    MARTECH_HOOK_DIGEST                  /* SHA-256 of the body, hex */
} martech_hook_part_e;

typedef struct {
    martech_hook_part_e    kind;
    martech_str_t          text;         /* literal, or name of the header */
} martech_hook_part_t;


typedef enum {
    MARTECH_HOOK_HMAC_SHA1 = 1,
    MARTECH_HOOK_HMAC_SHA256,
    MARTECH_HOOK_HMAC_SHA512,
    MARTECH_HOOK_SHA256,                 /* of the secret and what follows */
    MARTECH_HOOK_EQUAL,                  /* the secret itself */
    MARTECH_HOOK_ED25519,
    MARTECH_HOOK_ECDSA                   /* P-256 with SHA-256, DER */
} martech_hook_mac_e;

typedef enum {
    MARTECH_HOOK_HEX = 0,
    MARTECH_HOOK_BASE64,
    MARTECH_HOOK_BASE64URL,
    MARTECH_HOOK_TEXT
} martech_hook_encoding_e;

typedef enum {
    MARTECH_HOOK_KEY_RAW = 0,
    MARTECH_HOOK_KEY_BASE64,
    MARTECH_HOOK_KEY_HEX,
    MARTECH_HOOK_KEY_PUBLIC,             /* base64 of 32 bytes */
    MARTECH_HOOK_KEY_SPKI                /* base64 of a DER structure */
} martech_hook_key_e;

typedef enum {
    MARTECH_HOOK_S = 0,
    MARTECH_HOOK_MS,
    MARTECH_HOOK_RFC3339,
    MARTECH_HOOK_HTTP_DATE
} martech_hook_unit_e;


/* One way to sign; the prefix of a secret tells which of two is meant. */
typedef struct {
    martech_hook_mac_e       mac;        /* 0: there is none */
    martech_hook_encoding_e  encoding;
    martech_hook_key_e       key;
    martech_str_t            key_prefix; /* not part of the key */
    martech_str_t            prefix;     /* of a signature in its header */
} martech_hook_signer_t;


/* A member of context.webhook: an expression of a scheme, see _map. */
typedef struct {
    const char    *name;
    const char    *value;
} martech_hook_note_t;


typedef struct {
    martech_str_t          name;

    /* what is signed */
    martech_hook_signer_t  signers[2];
    martech_hook_part_t    parts[MARTECH_HOOK_PARTS];
    martech_str_t          header;       /* of the signature; empty: arg */
    martech_str_t          arg;          /* of the query */
    char                   separator;    /* of several signatures, 0: one */
    martech_str_t          time_header;
    martech_str_t          time_prefix;  /* it stands among the signatures */
    martech_hook_unit_e    unit;
    int64_t                tolerance_ms; /* by default, 0: any time */
    martech_str_t          alias[2];     /* headers with the first prefix may
                                            have the second instead */
    martech_str_t          digest_arg;   /* of the query: SHA-256 of a body
                                            that is not signed itself */
    martech_str_t          test_key;     /* published by the vendor */
    unsigned               past:1;       /* a time to come is always good */
    unsigned               url_plain:1;  /* some escapes are undone */
    unsigned               port:1;       /* with and without a usual port */

    /* what is sent: expressions, see martech_hook_map(); NULL: none */
    unsigned               methods;      /* 0: POST */
    unsigned               silent;       /* answered without a body's look */
    const char            *topic;
    const char            *id;
    const char            *user;
    const char            *account;
    const char            *time;
    martech_str_t          field;        /* of a form that holds JSON */
    martech_hook_note_t    notes[MARTECH_HOOK_NOTES];
    const char            *ping;         /* topic that is no event */
    const char            *challenge;    /* ... that is answered by itself */
    martech_str_t          hello;        /* an unsigned form of this number */
    unsigned               native:1;     /* the payload is an event */
    unsigned               local:1;      /* ids are unique in an account */
    unsigned               content:1;    /* without an id, the payload is it */
    const char            *reply_type;   /* of the answer, NULL: the usual */
    const char            *reply;
} martech_hook_scheme_t;


typedef struct {
    const martech_hook_signer_t  *signer;
    unsigned char                 raw[MARTECH_HOOK_SECRET_MAX];
    size_t                        len;
    void                         *key;   /* of a public key, libcrypto's */
} martech_hook_secret_t;


/* A webhook as configured; zeroed at first. */
typedef struct {
    const martech_hook_scheme_t  *scheme;
    unsigned                      nsecrets;
    martech_hook_secret_t         secrets[MARTECH_HOOK_SECRETS];
    int64_t                       tolerance_ms;
    martech_str_t                 source;
    martech_str_t                 event; /* template, empty: the topic */
    martech_str_t                 user;  /* expressions, empty: the scheme's */
    martech_str_t                 anonymous;
    martech_str_t                 id;
    martech_str_t                 time;
    martech_str_t                 each;  /* JSON pointer */
} martech_hook_t;


typedef struct martech_hook_request_s  martech_hook_request_t;

struct martech_hook_request_s {
    martech_str_t  method;               /* as sent */
    martech_str_t  url;                  /* that the vendor was given */
    martech_str_t  args;
    martech_str_t  content_type;
    martech_str_t  body;                 /* as sent */
    martech_str_t  id;                   /* of the delivery, by configuration;
                                            empty: look for it */
    int64_t        now_ms;

    /* The value of a header (name in lower case): 1, 0 without it, -1 if there
       are several that differ. */
    int            (*header)(const martech_hook_request_t *request,
                             martech_str_t name, martech_str_t *value);
    void          *data;                 /* of it */

    unsigned char *scratch;              /* martech_hook_scratch() bytes */
    size_t         scratch_size;
};


/* A payload being turned into a batch. */
typedef struct {
    const martech_hook_t          *hook;
    const martech_hook_request_t  *request;
    const martech_limits_t        *limits;
    martech_json_tape_t           *tape;
    martech_str_t                  payload;     /* set by _payload() */
    martech_json_writer_t          out;
    const char                    *field;       /* of a refusal */
    uint32_t                       count;       /* events written */
    unsigned                       silent:1;    /* there is nothing to store */
    size_t                         reply_len;   /* of a challenge */
    unsigned char                  reply[MARTECH_HOOK_REPLY_MAX];
} martech_hook_map_t;


/* The schemes by number; NULL behind the last. */
const martech_hook_scheme_t *martech_hook_scheme(unsigned i);
const martech_hook_scheme_t *martech_hook_find(martech_str_t name);

/* 1 if the URL of a request is part of what is signed. */
int martech_hook_signs_url(const martech_hook_scheme_t *scheme);

/*
 * What is signed, from a template such as "v0:{time}:{body}".  Returns NULL,
 * or what is wrong with it.
 */
const char *martech_hook_template(martech_hook_scheme_t *scheme,
    martech_str_t text) MARTECH_MUST_CHECK;

/* NULL, or what is wrong with a template of names: "Paid {/type}". */
const char *martech_hook_names(martech_str_t text) MARTECH_MUST_CHECK;

/* 1 if a text is an expression: "/pointer", "header:name", with "|" between. */
int martech_hook_is_expression(martech_str_t text);

/*
 * Adds a secret as it stands in its file.  Returns NULL, or what is wrong,
 * without a byte of it.  _clear wipes all of them.
 */
const char *martech_hook_secret(martech_hook_t *hook, martech_str_t text)
    MARTECH_MUST_CHECK;
void martech_hook_clear(martech_hook_t *hook);

/* Bytes that _verify and _payload need for a request. */
size_t martech_hook_scratch(const martech_hook_request_t *request);

/*
 * Whether a secret of the hook has signed the request.  All secrets are tried
 * in any case; the time is looked at last.
 */
martech_hook_rc_t martech_hook_verify(const martech_hook_t *hook,
    const martech_hook_request_t *request) MARTECH_MUST_CHECK;

/* 1 if it is a first, unsigned request that only wants to be answered. */
int martech_hook_is_hello(const martech_hook_t *hook,
    const martech_hook_request_t *request);

/*
 * _payload finds the payload as JSON text, to be scanned into the tape; it may
 * lie in scratch.  _map writes a batch of events, or sets silent.  An event
 * has the payload as properties.  A value is found by an expression: JSON
 * pointers and "header:name", the first that is there.
 */
martech_rc_t martech_hook_payload(martech_hook_map_t *map) MARTECH_MUST_CHECK;
martech_rc_t martech_hook_map(martech_hook_map_t *map) MARTECH_MUST_CHECK;

/* Whose answer it is to events that are safe. */
const martech_endpoint_t *martech_hook_endpoint(
    const martech_hook_scheme_t *scheme);


#endif /* _MARTECH_HOOK_H_INCLUDED_ */
