
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A destination of the configuration and one event, for "send" and
 * "explain".
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_auth.h"
#include "fwd_cli_event.h"
#include "fwd_mask.h"


#define FWD_TRIAL_TEXT_MAX  (64UL * 1024 * 1024)


static fwd_rc_t fwd_trial_endpoints(fwd_cli_trial_t *trial, fwd_cli_t *cli);
static fwd_rc_t fwd_trial_event(fwd_cli_trial_t *trial, fwd_cli_t *cli);
static fwd_rc_t fwd_trial_token(fwd_cli_trial_t *trial, fwd_cli_t *cli);
static void fwd_trial_captures(json_t *token, const char *text);
static void fwd_trial_headers(const fwd_cli_trial_t *trial,
    const char *lines);


fwd_rc_t
fwd_cli_trial_open(fwd_cli_trial_t *trial, fwd_cli_t *cli, int *status)
{
    const fwd_dest_conf_t  *conf;

    memset(trial, 0, sizeof(fwd_cli_trial_t));
    trial->name = cli->words[0];
    trial->now_ms = fwd_wall_ms();

    if (cli->o.event == NULL) {
        *status = fwd_cli_usage(cli, "--event FILE is missing");
        return FWD_ERROR;
    }

    conf = fwd_cli_dest(cli, trial->name);

    if (conf == NULL) {
        *status = fwd_cli_usage(cli, "there is no destination \"%s\"",
                                trial->name);
        return FWD_ERROR;
    }

    trial->conf = *conf;

    if (fwd_trial_endpoints(trial, cli) != FWD_OK
        || fwd_trial_token(trial, cli) != FWD_OK
        || fwd_trial_event(trial, cli) != FWD_OK)
    {
        *status = fwd_cli_fail(cli);
        return FWD_ERROR;
    }

    return FWD_OK;
}


/* A destination that sends batches as they are has them too, to look at. */

static fwd_rc_t
fwd_trial_endpoints(fwd_cli_trial_t *trial, fwd_cli_t *cli)
{
    fwd_yaml_t    y;
    fwd_report_t  report;

    if (trial->conf.http.endpoints != NULL
        || trial->conf.desc->kind != FWD_KIND_HTTP)
    {
        return FWD_OK;
    }

    memset(&report, 0, sizeof(report));
    report.pool = &cli->pool;

    if (fwd_yaml_open_text(&y, trial->name, "{}", 2, &report, &cli->pool)
        != FWD_OK)
    {
        return fwd_error(&cli->err, "%.250s", report.texts[0]);
    }

    fwd_endpoint_force(&y, &trial->conf);
    fwd_yaml_close(&y);

    return report.count == 0
           ? FWD_OK : fwd_error(&cli->err, "%.250s", report.texts[0]);
}


static fwd_rc_t
fwd_trial_event(fwd_cli_trial_t *trial, fwd_cli_t *cli)
{
    json_t  *event;

    event = fwd_cli_file_json(cli->o.event, FWD_CLI_EVENT_MAX, &cli->err);
    if (event == NULL) {
        return FWD_ERROR;
    }

    trial->text.data = (const unsigned char *)
                       fwd_cli_json_text(event, &cli->pool,
                                         &trial->text.len);
    json_decref(event);

    return fwd_cli_event_wanted(&trial->wanted, &trial->event, &trial->conf,
                                trial->text, trial->now_ms, &cli->pool,
                                &cli->err);
}


/* Without an answer of a token server its members stand for themselves. */

static fwd_rc_t
fwd_trial_token(fwd_cli_trial_t *trial, fwd_cli_t *cli)
{
    size_t            i, n;
    json_t           *token;
    const fwd_desc_t *desc;

    desc = trial->conf.desc;

    if (cli->o.token == NULL
        && (desc->auth.kind == NULL
            || strcmp(desc->auth.kind, fwd_auth_kinds[FWD_AUTH_OAUTH2]) != 0))
    {
        return FWD_OK;
    }

    if (cli->o.token != NULL) {
        token = fwd_cli_file_json(cli->o.token, FWD_CLI_EVENT_MAX,
                                  &cli->err);
        if (token == NULL) {
            return FWD_ERROR;
        }

        trial->token_given = 1;

    } else {
        token = json_pack("{ss}", "access_token", FWD_MASK);

        for (i = 0; i < desc->endpoints_count; i++) {
            fwd_trial_captures(token, desc->endpoints[i].url);

            for (n = 0; n < desc->endpoints[i].headers_count; n++) {
                fwd_trial_captures(token,
                                   desc->endpoints[i].headers[n].value);
            }
        }
    }

    trial->token = fwd_cli_json_text(token, &cli->pool, NULL);
    json_decref(token);

    return FWD_OK;
}


static void
fwd_trial_captures(json_t *token, const char *text)
{
    char    name[64], value[80];
    size_t  len;

    for (text = text ? strstr(text, "{auth.") : NULL; text != NULL;
         text = strstr(text, "{auth."))
    {
        text += strlen("{auth.");
        len = strcspn(text, "}|");

        if (len != 0 && len < sizeof(name)) {
            memcpy(name, text, len);
            name[len] = '\0';
            (void) snprintf(value, sizeof(value), "{auth.%s}", name);
            (void) json_object_set_new(token, name, json_string(value));
        }
    }
}


fwd_rc_t
fwd_cli_trial_requests(fwd_try_output_t *out, const fwd_cli_trial_t *trial,
    int show, int validate, fwd_pool_t *pool, fwd_error_t *err)
{
    fwd_try_input_t  in;

    memset(&in, 0, sizeof(in));
    in.events = &trial->text;
    in.count = 1;
    in.token = trial->token;
    in.now_ms = trial->now_ms;
    in.validate = (validate != 0);
    in.show = (show != 0);

    return fwd_try_requests(out, &trial->conf, &in, pool, err);
}


void
fwd_cli_trial_print(const fwd_cli_trial_t *trial, const fwd_try_call_t *call)
{
    char       *text;
    json_t     *body;
    fwd_buf_t   url;

    fwd_buf_init(&url, FWD_TRIAL_TEXT_MAX);
    fwd_mask_url(&url, call->url);
    fwd_buf_add_char(&url, '\n');

    (void) printf("  %s ", call->method);
    fwd_cli_trial_text(trial, "", url.data, url.len);
    fwd_buf_free(&url);

    fwd_trial_headers(trial, call->headers);

    if (call->body_len == 0) {
        return;
    }

    (void) printf("\n");

    body = json_loadb((const char *) call->body, call->body_len,
                      JSON_DECODE_ANY, NULL);

    if (body != NULL) {
        text = json_dumps(body, JSON_ENCODE_ANY | JSON_INDENT(2)
                                | JSON_REAL_PRECISION(15));
        fwd_cli_trial_text(trial, "  ", text ? text : "",
                           text ? strlen(text) : 0);
        free(text);
        json_decref(body);
        return;
    }

    fwd_cli_trial_text(trial, "  ", call->body, call->body_len);
}


static void
fwd_trial_headers(const fwd_cli_trial_t *trial, const char *lines)
{
    size_t       name, len;
    fwd_buf_t    text;

    fwd_buf_init(&text, FWD_TRIAL_TEXT_MAX);

    while (*lines != '\0') {
        len = strcspn(lines, "\n");
        name = strcspn(lines, ":\n");

        if (name < len && fwd_mask_name(lines, name)) {
            fwd_buf_add(&text, lines, name);
            fwd_buf_add_string(&text, ": " FWD_MASK);

        } else {
            fwd_buf_add(&text, lines, len);
        }

        fwd_buf_add_char(&text, '\n');
        lines += len + (lines[len] == '\n');
    }

    fwd_cli_trial_text(trial, "  ", text.data, text.len);
    fwd_buf_free(&text);
}


void
fwd_cli_trial_text(const fwd_cli_trial_t *trial, const char *prefix,
    const void *data, size_t len)
{
    size_t          i;
    fwd_buf_t       text;
    unsigned char   c;

    if (len == 0) {
        return;
    }

    fwd_buf_init(&text, FWD_TRIAL_TEXT_MAX);
    fwd_buf_add(&text, data, len);
    fwd_call_mask(&text, &trial->conf);

    if (text.failed) {
        (void) printf("%s(too long to be shown)\n", prefix);
    }

    for (i = 0; i < text.len; i++) {

        if (i == 0 || text.data[i - 1] == '\n') {
            (void) printf("%s", prefix);
        }

        /* nobody else's bytes steer this terminal */

        c = text.data[i];
        (void) putchar((c < ' ' && c != '\n' && c != '\t') || c == 0x7f
                       ? '?' : c);
    }

    if (text.len != 0 && text.data[text.len - 1] != '\n') {
        (void) putchar('\n');
    }

    fwd_buf_free(&text);
}
