
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_cookie and martech_campaign: which cookies we set, and with which
 * attributes.  What a browser would throw away is refused here.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_COOKIE_NAME     64
#define NGX_HTTP_MARTECH_COOKIE_PATH     256
#define NGX_HTTP_MARTECH_COOKIE_DOMAINS  32
#define NGX_HTTP_MARTECH_COOKIE_DAY      86400
#define NGX_HTTP_MARTECH_COOKIE_MAX      (400 * NGX_HTTP_MARTECH_COOKIE_DAY)
#define NGX_HTTP_MARTECH_COOKIE_USUAL    (365 * NGX_HTTP_MARTECH_COOKIE_DAY)
#define NGX_HTTP_MARTECH_CAMPAIGN_USUAL  (90 * NGX_HTTP_MARTECH_COOKIE_DAY)


/* What was said of a cookie, so far. */
typedef struct {
    ngx_http_martech_cookie_t  *cookie;
    unsigned                    attributes:1;    /* any of a cookie's */
    unsigned                    secure:1;
} ngx_http_martech_cookie_conf_t;


typedef char *(*ngx_http_martech_cookie_set_pt)(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);

typedef struct {
    ngx_str_t                       name;
    ngx_http_martech_cookie_set_pt  set;
    unsigned                        attribute:1; /* not for mode=anonymous */
} ngx_http_martech_cookie_param_t;


static char *ngx_http_martech_cookie_parameter(ngx_conf_t *cf,
    ngx_http_martech_cookie_conf_t *mcc, ngx_str_t *value);
static char *ngx_http_martech_cookie_time(ngx_conf_t *cf, ngx_str_t *param,
    ngx_str_t *s, time_t *value);
static char *ngx_http_martech_cookie_set_domain(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_max_age(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_rotate(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_same_site(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_secure(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_http_only(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_path(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_mode(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_set_key(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s);
static char *ngx_http_martech_cookie_whole(ngx_conf_t *cf,
    ngx_http_martech_cookie_conf_t *mcc);
static char *ngx_http_martech_campaign_parameter(ngx_conf_t *cf,
    ngx_http_martech_campaign_conf_t *campaign, ngx_str_t *value);
static char *ngx_http_martech_campaign_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf);


static ngx_http_martech_cookie_param_t  ngx_http_martech_cookie_params[] = {
    { ngx_string("domain"), ngx_http_martech_cookie_set_domain, 1 },
    { ngx_string("max_age"), ngx_http_martech_cookie_set_max_age, 1 },
    { ngx_string("rotate"), ngx_http_martech_cookie_set_rotate, 1 },
    { ngx_string("same_site"), ngx_http_martech_cookie_set_same_site, 1 },
    { ngx_string("secure"), ngx_http_martech_cookie_set_secure, 1 },
    { ngx_string("http_only"), ngx_http_martech_cookie_set_http_only, 1 },
    { ngx_string("path"), ngx_http_martech_cookie_set_path, 1 },
    { ngx_string("mode"), ngx_http_martech_cookie_set_mode, 0 },
    { ngx_string("key_file"), ngx_http_martech_cookie_set_key, 0 },
    { ngx_null_string, NULL, 0 }
};


static ngx_http_martech_cookie_t  ngx_http_martech_cookie_default = {
    ngx_null_string,
    NULL,
    ngx_string("/"),
    NGX_HTTP_MARTECH_COOKIE_USUAL,
    0,
    NGX_HTTP_MARTECH_SAME_SITE_LAX,
    NGX_HTTP_MARTECH_SECURE_AUTO,
    ngx_null_string,
    1,
    0
};


ngx_http_martech_cookie_t *
ngx_http_martech_cookie_usual(void)
{
    return &ngx_http_martech_cookie_default;
}


char *
ngx_http_martech_cookie(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                            *rv;
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_martech_cookie_conf_t   mcc;

    if (mlcf->cookie != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->cookie = NULL;
        return NGX_CONF_OK;
    }

    ngx_memzero(&mcc, sizeof(ngx_http_martech_cookie_conf_t));

    mcc.cookie = ngx_palloc(cf->pool, sizeof(ngx_http_martech_cookie_t));

    if (mcc.cookie == NULL) {
        return NGX_CONF_ERROR;
    }

    *mcc.cookie = ngx_http_martech_cookie_default;

    rv = ngx_http_martech_cookie_name(cf, &value[1], &mcc.cookie->name);

    for (i = 2; rv == NGX_CONF_OK && i < cf->args->nelts; i++) {
        rv = ngx_http_martech_cookie_parameter(cf, &mcc, &value[i]);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_martech_cookie_whole(cf, &mcc);
        mlcf->cookie = mcc.cookie;
    }

    return rv;
}


static char *
ngx_http_martech_cookie_parameter(ngx_conf_t *cf,
    ngx_http_martech_cookie_conf_t *mcc, ngx_str_t *value)
{
    ngx_str_t                         s;
    ngx_http_martech_cookie_param_t  *param;

    for (param = ngx_http_martech_cookie_params; param->set; param++) {

        if (!ngx_http_martech_conf_value(value, (char *) param->name.data,
                                         &s))
        {
            continue;
        }

        if (param->attribute) {
            mcc->attributes = 1;
        }

        if (param->set == ngx_http_martech_cookie_set_secure) {
            mcc->secure = 1;
        }

        return (param->set(cf, mcc->cookie, value, &s) == NGX_CONF_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    return ngx_http_martech_conf_invalid(cf, value, "it must be domain=, "
                  "max_age=, same_site=, secure=, http_only=, path=, rotate=, "
                  "mode= or key_file=");
}


/* A token of RFC 9110, but for what only makes trouble in a name. */

char *
ngx_http_martech_cookie_name(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name)
{
    size_t   i;
    u_char   ch;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (!((ch >= '0' && ch <= '9') || ch == '_' || ch == '-' || ch == '.'
              || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')))
        {
            break;
        }
    }

    if (i < value->len || value->len == 0
        || value->len > NGX_HTTP_MARTECH_COOKIE_NAME)
    {
        return ngx_http_martech_conf_invalid(cf, value,
                             "the name of a cookie has 1 to 64 letters, "
                             "digits, \"_\", \".\" or \"-\"");
    }

    *name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_time(ngx_conf_t *cf, ngx_str_t *param, ngx_str_t *s,
    time_t *value)
{
    *value = ngx_parse_time(s, 1);

    if (*value == (time_t) NGX_ERROR || *value < 1
        || *value > NGX_HTTP_MARTECH_COOKIE_MAX)
    {
        return ngx_http_martech_conf_invalid(cf, param,
                       "it must be 1s to 400d: browsers keep none longer");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_domain(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    size_t       i;
    u_char       ch;
    ngx_str_t   *domain;

    if (cookie->domains == NULL) {
        cookie->domains = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));

        if (cookie->domains == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (cookie->domains->nelts == NGX_HTTP_MARTECH_COOKIE_DOMAINS) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "there can be 32 domains");
    }

    for (i = 0; i < s->len; i++) {
        ch = s->data[i] = ngx_tolower(s->data[i]);

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || ch == '-' || (ch == '.' && i > 0 && s->data[i - 1] != '.')))
        {
            break;
        }
    }

    if (i < s->len || s->len == 0 || s->len > 253
        || s->data[s->len - 1] == '.'
        || ngx_strlchr(s->data, s->data + s->len, '.') == NULL
        || (s->data[s->len - 1] >= '0' && s->data[s->len - 1] <= '9'))
    {
        return ngx_http_martech_conf_invalid(cf, param,
                              "it must be a host with a dot in it, such as "
                              "example.com, and no address");
    }

    domain = ngx_array_push(cookie->domains);

    if (domain == NULL) {
        return NGX_CONF_ERROR;
    }

    *domain = *s;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_max_age(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    return ngx_http_martech_cookie_time(cf, param, s, &cookie->max_age);
}


static char *
ngx_http_martech_cookie_set_rotate(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    return ngx_http_martech_cookie_time(cf, param, s, &cookie->rotate);
}


static char *
ngx_http_martech_cookie_set_same_site(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    if (ngx_strcmp(s->data, "lax") == 0) {
        cookie->same_site = NGX_HTTP_MARTECH_SAME_SITE_LAX;

    } else if (ngx_strcmp(s->data, "strict") == 0) {
        cookie->same_site = NGX_HTTP_MARTECH_SAME_SITE_STRICT;

    } else if (ngx_strcmp(s->data, "none") == 0) {
        cookie->same_site = NGX_HTTP_MARTECH_SAME_SITE_NONE;

    } else {
        return ngx_http_martech_conf_invalid(cf, param,
                                         "it must be lax, strict or none");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_secure(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    if (ngx_strcmp(s->data, "auto") == 0) {
        cookie->secure = NGX_HTTP_MARTECH_SECURE_AUTO;

    } else if (ngx_strcmp(s->data, "on") == 0) {
        cookie->secure = NGX_HTTP_MARTECH_SECURE_ON;

    } else if (ngx_strcmp(s->data, "off") == 0) {
        cookie->secure = NGX_HTTP_MARTECH_SECURE_OFF;

    } else {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "it must be auto, on or off");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_http_only(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    if (ngx_strcmp(s->data, "on") != 0 && ngx_strcmp(s->data, "off") != 0) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "it must be on or off");
    }

    cookie->http_only = (s->len == 2);

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_path(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] <= ' ' || s->data[i] >= 0x7f || s->data[i] == ';') {
            break;
        }
    }

    if (i < s->len || s->len == 0 || s->data[0] != '/'
        || s->len > NGX_HTTP_MARTECH_COOKIE_PATH)
    {
        return ngx_http_martech_conf_invalid(cf, param,
                          "it must begin with \"/\" and have neither blanks "
                          "nor \";\"");
    }

    cookie->path = *s;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_cookie_set_mode(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    if (ngx_strcmp(s->data, "anonymous") == 0) {
        cookie->anonymous = 1;

    } else if (ngx_strcmp(s->data, "cookie") != 0) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "it must be cookie or anonymous");
    }

    return NGX_CONF_OK;
}


/* The key itself is in no message. */

static char *
ngx_http_martech_cookie_set_key(ngx_conf_t *cf,
    ngx_http_martech_cookie_t *cookie, ngx_str_t *param, ngx_str_t *s)
{
    ngx_str_t  *key;

    key = &cookie->key;

    if (ngx_http_martech_conf_read(cf, s, key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (key->len > 0 && (key->data[key->len - 1] == LF
                            || key->data[key->len - 1] == CR))
    {
        key->len--;
    }

    if (key->len < MARTECH_VISITOR_KEY_MIN) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "a key has 16 bytes at least");
    }

    return NGX_CONF_OK;
}


/* What only all of a directive together can tell. */

static char *
ngx_http_martech_cookie_whole(ngx_conf_t *cf,
    ngx_http_martech_cookie_conf_t *mcc)
{
    const char                    *wrong;
    ngx_http_martech_cookie_t     *cookie;
    ngx_http_martech_main_conf_t  *mmcf;

    cookie = mcc->cookie;

    if (cookie->anonymous) {

        if (mcc->attributes) {
            return "has \"mode=anonymous\", which sets no cookie, beside "
                   "attributes of one";
        }

        if (cookie->key.len > 0) {
            return NGX_CONF_OK;
        }

        mmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_martech_module);

        return (mmcf->days || ngx_http_martech_anonymous_zone(cf) == NGX_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (cookie->key.len > 0) {
        return "has \"key_file=\" without \"mode=anonymous\"";
    }

    if (!mcc->secure
        && (cookie->same_site == NGX_HTTP_MARTECH_SAME_SITE_NONE
            || ngx_strncmp(cookie->name.data, "__", 2) == 0))
    {
        cookie->secure = NGX_HTTP_MARTECH_SECURE_ON;
    }

    if (cookie->same_site == NGX_HTTP_MARTECH_SAME_SITE_NONE
        && cookie->secure != NGX_HTTP_MARTECH_SECURE_ON)
    {
        return "has \"same_site=none\", which needs \"secure=on\"";
    }

    wrong = ngx_http_martech_cookie_wrong(cookie, &cookie->name);

    if (wrong) {
        return ngx_http_martech_conf_invalid(cf, &cookie->name, wrong);
    }

    return NGX_CONF_OK;
}


/* What the prefix of a name demands (RFC 6265bis), or NULL. */

const char *
ngx_http_martech_cookie_wrong(ngx_http_martech_cookie_t *cookie,
    ngx_str_t *name)
{
    ngx_uint_t  i, host, http, secure;

    static const struct {
        ngx_str_t  prefix;
        unsigned   host:1;
        unsigned   http:1;
    } prefixes[] = {
        { ngx_string("__Host-Http-"), 1, 1 },
        { ngx_string("__Host-"), 1, 0 },
        { ngx_string("__Http-"), 0, 1 },
        { ngx_string("__Secure-"), 0, 0 }
    };

    host = 0;
    http = 0;
    secure = 0;

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {

        if (name->len > prefixes[i].prefix.len
            && ngx_strncasecmp(name->data, prefixes[i].prefix.data,
                               prefixes[i].prefix.len)
               == 0)
        {
            host = prefixes[i].host;
            http = prefixes[i].http;
            secure = 1;
            break;
        }
    }

    if (secure && cookie->secure != NGX_HTTP_MARTECH_SECURE_ON) {
        return "this prefix needs \"secure=on\"";
    }

    if (host && (cookie->domains
                 || cookie->path.len != 1 || cookie->path.data[0] != '/'))
    {
        return "__Host- needs \"path=/\" and no \"domain=\"";
    }

    if (http && !cookie->http_only) {
        return "this prefix needs \"http_only=on\"";
    }

    return NULL;
}


char *
ngx_http_martech_campaign(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                              *rv;
    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_martech_campaign_conf_t  *campaign;

    if (mlcf->campaign != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->campaign = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0) {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                             "it must be on or off");
    }

    campaign = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_campaign_conf_t));

    if (campaign == NULL) {
        return NGX_CONF_ERROR;
    }

    campaign->max_age = NGX_CONF_UNSET;
    campaign->clicks = 1;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_campaign_parameter(cf, campaign, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (campaign->cookie.len == 0 && campaign->max_age != NGX_CONF_UNSET) {
        return "has \"max_age=\" without \"cookie=\"";
    }

    if (campaign->max_age == NGX_CONF_UNSET) {
        campaign->max_age = NGX_HTTP_MARTECH_CAMPAIGN_USUAL;
    }

    mlcf->campaign = campaign;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_campaign_parameter(ngx_conf_t *cf,
    ngx_http_martech_campaign_conf_t *campaign, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_http_martech_conf_value(value, "cookie", &s)) {
        return ngx_http_martech_cookie_name(cf, &s, &campaign->cookie);
    }

    if (ngx_http_martech_conf_value(value, "max_age", &s)) {
        return ngx_http_martech_cookie_time(cf, value, &s,
                                            &campaign->max_age);
    }

    if (ngx_http_martech_conf_value(value, "click_ids", &s)) {

        if (ngx_strcmp(s.data, "on") != 0 && ngx_strcmp(s.data, "off") != 0) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be on or off");
        }

        campaign->clicks = (s.len == 2);

        return NGX_CONF_OK;
    }

    return ngx_http_martech_conf_invalid(cf, value, "it must be cookie=, "
                                         "max_age= or click_ids=");
}


char *
ngx_http_martech_cookie_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->cookie, prev->cookie, NULL);
    ngx_conf_merge_ptr_value(conf->campaign, prev->campaign, NULL);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->forget == NGX_CONF_UNSET) {
        conf->forget = (clcf->noname || clcf->lmt_excpt) && clcf->handler
                       == NULL && prev->forget == 1;

        if (conf->forget) {
            clcf->handler = ngx_http_martech_forget_handler;
        }
    }

    if (conf->forget && conf->cookie == NULL
        && (conf->campaign == NULL || conf->campaign->cookie.len == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_forget\" has "
                           "nothing to forget: it needs \"martech_cookie\", "
                           "or \"cookie=\" of \"martech_campaign\"");
        return NGX_CONF_ERROR;
    }

    return ngx_http_martech_campaign_merge(cf, conf);
}


/* Both cookies together. */

static char *
ngx_http_martech_campaign_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf)
{
    ngx_str_t                  *name;
    const char                 *wrong;
    ngx_http_martech_cookie_t  *cookie;

    if (conf->campaign == NULL || conf->campaign->cookie.len == 0) {
        return NGX_CONF_OK;
    }

    name = &conf->campaign->cookie;
    cookie = conf->cookie ? conf->cookie : &ngx_http_martech_cookie_default;

    if (cookie->anonymous) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"martech_campaign\" has "
                           "\"cookie=%V\" beside \"martech_cookie\" with "
                           "\"mode=anonymous\", which promises none", name);
        return NGX_CONF_ERROR;
    }

    wrong = ngx_http_martech_cookie_wrong(cookie, name);

    if (wrong == NULL && cookie->name.len == name->len
        && ngx_strncmp(cookie->name.data, name->data, name->len) == 0)
    {
        wrong = "it is the name of \"martech_cookie\"";
    }

    if (wrong) {
        return ngx_http_martech_conf_invalid(cf, name, wrong);
    }

    return NGX_CONF_OK;
}
