
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Dead letters as the commands see them: which are meant, and a walk over
 * them.
 */


#ifndef _FWD_CLI_DEAD_H_INCLUDED_
#define _FWD_CLI_DEAD_H_INCLUDED_


#include "fwd_cli_shard.h"


typedef enum {
    FWD_LETTER_EVENT = 0,         /* its ID in "in" */
    FWD_LETTER_ID,
    FWD_LETTER_SRC,
    FWD_LETTER_E,
    FWD_LETTER_REASON,
    FWD_LETTER_CLASS,
    FWD_LETTER_STATUS,
    FWD_LETTER_ATTEMPTS,
    FWD_LETTER_FIRST_AT,
    FWD_LETTER_AT,
    FWD_LETTER_HISTORY,
    FWD_LETTER_REQUEST,
    FWD_LETTER_ANSWER,
    FWD_LETTER_VERSIONS,
    FWD_LETTER_HINT,
    FWD_LETTER_REPLAYS,
    FWD_LETTER_COUNT
} fwd_letter_field_t;


/* Slices of the reply it came in; those of an old one may be missing. */
typedef struct {
    uint64_t              shard;
    const char           *dest;
    const char           *entry;         /* ID in the dead stream */
    const redisReply     *fields[FWD_LETTER_COUNT];
} fwd_letter_t;


/* Which letters are meant. */
typedef struct {
    const char           *dest;          /* NULL: all, as with the others */
    const char           *class;
    const char           *reason;
    uint64_t              code_min;
    uint64_t              code_max;
    uint64_t              older_ms;      /* 0: not asked for */
    uint64_t              newer_ms;
    const fwd_cli_list_t *ids;           /* messageIds or places */
    uint64_t              now_ms;        /* ages count from here */
} fwd_letter_filter_t;


/* Names of the fields, in the order of fwd_letter_field_t. */
extern const char *const  fwd_letter_names[FWD_LETTER_COUNT];

/* "404", "4xx", NULL (all) into a range; FWD_ERROR if it is none of these. */
fwd_rc_t fwd_letter_code(uint64_t *min, uint64_t *max, const char *text)
    FWD_MUST_CHECK;

/* Finds the fields of an entry of a stream; FWD_ERROR if it is none. */
fwd_rc_t fwd_letter_read(fwd_letter_t *letter, const redisReply *entry)
    FWD_MUST_CHECK;

/* 1 if a letter is meant. */
int fwd_letter_matches(const fwd_letter_filter_t *filter,
    const fwd_letter_t *letter);

/* A field as text ("" if it is missing), as a number, and when it died. */
const char *fwd_letter_text(const fwd_letter_t *letter,
    fwd_letter_field_t field);
uint64_t fwd_letter_number(const fwd_letter_t *letter,
    fwd_letter_field_t field);
uint64_t fwd_letter_at(const fwd_letter_t *letter);

/*
 * A field for a terminal: of an entry that could not be read, an id may hold
 * anything.  out has FWD_LETTER_PLAIN_MAX.
 */
#define FWD_LETTER_PLAIN_MAX  401

const char *fwd_letter_plain(char *out, const fwd_letter_t *letter,
    fwd_letter_field_t field);

/* "03/1700000000000-0"; out has FWD_LETTER_PLACE_MAX. */
#define FWD_LETTER_PLACE_MAX  64

const char *fwd_letter_place(char *out, const fwd_letter_t *letter);

/* A field that is JSON, decoded; what is none comes as a string. */
json_t *fwd_letter_json(const fwd_letter_t *letter,
    fwd_letter_field_t field);


/* FWD_NONE ends the walk, FWD_ERROR too, with a text. */
typedef fwd_rc_t (*fwd_letter_pt)(void *data, const fwd_letter_t *letter);

/*
 * Makes a filter of the options.  Another status than FWD_CLI_OK has been
 * explained.
 */
int fwd_dead_filter(fwd_cli_t *cli, fwd_letter_filter_t *filter);

/*
 * Calls the handler with all letters that match, up to the limit of the
 * options: by destination, shard, time.  Letters that come meanwhile are not
 * seen: a replayed one may be back already.
 */
fwd_rc_t fwd_dead_each(fwd_cli_t *cli, const fwd_letter_filter_t *filter,
    fwd_letter_pt handler, void *data) FWD_MUST_CHECK;


/* fwd_cli_dead_diff.c: the maps as they are now, each made when needed. */
typedef struct fwd_dead_maps_s  fwd_dead_maps_t;

fwd_dead_maps_t *fwd_dead_maps_create(fwd_cli_t *cli);
void fwd_dead_maps_destroy(fwd_dead_maps_t *maps);

/*
 * What the map of a destination would make otherwise now than what was sent:
 * { paths: [{ path, change, was, now }] } or { problem: text }.
 */
json_t *fwd_dead_diff(fwd_dead_maps_t *maps, const fwd_letter_t *letter,
    const fwd_dest_conf_t *dest);


#endif /* _FWD_CLI_DEAD_H_INCLUDED_ */
