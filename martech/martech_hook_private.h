
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Shared by the files of the webhooks.
 */


#ifndef _MARTECH_HOOK_PRIVATE_H_INCLUDED_
#define _MARTECH_HOOK_PRIVATE_H_INCLUDED_


#include "martech_hook.h"


#define MARTECH_HOOK_MAC_MAX   64        /* bytes of SHA-512 */
#define MARTECH_HOOK_SIGN_MAX  144       /* of a signature, decoded */
#define MARTECH_HOOK_PIECES    MARTECH_HOOK_PARTS


/* What is signed, as slices. */
typedef struct {
    unsigned        count;
    martech_str_t   pieces[MARTECH_HOOK_PIECES];
    unsigned char  *free;                /* rest of the scratch space */
    unsigned char  *end;
    unsigned char   digest[64];
} martech_hook_text_t;


typedef struct {
    const martech_hook_signer_t  *signer;
    size_t                        len;
    unsigned char                 bytes[MARTECH_HOOK_SIGN_MAX];
} martech_hook_sign_t;


/* The length of a code of fixed size, 0: it is a signature by a public key. */
size_t martech_hook_mac_len(martech_hook_mac_e mac);

/* 1 if the secret makes this signature of the text. */
int martech_hook_mac_check(const martech_hook_secret_t *secret,
    const martech_hook_sign_t *signs, unsigned count,
    martech_hook_text_t *text);

/*
 * Collects what is signed.  url is the one to use; stamp the time as sent.
 * Without one of its headers, or with too long a form: MARTECH_HOOK_MALFORMED.
 */
martech_hook_rc_t martech_hook_text(martech_hook_text_t *text,
    const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t url,
    martech_str_t stamp) MARTECH_MUST_CHECK;

/* A header with the scheme's alias: as request->header. */
int martech_hook_header(const martech_hook_scheme_t *scheme,
    const martech_hook_request_t *request, martech_str_t name,
    martech_str_t *value);

/* Reads a time strictly; -1: it is none of this unit. */
int64_t martech_hook_time(martech_str_t text, martech_hook_unit_e unit);

/* Decodes a signature; 0: it is not of this encoding, or too long. */
size_t martech_hook_decode(martech_hook_encoding_e encoding,
    martech_str_t text, unsigned char *out, size_t size);

/* SHA-256 of one text. */
void martech_hook_sha256(martech_str_t text, unsigned char out[32]);

/* 1 if a request has a form as its body. */
int martech_hook_is_form(const martech_hook_request_t *request);

/* A part of a text up to a byte, or all of it; the text becomes the rest. */
martech_str_t martech_hook_split(martech_str_t *text, int ch);


#endif /* _MARTECH_HOOK_PRIVATE_H_INCLUDED_ */
