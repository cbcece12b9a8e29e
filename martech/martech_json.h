
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * JSON: a one-pass scanner from text to a flat tape of slices, look-up in a
 * tape, un-escaping, and a writer into a fixed buffer.
 *
 * The scanner accepts exactly RFC 8259 with UTF-8, less two things that no
 * later reader could hold: escapes of lone surrogates, and a NUL in a member
 * name.  It allocates nothing and copies nothing: nodes point into the text,
 * which must stay in place as long as the tape is used.
 */


#ifndef _MARTECH_JSON_H_INCLUDED_
#define _MARTECH_JSON_H_INCLUDED_


#include "martech.h"


typedef enum {
    MARTECH_JSON_NULL = 0,
    MARTECH_JSON_FALSE,
    MARTECH_JSON_TRUE,
    MARTECH_JSON_NUMBER,
    MARTECH_JSON_STRING,
    MARTECH_JSON_ARRAY,
    MARTECH_JSON_OBJECT
} martech_json_kind_t;


#define MARTECH_JSON_KEY_ESCAPED    0x01     /* name has a backslash */
#define MARTECH_JSON_VALUE_ESCAPED  0x02     /* string has a backslash */

#define MARTECH_JSON_NONE           0        /* no such node */


/*
 * One value.  Offsets count from the start of the text.  Of strings and
 * names the slice is what stands between the quotes, still escaped; of
 * arrays and objects it includes the brackets.  The children of node i are
 * i + 1, nodes[i + 1].next, ... and end at nodes[i].next.
 */
typedef struct {
    uint32_t              key;           /* of members only, else 0 */
    uint32_t              value;
    uint32_t              len;           /* of the value's slice */
    uint32_t              next;          /* node behind this value's tree */
    uint32_t              count;         /* children of array or object */
    uint16_t              key_len;
    uint8_t               kind;          /* martech_json_kind_t */
    uint8_t               flags;
} martech_json_node_t;


/* The caller sets nodes and nodes_max; the scan sets the rest. */
typedef struct {
    martech_json_node_t  *nodes;
    uint32_t              nodes_max;
    uint32_t              nodes_count;   /* 0 after a failed scan */
    const unsigned char  *text;
    size_t                len;
    size_t                error_offset;  /* where a failed scan stopped */
    int                   lines;         /* 1: a line break stands between
                                            tokens */
} martech_json_tape_t;


/*
 * Scans one document; white space around it is allowed, nothing else.
 * len is at most UINT32_MAX - 1.  Node 0 is the root.  Fails with
 * MARTECH_BODY_EMPTY or one of MARTECH_JSON_*; MARTECH_JSON_TOKENS means
 * that nodes_max was too small, and the same text may be scanned again with
 * a larger tape.
 */
martech_rc_t martech_json_scan(martech_json_tape_t *tape,
    const unsigned char *text, size_t len, const martech_limits_t *limits)
    MARTECH_MUST_CHECK;


/*
 * The first member of an object with this name (compared un-escaped), or
 * MARTECH_JSON_NONE, also if the node is no object.
 */
uint32_t martech_json_member(const martech_json_tape_t *tape, uint32_t object,
    const char *name, size_t len);

/* 1 if a member's name, un-escaped, is this. */
int martech_json_name_is(const martech_json_tape_t *tape, uint32_t node,
    const char *name, size_t len);

/*
 * The node that an RFC 6901 pointer such as "/a/0/b~1c" names below a node.
 * MARTECH_JSON_NONE if there is none; "" names the node itself.  A part of it
 * has at most 1024 bytes.
 */
uint32_t martech_json_pointer(const martech_json_tape_t *tape, uint32_t node,
    const char *pointer);

/* The slice of a node: a string without quotes, containers with brackets. */
martech_str_t martech_json_slice(const martech_json_tape_t *tape,
    uint32_t node);

/* The text of a node as it stands in the document, strings with quotes. */
martech_str_t martech_json_text(const martech_json_tape_t *tape,
    uint32_t node);

/* 1 if the node is a string or number that equals the given text. */
int martech_json_equals(const martech_json_tape_t *tape, uint32_t node,
    const char *text, size_t len);

/*
 * Un-escapes the slice of a scanned string into out (size bytes; an escaped
 * slice never grows, so src.len bytes are enough).  Returns the number of
 * bytes written, or -1 if size is too small.  No zero is appended.
 */
long martech_json_unescape(martech_str_t src, unsigned char *out, size_t size);

/* The value of four hex digits at p, or -1; for the files of the scanner. */
int martech_json_hex4(const unsigned char *p, const unsigned char *end);


/*
 * The writer.  It puts commas itself; when the buffer is full it sets
 * overflow and drops the rest, so one test at the end is enough.
 */
typedef struct {
    unsigned char        *start;
    unsigned char        *pos;
    unsigned char        *end;
    unsigned              comma:1;       /* a value precedes */
    unsigned              overflow:1;
} martech_json_writer_t;


void martech_json_writer_init(martech_json_writer_t *w, void *buf,
    size_t size);
void martech_json_begin(martech_json_writer_t *w, int bracket);
void martech_json_end(martech_json_writer_t *w, int bracket);

/* A member name; the next call writes its value.  Names are not escaped. */
void martech_json_name(martech_json_writer_t *w, const char *name);

/* A string value from raw bytes; bytes that are not UTF-8 become U+FFFD. */
void martech_json_string(martech_json_writer_t *w, const void *data,
    size_t len);
void martech_json_cstring(martech_json_writer_t *w, const char *text);
void martech_json_int(martech_json_writer_t *w, int64_t value);
void martech_json_bool(martech_json_writer_t *w, int value);

/* A value that is JSON already. */
void martech_json_raw(martech_json_writer_t *w, const void *data, size_t len);

/* Bytes with nothing added: no comma, no quotes. */
void martech_json_bytes(martech_json_writer_t *w, const void *data,
    size_t len);


#endif /* _MARTECH_JSON_H_INCLUDED_ */
