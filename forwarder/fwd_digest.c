
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Short digests.
 */


#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "fwd_buf.h"
#include "fwd_digest.h"


#define FWD_DIGEST_FILE_MAX  (16 * 1024 * 1024)


static void fwd_digest_print(char out[FWD_DIGEST_MAX],
    const unsigned char *digest);


void
fwd_digest_text(char out[FWD_DIGEST_MAX], const char *text)
{
    unsigned char  digest[SHA256_DIGEST_LENGTH];

    out[0] = '\0';

    if (text == NULL) {
        return;
    }

    (void) SHA256((const unsigned char *) text, strlen(text), digest);
    fwd_digest_print(out, digest);
}


void
fwd_digest_file(char out[FWD_DIGEST_MAX], const char *file)
{
    FILE           *f;
    size_t          n;
    fwd_buf_t       text;
    unsigned char   piece[4096], digest[SHA256_DIGEST_LENGTH];

    out[0] = '\0';

    f = fopen(file, "re");
    if (f == NULL) {
        return;
    }

    fwd_buf_init(&text, FWD_DIGEST_FILE_MAX);

    do {
        n = fread(piece, 1, sizeof(piece), f);
        fwd_buf_add(&text, piece, n);
    } while (n == sizeof(piece));

    if (!ferror(f) && !text.failed) {
        (void) SHA256(text.data, text.len, digest);
        fwd_digest_print(out, digest);
    }

    (void) fclose(f);
    fwd_buf_free(&text);
}


static void
fwd_digest_print(char out[FWD_DIGEST_MAX], const unsigned char *digest)
{
    int  i;

    for (i = 0; i < (FWD_DIGEST_MAX - 1) / 2; i++) {
        (void) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}
