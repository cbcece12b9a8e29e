
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One event and the tracking plan of its source: what is found is counted and
 * shown, and becomes a part of what is stored, or of the answer.
 */


#include "ngx_http_martech.h"

#include "martech_privacy.h"


static void ngx_http_martech_plan_rename(const martech_event_t *ev,
    const martech_plan_verdict_t *verdict, martech_edits_t *edits);
static ngx_int_t ngx_http_martech_plan_reject(ngx_http_request_t *r,
    martech_event_t *ev, const martech_plan_verdict_t *verdict,
    ngx_http_martech_judgement_t *judgement);


ngx_int_t
ngx_http_martech_plan_init(ngx_http_martech_worker_t *worker)
{
    if (worker->conf->plans.plans.nelts == 0) {
        return NGX_OK;
    }

    worker->plan = ngx_calloc(sizeof(ngx_http_martech_plan_work_t),
                              worker->log);
    if (worker->plan == NULL) {
        return NGX_ERROR;
    }

    worker->plan->copy = ngx_worker;

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_plan_event(ngx_http_request_t *r,
    ngx_http_martech_ctx_t *ctx, martech_event_t *ev, martech_edits_t *edits,
    ngx_uint_t denied, ngx_http_martech_judgement_t *judgement)
{
    martech_plan_t                *plan;
    martech_plan_verdict_t        *verdict;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_loc_conf_t   *mlcf;
    ngx_http_martech_main_conf_t  *mmcf;
    ngx_http_martech_plan_use_t   *use;

    ngx_memzero(judgement, sizeof(ngx_http_martech_judgement_t));

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_martech_module);

    if (mlcf->uses == NULL) {
        return NGX_OK;
    }

    use = &mlcf->uses[ctx->source->number];

    if (use->plan == NULL) {
        return NGX_OK;
    }

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);
    worker = ngx_http_martech_worker(mmcf);

    plan = use->plan->plan;
    verdict = &worker->plan->verdict;

    martech_plan_check(plan, ev, &worker->plan->work, verdict);

    if (verdict->ungoverned) {
        return NGX_OK;
    }

    ngx_http_martech_quality_count(worker->plan, use, ev);

    if (verdict->count > 0 && !denied) {
        ngx_http_martech_violations_note(worker, use, ev);
    }

    judgement->action = verdict->action;

    if (verdict->entry >= 0) {
        judgement->entry = martech_plan_entry(plan, (unsigned) verdict->entry);
    }

    if (verdict->action == MARTECH_PLAN_REJECT) {
        return ngx_http_martech_plan_reject(r, ev, verdict, judgement);
    }

    ngx_http_martech_plan_rename(ev, verdict, edits);

    if (denied) {

        /* pointers have names of the sender's in them */

        verdict->count = 0;
        verdict->more = 0;
    }

    judgement->members.data = (u_char *) worker->plan->text;
    judgement->members.len = martech_plan_write(plan, ev, verdict,
                                                martech_privacy_text,
                                                worker->plan->text,
                                                sizeof(worker->plan->text));
    return NGX_OK;
}


/* An alias is stored under the name that the plan has. */

static void
ngx_http_martech_plan_rename(const martech_event_t *ev,
    const martech_plan_verdict_t *verdict, martech_edits_t *edits)
{
    uint32_t                    start;
    martech_str_t               text;
    const martech_json_tape_t  *tape;

    if (verdict->rename.len == 0 || verdict->named == MARTECH_JSON_NONE) {
        return;
    }

    tape = ev->batch->tape;
    text = martech_json_text(tape, verdict->named);
    start = (uint32_t) (text.data - tape->text);

    martech_edit_add(edits, start, start + (uint32_t) text.len,
                     verdict->rename);
}


/* The sender gets the place and the rule of the first violation. */

static ngx_int_t
ngx_http_martech_plan_reject(ngx_http_request_t *r, martech_event_t *ev,
    const martech_plan_verdict_t *verdict,
    ngx_http_martech_judgement_t *judgement)
{
    char    pointer[NGX_HTTP_MARTECH_POINTER_MAX], *field;
    size_t  len;

    ev->field = "";

    if (verdict->count == 0) {
        return NGX_OK;
    }

    judgement->rule = verdict->list[0].rule;

    field = ngx_pnalloc(r->pool, NGX_HTTP_MARTECH_POINTER_MAX);

    if (field == NULL) {
        return NGX_ERROR;
    }

    len = martech_plan_pointer(ev, &verdict->list[0], pointer,
                               sizeof(pointer));
    len = martech_privacy_text(pointer, len, field,
                               NGX_HTTP_MARTECH_POINTER_MAX - 1);

    field[len] = '\0';
    ev->field = field;

    return NGX_OK;
}
