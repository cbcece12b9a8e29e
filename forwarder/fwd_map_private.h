
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What programs other than maps need of the machinery of fwd_map.c: they run
 * under the same prelude and see as little.
 */


#ifndef _FWD_MAP_PRIVATE_H_INCLUDED_
#define _FWD_MAP_PRIVATE_H_INCLUDED_


#include <jv.h>

#include "fwd_answer.h"
#include "fwd_map.h"


/* As fwd_map_create(), of another program; the file is for messages. */
fwd_rc_t fwd_map_compile(fwd_map_t **map, const fwd_dest_conf_t *conf,
    const char *source, const char *file, fwd_report_t *report)
    FWD_MUST_CHECK;

/* The same of a program within a file; line is that of its first one. */
fwd_rc_t fwd_map_compile_at(fwd_map_t **map, const fwd_dest_conf_t *conf,
    const char *source, const char *file, size_t line, fwd_report_t *report)
    FWD_MUST_CHECK;

/* The input of answer.jq, but for "settings". */
jv fwd_answer_value(const fwd_answer_input_t *in);

/* The same program under other settings of the same description. */
void fwd_map_settle(fwd_map_t *map, const fwd_dest_conf_t *conf);

/*
 * The first output for an input, which is an object, is given away, and gets
 * the member "settings".  FWD_NONE if there is no output, FWD_ERROR if there
 * is an error.
 */
fwd_rc_t fwd_map_first(fwd_map_t *map, jv input, jv *out) FWD_MUST_CHECK;


#endif /* _FWD_MAP_PRIVATE_H_INCLUDED_ */
