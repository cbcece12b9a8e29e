
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The slot of a key in a Redis Cluster.
 */


#include <string.h>

#include "fwd_topology.h"


uint32_t
fwd_slot(const char *key, size_t len)
{
    size_t       i;
    unsigned     bit;
    uint32_t     crc;
    const char  *open, *end;

    open = memchr(key, '{', len);

    if (open != NULL) {
        end = memchr(open, '}', len - (size_t) (open - key));

        if (end != NULL && end != open + 1) {
            len = (size_t) (end - open - 1);
            key = open + 1;
        }
    }

    /* CRC-16 with polynomial 1021 (hex) and initial value 0 */

    crc = 0;

    for (i = 0; i < len; i++) {
        crc ^= (uint32_t) (unsigned char) key[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }
    }

    return crc & (FWD_SLOTS - 1);
}
