
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of forwarder/fwd_rotate and fwd_segment: names of event files, when
 * the next one is due, and what is done with what a crash has left.
 */


#include "fwd_test.h"

#include <dirent.h>
#include <fcntl.h>

/* forwarder */
#include "fwd_rotate.h"
#include "fwd_segment.h"


/* 2026-11-20T19:36:00.123Z */
#define TEST_NOW    1795203360123ULL
#define TEST_HOUR   3600000ULL


static void
test_names(void **state)
{
    char      name[FWD_ROTATE_NAME_LEN], before[FWD_ROTATE_NAME_LEN];
    uint64_t  ms, read;

    (void) state;

    fwd_rotate_name(name, TEST_NOW);
    assert_string_equal(name, "events-20261120T193600.123Z.ndjson");

    memset(before, 0, sizeof(before));

    for (ms = TEST_NOW; ms < TEST_NOW + 400 * TEST_HOUR; ms += 1234567) {
        fwd_rotate_name(name, ms);
        assert_true(strcmp(name, before) > 0);
        assert_int_equal(fwd_rotate_parse(&read, name), FWD_OK);
        assert_true(read == ms);
        memcpy(before, name, sizeof(name));
    }
}


static void
test_foreign_names(void **state)
{
    static const char *const  names[] = {
        "", ".", "..", "events.ndjson", "events-20261120T193600.123Z.json",
        "Events-20261120T193600.123Z.ndjson",
        "events-20261320T193600.123Z.ndjson",
        "events-20261120T193600.123Z.ndjsoX",
        "events-20261120t193600.123Z.ndjson",
        "events-20261120T193600.123Z.ndjson.gz",
        "events-2026112\n193600.123Z.ndjson"
    };

    size_t    i;
    uint64_t  ms;

    (void) state;

    for (i = 0; i < test_count(names); i++) {
        assert_int_equal(fwd_rotate_parse(&ms, names[i]), FWD_ERROR);
    }
}


static void
test_due(void **state)
{
    static const struct {
        uint64_t      opened;
        uint64_t      size;
        uint64_t      now;
        fwd_rotate_t  every;
        int           due;
    } rows[] = {
        { TEST_NOW, 0, TEST_NOW, FWD_ROTATE_HOUR, 0 },
        { TEST_NOW, 999, TEST_NOW, FWD_ROTATE_HOUR, 0 },
        { TEST_NOW, 1000, TEST_NOW, FWD_ROTATE_HOUR, 1 },
        { TEST_NOW, 1000, TEST_NOW, FWD_ROTATE_NEVER, 1 },
        { TEST_NOW, 0, TEST_NOW + 24 * 60000, FWD_ROTATE_HOUR, 1 },
        { TEST_NOW, 0, TEST_NOW + 23 * 60000, FWD_ROTATE_HOUR, 0 },
        { TEST_NOW, 0, TEST_NOW + 4 * TEST_HOUR, FWD_ROTATE_DAY, 0 },
        { TEST_NOW, 0, TEST_NOW + 5 * TEST_HOUR, FWD_ROTATE_DAY, 1 },
        { TEST_NOW, 0, TEST_NOW + 9000 * TEST_HOUR, FWD_ROTATE_NEVER, 0 },

        /* a clock set back */
        { TEST_NOW, 0, TEST_NOW - 5 * TEST_HOUR, FWD_ROTATE_HOUR, 0 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        if (fwd_rotate_due(rows[i].opened, rows[i].size, rows[i].now, 1000,
                           rows[i].every)
            != rows[i].due)
        {
            test_fail("row %zu", i);
        }
    }
}


static void
test_contents(const char *name, const char *wanted)
{
    FILE    *f;
    char     text[4096];
    size_t   n;

    f = fopen(test_path(name), "r");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    (void) fclose(f);

    text[n] = '\0';
    assert_string_equal(text, wanted);
}


static size_t
test_files(void)
{
    DIR     *list;
    size_t   n;

    n = 0;
    list = opendir(test_folder);
    assert_non_null(list);

    while (readdir(list) != NULL) {
        n++;
    }

    (void) closedir(list);

    return n - 2;
}


static void
test_append(fwd_segment_t *seg, const char *text, uint64_t now_ms)
{
    fwd_error_t    err;
    martech_str_t  record;

    record.data = (const unsigned char *) text;
    record.len = strlen(text);

    assert_int_equal(fwd_segment_append(seg, &record, 1, now_ms, &err),
                     FWD_OK);
}


static void
test_segment(void **state)
{
    fwd_core_t         core;
    fwd_segment_t      seg, other;
    fwd_file_target_t  target;

    (void) state;

    test_folder_make();

    memset(&core, 0, sizeof(core));
    core.fail_point = FWD_FAIL_COUNT;
    memset(&target, 0, sizeof(target));
    target.path = test_folder;
    target.rotate_bytes = 4096;
    target.rotate_every = FWD_ROTATE_HOUR;

    /* a crash has torn the last line of the newest file */

    test_write("events-20261120T170000.000Z.ndjson", "{\"old\":1}\n{\"to");
    test_write("events-20261120T190000.000Z.ndjson", "{\"a\":1}\n{\"torn");
    test_write("events-99999999T999999.999Z.ndjson", "not ours");

    fwd_segment_init(&seg, &target, &core);
    test_append(&seg, "{\"b\":2}", TEST_NOW);
    test_contents("events-20261120T190000.000Z.ndjson",
                  "{\"a\":1}\n{\"b\":2}\n");
    assert_int_equal(test_files(), 3);

    /* a second process finds it locked and writes beside it */

    fwd_segment_init(&other, &target, &core);
    test_append(&other, "{\"c\":3}", TEST_NOW);
    assert_int_equal(test_files(), 4);
    test_contents("events-20261120T193600.123Z.ndjson", "{\"c\":3}\n");
    fwd_segment_close(&other);

    /* the next hour, and the same name taken already */

    test_append(&seg, "{\"d\":4}", TEST_NOW + TEST_HOUR);
    test_contents("events-20261120T203600.123Z.ndjson", "{\"d\":4}\n");

    /* a clock set back: the next name still sorts behind */

    seg.size = 5000;
    test_append(&seg, "{\"e\":5}", TEST_NOW - TEST_HOUR);
    test_contents("events-20261120T203600.124Z.ndjson", "{\"e\":5}\n");

    fwd_segment_close(&seg);

    /* a file without any line end becomes empty */

    test_write("events-20261120T210000.000Z.ndjson", "{\"no line end");
    fwd_segment_init(&seg, &target, &core);
    test_append(&seg, "{\"f\":6}", TEST_NOW + TEST_HOUR);
    test_contents("events-20261120T210000.000Z.ndjson", "{\"f\":6}\n");
    fwd_segment_close(&seg);

    test_folder_remove();
}


static void
test_segment_fails(void **state)
{
    fwd_core_t         core;
    fwd_error_t        err;
    martech_str_t      record;
    fwd_segment_t      seg;
    fwd_file_target_t  target;

    (void) state;

    test_folder_make();
    test_write("plain", "");

    memset(&core, 0, sizeof(core));
    core.fail_point = FWD_FAIL_COUNT;
    memset(&target, 0, sizeof(target));
    target.rotate_bytes = 4096;
    record.data = (const unsigned char *) "{}";
    record.len = 2;

    target.path = test_path("plain");
    fwd_segment_init(&seg, &target, &core);
    assert_int_equal(fwd_segment_append(&seg, &record, 1, TEST_NOW, &err),
                     FWD_ERROR);

    /* the folder is made when it can be: the same segment goes on */

    target.path = test_folder;
    assert_int_equal(fwd_segment_append(&seg, &record, 1, TEST_NOW, &err),
                     FWD_OK);

    /* a descriptor that cannot be written: nothing is claimed */

    (void) close(seg.fd);
    seg.fd = 0;
    (void) close(0);
    assert_int_equal(open("/dev/null", O_RDONLY), 0);
    assert_int_equal(fwd_segment_append(&seg, &record, 1, TEST_NOW, &err),
                     FWD_ERROR);
    assert_int_equal(fwd_segment_append(&seg, &record, 1, TEST_NOW, &err),
                     FWD_OK);

    fwd_segment_close(&seg);
    test_folder_remove();
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_foreign_names),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_segment),
        cmocka_unit_test(test_segment_fails),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
