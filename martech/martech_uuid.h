
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * UUIDs of RFC 9562: version 7 (time-ordered, for ids we make) and version 5
 * (from a name, for ids that must come out the same everywhere).
 */


#ifndef _MARTECH_UUID_H_INCLUDED_
#define _MARTECH_UUID_H_INCLUDED_


#include "martech.h"


#define MARTECH_UUID_LEN  36        /* text form, lower case */


/* Writes MARTECH_UUID_LEN bytes, no zero; 74 bits of random are used. */
void martech_uuid7(unsigned char *out, uint64_t ms, const uint64_t random[2]);

/*
 * The same from a namespace (16 bytes) and a name, by SHA-1.  Of a longer
 * name its SHA-1 digest is taken as the name.
 */
#define MARTECH_UUID5_NAME_MAX  1008

void martech_uuid5(unsigned char *out, const unsigned char namespace_id[16],
    const void *name, size_t len);

/* The same for who has the SHA-1 digest of namespace and name. */
void martech_uuid5_of(unsigned char *out, const unsigned char digest[20]);


#endif /* _MARTECH_UUID_H_INCLUDED_ */
