
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Regular expressions of plans and rules: PCRE2 with JIT, with the meaning
 * that ECMA-262 gives them where JSON Schema asks for that, and with limits,
 * so that no value makes a match last.
 */


#ifndef _MARTECH_REGEX_H_INCLUDED_
#define _MARTECH_REGEX_H_INCLUDED_


#include "martech.h"


#define MARTECH_REGEX_SIZE_MAX     4096     /* bytes of a pattern */
#define MARTECH_REGEX_ERROR_SIZE   256

#define MARTECH_REGEX_ECMA         0x01     /* as JSON Schema wants it */
#define MARTECH_REGEX_CASELESS     0x02


typedef struct martech_regex_s  martech_regex_t;


/*
 * Compiles a pattern (UTF-8).  NULL without memory, if it is no pattern, or
 * if it is one whose match may take exponential time ("(a+)+"); then error
 * says why and at which offset.  The caller frees it.  Not to be used by two
 * threads at once.
 */
martech_regex_t *martech_regex_compile(martech_str_t pattern, unsigned flags,
    char error[MARTECH_REGEX_ERROR_SIZE]) MARTECH_MUST_CHECK;
void martech_regex_free(martech_regex_t *regex);

/*
 * Searches valid UTF-8 from an offset on.  1: found, and *from and *to are
 * set unless NULL; 0: not found; -1: given up at the limit.
 */
int martech_regex_find(const martech_regex_t *regex,
    const unsigned char *data, size_t len, size_t offset, size_t *from,
    size_t *to);

/* The same from the start, where nobody asks for the place. */
int martech_regex_test(const martech_regex_t *regex,
    const unsigned char *data, size_t len);

/*
 * 1 if a text is a pattern by the syntax of ECMA-262.  It need not be one
 * that martech_regex_compile() takes: that refuses slow ones, too.
 */
int martech_regex_is_ecma(martech_str_t pattern);


#endif /* _MARTECH_REGEX_H_INCLUDED_ */
