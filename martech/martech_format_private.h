
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of martech_format share.  Each check takes a string of
 * UTF-8, which need not be valid, goes over it once, and allocates nothing
 * (but for "regex").
 */


#ifndef _MARTECH_FORMAT_PRIVATE_H_INCLUDED_
#define _MARTECH_FORMAT_PRIVATE_H_INCLUDED_


#include "martech_format.h"


/* What stands for a byte that is not UTF-8. */
#define MARTECH_FORMAT_BAD  UINT32_MAX


static inline int
martech_format_is_digit(unsigned char ch)
{
    return (unsigned char) (ch - '0') < 10;
}


static inline int
martech_format_is_alpha(unsigned char ch)
{
    return (unsigned char) ((ch | 0x20) - 'a') < 26;
}


static inline int
martech_format_is_hex(unsigned char ch)
{
    return martech_format_is_digit(ch)
           || (unsigned char) ((ch | 0x20) - 'a') < 6;
}


/* martech_format.c */
/* Takes one character and moves *p behind it. */
uint32_t martech_format_take(const unsigned char **p,
    const unsigned char *end);

/* martech_format_time.c */
int martech_format_date_time(const unsigned char *data, size_t len);
int martech_format_date(const unsigned char *data, size_t len);
int martech_format_time(const unsigned char *data, size_t len);
int martech_format_duration(const unsigned char *data, size_t len);

/* martech_format_net.c */
int martech_format_ipv4(const unsigned char *data, size_t len);
int martech_format_ipv6(const unsigned char *data, size_t len);
int martech_format_email(const unsigned char *data, size_t len);
int martech_format_idn_email(const unsigned char *data, size_t len);

/* martech_format_host.c */
int martech_format_hostname(const unsigned char *data, size_t len);
int martech_format_idn_hostname(const unsigned char *data, size_t len);

/* martech_format_label.c: a label of Unicode characters (RFC 5892) */
int martech_format_label(const uint32_t *cp, size_t count);

/* martech_format_uri.c */
int martech_format_uri(const unsigned char *data, size_t len);
int martech_format_uri_reference(const unsigned char *data, size_t len);
int martech_format_iri(const unsigned char *data, size_t len);
int martech_format_iri_reference(const unsigned char *data, size_t len);

/* martech_format_template.c */
int martech_format_uri_template(const unsigned char *data, size_t len);


#endif /* _MARTECH_FORMAT_PRIVATE_H_INCLUDED_ */
