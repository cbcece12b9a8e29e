
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Mapping by jq: one program turns an event into 0 to n records.
 *
 * Input is { event, settings, now }, now in seconds since 1970.  A program
 * sees nothing else: no environment, files, modules, input, clock or stderr.
 */


#ifndef _FWD_MAP_H_INCLUDED_
#define _FWD_MAP_H_INCLUDED_


#include "fwd_config.h"


#define FWD_MAP_RECORDS_MAX  1000        /* of one event */


typedef struct fwd_map_s  fwd_map_t;

/* Called with each record, JSON text; anything but FWD_OK ends the run. */
typedef fwd_rc_t (*fwd_map_record_pt)(void *data, const char *text,
    size_t len);


/*
 * Compiles desc->map.  The process environment must be empty by then: jq
 * copies it into the program.  Errors of the program are reported with their
 * lines.  Takes some 30 ms.
 */
fwd_rc_t fwd_map_create(fwd_map_t **map, const fwd_dest_conf_t *conf,
    fwd_report_t *report) FWD_MUST_CHECK;
void fwd_map_destroy(fwd_map_t *map);

/*
 * Runs the program over one event.  FWD_ERROR with a text without values of
 * the event when the program fails or gives something that is no object.
 */
fwd_rc_t fwd_map_run(fwd_map_t *map, martech_str_t event, uint64_t now_ms,
    fwd_map_record_pt record, void *data, fwd_error_t *err) FWD_MUST_CHECK;


#endif /* _FWD_MAP_H_INCLUDED_ */
