
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Sealed texts: AES-256-GCM, for tokens that are kept in Redis.
 *
 * A sealed text is 0x01, a nonce of 12 random bytes, the encrypted text, and
 * 16 bytes that prove it and the name of its place: it cannot be moved to
 * another one.
 */


#ifndef _FWD_SEAL_H_INCLUDED_
#define _FWD_SEAL_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"


#define FWD_SEAL_KEY    32
#define FWD_SEAL_EXTRA  29               /* bytes more than the text */


typedef struct {
    unsigned char         bytes[FWD_SEAL_KEY];
} fwd_seal_key_t;


/* Reads 64 hex digits. */
fwd_rc_t fwd_seal_key(fwd_seal_key_t *key, const char *hex) FWD_MUST_CHECK;

/* Appends the sealed text; place is authenticated, not stored. */
fwd_rc_t fwd_seal(fwd_buf_t *out, const fwd_seal_key_t *key,
    const char *place, const void *text, size_t len) FWD_MUST_CHECK;

/*
 * Appends the text.  FWD_ERROR: it was sealed with another key, for another
 * place, or was changed; out is as it was.
 */
fwd_rc_t fwd_unseal(fwd_buf_t *out, const fwd_seal_key_t *key,
    const char *place, const void *sealed, size_t len) FWD_MUST_CHECK;


#endif /* _FWD_SEAL_H_INCLUDED_ */
