
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The programs of a sequence.
 *
 * jq takes some 30 ms for a program however short it is, and a sequence has
 * dozens of them, so all are compiled as one that is told by its input which
 * is meant.  When that is no valid program, each one is compiled for itself:
 * the errors then have the lines of the description.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_map_private.h"
#include "fwd_sequence_private.h"


#define FWD_SEQUENCE_SOURCE_MAX  (FWD_MAP_SIZE_MAX)
#define FWD_SEQUENCE_PLACE       "@"     /* names of records begin otherwise:
                                            fwd_jv_parse_guarded() */


static fwd_rc_t fwd_sequence_compile(fwd_sequence_t *seq,
    fwd_report_t *report);
static void fwd_sequence_source(const fwd_sequence_t *seq, fwd_buf_t *out);
static void fwd_sequence_branch(fwd_buf_t *out, uint32_t step,
    fwd_step_program_t program);
static void fwd_sequence_capture(fwd_buf_t *out,
    const fwd_desc_step_t *step);
static const fwd_desc_jq_t *fwd_sequence_jq(const fwd_desc_step_t *step,
    fwd_step_program_t program);
static fwd_rc_t fwd_sequence_each(const fwd_sequence_t *seq,
    fwd_report_t *report);
static fwd_rc_t fwd_sequence_one(const fwd_sequence_t *seq,
    const fwd_desc_jq_t *jq, fwd_report_t *report);


fwd_rc_t
fwd_sequence_create(fwd_sequence_t **out, const fwd_dest_conf_t *conf,
    fwd_report_t *report)
{
    uint32_t                i;
    fwd_sequence_t         *seq;
    const fwd_desc_step_t  *step;

    *out = NULL;

    if (conf->desc->steps_count == 0) {
        return FWD_OK;
    }

    seq = calloc(1, sizeof(fwd_sequence_t));

    if (seq == NULL) {
        fwd_report(report, conf->desc->folder, 0, "out of memory");
        return FWD_ERROR;
    }

    seq->conf = conf;
    seq->steps = conf->desc->steps;
    seq->count = (uint32_t) conf->desc->steps_count;
    fwd_record_init(&seq->writer, conf);
    fwd_reader_tape_init(&seq->tape);

    for (i = 0; i < seq->count; i++) {
        step = &seq->steps[i];
        seq->endpoints[i] = fwd_endpoint_find(conf, step->endpoint,
                                              strlen(step->endpoint));

        if (step->undo_endpoint != NULL) {
            seq->undo[i] = fwd_endpoint_find(conf, step->undo_endpoint,
                                             strlen(step->undo_endpoint));
        }
    }

    if (fwd_sequence_compile(seq, report) != FWD_OK) {
        fwd_sequence_destroy(seq);
        return FWD_ERROR;
    }

    *out = seq;

    return FWD_OK;
}


void
fwd_sequence_destroy(fwd_sequence_t *seq)
{
    if (seq == NULL) {
        return;
    }

    fwd_map_destroy(seq->programs);
    fwd_record_cleanup(&seq->writer);
    fwd_reader_tape_free(&seq->tape);
    free(seq);
}


void
fwd_sequence_show(fwd_sequence_t *seq, int show)
{
    if (seq != NULL) {
        seq->writer.show = (show != 0);
    }
}


static fwd_rc_t
fwd_sequence_compile(fwd_sequence_t *seq, fwd_report_t *report)
{
    fwd_rc_t      rc;
    fwd_buf_t     source;
    const char   *text;
    fwd_report_t  scratch;

    memset(&scratch, 0, sizeof(scratch));
    scratch.pool = report->pool;

    fwd_buf_init(&source, FWD_SEQUENCE_SOURCE_MAX);
    fwd_sequence_source(seq, &source);
    text = fwd_buf_string(&source);

    rc = (text != NULL)
         ? fwd_map_compile(&seq->programs, seq->conf, text, "sequence",
                           &scratch)
         : FWD_ERROR;

    fwd_buf_free(&source);

    if (rc == FWD_OK) {
        return FWD_OK;
    }

    seq->programs = NULL;

    if (fwd_sequence_each(seq, report) == FWD_OK) {

        /* each for itself, but not all: one closes what another opens */

        fwd_report(report, fwd_pool_printf(report->pool,
                                           "%s/destination.yaml",
                                           seq->conf->desc->folder),
                   seq->steps[0].line, "\"sequence\" has programs that are "
                   "no whole ones, or above %d bytes in all",
                   FWD_SEQUENCE_SOURCE_MAX);
    }

    return FWD_ERROR;
}


static void
fwd_sequence_source(const fwd_sequence_t *seq, fwd_buf_t *out)
{
    uint32_t              i, n;
    const fwd_desc_jq_t  *jq;

    fwd_buf_add_string(out, ".[\"" FWD_SEQUENCE_PLACE "\"] as $mt_place | "
                       "if $mt_place == null then empty\n");

    for (i = 0; i < seq->count; i++) {

        for (n = 0; n < FWD_STEP_PROGRAMS; n++) {
            jq = fwd_sequence_jq(&seq->steps[i], (fwd_step_program_t) n);

            if (jq != NULL && jq->text != NULL) {
                fwd_sequence_branch(out, i, (fwd_step_program_t) n);
                fwd_buf_add_string(out, jq->text);
                fwd_buf_add_string(out, "\n)\n");
            }
        }

        if (seq->steps[i].vars_count != 0) {
            fwd_sequence_branch(out, i, FWD_STEP_CAPTURE);
            fwd_sequence_capture(out, &seq->steps[i]);
            fwd_buf_add_string(out, ")\n");
        }
    }

    fwd_buf_add_string(out, "else empty end");
}


/* A comment at the end of a program ends with its line. */

static void
fwd_sequence_branch(fwd_buf_t *out, uint32_t step,
    fwd_step_program_t program)
{
    char  text[64];

    (void) snprintf(text, sizeof(text), "elif $mt_place == %u then (\n",
                    (unsigned) (step * FWD_STEP_PROGRAMS + program));
    fwd_buf_add_string(out, text);
}


static void
fwd_sequence_capture(fwd_buf_t *out, const fwd_desc_step_t *step)
{
    size_t  i;

    for (i = 0; i < step->vars_count; i++) {
        fwd_buf_add_string(out, i == 0 ? "{\"" : ", \"");
        fwd_buf_add_string(out, step->vars[i].name);
        fwd_buf_add_string(out, "\": (\n");
        fwd_buf_add_string(out, step->vars[i].jq.text);
        fwd_buf_add_string(out, "\n)");
    }

    fwd_buf_add_char(out, '}');
}


/* NULL: captures are several programs. */

static const fwd_desc_jq_t *
fwd_sequence_jq(const fwd_desc_step_t *step, fwd_step_program_t program)
{
    switch (program) {

    case FWD_STEP_WHEN:
        return &step->when;

    case FWD_STEP_MAP:
        return &step->map;

    case FWD_STEP_KEY:
        return &step->cache_key;

    case FWD_STEP_UNDO:
        return &step->undo_map;

    default:
        return NULL;
    }
}


static fwd_rc_t
fwd_sequence_each(const fwd_sequence_t *seq, fwd_report_t *report)
{
    size_t                  v;
    uint32_t                i, n;
    fwd_rc_t                rc;
    const fwd_desc_jq_t    *jq;
    const fwd_desc_step_t  *step;

    rc = FWD_OK;

    for (i = 0; i < seq->count; i++) {
        step = &seq->steps[i];

        for (n = 0; n < FWD_STEP_PROGRAMS; n++) {
            jq = fwd_sequence_jq(step, (fwd_step_program_t) n);

            if (jq != NULL && fwd_sequence_one(seq, jq, report) != FWD_OK) {
                rc = FWD_ERROR;
            }
        }

        for (v = 0; v < step->vars_count; v++) {
            if (fwd_sequence_one(seq, &step->vars[v].jq, report) != FWD_OK) {
                rc = FWD_ERROR;
            }
        }
    }

    return rc;
}


static fwd_rc_t
fwd_sequence_one(const fwd_sequence_t *seq, const fwd_desc_jq_t *jq,
    fwd_report_t *report)
{
    fwd_rc_t    rc;
    fwd_map_t  *map;

    if (jq->text == NULL) {
        return FWD_OK;
    }

    map = NULL;
    rc = fwd_map_compile_at(&map, seq->conf, jq->text,
                            fwd_pool_printf(report->pool,
                                            "%s/destination.yaml",
                                            seq->conf->desc->folder),
                            jq->line, report);

    if (rc == FWD_OK) {
        fwd_map_destroy(map);
    }

    return rc;
}


fwd_rc_t
fwd_sequence_run(fwd_sequence_t *seq, uint32_t step,
    fwd_step_program_t program, jv input, jv *out)
{
    input = jv_object_set(input, jv_string(FWD_SEQUENCE_PLACE),
                          jv_number(step * FWD_STEP_PROGRAMS + program));

    return fwd_map_first(seq->programs, input, out);
}
