
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the files that read the configuration share.
 */


#ifndef _FWD_CONFIG_PRIVATE_H_INCLUDED_
#define _FWD_CONFIG_PRIVATE_H_INCLUDED_


#include "fwd_config.h"


#define FWD_CONFIG_NET  "a network such as 10.1.0.0/16, or an address"
#define FWD_CONFIG_ENDPOINT  "unix:/PATH, HOST:PORT or [IPV6]:PORT"


/*
 * Keys that concern secrets and the way out: credentials_key, proxy,
 * proxy_login; values are references, or the URL.
 */
void fwd_config_outbound(fwd_yaml_t *y, fwd_config_t *conf);

/* Section redis. */
void fwd_config_redis(fwd_yaml_t *y, fwd_config_t *conf, yaml_node_t *node);

/* 1 if a text is an address as FWD_CONFIG_ENDPOINT says. */
int fwd_config_endpoint_valid(const char *text);

/* Section destinations, and what they say about each other. */
void fwd_config_dests(fwd_yaml_t *y, fwd_config_t *conf, yaml_node_t *node);

/* dest->wanted, after the table of a destination has been read. */
void fwd_config_wanted(fwd_yaml_t *y, const char *path,
    fwd_wanted_conf_t *wanted);

/* Checks of texts, for tables. */
int fwd_config_source_valid(const char *text);
int fwd_config_pattern_valid(const char *text);

#define FWD_CONFIG_SOURCE   "1 to 64 of A-Z a-z 0-9 _ . -"
#define FWD_CONFIG_PATTERN                                                    \
    "a pattern of 1 to 200 bytes, with \"!\" in front for not these"


/* Values of a destination that contradict each other. */
void fwd_config_limits(fwd_yaml_t *y, const char *path,
    fwd_dest_conf_t *dest);

/* Destinations that name each other. */
void fwd_config_relations(fwd_yaml_t *y, const fwd_config_t *conf);


#endif /* _FWD_CONFIG_PRIVATE_H_INCLUDED_ */
