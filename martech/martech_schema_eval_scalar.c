
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The evaluation of numbers, strings and constants.
 */


#include "martech_schema_core.h"


static const martech_str_t  martech_schema_nobody = { 0, NULL };


/* "enum" and "const" */

martech_schema_verdict_t
martech_schema_eval_value(martech_schema_eval_t *ev,
    const martech_schema_sub_t *sub, const martech_schema_value_t *value,
    uint32_t node)
{
    int                          rc;
    size_t                       used;
    uint32_t                     i;
    martech_str_t                text;
    const martech_json_node_t   *n;

    n = &ev->tape->nodes[node];
    rc = 0;

    if (n->kind == MARTECH_JSON_STRING) {
        used = ev->run->scratch_used;

        if (value->strings.count > 0) {

            text = martech_schema_slice(ev, node);

            if ((n->flags & MARTECH_JSON_VALUE_ESCAPED)
                && !martech_schema_plain(ev, text, 1, &text))
            {
                return MARTECH_SCHEMA_LIMIT;
            }

            rc = martech_schema_names_find(&value->strings, text.data,
                                           text.len) != NULL;
        }

        ev->run->scratch_used = used;

    } else {

        for (i = 0; i < value->nothers && rc == 0; i++) {
            rc = martech_schema_equal(ev, ev->tape, node, &sub->doc->tape,
                                      value->others[i]);
        }
    }

    if (rc == 1) {
        return MARTECH_SCHEMA_VALID;
    }

    if (rc == -1) {
        return MARTECH_SCHEMA_LIMIT;
    }

    return martech_schema_note(ev, node, value->rule, value->where,
                               martech_schema_nobody);
}


martech_schema_verdict_t
martech_schema_eval_number(martech_schema_eval_t *ev,
    const martech_schema_number_t *number, uint32_t node)
{
    int                            order;
    unsigned                       i, left;
    martech_schema_decimal_t       value;
    martech_schema_verdict_t       rc;

    static const char *const  rules[] = {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"
    };

    rc = MARTECH_SCHEMA_VALID;
    martech_schema_decimal(&value, martech_schema_slice(ev, node));

    for (left = number->asked; left != 0; left &= left - 1) {
        i = (unsigned) __builtin_ctz(left);

        order = martech_schema_decimal_compare(&value,
                                               &number->bounds[i].limit);

        if (i == MARTECH_SCHEMA_MINIMUM || i == MARTECH_SCHEMA_ABOVE) {
            order = -order;
        }

        if (order > 0 || (order == 0 && i >= MARTECH_SCHEMA_ABOVE)) {
            rc = martech_schema_note(ev, node, rules[i],
                                     number->bounds[i].where,
                                     martech_schema_nobody);
        }
    }

    if (number->multiple.where.data != NULL
        && !martech_schema_decimal_multiple(&value, &number->multiple.limit,
                                            number->divisor))
    {
        rc = martech_schema_note(ev, node, "multipleOf",
                                 number->multiple.where,
                                 martech_schema_nobody);
    }

    return rc;
}


/* Code points of valid UTF-8. */

static size_t
martech_schema_characters(martech_str_t text)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        n += (text.data[i] & 0xc0) != 0x80;
    }

    return n;
}


/* A character has one to four bytes: most strings need no counting. */

static inline int
martech_schema_fits(const martech_schema_string_t *string, size_t len)
{
    return (string->max.where.data == NULL || len <= string->max.limit)
           && (string->min.where.data == NULL
               || (len + 3) / 4 >= string->min.limit);
}


static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_length(martech_schema_eval_t *ev,
    const martech_schema_string_t *string, uint32_t node, martech_str_t text)
{
    size_t                    count;
    martech_schema_verdict_t  rc;

    rc = MARTECH_SCHEMA_VALID;
    count = martech_schema_characters(text);

    if (string->max.where.data != NULL && count > string->max.limit) {
        rc = martech_schema_note(ev, node, "maxLength", string->max.where,
                                 martech_schema_nobody);
    }

    if (string->min.where.data != NULL && count < string->min.limit) {
        rc = martech_schema_note(ev, node, "minLength", string->min.where,
                                 martech_schema_nobody);
    }

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_text(martech_schema_eval_t *ev,
    const martech_schema_string_t *string, uint32_t node, martech_str_t text)
{
    int                       found;
    martech_schema_verdict_t  rc;

    rc = martech_schema_fits(string, text.len) ? MARTECH_SCHEMA_VALID
         : martech_schema_eval_length(ev, string, node, text);

    if (string->pattern != NULL && !(rc && ev->quiet)) {

        if (!martech_schema_spend(ev, MARTECH_SCHEMA_MATCH_STEPS(text.len))) {
            return MARTECH_SCHEMA_LIMIT;
        }

        found = martech_regex_test(string->pattern, text.data, text.len);
        if (found < 0) {
            return MARTECH_SCHEMA_LIMIT;
        }

        if (found == 0) {
            rc = martech_schema_note(ev, node, "pattern",
                                     string->pattern_where,
                                     martech_schema_nobody);
        }
    }

    if (string->format != NULL && !(rc && ev->quiet)) {

        if (!martech_schema_spend(ev, MARTECH_SCHEMA_MATCH_STEPS(text.len))) {
            return MARTECH_SCHEMA_LIMIT;
        }

        if (!string->format(text.data, text.len)) {
            rc = martech_schema_note(ev, node, "format", string->format_where,
                                     martech_schema_nobody);
        }
    }

    return rc;
}


static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_escaped(martech_schema_eval_t *ev,
    const martech_schema_string_t *string, uint32_t node)
{
    size_t                    used;
    martech_str_t             text;
    martech_schema_verdict_t  rc;

    used = ev->run->scratch_used;

    if (!martech_schema_plain(ev, martech_schema_slice(ev, node), 1, &text)) {
        return MARTECH_SCHEMA_LIMIT;
    }

    rc = martech_schema_eval_text(ev, string, node, text);
    ev->run->scratch_used = used;

    return rc;
}


martech_schema_verdict_t
martech_schema_eval_string(martech_schema_eval_t *ev,
    const martech_schema_string_t *string, uint32_t node)
{
    const martech_json_node_t  *n;

    n = &ev->tape->nodes[node];

    if (n->flags & MARTECH_JSON_VALUE_ESCAPED) {
        return martech_schema_eval_escaped(ev, string, node);
    }

    if (string->pattern == NULL && string->format == NULL
        && martech_schema_fits(string, n->len))
    {
        return MARTECH_SCHEMA_VALID;
    }

    return martech_schema_eval_text(ev, string, node,
                                    martech_schema_slice(ev, node));
}
