
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * "send": one event to the vendor, now, without Redis and without attempts.
 * What is printed was made a second time without secrets; the answer is
 * masked, for vendors like to repeat what they were sent.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "fwd_auth.h"
#include "fwd_cli_event.h"
#include "fwd_reply.h"
#include "fwd_safe_curl.h"


#define FWD_SEND_SHOWN  4096             /* bytes of an answer */


static int fwd_send_ready(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out);
static int fwd_send_is_auth(const fwd_cli_trial_t *trial,
    fwd_auth_kind_t kind);
static int fwd_send_all(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_output_t *shown);
static fwd_rc_t fwd_send_one(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, int *good);
static fwd_rc_t fwd_send_options(CURL *easy, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, fwd_buf_t *packed);
static struct curl_slist *fwd_send_lines(const char *lines);
static fwd_rc_t fwd_send_judge(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, int status, fwd_reply_t *reply, int *good);
static size_t fwd_send_on_body(char *data, size_t size, size_t n,
    void *userdata);
static size_t fwd_send_on_header(char *data, size_t size, size_t n,
    void *userdata);


int
fwd_cli_send(fwd_cli_t *cli)
{
    int               status;
    uint32_t          i;
    fwd_cli_trial_t   trial;
    fwd_try_output_t  out;

    if (cli->o.live && cli->o.validate) {
        return fwd_cli_usage(cli, "--live and --validate exclude each other");
    }

    if (fwd_cli_trial_open(&trial, cli, &status) != FWD_OK) {
        return status;
    }

    if (fwd_cli_trial_requests(&out, &trial, 1, (int) cli->o.validate,
                               &cli->pool, &cli->err)
        != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    status = fwd_send_ready(cli, &trial, &out);

    if (status != FWD_CLI_OK) {
        return status;
    }

    if (out.sequences_count != 0
        && fwd_cli_trial_sequence(&trial, &out, cli) != FWD_OK)
    {
        return fwd_cli_fail(cli);
    }

    if (cli->o.live || cli->o.validate) {
        return fwd_send_all(cli, &trial, &out);
    }

    for (i = 0; i < out.calls_count; i++) {
        (void) printf("%srequest %u of %u%s\n", i ? "\n" : "",
                      (unsigned) i + 1, (unsigned) out.calls_count,
                      out.calls[i].gzip ? ", gzip" : "");
        fwd_cli_trial_print(&trial, &out.calls[i]);
    }

    (void) printf("\nnothing was sent%s\n",
                  out.sequences_count != 0 ? ""
                  : "; --live sends it, --validate has it checked");

    return FWD_CLI_OK;
}


/* What keeps the event from being sent. */

static int
fwd_send_ready(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_output_t *out)
{
    uint32_t               i;
    const fwd_endpoint_t  *e;

    if (trial->conf.desc->kind != FWD_KIND_HTTP) {
        return fwd_cli_usage(cli, "\"%s\" sends no requests", trial->name);
    }

    if (trial->wanted != FWD_WANTED_YES) {
        (void) fwd_error(&cli->err, "not sent: the rule \"%s\" of \"%s\" "
                         "refuses the event", fwd_wanted_name(trial->wanted),
                         trial->name);
        return fwd_cli_fail(cli);
    }

    if (out->events[0].end != FWD_TRY_SENT) {
        (void) fwd_error(&cli->err, "not sent: the map %s the event: %s",
                         out->events[0].end == FWD_TRY_DEAD ? "refuses"
                                                            : "drops",
                         out->events[0].reason[0] != '\0'
                         ? out->events[0].reason : "no_record");
        return fwd_cli_fail(cli);
    }

    if ((cli->o.live || cli->o.validate) && out->sequences_count != 0) {
        (void) fwd_error(&cli->err, "not sent: the event goes through a "
                         "sequence, whose steps are sent by the forwarder "
                         "only");
        return fwd_cli_fail(cli);
    }

    for (i = 0; cli->o.validate && i < out->calls_count; i++) {
        e = fwd_endpoint_find(&trial->conf, out->calls[i].endpoint,
                              strlen(out->calls[i].endpoint));

        if (e == NULL || e->validate == NULL) {
            (void) fwd_error(&cli->err, "not sent: endpoint \"%s\" has no "
                             "\"validate\"", out->calls[i].endpoint);
            return fwd_cli_fail(cli);
        }
    }

    if (!cli->o.live && !cli->o.validate) {
        return FWD_CLI_OK;
    }

    if (fwd_send_is_auth(trial, FWD_AUTH_OAUTH2) && !trial->token_given) {
        (void) fwd_error(&cli->err, "not sent: \"%s\" needs a token, and one "
                         "more request for it could end the token of the "
                         "forwarder; give --token FILE", trial->name);
        return fwd_cli_fail(cli);
    }

    return FWD_CLI_OK;
}


static int
fwd_send_is_auth(const fwd_cli_trial_t *trial, fwd_auth_kind_t kind)
{
    const char  *name;

    name = trial->conf.desc->auth.kind;

    return name != NULL && strcmp(name, fwd_auth_kinds[kind]) == 0;
}


static int
fwd_send_all(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_output_t *shown)
{
    int               good;
    fwd_rc_t          rc;
    uint32_t          i;
    fwd_pool_t        pool;
    fwd_try_output_t  out;

    fwd_pool_init(&pool);                /* it holds secrets, and is wiped */
    good = 1;

    rc = fwd_cli_trial_requests(&out, trial, 0, (int) cli->o.validate, &pool,
                                &cli->err);

    if (rc == FWD_OK && out.calls_count != shown->calls_count) {
        rc = fwd_error(&cli->err, "not sent: the map says something else the "
                       "second time");
    }

    for (i = 0; rc == FWD_OK && good && i < out.calls_count; i++) {
        (void) printf("%srequest %u of %u%s\n", i ? "\n" : "",
                      (unsigned) i + 1, (unsigned) out.calls_count,
                      out.calls[i].gzip ? ", gzip" : "");
        fwd_cli_trial_print(trial, &shown->calls[i]);
        (void) fflush(stdout);

        rc = fwd_send_one(cli, trial, &out.calls[i], &good);
    }

    fwd_pool_free(&pool);

    if (rc != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    return good ? FWD_CLI_OK : FWD_CLI_FAILED;
}


static fwd_rc_t
fwd_send_one(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, int *good)
{
    long                status;
    CURL               *easy;
    fwd_rc_t            rc;
    CURLcode            code;
    fwd_buf_t           packed;
    fwd_reply_t         reply;
    const char         *why;
    fwd_safe_guard_t    guard;
    struct curl_slist  *lines;

    why = fwd_safe_url(&trial->conf.http.safe, call->url);

    if (why != NULL) {
        return fwd_error(&cli->err, "not sent: the host of the URL is "
                         "refused: %s", why);
    }

    easy = curl_easy_init();
    lines = fwd_send_lines(call->headers);
    fwd_buf_init(&packed, FWD_CALL_BODY_MAX);
    fwd_reply_init(&reply);
    reply.more = trial->conf.desc->answer_headers.list;
    reply.more_count = trial->conf.desc->answer_headers.count;

    if (easy == NULL || lines == NULL
        || fwd_send_options(easy, trial, call, &packed) != FWD_OK
        || curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines) != CURLE_OK)
    {
        rc = fwd_error(&cli->err, "the request cannot be made");
        goto done;
    }

    fwd_safe_attach(&guard, &trial->conf.http.safe, easy);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, &reply);

    code = curl_easy_perform(easy);
    status = 0;
    (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);

    /* a long answer is not read to its end, which is no failure */

    if (guard.refused != NULL) {
        rc = fwd_error(&cli->err, "not sent: the host has an address that is "
                       "refused: %s; a network of your own is allowed by "
                       "\"allow_private\"", guard.refused);
        goto done;
    }

    if (status == 0 || (code != CURLE_OK && !reply.cut)) {
        rc = fwd_error(&cli->err, "no answer: %s", curl_easy_strerror(code));
        goto done;
    }

    rc = fwd_send_judge(cli, trial, call, (int) status, &reply, good);

done:

    fwd_reply_free(&reply);
    fwd_buf_free(&packed);
    curl_slist_free_all(lines);
    curl_easy_cleanup(easy);

    return rc;
}


/* As the forwarder has them (fwd_kind_http.c). */

static fwd_rc_t
fwd_send_options(CURL *easy, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, fwd_buf_t *packed)
{
    const void             *body;
    size_t                  len;
    const fwd_endpoint_t   *e;

    body = call->body;
    len = call->body_len;
    e = fwd_endpoint_find(&trial->conf, call->endpoint,
                          strlen(call->endpoint));

    if (call->gzip) {

        if (fwd_call_gzip(packed, body, len) != FWD_OK) {
            return FWD_ERROR;
        }

        body = packed->data;
        len = packed->len;
    }

    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT,
                            "martech-forwarder/" MARTECH_VERSION);
    (void) curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) trial->conf.limits.connect_timeout_ms);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                            (long) (e ? e->timeout_ms
                                      : trial->conf.limits.timeout_ms));
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fwd_send_on_body);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            fwd_send_on_header);

    if (len == 0 && (strcmp(call->method, "GET") == 0
                     || strcmp(call->method, "DELETE") == 0))
    {
        (void) curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);

    } else if (curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK
               || curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                   (curl_off_t) len) != CURLE_OK
               || curl_easy_setopt(easy, CURLOPT_POSTFIELDS, len ? body : "")
                  != CURLE_OK)
    {
        return FWD_ERROR;
    }

    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method)
           == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_URL, call->url) == CURLE_OK
           ? FWD_OK : FWD_ERROR;
}


static struct curl_slist *
fwd_send_lines(const char *lines)
{
    char               *line;
    size_t              len;
    struct curl_slist  *list, *one;

    list = curl_slist_append(NULL, "Expect:");
    one = list ? curl_slist_append(list, "Accept-Encoding: identity") : NULL;

    while (one != NULL && *lines != '\0') {
        len = strcspn(lines, "\n");
        line = strndup(lines, len);
        one = line ? curl_slist_append(list, line) : NULL;

        if (line != NULL) {
            explicit_bzero(line, len);
        }

        free(line);
        lines += len + (lines[len] == '\n');
    }

    if (one == NULL) {
        curl_slist_free_all(list);
        return NULL;
    }

    return list;
}


static fwd_rc_t
fwd_send_judge(fwd_cli_t *cli, const fwd_cli_trial_t *trial,
    const fwd_try_call_t *call, int status, fwd_reply_t *reply, int *good)
{
    size_t             len;
    uint32_t           i;
    const char        *word, *reason;
    fwd_try_answer_t   in;
    fwd_try_verdict_t  verdict;

    memset(&in, 0, sizeof(in));
    in.endpoint = call->endpoint;
    in.status = status;
    in.headers = fwd_pool_string(&cli->pool,
                                 reply->headers.len ? reply->headers.data
                                 : (const unsigned char *) "",
                                 reply->headers.len);
    in.body.data = reply->body.data;
    in.body.len = reply->body.len;
    in.sent = call->count;
    in.attempt = 1;
    in.now_ms = trial->now_ms;

    (void) printf("\nanswer %d\n", status);
    fwd_cli_trial_text(trial, "  ", reply->headers.data,
                       reply->headers.len);

    len = reply->body.len > FWD_SEND_SHOWN ? FWD_SEND_SHOWN
                                           : reply->body.len;
    (void) printf("%s", len != 0 ? "\n" : "");
    fwd_cli_trial_text(trial, "  ", reply->body.data, len);

    if (len < reply->body.len || reply->cut) {
        (void) printf("  ...\n");
    }

    if (fwd_try_answer(&verdict, &trial->conf, &in, &cli->pool, &cli->err)
        != FWD_OK)
    {
        return FWD_ERROR;
    }

    (void) printf("\n");

    for (i = 0; i < call->count; i++) {
        word = verdict.outcomes ? verdict.outcomes[i] : verdict.outcome;
        reason = verdict.reasons ? verdict.reasons[i] : verdict.reason;

        if (strcmp(word, "ok") != 0 && strcmp(word, "duplicate") != 0
            && strcmp(word, "drop") != 0)
        {
            *good = 0;
        }

        (void) printf("record %u: %s%s", (unsigned) i + 1, word,
                      *reason != '\0' ? ", " : "\n");
        fwd_cli_trial_text(trial, "", reason, strlen(reason));
    }

    return FWD_OK;
}


static size_t
fwd_send_on_body(char *data, size_t size, size_t n, void *userdata)
{
    return fwd_reply_body(userdata, data, size * n) ? size * n : 0;
}


static size_t
fwd_send_on_header(char *data, size_t size, size_t n, void *userdata)
{
    return fwd_reply_header(userdata, data, size * n) ? size * n : 0;
}
