
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_webhook: the scheme, its secrets, and where a payload says what.
 *
 * Secrets come from files only, so that they stand in no configuration that is
 * shown or kept; errors name the file and the line, never what is there.
 */


#include "ngx_http_martech_webhook.h"


#define NGX_HTTP_MARTECH_WEBHOOK_FILES      8
#define NGX_HTTP_MARTECH_WEBHOOK_TOLERANCE  86400    /* s, at most */
#define NGX_HTTP_MARTECH_WEBHOOK_USUAL      300      /* s, of a time that is
                                                        configured */


/* The parameters; those from HEADER on belong to the scheme "hmac". */
typedef enum {
    NGX_HTTP_MARTECH_WEBHOOK_SECRET_FILE = 0,
    NGX_HTTP_MARTECH_WEBHOOK_URL,
    NGX_HTTP_MARTECH_WEBHOOK_TOLERATES,
    NGX_HTTP_MARTECH_WEBHOOK_SOURCE,
    NGX_HTTP_MARTECH_WEBHOOK_EVENT,
    NGX_HTTP_MARTECH_WEBHOOK_USER,
    NGX_HTTP_MARTECH_WEBHOOK_ANONYMOUS,
    NGX_HTTP_MARTECH_WEBHOOK_ID,
    NGX_HTTP_MARTECH_WEBHOOK_TIME,
    NGX_HTTP_MARTECH_WEBHOOK_EACH,
    NGX_HTTP_MARTECH_WEBHOOK_HEADER,
    NGX_HTTP_MARTECH_WEBHOOK_ALGORITHM,
    NGX_HTTP_MARTECH_WEBHOOK_ENCODING,
    NGX_HTTP_MARTECH_WEBHOOK_PREFIX,
    NGX_HTTP_MARTECH_WEBHOOK_SEPARATOR,
    NGX_HTTP_MARTECH_WEBHOOK_TEMPLATE,
    NGX_HTTP_MARTECH_WEBHOOK_TIME_HEADER,
    NGX_HTTP_MARTECH_WEBHOOK_TIME_PREFIX,
    NGX_HTTP_MARTECH_WEBHOOK_UNIT,
    NGX_HTTP_MARTECH_WEBHOOK_KEY,
    NGX_HTTP_MARTECH_WEBHOOK_PARAMS
} ngx_http_martech_webhook_param_e;


static const char  *ngx_http_martech_webhook_params[] = {
    "secret_file", "url", "tolerance", "source", "event", "user", "anonymous",
    "id", "time", "each",
    "header", "algorithm", "encoding", "prefix", "separator", "template",
    "timestamp_header", "timestamp_prefix", "unit", "key"
};


/* A word and what it stands for; lists end with NULL. */
typedef struct {
    const char  *word;
    int          value;
} ngx_http_martech_webhook_word_t;

static const ngx_http_martech_webhook_word_t
    ngx_http_martech_webhook_algorithms[] =
{
    { "sha1", MARTECH_HOOK_HMAC_SHA1 },
    { "sha256", MARTECH_HOOK_HMAC_SHA256 },
    { "sha512", MARTECH_HOOK_HMAC_SHA512 },
    { NULL, 0 }
};

static const ngx_http_martech_webhook_word_t
    ngx_http_martech_webhook_encodings[] =
{
    { "hex", MARTECH_HOOK_HEX },
    { "base64", MARTECH_HOOK_BASE64 },
    { "base64url", MARTECH_HOOK_BASE64URL },
    { NULL, 0 }
};

static const ngx_http_martech_webhook_word_t
    ngx_http_martech_webhook_units[] =
{
    { "s", MARTECH_HOOK_S },
    { "ms", MARTECH_HOOK_MS },
    { "rfc3339", MARTECH_HOOK_RFC3339 },
    { "http-date", MARTECH_HOOK_HTTP_DATE },
    { NULL, 0 }
};

static const ngx_http_martech_webhook_word_t
    ngx_http_martech_webhook_keys[] =
{
    { "raw", MARTECH_HOOK_KEY_RAW },
    { "base64", MARTECH_HOOK_KEY_BASE64 },
    { "hex", MARTECH_HOOK_KEY_HEX },
    { NULL, 0 }
};


typedef struct {
    ngx_conf_t                  *cf;
    ngx_http_martech_webhook_t  *webhook;
    ngx_str_t                   *param;    /* all of it, for errors */
    ngx_str_t                    value;
    ngx_str_t                    files[NGX_HTTP_MARTECH_WEBHOOK_FILES];
    ngx_uint_t                   nfiles;
    ngx_str_t                    given[NGX_HTTP_MARTECH_WEBHOOK_PARAMS];
} ngx_http_martech_webhook_conf_t;


static char *ngx_http_martech_webhook_scheme(
    ngx_http_martech_webhook_conf_t *wc, ngx_str_t *name);
static char *ngx_http_martech_webhook_param(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_take(
    ngx_http_martech_webhook_conf_t *wc, ngx_uint_t n);
static char *ngx_http_martech_webhook_take_hmac(
    ngx_http_martech_webhook_conf_t *wc, ngx_uint_t n);
static char *ngx_http_martech_webhook_take_word(
    ngx_http_martech_webhook_conf_t *wc,
    const ngx_http_martech_webhook_word_t *words, int *value,
    const char *allowed);
static char *ngx_http_martech_webhook_take_url(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_take_tolerance(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_take_template(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_take_id(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_take_expression(
    ngx_http_martech_webhook_conf_t *wc, martech_str_t *expression);
static ngx_int_t ngx_http_martech_webhook_lower(
    ngx_http_martech_webhook_conf_t *wc, martech_str_t *text);
static char *ngx_http_martech_webhook_check(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_check_hmac(
    ngx_http_martech_webhook_conf_t *wc);
static char *ngx_http_martech_webhook_secrets(
    ngx_http_martech_webhook_conf_t *wc, ngx_str_t *path);
static char *ngx_http_martech_webhook_lines(
    ngx_http_martech_webhook_conf_t *wc, ngx_str_t *path, ngx_str_t *content);
static void ngx_http_martech_webhook_cleanup(void *data);


char *
ngx_http_martech_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_pool_cleanup_t               *cln;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_martech_main_conf_t     *mmcf;
    ngx_http_martech_webhook_conf_t   wc;

    if (mlcf->webhook) {
        return "is duplicate";
    }

    if (mlcf->collect != NGX_CONF_UNSET) {
        return "cannot be with \"martech_collect\" in one location";
    }

    ngx_memzero(&wc, sizeof(ngx_http_martech_webhook_conf_t));

    wc.cf = cf;
    wc.webhook = ngx_pcalloc(cf->pool, sizeof(ngx_http_martech_webhook_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (wc.webhook == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_martech_webhook_cleanup;
    cln->data = wc.webhook;

    value = cf->args->elts;

    rv = ngx_http_martech_webhook_scheme(&wc, &value[1]);

    for (i = 2; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {
        wc.param = &value[i];
        rv = ngx_http_martech_webhook_param(&wc);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_martech_webhook_check(&wc);
    }

    for (i = 0; i < wc.nfiles && rv == NGX_CONF_OK; i++) {
        rv = ngx_http_martech_webhook_secrets(&wc, &wc.files[i]);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    mlcf->webhook = wc.webhook;
    mlcf->collect = 1;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);
    mmcf->collects++;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_martech_webhook_handler;

    return NGX_CONF_OK;
}


static void
ngx_http_martech_webhook_cleanup(void *data)
{
    ngx_http_martech_webhook_t *webhook = data;

    martech_hook_clear(&webhook->hook);
}


static char *
ngx_http_martech_webhook_scheme(ngx_http_martech_webhook_conf_t *wc,
    ngx_str_t *name)
{
    u_char                        list[512], *p;
    unsigned                      i;
    martech_str_t                 word;
    const martech_hook_scheme_t  *scheme;

    word.data = name->data;
    word.len = name->len;

    scheme = martech_hook_find(word);

    if (scheme) {
        wc->webhook->scheme = *scheme;
        wc->webhook->hook.scheme = &wc->webhook->scheme;
        wc->webhook->hook.tolerance_ms = scheme->tolerance_ms;

        ngx_str_set(&wc->webhook->source, "");
        wc->webhook->source.data = (u_char *) scheme->name.data;
        wc->webhook->source.len = scheme->name.len;

        return NGX_CONF_OK;
    }

    p = list;

    for (i = 0; (scheme = martech_hook_scheme(i)) != NULL; i++) {
        p = ngx_slprintf(p, list + sizeof(list), "%s%*s", i ? ", " : "",
                         scheme->name.len, scheme->name.data);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, wc->cf, 0,
                       "unknown scheme \"%V\", it must be one of %*s", name,
                       (size_t) (p - list), list);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_martech_webhook_param(ngx_http_martech_webhook_conf_t *wc)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_MARTECH_WEBHOOK_PARAMS; n++) {

        if (!ngx_http_martech_conf_value(wc->param,
                                         ngx_http_martech_webhook_params[n],
                                         &wc->value))
        {
            continue;
        }

        if (n != NGX_HTTP_MARTECH_WEBHOOK_SECRET_FILE && wc->given[n].len) {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                                                 "it is given already");
        }

        if (wc->value.len == 0) {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                                                 "it must not be empty");
        }

        wc->given[n] = *wc->param;

        if (n < NGX_HTTP_MARTECH_WEBHOOK_HEADER) {
            return ngx_http_martech_webhook_take(wc, n);
        }

        if (ngx_strncmp(wc->webhook->scheme.name.data, "hmac",
                        wc->webhook->scheme.name.len)
            != 0)
        {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                                   "it belongs to the scheme \"hmac\" only");
        }

        return ngx_http_martech_webhook_take_hmac(wc, n);
    }

    return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                  "the parameters are secret_file=, url=, tolerance=, "
                  "source=, event=, user=, anonymous=, id=, time= and each=, "
                  "of the scheme \"hmac\" also header=, algorithm=, "
                  "encoding=, prefix=, separator=, template=, "
                  "timestamp_header=, timestamp_prefix=, unit= and key=");
}


static char *
ngx_http_martech_webhook_take(ngx_http_martech_webhook_conf_t *wc,
    ngx_uint_t n)
{
    const char      *error;
    martech_hook_t  *hook;

    hook = &wc->webhook->hook;

    switch (n) {

    case NGX_HTTP_MARTECH_WEBHOOK_SECRET_FILE:

        if (wc->nfiles == NGX_HTTP_MARTECH_WEBHOOK_FILES) {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                                                 "there can be 8 of them");
        }

        wc->files[wc->nfiles++] = wc->value;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_URL:
        return ngx_http_martech_webhook_take_url(wc);

    case NGX_HTTP_MARTECH_WEBHOOK_TOLERATES:
        return ngx_http_martech_webhook_take_tolerance(wc);

    case NGX_HTTP_MARTECH_WEBHOOK_SOURCE:
        wc->webhook->source = wc->value;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_EVENT:
        hook->event.data = wc->value.data;
        hook->event.len = wc->value.len;

        if (ngx_http_martech_webhook_lower(wc, &hook->event) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        error = martech_hook_names(hook->event);

        return error ? ngx_http_martech_conf_invalid(wc->cf, wc->param, error)
                     : NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_USER:
        return ngx_http_martech_webhook_take_expression(wc, &hook->user);

    case NGX_HTTP_MARTECH_WEBHOOK_ANONYMOUS:
        return ngx_http_martech_webhook_take_expression(wc, &hook->anonymous);

    case NGX_HTTP_MARTECH_WEBHOOK_ID:
        return ngx_http_martech_webhook_take_id(wc);

    case NGX_HTTP_MARTECH_WEBHOOK_TIME:
        return ngx_http_martech_webhook_take_expression(wc, &hook->time);

    default:

        if (wc->value.data[0] != '/' || wc->value.len > 500) {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                                        "it must be a JSON pointer: /a/b");
        }

        hook->each.data = wc->value.data;
        hook->each.len = wc->value.len;

        return NGX_CONF_OK;
    }
}


static char *
ngx_http_martech_webhook_take_hmac(ngx_http_martech_webhook_conf_t *wc,
    ngx_uint_t n)
{
    int                     word;
    char                   *rv;
    martech_str_t           text;
    martech_hook_scheme_t  *scheme;
    martech_hook_signer_t  *signer;

    scheme = &wc->webhook->scheme;
    signer = &scheme->signers[0];

    text.data = wc->value.data;
    text.len = wc->value.len;
    word = 0;

    switch (n) {

    case NGX_HTTP_MARTECH_WEBHOOK_HEADER:
        ngx_strlow(wc->value.data, wc->value.data, wc->value.len);
        scheme->header = text;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_ALGORITHM:
        rv = ngx_http_martech_webhook_take_word(wc,
                             ngx_http_martech_webhook_algorithms, &word,
                             "it must be sha1, sha256 or sha512");
        signer->mac = (martech_hook_mac_e) word;
        return rv;

    case NGX_HTTP_MARTECH_WEBHOOK_ENCODING:
        rv = ngx_http_martech_webhook_take_word(wc,
                             ngx_http_martech_webhook_encodings, &word,
                             "it must be hex, base64 or base64url");
        signer->encoding = (martech_hook_encoding_e) word;
        return rv;

    case NGX_HTTP_MARTECH_WEBHOOK_PREFIX:
        signer->prefix = text;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_SEPARATOR:

        if (text.len != 1 || ngx_strlchr((u_char *) " ,;|&",
                                         (u_char *) " ,;|&" + 5,
                                         text.data[0])
                             == NULL)
        {
            return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                              "it must be a blank or one of , ; | &");
        }

        scheme->separator = (char) text.data[0];
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_TEMPLATE:
        return ngx_http_martech_webhook_take_template(wc);

    case NGX_HTTP_MARTECH_WEBHOOK_TIME_HEADER:
        ngx_strlow(wc->value.data, wc->value.data, wc->value.len);
        scheme->time_header = text;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_TIME_PREFIX:
        scheme->time_prefix = text;
        return NGX_CONF_OK;

    case NGX_HTTP_MARTECH_WEBHOOK_UNIT:
        rv = ngx_http_martech_webhook_take_word(wc,
                             ngx_http_martech_webhook_units, &word,
                             "it must be s, ms, rfc3339 or http-date");
        scheme->unit = (martech_hook_unit_e) word;
        return rv;

    default:
        rv = ngx_http_martech_webhook_take_word(wc,
                             ngx_http_martech_webhook_keys, &word,
                             "it must be raw, base64 or hex");
        signer->key = (martech_hook_key_e) word;
        return rv;
    }
}


static char *
ngx_http_martech_webhook_take_word(ngx_http_martech_webhook_conf_t *wc,
    const ngx_http_martech_webhook_word_t *words, int *value,
    const char *allowed)
{
    for ( /* void */ ; words->word; words++) {

        if (ngx_strcmp(wc->value.data, words->word) == 0) {
            *value = words->value;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_martech_conf_invalid(wc->cf, wc->param, allowed);
}


/* With a variable it is all of the URL, else what stands before the path. */

static char *
ngx_http_martech_webhook_take_url(ngx_http_martech_webhook_conf_t *wc)
{
    ngx_str_t                         url;
    ngx_http_compile_complex_value_t  ccv;

    url = wc->value;

    if (ngx_http_script_variables_count(&url)) {
        wc->webhook->whole = 1;

    } else if (ngx_strncmp(url.data, "https://", 8) != 0
               && ngx_strncmp(url.data, "http://", 7) != 0)
    {
        return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                   "it must be http:// or https:// with a host, "
                   "or all of the URL by variables");

    } else if (url.data[url.len - 1] == '/') {
        url.len--;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = wc->cf;
    ccv.value = &url;
    ccv.complex_value = &wc->webhook->url;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_http_martech_webhook_take_tolerance(ngx_http_martech_webhook_conf_t *wc)
{
    ngx_int_t  n;

    n = ngx_parse_time(&wc->value, 1);

    if (n == NGX_ERROR || n > NGX_HTTP_MARTECH_WEBHOOK_TOLERANCE) {
        return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                               "it must be a time of at most 1d, 0: any time");
    }

    wc->webhook->hook.tolerance_ms = (int64_t) n * 1000;

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_webhook_take_template(ngx_http_martech_webhook_conf_t *wc)
{
    const char             *error;
    martech_str_t           text;
    martech_hook_scheme_t  *scheme;

    scheme = &wc->webhook->scheme;

    text.data = wc->value.data;
    text.len = wc->value.len;

    if (ngx_http_martech_webhook_lower(wc, &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(scheme->parts, sizeof(scheme->parts));

    error = martech_hook_template(scheme, text);

    return error ? ngx_http_martech_conf_invalid(wc->cf, wc->param, error)
                 : NGX_CONF_OK;
}


static char *
ngx_http_martech_webhook_take_id(ngx_http_martech_webhook_conf_t *wc)
{
    ngx_http_compile_complex_value_t  ccv;

    if (ngx_http_script_variables_count(&wc->value) == 0) {
        return ngx_http_martech_webhook_take_expression(wc,
                                                     &wc->webhook->hook.id);
    }

    wc->webhook->id = ngx_palloc(wc->cf->pool,
                                 sizeof(ngx_http_complex_value_t));
    if (wc->webhook->id == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = wc->cf;
    ccv.value = &wc->value;
    ccv.complex_value = wc->webhook->id;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_http_martech_webhook_take_expression(ngx_http_martech_webhook_conf_t *wc,
    martech_str_t *expression)
{
    expression->data = wc->value.data;
    expression->len = wc->value.len;

    if (ngx_http_martech_webhook_lower(wc, expression) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (!martech_hook_is_expression(*expression)) {
        return ngx_http_martech_conf_invalid(wc->cf, wc->param,
                   "it must be JSON pointers or header:NAME, with \"|\" "
                   "between: /a/b|header:x-id");
    }

    return NGX_CONF_OK;
}


/* Names of headers are compared in lower case; a copy has them so. */

static ngx_int_t
ngx_http_martech_webhook_lower(ngx_http_martech_webhook_conf_t *wc,
    martech_str_t *text)
{
    size_t   i;
    u_char  *p;

    static const size_t  len = sizeof("header:") - 1;

    p = ngx_pnalloc(wc->cf->pool, text->len + 1);

    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);
    p[text->len] = '\0';

    for (i = 0; i + len <= text->len; i++) {

        if ((i > 0 && p[i - 1] != '{' && p[i - 1] != '|')
            || ngx_strncmp(p + i, "header:", len) != 0)
        {
            continue;
        }

        for (i += len; i < text->len && p[i] != '}' && p[i] != '|'; i++) {
            p[i] = ngx_tolower(p[i]);
        }
    }

    text->data = p;

    return NGX_OK;
}


/* What only all parameters together tell. */

static char *
ngx_http_martech_webhook_check(ngx_http_martech_webhook_conf_t *wc)
{
    char                   *rv;
    martech_hook_t         *hook;
    martech_hook_scheme_t  *scheme;

    hook = &wc->webhook->hook;
    scheme = &wc->webhook->scheme;

    rv = (ngx_strncmp(scheme->name.data, "hmac", scheme->name.len) == 0)
         ? ngx_http_martech_webhook_check_hmac(wc) : NGX_CONF_OK;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (wc->nfiles == 0) {
        return "needs secret_file=";
    }

    if (martech_hook_signs_url(scheme) && wc->webhook->url.value.data == NULL)
    {
        return "needs url=, as this scheme signs the URL that the sender was "
               "given; it is $scheme://$host$request_uri without a proxy";
    }

    if (wc->given[NGX_HTTP_MARTECH_WEBHOOK_TOLERATES].len > 0
        && scheme->time_header.len + scheme->time_prefix.len == 0)
    {
        return ngx_http_martech_conf_invalid(wc->cf,
                          &wc->given[NGX_HTTP_MARTECH_WEBHOOK_TOLERATES],
                          "this scheme signs no time");
    }

    hook->source.data = wc->webhook->source.data;
    hook->source.len = wc->webhook->source.len;

    return NGX_CONF_OK;
}


/* A time that is not signed would be whatever its sender likes. */

static char *
ngx_http_martech_webhook_check_hmac(ngx_http_martech_webhook_conf_t *wc)
{
    ngx_uint_t              i, time, body;
    martech_hook_scheme_t  *scheme;

    scheme = &wc->webhook->scheme;
    time = 0;
    body = 0;

    for (i = 0; i < MARTECH_HOOK_PARTS; i++) {
        time |= (scheme->parts[i].kind == MARTECH_HOOK_TIME);
        body |= (scheme->parts[i].kind == MARTECH_HOOK_BODY
                 || scheme->parts[i].kind == MARTECH_HOOK_FORM
                 || scheme->parts[i].kind == MARTECH_HOOK_DIGEST);
    }

    if (scheme->header.len == 0) {
        return "needs header= for the scheme \"hmac\"";
    }

    if (!body) {
        return "needs {body}, {form} or {sha256} in template=";
    }

    if (scheme->time_header.len > 0 && scheme->time_prefix.len > 0) {
        return "can have only one of timestamp_header= and timestamp_prefix=";
    }

    if (time != (scheme->time_header.len + scheme->time_prefix.len > 0)) {
        return "needs both {time} in template= and one of timestamp_header= "
               "and timestamp_prefix=, or none of them";
    }

    if (scheme->time_prefix.len > 0 && scheme->separator == 0) {
        return "needs separator= with timestamp_prefix=";
    }

    if (time && wc->given[NGX_HTTP_MARTECH_WEBHOOK_TOLERATES].len == 0) {
        wc->webhook->hook.tolerance_ms =
                                   NGX_HTTP_MARTECH_WEBHOOK_USUAL * 1000;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_martech_webhook_secrets(ngx_http_martech_webhook_conf_t *wc,
    ngx_str_t *path)
{
    char       *rv;
    ngx_str_t   content;

    if (ngx_http_martech_conf_read(wc->cf, path, &content) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_martech_webhook_lines(wc, path, &content);

    ngx_explicit_memzero(content.data, content.len);

    return rv;
}


/* One secret a line; empty lines and lines that start with # do not count. */

static char *
ngx_http_martech_webhook_lines(ngx_http_martech_webhook_conf_t *wc,
    ngx_str_t *path, ngx_str_t *content)
{
    u_char         *p, *end;
    ngx_uint_t      n, line;
    const char     *error;
    martech_str_t   text;

    n = 0;
    line = 0;
    p = content->data;
    end = p + content->len;

    while (p < end) {
        text.data = p;

        while (p < end && *p != LF) {
            p++;
        }

        text.len = p++ - text.data;
        line++;

        while (text.len > 0 && (text.data[text.len - 1] == CR
                                || text.data[text.len - 1] == ' '))
        {
            text.len--;
        }

        if (text.len == 0 || text.data[0] == '#') {
            continue;
        }

        error = martech_hook_secret(&wc->webhook->hook, text);

        if (error) {
            ngx_conf_log_error(NGX_LOG_EMERG, wc->cf, 0,
                               "secret file \"%V\", line %ui: %s", path, line,
                               error);
            return NGX_CONF_ERROR;
        }

        n++;
    }

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, wc->cf, 0, "\"%V\" has no secret",
                           path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * A webhook is its own source, and consent is asked of it only if that is
 * configured here: it is no visitor who speaks.
 */

char *
ngx_http_martech_webhook_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* the blocks "if" and "limit_except" are locations of their own */

    if ((clcf->noname || clcf->lmt_excpt) && conf->webhook == NULL
        && conf->collect == NGX_CONF_UNSET && prev->webhook
        && clcf->handler == NULL)
    {
        conf->webhook = prev->webhook;
        conf->collect = 1;
        clcf->handler = ngx_http_martech_webhook_handler;

    } else if (conf->webhook && conf->consent == NGX_CONF_UNSET_PTR) {
        conf->consent = NULL;
    }

    if (conf->webhook == NULL) {
        return NGX_CONF_OK;
    }

    conf->sources = ngx_http_martech_source_single(cf,
                                                   &conf->webhook->source);

    return conf->sources ? NGX_CONF_OK : NGX_CONF_ERROR;
}
