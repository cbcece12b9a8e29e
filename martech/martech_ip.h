
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Addresses of the Internet, made too coarse to name a line.
 */


#ifndef _MARTECH_IP_H_INCLUDED_
#define _MARTECH_IP_H_INCLUDED_


#include "martech.h"


#define MARTECH_IP_SIZE  64


/*
 * Writes an address without its last part: IPv4 keeps 24 bits, IPv6 48; an
 * IPv4 address within an IPv6 one (mapped, 64:ff9b::/96, 6to4, Teredo) is
 * masked, too.  Returns the length; 0 if the text is no address.
 */
size_t martech_ip_mask(martech_str_t ip, unsigned char out[MARTECH_IP_SIZE]);


#endif /* _MARTECH_IP_H_INCLUDED_ */
