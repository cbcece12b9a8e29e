
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Hosts and networks of a destination.
 */


#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "fwd_auth_conf.h"
#include "fwd_outbound.h"


static void fwd_outbound_nets(fwd_yaml_t *y, fwd_dest_conf_t *dest);
static int fwd_outbound_tls(const fwd_dest_conf_t *dest,
    const char *token_url);
static int fwd_outbound_is_http(const char *url);
static void fwd_outbound_add(fwd_yaml_t *y, fwd_safe_t *safe,
    const char *url);
static const char *fwd_outbound_host(fwd_yaml_t *y, const char *url);
static void fwd_outbound_check(fwd_yaml_t *y, fwd_dest_conf_t *dest,
    const char *what, const char *url);


void
fwd_outbound_build(fwd_yaml_t *y, fwd_dest_conf_t *dest,
    const char *const *urls, size_t count)
{
    size_t             i;
    fwd_safe_t        *safe;
    fwd_error_t        err;
    fwd_auth_conf_t    auth, own;
    const fwd_desc_t  *desc;

    desc = dest->desc;
    safe = &dest->http.safe;

    if (fwd_auth_conf(&auth, &desc->auth, dest, y->pool, &err) != FWD_OK) {
        fwd_report(y->report, y->file, dest->line, "destination \"%s\": %s",
                   dest->name, err.text);
    }

    for (i = 0; i < desc->endpoints_count; i++) {
        if (desc->endpoints[i].auth != NULL
            && fwd_auth_conf(&own, desc->endpoints[i].auth, dest, y->pool,
                             &err)
               != FWD_OK)
        {
            fwd_report(y->report, y->file, dest->line,
                       "destination \"%s\", endpoint \"%s\": %s",
                       dest->name, desc->endpoints[i].name, err.text);
        }
    }

    safe->hosts.list = fwd_pool_alloc(y->pool, (desc->hosts.count
                                                + desc->settings_count
                                                + count + 1)
                                               * sizeof(char *));
    safe->hosts.count = 0;

    for (i = 0; i < desc->hosts.count; i++) {
        safe->hosts.list[safe->hosts.count++] = desc->hosts.list[i];
    }

    for (i = 0; i < desc->settings_count; i++) {
        if (desc->settings[i].kind == FWD_SETTING_URL) {
            fwd_outbound_add(y, safe, dest->values[i]);
        }
    }

    for (i = 0; desc->hosts.count == 0 && i < count; i++) {
        fwd_outbound_add(y, safe, urls[i]);
    }

    fwd_outbound_add(y, safe, auth.token_url);
    fwd_outbound_nets(y, dest);
    safe->tls = (fwd_outbound_tls(dest, auth.token_url) != 0);

    for (i = 0; i < count; i++) {
        fwd_outbound_check(y, dest, "URL", urls[i]);
    }

    fwd_outbound_check(y, dest, "token_url", auth.token_url);
}


static void
fwd_outbound_nets(fwd_yaml_t *y, fwd_dest_conf_t *dest)
{
    size_t       i;
    fwd_safe_t  *safe;

    safe = &dest->http.safe;
    safe->nets_count = 0;
    safe->nets = fwd_pool_alloc(y->pool, (dest->allow_private.count + 1)
                                         * sizeof(fwd_safe_net_t));

    /* those that are none were reported by the table */

    for (i = 0; i < dest->allow_private.count; i++) {
        if (fwd_safe_net(&safe->nets[safe->nets_count],
                         dest->allow_private.list[i])
            == FWD_OK)
        {
            safe->nets_count++;
        }
    }
}


/*
 * Where neither the description nor the operator has written http, what comes
 * with a token or a record cannot lead there: credentials go along.
 */

static int
fwd_outbound_tls(const fwd_dest_conf_t *dest, const char *token_url)
{
    size_t                  i;
    const fwd_desc_t       *desc;
    const fwd_desc_http_t  *e;

    desc = dest->desc;

    if (fwd_outbound_is_http(token_url)) {
        return 0;
    }

    for (i = 0; i < desc->settings_count; i++) {
        if (fwd_outbound_is_http(dest->values[i])) {
            return 0;
        }
    }

    for (i = 0; i < desc->endpoints_count; i++) {
        e = &desc->endpoints[i];

        if (fwd_outbound_is_http(e->url)
            || (e->validate != NULL && fwd_outbound_is_http(e->validate->url)))
        {
            return 0;
        }
    }

    return 1;
}


static int
fwd_outbound_is_http(const char *url)
{
    return url != NULL && strncasecmp(url, "http:", 5) == 0;
}


static void
fwd_outbound_add(fwd_yaml_t *y, fwd_safe_t *safe, const char *url)
{
    size_t       i;
    const char  *host;

    host = url ? fwd_outbound_host(y, url) : NULL;

    if (host == NULL) {
        return;
    }

    for (i = 0; i < safe->hosts.count; i++) {
        if (strcmp(safe->hosts.list[i], host) == 0) {
            return;
        }
    }

    safe->hosts.list[safe->hosts.count++] = host;
}


static const char *
fwd_outbound_host(fwd_yaml_t *y, const char *text)
{
    char        *host;
    size_t       len;
    CURLU       *url;
    const char  *copy, *start;

    url = curl_url();
    host = NULL;
    copy = NULL;

    if (url != NULL
        && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK
        && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
    {
        start = (host[0] == '[') ? host + 1 : host;
        len = strcspn(start, "]");

        if (len > 1 && start[len - 1] == '.') {
            len--;
        }

        copy = fwd_pool_string(y->pool, start, len);
    }

    curl_free(host);
    curl_url_cleanup(url);

    return copy;
}


/* The URL may hold a secret; its host does not. */

static void
fwd_outbound_check(fwd_yaml_t *y, fwd_dest_conf_t *dest, const char *what,
    const char *url)
{
    size_t       line;
    const char  *why, *host;

    if (url == NULL) {
        return;
    }

    host = fwd_outbound_host(y, url);
    why = fwd_safe_url(&dest->http.safe, url);

    if (why == NULL) {
        return;
    }

    if (host == NULL) {
        fwd_report(y->report, y->file, dest->line,
                   "destination \"%s\" has a %s without a host that can be "
                   "read (the value is not shown)", dest->name, what);
        return;
    }

    line = fwd_yaml_at(y, fwd_pool_printf(y->pool,
                                          "destinations.%s.settings.url",
                                          dest->name));

    fwd_report(y->report, y->file, line ? line : dest->line,
               "destination \"%s\" has the host \"%s\" in its %s, which is "
               "refused: %s; a network of your own is allowed by "
               "\"allow_private\"", dest->name, host, what, why);
}
