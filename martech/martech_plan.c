
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A plan as a whole: compiling it from its file, and asking it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "martech_plan_private.h"


static const char *const  martech_plan_file_members[] = {
    "martech_plan", "name", "version", "draft", "formats", "defaults",
    "definitions", "events", "pages", "screens", "traits"
};


static void martech_plan_one_line(char *text);
static int martech_plan_scan(martech_json_tape_t *tape,
    const unsigned char *text, size_t len, martech_plan_error_t *error);
static void martech_plan_scan_error(const martech_json_tape_t *tape,
    martech_rc_t rc, martech_plan_error_t *error);
static int martech_plan_unique(martech_plan_reader_t *r);
static int martech_plan_unique_names(martech_plan_reader_t *r,
    uint32_t object);
static int martech_plan_read(martech_plan_reader_t *r);
static int martech_plan_read_head(martech_plan_reader_t *r,
    const uint32_t *m);
static int martech_plan_read_defaults(martech_plan_reader_t *r,
    uint32_t node);
static void martech_plan_digest(martech_plan_t *plan,
    const unsigned char *text, size_t len);


martech_plan_t *
martech_plan_compile(const unsigned char *text, size_t len,
    martech_plan_error_t *error)
{
    int                    rc;
    martech_plan_t        *plan;
    martech_json_tape_t    tape;
    martech_plan_reader_t  r;

    error->pointer[0] = '\0';
    error->reason[0] = '\0';

    memset(&r, 0, sizeof(martech_plan_reader_t));
    memset(&tape, 0, sizeof(martech_json_tape_t));

    r.tape = &tape;
    r.error = error;

    plan = calloc(1, sizeof(martech_plan_t));
    if (plan == NULL) {
        (void) martech_plan_no_memory(&r);
        return NULL;
    }

    r.plan = plan;

    rc = martech_plan_scan(&tape, text, len, error);

    if (rc == 0) {
        martech_plan_digest(plan, text, len);
        rc = martech_plan_unique(&r);
    }

    if (rc == 0) {
        rc = martech_plan_read(&r);
    }

    martech_plan_names_free(&r.aliases);
    martech_plan_names_free(&r.shared);
    free(r.text);
    free(r.text_nodes);
    free(r.seen);
    free(tape.nodes);

    if (rc == 0) {
        return plan;
    }

    martech_plan_free(plan);

    martech_plan_one_line(error->pointer);
    martech_plan_one_line(error->reason);

    return NULL;
}


/* What is wrong goes into a log: names of a plan must not break its lines. */

static void
martech_plan_one_line(char *text)
{
    for ( /* void */ ; *text != '\0'; text++) {
        if ((unsigned char) *text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}


void
martech_plan_free(martech_plan_t *plan)
{
    unsigned  i;

    if (plan == NULL) {
        return;
    }

    for (i = 0; i < plan->nitems; i++) {
        martech_plan_free_item(&plan->items[i]);
    }

    for (i = 0; i <= MARTECH_EVENT_ALIAS; i++) {
        martech_plan_names_free(&plan->tables[i].names);
    }

    martech_plan_free_blocks(plan);
    free(plan);
}


/* The tape grows until it holds the file. */

static int
martech_plan_scan(martech_json_tape_t *tape, const unsigned char *text,
    size_t len, martech_plan_error_t *error)
{
    size_t            max;
    martech_rc_t      rc;
    martech_limits_t  limits;

    if (len > MARTECH_PLAN_SIZE_MAX) {
        (void) snprintf(error->reason, sizeof(error->reason), "the plan has "
                        "%zu bytes, more than the %d that are allowed", len,
                        MARTECH_PLAN_SIZE_MAX);
        return -1;
    }

    martech_limits_default(&limits);
    limits.depth_max = MARTECH_PLAN_DEPTH_MAX;
    limits.key_size_max = UINT16_MAX;
    limits.string_size_max = UINT32_MAX;

    max = len / 8 + 64;

    do {
        free(tape->nodes);

        tape->nodes = malloc(max * sizeof(martech_json_node_t));
        tape->nodes_max = (uint32_t) max;

        if (tape->nodes == NULL) {
            (void) snprintf(error->reason, sizeof(error->reason),
                            "not enough memory");
            return -1;
        }

        rc = martech_json_scan(tape, text, len, &limits);
        max *= 2;

    } while (rc == MARTECH_JSON_TOKENS);

    if (rc != MARTECH_OK) {
        martech_plan_scan_error(tape, rc, error);
        return -1;
    }

    return 0;
}


static void
martech_plan_scan_error(const martech_json_tape_t *tape, martech_rc_t rc,
    martech_plan_error_t *error)
{
    size_t    i, column;
    unsigned  line;

    if (rc == MARTECH_BODY_EMPTY) {
        (void) snprintf(error->reason, sizeof(error->reason),
                        "the file is empty; a plan is a JSON object");
        return;
    }

    line = 1;
    column = 1;

    for (i = 0; i < tape->error_offset && i < tape->len; i++) {
        column++;

        if (tape->text[i] == '\n') {
            line++;
            column = 1;
        }
    }

    if (rc == MARTECH_JSON_DEPTH) {
        (void) snprintf(error->reason, sizeof(error->reason), "line %u, "
                        "column %zu: nested more deeply than the %d levels "
                        "that are allowed", line, column,
                        MARTECH_PLAN_DEPTH_MAX);
        return;
    }

    (void) snprintf(error->reason, sizeof(error->reason), "line %u, column "
                    "%zu: no valid JSON (%s)", line, column,
                    martech_rc_name(rc));
}


/* No object of the file may have two members of one name: JSON lets readers
   choose, and a plan must not mean two things. */

static int
martech_plan_unique(martech_plan_reader_t *r)
{
    uint32_t  i;

    for (i = 0; i < r->tape->nodes_count; i++) {

        if (r->tape->nodes[i].kind == MARTECH_JSON_OBJECT
            && r->tape->nodes[i].count > 1
            && martech_plan_unique_names(r, i) == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
martech_plan_unique_names(martech_plan_reader_t *r, uint32_t object)
{
    int                         rc;
    uint32_t                    i;
    martech_str_t               name;
    martech_plan_names_t        names;
    const martech_json_node_t  *nodes;

    rc = 0;
    nodes = r->tape->nodes;
    memset(&names, 0, sizeof(martech_plan_names_t));

    for (i = object + 1; i < nodes[object].next; i = nodes[i].next) {
        name.data = r->tape->text + nodes[i].key;
        name.len = nodes[i].key_len;

        if ((nodes[i].flags & MARTECH_JSON_KEY_ESCAPED)
            && martech_plan_key(r, i, &name) == -1)
        {
            rc = -1;
            break;
        }

        rc = martech_plan_names_add(&names, name, 0);

        if (rc == 1) {
            rc = martech_plan_wrong(r, i, "stands twice; a name may stand "
                                    "once in an object");
            break;
        }

        if (rc == -1) {
            rc = martech_plan_no_memory(r);
            break;
        }
    }

    martech_plan_names_free(&names);

    return rc;
}


static int
martech_plan_read(martech_plan_reader_t *r)
{
    uint32_t  m[MARTECH_PLAN_F_COUNT];

    if (martech_plan_members(r, 0, martech_plan_file_members,
                             MARTECH_PLAN_F_COUNT, m)
        == -1
        || martech_plan_read_head(r, m) == -1
        || martech_plan_read_defaults(r, m[MARTECH_PLAN_F_DEFAULTS]) == -1)
    {
        return -1;
    }

    r->definitions = m[MARTECH_PLAN_F_DEFINITIONS];

    if (martech_plan_read_definitions(r) == -1
        || martech_plan_read_tables(r, m) == -1)
    {
        return -1;
    }

    return 0;
}


static int
martech_plan_read_head(martech_plan_reader_t *r, const uint32_t *m)
{
    uint32_t                  node;
    unsigned                  draft;
    martech_json_kind_t       kind;
    static const char *const  drafts[] = { "2020-12", "07" };

    node = m[MARTECH_PLAN_F_FORMAT];

    if (node == MARTECH_JSON_NONE
        || r->tape->nodes[node].kind != MARTECH_JSON_NUMBER
        || !martech_json_equals(r->tape, node, "1", 1))
    {
        return martech_plan_wrong(r, node, "a plan has \"martech_plan\": 1, "
                                  "the version of its format");
    }

    if (m[MARTECH_PLAN_F_NAME] == MARTECH_JSON_NONE
        || m[MARTECH_PLAN_F_VERSION] == MARTECH_JSON_NONE)
    {
        return martech_plan_wrong(r, 0, "a plan has a \"name\" and a "
                                  "\"version\"");
    }

    if (martech_plan_text(r, m[MARTECH_PLAN_F_NAME], MARTECH_PLAN_WORD_MAX,
                          &r->plan->name)
        == -1
        || martech_plan_word(r, m[MARTECH_PLAN_F_NAME], r->plan->name) == -1
        || martech_plan_text(r, m[MARTECH_PLAN_F_VERSION],
                             MARTECH_PLAN_WORD_MAX, &r->plan->version)
           == -1
        || martech_plan_word(r, m[MARTECH_PLAN_F_VERSION], r->plan->version)
           == -1)
    {
        return -1;
    }

    draft = 0;

    if (m[MARTECH_PLAN_F_DRAFT] != MARTECH_JSON_NONE
        && martech_plan_choice(r, m[MARTECH_PLAN_F_DRAFT], drafts, 2, &draft)
           == -1)
    {
        return -1;
    }

    r->options.draft = draft ? MARTECH_SCHEMA_07 : MARTECH_SCHEMA_2020_12;

    node = m[MARTECH_PLAN_F_FORMATS];

    if (node != MARTECH_JSON_NONE) {
        kind = (martech_json_kind_t) r->tape->nodes[node].kind;

        if (kind != MARTECH_JSON_FALSE && kind != MARTECH_JSON_TRUE) {
            return martech_plan_wrong(r, node, "must be true or false");
        }

        r->options.formats = (kind == MARTECH_JSON_TRUE);
    }

    return 0;
}


static int
martech_plan_read_defaults(martech_plan_reader_t *r, uint32_t node)
{
    uint32_t                  m[3];
    static const char *const  names[] = {
        "violation", "unplanned_event", "unplanned_property"
    };

    r->violation = MARTECH_PLAN_REPORT;
    r->unplanned_property = MARTECH_PLAN_REPORT;
    r->plan->unplanned_event = MARTECH_PLAN_REPORT;

    if (node == MARTECH_JSON_NONE) {
        return 0;
    }

    if (martech_plan_members(r, node, names, 3, m) == -1
        || martech_plan_action(r, m[0], &r->violation) == -1
        || martech_plan_action(r, m[1], &r->plan->unplanned_event) == -1
        || martech_plan_action(r, m[2], &r->unplanned_property) == -1)
    {
        return -1;
    }

    return 0;
}


static void
martech_plan_digest(martech_plan_t *plan, const unsigned char *text,
    size_t len)
{
    unsigned           i;
    unsigned char      digest[SHA256_DIGEST_LENGTH];
    static const char  hex[] = "0123456789abcdef";

    (void) SHA256(text, len, digest);

    for (i = 0; i < MARTECH_PLAN_FINGERPRINT / 2; i++) {
        plan->fingerprint[2 * i] = hex[digest[i] >> 4];
        plan->fingerprint[2 * i + 1] = hex[digest[i] & 0x0f];
    }

    plan->fingerprint[MARTECH_PLAN_FINGERPRINT] = '\0';
}


martech_str_t
martech_plan_name(const martech_plan_t *plan)
{
    return plan->name;
}


martech_str_t
martech_plan_version(const martech_plan_t *plan)
{
    return plan->version;
}


const char *
martech_plan_fingerprint(const martech_plan_t *plan)
{
    return plan->fingerprint;
}


unsigned
martech_plan_entries(const martech_plan_t *plan)
{
    return plan->nitems;
}


const martech_plan_entry_t *
martech_plan_entry(const martech_plan_t *plan, unsigned number)
{
    return &plan->items[number].entry;
}


int
martech_plan_find(const martech_plan_t *plan, martech_event_type_t type,
    martech_str_t name)
{
    int                          n;
    const martech_plan_table_t  *table;

    if ((unsigned) type > MARTECH_EVENT_ALIAS) {
        return -1;
    }

    table = &plan->tables[type];
    n = martech_plan_names_find(&table->names, name.data, name.len);

    return (n == -1) ? table->other : n / 2;
}


unsigned
martech_plan_fields(const martech_plan_t *plan, unsigned number)
{
    return plan->items[number].nfields;
}


martech_str_t
martech_plan_field(const martech_plan_t *plan, unsigned number,
    unsigned field)
{
    return plan->items[number].field_names[field];
}
