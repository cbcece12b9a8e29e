
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What has led to a page: from its URL into context.campaign, and into a
 * cookie that brings it to the events of later pages.
 */


#include "ngx_http_martech_collect.h"


static size_t ngx_http_martech_campaign_members(
    ngx_http_martech_collect_t *mc, ngx_http_martech_item_t *item,
    u_char *out);
static void ngx_http_martech_campaign_stored(ngx_http_martech_collect_t *mc,
    martech_campaign_t *campaign);
static void ngx_http_martech_campaign_keep(ngx_http_martech_collect_t *mc,
    martech_campaign_t *campaign);


void
ngx_http_martech_campaign_event(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item)
{
    const martech_str_t      *personal;
    martech_privacy_added_t   added;

    if (item->denied) {
        return;
    }

    added.visitor = item->ev.visitor;
    added.campaign.data = mc->worker->scratch->campaign;
    added.campaign.len = 0;

    if (mc->mlcf->campaign) {
        added.campaign.len = ngx_http_martech_campaign_members(mc, item,
                                              mc->worker->scratch->campaign);
    }

    if (added.visitor.len + added.campaign.len == 0) {
        return;
    }

    if (mc->mlcf->privacy) {
        personal = item->judgement.entry ? item->judgement.entry->personal
                                         : NULL;

        martech_privacy_added(mc->mlcf->privacy, &item->ev, personal,
                              personal ? item->judgement.entry->npersonal : 0,
                              &added, &item->edits);

        item->ev.visitor = added.visitor;
    }

    martech_campaign_put(&item->ev, &item->edits, added.campaign);
}


static size_t
ngx_http_martech_campaign_members(ngx_http_martech_collect_t *mc,
    ngx_http_martech_item_t *item, u_char *out)
{
    ngx_uint_t           kept;
    martech_campaign_t   campaign;

    kept = (mc->mlcf->campaign->cookie.len > 0 && mc->ctx->source->client);

    martech_campaign_init(&campaign, mc->mlcf->campaign->clicks);

    if (martech_campaign_event(&campaign, &item->ev, mc->mlcf->privacy) > 0) {

        if (kept) {
            ngx_http_martech_campaign_keep(mc, &campaign);
        }

    } else if (kept && !martech_campaign_given(&item->ev)) {
        ngx_http_martech_campaign_stored(mc, &campaign);
    }

    return martech_campaign_write(&campaign, &item->ev, out);
}


/* The event says nothing: what has led to an earlier page, unless the person
   has denied to be known again. */

static void
ngx_http_martech_campaign_stored(ngx_http_martech_collect_t *mc,
    martech_campaign_t *campaign)
{
    ngx_str_t                   anonymous;
    martech_str_t               value;
    ngx_http_martech_cookies_t  cookies;

    if ((mc->ctx->consent && (mc->ctx->consent->denied || mc->ctx->denied))
        || ngx_http_martech_header_find(mc->r, "sp-anonymous", &anonymous)
           == NGX_OK)
    {
        return;
    }

    ngx_memzero(&cookies, sizeof(ngx_http_martech_cookies_t));

    while (campaign->count == 0
           && ngx_http_martech_cookie_next(mc->r, &cookies,
                                           &mc->mlcf->campaign->cookie,
                                           &value)
              == NGX_OK)
    {
        (void) martech_campaign_query(campaign, value, mc->mlcf->privacy);
    }

    campaign->stored = 1;
}


/* Of several events of a request the last counts. */

static void
ngx_http_martech_campaign_keep(ngx_http_martech_collect_t *mc,
    martech_campaign_t *campaign)
{
    ngx_http_martech_visit_t  *visit;

    visit = &mc->ctx->visit;

    if (visit->room == NULL) {
        visit->room = ngx_pnalloc(mc->r->pool, MARTECH_CAMPAIGN_COOKIE_MAX);

        if (visit->room == NULL) {
            return;
        }
    }

    visit->campaign.data = visit->room;
    visit->campaign.len = martech_campaign_cookie(campaign, visit->room);
}


ngx_int_t
ngx_http_martech_campaign_page(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf, martech_str_t *value)
{
    u_char              *p;
    martech_str_t        args;
    martech_campaign_t   campaign;

    value->len = 0;
    value->data = NULL;

    if (mlcf->campaign == NULL || mlcf->campaign->cookie.len == 0) {
        return NGX_OK;
    }

    args.data = r->args.data;
    args.len = r->args.len;

    martech_campaign_init(&campaign, mlcf->campaign->clicks);

    if (martech_campaign_query(&campaign, args, mlcf->privacy) == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, MARTECH_CAMPAIGN_COOKIE_MAX);

    if (p == NULL) {
        return NGX_ERROR;
    }

    value->len = martech_campaign_cookie(&campaign, p);
    value->data = p;

    return NGX_OK;
}
