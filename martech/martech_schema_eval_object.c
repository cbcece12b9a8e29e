
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The evaluation of objects: one pass over the members.
 */


#include <string.h>

#include "martech_schema_core.h"


/* The schema of "propertyNames" sees the name as if it were a value. */

static martech_schema_verdict_t
martech_schema_eval_name(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t member)
{
    martech_str_t                name;
    martech_json_node_t          node;
    martech_json_tape_t          tape;
    martech_schema_verdict_t     rc;
    const martech_json_node_t   *m;
    const martech_json_tape_t   *outer;

    outer = ev->tape;
    m = &outer->nodes[member];

    memset(&node, 0, sizeof(martech_json_node_t));
    node.kind = MARTECH_JSON_STRING;
    node.value = m->key;
    node.len = m->key_len;
    node.next = 1;
    node.flags = (m->flags & MARTECH_JSON_KEY_ESCAPED)
                 ? MARTECH_JSON_VALUE_ESCAPED : 0;

    tape = *outer;
    tape.nodes = &node;
    tape.nodes_count = 1;

    ev->quiet++;
    ev->tape = &tape;
    rc = martech_schema_eval(ev, object->member_names, 0, NULL);
    ev->tape = outer;
    ev->quiet--;

    if (rc != MARTECH_SCHEMA_INVALID) {
        return rc;
    }

    name.data = outer->text + m->key;
    name.len = m->key_len;

    return martech_schema_note(ev, member, "propertyNames",
                               object->member_names_where, name);
}


/* "patternProperties"; *matched is set if one knows the member. */

static martech_schema_verdict_t
martech_schema_eval_patterns(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t member, martech_str_t key,
    int *matched)
{
    int                       found;
    uint32_t                  i;
    martech_schema_verdict_t  rc;

    rc = MARTECH_SCHEMA_VALID;

    for (i = 0; i < object->npatterns; i++) {

        if (!martech_schema_spend(ev, MARTECH_SCHEMA_MATCH_STEPS(key.len))) {
            return MARTECH_SCHEMA_LIMIT;
        }

        found = martech_regex_test(object->patterns[i].regex, key.data,
                                   key.len);
        if (found < 0) {
            return MARTECH_SCHEMA_LIMIT;
        }

        if (found == 0) {
            continue;
        }

        *matched = 1;
        rc = martech_schema_worse(rc,
                          martech_schema_eval(ev, object->patterns[i].sub,
                                              member, NULL));

        if (martech_schema_ends(ev, rc)) {
            return rc;
        }
    }

    return rc;
}


/*
 * One member: *matched is set if some schema looks at it.  present gets the
 * bit of its name.
 */

static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_member(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t member, int *matched,
    uint64_t *present)
{
    size_t                        used;
    martech_str_t                 key;
    martech_schema_verdict_t      rc;
    const martech_json_node_t    *m;
    const martech_schema_name_t  *name;

    rc = MARTECH_SCHEMA_VALID;
    m = &ev->tape->nodes[member];
    used = ev->run->scratch_used;

    key.data = ev->tape->text + m->key;
    key.len = m->key_len;

    if ((m->flags & MARTECH_JSON_KEY_ESCAPED)
        && !martech_schema_plain(ev, key, 1, &key))
    {
        return MARTECH_SCHEMA_LIMIT;
    }

    name = martech_schema_names_find(&object->names, key.data, key.len);

    if (name != NULL) {

        if (name->bit >= 0) {
            present[name->bit / 64] |= (uint64_t) 1 << (name->bit % 64);
        }

        if (name->sub != NULL) {
            *matched = 1;
            rc = martech_schema_eval(ev, name->sub, member, NULL);
        }
    }

    if (object->npatterns > 0 && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_patterns(ev, object,
                                                      member, key, matched));
    }

    ev->run->scratch_used = used;

    if (!*matched && object->additional != NULL
        && !martech_schema_ends(ev, rc))
    {
        *matched = 1;
        rc = martech_schema_worse(rc,
                     martech_schema_eval(ev, object->additional, member,
                                         NULL));
    }

    if (object->member_names != NULL && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_name(ev, object,
                                                               member));
    }

    return rc;
}


/* Notes those of the names that are not present. */

static martech_schema_verdict_t
martech_schema_eval_needs(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, const uint32_t *needs,
    uint32_t count, uint32_t node, const char *rule, martech_str_t where,
    const uint64_t *present)
{
    uint32_t                      i;
    martech_str_t                 missing;
    martech_schema_verdict_t      rc;
    const martech_schema_name_t  *name;

    rc = MARTECH_SCHEMA_VALID;

    for (i = 0; i < count; i++) {
        name = &object->names.names[needs[i]];

        if (present[name->bit / 64] & ((uint64_t) 1 << (name->bit % 64))) {
            continue;
        }

        missing.data = name->data;
        missing.len = name->len;

        rc = martech_schema_note(ev, node, rule, where, missing);

        if (ev->quiet) {
            break;
        }
    }

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_dependencies(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t node,
    const uint64_t *present, martech_schema_marks_t *marks)
{
    uint32_t                            i;
    martech_schema_verdict_t            rc;
    const martech_schema_name_t        *name;
    const martech_schema_dependency_t  *d;

    rc = MARTECH_SCHEMA_VALID;

    for (i = 0; i < object->ndependencies; i++) {
        d = &object->dependencies[i];
        name = &object->names.names[d->name];

        if (!(present[name->bit / 64] & ((uint64_t) 1 << (name->bit % 64)))) {
            continue;
        }

        if (!martech_schema_spend(ev, 1 + d->nneeds)) {
            return MARTECH_SCHEMA_LIMIT;
        }

        rc = martech_schema_worse(rc, (d->sub != NULL)
                 ? martech_schema_eval(ev, d->sub, node, marks)
                 : martech_schema_eval_needs(ev, object, d->needs, d->nneeds,
                                             node, d->rule, d->where,
                                             present));

        if (martech_schema_ends(ev, rc)) {
            return rc;
        }
    }

    return rc;
}


static martech_schema_verdict_t
martech_schema_eval_members(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t node,
    martech_schema_marks_t *marks, uint64_t *present)
{
    int                         matched;
    uint32_t                    i, n, end;
    martech_schema_verdict_t    rc;
    const martech_json_node_t  *nodes;

    rc = MARTECH_SCHEMA_VALID;
    nodes = ev->tape->nodes;
    end = nodes[node].next;
    n = 0;

    for (i = node + 1; i < end; i = nodes[i].next) {
        matched = 0;
        rc = martech_schema_worse(rc, martech_schema_eval_member(ev, object,
                                                     i, &matched, present));

        if (martech_schema_ends(ev, rc)) {
            return rc;
        }

        if (matched && marks != NULL) {
            martech_schema_mark(marks, n);
        }

        n++;
    }

    return rc;
}


/* Reports a member of the root, see martech_schema_number_name(). */

static inline uint32_t
martech_schema_tell(martech_schema_run_t *run,
    const martech_schema_name_t *name, const martech_json_node_t *member)
{
    uint64_t  bit;

    if (name->number < 0) {
        return 0;
    }

    bit = (uint64_t) 1 << (name->number & 63);
    run->sent[name->number >> 6] |= bit;

    if (member->kind != MARTECH_JSON_NULL) {
        run->filled[name->number >> 6] |= bit;
    }

    return 1;
}


/*
 * The same where nobody asks which members were looked at, and the name alone
 * says which schema looks at a member: nearly always.  Members often stand in
 * the order of "properties", which saves the table.
 */

static MARTECH_NOINLINE martech_schema_verdict_t
martech_schema_eval_plain(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t node, uint64_t *present)
{
    int                           matched, tells;
    uint32_t                      i, end, told;
    martech_schema_verdict_t      rc, worst;
    const unsigned char          *text;
    const martech_json_node_t    *nodes, *m;
    const martech_schema_sub_t   *sub;
    martech_schema_name_t        *name, *guess;

    tells = ev->schema->numbered && object == ev->schema->root->object
            && node == ev->node;
    told = 0;
    guess = object->first;
    worst = MARTECH_SCHEMA_VALID;
    text = ev->tape->text;
    nodes = ev->tape->nodes;
    end = nodes[node].next;

    for (i = node + 1; i < end; i = m->next) {
        m = &nodes[i];

        if (m->flags & MARTECH_JSON_KEY_ESCAPED) {
            matched = 0;
            rc = martech_schema_eval_member(ev, object, i, &matched, present);

        } else {
            sub = object->additional;
            name = martech_schema_names_guess(&object->names, guess,
                                              text + m->key, m->key_len);
            if (name != NULL) {
                guess = name->follower;

                if (tells) {
                    told += martech_schema_tell(ev->run, name, m);
                }

                if (name->bit >= 0) {
                    present[name->bit / 64] |= (uint64_t) 1 << (name->bit % 64);
                }

                if (name->sub != NULL) {
                    sub = name->sub;
                }
            }

            if (sub == NULL) {
                continue;
            }

            rc = martech_schema_eval(ev, sub, i, NULL);
        }

        if (rc != MARTECH_SCHEMA_VALID) {
            worst = martech_schema_worse(worst, rc);

            if (martech_schema_ends(ev, rc)) {
                return worst;
            }
        }
    }

    if (tells) {
        ev->run->told = told;
    }

    return worst;
}


martech_schema_verdict_t
martech_schema_eval_object(martech_schema_eval_t *ev,
    const martech_schema_object_t *object, uint32_t node,
    martech_schema_marks_t *marks)
{
    size_t                    used;
    uint64_t                  few, *present;
    martech_schema_marks_t    many;
    martech_schema_verdict_t  rc;

    used = ev->run->scratch_used;
    few = 0;
    present = &few;

    if (object->bits > 64) {

        if (!martech_schema_marks_init(ev, &many, object->bits)) {
            return MARTECH_SCHEMA_LIMIT;
        }

        present = many.bits;
    }

    rc = MARTECH_SCHEMA_VALID;

    if (object->min.where.data != NULL || object->max.where.data != NULL) {
        rc = martech_schema_eval_count(ev, node, &object->min, &object->max,
                                       "minProperties", "maxProperties");
    }

    if (!martech_schema_spend(ev, ev->tape->nodes[node].count)) {
        rc = MARTECH_SCHEMA_LIMIT;
    }

    if (!martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc,
                 (marks == NULL && object->npatterns == 0
                  && object->member_names == NULL)
                 ? martech_schema_eval_plain(ev, object, node, present)
                 : martech_schema_eval_members(ev, object, node, marks,
                                               present));
    }

    /* most objects have all they must, which a look at the bits tells */

    if (object->nrequired > 0 && !martech_schema_ends(ev, rc)
        && (object->bits > 64
            || (few & object->required_bits) != object->required_bits))
    {
        rc = martech_schema_worse(rc, martech_schema_eval_needs(ev, object,
                                          object->required, object->nrequired,
                                          node, "required",
                                          object->required_where, present));
    }

    if (object->ndependencies > 0 && !martech_schema_ends(ev, rc)) {
        rc = martech_schema_worse(rc, martech_schema_eval_dependencies(ev,
                                                object, node, present, marks));
    }

    ev->run->scratch_used = used;

    return rc;
}
