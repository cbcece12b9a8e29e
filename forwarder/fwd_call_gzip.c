
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Bodies by gzip.
 */


#include <string.h>

#include <zlib.h>

#include "fwd_call.h"


#define FWD_CALL_GZIP_LEVEL   1          /* most of the gain for the time */
#define FWD_CALL_GZIP_WINDOW  (15 + 16)  /* zlib: 16 asks for a gzip frame */
#define FWD_CALL_GZIP_MEMORY  8
#define FWD_CALL_GZIP_PIECE   16384


fwd_rc_t
fwd_call_gzip(fwd_buf_t *out, const void *data, size_t len)
{
    int            rc;
    z_stream       z;
    unsigned char  piece[FWD_CALL_GZIP_PIECE];

    memset(&z, 0, sizeof(z));
    fwd_buf_reset(out);

    if (deflateInit2(&z, FWD_CALL_GZIP_LEVEL, Z_DEFLATED,
                     FWD_CALL_GZIP_WINDOW, FWD_CALL_GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return FWD_ERROR;
    }

    z.next_in = (unsigned char *) (uintptr_t) data;
    z.avail_in = (uInt) len;

    do {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        rc = deflate(&z, Z_FINISH);
        fwd_buf_add(out, piece, sizeof(piece) - z.avail_out);
    } while (rc == Z_OK);

    (void) deflateEnd(&z);

    return rc == Z_STREAM_END && !out->failed ? FWD_OK : FWD_ERROR;
}
