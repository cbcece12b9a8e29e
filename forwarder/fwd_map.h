
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Mapping by jq: one program turns an event into 0 to n records.
 *
 * Input is { event, settings, now, person }, now in seconds since 1970; of
 * the program of "when", settings are left out.  A program sees nothing else:
 * no environment, files, modules, input, clock or stderr.
 */


#ifndef _FWD_MAP_H_INCLUDED_
#define _FWD_MAP_H_INCLUDED_


#include "fwd_config.h"
#include "fwd_record.h"


#define FWD_MAP_RECORDS_MAX  1000        /* of one event */


typedef struct fwd_map_s  fwd_map_t;

/* An event parsed once for several programs. */
typedef struct fwd_map_event_s  fwd_map_event_t;

/* Called with each record; anything but FWD_OK ends the run. */
typedef fwd_rc_t (*fwd_map_record_pt)(void *data,
    const fwd_record_t *record);


/*
 * Compiles desc->map.  The process environment must be empty by then: jq
 * copies it into the program.  Errors of the program are reported with their
 * lines.  Takes some 30 ms.
 */
fwd_rc_t fwd_map_create(fwd_map_t **map, const fwd_dest_conf_t *conf,
    fwd_report_t *report) FWD_MUST_CHECK;
void fwd_map_destroy(fwd_map_t *map);

/* The same of conf->wanted.when. */
fwd_rc_t fwd_map_create_when(fwd_map_t **map, const fwd_dest_conf_t *conf,
    fwd_report_t *report) FWD_MUST_CHECK;

/* 1 if the text of a program has the word "person". */
int fwd_map_needs_person(const char *program);

/*
 * Runs the program over one event; person is NULL if there is none, or
 * nobody asks.  FWD_ERROR with a text without values of the event when the
 * program fails or gives something that is no object.
 */
fwd_rc_t fwd_map_run(fwd_map_t *map, martech_str_t event, const char *person,
    uint64_t now_ms, fwd_map_record_pt record, void *data, fwd_error_t *err)
    FWD_MUST_CHECK;

/* Records are for people: "***" stands for secrets. */
void fwd_map_show(fwd_map_t *map, int show);

fwd_map_event_t *fwd_map_event_create(void);
void fwd_map_event_destroy(fwd_map_event_t *parsed);

/* The next run is over another event. */
void fwd_map_event_forget(fwd_map_event_t *parsed);

/*
 * Runs a program of "when"; *passed is 1 if its first output is true.
 * FWD_ERROR: it failed.
 */
fwd_rc_t fwd_map_test(fwd_map_t *map, fwd_map_event_t *parsed,
    martech_str_t event, const char *person, uint64_t now_ms, int *passed)
    FWD_MUST_CHECK;


#endif /* _FWD_MAP_H_INCLUDED_ */
