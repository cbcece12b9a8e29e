
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Keys that concern secrets and the way out of the machine.
 */


#include <string.h>

#include <openssl/crypto.h>

#include "fwd_config_private.h"
#include "fwd_seal.h"


static const char *fwd_config_secret(fwd_yaml_t *y, const char *key,
    const char *reference);
static int fwd_config_proxy_valid(const char *text);


void
fwd_config_outbound(fwd_yaml_t *y, fwd_config_t *conf)
{
    fwd_seal_key_t  key;

    conf->credentials_key = fwd_config_secret(y, "credentials_key",
                                              conf->credentials_key);

    if (conf->credentials_key != NULL
        && fwd_seal_key(&key, conf->credentials_key) != FWD_OK)
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "credentials_key"),
                   "\"credentials_key\" is not 32 bytes as 64 hex digits (the "
                   "value is not shown); \"openssl rand -hex 32\" makes one");
    }

    OPENSSL_cleanse(&key, sizeof(key));

    conf->proxy_login = fwd_config_secret(y, "proxy_login",
                                          conf->proxy_login);

    if (conf->proxy_login != NULL && strchr(conf->proxy_login, ':') == NULL) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "proxy_login"),
                   "\"proxy_login\" is not USER:PASSWORD (the value is not "
                   "shown)");
    }

    if (conf->proxy != NULL && !fwd_config_proxy_valid(conf->proxy)) {
        fwd_report(y->report, y->file, fwd_yaml_at(y, "proxy"),
                   "\"proxy\" is not http://HOST:PORT or https://HOST:PORT "
                   "(the value is not shown); a login stands in proxy_login");
    }
}


static const char *
fwd_config_secret(fwd_yaml_t *y, const char *key, const char *reference)
{
    const char   *value;
    fwd_error_t   err;

    if (reference == NULL) {
        return NULL;
    }

    if (fwd_secret_read(&value, reference, y->secrets, y->pool, &err)
        != FWD_OK)
    {
        fwd_report(y->report, y->file, fwd_yaml_at(y, key), "\"%s\" %s", key,
                   err.text);
        return NULL;
    }

    return value;
}


static int
fwd_config_proxy_valid(const char *text)
{
    size_t       len;
    const char  *host, *port;

    if (strncmp(text, "http://", 7) == 0) {
        host = text + 7;

    } else if (strncmp(text, "https://", 8) == 0) {
        host = text + 8;

    } else {
        return 0;
    }

    port = strrchr(host, ':');
    len = strcspn(host, "/?#@\\ \t\r\n");

    return host[len] == '\0' && port != NULL && port > host
           && strspn(port + 1, "0123456789") == strlen(port + 1)
           && port[1] != '\0' && strlen(port) <= 6;
}
