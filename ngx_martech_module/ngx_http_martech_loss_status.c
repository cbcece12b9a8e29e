
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * How many of the pages were lost to their beacons, on the status page.
 *
 * Lost is a page that no beacon has confirmed in its half hour; those that are
 * younger are open, and in neither part of the share.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_LOSS_TEXT  (2048 + 1024)  /* metrics and JSON of a
                                                      source */


static uint64_t ngx_http_martech_loss_lost(ngx_http_martech_loss_t *loss);
static ngx_http_martech_loss_t *ngx_http_martech_loss_all(
    ngx_http_martech_main_conf_t *mmcf, ngx_pool_t *pool, ngx_uint_t *n);


size_t
ngx_http_martech_loss_size(ngx_http_martech_main_conf_t *mmcf)
{
    return mmcf->loss ? (size_t) NGX_HTTP_MARTECH_LOSS_SOURCES
                        * NGX_HTTP_MARTECH_LOSS_TEXT
                      : 64;
}


static uint64_t
ngx_http_martech_loss_lost(ngx_http_martech_loss_t *loss)
{
    uint64_t  found;

    found = loss->confirmed + loss->open;

    return (loss->served > found) ? loss->served - found : 0;
}


/* NULL: there are none. */

static ngx_http_martech_loss_t *
ngx_http_martech_loss_all(ngx_http_martech_main_conf_t *mmcf, ngx_pool_t *pool,
    ngx_uint_t *n)
{
    ngx_http_martech_loss_t  *loss;

    *n = 0;

    if (mmcf->loss == NULL) {
        return NULL;
    }

    loss = ngx_palloc(pool, NGX_HTTP_MARTECH_LOSS_SOURCES
                            * sizeof(ngx_http_martech_loss_t));
    if (loss) {
        *n = ngx_http_martech_loss_sum(mmcf->loss, loss);
    }

    return loss;
}


void
ngx_http_martech_loss_json(ngx_http_martech_main_conf_t *mmcf,
    ngx_pool_t *pool, martech_json_writer_t *w)
{
    u_char                    share[NGX_INT64_LEN + 8], *p;
    uint64_t                  lost, settled;
    ngx_uint_t                i, n;
    ngx_http_martech_loss_t  *loss;

    loss = ngx_http_martech_loss_all(mmcf, pool, &n);

    martech_json_name(w, "pages");
    martech_json_begin(w, '{');

    for (i = 0; i < n; i++) {
        lost = ngx_http_martech_loss_lost(&loss[i]);
        settled = lost + loss[i].confirmed;

        martech_json_name(w, (char *) loss[i].name);
        martech_json_begin(w, '{');
        martech_json_name(w, "observed");
        martech_json_int(w, (int64_t) loss[i].observed);
        martech_json_name(w, "served");
        martech_json_int(w, (int64_t) loss[i].served);
        martech_json_name(w, "confirmed");
        martech_json_int(w, (int64_t) loss[i].confirmed);
        martech_json_name(w, "open");
        martech_json_int(w, (int64_t) loss[i].open);
        martech_json_name(w, "lost");
        martech_json_int(w, (int64_t) lost);
        martech_json_name(w, "lost_ratio");

        if (settled > 0) {
            p = ngx_sprintf(share, "%.4f", (double) lost / (double) settled);
            martech_json_raw(w, share, p - share);

        } else {
            martech_json_raw(w, "null", 4);
        }

        martech_json_name(w, "untracked");
        martech_json_int(w, (int64_t) loss[i].untracked);
        martech_json_name(w, "beacons_unknown");
        martech_json_int(w, (int64_t) loss[i].unknown);
        martech_json_end(w, '}');
    }

    martech_json_end(w, '}');
}


void
ngx_http_martech_loss_metrics(ngx_http_martech_main_conf_t *mmcf,
    ngx_pool_t *pool, martech_json_writer_t *w)
{
    u_char                    line[512], *p;
    uint64_t                  value;
    ngx_uint_t                i, k, n;
    ngx_http_martech_loss_t  *loss;

    static const struct {
        const char  *name;
        const char  *type;
        const char  *help;
        size_t       offset;
    } metrics[] = {
        { "pages_observed_total", "counter", "pages that were observed",
          offsetof(ngx_http_martech_loss_t, observed) },
        { "pages_served_total", "counter",
          "pages whose beacons can be told by the id of the page",
          offsetof(ngx_http_martech_loss_t, served) },
        { "pages_confirmed_total", "counter",
          "pages of these that a beacon came from",
          offsetof(ngx_http_martech_loss_t, confirmed) },
        { "pages_open", "gauge",
          "pages of these that are young, and no beacon came from",
          offsetof(ngx_http_martech_loss_t, open) },
        { "pages_untracked_total", "counter",
          "pages that there was no room for",
          offsetof(ngx_http_martech_loss_t, untracked) },
        { "beacons_unknown_total", "counter",
          "requests with events that name no page, or none that is known",
          offsetof(ngx_http_martech_loss_t, unknown) }
    };

    loss = ngx_http_martech_loss_all(mmcf, pool, &n);

    for (k = 0; n > 0 && k < sizeof(metrics) / sizeof(metrics[0]); k++) {
        p = ngx_snprintf(line, sizeof(line),
                         "# HELP martech_%s %s\n# TYPE martech_%s %s\n",
                         metrics[k].name, metrics[k].help, metrics[k].name,
                         metrics[k].type);
        martech_json_bytes(w, line, p - line);

        for (i = 0; i < n; i++) {
            value = *(uint64_t *) ((u_char *) &loss[i] + metrics[k].offset);

            p = ngx_snprintf(line, sizeof(line),
                             "martech_%s{source=\"%s\"} %uL\n",
                             metrics[k].name, loss[i].name, value);
            martech_json_bytes(w, line, p - line);
        }
    }
}
