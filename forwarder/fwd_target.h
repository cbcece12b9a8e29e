
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * From a description and its settings to a target: checks the values that a
 * configuration gives, and expands the templates.
 */


#ifndef _FWD_TARGET_H_INCLUDED_
#define _FWD_TARGET_H_INCLUDED_


#include "fwd_config.h"


/*
 * Reads dest->settings_node by dest->desc and fills dest->values, dest->http
 * or dest->file.  Whatever is wrong is reported.
 */
void fwd_target_build(fwd_yaml_t *y, fwd_dest_conf_t *dest);


#endif /* _FWD_TARGET_H_INCLUDED_ */
