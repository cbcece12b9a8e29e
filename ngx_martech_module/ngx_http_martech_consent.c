
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Who may be stored.  The signals of a request are read once, before its body
 * is; those of an event may then decide otherwise for that event.
 *
 * As long as the request as such is denied, nothing of it is logged; once an
 * event of it is denied, nothing will be.
 */


#include "ngx_http_martech_collect.h"


/* Headers of one name that are read; each further one is a walk over all. */
#define NGX_HTTP_MARTECH_CONSENT_HEADERS  8


static ngx_int_t ngx_http_martech_consent_signalled(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx);
static uint8_t ngx_http_martech_consent_default(ngx_http_request_t *r,
    ngx_http_martech_consent_conf_t *conf);
static void ngx_http_martech_consent_signals(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_consent_t *consent);
static void ngx_http_martech_consent_value(ngx_http_martech_worker_t *worker,
    ngx_http_martech_loc_conf_t *mlcf, ngx_uint_t n, martech_str_t *value,
    martech_consent_t *consent);
static void ngx_http_martech_consent_join(martech_consent_t *consent,
    martech_consent_t *says);
static void ngx_http_martech_consent_decide(
    ngx_http_martech_consent_conf_t *conf,
    ngx_http_martech_consent_t *consent, martech_consent_t *event,
    martech_consent_decision_t *decision);
static ngx_uint_t ngx_http_martech_consent_denied(
    ngx_http_martech_consent_conf_t *conf,
    martech_consent_decision_t *decision);
static ngx_uint_t ngx_http_martech_consent_said(
    ngx_http_martech_collect_t *mc, uint32_t event, martech_consent_t *says);
static ngx_uint_t ngx_http_martech_consent_context(
    ngx_http_martech_collect_t *mc, uint32_t context,
    martech_consent_t *says);


ngx_int_t
ngx_http_martech_consent_init(ngx_http_martech_worker_t *worker)
{
    martech_consent_cache_t  *cache;

    cache = ngx_calloc(sizeof(martech_consent_cache_t), worker->log);

    if (cache == NULL) {
        return NGX_ERROR;
    }

    worker->consents = cache;
    ngx_http_martech_event_key(worker, cache->key, sizeof(cache->key));

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_consent_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    if (mlcf->consent == NULL || ctx->consent) {
        return NGX_OK;
    }

    if (ngx_http_martech_consent_signalled(r, mlcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->consent->denied && !mlcf->consent->log) {
        ngx_http_martech_ctx_quiet(r, ctx, 1);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_martech_consent_page(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    return mlcf->consent ? ngx_http_martech_consent_signalled(r, mlcf, ctx)
                         : NGX_OK;
}


static ngx_int_t
ngx_http_martech_consent_signalled(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_ctx_t *ctx)
{
    ngx_http_martech_consent_t       *consent;
    ngx_http_martech_consent_conf_t  *conf;

    conf = mlcf->consent;

    consent = ngx_pcalloc(r->pool, sizeof(ngx_http_martech_consent_t));

    if (consent == NULL) {
        return NGX_ERROR;
    }

    consent->granted = ngx_http_martech_consent_default(r, conf);

    ngx_http_martech_consent_signals(r, mlcf, consent);
    ngx_http_martech_consent_decide(conf, consent, NULL, &consent->decision);

    consent->denied = ngx_http_martech_consent_denied(conf,
                                                      &consent->decision);
    ctx->consent = consent;
    ctx->granted = consent->decision.granted;

    return NGX_OK;
}


ngx_uint_t
ngx_http_martech_consent_denies(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    ngx_http_martech_consent_t       *consent;
    ngx_http_martech_consent_conf_t  *conf;

    conf = mlcf->consent;

    if (conf == NULL || conf->policy == NGX_HTTP_MARTECH_CONSENT_TAG) {
        return 0;
    }

    consent = ngx_pcalloc(r->pool, sizeof(ngx_http_martech_consent_t));

    if (consent == NULL) {
        return 1;
    }

    consent->granted = ngx_http_martech_consent_default(r, conf);

    ngx_http_martech_consent_signals(r, mlcf, consent);
    ngx_http_martech_consent_decide(conf, consent, NULL, &consent->decision);

    return ngx_http_martech_consent_denied(conf, &consent->decision);
}


/* What holds if nobody says anything; a variable may know the country. */

static uint8_t
ngx_http_martech_consent_default(ngx_http_request_t *r,
    ngx_http_martech_consent_conf_t *conf)
{
    ngx_str_t      text;
    martech_str_t  list;

    if (conf->value == NULL) {
        return conf->granted;
    }

    if (ngx_http_complex_value(r, conf->value, &text) != NGX_OK) {
        return 0;
    }

    if (text.len == 7 && ngx_strncmp(text.data, "granted", 7) == 0) {
        return MARTECH_PURPOSES_ALL;
    }

    /* "denied" is no list of purposes, nor is a mistake */

    list.data = text.data;
    list.len = text.len;

    return martech_consent_purposes(list);
}


static void
ngx_http_martech_consent_signals(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, ngx_http_martech_consent_t *consent)
{
    ngx_uint_t                     i, n, again;
    martech_str_t                  values[NGX_HTTP_MARTECH_SIGNALS_MAX], value;
    ngx_http_martech_worker_t     *worker;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_get_module_main_conf(r, ngx_http_martech_module);

    /* pages may have cookies where no location collects */

    worker = mmcf->collects ? ngx_http_martech_worker(mmcf) : NULL;

    ngx_http_martech_signal_values(r, mlcf->consent, values, &again);

    for (i = 0; i < mlcf->consent->nsignals; i++) {

        if (values[i].data == NULL) {
            continue;
        }

        ngx_http_martech_consent_value(worker, mlcf, i, &values[i],
                                       &consent->says[i]);

        if (!(again & ((ngx_uint_t) 1 << i))) {
            continue;
        }

        for (n = 1;
             n < NGX_HTTP_MARTECH_CONSENT_HEADERS
             && ngx_http_martech_signal_again(r, &mlcf->consent->signals[i], n,
                                              &value)
                == NGX_OK;
             n++)
        {
            ngx_http_martech_consent_value(worker, mlcf, i, &value,
                                           &consent->says[i]);
        }
    }
}


/* One value of the n-th signal, with what others have said. */

static void
ngx_http_martech_consent_value(ngx_http_martech_worker_t *worker,
    ngx_http_martech_loc_conf_t *mlcf, ngx_uint_t n, martech_str_t *value,
    martech_consent_t *consent)
{
    martech_consent_t  says;

    if (value->len > MARTECH_CONSENT_SIGNAL_MAX) {

        if (worker) {
            ngx_http_martech_count(worker, SIGNALS_LONG, 1);
        }

        return;
    }

    if (worker == NULL) {
        (void) martech_consent_read(mlcf->consent->signals[n].signal, *value,
                                    &mlcf->consent_rules, &says);
        ngx_http_martech_consent_join(consent, &says);
        return;
    }

    (void) martech_consent_recall(worker->consents,
                                  mlcf->consent->signals[n].signal, *value,
                                  &mlcf->consent_rules, &says);

    ngx_http_martech_consent_join(consent, &says);
}


/* Two values of one signal: a denial in either counts. */

static void
ngx_http_martech_consent_join(martech_consent_t *consent,
    martech_consent_t *says)
{
    consent->denied |= says->denied;
    consent->granted |= says->granted;
    consent->granted &= ~consent->denied;
}


/* event: what the event itself says, or NULL. */

static void
ngx_http_martech_consent_decide(ngx_http_martech_consent_conf_t *conf,
    ngx_http_martech_consent_t *consent, martech_consent_t *event,
    martech_consent_decision_t *decision)
{
    ngx_uint_t               i;
    martech_consent_t       *says;
    martech_consent_case_t   c;

    martech_consent_begin(&c);

    for (i = 0; i < conf->nsignals; i++) {
        says = &consent->says[i];

        if (conf->signals[i].signal == MARTECH_CONSENT_EVENT) {

            if (event == NULL) {
                continue;
            }

            says = event;
        }

        martech_consent_add(&c, conf->signals[i].signal, says);
    }

    martech_consent_end(&c, consent->granted);

    *decision = c.decision;
}


static ngx_uint_t
ngx_http_martech_consent_denied(ngx_http_martech_consent_conf_t *conf,
    martech_consent_decision_t *decision)
{
    return conf->policy != NGX_HTTP_MARTECH_CONSENT_TAG
           && (decision->granted & conf->require) != conf->require;
}


void
ngx_http_martech_consent_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    martech_consent_t                 event;
    ngx_http_martech_ctx_t           *ctx;
    ngx_http_martech_consent_conf_t  *conf;

    ctx = mc->ctx;
    conf = mc->mlcf->consent;

    if (conf->event && ngx_http_martech_consent_said(mc, item->node, &event)) {
        ngx_http_martech_consent_decide(conf, ctx->consent, &event,
                                        &item->consent);
        item->denied = ngx_http_martech_consent_denied(conf, &item->consent);

    } else {
        item->consent = ctx->consent->decision;
        item->denied = ctx->consent->denied;
    }

    /* an event may have granted what its request has not */

    ctx->granted = (item->index > 0) ? ctx->granted & item->consent.granted
                                     : item->consent.granted;

    if (item->denied) {
        ctx->denied = 1;
        ngx_str_null(&ctx->message_id);

        if (!conf->log) {
            ngx_http_martech_ctx_quiet(mc->r, ctx, 1);
        }
    }
}


/* What the event says; one that says nothing has what its batch says. */

static ngx_uint_t
ngx_http_martech_consent_said(ngx_http_martech_collect_t *mc, uint32_t event,
    martech_consent_t *says)
{
    uint32_t  context;

    context = martech_json_member(mc->batch.tape, event, "context", 7);

    return ngx_http_martech_consent_context(mc, context, says)
           || ngx_http_martech_consent_context(mc, mc->batch.context, says);
}


/* Each member of the name counts: a denial in one of them must not be lost. */

static ngx_uint_t
ngx_http_martech_consent_context(ngx_http_martech_collect_t *mc,
    uint32_t context, martech_consent_t *says)
{
    uint32_t                    i;
    martech_consent_t           part;
    const martech_json_tape_t  *tape;

    tape = mc->batch.tape;

    ngx_memzero(says, sizeof(martech_consent_t));

    if (context == MARTECH_JSON_NONE
        || tape->nodes[context].kind != MARTECH_JSON_OBJECT)
    {
        return 0;
    }

    for (i = context + 1; i < tape->nodes[context].next;
         i = tape->nodes[i].next)
    {
        if ((tape->nodes[i].key_len == 7
             || (tape->nodes[i].flags & MARTECH_JSON_KEY_ESCAPED))
            && martech_json_name_is(tape, i, "consent", 7))
        {
            (void) martech_consent_read_event(tape, i,
                                              &mc->mlcf->consent_rules, &part);
            ngx_http_martech_consent_join(says, &part);
        }
    }

    return (says->granted | says->denied) != 0;
}
