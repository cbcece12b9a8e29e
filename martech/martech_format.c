
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The formats by their names, and those that need few lines.
 */


#include <string.h>

#include "martech_format_private.h"
#include "martech_regex.h"


static int martech_format_uuid(const unsigned char *data, size_t len);
static int martech_format_json_pointer(const unsigned char *data, size_t len);
static int martech_format_relative_json_pointer(const unsigned char *data,
    size_t len);
static int martech_format_regex(const unsigned char *data, size_t len);


static const struct {
    const char         *name;
    martech_format_pt   check;
} martech_formats[] = {
    { "date-time", martech_format_date_time },
    { "date", martech_format_date },
    { "time", martech_format_time },
    { "duration", martech_format_duration },
    { "email", martech_format_email },
    { "idn-email", martech_format_idn_email },
    { "hostname", martech_format_hostname },
    { "idn-hostname", martech_format_idn_hostname },
    { "ipv4", martech_format_ipv4 },
    { "ipv6", martech_format_ipv6 },
    { "uri", martech_format_uri },
    { "uri-reference", martech_format_uri_reference },
    { "iri", martech_format_iri },
    { "iri-reference", martech_format_iri_reference },
    { "uri-template", martech_format_uri_template },
    { "uuid", martech_format_uuid },
    { "json-pointer", martech_format_json_pointer },
    { "relative-json-pointer", martech_format_relative_json_pointer },
    { "regex", martech_format_regex },
};


martech_format_pt
martech_format(martech_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(martech_formats) / sizeof(martech_formats[0]); i++)
    {
        if (strlen(martech_formats[i].name) == name.len
            && memcmp(martech_formats[i].name, name.data, name.len) == 0)
        {
            return martech_formats[i].check;
        }
    }

    return NULL;
}


uint32_t
martech_format_take(const unsigned char **p, const unsigned char *end)
{
    int            more;
    uint32_t       cp;
    unsigned char  ch;

    ch = *(*p)++;

    if (ch < 0x80) {
        return ch;
    }

    if (ch < 0xc2 || ch > 0xf4) {
        return MARTECH_FORMAT_BAD;
    }

    more = (ch >= 0xf0) ? 3 : (ch >= 0xe0) ? 2 : 1;
    cp = ch & (0x3f >> more);

    while (more-- > 0) {
        if (*p == end || (**p & 0xc0) != 0x80) {
            return MARTECH_FORMAT_BAD;
        }

        cp = (cp << 6) | (*(*p)++ & 0x3f);
    }

    return cp;
}


static int
martech_format_uuid(const unsigned char *data, size_t len)
{
    size_t         i;
    unsigned char  ch, odd, digits[32];

    if (len != 36 || data[8] != '-' || data[13] != '-' || data[18] != '-'
        || data[23] != '-')
    {
        return 0;
    }

    /* the digits one behind the other, in a loop that compilers unroll */

    memcpy(digits, data, 8);
    memcpy(digits + 8, data + 9, 4);
    memcpy(digits + 12, data + 14, 4);
    memcpy(digits + 16, data + 19, 4);
    memcpy(digits + 20, data + 24, 12);

    odd = 0;

    for (i = 0; i < 32; i++) {
        ch = digits[i];
        odd |= ((unsigned char) (ch - '0') > 9)
               & ((unsigned char) ((ch | 0x20) - 'a') > 5);
    }

    return !odd;
}


/* RFC 6901: "" or "/name/...", where "~" is written "~0" and "/" is "~1" */
static int
martech_format_json_pointer(const unsigned char *data, size_t len)
{
    size_t  i;

    if (len != 0 && data[0] != '/') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (data[i] == '~'
            && (i + 1 == len || (data[i + 1] != '0' && data[i + 1] != '1')))
        {
            return 0;
        }
    }

    return 1;
}


/* A number without leading zeros, then "#" or a pointer. */
static int
martech_format_relative_json_pointer(const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len && martech_format_is_digit(data[i]); i++) {
        /* void */
    }

    if (i == 0 || (data[0] == '0' && i > 1)) {
        return 0;
    }

    if (i + 1 == len && data[i] == '#') {
        return 1;
    }

    return martech_format_json_pointer(data + i, len - i);
}


static int
martech_format_regex(const unsigned char *data, size_t len)
{
    martech_str_t  pattern;

    pattern.data = data;
    pattern.len = len;

    return martech_regex_is_ecma(pattern);
}
