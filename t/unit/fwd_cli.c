
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of the parts of the commands that do no I/O: options, filters on
 * dead letters, slots of keys, and ledgers as trees.
 */


#include "fwd_test.h"

/* forwarder */
#include "fwd_cli_book.h"
#include "fwd_cli_dead.h"
#include "fwd_cli_redis.h"


/* An entry [ID, [name, value, ...]] of up to six fields. */
typedef struct {
    redisReply   entry;
    redisReply   parts[2];
    redisReply  *part_list[2];
    redisReply   texts[12];
    redisReply  *text_list[12];
} test_entry_t;


static fwd_rc_t test_parse(fwd_cli_t *cli, unsigned mask, ...);


static void
test_text(redisReply *reply, const char *text)
{
    memset(reply, 0, sizeof(redisReply));
    reply->type = REDIS_REPLY_STRING;
    reply->str = (char *) text;
    reply->len = strlen(text);
}


static void
test_letter(fwd_letter_t *letter, test_entry_t *e, const char **fields)
{
    size_t  n;

    memset(e, 0, sizeof(test_entry_t));

    for (n = 0; fields[n] != NULL; n++) {
        test_text(&e->texts[n], fields[n]);
        e->text_list[n] = &e->texts[n];
    }

    test_text(&e->parts[0], "1700000000000-5");
    e->parts[1].type = REDIS_REPLY_ARRAY;
    e->parts[1].elements = n;
    e->parts[1].element = e->text_list;
    e->part_list[0] = &e->parts[0];
    e->part_list[1] = &e->parts[1];
    e->entry.type = REDIS_REPLY_ARRAY;
    e->entry.elements = 2;
    e->entry.element = e->part_list;

    letter->dest = "hook";
    letter->shard = 3;
    assert_int_equal(fwd_letter_read(letter, &e->entry), FWD_OK);
}


static void
test_codes(void **state)
{
    static const struct {
        const char  *text;
        fwd_rc_t     rc;
        uint64_t     min;
        uint64_t     max;
    } rows[] = {
        { NULL, FWD_OK, 0, UINT64_MAX },
        { "404", FWD_OK, 404, 404 },
        { "0", FWD_OK, 0, 0 },
        { "4xx", FWD_OK, 400, 499 },
        { "5xx", FWD_OK, 500, 599 },
        { "0xx", FWD_ERROR, 0, 0 },
        { "4x", FWD_ERROR, 0, 0 },
        { "1000", FWD_ERROR, 0, 0 },
        { "", FWD_ERROR, 0, 0 },
        { "-1", FWD_ERROR, 0, 0 },
    };

    size_t    i;
    uint64_t  min, max;

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_int_equal(fwd_letter_code(&min, &max, rows[i].text),
                         rows[i].rc);

        if (rows[i].rc == FWD_OK) {
            assert_true(min == rows[i].min);
            assert_true(max == rows[i].max);
        }
    }
}


static void
test_matches(void **state)
{
    static const char  *fields[] = {
        "id", "m1", "reason", "rejected", "class", "retry", "status", "503",
        "at", "1700000001000", NULL
    };

    static fwd_cli_list_t  ids;

    test_entry_t         entry;
    fwd_letter_t         letter;
    fwd_letter_filter_t  f, all;

    (void) state;

    test_letter(&letter, &entry, fields);
    assert_string_equal(fwd_letter_text(&letter, FWD_LETTER_E), "");
    assert_true(fwd_letter_at(&letter) == 1700000001000ULL);

    memset(&all, 0, sizeof(all));
    all.code_max = UINT64_MAX;
    all.now_ms = 1700000011000ULL;       /* it is 10 s old */
    assert_true(fwd_letter_matches(&all, &letter));

#define TEST_ONE(member, value, expected)                                     \
    f = all;                                                                  \
    f.member = (value);                                                       \
    assert_int_equal(fwd_letter_matches(&f, &letter), expected)

    TEST_ONE(dest, "hook", 1);
    TEST_ONE(dest, "hoo", 0);
    TEST_ONE(class, "retry", 1);
    TEST_ONE(class, "rejected", 0);
    TEST_ONE(reason, "rejected", 1);
    TEST_ONE(reason, "", 0);
    TEST_ONE(code_min, 503, 1);
    TEST_ONE(code_min, 504, 0);
    TEST_ONE(code_max, 503, 1);
    TEST_ONE(code_max, 502, 0);
    TEST_ONE(older_ms, 9999, 1);
    TEST_ONE(older_ms, 10000, 0);
    TEST_ONE(newer_ms, 10001, 1);
    TEST_ONE(newer_ms, 10000, 0);

    ids.count = 2;
    ids.list[0] = "m0";
    ids.list[1] = "m1";
    TEST_ONE(ids, &ids, 1);
    ids.list[1] = "03/1700000000000-5";
    TEST_ONE(ids, &ids, 1);
    ids.list[1] = "hook/03/1700000000000-5";
    TEST_ONE(ids, &ids, 1);
    ids.list[1] = "hoo/03/1700000000000-5";
    TEST_ONE(ids, &ids, 0);
    ids.list[1] = "3/1700000000000-5";
    TEST_ONE(ids, &ids, 0);

#undef TEST_ONE
}


/* As the versions before wrote it: no class; its time is that of the entry. */

static void
test_old_letter(void **state)
{
    static const char  *fields[] = {
        "event", "1-1", "id", "evil\x1b\n", NULL
    };

    char          plain[FWD_LETTER_PLAIN_MAX];
    test_entry_t  entry;
    fwd_letter_t  letter;

    (void) state;

    test_letter(&letter, &entry, fields);

    assert_true(fwd_letter_at(&letter) == 1700000000000ULL);
    assert_int_equal(fwd_letter_number(&letter, FWD_LETTER_REPLAYS), 0);
    assert_string_equal(fwd_letter_text(&letter, FWD_LETTER_CLASS), "");
    assert_string_equal(fwd_letter_plain(plain, &letter, FWD_LETTER_ID),
                        "evil??");
}


static fwd_rc_t
test_parse(fwd_cli_t *cli, unsigned mask, ...)
{
    int      argc;
    char    *argv[16];
    va_list  args;

    memset(cli, 0, sizeof(fwd_cli_t));
    argc = 0;

    va_start(args, mask);

    do {
        argv[argc] = va_arg(args, char *);
    } while (argv[argc++] != NULL);

    va_end(args);

    return fwd_cli_parse(cli, mask, argc - 1, argv);
}


static void
test_options(void **state)
{
    static fwd_cli_t  cli;

    (void) state;

    assert_int_equal(test_parse(&cli, FWD_CLI_REPLAY, "-c", "f", "--id",
                                "a", "--id", "b", "--rate", "20/s",
                                "--older", "2h", "--limit", "0", NULL),
                     FWD_OK);
    assert_string_equal(cli.o.file, "f");
    assert_int_equal(cli.o.ids.count, 2);
    assert_int_equal(cli.o.rate, 20);
    assert_int_equal(cli.o.older_ms, 7200000);
    assert_int_equal(cli.o.limit, 0);
    assert_true(cli.o.shard == FWD_CLI_NOT_GIVEN);
    assert_int_equal(cli.words_count, 0);

    assert_int_equal(test_parse(&cli, FWD_CLI_PAUSE, "x", "-c", "f", "--why",
                                "--yes", NULL), FWD_OK);
    assert_string_equal(cli.o.why, "--yes");
    assert_int_equal(cli.words_count, 1);

    assert_int_equal(test_parse(&cli, FWD_CLI_LEDGER, "-c", "f", "--wait",
                                "7", NULL), FWD_OK);
    assert_int_equal(cli.o.wait_ms, 7000);

    assert_int_equal(test_parse(&cli, FWD_CLI_LEDGER, "--wait", "7", NULL),
                     FWD_ERROR);
    assert_int_equal(test_parse(&cli, FWD_CLI_LEDGER, "-c", "f", "--rate",
                                "7", NULL), FWD_ERROR);
    assert_int_equal(test_parse(&cli, FWD_CLI_REPLAY, "-c", "f", "--rate",
                                "0", NULL), FWD_ERROR);
    assert_int_equal(test_parse(&cli, FWD_CLI_REPLAY, "-c", "f", "--rate",
                                "7/m", NULL), FWD_ERROR);
    assert_int_equal(test_parse(&cli, FWD_CLI_REPLAY, "-c", "f", "--id",
                                NULL), FWD_ERROR);
}


/* Numbers that a real server gives for "cluster keyslot". */

static void
test_slots(void **state)
{
    (void) state;

    assert_int_equal(fwd_cli_redis_slot("123456789"), 0x31c3);
    assert_int_equal(fwd_cli_redis_slot("foo"), 12182);
    assert_int_equal(fwd_cli_redis_slot("{foo}:in"), 12182);
    assert_int_equal(fwd_cli_redis_slot("x{foo}y{bar}"), 12182);
    assert_int_not_equal(fwd_cli_redis_slot("{}foo"),
                         fwd_cli_redis_slot("foo"));
}


static void
test_book(void **state)
{
    json_t    *book, *total, *row;
    fwd_id_t   id;

    (void) state;

    book = json_object();
    total = json_object();

    fwd_book_field(book, "routed:hook:web", "5");
    fwd_book_field(book, "routed~:hook:web", "4294967295");
    fwd_book_field(book, "done:hook:web", "2");
    fwd_book_field(book, "refused:hook:consent:web", "3");
    fwd_book_field(book, "done:hook", "7");
    fwd_book_field(book, "last", "1-1");
    fwd_book_field(book, "unknown:a:b:c:d", "1");

    fwd_book_merge(total, book);
    fwd_book_merge(total, book);

    row = fwd_book_at(fwd_book_at(fwd_book_at(fwd_book_at(total,
              "destinations"), "hook"), "sources"), "web");

    assert_int_equal(fwd_book_get(row, "routed"), 10);
    assert_int_equal(fwd_book_waiting(row), 6);
    assert_true(fwd_book_get(row, "routed~") == 0xfffffffe);
    assert_int_equal(fwd_book_get(fwd_book_at(row, "refused"), "consent"),
                     6);
    assert_int_equal(fwd_book_sum(fwd_book_at(fwd_book_at(total,
                         "destinations"), "hook"), "done"), 18);
    assert_int_equal(json_object_size(total), 1);

    id.ms = (1ULL << 40) + 3;
    id.seq = (1ULL << 20) + 5;
    assert_true(fwd_id_digest(id)
                == (uint32_t) (3ULL * 1103515245 + 5ULL * 2654435761));

    json_decref(book);
    json_decref(total);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_old_letter),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_book),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
