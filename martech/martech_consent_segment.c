
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The object categoryPreferences, in an event's context.consent or in a
 * cookie: {"C0001":true,"Advertising":false}.
 */


#include <string.h>

#include "martech_consent_private.h"


/* names of categories are a word or an id; a longer one is not known */
#define MARTECH_CONSENT_NAME_MAX  256


static void martech_consent_preferences(const martech_json_tape_t *tape,
    uint32_t object, const martech_consent_rules_t *rules,
    martech_consent_t *consent);


void
martech_consent_segment(martech_str_t value,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    martech_str_t        text;
    unsigned char        buffer[MARTECH_CONSENT_SIGNAL_MAX];
    martech_json_tape_t  tape;
    martech_json_node_t  nodes[MARTECH_CONSENT_NODES];

    /* a text that is JSON already may have a "%" of its own */

    text = (value.data[0] == '{') ? value
                                  : martech_consent_decode(value, buffer);

    if (martech_consent_scan(&tape, nodes, text)) {
        martech_consent_object(&tape, 0, rules, consent);
    }
}


int
martech_consent_scan(martech_json_tape_t *tape, martech_json_node_t *nodes,
    martech_str_t text)
{
    martech_limits_t  limits;

    martech_limits_default(&limits);

    tape->nodes = nodes;
    tape->nodes_max = MARTECH_CONSENT_NODES;

    return martech_json_scan(tape, text.data, text.len, &limits) == MARTECH_OK
           && tape->nodes[0].kind == MARTECH_JSON_OBJECT;
}


/*
 * Each member of this name counts, should there be two: a denial in one of
 * them must not be lost.  custom is how the tool's own cookie calls it.
 */

void
martech_consent_object(const martech_json_tape_t *tape, uint32_t node,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    int       found;
    uint32_t  i;

    if (tape->nodes[node].kind != MARTECH_JSON_OBJECT) {
        return;
    }

    found = 0;

    for (i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {

        if (martech_json_name_is(tape, i, "categoryPreferences", 19)
            || martech_json_name_is(tape, i, "custom", 6))
        {
            martech_consent_preferences(tape, i, rules, consent);
            found = 1;
        }
    }

    if (!found) {

        /* the preferences themselves; an empty object is no answer here */

        if (tape->nodes[node].count != 0) {
            martech_consent_preferences(tape, node, rules, consent);
        }
    }
}


/*
 * Only true is consent.  Preferences that are empty, and those that are no
 * object, are a "no" to all, as this format has it.
 */

static void
martech_consent_preferences(const martech_json_tape_t *tape, uint32_t object,
    const martech_consent_rules_t *rules, martech_consent_t *consent)
{
    long                        n;
    uint32_t                    i;
    martech_str_t               key, name;
    unsigned char               buffer[MARTECH_CONSENT_NAME_MAX];
    const martech_json_node_t  *nodes;

    nodes = tape->nodes;

    if (nodes[object].kind != MARTECH_JSON_OBJECT || nodes[object].count == 0)
    {
        martech_consent_say(consent, MARTECH_PURPOSES_ALL, 0);
        return;
    }

    for (i = object + 1; i < nodes[object].next; i = nodes[i].next) {
        key.data = tape->text + nodes[i].key;
        key.len = nodes[i].key_len;

        n = martech_json_unescape(key, buffer, sizeof(buffer));

        if (n < 0) {
            continue;
        }

        name.data = buffer;
        name.len = (size_t) n;

        martech_consent_say(consent, martech_consent_category(rules, name),
                            nodes[i].kind == MARTECH_JSON_TRUE);
    }
}
