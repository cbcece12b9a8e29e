
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Privacy: what is masked, dropped or hashed of an event before it is stored,
 * and how an event becomes anonymous (docs/PRIVACY.md).
 */


#ifndef _MARTECH_PRIVACY_H_INCLUDED_
#define _MARTECH_PRIVACY_H_INCLUDED_


#include "martech_agent_cache.h"
#include "martech.h"
#include "martech_edit.h"
#include "martech_event.h"


typedef enum {
    MARTECH_REDACT_MASK = 0,             /* "***", or the part that matched */
    MARTECH_REDACT_DROP,                 /* the member, or the element becomes
                                            null */
    MARTECH_REDACT_HASH                  /* HMAC-SHA256 in hex, 32 digits */
} martech_redact_t;


typedef enum {
    MARTECH_KEEP = 0,
    MARTECH_REDUCE,                      /* IP: mask; user agent: reduce */
    MARTECH_REMOVE
} martech_keep_t;


typedef struct martech_privacy_s  martech_privacy_t;

#define MARTECH_PRIVACY_ERROR_SIZE  256


/*
 * A set of rules: made, filled, then only used.  The caller frees it.  Those
 * that add return NULL, or a text that says what is wrong (into error, or
 * static).  A set keeps what it learned of names and has scratch space (0.7
 * MiB), so two threads must not use it at once; an empty one does for what
 * needs no rules.
 */
martech_privacy_t *martech_privacy_create(void);
void martech_privacy_free(martech_privacy_t *privacy);

/* "/traits/email", "/properties/items/ * /sku" (without blanks), and
   "/ ** /email" in any depth */
const char *martech_privacy_pointer(martech_privacy_t *privacy,
    martech_str_t pointer, martech_redact_t how,
    char error[MARTECH_PRIVACY_ERROR_SIZE]);

/* member names, at any depth: a word, or with regex an expression; compared
   without case */
const char *martech_privacy_name(martech_privacy_t *privacy,
    martech_str_t pattern, int regex, martech_redact_t how, char *error);

/* what a regular expression finds in string values */
const char *martech_privacy_value(martech_privacy_t *privacy,
    martech_str_t regex, martech_redact_t how, char *error);

/* "email", "card", "phone", "iban", "national_id": in string values, and
   numbers where it makes sense; a member whose name holds one is dropped */
const char *martech_privacy_pattern(martech_privacy_t *privacy,
    martech_str_t name, martech_redact_t how, char *error);

/* query parameters: a name, "name*", or "default" for the usual ones */
const char *martech_privacy_scrub(martech_privacy_t *privacy,
    martech_str_t name, char *error);

/* the personal fields of the plan's entry */
void martech_privacy_personal(martech_privacy_t *privacy,
    martech_redact_t how);
void martech_privacy_ip(martech_privacy_t *privacy, martech_keep_t how);
void martech_privacy_agent(martech_privacy_t *privacy, martech_keep_t how);

/* the key of MARTECH_REDACT_HASH; at least 16 bytes */
const char *martech_privacy_key(martech_privacy_t *privacy,
    martech_str_t key, char *error);

/* Why it cannot be used yet (a hash without a key), or NULL. */
const char *martech_privacy_ready(const martech_privacy_t *privacy);


/*
 * Facts of the request as they may be stored: address and user agent are kept,
 * reduced (into buf, which lives as long as facts) or made empty.  With a cache
 * (or NULL) the user agent may be the cache's, good until the next call.
 */
typedef struct {
    unsigned char  ip[64];
    unsigned char  agent[MARTECH_USER_AGENT_MAX];
} martech_privacy_facts_t;

void martech_privacy_facts(const martech_privacy_t *privacy,
    martech_agent_cache_t *agents, martech_facts_t *facts,
    martech_privacy_facts_t *buf);

/*
 * Finds what must be changed of a checked event, members of the batch's own
 * context and integrations included, and adds it to edits; what is asked for
 * twice counts as the one that leaves less.  personal may be NULL.  If
 * edits->full is set then, the event must not be stored.
 */
void martech_privacy_edit(const martech_privacy_t *privacy,
    const martech_event_t *ev, const martech_str_t *personal,
    unsigned npersonal, martech_edits_t *edits);

/*
 * The same for an event whose person has denied what is needed: besides the
 * above, nothing remains that leads to the person: see docs/PRIVACY.md for the
 * list.  ip and agent are those of the request, raw, so that they are found
 * in the event, too.  The ids themselves are left out by the writer
 * (martech_event_t.anonymous).
 */
void martech_privacy_anonymize(const martech_privacy_t *privacy,
    const martech_event_t *ev, martech_str_t ip, martech_str_t agent,
    const martech_str_t *personal, unsigned npersonal,
    martech_edits_t *edits);

/*
 * What the edge adds to an event is held against the rules as if it stood
 * there: an anonymousId and the members of context.campaign (JSON text without
 * braces).  Both are replaced by what may be stored, in room of the edits;
 * empty: nothing.
 */
typedef struct {
    martech_str_t  visitor;
    martech_str_t  campaign;
} martech_privacy_added_t;

void martech_privacy_added(const martech_privacy_t *privacy,
    const martech_event_t *ev, const martech_str_t *personal,
    unsigned npersonal, martech_privacy_added_t *added,
    martech_edits_t *edits);

/* 1 if a parameter of a query, "name=value", would go from a URL. */
int martech_privacy_param(const martech_privacy_t *privacy,
    martech_str_t param);

/*
 * Text that may hold a value of the sender's (a pointer with member names),
 * made fit for a log or a page: what a built-in pattern finds becomes "***",
 * whatever is configured.  Returns the length.
 */
size_t martech_privacy_text(const char *text, size_t len, char *out,
    size_t size);


#endif /* _MARTECH_PRIVACY_H_INCLUDED_ */
