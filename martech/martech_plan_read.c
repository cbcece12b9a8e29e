
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Reading members of a plan, strictly: each function returns 0, or -1 and has
 * said in the reader's error what is wrong, where, and what is allowed.
 */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "martech_plan_private.h"


const char *const  martech_plan_actions[] = {
    "accept", "report", "quarantine", "reject"
};

const char *const  martech_plan_priorities[] = { "normal", "high", "low" };

static const char *const  martech_plan_kinds[] = {
    "null", "a boolean", "a boolean", "a number", "a string", "an array",
    "an object"
};


static int martech_plan_is_note(const martech_json_tape_t *tape,
    uint32_t node);
static void martech_plan_list(char *out, size_t size,
    const char *const *words, unsigned count);


int
martech_plan_wrong(martech_plan_reader_t *r, uint32_t node, const char *fmt,
    ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(r->error->reason, sizeof(r->error->reason), fmt, args);
    va_end(args);

    (void) martech_plan_path(r->tape, 0, node, r->error->pointer,
                             sizeof(r->error->pointer));

    return -1;
}


int
martech_plan_no_memory(martech_plan_reader_t *r)
{
    r->error->pointer[0] = '\0';
    (void) snprintf(r->error->reason, sizeof(r->error->reason),
                    "not enough memory");

    return -1;
}


int
martech_plan_kind(martech_plan_reader_t *r, uint32_t node,
    martech_json_kind_t kind)
{
    if (r->tape->nodes[node].kind == kind) {
        return 0;
    }

    return martech_plan_wrong(r, node, "is %s, but must be %s",
                              martech_plan_kinds[r->tape->nodes[node].kind],
                              martech_plan_kinds[kind]);
}


/* Finds the members of an object by a list of all that it may have. */

int
martech_plan_members(martech_plan_reader_t *r, uint32_t object,
    const char *const *names, unsigned count, uint32_t *nodes)
{
    char                        list[192];
    unsigned                    k;
    uint32_t                    i;
    const martech_json_node_t  *node;

    if (martech_plan_kind(r, object, MARTECH_JSON_OBJECT) == -1) {
        return -1;
    }

    memset(nodes, 0, count * sizeof(uint32_t));
    node = r->tape->nodes;

    for (i = object + 1; i < node[object].next; i = node[i].next) {

        for (k = 0; k < count; k++) {
            if (martech_json_name_is(r->tape, i, names[k], strlen(names[k]))) {
                nodes[k] = i;
                break;
            }
        }

        if (k == count && !martech_plan_is_note(r->tape, i)) {
            martech_plan_list(list, sizeof(list), names, count);

            return martech_plan_wrong(r, i, "is not known here; known are %s "
                                      "and names beginning with \"x-\"", list);
        }
    }

    return 0;
}


/* Members that are for others than us. */

static int
martech_plan_is_note(const martech_json_tape_t *tape, uint32_t node)
{
    return tape->nodes[node].key_len >= 2
           && memcmp(tape->text + tape->nodes[node].key, "x-", 2) == 0;
}


static void
martech_plan_list(char *out, size_t size, const char *const *words,
    unsigned count)
{
    int       n;
    size_t    used;
    unsigned  i;

    used = 0;
    out[0] = '\0';

    for (i = 0; i < count && used < size; i++) {
        n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", words[i]);
        used += (n > 0) ? (size_t) n : 0;
    }
}


/* A string, un-escaped, in the plan's own memory. */

int
martech_plan_text(martech_plan_reader_t *r, uint32_t node, size_t max,
    martech_str_t *text)
{
    long            n;
    martech_str_t   slice;
    unsigned char  *p;

    if (martech_plan_kind(r, node, MARTECH_JSON_STRING) == -1) {
        return -1;
    }

    slice = martech_json_slice(r->tape, node);

    p = martech_plan_alloc(r->plan, slice.len + 1);
    if (p == NULL) {
        return martech_plan_no_memory(r);
    }

    n = martech_json_unescape(slice, p, slice.len);

    text->data = p;
    text->len = (n > 0) ? (size_t) n : 0;

    if (text->len > max) {
        return martech_plan_wrong(r, node, "has %zu bytes, more than the %zu "
                                  "that are allowed", text->len, max);
    }

    return 0;
}


/* The name of a member, un-escaped, in the plan's own memory. */

int
martech_plan_key(martech_plan_reader_t *r, uint32_t node,
    martech_str_t *name)
{
    long            n;
    martech_str_t   slice;
    unsigned char  *p;

    slice.data = r->tape->text + r->tape->nodes[node].key;
    slice.len = r->tape->nodes[node].key_len;

    p = martech_plan_alloc(r->plan, slice.len + 1);
    if (p == NULL) {
        return martech_plan_no_memory(r);
    }

    n = martech_json_unescape(slice, p, slice.len);

    name->data = p;
    name->len = (n > 0) ? (size_t) n : 0;

    return 0;
}


/* Names that go as they are into labels, arguments and JSON. */

int
martech_plan_word(martech_plan_reader_t *r, uint32_t node,
    martech_str_t word)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < word.len; i++) {
        c = word.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
        {
            break;
        }
    }

    if (word.len == 0 || word.len > MARTECH_PLAN_WORD_MAX || i < word.len) {
        return martech_plan_wrong(r, node, "must be 1 to %d characters of "
                                  "A-Z, a-z, 0-9, \"_\", \".\" and \"-\"",
                                  MARTECH_PLAN_WORD_MAX);
    }

    return 0;
}


/* Names and aliases of events: what a line of a log or a label can hold. */

int
martech_plan_check_name(martech_plan_reader_t *r, uint32_t node,
    martech_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return martech_plan_wrong(r, node, "is no name: it must not have "
                                      "control characters");
        }
    }

    if (name.len == 0 || name.len > MARTECH_PLAN_NAME_MAX) {
        return martech_plan_wrong(r, node, "is no name: it must have 1 to %d "
                                  "bytes", MARTECH_PLAN_NAME_MAX);
    }

    return 0;
}


int
martech_plan_choice(martech_plan_reader_t *r, uint32_t node,
    const char *const *words, unsigned count, unsigned *choice)
{
    char      list[128];
    unsigned  i;

    martech_plan_list(list, sizeof(list), words, count);

    for (i = 0; i < count; i++) {

        if (r->tape->nodes[node].kind == MARTECH_JSON_STRING
            && martech_json_equals(r->tape, node, words[i], strlen(words[i])))
        {
            *choice = i;
            return 0;
        }
    }

    return martech_plan_wrong(r, node, "must be one of the strings %s", list);
}


int
martech_plan_action(martech_plan_reader_t *r, uint32_t node,
    martech_plan_action_t *action)
{
    unsigned  i;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    i = 0;

    if (martech_plan_choice(r, node, martech_plan_actions,
                            MARTECH_PLAN_REJECT + 1, &i)
        == -1)
    {
        return -1;
    }

    *action = (martech_plan_action_t) i;

    return 0;
}
