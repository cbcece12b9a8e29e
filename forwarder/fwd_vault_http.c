
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Requests to Vault, one at a time.
 */


#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "fwd_vault_private.h"


#define FWD_VAULT_HEADERS_MAX  8192


static size_t fwd_vault_on_body(char *data, size_t size, size_t n,
    void *userdata);


int
fwd_vault_call(fwd_vault_t *v, const char *method, const char *path,
    const char *body, json_t **root)
{
    int                 slash;
    long                status;
    char                url[2048], text[FWD_VAULT_HEADERS_MAX + 64];
    CURLcode            code;
    struct curl_slist  *list;

    *root = NULL;
    status = 0;
    slash = v->conf->address[strlen(v->conf->address) - 1] == '/';

    (void) snprintf(url, sizeof(url), "%s%sv1/%s", v->conf->address,
                    slash ? "" : "/", path);

    list = curl_slist_append(NULL, "X-Vault-Request: true");

    if (v->token[0] != '\0') {
        (void) snprintf(text, sizeof(text), "X-Vault-Token: %.*s",
                        FWD_VAULT_HEADERS_MAX, v->token);
        list = curl_slist_append(list, text);
        OPENSSL_cleanse(text, sizeof(text));
    }

    if (v->conf->namespace != NULL) {
        (void) snprintf(text, sizeof(text), "X-Vault-Namespace: %s",
                        v->conf->namespace);
        list = curl_slist_append(list, text);
    }

    fwd_buf_reset(&v->answer);

    curl_easy_reset(v->easy);
    (void) curl_easy_setopt(v->easy, CURLOPT_URL, url);
    (void) curl_easy_setopt(v->easy, CURLOPT_CUSTOMREQUEST, method);
    (void) curl_easy_setopt(v->easy, CURLOPT_HTTPHEADER, list);
    (void) curl_easy_setopt(v->easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(v->easy, CURLOPT_PROXY, "");
    (void) curl_easy_setopt(v->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl_easy_setopt(v->easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(v->easy, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);
    (void) curl_easy_setopt(v->easy, CURLOPT_USERAGENT,
                            "martech-forwarder/" MARTECH_VERSION);
    (void) curl_easy_setopt(v->easy, CURLOPT_TIMEOUT_MS,
                            (long) v->conf->timeout_ms);
    (void) curl_easy_setopt(v->easy, CURLOPT_WRITEFUNCTION,
                            fwd_vault_on_body);
    (void) curl_easy_setopt(v->easy, CURLOPT_WRITEDATA, v);

    if (v->conf->ca != NULL) {
        (void) curl_easy_setopt(v->easy, CURLOPT_CAINFO, v->conf->ca);
        (void) curl_easy_setopt(v->easy, CURLOPT_CAPATH, NULL);
    }

    if (body != NULL) {
        (void) curl_easy_setopt(v->easy, CURLOPT_POSTFIELDS, body);
    }

    code = curl_easy_perform(v->easy);
    curl_slist_free_all(list);

    if (code != CURLE_OK) {
        (void) snprintf(v->error, sizeof(v->error), "%s",
                        curl_easy_strerror(code));
        return 0;
    }

    (void) curl_easy_getinfo(v->easy, CURLINFO_RESPONSE_CODE, &status);

    if (!v->answer.failed && v->answer.len != 0) {
        *root = json_loadb((const char *) v->answer.data, v->answer.len, 0,
                           NULL);
        OPENSSL_cleanse(v->answer.data, v->answer.len);
    }

    if (status != 200) {
        (void) snprintf(v->error, sizeof(v->error), "status %ld", status);
    }

    return (int) status;
}


static size_t
fwd_vault_on_body(char *data, size_t size, size_t n, void *userdata)
{
    fwd_vault_t  *v = userdata;

    fwd_buf_add(&v->answer, data, size * n);

    return v->answer.failed ? 0 : size * n;
}
