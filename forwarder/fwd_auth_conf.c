
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * One table of members says of which kinds they are, and whether such a kind
 * can do without.
 */


#include <stddef.h>
#include <string.h>

#include "fwd_auth_conf.h"
#include "fwd_jwt.h"
#include "fwd_sign.h"
#include "fwd_template.h"
#include "fwd_units.h"


#define FWD_AUTH_VALUE_MAX  32768
#define FWD_AUTH_EARLY_MS   60000
#define FWD_AUTH_LIFE_MS    (2 * 3600 * 1000)


typedef struct {
    const char           *name;
    size_t                offset;
    fwd_auth_kind_t       kind;
    unsigned              required:1;
    unsigned              lines:1;       /* line ends are allowed */
} fwd_auth_member_t;


static int fwd_auth_printable(const char *value);
static const fwd_auth_member_t *fwd_auth_member(uint64_t kind,
    const char *name);
static fwd_rc_t fwd_auth_expand(const char **out, const char *text,
    const fwd_dest_conf_t *dest, fwd_pool_t *pool);
static fwd_rc_t fwd_auth_missing(const fwd_auth_conf_t *conf,
    fwd_error_t *err);
static fwd_rc_t fwd_auth_oauth(fwd_auth_conf_t *conf,
    const fwd_dest_conf_t *dest, fwd_error_t *err);
static fwd_rc_t fwd_auth_oauth_grant(fwd_auth_conf_t *conf,
    fwd_error_t *err);
static fwd_rc_t fwd_auth_keys(const fwd_auth_conf_t *conf, fwd_error_t *err);


const char *const  fwd_auth_kinds[] = {
    [FWD_AUTH_NONE] = "none",
    [FWD_AUTH_BEARER] = "bearer",
    [FWD_AUTH_BASIC] = "basic",
    [FWD_AUTH_HEADER] = "header",
    [FWD_AUTH_QUERY] = "query",
    [FWD_AUTH_BODY] = "body",
    [FWD_AUTH_OAUTH2] = "oauth2",
    [FWD_AUTH_SIGV4] = "sigv4",
    [FWD_AUTH_WEBHOOKS] = "standard-webhooks",
    NULL
};

static const char *const  fwd_auth_grants[] = {
    [FWD_GRANT_CLIENT] = "client_credentials",
    [FWD_GRANT_REFRESH] = "refresh_token",
    [FWD_GRANT_JWT] = "jwt_bearer"
};


#define FWD_AUTH_MEMBER(kind, member, required)                               \
    { #member, offsetof(fwd_auth_conf_t, member), kind, required, 0 }

static const fwd_auth_member_t  fwd_auth_members[] = {
    FWD_AUTH_MEMBER(FWD_AUTH_BEARER, token, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_BASIC, user, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_BASIC, password, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_HEADER, name, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_HEADER, value, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_QUERY, name, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_QUERY, value, 1),
    { "grant", offsetof(fwd_auth_conf_t, grant_name), FWD_AUTH_OAUTH2, 1, 0 },
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, token_url, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, client, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, client_id, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, client_secret, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, scope, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, audience, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, refresh_token, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, issuer, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, subject, 0),
    { "key", offsetof(fwd_auth_conf_t, key), FWD_AUTH_OAUTH2, 0, 1 },
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, algorithm, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, lifetime, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_OAUTH2, early, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_SIGV4, access_key, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_SIGV4, secret_key, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_SIGV4, session_token, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_SIGV4, region, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_SIGV4, service, 1),
    FWD_AUTH_MEMBER(FWD_AUTH_WEBHOOKS, secret, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_WEBHOOKS, previous, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_WEBHOOKS, key_ed25519, 0),
    FWD_AUTH_MEMBER(FWD_AUTH_WEBHOOKS, previous_ed25519, 0),
    { NULL, 0, FWD_AUTH_NONE, 0, 0 }
};


fwd_rc_t
fwd_auth_conf(fwd_auth_conf_t *conf, const fwd_desc_auth_t *auth,
    const fwd_dest_conf_t *dest, fwd_pool_t *pool, fwd_error_t *err)
{
    size_t                    i;
    const char               *value, *name;
    const fwd_auth_member_t  *member;

    memset(conf, 0, sizeof(fwd_auth_conf_t));

    if (auth->kind == NULL) {
        return FWD_OK;
    }

    while (fwd_auth_kinds[conf->kind] != NULL
           && strcmp(fwd_auth_kinds[conf->kind], auth->kind) != 0)
    {
        conf->kind++;
    }

    conf->extra = fwd_pool_alloc(pool, (auth->members_count + 1)
                                       * sizeof(fwd_pair_t));

    for (i = 0; i < auth->members_count; i++) {
        name = auth->members[i].name;

        if (fwd_auth_expand(&value, auth->members[i].value, dest, pool)
            != FWD_OK)
        {
            continue;                    /* a setting that has no value */
        }

        if (conf->kind == FWD_AUTH_OAUTH2 && strncmp(name, "extra.", 6) == 0) {
            conf->extra[conf->extra_count].name = name + 6;
            conf->extra[conf->extra_count++].value = value;
            continue;
        }

        member = fwd_auth_member(conf->kind, name);

        if (member == NULL) {
            return fwd_error(err, "auth.%s is unknown with kind %s", name,
                             auth->kind);
        }

        if (!member->lines && !fwd_auth_printable(value)) {
            return fwd_error(err, "auth.%s has a line end or another control "
                             "character in its value", name);
        }

        *(const char **) (void *) ((char *) conf + member->offset) = value;
    }

    if (fwd_auth_missing(conf, err) != FWD_OK) {
        return FWD_ERROR;
    }

    if (conf->kind == FWD_AUTH_OAUTH2) {
        return fwd_auth_oauth(conf, dest, err);
    }

    if ((conf->kind == FWD_AUTH_HEADER || conf->kind == FWD_AUTH_QUERY)
        && !fwd_desc_header_valid(conf->name))
    {
        return fwd_error(err, "auth.name is \"%s\", allowed are A-Z a-z 0-9 "
                         "- _", conf->name);
    }

    if (conf->kind == FWD_AUTH_BASIC && strchr(conf->user, ':') != NULL) {
        return fwd_error(err, "auth.user has a colon in it");
    }

    return conf->kind == FWD_AUTH_WEBHOOKS ? fwd_auth_keys(conf, err)
                                           : FWD_OK;
}


int
fwd_auth_member_valid(const char *kind, const char *name)
{
    uint64_t  i;

    for (i = 0; fwd_auth_kinds[i] != NULL; i++) {
        if (strcmp(fwd_auth_kinds[i], kind) == 0) {
            return fwd_auth_member(i, name) != NULL
                   || (i == FWD_AUTH_OAUTH2
                       && strncmp(name, "extra.", 6) == 0);
        }
    }

    return 1;                            /* the kind is what is wrong */
}


/* It becomes a part of a header. */

static int
fwd_auth_printable(const char *value)
{
    const unsigned char  *p;

    for (p = (const unsigned char *) value; *p != '\0'; p++) {
        if (*p < ' ' || *p == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static const fwd_auth_member_t *
fwd_auth_member(uint64_t kind, const char *name)
{
    const fwd_auth_member_t  *member;

    for (member = fwd_auth_members; member->name != NULL; member++) {
        if (member->kind == kind && strcmp(member->name, name) == 0) {
            return member;
        }
    }

    return NULL;
}


/* FWD_NONE: a name in the text has no value. */

static fwd_rc_t
fwd_auth_expand(const char **out, const char *text,
    const fwd_dest_conf_t *dest, fwd_pool_t *pool)
{
    size_t       len;
    fwd_rc_t     rc;
    fwd_buf_t    buf;
    const char  *p, *value;

    fwd_buf_init(&buf, FWD_AUTH_VALUE_MAX);
    rc = FWD_OK;

    for (p = text; *p != '\0'; p++) {

        if (*p != '{' || p[1] == '{') {
            fwd_buf_add_char(&buf, *p);
            p += (*p == '{');
            continue;
        }

        len = strcspn(p + 1, "}");
        value = fwd_template_value(dest, p + 1, len);

        if (value == NULL || p[1 + len] != '}') {
            rc = FWD_NONE;
            break;
        }

        fwd_buf_add_string(&buf, value);
        p += 1 + len;
    }

    if (rc == FWD_OK && fwd_buf_string(&buf) != NULL) {
        *out = fwd_pool_string(pool, buf.data, buf.len);

    } else {
        rc = FWD_NONE;
    }

    fwd_auth_wipe(&buf);
    fwd_buf_free(&buf);

    return rc;
}


static fwd_rc_t
fwd_auth_missing(const fwd_auth_conf_t *conf, fwd_error_t *err)
{
    const char               *value;
    const fwd_auth_member_t  *member;

    for (member = fwd_auth_members; member->name != NULL; member++) {
        value = *(const char *const *) (const void *)
                                     ((const char *) conf + member->offset);

        if (member->kind == conf->kind && member->required
            && (value == NULL || *value == '\0'))
        {
            return fwd_error(err, "auth.%s has no value, kind %s needs it",
                             member->name, fwd_auth_kinds[conf->kind]);
        }
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_auth_oauth(fwd_auth_conf_t *conf, const fwd_dest_conf_t *dest,
    fwd_error_t *err)
{
    conf->lifetime_ms = FWD_AUTH_LIFE_MS;
    conf->early_ms = FWD_AUTH_EARLY_MS;

    if (conf->lifetime != NULL
        && (fwd_units_time(&conf->lifetime_ms, conf->lifetime) != FWD_OK
            || conf->lifetime_ms < 1000))
    {
        return fwd_error(err, "auth.lifetime is \"%s\", allowed is a time of "
                         "1s or more", conf->lifetime);
    }

    if (conf->early != NULL
        && fwd_units_time(&conf->early_ms, conf->early) != FWD_OK)
    {
        return fwd_error(err, "auth.early is \"%s\", allowed is a time",
                         conf->early);
    }

    if (conf->client != NULL && strcmp(conf->client, "body") != 0
        && strcmp(conf->client, "basic") != 0)
    {
        return fwd_error(err, "auth.client is \"%s\", allowed are body and "
                         "basic", conf->client);
    }

    if (dest->credentials_key != NULL
        && fwd_seal_key(&conf->seal, dest->credentials_key) != FWD_OK)
    {
        return fwd_error(err, "\"credentials_key\" is no key");
    }

    return fwd_auth_oauth_grant(conf, err);
}


static fwd_rc_t
fwd_auth_oauth_grant(fwd_auth_conf_t *conf, fwd_error_t *err)
{
    size_t       i, count;
    const char  *missing;

    missing = NULL;
    count = sizeof(fwd_auth_grants) / sizeof(fwd_auth_grants[0]);

    for (i = 0; i < count; i++) {
        if (strcmp(fwd_auth_grants[i], conf->grant_name) == 0) {
            break;
        }
    }

    conf->grant = i;

    switch (i) {

    case FWD_GRANT_CLIENT:
        missing = conf->client_id == NULL ? "client_id"
                  : conf->client_secret == NULL ? "client_secret" : NULL;
        break;

    case FWD_GRANT_REFRESH:
        missing = conf->client_id == NULL ? "client_id"
                  : conf->refresh_token == NULL ? "refresh_token" : NULL;
        break;

    case FWD_GRANT_JWT:
        missing = conf->issuer == NULL ? "issuer"
                  : conf->key == NULL ? "key" : NULL;
        break;

    default:
        return fwd_error(err, "auth.grant is \"%s\", allowed are "
                         "client_credentials, refresh_token and jwt_bearer",
                         conf->grant_name);
    }

    if (missing != NULL) {
        return fwd_error(err, "auth.%s has no value, grant %s needs it",
                         missing, conf->grant_name);
    }

    if (conf->algorithm != NULL && strcmp(conf->algorithm, "RS256") != 0) {
        return fwd_error(err, "auth.algorithm is \"%s\", allowed is RS256",
                         conf->algorithm);
    }

    return i == FWD_GRANT_JWT ? fwd_jwt_key_check(conf->key, err) : FWD_OK;
}


static fwd_rc_t
fwd_auth_keys(const fwd_auth_conf_t *conf, fwd_error_t *err)
{
    size_t           i;
    fwd_rc_t         rc;
    const char      *texts[2];
    EVP_PKEY        *pkey;
    fwd_error_t      why;
    fwd_sign_key_t   key;

    texts[0] = conf->secret;
    texts[1] = conf->previous;

    for (i = 0; i < 2; i++) {
        if (texts[i] != NULL && fwd_sign_key(&key, texts[i], &why) != FWD_OK) {
            return fwd_error(err, "auth.%s %s", i ? "previous" : "secret",
                             why.text);
        }
    }

    texts[0] = conf->key_ed25519;
    texts[1] = conf->previous_ed25519;

    for (i = 0; i < 2; i++) {
        if (texts[i] == NULL) {
            continue;
        }

        rc = fwd_sign_ed25519(&pkey, texts[i], &why);

        if (rc != FWD_OK) {
            return fwd_error(err, "auth.%s %s", i ? "previous_ed25519"
                                                  : "key_ed25519", why.text);
        }

        EVP_PKEY_free(pkey);
    }

    return FWD_OK;
}
