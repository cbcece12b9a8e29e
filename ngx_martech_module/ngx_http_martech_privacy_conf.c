
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The directives of privacy: martech_redact, martech_redact_key,
 * martech_scrub_url, martech_ip, martech_user_agent.
 *
 * Each is tried on a set of rules of its own where it stands, so that a
 * mistake is found there; a location that takes events makes its set from all
 * of them when they are known.
 */


#include "ngx_http_martech.h"


static char *ngx_http_martech_redact_one(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *param,
    ngx_http_martech_redact_t *redact);
static char *ngx_http_martech_redact_patterns(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *param,
    ngx_http_martech_redact_t *redact);
static const char *ngx_http_martech_privacy_rule(martech_privacy_t *privacy,
    ngx_http_martech_redact_t *redact, char *error);
static char *ngx_http_martech_privacy_keep(ngx_conf_t *cf, ngx_uint_t *keep,
    const char *reduce, const char *allowed);
static void ngx_http_martech_privacy_cleanup(void *data);
static const char *ngx_http_martech_privacy_fill(martech_privacy_t *privacy,
    ngx_http_martech_privacy_conf_t *conf, char *error);


char *
ngx_http_martech_redact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_martech_redact_t   redact;

    static const struct {
        const char                *word;
        ngx_http_martech_redact_e  what;
    } words[] = {
        { "pointer=", NGX_HTTP_MARTECH_REDACT_POINTER },
        { "name=", NGX_HTTP_MARTECH_REDACT_NAME },
        { "name~", NGX_HTTP_MARTECH_REDACT_NAME_REGEX },
        { "value~", NGX_HTTP_MARTECH_REDACT_VALUE },
        { "pattern=", NGX_HTTP_MARTECH_REDACT_PATTERN },
        { "personal", NGX_HTTP_MARTECH_REDACT_PERSONAL }
    };

    value = cf->args->elts;

    if (mlcf->redact.redact == NULL) {
        return "is \"off\" on this level";
    }

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return ngx_http_martech_conf_invalid(cf, &value[1],
                                "mask, drop or hash has to follow");
        }

        if (mlcf->redact.redact != NGX_CONF_UNSET_PTR) {
            return "has \"off\" beside rules on this level";
        }

        mlcf->redact.redact = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "mask") == 0) {
        redact.how = MARTECH_REDACT_MASK;

    } else if (ngx_strcmp(value[2].data, "drop") == 0) {
        redact.how = MARTECH_REDACT_DROP;

    } else if (ngx_strcmp(value[2].data, "hash") == 0) {
        redact.how = MARTECH_REDACT_HASH;

    } else {
        return ngx_http_martech_conf_invalid(cf, &value[2],
                                             "it must be mask, drop or hash");
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {

        if (ngx_strncmp(value[1].data, words[i].word,
                        ngx_strlen(words[i].word))
            == 0)
        {
            redact.what = words[i].what;
            redact.text.data = value[1].data + ngx_strlen(words[i].word);
            redact.text.len = value[1].data + value[1].len - redact.text.data;

            if ((redact.text.len == 0)
                != (redact.what == NGX_HTTP_MARTECH_REDACT_PERSONAL))
            {
                break;
            }

            return (redact.what == NGX_HTTP_MARTECH_REDACT_PATTERN)
                   ? ngx_http_martech_redact_patterns(cf, mlcf, &value[1],
                                                      &redact)
                   : ngx_http_martech_redact_one(cf, mlcf, &value[1],
                                                 &redact);
        }
    }

    return ngx_http_martech_conf_invalid(cf, &value[1], "it must be pointer=, "
                 "name=, name~, value~, pattern= with a value, or personal");
}


static char *
ngx_http_martech_redact_patterns(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *param,
    ngx_http_martech_redact_t *redact)
{
    char       *rv;
    u_char     *p, *end;
    ngx_str_t   list;

    list = redact->text;
    end = list.data + list.len;

    for ( ;; ) {
        p = ngx_strlchr(list.data, end, ',');

        redact->text.data = list.data;
        redact->text.len = (p ? p : end) - list.data;

        rv = ngx_http_martech_redact_one(cf, mlcf, param, redact);

        if (rv != NGX_CONF_OK || p == NULL) {
            return rv;
        }

        list.data = p + 1;
    }
}


static char *
ngx_http_martech_redact_one(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *mlcf, ngx_str_t *param,
    ngx_http_martech_redact_t *redact)
{
    char                        error[MARTECH_PRIVACY_ERROR_SIZE];
    const char                 *wrong;
    martech_privacy_t          *privacy;
    ngx_http_martech_redact_t  *rule;

    privacy = martech_privacy_create();

    if (privacy == NULL) {
        return NGX_CONF_ERROR;
    }

    wrong = ngx_http_martech_privacy_rule(privacy, redact, error);

    if (wrong) {
        (void) ngx_http_martech_conf_invalid(cf, param, wrong);
    }

    martech_privacy_free(privacy);

    if (wrong) {
        return NGX_CONF_ERROR;
    }

    if (mlcf->redact.redact == NGX_CONF_UNSET_PTR) {
        mlcf->redact.redact = ngx_array_create(cf->pool, 8,
                                         sizeof(ngx_http_martech_redact_t));
        if (mlcf->redact.redact == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule = ngx_array_push(mlcf->redact.redact);

    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    *rule = *redact;

    return NGX_CONF_OK;
}


/* Adds a rule; NULL, or what is wrong with it. */

static const char *
ngx_http_martech_privacy_rule(martech_privacy_t *privacy,
    ngx_http_martech_redact_t *redact, char *error)
{
    martech_str_t  text;

    text.data = redact->text.data;
    text.len = redact->text.len;

    switch (redact->what) {

    case NGX_HTTP_MARTECH_REDACT_POINTER:
        return martech_privacy_pointer(privacy, text, redact->how, error);

    case NGX_HTTP_MARTECH_REDACT_NAME:
        return martech_privacy_name(privacy, text, 0, redact->how, error);

    case NGX_HTTP_MARTECH_REDACT_NAME_REGEX:
        return martech_privacy_name(privacy, text, 1, redact->how, error);

    case NGX_HTTP_MARTECH_REDACT_VALUE:
        return martech_privacy_value(privacy, text, redact->how, error);

    case NGX_HTTP_MARTECH_REDACT_PATTERN:
        return martech_privacy_pattern(privacy, text, redact->how, error);

    default:
        martech_privacy_personal(privacy, redact->how);
        return NULL;
    }
}


char *
ngx_http_martech_redact_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                error[MARTECH_PRIVACY_ERROR_SIZE];
    ngx_str_t          *value, *key;
    const char         *wrong;
    martech_str_t       text;
    martech_privacy_t  *privacy;

    key = &mlcf->redact.key;

    if (key->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_martech_conf_read(cf, &value[1], key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (key->len > 0 && (key->data[key->len - 1] == LF
                            || key->data[key->len - 1] == CR))
    {
        key->len--;
    }

    privacy = martech_privacy_create();

    if (privacy == NULL) {
        return NGX_CONF_ERROR;
    }

    text.data = key->data;
    text.len = key->len;

    wrong = martech_privacy_key(privacy, text, error);

    if (wrong) {
        (void) ngx_http_martech_conf_invalid(cf, &value[1], wrong);
    }

    martech_privacy_free(privacy);

    return wrong ? NGX_CONF_ERROR : NGX_CONF_OK;
}


char *
ngx_http_martech_scrub_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    char                error[MARTECH_PRIVACY_ERROR_SIZE];
    ngx_str_t          *value, *name;
    ngx_uint_t          i;
    const char         *wrong;
    martech_str_t       text;
    martech_privacy_t  *privacy;

    if (mlcf->redact.scrub != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mlcf->redact.scrub = NULL;
        return NGX_CONF_OK;
    }

    mlcf->redact.scrub = ngx_array_create(cf->pool, cf->args->nelts,
                                          sizeof(ngx_str_t));
    privacy = martech_privacy_create();

    if (mlcf->redact.scrub == NULL || privacy == NULL) {
        martech_privacy_free(privacy);
        return NGX_CONF_ERROR;
    }

    wrong = NULL;

    for (i = 1; i < cf->args->nelts && wrong == NULL; i++) {
        text.data = value[i].data;
        text.len = value[i].len;

        wrong = martech_privacy_scrub(privacy, text, error);

        if (wrong) {
            (void) ngx_http_martech_conf_invalid(cf, &value[i], wrong);
        }

        /* the array has room for all arguments */

        name = ngx_array_push(mlcf->redact.scrub);
        *name = value[i];
    }

    martech_privacy_free(privacy);

    return wrong ? NGX_CONF_ERROR : NGX_CONF_OK;
}


char *
ngx_http_martech_ip(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    return ngx_http_martech_privacy_keep(cf, &mlcf->redact.ip, "mask",
                                         "it must be keep, mask or drop");
}


char *
ngx_http_martech_user_agent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    return ngx_http_martech_privacy_keep(cf, &mlcf->redact.agent, "reduce",
                                         "it must be keep, reduce or drop");
}


static char *
ngx_http_martech_privacy_keep(ngx_conf_t *cf, ngx_uint_t *keep,
    const char *reduce, const char *allowed)
{
    ngx_str_t  *value;

    if (*keep != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "keep") == 0) {
        *keep = MARTECH_KEEP;

    } else if (ngx_strcmp(value[1].data, reduce) == 0) {
        *keep = MARTECH_REDUCE;

    } else if (ngx_strcmp(value[1].data, "drop") == 0) {
        *keep = MARTECH_REMOVE;

    } else {
        return ngx_http_martech_conf_invalid(cf, &value[1], allowed);
    }

    return NGX_CONF_OK;
}


void
ngx_http_martech_privacy_create(ngx_http_martech_privacy_conf_t *redact)
{
    redact->redact = NGX_CONF_UNSET_PTR;
    redact->scrub = NGX_CONF_UNSET_PTR;
    redact->ip = NGX_CONF_UNSET_UINT;
    redact->agent = NGX_CONF_UNSET_UINT;
}


char *
ngx_http_martech_privacy_merge(ngx_conf_t *cf,
    ngx_http_martech_loc_conf_t *prev, ngx_http_martech_loc_conf_t *conf)
{
    char                              error[MARTECH_PRIVACY_ERROR_SIZE];
    const char                       *wrong;
    ngx_pool_cleanup_t               *cln;
    ngx_http_martech_privacy_conf_t  *redact;

    redact = &conf->redact;

    ngx_conf_merge_ptr_value(redact->redact, prev->redact.redact, NULL);
    ngx_conf_merge_ptr_value(redact->scrub, prev->redact.scrub, NULL);
    ngx_conf_merge_uint_value(redact->ip, prev->redact.ip, MARTECH_KEEP);
    ngx_conf_merge_uint_value(redact->agent, prev->redact.agent,
                              MARTECH_KEEP);

    if (redact->key.data == NULL) {
        redact->key = prev->redact.key;
    }

    if ((!conf->collect && conf->observed == NULL)
        || (redact->redact == NULL && redact->scrub == NULL
            && redact->ip == MARTECH_KEEP && redact->agent == MARTECH_KEEP
            && (conf->consent == NULL
                || conf->consent->policy
                   != NGX_HTTP_MARTECH_CONSENT_ANONYMIZE)))
    {
        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->privacy = martech_privacy_create();

    if (conf->privacy == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_martech_privacy_cleanup;
    cln->data = conf->privacy;

    wrong = ngx_http_martech_privacy_fill(conf->privacy, redact, error);

    if (wrong) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"martech_redact\": %s", wrong);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_martech_privacy_cleanup(void *data)
{
    martech_privacy_free(data);
}


/* All that a location says; NULL, or why it cannot be used. */

static const char *
ngx_http_martech_privacy_fill(martech_privacy_t *privacy,
    ngx_http_martech_privacy_conf_t *conf, char *error)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    const char                 *wrong;
    martech_str_t               text;
    ngx_http_martech_redact_t  *redact;

    wrong = NULL;

    if (conf->redact) {
        redact = conf->redact->elts;

        for (i = 0; i < conf->redact->nelts && wrong == NULL; i++) {
            wrong = ngx_http_martech_privacy_rule(privacy, &redact[i], error);
        }
    }

    if (conf->scrub) {
        name = conf->scrub->elts;

        for (i = 0; i < conf->scrub->nelts && wrong == NULL; i++) {
            text.data = name[i].data;
            text.len = name[i].len;

            wrong = martech_privacy_scrub(privacy, text, error);
        }
    }

    if (conf->key.data && wrong == NULL) {
        text.data = conf->key.data;
        text.len = conf->key.len;

        wrong = martech_privacy_key(privacy, text, error);
    }

    martech_privacy_ip(privacy, (martech_keep_t) conf->ip);
    martech_privacy_agent(privacy, (martech_keep_t) conf->agent);

    return wrong ? wrong : martech_privacy_ready(privacy);
}
