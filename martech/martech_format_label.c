
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A label of a host name in any script, after RFC 5891 and 5892: where it
 * may have hyphens and marks, which characters it may not have, and those
 * that need others beside them.
 *
 * Kept small on purpose: characters are refused by ranges of punctuation,
 * symbols and the like, not one by one, and the rule for names that mix
 * directions of writing (RFC 5893) is left out.
 */


#include "martech_format_private.h"


typedef struct {
    uint32_t  from, to;
} martech_format_range_t;


/* what may not stand in a label */
static const martech_format_range_t  martech_format_refused[] = {
    { 0x00, 0x2c }, { 0x2e, 0x2f }, { 0x3a, 0x40 }, { 0x5b, 0x60 },
    { 0x7b, 0xb6 }, { 0xb8, 0xbf }, { 0xd7, 0xd7 }, { 0xf7, 0xf7 },
    { 0x2c2, 0x2c5 }, { 0x2d2, 0x2eb }, { 0x37e, 0x37e }, { 0x387, 0x387 },
    { 0x488, 0x489 }, { 0x589, 0x58f }, { 0x5be, 0x5be }, { 0x600, 0x60f },
    { 0x61b, 0x61f }, { 0x640, 0x640 }, { 0x66a, 0x66d }, { 0x7fa, 0x7fa },
    { 0x1680, 0x1680 }, { 0x2000, 0x200b }, { 0x200e, 0x214d },
    { 0x214f, 0x2183 }, { 0x2185, 0x2bff }, { 0x2e00, 0x2e2e },
    { 0x2e30, 0x3004 }, { 0x3008, 0x3029 }, { 0x302e, 0x303b },
    { 0x303d, 0x3040 }, { 0x309b, 0x309c }, { 0x30a0, 0x30a0 },
    { 0x3130, 0x319f }, { 0x3200, 0x33ff }, { 0x4dc0, 0x4dff },
    { 0xd800, 0xfa0d }, { 0xfb00, 0xfb1d }, { 0xfb1f, 0xfe1f },
    { 0xfe30, 0xfe72 }, { 0xfe74, 0xffff }, { 0x1d000, 0x1d7ff },
    { 0x1f000, 0x1fbff }, { 0xe0000, UINT32_MAX },
};

/* marks of common scripts, which may not begin a label */
static const martech_format_range_t  martech_format_marks[] = {
    { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x5bf, 0x5bf },
    { 0x5c1, 0x5c2 }, { 0x5c4, 0x5c5 }, { 0x5c7, 0x5c7 }, { 0x610, 0x61a },
    { 0x64b, 0x65f }, { 0x670, 0x670 }, { 0x6d6, 0x6dc }, { 0x6df, 0x6e4 },
    { 0x6e7, 0x6e8 }, { 0x6ea, 0x6ed }, { 0x711, 0x711 }, { 0x730, 0x74a },
    { 0x7a6, 0x7b0 }, { 0x7eb, 0x7f3 }, { 0x816, 0x819 }, { 0x8d3, 0x903 },
    { 0x93a, 0x93c }, { 0x93e, 0x94f }, { 0x951, 0x957 }, { 0x962, 0x963 },
    { 0x981, 0x983 }, { 0x9bc, 0x9bc }, { 0x9be, 0x9cd }, { 0xa01, 0xa03 },
    { 0xa3c, 0xa51 }, { 0xa70, 0xa71 }, { 0xa81, 0xa83 }, { 0xabc, 0xabc },
    { 0xabe, 0xacd }, { 0xb01, 0xb03 }, { 0xb3c, 0xb3c }, { 0xb3e, 0xb57 },
    { 0xb82, 0xb82 }, { 0xbbe, 0xbcd }, { 0xc00, 0xc04 }, { 0xc3e, 0xc56 },
    { 0xc81, 0xc83 }, { 0xcbc, 0xcbc }, { 0xcbe, 0xcd6 }, { 0xd00, 0xd03 },
    { 0xd3b, 0xd3c }, { 0xd3e, 0xd4d }, { 0xd82, 0xd83 }, { 0xdca, 0xddf },
    { 0xe31, 0xe31 }, { 0xe34, 0xe3a }, { 0xe47, 0xe4e }, { 0xeb1, 0xeb1 },
    { 0xeb4, 0xebc }, { 0xec8, 0xece }, { 0xf18, 0xf19 }, { 0xf35, 0xf35 },
    { 0xf71, 0xf84 }, { 0x102b, 0x103e }, { 0x135d, 0x135f },
    { 0x17b4, 0x17d3 }, { 0x180b, 0x180d }, { 0x1ab0, 0x1ace },
    { 0x1b00, 0x1b04 }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20f0 },
    { 0x2cef, 0x2cf1 }, { 0x302a, 0x302f }, { 0x3099, 0x309a },
    { 0xa66f, 0xa672 }, { 0xa69e, 0xa69f }, { 0xfe20, 0xfe2f },
};

/* signs that take the vowel away, in front of which joiners make sense */
static const uint32_t  martech_format_viramas[] = {
    0x94d, 0x9cd, 0xa4d, 0xacd, 0xb4d, 0xbcd, 0xc4d, 0xccd, 0xd3b, 0xd3c,
    0xd4d, 0xdca, 0xe3a, 0xeba, 0xf84, 0x1039, 0x103a, 0x1714, 0x17d2
};


static int martech_format_in(const martech_format_range_t *ranges,
    size_t count, uint32_t cp);
static int martech_format_context(const uint32_t *cp, size_t count, size_t i);
static int martech_format_is_kana(uint32_t cp);
static int martech_format_has(const uint32_t *cp, size_t count, uint32_t from,
    uint32_t to);


int
martech_format_label(const uint32_t *cp, size_t count)
{
    size_t  i;

    if (count > 3 && cp[2] == '-' && cp[3] == '-') {
        return 0;
    }

    if (cp[0] == '-' || cp[count - 1] == '-'
        || martech_format_in(martech_format_marks,
                             sizeof(martech_format_marks)
                             / sizeof(martech_format_range_t), cp[0]))
    {
        return 0;
    }

    for (i = 0; i < count; i++) {
        if (martech_format_in(martech_format_refused,
                              sizeof(martech_format_refused)
                              / sizeof(martech_format_range_t), cp[i])
            || !martech_format_context(cp, count, i))
        {
            return 0;
        }
    }

    return 1;
}


static int
martech_format_in(const martech_format_range_t *ranges, size_t count,
    uint32_t cp)
{
    size_t  i;

    for (i = 0; i < count && ranges[i].from <= cp; i++) {
        if (cp <= ranges[i].to) {
            return 1;
        }
    }

    return 0;
}


/* The rules of RFC 5892, appendix A. */
static int
martech_format_context(const uint32_t *cp, size_t count, size_t i)
{
    size_t    k;
    uint32_t  before, after;

    before = (i > 0) ? cp[i - 1] : 0;
    after = (i + 1 < count) ? cp[i + 1] : 0;

    switch (cp[i]) {

    case 0xb7:
        return before == 'l' && after == 'l';

    case 0x375:
        return (after >= 0x370 && after <= 0x3ff)
               || (after >= 0x1f00 && after <= 0x1fff);

    case 0x5f3:
    case 0x5f4:
        return before >= 0x591 && before <= 0x5f4;

    case 0x30fb:
        for (k = 0; k < count; k++) {
            if (martech_format_is_kana(cp[k])) {
                return 1;
            }
        }

        return 0;

    case 0x200c:
    case 0x200d:
        for (k = 0; k < sizeof(martech_format_viramas) / sizeof(uint32_t);
             k++)
        {
            if (before == martech_format_viramas[k]) {
                return 1;
            }
        }

        /* between letters that join, it keeps them apart */

        return cp[i] == 0x200c && before >= 0x620 && before <= 0x8ff
               && after >= 0x620 && after <= 0x8ff;

    default:
        break;
    }

    if (cp[i] >= 0x660 && cp[i] <= 0x669) {
        return !martech_format_has(cp, count, 0x6f0, 0x6f9);
    }

    return 1;
}


/* Hiragana, Katakana or Han */
static int
martech_format_is_kana(uint32_t cp)
{
    return (cp >= 0x3041 && cp <= 0x30ff && cp != 0x30fb)
           || cp == 0x3005 || cp == 0x3007
           || (cp >= 0x3400 && cp <= 0x9fff)
           || (cp >= 0x20000 && cp <= 0x3ffff);
}


static int
martech_format_has(const uint32_t *cp, size_t count, uint32_t from,
    uint32_t to)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (cp[i] >= from && cp[i] <= to) {
            return 1;
        }
    }

    return 0;
}
