
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Runs t/cases/consent: published strings, and those that the libraries of
 * the formats' own makers encode and decode, are read field by field, and cut
 * and damaged at every byte.
 */


#include <limits.h>
#include <unistd.h>

#include "martech_consent_dump.h"


#define TEST_LINE_MAX  16384

/* of the libraries' strings so many are damaged: each costs its square */
#define TEST_DAMAGED   25


typedef void (*test_line_pt)(const char *where, char *fields[4]);


static const uint8_t  test_flips[] = { 0x01, 0x02, 0x04, 0x20, 0x80, 0xff };


/* t/cases/consent/NAME of the tree this program was built in. */

static FILE *
test_open(const char *name)
{
    int          i;
    char         exe[PATH_MAX], path[PATH_MAX + 256], *slash;
    FILE        *f;
    ssize_t      n;
    const char  *env;

    env = getenv("MARTECH_CASES");

    if (env != NULL) {
        (void) snprintf(path, sizeof(path), "%s/consent/%s", env, name);

    } else {
        n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
        assert_true(n > 0);
        exe[n] = '\0';

        for (i = 0; i < 3; i++) {
            slash = strrchr(exe, '/');
            assert_non_null(slash);
            *slash = '\0';
        }

        (void) snprintf(path, sizeof(path), "%s/t/cases/consent/%s", exe,
                        name);
    }

    f = fopen(path, "r");

    if (f == NULL) {
        test_fail("cannot open \"%s\"", path);
    }

    return f;
}


/* Calls test for each line but comments; returns how many there were. */

static unsigned
test_lines(const char *name, unsigned max, test_line_pt test)
{
    int        i;
    char       where[64], *line, *p, *fields[4];
    FILE      *f;
    unsigned   number, count;

    f = test_open(name);
    line = test_alloc(TEST_LINE_MAX);

    for (number = 1, count = 0; count < max; number++) {

        if (fgets(line, TEST_LINE_MAX, f) == NULL) {
            break;
        }

        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }

        p = line;
        p[strcspn(p, "\n")] = '\0';

        for (i = 0; i < 4; i++) {
            fields[i] = p;

            if (p != NULL) {
                p = strchr(p, '\t');
            }

            if (p != NULL) {
                *p++ = '\0';
            }
        }

        (void) snprintf(where, sizeof(where), "%s:%u", name, number);

        test(where, fields);
        count++;
    }

    free(line);
    fclose(f);

    return count;
}


/* A copy of exactly its size, so that reading beyond it is noticed. */

static martech_str_t
test_exact(const char *text, size_t len)
{
    martech_str_t  s;

    s.len = len;
    s.data = test_copy(text, len);

    return s;
}


/*
 * Each field of the file is in the dump.  Fields of our dump that the file
 * does not have are not compared.
 */

static void
test_fields(const char *where, const test_dump_t *dump, char *want)
{
    char    *field, *save, *found;
    size_t   len;

    for (field = strtok_r(want, " ", &save); field != NULL;
         field = strtok_r(NULL, " ", &save))
    {
        len = strlen(field);

        for (found = strstr(dump->text, field); found != NULL;
             found = strstr(found + 1, field))
        {
            if ((found == dump->text || found[-1] == ' ')
                && (found[len] == ' ' || found[len] == '\0'))
            {
                break;
            }
        }

        if (found == NULL) {
            test_fail("%s: no \"%s\" in \"%s\"", where, field, dump->text);
        }
    }
}


static void
test_dump_said(test_dump_t *dump, martech_consent_signal_t signal,
    martech_str_t text)
{
    int                      rc;
    martech_consent_t        consent;
    martech_consent_rules_t  rules;

    martech_consent_rules_default(&rules);

    rc = martech_consent_read(signal, text, &rules, &consent);

    assert_int_equal(rc, (consent.granted | consent.denied) != 0);

    test_dump_purposes(dump, " granted=", consent.granted);
    test_dump_purposes(dump, " denied=", consent.denied);
}


static void
test_tcf_line(const char *where, char *fields[4])
{
    int             ok;
    test_dump_t    *dump;
    martech_str_t   text;
    martech_tcf_t   tcf;

    dump = test_alloc(sizeof(test_dump_t));
    dump->len = 0;
    text = test_exact(fields[0], strlen(fields[0]));

    ok = martech_tcf_read(&tcf, text);

    if (ok) {
        test_dump_tcf(dump, &tcf);

    } else {
        test_dump(dump, "invalid");
    }

    test_dump_said(dump, MARTECH_CONSENT_TCF, text);

    if (!ok && strcmp(dump->text, "invalid granted=none denied=none") != 0) {
        test_fail("%s: says \"%s\"", where, dump->text);
    }

    test_fields(where, dump, fields[1]);

    free((void *) text.data);
    free(dump);
}


static void
test_gpp_line(const char *where, char *fields[4])
{
    test_dump_t    *dump;
    martech_str_t   text;
    martech_gpp_t   gpp;

    dump = test_alloc(sizeof(test_dump_t));
    dump->len = 0;
    text = test_exact(fields[0], strlen(fields[0]));

    if (martech_gpp_read(&gpp, text)) {
        test_dump_gpp(dump, &gpp);

    } else {
        test_dump(dump, "invalid");
    }

    test_dump_said(dump, MARTECH_CONSENT_GPP, text);
    test_fields(where, dump, fields[1]);

    free((void *) text.data);
    free(dump);
}


static void
test_signal_line(const char *where, char *fields[4])
{
    char                      want[256];
    test_dump_t              *dump;
    martech_str_t             text;
    martech_consent_signal_t  signal;

    signal = martech_consent_signal(test_str(fields[0]));

    if (signal == MARTECH_CONSENT_DEFAULT || fields[1] == NULL
        || fields[2] == NULL || fields[3] == NULL)
    {
        test_fail("%s: not a case", where);
    }

    (void) snprintf(want, sizeof(want), " granted=%s denied=%s",
                    strcmp(fields[2], "-") ? fields[2] : "none",
                    strcmp(fields[3], "-") ? fields[3] : "none");

    dump = test_alloc(sizeof(test_dump_t));
    dump->len = 0;
    text = test_exact(fields[1], strlen(fields[1]));

    test_dump_said(dump, signal, text);

    if (strcmp(dump->text, want) != 0) {
        test_fail("%s:%s, not%s", where, dump->text, want);
    }

    free((void *) text.data);
    free(dump);
}


/* Whatever was read: nothing contradicts itself, nothing is made up. */

static void
test_sane(const char *where, martech_consent_signal_t signal,
    martech_str_t text)
{
    int                      rc;
    martech_consent_t        consent;
    martech_consent_rules_t  rules;

    martech_consent_rules_default(&rules);
    memset(&consent, 0x5a, sizeof(consent));

    rc = martech_consent_read(signal, text, &rules, &consent);

    if ((consent.granted & consent.denied) != 0
        || ((consent.granted | consent.denied)
            & ~(MARTECH_PURPOSES_ALL & ~MARTECH_PURPOSE_NECESSARY)) != 0
        || rc != ((consent.granted | consent.denied) != 0))
    {
        test_fail("%s: \"%.*s\": %d, granted %x, denied %x", where,
                  (int) text.len, text.data, rc, consent.granted,
                  consent.denied);
    }
}


static void
test_damage(const char *where, martech_consent_signal_t signal,
    const char *value)
{
    size_t         i, k, len;
    martech_str_t  text;

    len = strlen(value);

    for (i = 0; i <= len; i++) {
        text = test_exact(value, i);
        test_sane(where, signal, text);
        free((void *) text.data);
    }

    text = test_exact(value, len);

    for (i = 0; i < len; i++) {

        for (k = 0; k < test_count(test_flips); k++) {
            ((unsigned char *) text.data)[i] ^= test_flips[k];
            test_sane(where, signal, text);
            ((unsigned char *) text.data)[i] ^= test_flips[k];
        }
    }

    free((void *) text.data);
}


static void
test_damage_tcf(const char *where, char *fields[4])
{
    test_damage(where, MARTECH_CONSENT_TCF, fields[0]);
}


static void
test_damage_gpp(const char *where, char *fields[4])
{
    test_damage(where, MARTECH_CONSENT_GPP, fields[0]);
}


static void
test_damage_signal(const char *where, char *fields[4])
{
    test_damage(where, martech_consent_signal(test_str(fields[0])),
                fields[1]);
}


static void
test_tcf(void **state)
{
    (void) state;

    assert_true(test_lines("tcf.txt", UINT_MAX, test_tcf_line) >= 15);
    assert_true(test_lines("tcf-library.txt", UINT_MAX, test_tcf_line)
                >= 200);
}


static void
test_gpp(void **state)
{
    (void) state;

    assert_true(test_lines("gpp.txt", UINT_MAX, test_gpp_line) >= 20);
    assert_true(test_lines("gpp-library.txt", UINT_MAX, test_gpp_line)
                >= 200);
}


static void
test_signals(void **state)
{
    (void) state;

    assert_true(test_lines("signals.txt", UINT_MAX, test_signal_line) >= 100);
}


static void
test_damaged(void **state)
{
    (void) state;

    (void) test_lines("tcf.txt", UINT_MAX, test_damage_tcf);
    (void) test_lines("gpp.txt", UINT_MAX, test_damage_gpp);
    (void) test_lines("signals.txt", UINT_MAX, test_damage_signal);
    (void) test_lines("tcf-library.txt", TEST_DAMAGED, test_damage_tcf);
    (void) test_lines("gpp-library.txt", TEST_DAMAGED, test_damage_gpp);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_tcf),
        cmocka_unit_test(test_gpp),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_damaged),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
