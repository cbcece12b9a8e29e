
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Signature of outgoing requests, Standard Webhooks 1.0.0, and the ids that
 * go with it.  Pure: the time is an argument.
 */


#ifndef _FWD_SIGN_H_INCLUDED_
#define _FWD_SIGN_H_INCLUDED_


#include <openssl/evp.h>

#include "fwd.h"


#define FWD_SIGN_KEY_MIN    24           /* bytes, by the specification */
#define FWD_SIGN_KEY_MAX    64
#define FWD_SIGN_TEXT_MAX   48           /* "v1," + 44 of base64, zero */
#define FWD_SIGN_ID_MAX     128          /* a message id with its zero */
#define FWD_SIGN_V1A_MAX    96           /* "v1a," + 88 of base64, zero */


typedef struct {
    unsigned char         bytes[FWD_SIGN_KEY_MAX];
    size_t                len;
} fwd_sign_key_t;


/*
 * Reads "whsec_" and base64 of 24 to 64 bytes.  FWD_ERROR with a text that
 * holds no part of the secret.
 */
fwd_rc_t fwd_sign_key(fwd_sign_key_t *key, const char *secret,
    fwd_error_t *err) FWD_MUST_CHECK;

/*
 * Writes the value of webhook-signature and a zero to out, which has
 * FWD_SIGN_TEXT_MAX.  Signs id, "." , time in seconds, "." , body.
 */
void fwd_sign_v1(char *out, const fwd_sign_key_t *key, const char *id,
    uint64_t now_s, const void *body, size_t len);

/*
 * Reads a private Ed25519 key: "whsk_" and base64 of its 32 bytes, or of 64,
 * the public key behind it.  The caller frees it.  FWD_ERROR with a text that
 * holds no part of the key.
 */
fwd_rc_t fwd_sign_ed25519(EVP_PKEY **key, const char *secret,
    fwd_error_t *err) FWD_MUST_CHECK;

/*
 * As fwd_sign_v1() with such a key; out has FWD_SIGN_V1A_MAX.  FWD_ERROR: out
 * of memory.
 */
fwd_rc_t fwd_sign_v1a(char *out, EVP_PKEY *key, const char *id,
    uint64_t now_s, const void *body, size_t len) FWD_MUST_CHECK;

/*
 * Writes the id of one message and a zero to out, which has FWD_SIGN_ID_MAX:
 * the event's own id if it is made of [A-Za-z0-9_-] only and the numbers are
 * 0, else the UUIDv5 of id and numbers.  part counts the requests of one
 * event; replays how often people have sent it again, each time as a request
 * that the other side has not seen.
 */
void fwd_sign_id(char *out, martech_str_t message_id, uint32_t part,
    uint32_t replays);

/* The same for a batch: the UUIDv5 over the ids (ended by "\n" each). */
void fwd_sign_batch_id(char *out, const void *ids, size_t len);


#endif /* _FWD_SIGN_H_INCLUDED_ */
