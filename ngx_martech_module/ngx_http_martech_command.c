
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The command that stores an event: XADD as docs/SPEC.md section 2 has it, in
 * the protocol of Redis.
 */


#include "ngx_http_martech.h"


/* lengths and line breaks of a command, besides its constant parts */
#define NGX_HTTP_MARTECH_FRAME_MAX  64


static ngx_uint_t ngx_http_martech_command_digits(size_t n);
static u_char *ngx_http_martech_command_number(u_char *p, size_t n);


size_t
ngx_http_martech_command_frame(ngx_str_t *head, ngx_str_t *tail,
    martech_event_t *ev)
{
    return head->len + ev->message_id.len + tail->len
           + NGX_HTTP_MARTECH_FRAME_MAX;
}


/*
 * The command, up to the event; the event; its length in front of it.  The
 * length is known last, but nearly always has as many digits as its bound;
 * otherwise the event is moved.
 */

size_t
ngx_http_martech_command_write(u_char *start, ngx_str_t *head,
    ngx_str_t *tail, martech_event_t *ev, size_t bound)
{
    u_char      *p, *e;
    size_t       len;
    ngx_uint_t   digits, guess;

    p = ngx_cpymem(start, head->data, head->len);

    *p++ = '$';
    p = ngx_http_martech_command_number(p, ev->message_id.len);
    *p++ = CR;
    *p++ = LF;
    p = ngx_cpymem(p, ev->message_id.data, ev->message_id.len);

    p = ngx_cpymem(p, tail->data, tail->len);

    guess = ngx_http_martech_command_digits(bound);

    e = p + guess + 2;
    len = martech_event_write(ev, e);

    digits = ngx_http_martech_command_digits(len);

    if (digits != guess) {
        ngx_memmove(p + digits + 2, e, len);
        e = p + digits + 2;
    }

    p = ngx_http_martech_command_number(p, len);
    *p++ = CR;
    *p++ = LF;

    p = e + len;
    *p++ = CR;
    *p++ = LF;

    return p - start;
}


static ngx_uint_t
ngx_http_martech_command_digits(size_t n)
{
    ngx_uint_t  digits;

    for (digits = 1; n >= 10; digits++) {
        n /= 10;
    }

    return digits;
}


static u_char *
ngx_http_martech_command_number(u_char *p, size_t n)
{
    u_char      *last;
    ngx_uint_t   digits;

    digits = ngx_http_martech_command_digits(n);
    last = p + digits;

    for (p = last; digits > 0; digits--) {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    }

    return last;
}
