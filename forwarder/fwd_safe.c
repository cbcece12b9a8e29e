
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Addresses.  Every address is looked at as one of 128 bits; IPv4 is
 * ::ffff:a.b.c.d there, so one table serves both.
 *
 * The table follows the special-purpose registries of IANA (RFC 6890 and the
 * registries it began), as read in 2026: what is not globally reachable is
 * refused.
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "fwd_safe.h"


/* A prefix of 128 bits, as two numbers: nothing is parsed for a request. */
typedef struct {
    uint64_t              high;
    uint64_t              low;
    unsigned              bits;
    const char           *why;
} fwd_safe_row_t;

#define FWD_SAFE_COUNT(rows)  (sizeof(rows) / sizeof((rows)[0]))

#define FWD_SAFE_V4(a, b, c, d, bits, why)                                    \
    { 0, 0xffff00000000 | (uint64_t) (a) << 24 | (b) << 16 | (c) << 8 | (d),  \
      (bits) + 96, why }


static const char *fwd_safe_judge(const fwd_safe_t *safe,
    const unsigned char *a);
static const char *fwd_safe_look(const fwd_safe_t *safe,
    const unsigned char *a, int *own);
static const char *fwd_safe_row(const unsigned char *a,
    const fwd_safe_row_t *rows, size_t count);
static size_t fwd_safe_inner(unsigned char (*inner)[16],
    const unsigned char *a);
static void fwd_safe_inner4(unsigned char *inner, const unsigned char *a,
    unsigned char flip);
static int fwd_safe_reserved(const unsigned char *a);
static int fwd_safe_in(const unsigned char *a, const fwd_safe_net_t *net);
static int fwd_safe_of(const unsigned char *a, const fwd_safe_row_t *row);
static int fwd_safe_begins(const unsigned char *a, uint64_t high,
    uint64_t low, unsigned bits);


/* Of clouds: what a machine may learn of itself.  Never allowed. */
static const fwd_safe_row_t  fwd_safe_metadata[] = {
    FWD_SAFE_V4(169, 254, 169, 254, 32, "metadata"),
    FWD_SAFE_V4(169, 254, 170, 2, 32, "metadata"),
    FWD_SAFE_V4(169, 254, 170, 23, 32, "metadata"),
    FWD_SAFE_V4(169, 254, 42, 42, 32, "metadata"),
    FWD_SAFE_V4(169, 254, 0, 23, 32, "metadata"),
    FWD_SAFE_V4(100, 100, 100, 200, 32, "metadata"),
    FWD_SAFE_V4(168, 63, 129, 16, 32, "metadata"),
    FWD_SAFE_V4(192, 0, 0, 192, 32, "metadata"),
    { 0xfd000ec200000000, 0x254, 128, "metadata" },
    { 0xfd000ec200000000, 0x23, 128, "metadata" },
    { 0xfd00004200000000, 0x42, 128, "metadata" },
    { 0xfe80000000000000, 0xa9fea9fe, 128, "metadata" },
    { 0xfd2000ce00000000, 0x254, 128, "metadata" }
};


static const fwd_safe_row_t  fwd_safe_rows[] = {
    FWD_SAFE_V4(0, 0, 0, 0, 8, "unspecified"),
    FWD_SAFE_V4(10, 0, 0, 0, 8, "private"),
    FWD_SAFE_V4(100, 64, 0, 0, 10, "carrier"),
    FWD_SAFE_V4(127, 0, 0, 0, 8, "loopback"),
    FWD_SAFE_V4(169, 254, 0, 0, 16, "link-local"),
    FWD_SAFE_V4(172, 16, 0, 0, 12, "private"),
    FWD_SAFE_V4(192, 0, 0, 0, 24, "reserved"),
    FWD_SAFE_V4(192, 0, 2, 0, 24, "documentation"),
    FWD_SAFE_V4(192, 31, 196, 0, 24, "reserved"),
    FWD_SAFE_V4(192, 52, 193, 0, 24, "reserved"),
    FWD_SAFE_V4(192, 88, 99, 0, 24, "reserved"),
    FWD_SAFE_V4(192, 168, 0, 0, 16, "private"),
    FWD_SAFE_V4(192, 175, 48, 0, 24, "reserved"),
    FWD_SAFE_V4(198, 18, 0, 0, 15, "benchmark"),
    FWD_SAFE_V4(198, 51, 100, 0, 24, "documentation"),
    FWD_SAFE_V4(203, 0, 113, 0, 24, "documentation"),
    FWD_SAFE_V4(224, 0, 0, 0, 4, "multicast"),
    FWD_SAFE_V4(240, 0, 0, 0, 4, "reserved"), /* and 255.255.255.255 */
    { 0, 0, 128, "unspecified" }, /* ::/128 */
    { 0, 0x1, 128, "loopback" }, /* ::1/128 */
    { 0x0064ff9b00010000, 0, 48, "private" }, /* NAT64 of a network, RFC 8215 */
    { 0x0100000000000000, 0, 64, "discard" }, /* 100::/64 */
    { 0x2001000200000000, 0, 48, "benchmark" }, /* 2001:2::/48 */
    { 0x2001001000000000, 0, 28, "reserved" }, /* ORCHID */
    { 0x2001002000000000, 0, 28, "reserved" }, /* 2001:20::/28 */
    { 0x20010db800000000, 0, 32, "documentation" }, /* 2001:db8::/32 */
    { 0x3fff000000000000, 0, 20, "documentation" }, /* 3fff::/20 */
    { 0x5f00000000000000, 0, 16, "reserved" }, /* SRv6 SIDs */
    { 0xfc00000000000000, 0, 7, "private" }, /* fc00::/7 */
    { 0xfe80000000000000, 0, 10, "link-local" }, /* fe80::/10 */
    { 0xfec0000000000000, 0, 10, "private" }, /* site-local, once */
    { 0xff00000000000000, 0, 8, "multicast" } /* ff00::/8 */
};


const char *
fwd_safe_address(const fwd_safe_t *safe, const struct sockaddr *sa)
{
    unsigned char               a[16];
    const struct sockaddr_in   *in;
    const struct sockaddr_in6  *in6;

    if (sa->sa_family == AF_INET) {
        in = (const struct sockaddr_in *) (const void *) sa;
        memset(a, 0, 10);
        memset(a + 10, 0xff, 2);
        memcpy(a + 12, &in->sin_addr, 4);

    } else if (sa->sa_family == AF_INET6) {
        in6 = (const struct sockaddr_in6 *) (const void *) sa;
        memcpy(a, &in6->sin6_addr, 16);

    } else {
        return "not of the Internet";
    }

    return fwd_safe_judge(safe, a);
}


/*
 * An IPv4 address may stand in an IPv6 one: whoever translates it goes where
 * the inner one says, so both count.  Metadata comes first: a network that is
 * allowed may be one of translated addresses.
 */

static const char *
fwd_safe_judge(const fwd_safe_t *safe, const unsigned char *a)
{
    int             own;
    size_t          i, n;
    const char     *why;
    unsigned char   inner[2][16];

    n = fwd_safe_inner(inner, a);
    why = fwd_safe_row(a, fwd_safe_metadata,
                       FWD_SAFE_COUNT(fwd_safe_metadata));

    for (i = 0; why == NULL && i < n; i++) {
        why = fwd_safe_row(inner[i], fwd_safe_metadata,
                           FWD_SAFE_COUNT(fwd_safe_metadata));
    }

    if (why != NULL) {
        return why;
    }

    why = fwd_safe_look(safe, a, &own);

    if (why != NULL || own) {
        return why;
    }

    if (n == 0 && fwd_safe_reserved(a)) {
        return "reserved";
    }

    for (i = 0; why == NULL && i < n; i++) {
        why = fwd_safe_look(safe, inner[i], &own);
    }

    return why;
}


/* own: it is of a network that the operator has named. */

static const char *
fwd_safe_look(const fwd_safe_t *safe, const unsigned char *a, int *own)
{
    size_t  i;

    *own = 0;

    for (i = 0; i < safe->nets_count; i++) {
        if (fwd_safe_in(a, &safe->nets[i])) {
            *own = 1;
            return NULL;
        }
    }

    return fwd_safe_row(a, fwd_safe_rows, FWD_SAFE_COUNT(fwd_safe_rows));
}


static const char *
fwd_safe_row(const unsigned char *a, const fwd_safe_row_t *rows,
    size_t count)
{
    size_t  i;

    for (i = 0; i < count; i++) {
        if (fwd_safe_of(a, &rows[i])) {
            return rows[i].why;
        }
    }

    return NULL;
}


/* The IPv4 addresses that an IPv6 one means: 0 to 2 of them. */

static size_t
fwd_safe_inner(unsigned char (*inner)[16], const unsigned char *a)
{
    static const unsigned char  zeros[12];

    if (memcmp(a, zeros, 12) == 0
        || fwd_safe_begins(a, 0, 0xffff000000000000, 96)     /* RFC 2765 */
        || fwd_safe_begins(a, 0x0064ff9b00000000, 0, 96))
    {
        fwd_safe_inner4(inner[0], a + 12, 0);
        return 1;
    }

    if (fwd_safe_begins(a, 0x2002000000000000, 0, 16)) {     /* 6to4 */
        fwd_safe_inner4(inner[0], a + 2, 0);
        return 1;
    }

    if (fwd_safe_begins(a, 0x2001000000000000, 0, 32)) {     /* Teredo */
        fwd_safe_inner4(inner[0], a + 4, 0);
        fwd_safe_inner4(inner[1], a + 12, 0xff);
        return 2;
    }

    if (a[10] == 0x5e && a[11] == 0xfe && (a[8] & 0xfd) == 0 && a[9] == 0) {
        fwd_safe_inner4(inner[0], a + 12, 0);                /* ISATAP */
        return 1;
    }

    return 0;
}


static void
fwd_safe_inner4(unsigned char *inner, const unsigned char *a,
    unsigned char flip)
{
    size_t  i;

    memset(inner, 0, 10);
    memset(inner + 10, 0xff, 2);

    for (i = 0; i < 4; i++) {
        inner[12 + i] = a[i] ^ flip;
    }
}


/*
 * Of IPv6 only 2000::/3 is given out, and of 2001::/23, which is for
 * protocols, a few networks only are reached from everywhere.
 */

static int
fwd_safe_reserved(const unsigned char *a)
{
    if (fwd_safe_begins(a, 0, 0xffff00000000, 96)) {
        return 0;                        /* IPv4 */
    }

    if (fwd_safe_begins(a, 0x2001000000000000, 0, 23)) {
        return !fwd_safe_begins(a, 0x2001000300000000, 0, 32)    /* AMT */
               && !fwd_safe_begins(a, 0x2001000401120000, 0, 48); /* AS112 */
    }

    return (a[0] & 0xe0) != 0x20;
}


fwd_rc_t
fwd_safe_net(fwd_safe_net_t *net, const char *text)
{
    char         copy[FWD_SAFE_NET_MAX];
    size_t       len;
    unsigned     bits, max;
    const char  *slash, *p;

    slash = strchr(text, '/');
    len = slash ? (size_t) (slash - text) : strlen(text);

    if (len >= sizeof(copy)) {
        return FWD_ERROR;
    }

    memcpy(copy, text, len);
    copy[len] = '\0';

    memset(net->address, 0, 16);

    if (inet_pton(AF_INET, copy, net->address + 12) == 1) {
        memset(net->address + 10, 0xff, 2);
        max = 32;

    } else if (inet_pton(AF_INET6, copy, net->address) == 1) {
        max = 128;

    } else {
        return FWD_ERROR;
    }

    bits = max;

    if (slash != NULL) {
        bits = 0;

        for (p = slash + 1; *p >= '0' && *p <= '9' && bits <= max; p++) {
            bits = bits * 10 + (unsigned) (*p - '0');
        }

        if (p == slash + 1 || *p != '\0' || bits > max || p - slash > 4) {
            return FWD_ERROR;
        }
    }

    net->bits = bits + 128 - max;

    return FWD_OK;
}


int
fwd_safe_net_valid(const char *text)
{
    fwd_safe_net_t  net;

    return fwd_safe_net(&net, text) == FWD_OK;
}


static int
fwd_safe_in(const unsigned char *a, const fwd_safe_net_t *net)
{
    unsigned  bytes, rest;

    bytes = net->bits / 8;
    rest = net->bits % 8;

    return memcmp(a, net->address, bytes) == 0
           && (rest == 0
               || (a[bytes] ^ net->address[bytes]) >> (8 - rest) == 0);
}


static int
fwd_safe_of(const unsigned char *a, const fwd_safe_row_t *row)
{
    return fwd_safe_begins(a, row->high, row->low, row->bits);
}


static int
fwd_safe_begins(const unsigned char *a, uint64_t high, uint64_t low,
    unsigned bits)
{
    int       i;
    uint64_t  h, l;

    h = 0;
    l = 0;

    for (i = 0; i < 8; i++) {
        h = h << 8 | a[i];
        l = l << 8 | a[8 + i];
    }

    if (bits <= 64) {
        return bits == 0 || (h ^ high) >> (64 - bits) == 0;
    }

    return h == high && (l ^ low) >> (128 - bits) == 0;
}
