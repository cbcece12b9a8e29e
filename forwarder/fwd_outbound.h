
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Where a destination may send to: from its description, its settings and the
 * operator's own networks.
 */


#ifndef _FWD_OUTBOUND_H_INCLUDED_
#define _FWD_OUTBOUND_H_INCLUDED_


#include "fwd_config.h"


/*
 * Fills dest->http.safe.  urls are those of the requests as far as they are
 * known by now; NULL stands for one that a call only knows.  Allowed are the
 * hosts of the description, or, when it names none, those of urls; the hosts
 * that the operator has written into settings of type url; and the one of the
 * token server.  An URL that cannot be sent to is reported, and credentials
 * that are incomplete.
 */
void fwd_outbound_build(fwd_yaml_t *y, fwd_dest_conf_t *dest,
    const char *const *urls, size_t count);


#endif /* _FWD_OUTBOUND_H_INCLUDED_ */
