
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Values of settings.
 */


#include <string.h>

#include <curl/curl.h>

#include "../martech/martech_regex.h"

#include "fwd_setting.h"
#include "fwd_units.h"


static fwd_rc_t fwd_setting_type(const fwd_setting_t *setting,
    const char *text, const char **wanted);
static int fwd_setting_matches(const char *pattern, const char *text);
static fwd_rc_t fwd_setting_word(const fwd_setting_t *setting,
    const char *text, const char **wanted, fwd_pool_t *pool);


fwd_rc_t
fwd_setting_check(const fwd_setting_t *setting, const char *text,
    const char **wanted, fwd_pool_t *pool)
{
    if (fwd_setting_type(setting, text, wanted) != FWD_OK) {
        return FWD_ERROR;
    }

    if (setting->pattern != NULL
        && !fwd_setting_matches(setting->pattern, text))
    {
        *wanted = fwd_pool_printf(pool, "what matches %s", setting->pattern);
        return FWD_ERROR;
    }

    return setting->words ? fwd_setting_word(setting, text, wanted, pool)
                          : FWD_OK;
}


static fwd_rc_t
fwd_setting_type(const fwd_setting_t *setting, const char *text,
    const char **wanted)
{
    uint64_t  value;

    switch (setting->kind) {

    case FWD_SETTING_URL:
        *wanted = FWD_SETTING_URL_WANTED;
        return fwd_setting_url_valid(text) ? FWD_OK : FWD_ERROR;

    case FWD_SETTING_PATH:
        *wanted = "an absolute path";
        return (text[0] == '/') ? FWD_OK : FWD_ERROR;

    case FWD_SETTING_NUMBER:
        *wanted = "a number";
        return fwd_units_number(&value, text);

    case FWD_SETTING_BOOL:
        *wanted = "true or false";
        return (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
               ? FWD_OK : FWD_ERROR;

    case FWD_SETTING_SIZE:
        *wanted = "a size such as 512k, 64m, 1g";
        return fwd_units_size(&value, text);

    case FWD_SETTING_TIME:
        *wanted = "a time such as 500ms, 10s, 5m, 2h";
        return fwd_units_time(&value, text);

    default:
        return FWD_OK;
    }
}


static int
fwd_setting_matches(const char *pattern, const char *text)
{
    int               found;
    char              error[MARTECH_REGEX_ERROR_SIZE];
    martech_str_t     source;
    martech_regex_t  *regex;

    source.data = (const unsigned char *) pattern;
    source.len = strlen(pattern);
    regex = martech_regex_compile(source, MARTECH_REGEX_ECMA, error);

    if (regex == NULL) {
        return 1;
    }

    found = martech_regex_find(regex, (const unsigned char *) text,
                               strlen(text), 0, NULL, NULL);
    martech_regex_free(regex);

    return found == 1;
}


static fwd_rc_t
fwd_setting_word(const fwd_setting_t *setting, const char *text,
    const char **wanted, fwd_pool_t *pool)
{
    const char  *list, **word;

    list = "one of ";

    for (word = setting->words; *word != NULL; word++) {

        if (strcmp(*word, text) == 0) {
            return FWD_OK;
        }

        list = fwd_pool_printf(pool, "%s%s%s", list,
                               word == setting->words ? "" : ", ", *word);
    }

    *wanted = list;

    return FWD_ERROR;
}


int
fwd_setting_url_valid(const char *text)
{
    int     valid;
    char   *scheme, *host;
    CURLU  *url;

    url = curl_url();
    if (url == NULL) {
        return 0;
    }

    scheme = NULL;
    host = NULL;

    valid = strpbrk(text, " \t\r\n") == NULL
            && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK
            && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
            && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK
            && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
            && *host != '\0';

    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);

    return valid;
}
