
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files of consent share with each other, and with nobody else.
 */


#ifndef _MARTECH_CONSENT_PRIVATE_H_INCLUDED_
#define _MARTECH_CONSENT_PRIVATE_H_INCLUDED_


#include "martech_consent.h"


/* What an opt-out of sale, sharing or targeted advertising denies. */
#define MARTECH_CONSENT_OPT_OUT                                               \
    (MARTECH_PURPOSE_ADVERTISING | MARTECH_PURPOSE_PERSONALIZATION)


/*
 * The readers of the signals.  Each adds what a value says to consent, which
 * the caller has zeroed; a value not of the form adds nothing.  What is both
 * granted and denied, and necessary, is left to the caller to settle.
 */
void martech_consent_tcf(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_gpp(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_canada(martech_str_t value, martech_consent_t *consent);
void martech_consent_us(unsigned section, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_usp(martech_str_t value, martech_consent_t *consent);
void martech_consent_onetrust(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_cookiebot(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_mode(martech_str_t value, martech_consent_t *consent);
void martech_consent_segment(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);
void martech_consent_list(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);


/* The object categoryPreferences, or one that has it; any node may be given. */
void martech_consent_object(const martech_json_tape_t *tape, uint32_t node,
    const martech_consent_rules_t *rules, martech_consent_t *consent);

/*
 * Each category is looked up in a table: a list with more of them says
 * nothing, so that a long one costs no more than one of the usual length.
 */
#define MARTECH_CONSENT_WORDS  256

/* Nodes of a consent object that comes as text; one with more says nothing. */
#define MARTECH_CONSENT_NODES  (MARTECH_CONSENT_WORDS + 1)

/* Scans such a text; 1 if it is an object.  The caller gives the nodes. */
int martech_consent_scan(martech_json_tape_t *tape,
    martech_json_node_t *nodes, martech_str_t text);


/* The purposes that a category of a consent tool stands for; 0: not known. */
uint8_t martech_consent_category(const martech_consent_rules_t *rules,
    martech_str_t name);

/* Adds purposes to those granted or those denied. */
void martech_consent_say(martech_consent_t *consent, uint8_t purposes,
    int granted);


/* The part before the separator; it and the separator are cut off. */
martech_str_t martech_consent_cut(martech_str_t *rest, int separator);

/* Without spaces, tabs and one pair of double quotes around it. */
martech_str_t martech_consent_trim(martech_str_t value);

/* 1 if the text is this, ASCII letters of either case. */
int martech_consent_is(martech_str_t value, const char *text);

/*
 * A value without percent-encoding; in buffer, MARTECH_CONSENT_SIGNAL_MAX
 * bytes, only if it has any.  A "%" that encodes nothing stays.
 */
martech_str_t martech_consent_decode(martech_str_t value,
    unsigned char *buffer);


#endif /* _MARTECH_CONSENT_PRIVATE_H_INCLUDED_ */
