
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A GPP string of the IAB Global Privacy Platform: the sections it has, and
 * the fields of the sections of the United States that a decision needs.
 */


#ifndef _MARTECH_CONSENT_GPP_H_INCLUDED_
#define _MARTECH_CONSENT_GPP_H_INCLUDED_


#include "martech_bits.h"


#define MARTECH_GPP_SECTIONS  64         /* 27 are defined */
#define MARTECH_GPP_ID_MAX    4095

#define MARTECH_GPP_TCF        2         /* numbers of sections */
#define MARTECH_GPP_CANADA     5
#define MARTECH_GPP_USP        6
#define MARTECH_GPP_US_FIRST   7
#define MARTECH_GPP_US_LAST    27


typedef struct {
    unsigned               count;
    struct {
        unsigned           id;
        martech_str_t      text;
    } sections[MARTECH_GPP_SECTIONS];
} martech_gpp_t;


/* Values of an opt-out: 0 does not apply, 1 opted out, 2 did not. */
#define MARTECH_GPP_OPTED_OUT   1

/* Values of a consent: 0 does not apply, 1 none, 2 given. */
#define MARTECH_GPP_NO_CONSENT  1

#define MARTECH_GPP_CHILDREN    5        /* ages asked for, at most */


typedef struct {
    unsigned               version;
    unsigned               sale;         /* opt-outs; 0 also if the section
                                            has no such field */
    unsigned               sharing;
    unsigned               targeted;
    unsigned               child_count;
    unsigned               children[MARTECH_GPP_CHILDREN];
    unsigned               gpc_present:1;
    unsigned               gpc:1;
} martech_gpp_us_t;


/*
 * Reads the header; 1 if it is one, and there is a section for each number in
 * it.  The sections themselves are not looked into.
 */
int martech_gpp_read(martech_gpp_t *gpp, martech_str_t text);

/*
 * Reads a section of the United States, 7 to 27; 0 if it is none, is cut off,
 * or has a version whose fields are not known.
 */
int martech_gpp_us_read(martech_gpp_us_t *us, unsigned section,
    martech_str_t text);


#endif /* _MARTECH_CONSENT_GPP_H_INCLUDED_ */
