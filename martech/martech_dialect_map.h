
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Private to the files of the dialects: names of a wire format and the places
 * in an event that their values go to.  A dialect has a table of the names it
 * knows; a map takes the values of one event by that table and writes them
 * place by place.
 */


#ifndef _MARTECH_DIALECT_MAP_H_INCLUDED_
#define _MARTECH_DIALECT_MAP_H_INCLUDED_


#include "martech_dialect.h"


#define MARTECH_MAP_ROWS_MAX   96
#define MARTECH_MAP_ROLES_MAX  32


/* Objects of an event; from PAGE on they are members of its context. */
typedef enum {
    MARTECH_PLACE_NONE = 0,              /* plumbing, or only a role */
    MARTECH_PLACE_PROPERTIES,
    MARTECH_PLACE_CONTEXT,
    MARTECH_PLACE_PAGE,
    MARTECH_PLACE_SCREEN,
    MARTECH_PLACE_LIBRARY,
    MARTECH_PLACE_OS,
    MARTECH_PLACE_BROWSER,
    MARTECH_PLACE_DEVICE,
    MARTECH_PLACE_APP,
    MARTECH_PLACE_NETWORK,
    MARTECH_PLACE_LOCATION,
    MARTECH_PLACE_OWN,                   /* what only this format has */
    MARTECH_PLACE_COUNT
} martech_place_t;


/* How a text is written; a value that is JSON stays as it is. */
typedef enum {
    MARTECH_WRITE_TEXT = 0,
    MARTECH_WRITE_NUMBER,                /* if it is one */
    MARTECH_WRITE_VALUE,                 /* likewise; true and false, too */
    MARTECH_WRITE_JSON                   /* an object or an array */
} martech_write_t;


/* A name that a dialect knows.  Tables are sorted by length, then by bytes. */
typedef struct {
    martech_str_t    name;
    martech_place_t  place;
    const char      *to;                 /* name there */
    martech_write_t  write;
    unsigned         role;               /* for the dialect; 0: none */
} martech_known_t;


/* Either a text, or (no data) a node of the tape. */
typedef struct {
    martech_str_t    text;
    uint32_t         node;
} martech_value_t;


/* The values of one event. */
typedef struct {
    const martech_known_t  *rows;
    unsigned                nrows;
    martech_rc_t            rc;          /* JSON_TOKENS: the tape was too small
                                            for JSON in a text */
    unsigned char           first[MARTECH_PLACE_COUNT];
    unsigned char           next[MARTECH_MAP_ROWS_MAX];
    unsigned char           set[MARTECH_MAP_ROWS_MAX];
    unsigned char           roles[MARTECH_MAP_ROLES_MAX];
    martech_value_t         values[MARTECH_MAP_ROWS_MAX];
} martech_map_t;


void martech_map_init(martech_map_t *map, const martech_known_t *rows,
    unsigned nrows);

/* The row of a name in a table, or -1. */
int martech_known_find(const martech_known_t *rows, unsigned nrows,
    martech_str_t name);

/* The same in the table of a map. */
int martech_map_find(const martech_map_t *map, martech_str_t name);

/* The same of a member. */
int martech_map_find_member(const martech_map_t *map,
    const martech_json_tape_t *tape, uint32_t node);

/*
 * Take a value for a row; the first one stands, and a null is none.  0: that
 * of another row has the place.
 */
int martech_map_set_node(martech_map_t *map, int row,
    const martech_json_tape_t *tape, uint32_t node);
int martech_map_set_text(martech_map_t *map, int row, martech_str_t text);

/* Takes what an object has of the rows; returns how many it has besides. */
unsigned martech_map_members(martech_map_t *map,
    const martech_json_tape_t *tape, uint32_t object);

/* What has a role: its node or NONE; as a text, un-escaped, of a string or a
   number, without data if it is neither. */
uint32_t martech_map_node(const martech_map_t *map, unsigned role);
martech_str_t martech_map_text(martech_translation_t *t,
    const martech_map_t *map, unsigned role);

/* 1 if there is a value for a place. */
int martech_map_has(const martech_map_t *map, martech_place_t place);

/* Writes the members of a place. */
void martech_map_write(martech_translation_t *t, martech_map_t *map,
    martech_place_t place);

/*
 * Writes the members of the context: all places from CONTEXT on, page with
 * what a URL (no data: there is none) says, OWN under that name.
 */
void martech_map_context(martech_translation_t *t, martech_map_t *map,
    martech_str_t url, const char *own);

/* Writes the members of an object that a table does not know. */
void martech_map_others(martech_translation_t *t, const martech_map_t *map,
    uint32_t object);


/* A string un-escaped, a number as it stands; else without data. */
martech_str_t martech_dialect_string(martech_translation_t *t, uint32_t node);

/* The name of a member, un-escaped. */
martech_str_t martech_dialect_key(martech_translation_t *t, uint32_t node);

/* Writes an id: a number becomes a string. */
void martech_dialect_id(martech_translation_t *t, const char *name,
    uint32_t node);

/*
 * Scans an object or array that a text holds, with what is left of the tape:
 * MARTECH_JSON_INVALID if it is none (the text is a string then), _TOKENS if
 * the tape is too small.
 */
martech_rc_t martech_dialect_embedded(martech_translation_t *t,
    martech_str_t text, martech_json_tape_t *tape) MARTECH_MUST_CHECK;

/* Writes a value as a table says. */
martech_rc_t martech_dialect_value(martech_translation_t *t, martech_str_t text,
    martech_write_t write);

/* Writes the members url, path and search of a page. */
void martech_dialect_page(martech_translation_t *t, martech_str_t url);

/*
 * Writes the member screen from "1920x1080".  Another text: _screen writes
 * nothing and returns 0, _resolution writes it as it is.
 */
int martech_dialect_screen(martech_translation_t *t, martech_str_t text);
void martech_dialect_resolution(martech_translation_t *t, martech_str_t text);

/* Milliseconds of a number of seconds with up to three decimals, or -1. */
int64_t martech_dialect_seconds(martech_str_t text);

/* Writes an event that cannot be understood in place of what was begun. */
void martech_dialect_refuse(martech_translation_t *t,
    const martech_json_writer_t *begun);

/* A value percent-decoded into scratch space. */
martech_str_t martech_dialect_decode(martech_translation_t *t,
    martech_str_t value);

/* 1 if a text, without blanks in front, begins with one of two characters. */
int martech_dialect_begins(martech_str_t text, int one, int other);


#endif /* _MARTECH_DIALECT_MAP_H_INCLUDED_ */
