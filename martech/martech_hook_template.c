
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Templates as they are configured: what is signed, and names of events.
 */


#include <string.h>

#include "martech_hook_private.h"


typedef struct {
    martech_str_t        word;
    martech_hook_part_e  kind;
} martech_hook_word_t;


static const martech_hook_word_t  martech_hook_words[] = {
    { martech_string("time"), MARTECH_HOOK_TIME },
    { martech_string("method"), MARTECH_HOOK_METHOD },
    { martech_string("url"), MARTECH_HOOK_URL },
    { martech_string("body"), MARTECH_HOOK_BODY },
    { martech_string("form"), MARTECH_HOOK_FORM },
    { martech_string("sha256"), MARTECH_HOOK_DIGEST },
};

static const martech_str_t  martech_hook_header_word =
                                                  martech_string("header:");


static int martech_hook_template_word(martech_hook_part_t *part,
    martech_str_t word);
static int martech_hook_is_header(martech_str_t name);


const char *
martech_hook_template(martech_hook_scheme_t *scheme, martech_str_t text)
{
    unsigned              n;
    martech_hook_part_t  *part;
    const unsigned char  *p, *end;

    n = 0;
    end = text.data + text.len;

    while (text.data < end) {

        if (n == MARTECH_HOOK_PARTS) {
            return "a template has at most 12 parts";
        }

        part = &scheme->parts[n++];

        p = memchr(text.data, '{', (size_t) (end - text.data));

        if (p != text.data) {
            part->kind = MARTECH_HOOK_LITERAL;
            part->text.data = text.data;
            part->text.len = (size_t) ((p ? p : end) - text.data);

            text.data += part->text.len;
            continue;
        }

        p = memchr(text.data, '}', (size_t) (end - text.data));

        if (p == NULL) {
            return "a \"{\" of a template needs its \"}\"";
        }

        part->text.data = text.data + 1;
        part->text.len = (size_t) (p - part->text.data);

        if (!martech_hook_template_word(part, part->text)) {
            return "a template has {body}, {url}, {method}, {time}, {form}, "
                   "{sha256} and {header:NAME}";
        }

        text.data = p + 1;
    }

    return n ? NULL : "a template must not be empty";
}


static int
martech_hook_template_word(martech_hook_part_t *part, martech_str_t word)
{
    size_t  i, len;

    for (i = 0;
         i < sizeof(martech_hook_words) / sizeof(martech_hook_words[0]);
         i++)
    {
        if (word.len == martech_hook_words[i].word.len
            && memcmp(word.data, martech_hook_words[i].word.data, word.len)
               == 0)
        {
            part->kind = martech_hook_words[i].kind;
            return 1;
        }
    }

    if (!martech_hook_is_header(word)) {
        return 0;
    }

    len = martech_hook_header_word.len;

    part->kind = MARTECH_HOOK_HEADER;
    part->text.data = word.data + len;
    part->text.len = word.len - len;

    return 1;
}


static int
martech_hook_is_header(martech_str_t name)
{
    size_t  i, len;

    len = martech_hook_header_word.len;

    if (name.len <= len || name.len > 128
        || memcmp(name.data, martech_hook_header_word.data, len) != 0)
    {
        return 0;
    }

    for (i = len; i < name.len; i++) {

        if (!((name.data[i] >= 'a' && name.data[i] <= 'z')
              || (name.data[i] >= '0' && name.data[i] <= '9')
              || name.data[i] == '-' || name.data[i] == '_'))
        {
            return 0;
        }
    }

    return 1;
}


int
martech_hook_is_expression(martech_str_t text)
{
    martech_str_t  part;

    if (text.len == 0 || text.len > 1024
        || text.data[text.len - 1] == '|')
    {
        return 0;
    }

    while (text.len > 0) {
        part = martech_hook_split(&text, '|');

        if (part.len == 0
            || (part.data[0] != '/' && !martech_hook_is_header(part)))
        {
            return 0;
        }
    }

    return 1;
}


const char *
martech_hook_names(martech_str_t text)
{
    martech_str_t         word;
    const unsigned char  *p, *end;

    static const martech_str_t  topic = martech_string("topic");

    end = text.data + text.len;

    for ( ;; ) {
        p = memchr(text.data, '{', (size_t) (end - text.data));

        if (p == NULL) {
            return NULL;
        }

        word.data = p + 1;
        p = memchr(p, '}', (size_t) (end - p));

        if (p == NULL) {
            return "a \"{\" needs its \"}\"";
        }

        word.len = (size_t) (p - word.data);

        if (!(word.len == topic.len
              && memcmp(word.data, topic.data, topic.len) == 0)
            && !martech_hook_is_expression(word))
        {
            return "a name has {topic}, {/pointer} and {header:name}";
        }

        text.data = p + 1;
    }
}
