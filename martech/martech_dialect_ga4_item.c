
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Products of a hit: "pr1=id123~nmShirt~pr9.99", a code of two characters and
 * a value in each part.  A "~" of a value is doubled.
 */


#include <string.h>

#include "martech_dialect_ga4.h"


#define MARTECH_GA4_CUSTOM  10           /* k0/v0 to k9/v9 */


/* The parts of a product: known ones by code, custom ones by digit. */
typedef struct {
    martech_names_t  written;
    martech_str_t    keys[MARTECH_GA4_CUSTOM];
    martech_str_t    values[MARTECH_GA4_CUSTOM];
} martech_ga4_product_t;


typedef struct {
    char         code[3];
    char         number;
    const char  *name;
} martech_ga4_code_t;


static void martech_ga4_product(martech_translation_t *t,
    martech_ga4_product_t *product, martech_str_t text);
static int martech_ga4_part(martech_translation_t *t, martech_str_t *rest,
    martech_str_t *part);
static void martech_ga4_part_write(martech_translation_t *t,
    martech_ga4_product_t *product, martech_str_t part);
static void martech_ga4_custom_write(martech_translation_t *t,
    martech_ga4_product_t *product);


/* Names as Segment's e-commerce events have them. */

static const martech_ga4_code_t  martech_ga4_codes[] = {
    { "id", 0, "product_id" },
    { "nm", 0, "name" },
    { "br", 0, "brand" },
    { "ca", 0, "category" },
    { "c2", 0, "category2" },
    { "c3", 0, "category3" },
    { "c4", 0, "category4" },
    { "c5", 0, "category5" },
    { "va", 0, "variant" },
    { "pr", 1, "price" },
    { "qt", 1, "quantity" },
    { "ds", 1, "discount" },
    { "cp", 0, "coupon" },
    { "lp", 1, "position" },
    { "ln", 0, "list_name" },
    { "li", 0, "list_id" },
    { "lo", 0, "location_id" },
    { "af", 0, "affiliation" },
    { "pi", 0, "promotion_id" },
    { "pn", 0, "promotion_name" },
    { "cn", 0, "creative_name" },
    { "cs", 0, "creative_slot" },
};


int
martech_ga4_is_product(martech_str_t name)
{
    size_t  i;

    if (name.len < 3 || name.len > 5 || name.data[0] != 'p'
        || name.data[1] != 'r' || name.data[2] == '0')
    {
        return 0;
    }

    for (i = 2; i < name.len; i++) {

        if (name.data[i] < '0' || name.data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


void
martech_ga4_products(martech_translation_t *t, const martech_flat_t *flat)
{
    unsigned               i;
    martech_ga4_product_t  product;

    product.written.count = MARTECH_NAMES_MAX;

    martech_json_name(&t->out, "products");
    martech_json_begin(&t->out, '[');

    for (i = 0; i < flat->names.count; i++) {

        if (martech_ga4_is_product(flat->names.names[i])) {
            martech_ga4_product(t, &product, flat->values[i]);
        }
    }

    martech_json_end(&t->out, ']');
}


static void
martech_ga4_product(martech_translation_t *t, martech_ga4_product_t *product,
    martech_str_t text)
{
    martech_str_t  part;

    martech_names_clear(&product->written);
    memset(product->keys, 0, sizeof(product->keys));
    memset(product->values, 0, sizeof(product->values));

    martech_json_begin(&t->out, '{');

    while (martech_ga4_part(t, &text, &part)) {
        martech_ga4_part_write(t, product, part);
    }

    martech_ga4_custom_write(t, product);
    martech_json_end(&t->out, '}');
}


/* The next part with something in it; copied if a "~" in it was doubled. */

static int
martech_ga4_part(martech_translation_t *t, martech_str_t *rest,
    martech_str_t *part)
{
    size_t          i, n;
    unsigned        doubled;
    unsigned char  *room;

    for ( ;; ) {
        doubled = 0;

        for (i = 0; i < rest->len; i++) {

            if (rest->data[i] != '~') {
                continue;
            }

            if (i + 1 == rest->len || rest->data[i + 1] != '~') {
                break;
            }

            doubled = 1;
            i++;
        }

        part->data = rest->data;
        part->len = i;

        rest->data += (i < rest->len) ? i + 1 : i;
        rest->len -= (i < rest->len) ? i + 1 : i;

        if (part->len > 0) {
            break;
        }

        if (rest->len == 0) {
            return 0;
        }
    }

    if (!doubled) {
        return 1;
    }

    room = martech_dialect_room(t, part->len);

    if (room == NULL) {
        t->out.overflow = 1;
        return 0;
    }

    for (i = 0, n = 0; i < part->len; i++, n++) {
        room[n] = part->data[i];
        i += (part->data[i] == '~');
    }

    part->data = room;
    part->len = n;

    return 1;
}


/* A code that is not known is the name of its value. */

static void
martech_ga4_part_write(martech_translation_t *t,
    martech_ga4_product_t *product, martech_str_t part)
{
    unsigned                   i, digit;
    martech_str_t              code, value;
    const martech_ga4_code_t  *known;

    code.data = part.data;
    code.len = (part.len < 2) ? part.len : 2;
    value.data = part.data + code.len;
    value.len = part.len - code.len;

    digit = (code.len == 2) ? (unsigned) code.data[1] - '0' : 10;

    if (digit < MARTECH_GA4_CUSTOM
        && (code.data[0] == 'k' || code.data[0] == 'v'))
    {
        if (code.data[0] == 'k') {
            product->keys[digit] = value;

        } else {
            product->values[digit] = value;
        }

        return;
    }

    known = NULL;

    for (i = 0; i < sizeof(martech_ga4_codes) / sizeof(martech_ga4_codes[0]);
         i++)
    {
        if (code.len == 2
            && memcmp(code.data, martech_ga4_codes[i].code, 2) == 0)
        {
            known = &martech_ga4_codes[i];
            code.data = (const unsigned char *) known->name;
            code.len = strlen(known->name);
            break;
        }
    }

    if (memchr(code.data, '\0', code.len) != NULL
        || !martech_names_add(&product->written, code))
    {
        return;
    }

    martech_dialect_name(t, code);

    if (known && known->number && martech_dialect_is_number(value)) {
        martech_json_raw(&t->out, value.data, value.len);

    } else {
        martech_json_string(&t->out, value.data, value.len);
    }
}


static void
martech_ga4_custom_write(martech_translation_t *t,
    martech_ga4_product_t *product)
{
    unsigned       i;
    martech_str_t  key, value;

    for (i = 0; i < MARTECH_GA4_CUSTOM; i++) {
        key = product->keys[i];
        value = product->values[i];

        if (key.len == 0 || value.data == NULL
            || key.len > t->limits->key_size_max
            || memchr(key.data, '\0', key.len) != NULL
            || !martech_names_add(&product->written, key))
        {
            continue;
        }

        martech_dialect_name(t, key);
        martech_json_string(&t->out, value.data, value.len);
    }
}
