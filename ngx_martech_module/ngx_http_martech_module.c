
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The module: its directives, its places in NGINX's phases, and the life of a
 * worker.  The work itself is in the other files, see ngx_http_martech.h.
 */


#include "ngx_http_martech_collect.h"
#include "ngx_http_martech_webhook.h"


static char *ngx_http_martech_collect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_martech_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_martech_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_martech_phase(ngx_conf_t *cf,
    ngx_http_phases phase, ngx_http_handler_pt handler);
static void ngx_http_martech_cleanup(void *data);
static void *ngx_http_martech_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_martech_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_martech_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_martech_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_martech_init_process(ngx_cycle_t *cycle);
static void ngx_http_martech_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_martech_commands[] = {

    { ngx_string("martech_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_martech_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_martech_spool,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_stream"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_martech_stream,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_martech_buffer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_source"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_martech_source,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_dialect"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_dialect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_plan"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_plan,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_quarantine"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_martech_quarantine,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_ack"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_martech_ack,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_limits"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_limits,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_drop"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_martech_drop,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_consent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_consent,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_consent_category"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_martech_consent_category,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_redact"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_martech_redact,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_redact_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_martech_redact_key,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_scrub_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_scrub_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_ip"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_martech_ip,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_user_agent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_martech_user_agent,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_cors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_cors,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_cookie"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_cookie,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_campaign"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_campaign,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_forget"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_martech_forget,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_observe"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_observe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_collect"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_martech_collect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_webhook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_martech_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("martech_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_martech_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_martech_module_ctx = {
    ngx_http_martech_preconfiguration,     /* preconfiguration */
    ngx_http_martech_postconfiguration,    /* postconfiguration */

    ngx_http_martech_create_main_conf,     /* create main configuration */
    ngx_http_martech_init_main_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_martech_create_loc_conf,      /* create location configuration */
    ngx_http_martech_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_martech_module = {
    NGX_MODULE_V1,
    &ngx_http_martech_module_ctx,          /* module context */
    ngx_http_martech_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_martech_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_martech_exit_process,         /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_martech_collect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_martech_main_conf_t  *mmcf;

    if (mlcf->collect != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    mlcf->collect = 1;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    mmcf->collects++;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_martech_collect_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_martech_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_martech_add_variables(cf);
}


static ngx_int_t
ngx_http_martech_postconfiguration(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);

    ngx_http_martech_filter_init();

    if (mmcf->collects + mmcf->forgets > 0
        && ngx_http_martech_phase(cf, NGX_HTTP_ACCESS_PHASE,
                                  ngx_http_martech_cors_preflight)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mmcf->collects + mmcf->pages == 0) {
        return NGX_OK;
    }

    if (ngx_http_martech_conf_prepare(cf, mmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mmcf->collects == 0) {
        return NGX_OK;
    }

    if (mmcf->server.nendpoints == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"martech_%s\" needs \"martech_redis\" in http",
                      (mmcf->collects > mmcf->observes) ? "collect"
                                                        : "observe");
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_martech_cleanup;
    cln->data = mmcf;

    return ngx_http_martech_phase(cf, NGX_HTTP_LOG_PHASE,
                                  ngx_http_martech_log_handler);
}


static ngx_int_t
ngx_http_martech_phase(ngx_conf_t *cf, ngx_http_phases phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


/*
 * In single-process mode the memory of a former configuration may go before
 * its state has been replaced; elsewhere there is nothing left to close.
 */

static void
ngx_http_martech_cleanup(void *data)
{
    ngx_http_martech_main_conf_t *mmcf = data;

    if (mmcf->worker) {
        ngx_http_martech_worker_close(mmcf->worker);
    }
}


static void *
ngx_http_martech_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_martech_main_conf_t  *mmcf;

    mmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_main_conf_t));

    if (mmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mmcf->server = { 0 };
     *     mmcf->prefix, spool.path = { 0, NULL };
     *     mmcf->collects = 0;
     *     mmcf->worker = NULL;
     */

    mmcf->shards = NGX_CONF_UNSET_UINT;
    mmcf->buffer = NGX_CONF_UNSET_SIZE;
    mmcf->quarantine = NGX_CONF_UNSET_UINT;

    return mmcf;
}


static char *
ngx_http_martech_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_martech_main_conf_t *mmcf = conf;

    ngx_conf_init_uint_value(mmcf->shards, 16);
    ngx_conf_init_size_value(mmcf->buffer, 16 * 1024 * 1024);
    ngx_conf_init_uint_value(mmcf->quarantine,
                             NGX_HTTP_MARTECH_QUARANTINE_MAX);

    if (mmcf->prefix.data == NULL) {
        ngx_str_set(&mmcf->prefix, "mt");
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_martech_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_martech_loc_conf_t  *mlcf;

    mlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_loc_conf_t));

    if (mlcf == NULL) {
        return NULL;
    }

    mlcf->collect = NGX_CONF_UNSET;
    mlcf->dialects = NGX_CONF_UNSET_PTR;
    mlcf->plans = NGX_CONF_UNSET_PTR;
    mlcf->ack = NGX_CONF_UNSET_UINT;
    mlcf->retry_after = NGX_CONF_UNSET;
    mlcf->sources = NGX_CONF_UNSET_PTR;
    mlcf->drops = NGX_CONF_UNSET_PTR;
    mlcf->categories = NGX_CONF_UNSET_PTR;
    mlcf->consent = NGX_CONF_UNSET_PTR;
    mlcf->forget = NGX_CONF_UNSET;
    mlcf->cors = NGX_CONF_UNSET_PTR;
    mlcf->cookie = NGX_CONF_UNSET_PTR;
    mlcf->campaign = NGX_CONF_UNSET_PTR;
    mlcf->observe = NGX_CONF_UNSET_PTR;

    ngx_http_martech_privacy_create(&mlcf->redact);

    for (i = 0; i < NGX_HTTP_MARTECH_LIMITS; i++) {
        mlcf->limit_values[i] = NGX_CONF_UNSET;
    }

    return mlcf;
}


static char *
ngx_http_martech_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_martech_loc_conf_t *prev = parent;
    ngx_http_martech_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_ptr_value(conf->sources, prev->sources, NULL);

    if (ngx_http_martech_webhook_merge(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    /* the blocks "if" and "limit_except" are locations of their own */

    if ((clcf->noname || clcf->lmt_excpt) && conf->collect == NGX_CONF_UNSET
        && prev->collect == 1 && clcf->handler == NULL)
    {
        conf->collect = 1;
        clcf->handler = ngx_http_martech_collect_handler;
    }

    if (conf->collect == NGX_CONF_UNSET) {
        conf->collect = 0;
    }

    conf->skip = ngx_http_martech_dialect_skip(clcf);

    ngx_conf_merge_uint_value(conf->ack, prev->ack,
                              NGX_HTTP_MARTECH_ACK_REDIS);
    ngx_conf_merge_value(conf->retry_after, prev->retry_after, 5);

    ngx_conf_merge_ptr_value(conf->drops, prev->drops, NULL);

    ngx_http_martech_limits_merge(prev, conf);

    ngx_http_martech_cors_merge(prev, conf);

    if (ngx_http_martech_cookie_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_martech_observe_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_martech_dialect_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_martech_consent_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_martech_plan_merge(cf, prev, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_martech_privacy_merge(cf, prev, conf);
}


/*
 * Runs in every kind of child process; the cache manager and loader are no
 * workers.  A worker that cannot have its state still serves everything else,
 * and answers events with an error.
 */

static ngx_int_t
ngx_http_martech_init_process(ngx_cycle_t *cycle)
{
    ngx_http_martech_main_conf_t  *mmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_martech_module);

    if (mmcf && mmcf->collects > 0) {
        (void) ngx_http_martech_worker(mmcf);
    }

    return NGX_OK;
}


/*
 * A reload in single-process mode brings a new configuration without calling
 * init_process, so the state is also made on first use; then the one of the
 * former configuration has to go, before its memory does.
 */

ngx_http_martech_worker_t *
ngx_http_martech_worker(ngx_http_martech_main_conf_t *mmcf)
{
    ngx_http_martech_worker_t  *worker, *former;

    if (mmcf->worker || mmcf->failed) {
        return mmcf->worker;
    }

    worker = ngx_calloc(sizeof(ngx_http_martech_worker_t), ngx_cycle->log);

    if (worker == NULL) {
        return NULL;
    }

    worker->conf = mmcf;
    worker->log = ngx_cycle->log;

    worker->dummy.fd = (ngx_socket_t) -1;
    worker->dummy.data = worker;

    worker->buffer.size_max = mmcf->buffer;

    ngx_queue_init(&worker->parked);
    ngx_queue_init(&worker->free_slots);

    worker->deadline.handler = ngx_http_martech_park_deadline;
    worker->deadline.data = &worker->dummy;
    worker->deadline.log = worker->log;
    worker->deadline.cancelable = 1;

    worker->random[0] = ngx_http_martech_random64();
    worker->random[1] = ngx_http_martech_random64();

    ngx_http_martech_dialect_init(worker);

    former = ngx_http_martech_stats_worker(mmcf->zone, worker);

    if (former) {
        ngx_http_martech_worker_close(former);
    }

    worker->stats = ngx_http_martech_stats_claim(mmcf->zone);

    if (ngx_http_martech_event_init(worker) != NGX_OK
        || ngx_http_martech_consent_init(worker) != NGX_OK
        || ngx_http_martech_privacy_init(worker) != NGX_OK
        || ngx_http_martech_spool_init(worker) != NGX_OK
        || ngx_http_martech_replay_init(worker) != NGX_OK
        || ngx_http_martech_redis_init(worker) != NGX_OK
        || ngx_http_martech_plan_init(worker) != NGX_OK)
    {
        /* without its memory it serves everything else; nothing is freed */

        mmcf->failed = 1;
        (void) ngx_http_martech_stats_worker(mmcf->zone, NULL);
        ngx_http_martech_stats_release(mmcf->zone, worker->stats);
        return NULL;
    }

    mmcf->worker = worker;

    ngx_http_martech_totals_init(worker);
    ngx_http_martech_cluster_start(worker);

    return worker;
}


uint64_t
ngx_http_martech_random64(void)
{
    int          fd;
    ssize_t      n;
    uint64_t     value;
    ngx_time_t  *tp;

    n = 0;
    value = 0;
    fd = open("/dev/urandom", O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        n = read(fd, &value, sizeof(uint64_t));
        (void) close(fd);
    }

    if (n != sizeof(uint64_t) || value == 0) {
        tp = ngx_timeofday();

        value = ((uint64_t) tp->sec << 32) ^ ((uint64_t) tp->msec << 20)
                ^ ((uint64_t) ngx_pid << 44) ^ (uint64_t) ngx_random();
    }

    return value;
}


void
ngx_http_martech_worker_close(ngx_http_martech_worker_t *worker)
{
    ngx_uint_t  leaving;

    if (worker->closed) {
        return;
    }

    worker->closed = 1;

    /* the file of a former configuration's log is closed */

    worker->log = ngx_cycle->log;

    /* at the end of a process nothing can be sent to clients any more */

    leaving = (ngx_exiting || ngx_quit || ngx_terminate);

    if (worker->deadline.timer_set) {
        ngx_del_timer(&worker->deadline);
    }

    ngx_http_martech_totals_close(worker);
    ngx_http_martech_replay_close(worker);
    ngx_http_martech_redis_close(worker);

    if (leaving) {
        ngx_http_martech_park_detach(worker);
    }

    if (worker->spool) {
        ngx_http_martech_redis_surrender(worker);
        ngx_http_martech_spool_finish(worker);
    }

    if (!leaving) {
        ngx_http_martech_park_fail(worker);
    }

    if (worker->live > 0) {
        ngx_log_error(NGX_LOG_WARN, worker->log, 0,
                      "martech: %ui events without an answer of redis are "
                      "left behind", worker->live);

        ngx_http_martech_dropped(worker->stats, LEFT, worker->live);
    }

    ngx_http_martech_stats_release(worker->conf->zone, worker->stats);

    if (worker->spool) {
        ngx_http_martech_spool_close(worker);
    }
}


static void
ngx_http_martech_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_martech_main_conf_t  *mmcf;
    ngx_http_martech_worker_t     *worker;

    mmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_martech_module);

    if (mmcf == NULL || mmcf->zone == NULL) {
        return;
    }

    /* of this configuration, or of a former one in single-process mode */

    worker = ngx_http_martech_stats_worker(mmcf->zone, NULL);

    if (worker) {
        ngx_http_martech_worker_close(worker);
    }
}
