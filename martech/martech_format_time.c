
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dates and times of RFC 3339, strictly: the parser of the event model
 * (martech_time) reads more than these.
 */


#include "martech_format_private.h"


static int martech_format_number(const unsigned char *p, size_t digits);
static size_t martech_format_full_date(const unsigned char *data, size_t len);
static size_t martech_format_elements(const unsigned char *data, size_t len,
    const char *units, unsigned *count);


int
martech_format_date_time(const unsigned char *data, size_t len)
{
    if (martech_format_full_date(data, len) == 0 || len < 11
        || (data[10] | 0x20) != 't')
    {
        return 0;
    }

    return martech_format_time(data + 11, len - 11);
}


int
martech_format_date(const unsigned char *data, size_t len)
{
    return martech_format_full_date(data, len) == len && len != 0;
}


/* The length of a date in front, or 0. */
static size_t
martech_format_full_date(const unsigned char *data, size_t len)
{
    int                         year, month, day, leap;
    static const unsigned char  days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
                                           31, 30, 31 };

    if (len < 10 || data[4] != '-' || data[7] != '-') {
        return 0;
    }

    year = martech_format_number(data, 4);
    month = martech_format_number(data + 5, 2);
    day = martech_format_number(data + 8, 2);

    if (year < 0 || month < 1 || month > 12 || day < 1) {
        return 0;
    }

    leap = (month == 2 && year % 4 == 0
            && (year % 100 != 0 || year % 400 == 0));

    return day <= days[month - 1] + leap ? 10 : 0;
}


/* "hh:mm:ss", a fraction, and "Z" or an offset */
int
martech_format_time(const unsigned char *data, size_t len)
{
    int     hour, minute, second, offset, h, m;
    size_t  i;

    if (len < 9 || data[2] != ':' || data[5] != ':') {
        return 0;
    }

    hour = martech_format_number(data, 2);
    minute = martech_format_number(data + 3, 2);
    second = martech_format_number(data + 6, 2);

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
        || second > 60)
    {
        return 0;
    }

    i = 8;

    if (data[i] == '.') {
        for (i++; i < len && martech_format_is_digit(data[i]); i++) {
            /* void */
        }

        if (i == 9) {
            return 0;
        }
    }

    offset = 0;

    if (len - i == 1 && (data[i] | 0x20) == 'z') {
        offset = 0;

    } else if (len - i == 6 && (data[i] == '+' || data[i] == '-')
               && data[i + 3] == ':')
    {
        h = martech_format_number(data + i + 1, 2);
        m = martech_format_number(data + i + 4, 2);

        if (h < 0 || h > 23 || m < 0 || m > 59) {
            return 0;
        }

        offset = (data[i] == '+') ? h * 60 + m : -(h * 60 + m);

    } else {
        return 0;
    }

    /* a leap second is the last of a day in UTC */

    return second < 60
           || (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439;
}


/*
 * "P1Y2M3DT4H5M6S" with any of its elements, at least one, or "P1W".  The
 * grammar of RFC 3339 wants no gap between them, as in "P1Y3D"; ISO 8601
 * allows it, and so do we.
 */
int
martech_format_duration(const unsigned char *data, size_t len)
{
    size_t    i;
    unsigned  dates, times;

    if (len < 3 || data[0] != 'P') {
        return 0;
    }

    i = 1 + martech_format_elements(data + 1, len - 1, "W", &dates);

    if (dates != 0) {
        return i == len;
    }

    i = 1 + martech_format_elements(data + 1, len - 1, "YMD", &dates);

    if (i == len) {
        return dates != 0;
    }

    if (data[i] != 'T') {
        return 0;
    }

    i++;
    i += martech_format_elements(data + i, len - i, "HMS", &times);

    return i == len && times != 0;
}


/* The length of numbers with their units, which stand in this order. */
static size_t
martech_format_elements(const unsigned char *data, size_t len,
    const char *units, unsigned *count)
{
    size_t  i, done;

    *count = 0;
    done = 0;

    while (*units != '\0') {
        for (i = done; i < len && martech_format_is_digit(data[i]); i++) {
            /* void */
        }

        if (i == done || i == len) {
            break;
        }

        while (*units != '\0' && *units != (char) data[i]) {
            units++;
        }

        if (*units != '\0') {
            done = i + 1;
            units++;
            (*count)++;
        }
    }

    return done;
}


/* A number of so many digits, or -1. */
static int
martech_format_number(const unsigned char *p, size_t digits)
{
    int  value;

    value = 0;

    while (digits-- > 0) {
        if (!martech_format_is_digit(*p)) {
            return -1;
        }

        value = value * 10 + (*p++ - '0');
    }

    return value;
}
