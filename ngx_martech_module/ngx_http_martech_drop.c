
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * martech_drop: requests whose events are not wanted, such as those of bots
 * and of internal traffic.  Their senders are told that all is well.
 */


#include "ngx_http_martech.h"


#define NGX_HTTP_MARTECH_DROP_REASON                                          \
    "a reason has 1 to 32 of \"a\" to \"z\", digits, \"_\" and \"-\""


static ngx_int_t ngx_http_martech_drop_reason(ngx_conf_t *cf,
    ngx_str_t *name, ngx_uint_t *number);


char *
ngx_http_martech_drop(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_martech_loc_conf_t *mlcf = conf;

    ngx_int_t                          rc;
    ngx_str_t                         *value, condition, reason;
    ngx_uint_t                         i;
    ngx_http_martech_drop_t           *drop;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    if (mlcf->drops == NULL) {
        return "is \"off\" on this level";
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (mlcf->drops != NGX_CONF_UNSET_PTR) {
            return "has \"off\" beside rules on this level";
        }

        mlcf->drops = NULL;
        return NGX_CONF_OK;
    }

    ngx_str_null(&condition);
    ngx_str_null(&reason);

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_martech_conf_value(&value[i], "if", &condition)) {

            if (ngx_strlchr(condition.data, condition.data + condition.len,
                            '$')
                == NULL)
            {
                return ngx_http_martech_conf_invalid(cf, &value[i],
                                                     "it needs a variable");
            }

        } else if (!ngx_http_martech_conf_value(&value[i], "reason",
                                                &reason))
        {
            return ngx_http_martech_conf_invalid(cf, &value[i],
                                             "it must be if= or reason=");
        }
    }

    if (condition.len == 0 || reason.len == 0) {
        return "needs if= and reason=";
    }

    if (mlcf->drops == NGX_CONF_UNSET_PTR) {
        mlcf->drops = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_martech_drop_t));
        if (mlcf->drops == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    drop = ngx_array_push(mlcf->drops);

    if (drop == NULL) {
        return NGX_CONF_ERROR;
    }

    rc = ngx_http_martech_drop_reason(cf, &reason, &drop->number);

    if (rc != NGX_OK) {
        return ngx_http_martech_conf_invalid(cf, &reason,
                  (rc == NGX_DECLINED) ? NGX_HTTP_MARTECH_DROP_REASON
                                       : "there can be 16 different reasons");
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &condition;
    ccv.complex_value = &drop->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* NGX_DECLINED: it is no name; NGX_ERROR: there are too many. */

static ngx_int_t
ngx_http_martech_drop_reason(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t *number)
{
    u_char                        *p;
    ngx_uint_t                     i;
    ngx_http_martech_main_conf_t  *mmcf;

    if (name->len > NGX_HTTP_MARTECH_DROP_LEN) {
        return NGX_DECLINED;
    }

    for (p = name->data; p < name->data + name->len; p++) {

        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
              || *p == '_' || *p == '-'))
        {
            return NGX_DECLINED;
        }
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_martech_module);

    for (i = 0; i < mmcf->ndrops; i++) {

        if (mmcf->drops[i].len == name->len
            && ngx_memcmp(mmcf->drops[i].data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (i == NGX_HTTP_MARTECH_DROPS_MAX) {
        return NGX_ERROR;
    }

    if (i == mmcf->ndrops) {
        mmcf->drops[mmcf->ndrops++] = *name;
    }

    *number = i;

    return NGX_OK;
}


ngx_http_martech_drop_t *
ngx_http_martech_drop_request(ngx_http_request_t *r,
    ngx_http_martech_loc_conf_t *mlcf)
{
    ngx_str_t                 value;
    ngx_uint_t                i;
    ngx_http_martech_drop_t  *drop;

    if (mlcf->drops == NULL) {
        return NULL;
    }

    drop = mlcf->drops->elts;

    for (i = 0; i < mlcf->drops->nelts; i++) {

        if (ngx_http_complex_value(r, &drop[i].value, &value) == NGX_OK
            && value.len > 0 && !(value.len == 1 && value.data[0] == '0'))
        {
            return &drop[i];
        }
    }

    return NULL;
}
