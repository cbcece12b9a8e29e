
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * URLs without the parameters that tell who visited them.
 */


#ifndef _MARTECH_URL_H_INCLUDED_
#define _MARTECH_URL_H_INCLUDED_


#include "martech.h"


#define MARTECH_URL_NAMES_MAX  256       /* names of a set */
#define MARTECH_URL_NAME_MAX   128       /* bytes of a name compared */


/* Which parameters go.  Names are in lower case; "x*" is all with this
   beginning. */
typedef struct {
    martech_str_t  names[MARTECH_URL_NAMES_MAX];
    unsigned       count;
    unsigned       usual:1;              /* those of martech_url_usual() */
    unsigned       campaign:1;           /* all but utm_*, fragments, too */
} martech_url_rules_t;


/* 1 for "http://..." and "https://...". */
int martech_url_absolute(martech_str_t text);

/* 1 if a URL, or a part of one that begins with its path, has nothing in it
   that could go: most are left as they are. */
int martech_url_plain(martech_str_t text);

/*
 * Writes a URL, a part of one that begins with its path, or (query) a query
 * string with or without "?", less user and password, parameters that go by
 * their name, and those whose value holds an e-mail address or is a URL with
 * a parameter that goes; such an address in the path becomes "***".  Returns
 * the length, at most that of the text, or -1 if size is smaller than the
 * text.
 */
long martech_url_scrub(const martech_url_rules_t *rules, int query,
    martech_str_t text, unsigned char *out, size_t size);

/* 1 for a name, decoded and in lower case, that is a person's or a secret's. */
int martech_url_usual(martech_str_t name);

/* Percent-decodes ("+" is a blank); returns the length, at most src.len. */
size_t martech_url_decode(martech_str_t src, unsigned char *out, size_t size);


#endif /* _MARTECH_URL_H_INCLUDED_ */
