
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Consent: what the signals of a request and of an event say about purposes,
 * and what is decided from them (docs/PRIVACY.md).
 */


#ifndef _MARTECH_CONSENT_H_INCLUDED_
#define _MARTECH_CONSENT_H_INCLUDED_


#include "martech.h"
#include "martech_json.h"


#define MARTECH_PURPOSE_NECESSARY        0x01
#define MARTECH_PURPOSE_FUNCTIONAL       0x02
#define MARTECH_PURPOSE_ANALYTICS        0x04
#define MARTECH_PURPOSE_ADVERTISING      0x08
#define MARTECH_PURPOSE_PERSONALIZATION  0x10
#define MARTECH_PURPOSES                 5
#define MARTECH_PURPOSES_ALL             0x1f

#define MARTECH_CONSENT_SIGNAL_MAX       8192     /* bytes looked at */


typedef enum {
    MARTECH_CONSENT_DEFAULT = 0,         /* nobody said anything */
    MARTECH_CONSENT_GPC,                 /* Sec-GPC: 1 */
    MARTECH_CONSENT_DNT,                 /* DNT: 1 */
    MARTECH_CONSENT_TCF,                 /* IAB TCF 2.x */
    MARTECH_CONSENT_GPP,                 /* IAB GPP */
    MARTECH_CONSENT_USP,                 /* IAB US Privacy, "1YYN" */
    MARTECH_CONSENT_ONETRUST,            /* cookie OptanonConsent */
    MARTECH_CONSENT_COOKIEBOT,           /* cookie CookieConsent */
    MARTECH_CONSENT_MODE,              /* Consent Mode: gcs, gcd, or
                                            ad_storage=granted&... */
    MARTECH_CONSENT_SEGMENT,             /* categoryPreferences, JSON */
    MARTECH_CONSENT_LIST,                /* "analytics,-advertising" */
    MARTECH_CONSENT_EVENT,               /* context.consent of the event */
    MARTECH_CONSENT_SIGNALS
} martech_consent_signal_t;


/* What one signal says; a purpose in neither was not spoken of. */
typedef struct {
    uint8_t  granted;
    uint8_t  denied;
} martech_consent_t;


/* A category of a consent tool, and the purposes it stands for. */
typedef struct {
    martech_str_t  name;                 /* "C0002", "Analytics" */
    uint8_t        purposes;
} martech_consent_category_t;


/* Configured categories come before the usual ones of each tool. */
typedef struct {
    const martech_consent_category_t  *categories;
    unsigned                           ncategories;
    uint8_t                            gpc;      /* purposes that GPC denies */
    uint8_t                            dnt;      /* that DNT denies */
    unsigned                           tcf_policy_min;   /* 0: any */
} martech_consent_rules_t;


/* The decision; purposes that are not granted are denied. */
typedef struct {
    uint8_t  granted;
    uint8_t  by[MARTECH_PURPOSES];       /* martech_consent_signal_t of each */
} martech_consent_decision_t;


/* GPC and DNT deny advertising and personalization, and all but necessary. */
void martech_consent_rules_default(martech_consent_rules_t *rules);

/*
 * Reads a signal in its raw form (a header, a cookie's value still
 * percent-encoded, a parameter).  1: it says something; 0: it is absent, not
 * of its form, or says nothing.  A TC string of an outdated version, a broken
 * one, and one longer than MARTECH_CONSENT_SIGNAL_MAX say nothing.  GPP may
 * be followed by the sections that apply: "DBABMA~...;2_6".  Of a purpose
 * that a signal both grants and denies, the denial counts; necessary is in
 * neither.  Allocates nothing; about 20 KiB of stack.
 */
int martech_consent_read(martech_consent_signal_t signal, martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent);

/* The same of the object context.consent (or any node: not an object: 0). */
int martech_consent_read_event(const martech_json_tape_t *tape, uint32_t node,
    const martech_consent_rules_t *rules, martech_consent_t *consent);

/*
 * Begins a decision, adds signals in the order of their weight (the first that
 * speaks of a purpose decides it), ends it with what holds by default.
 * necessary is granted always.
 */
typedef struct {
    uint8_t                     open;    /* not decided */
    martech_consent_decision_t  decision;
} martech_consent_case_t;

void martech_consent_begin(martech_consent_case_t *c);
void martech_consent_add(martech_consent_case_t *c,
    martech_consent_signal_t signal, const martech_consent_t *consent);
void martech_consent_end(martech_consent_case_t *c, uint8_t granted);

/*
 * Names: purposes and signals, for configuration, events and pages.  A name
 * that is not known is 0, which as a signal is MARTECH_CONSENT_DEFAULT; the
 * names of bits from MARTECH_PURPOSES and of signals from
 * MARTECH_CONSENT_SIGNALS on are NULL.
 */
uint8_t martech_consent_purpose(martech_str_t name);
const char *martech_consent_purpose_name(unsigned bit_number);
martech_consent_signal_t martech_consent_signal(martech_str_t name);
const char *martech_consent_signal_name(martech_consent_signal_t signal);

/*
 * The purposes of "analytics,advertising", or of "all"; 0 if it is empty or
 * has a name that is none.
 */
uint8_t martech_consent_purposes(martech_str_t list);

/*
 * Writes the member "consent" of context.martech, without a comma around it:
 *
 *     "consent":{"granted":["necessary","analytics"],"denied":[...],
 *                "by":{"analytics":"tcf","advertising":"gpc"}}
 *
 * by has no purposes that the default decided, nor "necessary".  Returns the
 * length, at most MARTECH_CONSENT_TEXT_MAX.
 */
#define MARTECH_CONSENT_TEXT_MAX  512
size_t martech_consent_write(const martech_consent_decision_t *decision,
    char *out);


#endif /* _MARTECH_CONSENT_H_INCLUDED_ */
