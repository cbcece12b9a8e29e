
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A set of privacy rules: made and filled at configuration time.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "martech_ip.h"
#include "martech_privacy_private.h"


static const char  martech_privacy_memory[] = "out of memory";


static int martech_privacy_steps(martech_privacy_t *privacy,
    martech_str_t pointer, martech_redact_t how);
static uint16_t martech_privacy_step(martech_privacy_t *privacy,
    uint16_t *list, int kind, martech_str_t name);
static const char *martech_privacy_add(martech_privacy_rule_t *rules,
    unsigned *count, martech_str_t text, int regex, martech_redact_t how,
    char *error);


martech_privacy_t *
martech_privacy_create(void)
{
    martech_privacy_t  *privacy;

    privacy = calloc(1, sizeof(martech_privacy_t));

    if (privacy == NULL) {
        return NULL;
    }

    privacy->personal = MARTECH_REDACT_NOT;
    privacy->nsteps = 1;

    privacy->steps = calloc(MARTECH_PRIVACY_STEPS,
                            sizeof(martech_privacy_step_t));
    privacy->cache = calloc(MARTECH_PRIVACY_CACHE,
                            sizeof(martech_privacy_cached_t));
    privacy->scratch = malloc(4 * (size_t) MARTECH_PRIVACY_SCRATCH + 64);

    if (privacy->steps == NULL || privacy->cache == NULL
        || privacy->scratch == NULL)
    {
        martech_privacy_free(privacy);
        return NULL;
    }

    return privacy;
}


static void
martech_privacy_rules_free(martech_privacy_rule_t *rules, unsigned count)
{
    unsigned  i;

    for (i = 0; i < count; i++) {
        free((void *) rules[i].word.data);

        if (rules[i].regex) {
            martech_regex_free(rules[i].regex);
        }
    }
}


void
martech_privacy_free(martech_privacy_t *privacy)
{
    unsigned  i;

    if (privacy == NULL) {
        return;
    }

    if (privacy->steps) {

        for (i = 1; i < privacy->nsteps; i++) {
            free((void *) privacy->steps[i].name.data);
        }
    }

    martech_privacy_rules_free(privacy->names, privacy->nnames);
    martech_privacy_rules_free(privacy->values, privacy->nvalues);

    for (i = 0; i < privacy->url.count; i++) {
        free((void *) privacy->url.names[i].data);
    }

    memset(privacy->key, 0, sizeof(privacy->key));

    free(privacy->steps);
    free(privacy->cache);
    free(privacy->scratch);
    free(privacy);
}


static unsigned char *
martech_privacy_copy(const unsigned char *data, size_t len)
{
    unsigned char  *p;

    p = malloc(len + 1);

    if (p != NULL) {
        memcpy(p, data, len);
        p[len] = '\0';
    }

    return p;
}


static void
martech_privacy_lower(unsigned char *p, size_t len)
{
    for ( /* void */ ; len > 0; p++, len--) {

        if (*p >= 'A' && *p <= 'Z') {
            *p |= 0x20;
        }
    }
}


const char *
martech_privacy_pointer(martech_privacy_t *privacy, martech_str_t pointer,
    martech_redact_t how, char error[MARTECH_PRIVACY_ERROR_SIZE])
{
    size_t  i;

    if (pointer.len < 2 || pointer.data[0] != '/') {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "a pointer begins with \"/\" and names a member, "
                 "like /traits/email");
        return error;
    }

    for (i = 0; i < pointer.len; i++) {

        if (pointer.data[i] == '~'
            && (i + 1 == pointer.len || (pointer.data[i + 1] != '0'
                                         && pointer.data[i + 1] != '1')))
        {
            snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                     "\"~\" in a pointer is followed by 0 (for \"~\") or 1 "
                     "(for \"/\"), not so at byte %zu", i);
            return error;
        }
    }

    if (pointer.len >= 3
        && memcmp(pointer.data + pointer.len - 3, "/**", 3) == 0)
    {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "\"**\" must be followed by a name or \"*\"");
        return error;
    }

    if (!martech_privacy_steps(privacy, pointer, how)) {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "more than %d steps in all pointers, or out of memory",
                 MARTECH_PRIVACY_STEPS);
        return error;
    }

    privacy->hash |= (how == MARTECH_REDACT_HASH);

    return NULL;
}


static int
martech_privacy_steps(martech_privacy_t *privacy, martech_str_t pointer,
    martech_redact_t how)
{
    int                   kind;
    uint16_t              step, *list;
    martech_str_t         name;
    unsigned char        *buf, *o;
    const unsigned char  *p, *end;

    buf = martech_privacy_copy(pointer.data, pointer.len);

    if (buf == NULL) {
        return 0;
    }

    list = &privacy->root;
    step = 0;
    p = pointer.data;
    end = p + pointer.len;

    while (p < end) {
        o = buf;

        for (p++; p < end && *p != '/'; p++) {

            if (*p == '~') {
                p++;
                *o++ = (*p == '0') ? '~' : '/';

            } else {
                *o++ = *p;
            }
        }

        name.data = buf;
        name.len = (size_t) (o - buf);

        kind = MARTECH_STEP_NAME;

        if (p[-1] == '*' && name.len == 1) {
            kind = MARTECH_STEP_ANY;

        } else if (name.len == 2 && memcmp(buf, "**", 2) == 0) {
            kind = MARTECH_STEP_DEEP;
        }

        step = martech_privacy_step(privacy, list, kind, name);

        if (step == 0) {
            free(buf);
            return 0;
        }

        list = &privacy->steps[step].child;
    }

    free(buf);

    privacy->steps[step].how = martech_redact_worse(privacy->steps[step].how,
                                                    how);
    return 1;
}


/* The step of a list, new if it is not there; 0: there is no room. */

static uint16_t
martech_privacy_step(martech_privacy_t *privacy, uint16_t *list, int kind,
    martech_str_t name)
{
    martech_privacy_step_t  *step;

    for ( /* void */ ; *list; list = &privacy->steps[*list].next) {
        step = &privacy->steps[*list];

        if ((int) step->kind == kind && step->name.len == name.len
            && memcmp(step->name.data, name.data, name.len) == 0)
        {
            return *list;
        }
    }

    if (privacy->nsteps == MARTECH_PRIVACY_STEPS) {
        return 0;
    }

    step = &privacy->steps[privacy->nsteps];

    step->name.len = name.len;
    step->name.data = martech_privacy_copy(name.data, name.len);

    if (step->name.data == NULL) {
        return 0;
    }

    step->kind = (unsigned) kind;
    step->how = MARTECH_REDACT_NOT;
    *list = (uint16_t) privacy->nsteps;

    return (uint16_t) privacy->nsteps++;
}


const char *
martech_privacy_name(martech_privacy_t *privacy, martech_str_t pattern,
    int regex, martech_redact_t how, char *error)
{
    privacy->hash |= (how == MARTECH_REDACT_HASH);

    return martech_privacy_add(privacy->names, &privacy->nnames, pattern,
                               regex, how, error);
}


const char *
martech_privacy_value(martech_privacy_t *privacy, martech_str_t regex,
    martech_redact_t how, char *error)
{
    privacy->hash |= (how == MARTECH_REDACT_HASH);

    return martech_privacy_add(privacy->values, &privacy->nvalues, regex, 2,
                               how, error);
}


/* regex: 0 a word, 1 without case, 2 as it is. */

static const char *
martech_privacy_add(martech_privacy_rule_t *rules, unsigned *count,
    martech_str_t text, int regex, martech_redact_t how, char *error)
{
    unsigned char           *word;
    martech_privacy_rule_t  *rule;

    if (*count == MARTECH_PRIVACY_RULES) {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE, "more than %d rules",
                 MARTECH_PRIVACY_RULES);
        return error;
    }

    if (text.len == 0) {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "an empty text matches nothing");
        return error;
    }

    rule = &rules[*count];
    rule->how = (uint8_t) how;
    rule->regex = NULL;

    word = martech_privacy_copy(text.data, text.len);

    if (word == NULL) {
        return martech_privacy_memory;
    }

    rule->word.data = word;
    rule->word.len = text.len;

    if (regex) {
        rule->regex = martech_regex_compile(text,
                                   (regex == 1) ? MARTECH_REGEX_CASELESS : 0,
                                   error);
        if (rule->regex == NULL) {
            free(word);
            return error;
        }

    } else {
        martech_privacy_lower(word, text.len);
    }

    (*count)++;

    return NULL;
}


const char *
martech_privacy_pattern(martech_privacy_t *privacy, martech_str_t name,
    martech_redact_t how, char *error)
{
    unsigned  i, pattern;

    pattern = martech_pii_pattern(name);

    if (pattern == 0) {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "unknown pattern \"%.*s\"; there are email, card, phone, "
                 "iban and national_id",
                 (int) (name.len > 64 ? 64 : name.len),
                 (const char *) name.data);
        return error;
    }

    for (i = 0; !(pattern & (1u << i)); i++) { /* void */ }

    privacy->pattern_how[i] = (privacy->patterns & pattern)
                              ? martech_redact_worse(privacy->pattern_how[i],
                                                     how)
                              : (uint8_t) how;
    privacy->patterns |= pattern;
    privacy->hash |= (how == MARTECH_REDACT_HASH);

    return NULL;
}


const char *
martech_privacy_scrub(martech_privacy_t *privacy, martech_str_t name,
    char *error)
{
    unsigned char  *word;

    if (name.len == 7 && memcmp(name.data, "default", 7) == 0) {
        privacy->url.usual = 1;
        privacy->scrub = 1;
        return NULL;
    }

    if (name.len == 0 || name.len > MARTECH_URL_NAME_MAX
        || memchr(name.data, '*', name.len - 1) != NULL
        || (name.len == 1 && name.data[0] == '*'))
    {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "a parameter is a name of 1 to %d bytes, a \"*\" stands at "
                 "its end only", MARTECH_URL_NAME_MAX);
        return error;
    }

    if (privacy->url.count == MARTECH_URL_NAMES_MAX) {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "more than %d names of parameters", MARTECH_URL_NAMES_MAX);
        return error;
    }

    word = martech_privacy_copy(name.data, name.len);

    if (word == NULL) {
        return martech_privacy_memory;
    }

    martech_privacy_lower(word, name.len);

    privacy->url.names[privacy->url.count].data = word;
    privacy->url.names[privacy->url.count++].len = name.len;
    privacy->scrub = 1;

    return NULL;
}


void
martech_privacy_personal(martech_privacy_t *privacy, martech_redact_t how)
{
    privacy->personal = (uint8_t) how;
    privacy->hash |= (how == MARTECH_REDACT_HASH);
}


void
martech_privacy_ip(martech_privacy_t *privacy, martech_keep_t how)
{
    privacy->ip = how;
}


void
martech_privacy_agent(martech_privacy_t *privacy, martech_keep_t how)
{
    privacy->agent = how;
}


const char *
martech_privacy_key(martech_privacy_t *privacy, martech_str_t key,
    char *error)
{
    if (key.len < MARTECH_PRIVACY_KEY_MIN || key.len > MARTECH_PRIVACY_KEY_MAX)
    {
        snprintf(error, MARTECH_PRIVACY_ERROR_SIZE,
                 "a key has %d to %d bytes, not %zu", MARTECH_PRIVACY_KEY_MIN,
                 MARTECH_PRIVACY_KEY_MAX, key.len);
        return error;
    }

    memcpy(privacy->key, key.data, key.len);
    privacy->key_len = key.len;

    return NULL;
}


const char *
martech_privacy_ready(const martech_privacy_t *privacy)
{
    if (privacy->hash && privacy->key_len == 0) {
        return "a rule with \"hash\" needs a key";
    }

    return NULL;
}


void
martech_privacy_facts(const martech_privacy_t *privacy,
    martech_agent_cache_t *agents, martech_facts_t *facts,
    martech_privacy_facts_t *buf)
{
    if (privacy->ip == MARTECH_REMOVE) {
        facts->ip.len = 0;

    } else if (privacy->ip == MARTECH_REDUCE) {
        facts->ip.len = martech_ip_mask(facts->ip, buf->ip);
        facts->ip.data = buf->ip;
    }

    if (privacy->agent == MARTECH_REMOVE) {
        facts->user_agent.len = 0;

    } else if (privacy->agent == MARTECH_REDUCE) {
        facts->user_agent = martech_agent_recall(agents, facts->user_agent,
                                                 buf->agent);
    }
}


size_t
martech_privacy_text(const char *text, size_t len, char *out, size_t size)
{
    size_t               at, n, part;
    const char          *mask;
    martech_pii_match_t  match;

    at = 0;
    n = 0;

    while (at < len) {
        mask = "***";

        if (!martech_pii_next(MARTECH_PII_ALL | MARTECH_PII_RANDOM, 0,
                              (const unsigned char *) text, len, at, &match))
        {
            match.from = len;
            match.to = len;
            mask = "";
        }

        part = match.from - at;
        part = (part < size - n) ? part : size - n;

        memcpy(out + n, text + at, part);
        n += part;

        part = strlen(mask);
        part = (part < size - n) ? part : size - n;

        memcpy(out + n, mask, part);
        n += part;

        at = match.to;
    }

    return n;
}
