
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Ids of visitors: that of the identity cookie, which is a UUID of version 7
 * and so knows when it was born, and that of the day, which needs no cookie.
 */


#ifndef _MARTECH_VISITOR_H_INCLUDED_
#define _MARTECH_VISITOR_H_INCLUDED_


#include "martech.h"
#include "martech_uuid.h"


#define MARTECH_VISITOR_SALT     32      /* bytes */
#define MARTECH_VISITOR_KEY_MIN  16      /* of the file of a key */


/*
 * 1 if the value of a cookie is an id as martech_uuid7() writes it, born not
 * later than an hour from now; *born_ms is set then.
 */
int martech_visitor_valid(martech_str_t value, uint64_t now_ms,
    uint64_t *born_ms);

/* What tells visitors apart for a day; each is cut at 512 bytes. */
typedef struct {
    martech_str_t  source;
    martech_str_t  host;
    martech_str_t  ip;
    martech_str_t  user_agent;
} martech_visitor_t;

/*
 * Writes the id of a visitor for as long as the salt lives: a UUID of version
 * 8 (RFC 9562) from HMAC-SHA256.  out has MARTECH_UUID_LEN bytes.
 */
void martech_visitor_day(const unsigned char salt[MARTECH_VISITOR_SALT],
    const martech_visitor_t *visitor, unsigned char *out);

/*
 * The salt of a day (days since 1970, UTC) from a key, for edges that must
 * agree: HMAC-SHA256(key, "martech visitor DAY").
 */
void martech_visitor_salt(martech_str_t key, uint64_t day,
    unsigned char salt[MARTECH_VISITOR_SALT]);


#endif /* _MARTECH_VISITOR_H_INCLUDED_ */
