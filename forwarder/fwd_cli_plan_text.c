
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Pointers, names and schemas of a plan in words.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_plan.h"


#define FWD_WORDS_VALUES_MAX  12         /* of an enum that are named */


static int fwd_personal_covers(const char *pattern, const char *pointer);
static void fwd_words_kind(json_t *schema, fwd_buf_t *out);
static const char *fwd_words_type(const char *type);
static void fwd_words_range(json_t *schema, const char *least,
    const char *most, const char *unit, fwd_buf_t *out);
static void fwd_words_value(fwd_buf_t *out, const json_t *value);
static void fwd_words_values(const json_t *list, fwd_buf_t *out);
static void fwd_words_of(const fwd_plan_file_t *file, json_t *schema,
    unsigned depth, fwd_buf_t *out);


/* Folded: an e-mail is the same as eMail, e_mail and email. */

static const char *const  fwd_plan_personal[] = {
    "email", "emailaddress", "mail", "phone", "phonenumber", "telephone",
    "tel", "mobile", "mobilenumber", "fax", "ip", "ipaddress", "firstname",
    "lastname", "fullname", "surname", "givenname", "familyname",
    "middlename", "username", "nickname", "customername", "contactname",
    "birthday", "birthdate", "dateofbirth", "dob", "age", "gender", "sex",
    "address", "address1", "address2", "street", "streetaddress",
    "postcode", "postalcode", "zip", "zipcode", "ssn",
    "socialsecuritynumber", "passport", "passportnumber", "iban",
    "accountnumber", "cardnumber", "creditcard", "nationalid", "taxid",
    "latitude", "longitude", "lat", "lng", "lon", "geolocation", "password",
    "useragent", "deviceid", "advertisingid", "idfa", "gaid", NULL
};

static const char *const  fwd_plan_personal_parts[] = {
    "email", "phone", "iban", "birth", "passport", "firstname", "lastname",
    "password", NULL
};


size_t
fwd_pointer_enter(fwd_buf_t *pointer, const char *name)
{
    size_t  len;

    len = pointer->len;
    fwd_buf_add_char(pointer, '/');

    for ( /* void */ ; *name != '\0'; name++) {

        if (*name == '~') {
            fwd_buf_add_string(pointer, "~0");

        } else if (*name == '/') {
            fwd_buf_add_string(pointer, "~1");

        } else {
            fwd_buf_add_char(pointer, *name);
        }
    }

    return len;
}


void
fwd_pointer_leave(fwd_buf_t *pointer, size_t len)
{
    if (len == 0) {
        fwd_buf_reset(pointer);          /* also one that became too long */

    } else if (pointer->len > len) {
        pointer->len = len;
    }
}


void
fwd_plan_plain(FILE *out, const char *text)
{
    unsigned char  c;

    for ( /* void */ ; *text != '\0'; text++) {
        c = (unsigned char) *text;
        (void) fputc((c < 0x20 || c == 0x7f) ? '?' : c, out);
    }
}


void
fwd_plan_fold(char *out, size_t size, const char *name)
{
    size_t         n;
    unsigned char  c;

    n = 0;

    for ( /* void */ ; *name != '\0' && n < size - 1; name++) {
        c = (unsigned char) *name;

        if (c >= 'A' && c <= 'Z') {
            c = (unsigned char) (c | 0x20);
        }

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
            out[n++] = (char) c;
        }
    }

    out[n] = '\0';
}


int
fwd_plan_looks_personal(const char *name, int of_traits)
{
    char    folded[128];
    size_t  i;

    fwd_plan_fold(folded, sizeof(folded), name);

    for (i = 0; fwd_plan_personal[i] != NULL; i++) {
        if (strcmp(folded, fwd_plan_personal[i]) == 0) {
            return 1;
        }
    }

    for (i = 0; fwd_plan_personal_parts[i] != NULL; i++) {
        if (strstr(folded, fwd_plan_personal_parts[i]) != NULL) {
            return 1;
        }
    }

    /* a product has a name, too */

    return of_traits && strcmp(folded, "name") == 0;
}


int
fwd_plan_is_personal(const fwd_plan_row_t *row, const char *pointer)
{
    size_t       i;
    json_t      *item;
    const char  *pattern;

    json_array_foreach(json_object_get(row->entry, "personal"), i, item) {
        pattern = json_string_value(item);

        if (pattern != NULL && fwd_personal_covers(pattern, pointer)) {
            return 1;
        }
    }

    return 0;
}


/* What is below it, too; "*" is any step, "**" any number of them. */

static int
fwd_personal_covers(const char *pattern, const char *pointer)
{
    size_t  len;

    while (*pattern == '/') {

        if (strncmp(pattern, "/**", 3) == 0
            && (pattern[3] == '/' || pattern[3] == '\0'))
        {
            for ( ;; ) {
                if (fwd_personal_covers(pattern + 3, pointer)) {
                    return 1;
                }

                if (*pointer == '\0') {
                    return 0;
                }

                pointer += 1 + strcspn(pointer + 1, "/");
            }
        }

        if (*pointer != '/') {
            return 0;
        }

        len = 1 + strcspn(pattern + 1, "/");

        if (!(len == 2 && pattern[1] == '*')
            && (strncmp(pattern, pointer, len) != 0
                || (pointer[len] != '/' && pointer[len] != '\0')))
        {
            return 0;
        }

        pattern += len;
        pointer += 1 + strcspn(pointer + 1, "/");
    }

    return 1;
}


void
fwd_plan_printf(fwd_buf_t *out, const char *fmt, ...)
{
    char     text[1024];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    fwd_buf_add_string(out, text);
}


void
fwd_plan_words(const fwd_plan_file_t *file, json_t *schema, fwd_buf_t *out)
{
    fwd_words_of(file, schema, 0, out);
}


static void
fwd_words_of(const fwd_plan_file_t *file, json_t *schema, unsigned depth,
    fwd_buf_t *out)
{
    json_t      *items, *value;
    const char  *format;

    schema = fwd_plan_resolve(file, schema);

    if (schema == NULL || !json_is_object(schema)) {
        fwd_buf_add_string(out, json_is_false(schema) ? "not allowed"
                                                      : "anything");
        return;
    }

    value = json_object_get(schema, "const");

    if (value != NULL) {
        fwd_buf_add_string(out, "always ");
        fwd_words_value(out, value);
        return;
    }

    value = json_object_get(schema, "enum");

    if (json_is_array(value)) {
        fwd_buf_add_string(out, "one of ");
        fwd_words_values(value, out);
        return;
    }

    fwd_words_kind(schema, out);
    format = json_string_value(json_object_get(schema, "format"));

    if (format != NULL) {
        fwd_plan_printf(out, " (%s)", format);
    }

    fwd_words_range(schema, "minLength", "maxLength", " characters", out);
    fwd_words_range(schema, "minimum", "maximum", "", out);

    value = json_object_get(schema, "pattern");

    if (json_is_string(value)) {
        fwd_buf_add_string(out, ", like ");
        fwd_buf_add_string(out, json_string_value(value));
    }

    items = json_object_get(schema, "items");

    if (items != NULL && json_is_object(items) && depth < 3) {
        fwd_buf_add_string(out, ": each ");
        fwd_words_of(file, items, depth + 1, out);
    }

    fwd_words_range(schema, "minItems", "maxItems", " entries", out);
}


static void
fwd_words_kind(json_t *schema, fwd_buf_t *out)
{
    size_t   i;
    json_t  *type, *item;

    type = json_object_get(schema, "type");

    if (json_is_string(type)) {
        fwd_buf_add_string(out, fwd_words_type(json_string_value(type)));
        return;
    }

    if (!json_is_array(type)) {
        fwd_buf_add_string(out, json_object_get(schema, "properties")
                                ? "group of fields" : "anything");
        return;
    }

    json_array_foreach(type, i, item) {

        if (i != 0) {
            fwd_buf_add_string(out, i + 1 == json_array_size(type) ? " or "
                                                                   : ", ");
        }

        if (json_is_string(item)) {
            fwd_buf_add_string(out, fwd_words_type(json_string_value(item)));
        }
    }
}


static const char *
fwd_words_type(const char *type)
{
    size_t  i;

    static const char *const  words[][2] = {
        { "string", "text" }, { "integer", "whole number" },
        { "number", "number" }, { "boolean", "yes or no" },
        { "array", "list" }, { "object", "group of fields" },
        { "null", "empty" }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i][0], type) == 0) {
            return words[i][1];
        }
    }

    return type;
}


static void
fwd_words_range(json_t *schema, const char *least, const char *most,
    const char *unit, fwd_buf_t *out)
{
    json_t  *min, *max;

    min = json_object_get(schema, least);
    max = json_object_get(schema, most);

    if (min == NULL && max == NULL) {
        return;
    }

    fwd_buf_add_string(out, min ? ", " : ", up to ");

    if (min != NULL && max == NULL) {
        fwd_buf_add_string(out, "at least ");
    }

    if (min != NULL) {
        fwd_words_value(out, min);
    }

    if (min != NULL && max != NULL) {
        fwd_buf_add_string(out, " to ");
    }

    if (max != NULL) {
        fwd_words_value(out, max);
    }

    fwd_buf_add_string(out, unit);
}


/* A string without quotes, anything else as JSON. */

static void
fwd_words_value(fwd_buf_t *out, const json_t *value)
{
    char  *text;

    if (json_is_string(value)) {
        fwd_buf_add_string(out, json_string_length(value)
                                ? json_string_value(value) : "\"\"");
        return;
    }

    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT
                             | JSON_REAL_PRECISION(15));

    if (text != NULL) {
        fwd_buf_add_string(out, text);
        free(text);
    }
}


static void
fwd_words_values(const json_t *list, fwd_buf_t *out)
{
    size_t   i;
    json_t  *item;

    json_array_foreach(list, i, item) {

        if (i == FWD_WORDS_VALUES_MAX) {
            fwd_plan_printf(out, " and %zu more",
                            json_array_size(list) - FWD_WORDS_VALUES_MAX);
            return;
        }

        fwd_buf_add_string(out, i ? ", " : "");
        fwd_words_value(out, item);
    }
}
