
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Masking of addresses.
 */


#include <string.h>

#include <arpa/inet.h>

#include "martech_ip.h"


static size_t martech_ip_mask4(martech_str_t ip, unsigned char *out);
static void martech_ip_mask6(unsigned char addr[16]);


size_t
martech_ip_mask(martech_str_t ip, unsigned char out[MARTECH_IP_SIZE])
{
    char           text[MARTECH_IP_SIZE];
    size_t         n;
    unsigned char  addr[16];

    n = martech_ip_mask4(ip, out);

    if (n > 0) {
        return n;
    }

    if (ip.len == 0 || ip.len >= sizeof(text)
        || memchr(ip.data, '\0', ip.len) != NULL)
    {
        return 0;
    }

    memcpy(text, ip.data, ip.len);
    text[ip.len] = '\0';

    if (inet_pton(AF_INET6, text, addr) != 1) {
        return 0;
    }

    martech_ip_mask6(addr);

    if (inet_ntop(AF_INET6, addr, (char *) out, MARTECH_IP_SIZE) == NULL) {
        return 0;
    }

    return strlen((char *) out);
}


/* "192.0.2.7": four numbers up to 255 without zeros in front, as inet_pton()
   has them; 0: it is none. */

static size_t
martech_ip_mask4(martech_str_t ip, unsigned char *out)
{
    size_t    i, last;
    unsigned  parts, digits, number;

    parts = 0;
    digits = 0;
    number = 0;
    last = 0;

    for (i = 0; i < ip.len; i++) {

        if (ip.data[i] == '.') {

            if (digits == 0 || ++parts == 4) {
                return 0;
            }

            digits = 0;
            number = 0;
            last = i + 1;
            continue;
        }

        if (ip.data[i] < '0' || ip.data[i] > '9'
            || (digits > 0 && number == 0))
        {
            return 0;
        }

        number = number * 10 + (unsigned) (ip.data[i] - '0');
        digits++;

        if (number > 255) {
            return 0;
        }
    }

    if (parts != 3 || digits == 0) {
        return 0;
    }

    memcpy(out, ip.data, last);
    out[last] = '0';

    return last + 1;
}


static void
martech_ip_mask6(unsigned char addr[16])
{
    static const unsigned char  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                               0xff, 0xff };
    static const unsigned char  nat64[12] = { 0, 0x64, 0xff, 0x9b };

    if (memcmp(addr, mapped, 12) == 0 || memcmp(addr, nat64, 12) == 0) {
        addr[15] = 0;
        return;
    }

    /* 6to4 has the address in the bits that are kept */

    if (addr[0] == 0x20 && addr[1] == 0x02) {
        addr[5] = 0;
    }

    /* Teredo has its server's there, and the person's in those that go */

    if (addr[0] == 0x20 && addr[1] == 0x01 && addr[2] == 0 && addr[3] == 0) {
        memset(addr + 4, 0, 2);
    }

    memset(addr + 6, 0, 10);
}
