
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Masking of addresses.
 */


#include <string.h>

#include <arpa/inet.h>

#include "martech_ip.h"


static void martech_ip_mask6(unsigned char addr[16]);


size_t
martech_ip_mask(martech_str_t ip, unsigned char out[MARTECH_IP_SIZE])
{
    int            family;
    char           text[MARTECH_IP_SIZE];
    size_t         n;
    unsigned char  addr[16];

    if (ip.len == 0 || ip.len >= sizeof(text)
        || memchr(ip.data, '\0', ip.len) != NULL)
    {
        return 0;
    }

    memcpy(text, ip.data, ip.len);
    text[ip.len] = '\0';

    family = (memchr(text, ':', ip.len) != NULL) ? AF_INET6 : AF_INET;

    if (inet_pton(family, text, addr) != 1) {
        return 0;
    }

    if (family == AF_INET) {

        /* there is one spelling of it, and that is what was sent */

        for (n = ip.len; text[n - 1] != '.'; n--) { /* void */ }

        memcpy(out, text, n);
        out[n++] = '0';

        return n;
    }

    martech_ip_mask6(addr);

    if (inet_ntop(family, addr, (char *) out, MARTECH_IP_SIZE) == NULL) {
        return 0;
    }

    return strlen((char *) out);
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
