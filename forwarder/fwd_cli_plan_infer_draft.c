
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The draft of a plan from what was seen.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan_infer.h"


#define FWD_DRAFT_FORMAT_LEAST  3        /* strings, to speak of a format */


typedef struct {
    uint64_t              least;
    int                   traits;
    json_t               *personal;      /* pointers */
    fwd_buf_t             pointer;       /* in an event */
} fwd_draft_t;


static json_t *fwd_draft_entry(fwd_draft_t *d, const fwd_infer_event_t *e);
static json_t *fwd_draft_schema(fwd_draft_t *d,
    const fwd_infer_field_t *field, int personal);
static void fwd_draft_type(json_t *schema, const fwd_infer_field_t *field);
static void fwd_draft_text(fwd_draft_t *d, json_t *schema,
    const fwd_infer_field_t *field, int personal);
static uint64_t fwd_draft_values(const fwd_infer_field_t *field);
static void fwd_draft_object(fwd_draft_t *d, json_t *schema,
    const fwd_infer_field_t *field, int personal);
static int fwd_draft_personal(const fwd_draft_t *d,
    const fwd_infer_field_t *field);


json_t *
fwd_infer_draft(const fwd_infer_t *in, const char *name, uint64_t least)
{
    json_t             *plan, *section;
    fwd_draft_t         d;
    fwd_infer_event_t  *e;

    memset(&d, 0, sizeof(fwd_draft_t));
    d.least = least;
    fwd_buf_init(&d.pointer, FWD_PLAN_POINTER_MAX);

    plan = json_pack("{s:i,s:s,s:s,s:b,s:{s:s,s:s,s:s}}", "martech_plan", 1,
                     "name", name, "version", "1", "formats", 1, "defaults",
                     "violation", "report", "unplanned_event", "report",
                     "unplanned_property", "report");

    for (e = in->first; e != NULL; e = e->next) {
        section = json_object_get(plan, e->section);

        if (section == NULL) {
            section = json_object();
            json_object_set_new(plan, e->section, section);
        }

        json_object_set_new(section, e->name, fwd_draft_entry(&d, e));
    }

    fwd_buf_free(&d.pointer);

    return plan;
}


static json_t *
fwd_draft_entry(fwd_draft_t *d, const fwd_infer_event_t *e)
{
    size_t   len;
    json_t  *entry, *schema;

    d->traits = (strcmp(e->section, "traits") == 0);
    d->personal = json_array();

    len = fwd_pointer_enter(&d->pointer, d->traits ? "traits"
                                                   : "properties");
    schema = fwd_draft_schema(d, &e->root, 0);
    fwd_pointer_leave(&d->pointer, len);

    entry = json_pack("{s:s,s:I}", "stage", "draft", "x-seen",
                      (json_int_t) e->seen);

    /* all of a person's traits are personal, but only some are told apart */

    if (json_array_size(d->personal) != 0
        && json_array_size(d->personal) <= MARTECH_PLAN_PERSONAL_MAX)
    {
        json_object_set(entry, "personal", d->personal);
    }

    if (e->root.more) {
        json_object_set_new(entry, "unplanned_property",
                            json_string("accept"));
    }

    json_object_set_new(entry, "properties", schema);
    json_decref(d->personal);
    d->personal = NULL;

    return entry;
}


static json_t *
fwd_draft_schema(fwd_draft_t *d, const fwd_infer_field_t *field,
    int personal)
{
    size_t   len;
    json_t  *schema;

    schema = json_object();
    fwd_draft_type(schema, field);

    if (field->kinds[FWD_INFER_STRING] != 0) {
        fwd_draft_text(d, schema, field, personal);
    }

    if (field->items != NULL) {
        len = fwd_pointer_enter(&d->pointer, "*");
        json_object_set_new(schema, "items",
                            fwd_draft_schema(d, field->items, personal));
        fwd_pointer_leave(&d->pointer, len);
    }

    if (field->first != NULL) {
        fwd_draft_object(d, schema, field, personal);
    }

    return schema;
}


static void
fwd_draft_type(json_t *schema, const fwd_infer_field_t *field)
{
    size_t   i;
    json_t  *types;

    static const char *const  names[FWD_INFER_KINDS] = {
        [FWD_INFER_NULL] = "null",
        [FWD_INFER_BOOLEAN] = "boolean",
        [FWD_INFER_INTEGER] = "integer",
        [FWD_INFER_NUMBER] = "number",
        [FWD_INFER_STRING] = "string",
        [FWD_INFER_ARRAY] = "array",
        [FWD_INFER_OBJECT] = "object"
    };

    types = json_array();

    for (i = FWD_INFER_KINDS; i-- > 0; ) {

        if (field->kinds[i] != 0
            && !(i == FWD_INFER_INTEGER && field->kinds[FWD_INFER_NUMBER]))
        {
            json_array_append_new(types, json_string(names[i]));
        }
    }

    if (json_array_size(types) == 1) {
        json_object_set(schema, "type", json_array_get(types, 0));

    } else if (json_array_size(types) != 0) {
        json_object_set(schema, "type", types);
    }

    json_decref(types);
}


static void
fwd_draft_text(fwd_draft_t *d, json_t *schema,
    const fwd_infer_field_t *field, int personal)
{
    size_t    i;
    json_t   *list;
    uint64_t  strings;

    strings = field->kinds[FWD_INFER_STRING];

    for (i = 0; i < FWD_INFER_FORMATS && strings >= FWD_DRAFT_FORMAT_LEAST;
         i++)
    {
        if (field->formats & (1u << i)) {
            json_object_set_new(schema, "format",
                                json_string(fwd_infer_formats[i]));
            return;
        }
    }

    /* of one value it is not known whether it is one of a list */

    if (personal || field->many || strings < d->least
        || field->values_count < 2
        || fwd_draft_values(field)
           != strings + field->kinds[FWD_INFER_NULL])
    {
        return;
    }

    list = json_array();

    for (i = 0; i < field->values_count; i++) {
        json_array_append_new(list, json_string(field->values[i]));
    }

    if (field->kinds[FWD_INFER_NULL] != 0) {
        json_array_append_new(list, json_null());
    }

    json_object_set_new(schema, "enum", list);
}


static uint64_t
fwd_draft_values(const fwd_infer_field_t *field)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < FWD_INFER_KINDS; i++) {
        sum += field->kinds[i];
    }

    return sum;
}


static void
fwd_draft_object(fwd_draft_t *d, json_t *schema,
    const fwd_infer_field_t *field, int personal)
{
    int                       mine;
    size_t                    len;
    json_t                   *required, *properties;
    uint64_t                  objects;
    const char               *pointer;
    const fwd_infer_field_t  *child;

    required = json_array();
    properties = json_object();
    objects = field->kinds[FWD_INFER_OBJECT];

    for (child = field->first; child != NULL; child = child->next) {
        len = fwd_pointer_enter(&d->pointer, child->name);
        mine = personal || fwd_draft_personal(d, child);
        pointer = fwd_buf_string(&d->pointer);

        if (mine && !personal && pointer != NULL) {
            json_array_append_new(d->personal, json_string(pointer));
        }

        json_object_set_new(properties, child->name,
                            fwd_draft_schema(d, child, mine));
        fwd_pointer_leave(&d->pointer, len);

        if (child->seen == objects && objects >= d->least) {
            json_array_append_new(required, json_string(child->name));
        }
    }

    if (json_array_size(required) != 0) {
        json_object_set(schema, "required", required);
    }

    json_object_set_new(schema, "properties", properties);
    json_decref(required);
}


static int
fwd_draft_personal(const fwd_draft_t *d, const fwd_infer_field_t *field)
{
    return field->personal
           || (field->items != NULL && field->items->personal)
           || fwd_plan_looks_personal(field->name, d->traits);
}
