
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_pii against the values of t/cases/pii: nothing
 * that is personal may be missed, and what is found by mistake is listed with
 * the reason.  A line is a value, or the name of its member, a tab and the
 * value.
 */


#include "martech_test.h"

/* martech */
#include "martech_pii.h"


#define TEST_LINES_MIN  200
#define TEST_DIR        "t/cases/pii/"


typedef struct {
    char      text[65536];
    char     *line[1024];
    unsigned  count;
} test_lines_t;


static void
test_lines_read(test_lines_t *lines, const char *pattern, const char *kind)
{
    char     name[256], *p;
    FILE    *file;
    size_t   n;

    snprintf(name, sizeof(name), TEST_DIR "%s.%s.txt", pattern, kind);

    file = fopen(name, "r");
    if (file == NULL) {
        test_fail("cannot open %s", name);
    }

    n = fread(lines->text, 1, sizeof(lines->text) - 1, file);
    fclose(file);

    assert_true(n < sizeof(lines->text) - 1);
    lines->text[n] = '\0';
    lines->count = 0;

    for (p = strtok(lines->text, "\n"); p != NULL; p = strtok(NULL, "\n")) {
        assert_true(lines->count < test_count(lines->line));
        lines->line[lines->count++] = p;
    }
}


/* Looks for the pattern alone, in a block of exactly the value's size. */

static int
test_found(const char *line, unsigned pattern)
{
    int                   rc;
    char                 *tab;
    size_t                len;
    unsigned              hints, may;
    martech_str_t         name;
    unsigned char        *copy;
    martech_pii_match_t   match;

    hints = 0;
    tab = strchr(line, '\t');

    if (tab != NULL) {
        name.data = (const unsigned char *) line;
        name.len = (size_t) (tab - line);

        /* a tab in a value is no joint of a name */

        if (memchr(line, '@', name.len) == NULL) {
            hints = martech_pii_hints(name);
            line = tab + 1;
        }
    }

    len = strlen(line);
    copy = test_copy(line, len);

    may = martech_pii_may(copy, len, copy + len);
    rc = martech_pii_next(pattern, hints, copy, len, 0, &match);

    if (rc) {
        assert_true(match.from < match.to && match.to <= len);
        assert_int_equal(match.pattern, pattern);

        if (!(may & pattern)) {
            test_fail("not looked for: %s", line);
        }
    }

    free(copy);

    return rc;
}


static void
test_pattern(const char *name)
{
    unsigned             i, j, pattern, missed, listed;
    const char          *tab;
    static test_lines_t  lines, explained;

    pattern = martech_pii_pattern(test_str(name));
    assert_int_not_equal(pattern, 0);

    test_lines_read(&lines, name, "positive");
    assert_true(lines.count >= TEST_LINES_MIN);
    missed = 0;

    for (i = 0; i < lines.count; i++) {

        if (!test_found(lines.line[i], pattern)) {
            print_error("%s missed: %s\n", name, lines.line[i]);
            missed++;
        }
    }

    print_message("%s: %u of %u missed\n", name, missed, lines.count);

    test_lines_read(&lines, name, "negative");
    assert_true(lines.count >= TEST_LINES_MIN);
    test_lines_read(&explained, name, "explained");
    listed = 0;

    for (i = 0; i < explained.count; i++) {
        tab = strrchr(explained.line[i], '\t');

        if (tab == NULL || tab[1] == '\0') {
            test_fail("%s: no reason: %s", name, explained.line[i]);
        }

        explained.line[i][tab - explained.line[i]] = '\0';
    }

    for (i = 0; i < lines.count; i++) {

        for (j = 0; j < explained.count
             && strcmp(lines.line[i], explained.line[j]) != 0;
             j++)
        {
            /* void */
        }

        listed += (j < explained.count);

        if (test_found(lines.line[i], pattern) != (j < explained.count)) {
            print_error("%s %s: %s\n", name,
                        (j < explained.count) ? "explained, but not found"
                                              : "found by mistake",
                        lines.line[i]);
            missed++;
        }
    }

    print_message("%s: %u of %u found by mistake\n", name, listed,
                  lines.count);

    assert_int_equal(listed, explained.count);
    assert_int_equal(missed, 0);
}


static void
test_email(void **state)
{
    (void) state;

    test_pattern("email");
}


static void
test_card(void **state)
{
    (void) state;

    test_pattern("card");
}


static void
test_phone(void **state)
{
    (void) state;

    test_pattern("phone");
}


static void
test_iban(void **state)
{
    (void) state;

    test_pattern("iban");
}


static void
test_national_id(void **state)
{
    (void) state;

    test_pattern("national_id");
}


/* What exactly is cut out. */

static void
test_extent(void **state)
{
    size_t               i;
    martech_str_t        text;
    martech_pii_match_t  match;

    static const struct {
        const char  *text;
        const char  *found;
    } rows[] = {
        { "Write to anna.muster@example.com.", "anna.muster@example.com" },
        { "?e=anna%40example.com&x=1", "anna%40example.com" },
        { "mailto:anna+x@example.com?a=b", "anna+x@example.com" },
        { "a=1,anna@example.com", "anna@example.com" },
        { "card 4111 1111 1111 1111 123", "4111 1111 1111 1111" },
        { "4111111111111111/12/27", "4111111111111111" },
        { "IBAN DE89 3704 0044 0532 0130 00 BIC", "DE89 3704 0044 0532 0130 00"
          },
        { "call +49 176 12345678, or not", "+49 176 12345678" },
        { "(212) 555-0123 x12", "(212) 555-0123" },
        { "ssn 536-90-4399.", "536-90-4399" },
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        text = test_str(rows[i].text);

        if (!martech_pii_next(MARTECH_PII_ALL, 0, text.data, text.len, 0,
                              &match))
        {
            test_fail("nothing in \"%s\"", rows[i].text);
        }

        text.data += match.from;
        text.len = match.to - match.from;
        test_str_equal(text, rows[i].found);
    }
}


/* The longest texts cost no more than a few times their length. */

static void
test_hostile(void **state)
{
    size_t               i, j, at, len, found;
    unsigned char       *text;
    martech_pii_match_t  match;

    static const char *const  parts[] = {
        "@", "a@", "1 ", "1-", "(", "+1", "%2B", "0 1", "a@b.", "4111 ",
        "DE89 ", "@.", "%40", "\xef\xbc\xa0", "1@1.", "\"a\"@", "12", "a",
    };

    (void) state;

    for (i = 0; i < test_count(parts); i++) {
        len = 32768 / strlen(parts[i]) * strlen(parts[i]);
        text = test_alloc(len);

        for (j = 0; j < len; j++) {
            text[j] = (unsigned char) parts[i][j % strlen(parts[i])];
        }

        at = 0;
        found = 0;

        while (martech_pii_next(MARTECH_PII_ALL | MARTECH_PII_RANDOM,
                                MARTECH_PII_HINT_PHONE, text, len, at, &match))
        {
            assert_true(match.from >= at && match.to > match.from
                        && match.to <= len);
            at = match.to;
            found++;
        }

        assert_true(found <= len);
        free(text);
    }
}


/*
 * What a text may hold does not depend on what stands behind it, nor on where
 * in it a character stands: it is looked at in blocks.
 */

static void
test_may(void **state)
{
    char      text[96];
    size_t    i, at, len, more;
    unsigned  may;

    static const struct {
        const char  *chars;
        unsigned     may;
    } rows[] = {
        { "12345", MARTECH_PII_ALL & ~MARTECH_PII_EMAIL },
        { "1234:", 0 },
        { "/0189", 0 },
        { "@....", MARTECH_PII_EMAIL },
        { "....%", MARTECH_PII_EMAIL },
        { "..\xef..", MARTECH_PII_EMAIL },
        { "0@9%5", MARTECH_PII_EMAIL },
        { "\xee\xf0$&A", 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        for (len = 5; len <= 64; len++) {

            for (at = 0; at + 5 <= len; at++) {

                /* behind it is all that it may not hold */

                memset(text, 'x', len);
                memset(text + len, (i & 1) ? '7' : '@', sizeof(text) - len);
                memcpy(text + at, rows[i].chars, 5);

                for (more = 0; more <= 32; more += 8) {
                    may = martech_pii_may((unsigned char *) text, len,
                                          (unsigned char *) text + len + more);
                    assert_int_equal(may, rows[i].may);
                }
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_email),
        cmocka_unit_test(test_card),
        cmocka_unit_test(test_phone),
        cmocka_unit_test(test_iban),
        cmocka_unit_test(test_national_id),
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_may),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
