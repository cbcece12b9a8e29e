
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The prelude.
 *
 * Sources of a field and their order are those that senders use; a map that
 * wants another order names its paths itself.  Input of all but the functions
 * with arguments is that of the map.
 */


#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_buf.h"
#include "fwd_prelude.h"


#define FWD_PRELUDE_MAX  16384


typedef struct {
    const char           *name;
    const char           *text;
} fwd_prelude_row_t;


static int fwd_prelude_has(const char *program, const char *name);


/*
 * What ends in "?" alone would give nothing at all, not null, where an object
 * is something else; and with it the record around it.
 */

static const fwd_prelude_row_t  fwd_prelude_rows[] = {
    { "trait", "def trait($n): .event | .traits[$n]? // .context.traits[$n]? "
      "// .properties[$n]? // null;" },
    { "email", "def email: .event | .traits.email? // .context.traits.email? "
      "// .properties.email? // null;" },
    { "phone", "def phone: .event | .traits.phone? // .context.traits.phone? "
      "// .properties.phone? // null;" },
    { "first_name", "def first_name: .event | .traits | (.firstName? // "
      ".first_name? // .firstname?) // null;" },
    { "last_name", "def last_name: .event | .traits | (.lastName? // "
      ".last_name? // .lastname?) // null;" },
    { "user_id", "def user_id: .event | .userId // .traits.userId? // "
      ".traits.id? // .context.traits.userId? // .context.traits.id? "
      "// null;" },
    { "anonymous_id", "def anonymous_id: .event.anonymousId;" },
    { "event_id", "def event_id: .event | .properties.event_id? // "
      ".messageId;" },
    { "page_url", "def page_url: .event | .context.page.url? // "
      ".properties.url? // null;" },
    { "user_agent", "def user_agent: .event.context.userAgent? // null;" },
    { "ip", "def ip: .event.context.ip? // null;" },
    { "locale", "def locale: .event.context.locale? // null;" },
    { "first_of", "def first_of(a; b): a as $a | if $a == null then b else "
      "$a end; "
      "def first_of(a; b; c): a as $a | if $a == null then first_of(b; c) "
      "else $a end; "
      "def first_of(a; b; c; d): a as $a | if $a == null then "
      "first_of(b; c; d) else $a end; "
      "def first_of(a; b; c; d; e): a as $a | if $a == null then "
      "first_of(b; c; d; e) else $a end;" },
    { "products", "def products: (.event.properties // {}) | "
      "if (.products | type) == \"array\" then [.products[] | objects] "
      "elif (.product_id // .productId // .sku // .id // .name // .title) "
      "!= null then [.] else [] end;" },
    { "product_id", "def product_id: .product_id // .productId // .sku // "
      ".id;" },
    { "product_name", "def product_name: .name // .title;" },
    { "number", "def number(v): {\"@number\": v};" },
    { "sha256", "def sha256(v): {\"@sha256\": v}; "
      "def sha256(v; ops): {\"@sha256\": v, do: ops};" },
    { "text", "def text(v; ops): {\"@text\": v, do: ops};" },
    { "seconds", "def seconds: {\"@time\": .event.timestamp, as: \"s\"};" },
    { "millis", "def millis: {\"@time\": .event.timestamp, as: \"ms\"};" },
    { "micros", "def micros: {\"@time\": .event.timestamp, as: \"us\"};" },
    { "iso", "def iso: {\"@time\": .event.timestamp, as: \"iso\"};" },
    { "granted", "def granted($p): .granted[$p];" },
    { "sane", "def sane: def object(names): with_entries(select("
      "(.value | type) == \"object\" or ([.key] | inside(names) | not))); "
      ".event |= (object([\"properties\", \"traits\", \"context\"]) | "
      "if .context then .context |= object([\"page\", \"os\", \"app\", "
      "\"device\", \"location\", \"screen\", \"network\", \"campaign\", "
      "\"traits\", \"martech\"]) else . end);" },
    { "drop", "def drop($r): {\"@drop\": $r};" },
    { "fail", "def fail($r): {\"@error\": $r};" }
};


char *
fwd_prelude(const char *program)
{
    char                     *copy;
    size_t                    i;
    fwd_buf_t                 text;
    const char               *ready;
    const fwd_prelude_row_t  *row;

    fwd_buf_init(&text, FWD_PRELUDE_MAX);

    for (i = 0; i < sizeof(fwd_prelude_rows) / sizeof(fwd_prelude_rows[0]);
         i++)
    {
        row = &fwd_prelude_rows[i];

        if (fwd_prelude_has(program, row->name)) {
            fwd_buf_add_string(&text, row->text);
            fwd_buf_add_char(&text, ' ');
        }
    }

    ready = fwd_buf_string(&text);
    copy = (ready != NULL) ? strdup(ready) : NULL;
    fwd_buf_free(&text);

    return copy;
}


/* The name as a word, not as a member (".email") or a variable. */

static int
fwd_prelude_has(const char *program, const char *name)
{
    char         c;
    size_t       len;
    const char  *p;

    len = strlen(name);

    for (p = strstr(program, name); p != NULL; p = strstr(p + 1, name)) {
        c = (p == program) ? ' ' : p[-1];

        if (!isalnum((unsigned char) c) && c != '_' && c != '.' && c != '$'
            && !isalnum((unsigned char) p[len]) && p[len] != '_')
        {
            return 1;
        }
    }

    return 0;
}
