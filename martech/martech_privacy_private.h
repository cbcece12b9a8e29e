
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of martech_privacy: a set of rules, what is known of
 * the name of a member, and the state of one event.
 */


#ifndef _MARTECH_PRIVACY_PRIVATE_H_INCLUDED_
#define _MARTECH_PRIVACY_PRIVATE_H_INCLUDED_


#include <string.h>

#include "martech_pii.h"
#include "martech_privacy.h"
#include "martech_regex.h"
#include "martech_url.h"
#include "martech_word.h"


#define MARTECH_PRIVACY_SCRATCH   131072 /* bytes of a string, un-escaped */
#define MARTECH_PRIVACY_CACHE_BITS  10
#define MARTECH_PRIVACY_CACHE     (1 << MARTECH_PRIVACY_CACHE_BITS)  /* names */
#define MARTECH_PRIVACY_WAYS      4      /* places of a name in it */
#define MARTECH_PRIVACY_CACHED    64     /* bytes of a name in the cache */
#define MARTECH_PRIVACY_NAME_MAX  1024   /* bytes of an escaped name */
#define MARTECH_PRIVACY_STEPS     2048   /* of all pointers */
#define MARTECH_PRIVACY_RULES     256    /* of each kind */
#define MARTECH_PRIVACY_MARKS     512    /* places of an event that pointers
                                            find */
#define MARTECH_PRIVACY_MATCHES   64     /* within one string */
#define MARTECH_PRIVACY_SECRETS   64     /* of one event */
#define MARTECH_PRIVACY_VISITS    (1 << 20)  /* of members by pointers */
#define MARTECH_PRIVACY_KEY_MIN   16
#define MARTECH_PRIVACY_KEY_MAX   256
#define MARTECH_PRIVACY_HASH      32     /* hex digits */

#define MARTECH_REDACT_NOT        0xff   /* no martech_redact_t */


/*
 * A step of pointers that begin alike: what it matches, what becomes of that,
 * and the steps behind it.  0 ends a list.
 */
typedef struct {
    enum {
        MARTECH_STEP_NAME = 0,
        MARTECH_STEP_ANY,                /* "*" */
        MARTECH_STEP_DEEP                /* "**" */
    }              kind;
    uint8_t        how;                  /* or MARTECH_REDACT_NOT */
    uint16_t       child;
    uint16_t       next;
    martech_str_t  name;
} martech_privacy_step_t;


typedef struct {
    martech_str_t     word;              /* lower case; or the regex */
    martech_regex_t  *regex;
    uint8_t           how;
} martech_privacy_rule_t;


/* Names that mean something in their place. */
enum {
    MARTECH_WORD_OTHER = 0,
    MARTECH_WORD_IP,
    MARTECH_WORD_AGENT,
    MARTECH_WORD_AGENT_DATA,
    MARTECH_WORD_PAGE,
    MARTECH_WORD_TITLE,
    MARTECH_WORD_URL,                    /* holds a URL or a part of one */
    MARTECH_WORD_SEARCH                  /* a query string */
};


/* Where a member stands. */
enum {
    MARTECH_ZONE_DEEP = 0,               /* anywhere else */
    MARTECH_ZONE_PROPERTIES,
    MARTECH_ZONE_CONTEXT,
    MARTECH_ZONE_PAGE,
    MARTECH_ZONE_LIBRARY,                /* and app */
    MARTECH_ZONE_CAMPAIGN,
    MARTECH_ZONE_PROTOCOLS,
    MARTECH_ZONE_AGENT_DATA,
    MARTECH_ZONES
};


/* What is known of a name. */
typedef struct {
    uint8_t   how;                       /* of the rules, or NOT */
    uint8_t   word;
    uint8_t   hints;                     /* of martech_pii.h */
    uint8_t   field;                     /* of martech_field.h */
    unsigned  hints_known:1;
    unsigned  person_known:1;
    unsigned  person:1;                  /* an anonymous event lacks it */
    unsigned  called:1;                  /* it is "name" */
} martech_privacy_name_t;


typedef struct {
    martech_word_t          word;
    uint32_t                len;         /* 0: free */
    martech_privacy_name_t  name;
    unsigned char           text[MARTECH_PRIVACY_CACHED];
} martech_privacy_cached_t;


struct martech_privacy_s {
    martech_privacy_step_t    *steps;    /* [0] is not used */
    unsigned                   nsteps;
    uint16_t                   root;

    martech_privacy_rule_t     names[MARTECH_PRIVACY_RULES];
    unsigned                   nnames;
    martech_privacy_rule_t     values[MARTECH_PRIVACY_RULES];
    unsigned                   nvalues;

    unsigned                   patterns;
    uint8_t                    pattern_how[MARTECH_PII_COUNT];

    martech_url_rules_t        url;
    unsigned                   scrub:1;
    unsigned                   hash:1;   /* some rule needs the key */

    uint8_t                    personal; /* or NOT */
    martech_keep_t             ip;
    martech_keep_t             agent;

    unsigned char              key[MARTECH_PRIVACY_KEY_MAX];
    size_t                     key_len;

    martech_privacy_cached_t  *cache;
    unsigned                   turn;     /* of the names of one place */
    unsigned char             *scratch;  /* four of them, and a block of the
                                            digest */
};


typedef struct {
    uint32_t  node;
    uint8_t   how;
} martech_privacy_mark_t;


/* Texts that lead to the person, to be found wherever they stand. */
typedef struct {
    martech_str_t  list[MARTECH_PRIVACY_SECRETS];
    unsigned       count;
    unsigned char  first[256];           /* 1 for the small letters they
                                            begin with */
    unsigned char  buf[8192];
    size_t         used;
} martech_privacy_secrets_t;


/* The work on one event. */
typedef struct {
    martech_privacy_t           *privacy;
    const martech_event_t       *ev;
    const martech_json_tape_t   *tape;
    martech_edits_t             *edits;
    martech_privacy_secrets_t   *secrets;    /* of an anonymous one, or NULL */
    martech_url_rules_t         *url;
    unsigned                     patterns;
    unsigned                     usual:1;    /* neither secrets nor
                                                expressions are looked for */
    unsigned                     visits;
    unsigned                     nmarks;
    unsigned                     mark;       /* the next one */
    martech_privacy_name_t       spare;      /* of a name not cached */
    martech_privacy_mark_t       marks[MARTECH_PRIVACY_MARKS];
} martech_privacy_work_t;


static inline unsigned
martech_redact_rank(unsigned how)
{
    switch (how) {

    case MARTECH_REDACT_DROP:
        return 3;

    case MARTECH_REDACT_HASH:
        return 2;

    case MARTECH_REDACT_MASK:
        return 1;

    default:
        return 0;
    }
}


/* The one of two that leaves less. */

static inline uint8_t
martech_redact_worse(unsigned a, unsigned b)
{
    if (a == b) {
        return (uint8_t) a;
    }

    return (uint8_t) ((martech_redact_rank(a) >= martech_redact_rank(b)) ? a
                                                                         : b);
}


static inline unsigned char *
martech_privacy_scratch(const martech_privacy_t *privacy, unsigned number)
{
    return privacy->scratch + number * (size_t) MARTECH_PRIVACY_SCRATCH;
}


/*
 * The name of a member, un-escaped into buf (MARTECH_PRIVACY_NAME_MAX bytes)
 * if need be.  0: it is too long for that.
 */
int martech_privacy_name_text(const martech_json_tape_t *tape, uint32_t node,
    unsigned char *buf, martech_str_t *name);

/*
 * The place of a name in the cache; its other ones are near.  Cheaper than
 * martech_word_hash(): names that share a place cost time, never memory.
 */

static inline unsigned
martech_privacy_slot(martech_word_t word, size_t len)
{
    uint64_t  mixed;

    mixed = word.head + (word.tail << 9 | word.tail >> 55) + len;

    return (unsigned) ((mixed * 0x9e3779b97f4a7c15ULL)
                       >> (64 - MARTECH_PRIVACY_CACHE_BITS));
}


/* The rest of martech_privacy_known(): a name that is long, or not in its
   place. */
martech_privacy_name_t *martech_privacy_look(martech_privacy_work_t *w,
    uint32_t node);


/*
 * What is known of a member's name; good until the next call.  Here, because
 * each name of an event comes by, and nearly always is in its place.
 */

static inline martech_privacy_name_t *
martech_privacy_known(martech_privacy_work_t *w, uint32_t node)
{
    size_t                     len;
    martech_word_t             word;
    martech_privacy_cached_t  *cached;

    len = w->tape->nodes[node].key_len;
    word = martech_word(w->tape->text + w->tape->nodes[node].key, len);

    cached = &w->privacy->cache[martech_privacy_slot(word, len)];

    if (cached->word.head == word.head && cached->word.tail == word.tail
        && cached->len == len && len - 1 < MARTECH_WORD_WHOLE)
    {
        return &cached->name;
    }

    return martech_privacy_look(w, node);
}


/* Sets the hints of a name. */
void martech_privacy_hint(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name);


static inline unsigned
martech_privacy_hints(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name)
{
    if (!name->hints_known) {
        martech_privacy_hint(w, node, name);
    }

    return name->hints;
}


/* 1 if an anonymous event lacks the member. */
int martech_privacy_person(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name);

/* Finds the places that pointers name: those of the set, and the plan's. */
void martech_privacy_marks(martech_privacy_work_t *w,
    const martech_str_t *personal, unsigned npersonal, unsigned how);

/* Changes of a value: taken away, or replaced. */
void martech_privacy_drop(martech_privacy_work_t *w, uint32_t node);
void martech_privacy_apply(martech_privacy_work_t *w, uint32_t node,
    unsigned how);
void martech_privacy_put(martech_privacy_work_t *w, uint32_t node,
    const unsigned char *text, size_t len);

/* A string un-escaped, in place or in scratch 0; 0: it does not fit. */
int martech_privacy_plain(martech_privacy_work_t *w, uint32_t node,
    martech_str_t *text);

/*
 * Looks into a string or number that no rule has named.  word tells how its
 * member is called where that counts, or is OTHER; patterns and hints as in
 * martech_pii.h.
 */
void martech_privacy_string(martech_privacy_work_t *w, uint32_t node,
    unsigned word, unsigned patterns, unsigned hints);
void martech_privacy_number(martech_privacy_work_t *w, uint32_t node,
    unsigned hints);

/* MARTECH_PRIVACY_HASH hex digits of at most MARTECH_PRIVACY_SCRATCH bytes,
   not in scratch 3. */
void martech_privacy_hash(const martech_privacy_t *privacy,
    const unsigned char *data, size_t len, int lower, unsigned char *out);

/* Collects what leads to the person of an event. */
void martech_privacy_secrets(martech_privacy_work_t *w, martech_str_t ip,
    martech_str_t agent);

/* The first of them in a text, without case; 1 if there is one. */
int martech_privacy_secret(const martech_privacy_secrets_t *secrets,
    martech_str_t text, size_t offset, size_t *from, size_t *to);

/* 1 if a text, decoded up to twice, holds a secret or a pattern. */
int martech_privacy_hidden(martech_privacy_work_t *w, martech_str_t text);

/*
 * 1 if the sender's member has no place in an anonymous event at all; zone is
 * that of its object.
 */
int martech_privacy_unknown(martech_privacy_work_t *w, uint32_t node,
    unsigned zone);

/* The zone of a member that is an object or array; 1 and up are those of
   an anonymous event's lists. */
unsigned martech_privacy_zone(martech_privacy_work_t *w, uint32_t node,
    unsigned zone);

/* 1 if a name (lower case, without joints) is that of something personal. */
int martech_privacy_personal_name(const char *name);


#endif /* _MARTECH_PRIVACY_PRIVATE_H_INCLUDED_ */
