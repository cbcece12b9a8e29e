
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The request body as one slice.  A body usually lies in one buffer and is
 * used where it is; one in several buffers or in a temporary file is put
 * together in the request's pool.  The buffers stay as they are: an error_page
 * or a mirror may read the body after us.
 */


#include "ngx_http_martech.h"


ngx_int_t
ngx_http_martech_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         size, pos;
    u_char       *p;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    body->len = 0;
    body->data = (u_char *) "";

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > (off_t) max) {
        return NGX_DECLINED;
    }

    cl = r->request_body->bufs;

    if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        body->data = cl->buf->pos;
        body->len = cl->buf->last - cl->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, (size_t) size);

    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) size;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        /*
         * This reads from the page cache what the worker has just written
         * there; the size is bounded by max.
         */

        for (pos = b->file_pos; pos < b->file_last; pos += n) {
            n = ngx_read_file(b->file, p, (size_t) (b->file_last - pos), pos);

            if (n == NGX_ERROR || n == 0) {
                return NGX_ERROR;
            }

            p += n;
        }
    }

    return NGX_OK;
}
