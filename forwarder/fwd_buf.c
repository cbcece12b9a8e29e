
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The growing buffer, and the error struct (fwd.h).
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_buf.h"


#define FWD_BUF_SIZE_MIN  256


static int fwd_buf_reserve(fwd_buf_t *b, size_t more);


void
fwd_buf_init(fwd_buf_t *b, size_t max)
{
    memset(b, 0, sizeof(fwd_buf_t));
    b->max = max;
}


void
fwd_buf_add(fwd_buf_t *b, const void *data, size_t len)
{
    if (len == 0 || !fwd_buf_reserve(b, len)) {
        return;
    }

    memcpy(b->data + b->len, data, len);
    b->len += len;
}


void
fwd_buf_add_string(fwd_buf_t *b, const char *text)
{
    fwd_buf_add(b, text, strlen(text));
}


void
fwd_buf_add_char(fwd_buf_t *b, int c)
{
    if (!fwd_buf_reserve(b, 1)) {
        return;
    }

    b->data[b->len++] = (unsigned char) c;
}


void
fwd_buf_reset(fwd_buf_t *b)
{
    b->len = 0;
    b->failed = 0;
}


const char *
fwd_buf_string(fwd_buf_t *b)
{
    if (!fwd_buf_reserve(b, 1)) {
        return NULL;
    }

    b->data[b->len] = '\0';

    return (const char *) b->data;
}


void
fwd_buf_free(fwd_buf_t *b)
{
    free(b->data);
    fwd_buf_init(b, b->max);
}


static int
fwd_buf_reserve(fwd_buf_t *b, size_t more)
{
    size_t          size;
    unsigned char  *data;

    if (b->failed) {
        return 0;
    }

    if (b->size - b->len >= more) {
        return 1;
    }

    if (more > b->max - b->len) {
        goto failed;
    }

    size = b->size ? b->size : FWD_BUF_SIZE_MIN;

    while (size < b->len + more) {
        size *= 2;
    }

    data = realloc(b->data, size);
    if (data == NULL) {
        goto failed;
    }

    b->data = data;
    b->size = size;

    return 1;

failed:

    b->len = 0;
    b->failed = 1;

    return 0;
}


fwd_rc_t
fwd_error(fwd_error_t *err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    return FWD_ERROR;
}
