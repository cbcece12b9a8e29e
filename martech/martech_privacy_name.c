
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is known of the names of members.  An event has the same names as the
 * one before it, so the answer is kept by the name's bytes; a name that takes
 * another one's place costs time, never memory.
 */


#include <string.h>

#include "martech_field.h"
#include "martech_privacy_private.h"


static void martech_privacy_learn(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *known);
static int martech_privacy_rule_is(const martech_privacy_rule_t *rule,
    martech_str_t name);
static unsigned martech_privacy_word(martech_str_t name);


martech_privacy_name_t *
martech_privacy_look(martech_privacy_work_t *w, uint32_t node)
{
    size_t                      len;
    unsigned                    i, slot;
    martech_word_t              word;
    const unsigned char        *p;
    martech_privacy_cached_t   *cached, *free;
    const martech_json_node_t  *member;

    member = &w->tape->nodes[node];
    p = w->tape->text + member->key;
    len = member->key_len;

    if (len == 0 || len > MARTECH_PRIVACY_CACHED) {
        martech_privacy_learn(w, node, &w->spare);
        return &w->spare;
    }

    word = martech_word(p, len);
    slot = martech_privacy_slot(word, len);
    free = NULL;

    for (i = 0; i < MARTECH_PRIVACY_WAYS; i++) {
        cached = &w->privacy->cache[slot ^ i];

        if (cached->len == len
            && martech_word_same(cached->word, cached->text, word, p, len))
        {
            return &cached->name;
        }

        if (cached->len == 0 && free == NULL) {
            free = cached;
        }
    }

    /* names in turn, so that two of them cannot push out each other for
       ever */

    cached = free;

    if (cached == NULL) {
        cached = &w->privacy->cache[slot ^ (w->privacy->turn++
                                            % MARTECH_PRIVACY_WAYS)];
    }

    cached->word = word;
    cached->len = (uint32_t) len;
    memcpy(cached->text, p, len);

    martech_privacy_learn(w, node, &cached->name);

    return &cached->name;
}


int
martech_privacy_name_text(const martech_json_tape_t *tape, uint32_t node,
    unsigned char *buf, martech_str_t *name)
{
    long                        n;
    const martech_json_node_t  *member;

    member = &tape->nodes[node];

    name->data = tape->text + member->key;
    name->len = member->key_len;

    if (!(member->flags & MARTECH_JSON_KEY_ESCAPED)) {
        return 1;
    }

    n = martech_json_unescape(*name, buf, MARTECH_PRIVACY_NAME_MAX);

    if (n < 0) {
        name->len = 0;
        return 0;
    }

    name->data = buf;
    name->len = (size_t) n;

    return 1;
}


static void
martech_privacy_learn(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *known)
{
    unsigned             i;
    martech_str_t        name;
    unsigned char        buf[MARTECH_PRIVACY_NAME_MAX];
    martech_privacy_t   *privacy;
    martech_pii_match_t  match;

    privacy = w->privacy;

    memset(known, 0, sizeof(martech_privacy_name_t));
    known->how = MARTECH_REDACT_NOT;
    known->field = (uint8_t) martech_field(w->tape, &w->tape->nodes[node]);

    if (!martech_privacy_name_text(w->tape, node, buf, &name)) {

        /* it cannot be compared, so it counts as named by each rule */

        if (privacy->nnames || privacy->patterns) {
            known->how = MARTECH_REDACT_DROP;
        }

        return;
    }

    known->word = (uint8_t) martech_privacy_word(name);

    for (i = 0; i < privacy->nnames; i++) {

        if (martech_privacy_rule_is(&privacy->names[i], name)) {
            known->how = martech_redact_worse(known->how,
                                              privacy->names[i].how);
        }
    }

    /* a value that stands in the place of a name takes the member with it */

    if (privacy->patterns
        && (privacy->patterns & martech_pii_may(name.data, name.len,
                                                name.data + name.len))
        && martech_pii_next(privacy->patterns, 0, name.data, name.len, 0,
                            &match))
    {
        known->how = MARTECH_REDACT_DROP;
    }
}


static int
martech_privacy_rule_is(const martech_privacy_rule_t *rule,
    martech_str_t name)
{
    size_t         i;
    unsigned char  c;

    if (rule->regex) {

        /* given up is as good as found */

        return martech_regex_find(rule->regex, name.data, name.len, 0, NULL,
                                  NULL)
               != 0;
    }

    if (name.len != rule->word.len) {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != rule->word.data[i]) {
            return 0;
        }
    }

    return 1;
}


static unsigned
martech_privacy_word(martech_str_t name)
{
    size_t  i;

    static const struct {
        martech_str_t  name;
        unsigned       word;
    } words[] = {
        { martech_string("ip"), MARTECH_WORD_IP },
        { martech_string("userAgent"), MARTECH_WORD_AGENT },
        { martech_string("userAgentData"), MARTECH_WORD_AGENT_DATA },
        { martech_string("page"), MARTECH_WORD_PAGE },
        { martech_string("title"), MARTECH_WORD_TITLE },
        { martech_string("url"), MARTECH_WORD_URL },
        { martech_string("referrer"), MARTECH_WORD_URL },
        { martech_string("referer"), MARTECH_WORD_URL },
        { martech_string("path"), MARTECH_WORD_URL },
        { martech_string("href"), MARTECH_WORD_URL },
        { martech_string("link"), MARTECH_WORD_URL },
        { martech_string("location"), MARTECH_WORD_URL },
        { martech_string("dl"), MARTECH_WORD_URL },
        { martech_string("dr"), MARTECH_WORD_URL },
        { martech_string("refr"), MARTECH_WORD_URL },
        { martech_string("search"), MARTECH_WORD_SEARCH },
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (name.len == words[i].name.len
            && memcmp(name.data, words[i].name.data, name.len) == 0)
        {
            return words[i].word;
        }
    }

    return MARTECH_WORD_OTHER;
}


void
martech_privacy_hint(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name)
{
    martech_str_t  text;
    unsigned char  buf[MARTECH_PRIVACY_NAME_MAX];

    (void) martech_privacy_name_text(w->tape, node, buf, &text);

    name->hints = (uint8_t) martech_pii_hints(text);
    name->hints_known = 1;
}


int
martech_privacy_person(martech_privacy_work_t *w, uint32_t node,
    martech_privacy_name_t *name)
{
    char                 word[MARTECH_PRIVACY_CACHED + 1];
    size_t               i, n, from, to;
    martech_str_t        text;
    unsigned char        c, buf[MARTECH_PRIVACY_NAME_MAX];
    martech_pii_match_t  match;

    if (!martech_privacy_name_text(w->tape, node, buf, &text)
        || text.len > MARTECH_PRIVACY_CACHED)
    {
        return 1;
    }

    /* secrets are those of this event: never to be kept */

    if (martech_privacy_secret(w->secrets, text, 0, &from, &to)
        || martech_privacy_hidden(w, text))
    {
        return 1;
    }

    if (name->person_known) {
        return name->person;
    }

    name->person_known = 1;
    name->person = 1;

    /* cookies and what tools keep to themselves: "_ga_AB12", "_hjid" */

    if (text.len > 0 && text.data[0] == '_') {
        return 1;
    }

    if (martech_pii_next(MARTECH_PII_ALL | MARTECH_PII_RANDOM, 0, text.data,
                         text.len, 0, &match))
    {
        return 1;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
            word[n++] = (char) c;
        }
    }

    word[n] = '\0';

    name->called = (strcmp(word, "name") == 0);
    name->person = (unsigned) martech_privacy_personal_name(word);

    return name->person;
}
