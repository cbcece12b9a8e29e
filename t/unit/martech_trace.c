
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of martech/martech_trace: what is a traceparent that may be kept.
 * Each value is a copy of its exact size, so that a look behind its end is
 * seen by the sanitizer.
 */


#include "martech_test.h"

/* martech */
#include "martech_event.h"


#define TEST_TRACE   "4bf92f3577b34da6a3ce929d0e0e4736"
#define TEST_PARENT  "00f067aa0ba902b7"


static const struct {
    const char  *value;
    int          valid;
} test_values[] = {
    { "00-" TEST_TRACE "-" TEST_PARENT "-01", 1 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-00", 1 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-ff", 1 },
    { "00-00000000000000000000000000000001-0000000000000001-00", 1 },

    { "", 0 },
    { "00", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-0", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-011", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-01-", 0 },
    { "01-" TEST_TRACE "-" TEST_PARENT "-01", 0 },
    { "ff-" TEST_TRACE "-" TEST_PARENT "-01", 0 },
    { "00_" TEST_TRACE "-" TEST_PARENT "-01", 0 },
    { "00-" TEST_TRACE "_" TEST_PARENT "-01", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "_01", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-0g", 0 },
    { "00-" TEST_TRACE "-" TEST_PARENT "-0F", 0 },
    { "00-4BF92F3577B34DA6A3CE929D0E0E4736-" TEST_PARENT "-01", 0 },
    { "00-4bf92f3577b34da6a3ce929d0e0e473\"-" TEST_PARENT "-01", 0 },
    { "00-" TEST_TRACE "-00f067aa0ba902b/-01", 0 },
    { "00-00000000000000000000000000000000-" TEST_PARENT "-01", 0 },
    { "00-" TEST_TRACE "-0000000000000000-01", 0 },
};


static void
test_traceparent(void **state)
{
    size_t          i, len;
    unsigned char  *copy;
    martech_str_t   value, kept;

    (void) state;

    for (i = 0; i < test_count(test_values); i++) {
        len = strlen(test_values[i].value);
        copy = test_copy(test_values[i].value, len);
        value.data = copy;
        value.len = len;

        kept = martech_traceparent(value);

        if (kept.len != (test_values[i].valid ? len : 0)
            || (kept.len > 0 && kept.data != copy))
        {
            test_fail("row %zu: \"%s\"", i, test_values[i].value);
        }

        free(copy);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_traceparent),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
