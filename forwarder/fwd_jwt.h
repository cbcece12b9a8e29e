
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON Web Tokens that we sign: RS256 (RFC 7515, RFC 7518 3.3).
 */


#ifndef _FWD_JWT_H_INCLUDED_
#define _FWD_JWT_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"


/* FWD_ERROR if a PEM text is no private RSA key of 2048 bits or more. */
fwd_rc_t fwd_jwt_key_check(const char *pem, fwd_error_t *err) FWD_MUST_CHECK;

/* Appends header, claims (JSON) and signature, in base64url with dots. */
fwd_rc_t fwd_jwt_rs256(fwd_buf_t *out, const char *pem, const char *claims,
    fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_JWT_H_INCLUDED_ */
