
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is stored of a request and of an event: the step between the rules,
 * which martech_privacy knows, and what we write.
 */


#include "ngx_http_martech_collect.h"


ngx_int_t
ngx_http_martech_privacy_init(ngx_http_martech_worker_t *worker)
{
    martech_agent_cache_t  *cache;

    cache = ngx_calloc(sizeof(martech_agent_cache_t), worker->log);

    if (cache == NULL) {
        return NGX_ERROR;
    }

    worker->agents = cache;
    ngx_http_martech_event_key(worker, cache->key, sizeof(cache->key));

    return NGX_OK;
}


void
ngx_http_martech_privacy_facts(ngx_http_martech_collect_t *mc)
{
    if (mc->mlcf->privacy) {
        martech_privacy_facts(mc->mlcf->privacy, mc->worker->agents,
                              &mc->facts, &mc->reduced);
    }
}


void
ngx_http_martech_privacy_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    uint64_t              fresh[2];
    unsigned              npersonal;
    const martech_str_t  *personal;

    personal = NULL;
    npersonal = 0;

    if (item->judgement.entry) {
        personal = item->judgement.entry->personal;
        npersonal = item->judgement.entry->npersonal;
    }

    if (!item->denied) {
        martech_privacy_edit(mc->mlcf->privacy, &item->ev, personal,
                             npersonal, &item->edits);
        return;
    }

    martech_privacy_anonymize(mc->mlcf->privacy, &item->ev, mc->ip,
                              mc->agent, personal, npersonal, &item->edits);

    fresh[0] = ngx_http_martech_event_random(mc->worker);
    fresh[1] = ngx_http_martech_event_random(mc->worker);

    martech_event_anonymize(&item->ev, fresh);
}
