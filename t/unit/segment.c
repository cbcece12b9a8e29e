
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of ngx_martech_module/ngx_http_martech_segment: the bytes of a head
 * and of a record, and the scan over what crashes, disks and forgers leave.
 */


#include "martech_test.h"

/* the module's part without NGINX */
#include "ngx_http_martech_segment.h"


#define TEST_SALT  0x1122334455667788ULL
#define TEST_ROOM  8192


/* Records one behind another, as they lie in a file. */
typedef struct {
    unsigned char  data[TEST_ROOM];
    size_t         len;
    uint64_t       seq;
} test_log_t;


/* What a scan found, in letters: r(ecord) d(amaged) e(nd) t(orn). */
typedef struct {
    char           found[64];
    uint64_t       seqs[64];
    size_t         records;
    uint64_t       skipped;             /* in all */
} test_found_t;


static size_t
test_payload(char *buf, const char *id, const char *event)
{
    return (size_t) sprintf(buf, "$%zu\r\n%s\r\n$3\r\nsrc\r\n$3\r\nweb\r\n"
                            "$1\r\ne\r\n$%zu\r\n%s\r\n",
                            strlen(id), id, strlen(event), event);
}


static void
test_add_raw(test_log_t *log, uint64_t salt, const void *payload, size_t len)
{
    size_t          size;
    unsigned char  *p;

    size = ngx_http_martech_segment_size(len);
    p = log->data + log->len;

    assert_true(log->len + size <= TEST_ROOM);

    ngx_http_martech_segment_frame_write(p, salt, ++log->seq, 7, payload, len);

    memcpy(p + NGX_HTTP_MARTECH_SEGMENT_FRAME, payload, len);
    memset(p + NGX_HTTP_MARTECH_SEGMENT_FRAME + len, 0,
           size - NGX_HTTP_MARTECH_SEGMENT_FRAME - len);

    log->len += size;
}


/* Adds count records whose lengths differ in their last three bits. */
static void
test_add(test_log_t *log, int count)
{
    char    payload[256], event[32];
    size_t  len;

    for ( /* void */ ; count > 0; count--) {
        sprintf(event, "{\"n\":\"%.*s\"}", (int) (log->seq % 8), "abcdefgh");
        len = test_payload(payload, "id", event);

        test_add_raw(log, TEST_SALT, payload, len);
    }
}


/*
 * Scans with windows that begin with piece bytes and grow as the scan asks,
 * each in a block of its own size.
 */
static void
test_scan(test_found_t *found, const test_log_t *log, size_t piece)
{
    size_t                              at, size, n;
    unsigned char                      *copy;
    const unsigned char                *pos;
    ngx_http_martech_segment_scan_t     scan;
    ngx_http_martech_segment_scan_e     rc;
    ngx_http_martech_segment_record_t   record;

    memset(found, 0, sizeof(test_found_t));
    ngx_http_martech_segment_scan_init(&scan, TEST_SALT);

    at = 0;
    n = 0;
    size = (piece < log->len) ? piece : log->len;

    do {
        copy = test_copy(log->data + at, size);
        pos = copy;

        rc = ngx_http_martech_segment_scan(&scan, &pos, copy + size,
                                           log->len - at - size, &record);
        at += (size_t) (pos - copy);
        size -= (size_t) (pos - copy);

        switch (rc) {

        case NGX_HTTP_MARTECH_SEGMENT_MORE:
            assert_true(scan.need > size && at + scan.need <= log->len);
            size = scan.need;
            break;

        case NGX_HTTP_MARTECH_SEGMENT_RECORD:
            assert_int_equal(record.hash, 7);
            assert_true(record.payload >= copy);
            found->seqs[found->records++] = record.seq;
            found->found[n++] = 'r';
            break;

        case NGX_HTTP_MARTECH_SEGMENT_DAMAGED:
            found->skipped += scan.skipped;
            found->found[n++] = 'd';
            break;

        default:
            found->skipped += scan.skipped;
            found->found[n++] = (rc == NGX_HTTP_MARTECH_SEGMENT_END) ? 'e'
                                                                     : 't';
            assert_int_equal(at, log->len);
        }

        free(copy);

        assert_true(n < sizeof(found->found));

    } while (rc != NGX_HTTP_MARTECH_SEGMENT_END
             && rc != NGX_HTTP_MARTECH_SEGMENT_TORN);
}


/* The same with windows of several sizes, which must not matter. */
static void
test_expect(const test_log_t *log, const char *want, uint64_t skipped)
{
    size_t                i;
    test_found_t          found;
    static const size_t   pieces[] = { 0, 8, 40, 104, TEST_ROOM };

    for (i = 0; i < test_count(pieces); i++) {
        test_scan(&found, log, pieces[i]);

        if (strcmp(found.found, want) != 0 || found.skipped != skipped) {
            test_fail("%zu: found \"%s\", %zu skipped", pieces[i], found.found,
                      (size_t) found.skipped);
        }
    }
}


static void
test_head(void **state)
{
    size_t                       i;
    unsigned char                buf[NGX_HTTP_MARTECH_SEGMENT_HEAD];
    ngx_http_martech_segment_t   segment, read;

    /* the bytes of docs/SPEC.md, written out */

    static const unsigned char   want[] = {
        0xfe, 'm', 't', 's', 'e', 'g', '\n', '\r',
        1, 0, 0, 0, 128, 0, 0, 0,
        0x15, 0xcd, 0x5b, 7, 0, 0, 0, 0,
        8, 7, 6, 5, 4, 3, 2, 1,
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80
    };

    (void) state;

    segment.id = 123456789;
    segment.created_ms = 0x0102030405060708ULL;
    segment.salt = TEST_SALT;
    segment.zone = 0x8070605040302010ULL;
    segment.progress = 0;

    ngx_http_martech_segment_head_write(buf, &segment);
    assert_memory_equal(buf, want, sizeof(want));

    assert_int_equal(ngx_http_martech_segment_head_read(&read, buf),
                     NGX_HTTP_MARTECH_SEGMENT_OK);
    assert_int_equal(read.id, segment.id);
    assert_int_equal(read.created_ms, segment.created_ms);
    assert_int_equal(read.salt, segment.salt);
    assert_int_equal(read.zone, segment.zone);
    assert_int_equal(read.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);

    for (i = 0; i < 52; i++) {
        buf[i] ^= 0x10;
        assert_int_equal(ngx_http_martech_segment_head_read(&read, buf),
                         (i >= 8 && i < 12) ? NGX_HTTP_MARTECH_SEGMENT_FOREIGN
                                            : NGX_HTTP_MARTECH_SEGMENT_BAD);
        buf[i] ^= 0x10;
    }

    /* a later version may use what is zero now, and check it elsewhere */

    buf[8] = 2;
    buf[48] ^= 1;
    assert_int_equal(ngx_http_martech_segment_head_read(&read, buf),
                     NGX_HTTP_MARTECH_SEGMENT_FOREIGN);
}


static void
test_progress(void **state)
{
    size_t                       i;
    unsigned char                buf[NGX_HTTP_MARTECH_SEGMENT_HEAD], *progress;
    ngx_http_martech_segment_t   segment;

    (void) state;

    memset(&segment, 0, sizeof(segment));
    segment.salt = TEST_SALT;

    ngx_http_martech_segment_head_write(buf, &segment);
    progress = buf + NGX_HTTP_MARTECH_SEGMENT_PROGRESS_AT;

    ngx_http_martech_segment_progress_write(progress, TEST_SALT, 0x123450);
    assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
    assert_int_equal(segment.progress, 0x123450);

    for (i = 0; i < NGX_HTTP_MARTECH_SEGMENT_PROGRESS; i++) {
        progress[i] ^= 0x08;
        assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
        assert_int_equal(segment.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);
        progress[i] ^= 0x08;
    }

    /* of another segment; not at a record; in the head; never written */

    ngx_http_martech_segment_progress_write(progress, TEST_SALT + 1, 256);
    assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
    assert_int_equal(segment.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);

    ngx_http_martech_segment_progress_write(progress, TEST_SALT, 257);
    assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
    assert_int_equal(segment.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);

    ngx_http_martech_segment_progress_write(progress, TEST_SALT, 64);
    assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
    assert_int_equal(segment.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);

    memset(progress, 0, NGX_HTTP_MARTECH_SEGMENT_PROGRESS);
    assert_int_equal(ngx_http_martech_segment_head_read(&segment, buf), 0);
    assert_int_equal(segment.progress, NGX_HTTP_MARTECH_SEGMENT_HEAD);
}


static void
test_frame(void **state)
{
    unsigned char               buf[NGX_HTTP_MARTECH_SEGMENT_FRAME];

    /* the checksum is that of python's zlib.crc32() over the same bytes */

    static const unsigned char  want[NGX_HTTP_MARTECH_SEGMENT_FRAME] = {
        0xff, 'm', 't', 'r', 5, 0, 0, 0,
        2, 1, 0, 0, 0, 0, 0, 0,
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
        0xff, 0x36, 0xa8, 0x17, 0, 0, 0, 0
    };

    (void) state;

    ngx_http_martech_segment_frame_write(buf, TEST_SALT, 0x102,
                                         0x0123456789abcdefULL,
                                         (const unsigned char *) "hello", 5);
    assert_memory_equal(buf, want, sizeof(want));

    assert_int_equal(ngx_http_martech_segment_size(0), 32);
    assert_int_equal(ngx_http_martech_segment_size(1), 40);
    assert_int_equal(ngx_http_martech_segment_size(8), 40);
    assert_int_equal(ngx_http_martech_segment_size(9), 48);
}


static void
test_payloads(void **state)
{
    size_t                i, len;
    char                  good[256];
    unsigned char        *copy;

    static const char     aside[] =
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\nq\r\n$2\r\n{}\r\n";
    static const char    *bad[] = {
        "",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n",
        "$1\r\na\r\n$3\r\nsrx\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\nf\r\n$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\nQ\r\n$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$2\r\nqe\r\n$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\nq\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\nq\r\n$2\r\n{}\r\n"
        "*1\r\n$8\r\nFLUSHALL\r\n",
        "$1\r\na\r\n$4\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$0\r\n\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$01\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$-1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$1\ra\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$1\r\nab\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        ":1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n"
        "*1\r\n$8\r\nFLUSHALL\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$3\r\n{}\r\n",
        "$18446744073709551617\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n"
        "$2\r\n{}\r\n",
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n"
        "$99999999999999999999999999\r\n{}\r\n",
    };

    (void) state;

    /* what looks like an end within a value does not end it */

    len = test_payload(good, "a\r\n$3", "{\"a\":\"\r\n*1\r\n\"}");
    copy = test_copy(good, len);
    assert_int_equal(ngx_http_martech_segment_payload_check(copy, len),
                     NGX_HTTP_MARTECH_SEGMENT_EVENT);
    free(copy);

    copy = test_copy(aside, sizeof(aside) - 1);
    assert_int_equal(ngx_http_martech_segment_payload_check(copy,
                                                            sizeof(aside) - 1),
                     NGX_HTTP_MARTECH_SEGMENT_QUARANTINE);
    free(copy);

    for (i = 0; i < len; i++) {
        copy = test_copy(good, i);
        assert_false(ngx_http_martech_segment_payload_check(copy, i));
        free(copy);
    }

    for (i = 0; i < test_count(bad); i++) {
        len = strlen(bad[i]);
        copy = test_copy(bad[i], len);

        if (ngx_http_martech_segment_payload_check(copy, len)) {
            test_fail("row %zu taken", i);
        }

        free(copy);
    }
}


static void
test_clean(void **state)
{
    test_log_t  log;

    (void) state;

    memset(&log, 0, sizeof(log));
    test_expect(&log, "e", 0);

    test_add(&log, 10);
    test_expect(&log, "rrrrrrrrrre", 0);

    /* reserved space behind, of any length */

    log.len += 1000;
    test_expect(&log, "rrrrrrrrrre", 1000);
    log.len += 3;
    test_expect(&log, "rrrrrrrrrre", 1003);
}


static void
test_torn(void **state)
{
    size_t      cut, before, whole;
    test_log_t  log, torn;

    (void) state;

    memset(&log, 0, sizeof(log));
    test_add(&log, 3);
    before = log.len;
    test_add(&log, 1);

    /* the padding may go, nothing else */

    for (whole = log.len; log.data[whole - 1] == 0; whole--) { /* void */ }

    assert_true(whole < log.len);

    for (cut = before; cut < log.len; cut++) {
        torn = log;
        torn.len = cut;

        if (cut == before) {
            test_expect(&torn, "rrre", 0);

        } else if (cut >= whole) {
            test_expect(&torn, "rrrre", 0);

        } else {
            test_expect(&torn, "rrrt", cut - before);
        }

        /* the rest of it is reserved space */

        torn.len = log.len + 64;
        memset(torn.data + cut, 0, torn.len - cut);

        if (cut == before) {
            test_expect(&torn, "rrre", log.len + 64 - before);

        } else if (cut >= whole) {
            test_expect(&torn, "rrrre", 64);

        } else {
            test_expect(&torn, "rrrt", log.len + 64 - before);
        }
    }
}


static void
test_flipped(void **state)
{
    size_t      i, first, second, padding;
    test_log_t  log, bad;

    (void) state;

    memset(&log, 0, sizeof(log));
    test_add(&log, 1);
    first = log.len;
    test_add(&log, 1);
    second = log.len;
    test_add(&log, 1);

    for (padding = second; log.data[padding - 1] == 0; padding--) {
        /* void */
    }

    for (i = first; i < second; i++) {
        bad = log;
        bad.data[i] ^= (unsigned char) (1 << i % 8);

        if (i < padding) {
            test_expect(&bad, "rdre", second - first);

        } else {
            test_expect(&bad, "rrre", 0);
        }
    }

    /* a page that was not written, and one that was */

    bad = log;
    memset(bad.data + first, 0, second - first);
    test_expect(&bad, "rdre", second - first);

    /* in the first record, in the last one */

    bad = log;
    bad.data[40] ^= 1;
    test_expect(&bad, "drre", first);

    bad = log;
    bad.data[second + 40] ^= 1;
    test_expect(&bad, "rrt", log.len - second);
}


static void
test_lengths(void **state)
{
    size_t                 i;
    unsigned               n;
    test_log_t             log;

    static const uint32_t  lengths[] = {
        0, 1, 0xffffffff, 0xffffffe0, 0x7fffffff, 0x80000000, 0x4000000,
        0x4000001, TEST_ROOM
    };

    (void) state;

    for (i = 0; i < test_count(lengths); i++) {
        memset(&log, 0, sizeof(log));
        test_add(&log, 2);

        for (n = 0; n < 4; n++) {
            log.data[4 + n] = (unsigned char) (lengths[i] >> 8 * n);
        }

        test_expect(&log, "dre", log.len / 2);
    }
}


static void
test_strangers(void **state)
{
    char        payload[256];
    size_t      len, at;
    test_log_t  log;

    static const char  smuggled[] =
        "$1\r\na\r\n$3\r\nsrc\r\n$1\r\nw\r\n$1\r\ne\r\n$2\r\n{}\r\n"
        "*1\r\n$8\r\nFLUSHALL\r\n";

    (void) state;

    len = test_payload(payload, "x", "{}");

    /* a block of another segment behind our end, and between our records */

    memset(&log, 0, sizeof(log));
    test_add(&log, 1);
    at = log.len;
    test_add_raw(&log, TEST_SALT + 1, payload, len);
    test_expect(&log, "rt", log.len - at);

    at = log.len - at;
    test_add(&log, 1);
    test_expect(&log, "rdre", at);

    /* our own record once more, and one of a lower number */

    memset(&log, 0, sizeof(log));
    test_add(&log, 2);
    at = log.len;
    log.seq--;
    test_add_raw(&log, TEST_SALT, payload, len);
    test_expect(&log, "rrt", log.len - at);

    at = log.len - at;
    log.seq = 99;
    test_add_raw(&log, TEST_SALT, payload, len);
    test_expect(&log, "rrdre", at);

    /* all is right but what Redis would be told */

    memset(&log, 0, sizeof(log));
    test_add_raw(&log, TEST_SALT, smuggled, sizeof(smuggled) - 1);
    at = log.len;
    test_expect(&log, "t", at);
    test_add(&log, 1);
    test_expect(&log, "dre", at);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
