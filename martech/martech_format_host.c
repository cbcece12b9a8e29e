
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Host names of RFC 1123, and those in any script (RFC 5890).  A label that
 * begins with "xn--" is decoded (RFC 3492), and what it stands for is held
 * against the same rules.
 */


#include <string.h>

#include "martech_format_private.h"


#define MARTECH_FORMAT_HOST_MAX   253
#define MARTECH_FORMAT_LABEL_MAX  63


static int martech_format_host(const unsigned char *data, size_t len, int idn);
static int martech_format_host_plain(const unsigned char *data, size_t len);
static int martech_format_host_label(const uint32_t *cp, size_t count,
    int idn);
static int martech_format_ascii_label(const uint32_t *cp, size_t count);
static size_t martech_format_punycode_size(const uint32_t *cp, size_t count);
static size_t martech_format_punycode(const uint32_t *in, size_t len,
    uint32_t *out, size_t max);
static uint32_t martech_format_adapt(uint32_t delta, uint32_t points,
    int first);


int
martech_format_hostname(const unsigned char *data, size_t len)
{
    return martech_format_host(data, len, 0);
}


int
martech_format_idn_hostname(const unsigned char *data, size_t len)
{
    return martech_format_host(data, len, 1);
}


static int
martech_format_host(const unsigned char *data, size_t len, int idn)
{
    size_t                count, total;
    uint32_t              cp, label[MARTECH_FORMAT_LABEL_MAX + 1];
    const unsigned char  *p, *end;

    if (martech_format_host_plain(data, len)) {
        return 1;
    }

    p = data;
    end = data + len;
    count = 0;
    total = 0;

    while (p < end) {
        cp = (*p < 0x80) ? *p++ : martech_format_take(&p, end);

        if (cp >= 0x80 && !idn) {
            return 0;
        }

        /* the dot, and in any script the three that stand for it */

        if (cp == '.' || cp == 0x3002 || cp == 0xff0e || cp == 0xff61) {
            if (!martech_format_host_label(label, count, idn)) {
                return 0;
            }

            count = 0;

        } else if (count == MARTECH_FORMAT_LABEL_MAX) {
            return 0;

        } else {
            label[count++] = cp;
        }

        if (++total > MARTECH_FORMAT_HOST_MAX) {
            return 0;
        }
    }

    return martech_format_host_label(label, count, idn);
}


/*
 * 1 if a name is right at first sight: letters, digits and dashes, and no
 * label that might be Punycode.
 */
static int
martech_format_host_plain(const unsigned char *data, size_t len)
{
    size_t  i, from;

    if (len == 0 || len > MARTECH_FORMAT_HOST_MAX) {
        return 0;
    }

    for (i = 0; /* void */ ; i++) {
        from = i;

        while (i < len && (martech_format_is_alpha(data[i])
                           || martech_format_is_digit(data[i])
                           || data[i] == '-'))
        {
            i++;
        }

        if (i == from || i - from > MARTECH_FORMAT_LABEL_MAX
            || data[from] == '-' || data[i - 1] == '-'
            || (i - from >= 4 && data[from + 2] == '-'
                && data[from + 3] == '-'))
        {
            return 0;
        }

        if (i == len) {
            return 1;
        }

        if (data[i] != '.') {
            return 0;
        }
    }
}


static int
martech_format_host_label(const uint32_t *cp, size_t count, int idn)
{
    size_t    i, n;
    uint32_t  decoded[MARTECH_FORMAT_LABEL_MAX];

    if (count == 0 || cp[0] == '-' || cp[count - 1] == '-') {
        return 0;
    }

    for (i = 0; i < count && cp[i] < 0x80; i++) {
        /* void */
    }

    if (i < count) {
        return idn && martech_format_label(cp, count)
               && martech_format_punycode_size(cp, count) + 4
                  <= MARTECH_FORMAT_LABEL_MAX;
    }

    if (!martech_format_ascii_label(cp, count)) {
        return 0;
    }

    if (count < 4 || cp[2] != '-' || cp[3] != '-') {
        return 1;
    }

    if ((cp[0] | 0x20) != 'x' || (cp[1] | 0x20) != 'n') {
        return 0;
    }

    n = martech_format_punycode(cp + 4, count - 4, decoded,
                                MARTECH_FORMAT_LABEL_MAX);

    return n != 0 && martech_format_label(decoded, n);
}


static int
martech_format_ascii_label(const uint32_t *cp, size_t count)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (cp[i] != '-' && !martech_format_is_alpha((unsigned char) cp[i])
            && !martech_format_is_digit((unsigned char) cp[i]))
        {
            return 0;
        }
    }

    return 1;
}


/* A label's characters; 0 if it is no Punycode of one beyond ASCII. */
static size_t
martech_format_punycode(const uint32_t *in, size_t len, uint32_t *out,
    size_t max)
{
    size_t    i, count;
    uint32_t  n, at, old, weight, k, digit, least, bias;

    count = 0;
    i = 0;

    for (k = (uint32_t) len; k > 0; k--) {
        if (in[k - 1] == '-') {
            for (count = 0; count < k - 1; count++) {
                out[count] = in[count];
            }

            i = k;
            break;
        }
    }

    n = 0x80;
    at = 0;
    bias = 72;

    if (i == len) {
        return 0;
    }

    while (i < len) {
        old = at;
        weight = 1;

        for (k = 36; ; k += 36) {
            if (i == len) {
                return 0;
            }

            digit = martech_format_is_digit((unsigned char) in[i])
                    ? in[i] - '0' + 26 : (in[i] | 0x20) - 'a';
            i++;

            if (digit >= 36 || digit > (UINT32_MAX - at) / weight) {
                return 0;
            }

            at += digit * weight;
            least = (k <= bias) ? 1 : (k >= bias + 26) ? 26 : k - bias;

            if (digit < least) {
                break;
            }

            if (weight > UINT32_MAX / (36 - least)) {
                return 0;
            }

            weight *= 36 - least;
        }

        if (count == max) {
            return 0;
        }

        count++;
        bias = martech_format_adapt(at - old, (uint32_t) count, old == 0);

        if (at / count > 0x10ffff - n) {
            return 0;
        }

        n += (uint32_t) (at / count);
        at %= (uint32_t) count;

        memmove(out + at + 1, out + at,
                (count - 1 - at) * sizeof(uint32_t));
        out[at++] = n;
    }

    return count;
}


static uint32_t
martech_format_adapt(uint32_t delta, uint32_t points, int first)
{
    uint32_t  k;

    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;

    for (k = 0; delta > 35 * 26 / 2; k += 36) {
        delta /= 35;
    }

    return k + 36 * delta / (delta + 38);
}


/* How long a label of valid characters is in Punycode. */
static size_t
martech_format_punycode_size(const uint32_t *cp, size_t count)
{
    size_t    i, basic, done, size;
    uint32_t  n, next, delta, bias, k, q, least;

    basic = 0;

    for (i = 0; i < count; i++) {
        basic += cp[i] < 0x80;
    }

    size = basic + (basic != 0);
    done = basic;
    n = 0x80;
    delta = 0;
    bias = 72;

    while (done < count) {
        next = UINT32_MAX;

        for (i = 0; i < count; i++) {
            if (cp[i] >= n && cp[i] < next) {
                next = cp[i];
            }
        }

        delta += (next - n) * (uint32_t) (done + 1);
        n = next;

        for (i = 0; i < count; i++) {
            delta += cp[i] < n;

            if (cp[i] != n) {
                continue;
            }

            for (k = 36, q = delta; ; k += 36) {
                least = (k <= bias) ? 1 : (k >= bias + 26) ? 26 : k - bias;
                size++;

                if (q < least) {
                    break;
                }

                q = (q - least) / (36 - least);
            }

            bias = martech_format_adapt(delta, (uint32_t) done + 1,
                                        done == basic);
            delta = 0;
            done++;
        }

        delta++;
        n++;
    }

    return size;
}
