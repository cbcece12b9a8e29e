
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


#define MARTECH_PRIVACY_SCRATCH   131072 /* bytes of a string, un-escaped */
#define MARTECH_PRIVACY_CACHE     1024   /* names, a power of two */
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
    unsigned  hints_known:1;
    unsigned  person_known:1;
    unsigned  person:1;                  /* an anonymous event lacks it */
    unsigned  called:1;                  /* it is "name" */
} martech_privacy_name_t;


/* Short names are told by their bytes in head and tail alone. */
typedef struct {
    uint64_t                head;
    uint64_t                tail;
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

/* The bytes of a name as numbers, and its place in the cache. */
typedef struct {
    uint64_t  head;
    uint64_t  tail;
    size_t    len;
    unsigned  slot;
} martech_privacy_key_t;


/* Names of up to 16 bytes are told by head, tail and length. */

static inline int
martech_privacy_key_is(const martech_privacy_cached_t *cached,
    const martech_privacy_key_t *key, const unsigned char *text)
{
    return cached->head == key->head && cached->tail == key->tail
           && cached->len == key->len
           && (key->len <= 16 || memcmp(cached->text, text, key->len) == 0);
}


/* The rest of martech_privacy_known(): a name that is not in its place. */
martech_privacy_name_t *martech_privacy_look(martech_privacy_work_t *w,
    uint32_t node, const martech_privacy_key_t *key);


/*
 * What is known of a member's name; good until the next call.  Here, because
 * each name of an event comes by, and nearly always is in its place.
 */

static inline martech_privacy_name_t *
martech_privacy_known(martech_privacy_work_t *w, uint32_t node)
{
    uint32_t                    a, b;
    const unsigned char        *p;
    martech_privacy_key_t       key;
    martech_privacy_cached_t   *cached;
    const martech_json_node_t  *member;

    member = &w->tape->nodes[node];

    p = w->tape->text + member->key;
    key.len = member->key_len;
    key.head = 0;
    key.tail = 0;

    if (key.len > 8) {
        memcpy(&key.head, p, 8);
        memcpy(&key.tail, p + key.len - 8, 8);

    } else if (key.len > 3) {
        memcpy(&a, p, 4);
        memcpy(&b, p + key.len - 4, 4);
        key.head = (uint64_t) b << 32 | a;

    } else if (key.len > 0) {
        key.head = (uint64_t) p[0] << 16 | (uint64_t) p[key.len / 2] << 8
                   | p[key.len - 1];
    }

    key.slot = (unsigned) (((key.head ^ (key.tail * 0x9e3779b97f4a7c15ULL)
                             ^ key.len) * 0xff51afd7ed558ccdULL) >> 40)
               & (MARTECH_PRIVACY_CACHE - 1);

    cached = &w->privacy->cache[key.slot];

    if (key.len > 0 && martech_privacy_key_is(cached, &key, p)) {
        return &cached->name;
    }

    return martech_privacy_look(w, node, &key);
}


/* The hints of its name; 1 if an anonymous event lacks the member. */
unsigned martech_privacy_hints(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name);
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
