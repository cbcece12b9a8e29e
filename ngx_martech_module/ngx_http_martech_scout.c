
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One event ahead of the others, in a Redis Cluster.
 *
 * Events that are written together are taken one by one.  Where the owner of
 * a slot changes between two of them the first one is refused and the second
 * one taken, and nothing brings the first one before it again.  So while it is
 * not sure that a node takes a shard, only one of its events is on its way: the
 * scout.  The others follow when that has been taken, or go with it to where
 * it is sent.
 *
 * A shard is unsure from the word of a node that it is elsewhere, and at the
 * start, until an event of it is taken.  What remains is a slot that is given
 * away and back within one round trip, unnoticed.
 */


#include "ngx_http_martech.h"


ngx_uint_t
ngx_http_martech_scout_needed(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    return ngx_http_martech_record_stream(record)
           && node->worker->shards[record->shard].unsure;
}


ngx_uint_t
ngx_http_martech_scout_ahead(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    return ngx_http_martech_scout_needed(node, record)
           && node->worker->shards[record->shard].scouted;
}


void
ngx_http_martech_scout_sent(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record)
{
    if (ngx_http_martech_scout_needed(node, record)) {
        record->scout = 1;
        node->worker->shards[record->shard].scouted = 1;
    }
}


void
ngx_http_martech_scout_back(ngx_http_martech_node_t *node,
    ngx_http_martech_record_t *record, ngx_uint_t taken)
{
    ngx_http_martech_shard_t  *shard;

    if (!record->scout) {
        return;
    }

    shard = &node->worker->shards[record->shard];

    record->scout = 0;
    shard->scouted = 0;

    /* who takes events without ASKING is the owner */

    if (taken && !record->asking && shard->ask == node) {
        shard->node = node;
        shard->ask = NULL;
    }

    /* what was taken behind ASKING says nothing of what goes without it */

    if (taken && (!record->asking || ngx_http_martech_cluster_asking(shard))) {
        shard->unsure = 0;
    }

    ngx_http_martech_node_post(node);
}
