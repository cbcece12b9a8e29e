
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Where requests may go.  A description, a setting, an answer or a name
 * server must not lead them into the operator's own network, so a host has to
 * be one that was foreseen, and each address that is connected to must be one
 * of the public Internet, or of a network that the operator has named.
 *
 * Pure: no I/O, no clock.  fwd_safe_curl.c puts it between libcurl and the
 * sockets.
 */


#ifndef _FWD_SAFE_H_INCLUDED_
#define _FWD_SAFE_H_INCLUDED_


#include <sys/socket.h>

#include "fwd.h"
#include "fwd_yaml.h"


#define FWD_SAFE_NET_MAX      64         /* text of a network */
#define FWD_SAFE_HOST_MAX     253        /* RFC 1035, without the last dot */


/* A network; IPv4 is held as ::ffff:a.b.c.d. */
typedef struct {
    unsigned char         address[16];
    unsigned              bits;          /* of 128 */
} fwd_safe_net_t;


/* What one destination may reach. */
typedef struct {
    fwd_words_t           hosts;         /* patterns: "a.example",
                                            "*.a.example"; none: no host */
    fwd_safe_net_t       *nets;          /* allowed though not public */
    size_t                nets_count;
    const char           *proxy;         /* URL; NULL: none, it is direct */
    const char           *proxy_login;   /* "user:password", or NULL */
    unsigned              tls:1;         /* http is refused: nobody has
                                            written it */
} fwd_safe_t;


/* Reads "10.1.0.0/16", "fd00::/8" or a single address. */
fwd_rc_t fwd_safe_net(fwd_safe_net_t *net, const char *text) FWD_MUST_CHECK;

/*
 * Why an address may not be connected to: "loopback", "private", ...; NULL
 * if it may.  An address within another one (IPv4-mapped, NAT64, 6to4,
 * Teredo, ...) is judged by the inner one too.
 */
const char *fwd_safe_address(const fwd_safe_t *safe,
    const struct sockaddr *sa);

/*
 * Why a host may not be asked for, by its name alone; NULL if it may: it is
 * one of safe->hosts, and no address in disguise ("127.1", "0x7f000001") that
 * is refused.  host is without brackets, of any case.
 */
const char *fwd_safe_host(const fwd_safe_t *safe, const char *host);

/* The same of a URL: http or https, no login in it, a host that may be. */
const char *fwd_safe_url(const fwd_safe_t *safe, const char *url);

/* 1 if a pattern means a host; "*." stands for one label or more. */
int fwd_safe_matches(const char *pattern, const char *host);

/* 1 if a text may be a pattern: a name, or "*." and a name of two labels. */
int fwd_safe_pattern_valid(const char *text);

/* 1 if a text may be a network; for tables of keys. */
int fwd_safe_net_valid(const char *text);


#endif /* _FWD_SAFE_H_INCLUDED_ */
