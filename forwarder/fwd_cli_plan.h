
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A tracking plan as the commands "plan ..." see it: its text, its tree, and
 * what the edge makes of it.
 */


#ifndef _FWD_CLI_PLAN_H_INCLUDED_
#define _FWD_CLI_PLAN_H_INCLUDED_


/* libraries */
#include <jansson.h>

/* this folder */
#include "../martech/martech_plan.h"
#include "fwd_buf.h"
#include "fwd_cli.h"


#define FWD_PLAN_DEPTH_MAX    32         /* of schemas that are looked into */
#define FWD_PLAN_POINTER_MAX  8192


/* An event, page, screen, or the traits of a type. */
typedef struct {
    const char           *section;       /* "events", "traits", ... */
    const char           *name;
    json_t               *entry;
} fwd_plan_row_t;


typedef struct {
    const char           *path;
    char                 *text;
    size_t                len;
    size_t               *lines;         /* where each begins */
    size_t                lines_count;
    martech_json_tape_t   tape;
    json_t               *json;          /* owns names and entries of rows */
    martech_plan_t       *plan;
    fwd_plan_row_t       *rows;          /* in the order of the file */
    size_t                rows_count;
} fwd_plan_file_t;


/* Where a plan is wrong, and why. */
typedef struct {
    unsigned              line;          /* 0: not known */
    char                  pointer[512];
    char                  reason[320];
} fwd_plan_problem_t;


/*
 * Reads and compiles a plan.  fwd_plan_close() in both cases; the path must
 * live as long.
 */
fwd_rc_t fwd_plan_open(fwd_plan_file_t *file, const char *path,
    fwd_plan_problem_t *problem) FWD_MUST_CHECK;
void fwd_plan_close(fwd_plan_file_t *file);

/* Opens a plan, or says on stderr why not. */
fwd_rc_t fwd_plan_load(fwd_plan_file_t *file, const char *path)
    FWD_MUST_CHECK;

/* Prints "FILE:LINE: error: POINTER: REASON". */
void fwd_plan_complain(FILE *out, const char *path,
    const fwd_plan_problem_t *problem);

/* The line in which what a pointer names begins, from 1; 0: not there. */
unsigned fwd_plan_line(const fwd_plan_file_t *file, const char *pointer);

/* A row by section and name, or NULL. */
const fwd_plan_row_t *fwd_plan_row(const fwd_plan_file_t *file,
    const char *section, const char *name);

/* "track", "identify", ...: the type that a section, and a name, are of. */
const char *fwd_plan_type(const fwd_plan_row_t *row);

/* A text of an entry, or NULL. */
const char *fwd_plan_text(const fwd_plan_row_t *row, const char *member);

/* What applies to an entry: its own action, or that of the defaults. */
martech_plan_action_t fwd_plan_action(const fwd_plan_file_t *file,
    const fwd_plan_row_t *row, const char *member);
const char *fwd_plan_action_name(martech_plan_action_t action);

/*
 * The versions of an entry: their number, and one of them.  An entry with
 * "properties" has the one version "1"; the last is the newest.
 */
size_t fwd_plan_versions(const fwd_plan_row_t *row);
json_t *fwd_plan_version(const fwd_plan_row_t *row, size_t n,
    const char **name, int *accepted);

/* 1 if a version, by name, is there and accepted. */
int fwd_plan_accepts(const fwd_plan_row_t *row, const char *version);

/* Follows "$ref" to the definitions of the plan; NULL if it leads nowhere. */
json_t *fwd_plan_resolve(const fwd_plan_file_t *file, json_t *schema);

/* 1 if a list of strings has this one. */
int fwd_plan_lists(const json_t *list, const char *text);

/* 1 if the name of a property looks as if a person stood behind it. */
int fwd_plan_looks_personal(const char *name, int of_traits);

/* 1 if the entry says that a property (pointer in the event) is personal. */
int fwd_plan_is_personal(const fwd_plan_row_t *row, const char *pointer);


/*
 * fwd_cli_plan_text.c: adds a step to a JSON pointer, returns the length
 * before, to go back to; a text without control characters; only the letters
 * and digits of a name, in lower case.
 */
size_t fwd_pointer_enter(fwd_buf_t *pointer, const char *name);
void fwd_pointer_leave(fwd_buf_t *pointer, size_t len);
void fwd_plan_plain(FILE *out, const char *text);
void fwd_plan_fold(char *out, size_t size, const char *name);

/* A schema in words ("text, 3 to 20 characters"); appended. */
void fwd_plan_words(const fwd_plan_file_t *file, json_t *schema,
    fwd_buf_t *out);

/* Appends what a format makes of its arguments, up to 1 KiB. */
void fwd_plan_printf(fwd_buf_t *out, const char *fmt, ...) FWD_PRINTF(2, 3);


#endif /* _FWD_CLI_PLAN_H_INCLUDED_ */
