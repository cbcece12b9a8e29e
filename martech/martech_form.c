
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Query strings and forms, pair by pair.
 */


#include <string.h>

#include "martech_form.h"
#include "martech_url.h"


#define MARTECH_FORM_NAME_MAX  256       /* encoded bytes of a name compared */


int
martech_form_next(martech_form_t *form, martech_str_t *name,
    martech_str_t *value)
{
    size_t                len;
    const unsigned char  *p, *equals;

    while (form->rest.len > 0) {
        p = memchr(form->rest.data, '&', form->rest.len);
        len = p ? (size_t) (p - form->rest.data) : form->rest.len;

        name->data = form->rest.data;
        name->len = len;

        form->rest.data += p ? len + 1 : len;
        form->rest.len -= p ? len + 1 : len;

        if (len == 0) {
            continue;
        }

        equals = memchr(name->data, '=', len);

        if (equals == NULL) {
            value->data = name->data + len;
            value->len = 0;
            return 1;
        }

        name->len = (size_t) (equals - name->data);
        value->data = equals + 1;
        value->len = len - name->len - 1;

        return 1;
    }

    return 0;
}


martech_str_t
martech_form_value(martech_str_t form, const char *name, size_t len)
{
    martech_str_t   key, value;
    martech_form_t  pairs;

    pairs.rest = form;

    while (martech_form_next(&pairs, &key, &value)) {
        if (martech_form_is(key, name, len)) {
            return value;
        }
    }

    value.data = NULL;
    value.len = 0;

    return value;
}


int
martech_form_is(martech_str_t name, const char *text, size_t len)
{
    unsigned char  buf[MARTECH_FORM_NAME_MAX];

    if (name.len == len && memcmp(name.data, text, len) == 0) {
        return 1;
    }

    if (name.len <= len || name.len > sizeof(buf)
        || memchr(name.data, '%', name.len) == NULL)
    {
        return 0;
    }

    name = martech_form_decode(name, buf);

    return name.len == len && memcmp(name.data, text, len) == 0;
}


martech_str_t
martech_form_decode(martech_str_t value, unsigned char *out)
{
    martech_str_t  decoded;

    if (value.len == 0
        || (memchr(value.data, '%', value.len) == NULL
            && memchr(value.data, '+', value.len) == NULL))
    {
        return value;
    }

    decoded.data = out;
    decoded.len = martech_url_decode(value, out, value.len);

    return decoded;
}
