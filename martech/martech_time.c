
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * RFC 3339 time stamps.  Days are counted with March as the first month, so
 * that the leap day is the last day of its year and needs no special case.
 */


#include <string.h>

#include "martech_time.h"


#define MARTECH_TIME_MS_MAX  253402300799999LL   /* 9999-12-31T23:59:59.999Z */
#define MARTECH_TIME_DAY_MS  86400000LL


static int64_t martech_time_days(int year, int month, int day);
static int martech_time_date(const unsigned char *p, int64_t *days);
static const unsigned char *martech_time_fraction(const unsigned char *p,
    const unsigned char *end, int *ms);
static const unsigned char *martech_time_zone(const unsigned char *p,
    const unsigned char *end, int *minutes);


/* The number in two digits, or -1. */

static inline int
martech_time_number(const unsigned char *p)
{
    unsigned  tens, ones;

    tens = (unsigned) p[0] - '0';
    ones = (unsigned) p[1] - '0';

    return (tens > 9 || ones > 9) ? -1 : (int) (tens * 10 + ones);
}


martech_rc_t
martech_time_parse(const unsigned char *text, size_t len, int64_t *ms)
{
    int                   hour, minute, second, fraction, zone;
    int64_t               days, value;
    const unsigned char  *p, *end;

    if (len < 19 || len > 64) {
        return MARTECH_JSON_INVALID;
    }

    p = text;
    end = text + len;

    if (!martech_time_date(p, &days)
        || (p[10] != 'T' && p[10] != 't' && p[10] != ' ')
        || p[13] != ':' || p[16] != ':')
    {
        return MARTECH_JSON_INVALID;
    }

    hour = martech_time_number(p + 11);
    minute = martech_time_number(p + 14);
    second = martech_time_number(p + 17);

    /* 60 is a leap second */

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59
        || second < 0 || second > 60)
    {
        return MARTECH_JSON_INVALID;
    }

    p = martech_time_fraction(p + 19, end, &fraction);

    if (p == NULL) {
        return MARTECH_JSON_INVALID;
    }

    p = martech_time_zone(p, end, &zone);

    if (p != end) {
        return MARTECH_JSON_INVALID;
    }

    value = days * MARTECH_TIME_DAY_MS
            + ((hour * 60 + minute - zone) * 60 + second) * 1000LL + fraction;

    if (value < 0 || value > MARTECH_TIME_MS_MAX) {
        return MARTECH_JSON_INVALID;
    }

    *ms = value;

    return MARTECH_OK;
}


static int
martech_time_date(const unsigned char *p, int64_t *days)
{
    int                   century, year, month, day, last;
    static const uint8_t  month_days[] = { 31, 28, 31, 30, 31, 30,
                                           31, 31, 30, 31, 30, 31 };

    century = martech_time_number(p);
    year = martech_time_number(p + 2);
    month = martech_time_number(p + 5);
    day = martech_time_number(p + 8);

    if (century < 0 || year < 0 || p[4] != '-' || p[7] != '-'
        || month < 1 || month > 12)
    {
        return 0;
    }

    year += century * 100;
    last = month_days[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last = 29;
    }

    if (day < 1 || day > last) {
        return 0;
    }

    *days = martech_time_days(year, month, day);

    return 1;
}


/* Reads an optional fraction; digits behind the third are cut off. */

static const unsigned char *
martech_time_fraction(const unsigned char *p, const unsigned char *end,
    int *ms)
{
    int                   scale;
    const unsigned char  *start;

    *ms = 0;

    if (p == end || (*p != '.' && *p != ',')) {
        return p;
    }

    start = ++p;

    for (scale = 100; p < end && *p >= '0' && *p <= '9'; p++) {
        *ms += (*p - '0') * scale;
        scale /= 10;
    }

    return (p == start) ? NULL : p;
}


/* Reads an optional zone; returns NULL if it is not one. */

static const unsigned char *
martech_time_zone(const unsigned char *p, const unsigned char *end,
    int *minutes)
{
    int  hour, minute;

    *minutes = 0;

    if (p == end) {
        return p;
    }

    if (*p == 'Z' || *p == 'z') {
        return p + 1;
    }

    if ((*p != '+' && *p != '-') || end - p < 5) {
        return NULL;
    }

    if (p[3] == ':' && end - p < 6) {
        return NULL;
    }

    hour = martech_time_number(p + 1);
    minute = martech_time_number(p + ((p[3] == ':') ? 4 : 3));

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) {
        return NULL;
    }

    *minutes = hour * 60 + minute;

    if (*p == '-') {
        *minutes = -*minutes;
    }

    return p + ((p[3] == ':') ? 6 : 5);
}


static int64_t
martech_time_days(int year, int month, int day)
{
    if (month < 3) {
        year--;
        month += 12;
    }

    /* 719469 days lie between 0000-03-01, day 1, and 1970-01-01 */

    return 365LL * year + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 719469;
}


static inline void
martech_time_put2(unsigned char *out, int value)
{
    static const char  pairs[] =
        "00010203040506070809" "10111213141516171819"
        "20212223242526272829" "30313233343536373839"
        "40414243444546474849" "50515253545556575859"
        "60616263646566676869" "70717273747576777879"
        "80818283848586878889" "90919293949596979899";

    memcpy(out, pairs + 2 * value, 2);
}


void
martech_time_format(unsigned char *out, int64_t ms)
{
    int       year, month, day, era_day, era_year, second;
    uint32_t  days;

    if (ms < 0) {
        ms = 0;
    }

    if (ms > MARTECH_TIME_MS_MAX) {
        ms = MARTECH_TIME_MS_MAX;
    }

    days = (uint32_t) (ms / MARTECH_TIME_DAY_MS) + 719468;
    ms %= MARTECH_TIME_DAY_MS;

    /* an era has 400 years, 146097 days */

    era_day = (int) (days % 146097);
    era_year = (era_day - era_day / 1460 + era_day / 36524
                - era_day / 146096) / 365;

    day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    month = (5 * day + 2) / 153;
    year = (int) (days / 146097) * 400 + era_year;

    day = day - (153 * month + 2) / 5 + 1;
    month += 3;

    if (month > 12) {
        month -= 12;
        year++;
    }

    second = (int) (ms / 1000);
    ms %= 1000;

    memcpy(out, "0000-00-00T00:00:00.000Z", MARTECH_TIME_LEN);

    martech_time_put2(out, year / 100);
    martech_time_put2(out + 2, year % 100);
    martech_time_put2(out + 5, month);
    martech_time_put2(out + 8, day);
    martech_time_put2(out + 11, second / 3600);
    martech_time_put2(out + 14, second / 60 % 60);
    martech_time_put2(out + 17, second % 60);
    martech_time_put2(out + 20, (int) ms / 10);
    out[22] = (unsigned char) ('0' + ms % 10);
}
