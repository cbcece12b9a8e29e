
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_consent and martech_consent_category: which signals count, in which
 * order, and what follows when a purpose is denied.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_CONSENT_NAME_MAX  64


/* Where a signal stands if the configuration does not say it. */
typedef struct {
    martech_consent_signal_t     signal;
    ngx_http_martech_carrier_e   carrier;
    ngx_str_t                    name;
} ngx_http_martech_usual_t;


static ngx_http_martech_usual_t  ngx_http_martech_usual[] = {
    { MARTECH_CONSENT_GPC, NGX_HTTP_MARTECH_CARRIER_HEADER,
      ngx_string("sec-gpc") },
    { MARTECH_CONSENT_DNT, NGX_HTTP_MARTECH_CARRIER_HEADER,
      ngx_string("dnt") },
    { MARTECH_CONSENT_EVENT, NGX_HTTP_MARTECH_CARRIER_NONE,
      ngx_string("") },
    { MARTECH_CONSENT_TCF, NGX_HTTP_MARTECH_CARRIER_COOKIE,
      ngx_string("euconsent-v2") },
    { MARTECH_CONSENT_USP, NGX_HTTP_MARTECH_CARRIER_COOKIE,
      ngx_string("usprivacy") },
    { MARTECH_CONSENT_ONETRUST, NGX_HTTP_MARTECH_CARRIER_COOKIE,
      ngx_string("OptanonConsent") },
    { MARTECH_CONSENT_COOKIEBOT, NGX_HTTP_MARTECH_CARRIER_COOKIE,
      ngx_string("CookieConsent") },
    { MARTECH_CONSENT_MODE, NGX_HTTP_MARTECH_CARRIER_ARG,
      ngx_string("gcd") },
    { MARTECH_CONSENT_MODE, NGX_HTTP_MARTECH_CARRIER_ARG,
      ngx_string("gcs") },
    { MARTECH_CONSENT_LIST, NGX_HTTP_MARTECH_CARRIER_HEADER,
      ngx_string("x-consent") },
    { MARTECH_CONSENT_DEFAULT, NGX_HTTP_MARTECH_CARRIER_NONE,
      ngx_null_string }
};


static char *ngx_http_martech_consent_parameter(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *value);
static char *ngx_http_martech_consent_value(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *param,
    ngx_str_t *s);
static char *ngx_http_martech_consent_signal(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *param);
static ngx_uint_t ngx_http_martech_consent_has(
    ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal);
static ngx_http_martech_signal_t *ngx_http_martech_consent_push(
    ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal);
static char *ngx_http_martech_consent_usual(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal, ngx_str_t *param);
static char *ngx_http_martech_consent_carrier(ngx_conf_t *cf,
    ngx_http_martech_signal_t *signal, ngx_str_t *param, ngx_str_t *text);
static ngx_uint_t ngx_http_martech_consent_token(ngx_str_t *name);
static char *ngx_http_martech_consent_body(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf);


char *
ngx_http_martech_consent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_martech_consent_conf_t  *consent;

    if (mlcf->consent != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->consent = NULL;
        return NGX_CONF_OK;
    }

    consent = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_consent_conf_t));

    if (consent == NULL) {
        return NGX_CONF_ERROR;
    }

    consent->require = MARTECH_PURPOSE_ANALYTICS;
    consent->granted = MARTECH_PURPOSES_ALL;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_martech_consent_parameter(cf, consent, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    mlcf->consent = consent;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_consent_parameter(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *value)
{
    ngx_str_t      s;
    martech_str_t  list;

    if (ngx_http_martech_conf_value(value, "policy", &s)) {

        if (ngx_strcmp(s.data, "drop") == 0) {
            consent->policy = NGX_HTTP_MARTECH_CONSENT_DROP;

        } else if (ngx_strcmp(s.data, "anonymize") == 0) {
            consent->policy = NGX_HTTP_MARTECH_CONSENT_ANONYMIZE;

        } else if (ngx_strcmp(s.data, "tag") == 0) {
            consent->policy = NGX_HTTP_MARTECH_CONSENT_TAG;

        } else {
            return ngx_http_martech_conf_invalid(cf, value,
                                       "it must be drop, anonymize or tag");
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "require", &s)) {
        list.data = s.data;
        list.len = s.len;

        consent->require = martech_consent_purposes(list);

        if (consent->require == 0) {
            return ngx_http_martech_conf_invalid(cf, value, "purposes are "
                              "necessary, functional, analytics, advertising "
                              "and personalization");
        }

        return NGX_CONF_OK;
    }

    if (ngx_http_martech_conf_value(value, "default", &s)) {
        return ngx_http_martech_consent_value(cf, consent, value, &s);
    }

    if (ngx_http_martech_conf_value(value, "log", &s)) {

        if (ngx_strcmp(s.data, "on") != 0 && ngx_strcmp(s.data, "off") != 0) {
            return ngx_http_martech_conf_invalid(cf, value,
                                                 "it must be on or off");
        }

        consent->log = (s.len == 2);

        return NGX_CONF_OK;
    }

    return ngx_http_martech_consent_signal(cf, consent, value);
}


static char *
ngx_http_martech_consent_value(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *param, ngx_str_t *s)
{
    ngx_http_compile_complex_value_t  ccv;

    consent->value = NULL;

    if (ngx_strcmp(s->data, "granted") == 0) {
        consent->granted = MARTECH_PURPOSES_ALL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(s->data, "denied") == 0) {
        consent->granted = 0;
        return NGX_CONF_OK;
    }

    if (s->data[0] != '$') {
        return ngx_http_martech_conf_invalid(cf, param,
                           "it must be granted, denied or a variable");
    }

    consent->value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));

    if (consent->value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = s;
    ccv.complex_value = consent->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* "tcf", "tcf=cookie:NAME", or "gpc=PURPOSES". */

static char *
ngx_http_martech_consent_signal(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent, ngx_str_t *param)
{
    u_char                     *p;
    uint8_t                     purposes;
    ngx_str_t                   text;
    martech_str_t               name;
    martech_consent_signal_t    signal;
    ngx_http_martech_signal_t  *place;

    p = ngx_strlchr(param->data, param->data + param->len, '=');

    name.data = param->data;
    name.len = p ? (size_t) (p - param->data) : param->len;

    signal = martech_consent_signal(name);

    if (signal == MARTECH_CONSENT_DEFAULT) {
        return ngx_http_martech_conf_invalid(cf, param, "it must be policy=, "
                  "require=, default=, log=, or a signal: gpc, dnt, event, "
                  "tcf, gpp, usp, onetrust, cookiebot, consent_mode, segment "
                  "or list");
    }

    if (p == NULL) {
        return ngx_http_martech_consent_usual(cf, consent, signal, param);
    }

    text.data = p + 1;
    text.len = param->data + param->len - text.data;

    if (signal == MARTECH_CONSENT_EVENT) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "event has no value");
    }

    if (signal == MARTECH_CONSENT_GPC || signal == MARTECH_CONSENT_DNT) {
        name.data = text.data;
        name.len = text.len;

        purposes = martech_consent_purposes(name);

        if (purposes == 0) {
            return ngx_http_martech_conf_invalid(cf, param, "it must be all, "
                              "or purposes: functional, analytics, "
                              "advertising and personalization");
        }

        *(signal == MARTECH_CONSENT_GPC ? &consent->gpc : &consent->dnt) =
                                                                     purposes;

        return ngx_http_martech_consent_usual(cf, consent, signal, param);
    }

    place = ngx_http_martech_consent_push(consent, signal);

    if (place == NULL) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "there can be 16 signals");
    }

    return ngx_http_martech_consent_carrier(cf, place, param, &text);
}


static ngx_uint_t
ngx_http_martech_consent_has(ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal)
{
    ngx_uint_t  i;

    for (i = 0; i < consent->nsignals; i++) {

        if (consent->signals[i].signal == signal) {
            return 1;
        }
    }

    return 0;
}


static ngx_http_martech_signal_t *
ngx_http_martech_consent_push(ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal)
{
    ngx_http_martech_signal_t  *place;

    if (consent->nsignals == NGX_HTTP_MARTECH_SIGNALS_MAX) {
        return NULL;
    }

    place = &consent->signals[consent->nsignals++];
    place->signal = signal;

    return place;
}


static char *
ngx_http_martech_consent_usual(ngx_conf_t *cf,
    ngx_http_martech_consent_conf_t *consent,
    martech_consent_signal_t signal, ngx_str_t *param)
{
    ngx_uint_t                  found;
    ngx_http_martech_usual_t   *usual;
    ngx_http_martech_signal_t  *place;

    if (ngx_http_martech_consent_has(consent, signal)) {
        return ngx_http_martech_conf_invalid(cf, param,
                                             "the signal is there already");
    }

    found = 0;

    for (usual = ngx_http_martech_usual; usual->signal; usual++) {

        if (usual->signal != signal) {
            continue;
        }

        place = ngx_http_martech_consent_push(consent, signal);

        if (place == NULL) {
            return ngx_http_martech_conf_invalid(cf, param,
                                                 "there can be 16 signals");
        }

        place->carrier = usual->carrier;
        place->name = usual->name;
        found = 1;
    }

    if (!found) {
        return ngx_http_martech_conf_invalid(cf, param, "it needs =cookie:, "
                                  "=header:, =arg: with a name, or =$variable");
    }

    if (signal == MARTECH_CONSENT_EVENT) {
        consent->event = 1;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_consent_carrier(ngx_conf_t *cf,
    ngx_http_martech_signal_t *signal, ngx_str_t *param, ngx_str_t *text)
{
    ngx_uint_t                         i;
    ngx_http_compile_complex_value_t   ccv;

    static const struct {
        ngx_str_t                      word;
        ngx_http_martech_carrier_e     carrier;
    } carriers[] = {
        { ngx_string("cookie:"), NGX_HTTP_MARTECH_CARRIER_COOKIE },
        { ngx_string("header:"), NGX_HTTP_MARTECH_CARRIER_HEADER },
        { ngx_string("arg:"), NGX_HTTP_MARTECH_CARRIER_ARG }
    };

    if (text->len > 1 && text->data[0] == '$') {
        signal->carrier = NGX_HTTP_MARTECH_CARRIER_VALUE;

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = text;
        ccv.complex_value = &signal->value;

        return (ngx_http_compile_complex_value(&ccv) == NGX_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {

        if (text->len <= carriers[i].word.len
            || ngx_strncmp(text->data, carriers[i].word.data,
                           carriers[i].word.len)
               != 0)
        {
            continue;
        }

        signal->carrier = carriers[i].carrier;
        signal->name.data = text->data + carriers[i].word.len;
        signal->name.len = text->len - carriers[i].word.len;

        if (!ngx_http_martech_consent_token(&signal->name)) {
            break;
        }

        return NGX_CONF_OK;
    }

    return ngx_http_martech_conf_invalid(cf, param, "it must be cookie:, "
                "header: or arg: with a name of 1 to 64 letters, digits and "
                "signs that a header may have, or a variable");
}


static ngx_uint_t
ngx_http_martech_consent_token(ngx_str_t *name)
{
    u_char  c;
    size_t  i;

    if (name->len > NGX_HTTP_MARTECH_CONSENT_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c <= ' ' || c >= 0x7f || ngx_strchr("()<>@,;:\\\"/[]?={}", c)) {
            return 0;
        }
    }

    return 1;
}


char *
ngx_http_martech_consent_category(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    martech_str_t                list;
    martech_consent_category_t  *category;

    value = cf->args->elts;

    if (mlcf->categories == NGX_CONF_UNSET_PTR) {
        mlcf->categories = ngx_array_create(cf->pool, 8,
                                        sizeof(martech_consent_category_t));
        if (mlcf->categories == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    category = mlcf->categories->elts;

    for (i = 0; i < mlcf->categories->nelts; i++) {

        if (category[i].name.len == value[1].len
            && ngx_memcmp(category[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            return ngx_http_martech_conf_invalid(cf, &value[1],
                                              "the category is there already");
        }
    }

    if (value[1].len == 0 || value[1].len > NGX_HTTP_MARTECH_CONSENT_NAME_MAX)
    {
        return ngx_http_martech_conf_invalid(cf, &value[1],
                                     "a category has 1 to 64 characters");
    }

    category = ngx_array_push(mlcf->categories);

    if (category == NULL) {
        return NGX_CONF_ERROR;
    }

    list.data = value[2].data;
    list.len = value[2].len;

    category->name.data = value[1].data;
    category->name.len = value[1].len;
    category->purposes = martech_consent_purposes(list);

    if (category->purposes == 0) {
        return ngx_http_martech_conf_invalid(cf, &value[2], "purposes are "
                              "necessary, functional, analytics, advertising "
                              "and personalization");
    }

    return NGX_CONF_OK;
}


char *
ngx_http_martech_consent_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    martech_consent_rules_t  *rules;

    ngx_conf_merge_ptr_value(conf->consent, prev->consent, NULL);
    ngx_conf_merge_ptr_value(conf->categories, prev->categories, NULL);

    if (conf->consent == NULL) {
        return NGX_CONF_OK;
    }

    rules = &conf->consent_rules;

    martech_consent_rules_default(rules);

    if (conf->categories) {
        rules->categories = conf->categories->elts;
        rules->ncategories = (unsigned) conf->categories->nelts;
    }

    if (conf->consent->gpc) {
        rules->gpc = conf->consent->gpc;
    }

    if (conf->consent->dnt) {
        rules->dnt = conf->consent->dnt;
    }

    return ngx_http_martech_consent_body(cf, conf);
}


/*
 * A body that NGINX writes to a temporary file would be on disk before its
 * person could have denied that, so it has to fit into memory.  The room is
 * taken only as far as a body needs it; a quarter more is for the framing of
 * chunks.
 */

static char *
ngx_http_martech_consent_body(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *conf)
{
    size_t                     size;
    ngx_http_core_loc_conf_t  *clcf;

    if (!conf->collect
        || conf->consent->policy == NGX_HTTP_MARTECH_CONSENT_TAG)
    {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_body_in_file_only) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"client_body_in_file_only\" writes what "
                      "\"martech_consent\" must keep off the disk, it must be "
                      "off in location \"%V\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    size = conf->limits.batch_size_max + conf->limits.batch_size_max / 4;

    if (clcf->client_body_buffer_size < size) {
        clcf->client_body_buffer_size = size;
    }

    return NGX_CONF_OK;
}
