
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The choice of a shard.  The hash is part of the format (docs/SPEC.md): a
 * change would send a visitor's next event to another shard.
 */


#include <stdio.h>

#include "martech_shard.h"


uint64_t
martech_shard_hash(martech_str_t identity)
{
    size_t    i;
    uint64_t  h;

    h = 0xcbf29ce484222325ULL;

    for (i = 0; i < identity.len; i++) {
        h ^= identity.data[i];
        h *= 0x100000001b3ULL;
    }

    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;

    return h;
}


uint32_t
martech_shard(martech_str_t identity, uint32_t shards)
{
    return (uint32_t) (martech_shard_hash(identity) % shards);
}


int
martech_shard_prefix_valid(martech_str_t prefix)
{
    size_t         i;
    unsigned char  ch;

    if (prefix.len == 0 || prefix.len > MARTECH_PREFIX_LEN_MAX) {
        return 0;
    }

    for (i = 0; i < prefix.len; i++) {
        ch = prefix.data[i];

        if ((ch >= '0' && ch <= '9') || ch == '_' || ch == '.' || ch == '-'
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            continue;
        }

        return 0;
    }

    return 1;
}


size_t
martech_shard_tag(char *out, martech_str_t prefix, uint32_t shard)
{
    return (size_t) snprintf(out, MARTECH_TAG_LEN_MAX, "{%.*s:%02u}",
                             (int) prefix.len, (const char *) prefix.data,
                             (unsigned) (shard % 10000));
}
