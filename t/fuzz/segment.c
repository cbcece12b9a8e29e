
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A segment of the spool: whatever the bytes are, the scan comes to the end,
 * gives no record that does not stand there whole and right, loses no byte,
 * and does the same whatever the windows are.
 *
 * Each input is scanned as it is, and once more with the checksums put right,
 * so that lengths and payloads are tried behind them, too.
 */


#include "fuzz.h"

/* libraries */
#include <zlib.h>

/* the module's part without NGINX */
#include "ngx_http_martech_segment.h"


#define FUZZ_SALT  0x5a17ULL


typedef struct {
    uint64_t  records;
    uint64_t  skipped;
    uint64_t  hash;                     /* of all results in their order */
} fuzz_run_t;


static uint64_t
fuzz_number(const unsigned char *p, int n)
{
    uint64_t  number;

    for (number = 0; n > 0; n--) {
        number = number << 8 | p[n - 1];
    }

    return number;
}


/* The checksum as the page says, not as the code does. */
static uint32_t
fuzz_crc(const unsigned char *frame, size_t len)
{
    int            i;
    uLong          crc;
    unsigned char  salt[8];

    for (i = 0; i < 8; i++) {
        salt[i] = (unsigned char) (FUZZ_SALT >> 8 * i);
    }

    crc = crc32(0, salt, 8);
    crc = crc32(crc, frame, 24);

    return (uint32_t) crc32(crc, frame + 32, (uInt) len);
}


static void
fuzz_record(const ngx_http_martech_segment_record_t *record,
    const unsigned char *at, const unsigned char *end, uint64_t seq)
{
    fuzz_assert(record->payload == at + 32);
    fuzz_assert(record->len <= (size_t) (end - record->payload));
    fuzz_assert(record->size % 8 == 0 && record->size >= record->len + 32);
    fuzz_assert(record->size < record->len + 40);
    fuzz_assert(record->seq > seq);

    fuzz_assert(memcmp(at, "\xffmtr", 4) == 0);
    fuzz_assert(fuzz_number(at + 4, 4) == record->len);
    fuzz_assert(fuzz_number(at + 8, 8) == record->seq);
    fuzz_assert(fuzz_number(at + 16, 8) == record->hash);
    fuzz_assert(fuzz_number(at + 24, 4) == fuzz_crc(at, record->len));
    fuzz_assert(fuzz_number(at + 28, 4) == 0);

    fuzz_assert(ngx_http_martech_segment_payload_check(record->payload,
                                                       record->len));
}


static void
fuzz_note(fuzz_run_t *run, uint64_t found, uint64_t at)
{
    run->hash = (run->hash ^ found) * 1099511628211ULL;
    run->hash = (run->hash ^ at) * 1099511628211ULL;
}


static void
fuzz_scan(fuzz_run_t *run, const uint8_t *data, size_t size, size_t piece)
{
    size_t                              at, window, moved;
    uint64_t                            seq, passed;
    uint8_t                            *copy;
    const unsigned char                *pos, *end;
    ngx_http_martech_segment_scan_t     scan;
    ngx_http_martech_segment_scan_e     rc;
    ngx_http_martech_segment_record_t   record;

    memset(run, 0, sizeof(fuzz_run_t));
    ngx_http_martech_segment_scan_init(&scan, FUZZ_SALT);

    at = 0;
    seq = 0;
    passed = 0;
    window = (piece < size) ? piece : size;

    do {
        copy = fuzz_copy(data + at, window);
        pos = copy;
        end = copy + window;

        rc = ngx_http_martech_segment_scan(&scan, &pos, end,
                                           size - at - window, &record);

        fuzz_assert(pos >= copy && pos <= end);

        moved = (size_t) (pos - copy);
        at += moved;
        window -= moved;

        if (rc != NGX_HTTP_MARTECH_SEGMENT_MORE) {
            fuzz_note(run, rc, at);
        }

        switch (rc) {

        case NGX_HTTP_MARTECH_SEGMENT_MORE:
            fuzz_assert(scan.need > window && scan.need <= size - at);
            window = scan.need;
            break;

        case NGX_HTTP_MARTECH_SEGMENT_RECORD:
            fuzz_record(&record, copy, end, seq);
            seq = record.seq;
            passed += moved;
            run->records++;
            break;

        case NGX_HTTP_MARTECH_SEGMENT_DAMAGED:
            fuzz_assert(scan.skipped > 0);
            /* fall through */

        default:
            run->skipped += scan.skipped;
            passed += scan.skipped;
            fuzz_assert(passed == at);
        }

        free(copy);

    } while (rc != NGX_HTTP_MARTECH_SEGMENT_END
             && rc != NGX_HTTP_MARTECH_SEGMENT_TORN);

    fuzz_assert(at == size);
}


/* Gives each place that looks like a frame the checksum it should have. */
static void
fuzz_repair(uint8_t *data, size_t size)
{
    size_t    at;
    uint32_t  crc;
    uint64_t  len;

    for (at = 0; at + 32 <= size; at += 8) {

        if (memcmp(data + at, "\xffmtr", 4) != 0) {
            continue;
        }

        len = fuzz_number(data + at + 4, 4);

        if (len <= size - at - 32) {
            crc = fuzz_crc(data + at, (size_t) len);

            data[at + 24] = (uint8_t) crc;
            data[at + 25] = (uint8_t) (crc >> 8);
            data[at + 26] = (uint8_t) (crc >> 16);
            data[at + 27] = (uint8_t) (crc >> 24);

            memset(data + at + 28, 0, 4);
        }
    }
}


static void
fuzz_both(const uint8_t *data, size_t size, size_t piece)
{
    fuzz_run_t  whole, split;

    fuzz_scan(&whole, data, size, size);
    fuzz_scan(&split, data, size, piece);

    fuzz_assert(whole.records == split.records);
    fuzz_assert(whole.skipped == split.skipped);
    fuzz_assert(whole.hash == split.hash);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t                     *copy, head[NGX_HTTP_MARTECH_SEGMENT_HEAD];
    ngx_http_martech_segment_t   segment;

    if (size < 1) {
        return 0;
    }

    memset(head, 0, sizeof(head));
    memcpy(head, data, (size < sizeof(head)) ? size : sizeof(head));

    if (ngx_http_martech_segment_head_read(&segment, head)
        == NGX_HTTP_MARTECH_SEGMENT_OK)
    {
        fuzz_assert(segment.progress >= NGX_HTTP_MARTECH_SEGMENT_HEAD);
        fuzz_assert(segment.progress % NGX_HTTP_MARTECH_SEGMENT_ALIGN == 0);
    }

    copy = fuzz_copy(data + 1, size - 1);

    fuzz_both(copy, size - 1, data[0]);
    fuzz_repair(copy, size - 1);
    fuzz_both(copy, size - 1, data[0]);

    free(copy);

    return 0;
}
