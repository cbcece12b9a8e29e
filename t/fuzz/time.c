
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Time stamps: what is read lies in our years, agrees with the calendar of
 * the C library, and comes back the same when it is written and read again.
 */


#include <time.h>

#include "fuzz.h"

/* martech */
#include "martech_time.h"


#define FUZZ_MS_MAX  253402300799999LL      /* 9999-12-31T23:59:59.999Z */


static int
fuzz_digits(const uint8_t *p, int n)
{
    int  value;

    value = 0;

    while (n-- > 0) {
        fuzz_assert(*p >= '0' && *p <= '9');
        value = value * 10 + (*p++ - '0');
    }

    return value;
}


/* The same time from the digits of a text that was read, by timegm(). */
static int64_t
fuzz_reference(const uint8_t *p, size_t size)
{
    int             scale, sign;
    int64_t         ms;
    struct tm       tm;
    const uint8_t  *end;

    end = p + size;

    memset(&tm, 0, sizeof(struct tm));

    tm.tm_year = fuzz_digits(p, 4) - 1900;
    tm.tm_mon = fuzz_digits(p + 5, 2) - 1;
    tm.tm_mday = fuzz_digits(p + 8, 2);
    tm.tm_hour = fuzz_digits(p + 11, 2);
    tm.tm_min = fuzz_digits(p + 14, 2);
    tm.tm_sec = fuzz_digits(p + 17, 2);

    ms = (int64_t) timegm(&tm) * 1000;

    p += 19;

    if (p < end && (*p == '.' || *p == ',')) {
        p++;

        for (scale = 100; p < end && *p >= '0' && *p <= '9'; p++) {
            ms += (*p - '0') * scale;
            scale /= 10;
        }
    }

    if (p < end && (*p == '+' || *p == '-')) {
        sign = (*p == '+') ? -1 : 1;

        ms += sign * fuzz_digits(p + 1, 2) * 3600000LL;
        ms += sign * fuzz_digits(end - 2, 2) * 60000LL;
    }

    return ms;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t        ms, again;
    unsigned char  text[MARTECH_TIME_LEN];

    ms = 4711;

    if (martech_time_parse(data, size, &ms) != MARTECH_OK) {
        fuzz_assert(ms == 4711);
        return 0;
    }

    fuzz_assert(ms >= 0 && ms <= FUZZ_MS_MAX);
    fuzz_assert(ms == fuzz_reference(data, size));

    martech_time_format(text, ms);

    fuzz_assert(martech_time_parse(text, sizeof(text), &again) == MARTECH_OK);
    fuzz_assert(again == ms);

    return 0;
}
