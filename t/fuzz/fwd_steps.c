
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The progress of a sequence as it comes from Redis, and what a cache says:
 * whatever stands there, the sequence stands at a step of its own, goes on,
 * and what it keeps then is read back as the same.
 */


#include "fuzz.h"

/* this project */
#include "martech_base64.h"

/* forwarder */
#include "fwd_attempts.h"
#include "fwd_sequence.h"


#define FUZZ_TEXT_MAX  8192


static fwd_desc_step_t  fuzz_steps[] = {
    { .name = "a", .endpoint = "one", .map = { "{n: .record.n}", 1 },
      .vars = { { "id", { ".body", 1 } }, { "ok", { ".status == 200", 1 } } },
      .vars_count = 2, .cache_key = { ".record.n", 1 },
      .cache_ttl_ms = 1000, .cache_negative_ms = 1000, .idempotent = 1,
      .undo_endpoint = "one", .undo_map = { "{id: .steps.a.id}", 1 } },
    { .name = "b", .endpoint = "one", .when = { ".steps.a.ok", 1 },
      .map = { "{s: .steps}", 1 }, .undo_endpoint = "one",
      .undo_map = { "{}", 1 } },
    { .name = "c", .endpoint = "one", .map = { "{}", 1 } }
};

static fwd_endpoint_t   fuzz_endpoint = { .name = "one",
                                          .bytes_max = 1 << 20 };
static fwd_desc_t       fuzz_desc;
static fwd_dest_conf_t  fuzz_conf;
static fwd_sequence_t  *fuzz_seq;
static char             fuzz_head[64];   /* {"r":"...", */


/* jq keeps its stack by a pointer behind the end, which is no pointer to it
   for those who look for leaks. */

const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:jv_mem_realloc";
}


static martech_str_t
fuzz_str(const char *text)
{
    martech_str_t  str;

    str.data = (const unsigned char *) text;
    str.len = strlen(text);

    return str;
}


/* The progress as JSON. */

static void
fuzz_progress(fwd_steps_t *steps, char json[FUZZ_TEXT_MAX])
{
    long           len;
    fwd_buf_t      kept;
    martech_str_t  text;

    fwd_buf_init(&kept, FUZZ_TEXT_MAX);
    fuzz_assert(fwd_steps_progress(steps, &kept) == FWD_OK);
    fuzz_assert(kept.len <= FWD_ATTEMPTS_PROGRESS_MAX);

    text.data = kept.data;
    text.len = kept.len;
    len = martech_base64_decode(text, (unsigned char *) json);
    fuzz_assert(len >= 0 && len <= FWD_SEQUENCE_PROGRESS_MAX);
    json[len] = '\0';
    fwd_buf_free(&kept);
}


static void
fuzz_init(void)
{
    char                 json[FUZZ_TEXT_MAX];
    fwd_pool_t           pool;
    fwd_step_t           step;
    fwd_steps_t         *steps;
    fwd_report_t         report;
    fwd_step_answer_t    answer;
    fwd_steps_effect_t   effect;

    fwd_pool_init(&pool);
    memset(&report, 0, sizeof(report));
    report.pool = &pool;

    fuzz_desc.folder = "fuzz";
    fuzz_desc.sequence = "[]";
    fuzz_desc.steps = fuzz_steps;
    fuzz_desc.steps_count = 3;
    fuzz_conf.desc = &fuzz_desc;
    fuzz_conf.http.endpoints = &fuzz_endpoint;
    fuzz_conf.http.endpoints_count = 1;

    fuzz_assert(fwd_sequence_create(&fuzz_seq, &fuzz_conf, &report)
                == FWD_OK);

    /* the id is that of the record and the description */

    steps = fwd_steps_begin(fuzz_seq, fuzz_str("{}"), fuzz_str(""));
    fuzz_assert(fwd_steps_next(steps, &step) == FWD_STEP_SEND);
    memset(&answer, 0, sizeof(answer));
    answer.outcome = FWD_OUTCOME_DELIVERED;
    fuzz_assert(fwd_steps_answer(steps, &answer, &effect) == FWD_STEP_PAUSE);
    fuzz_progress(steps, json);
    fuzz_assert(strstr(json, "\"r\":\"") != NULL);
    (void) snprintf(fuzz_head, sizeof(fuzz_head), "{\"r\":\"%.16s\",",
                    strstr(json, "\"r\":\"") + 5);

    fwd_steps_free(steps);
    fwd_pool_free(&pool);
}


static void
fuzz_cached(const uint8_t *data, size_t size)
{
    fwd_step_t      step;
    fwd_steps_t    *steps;
    martech_str_t   value;

    steps = fwd_steps_begin(fuzz_seq, fuzz_str("{\"n\":1}"), fuzz_str(""));
    fuzz_assert(fwd_steps_next(steps, &step) == FWD_STEP_LOOKUP);

    value.data = data;
    value.len = size;
    fwd_steps_cached(steps, value);
    fuzz_assert(fwd_steps_next(steps, &step) != FWD_STEP_LOOKUP);
    fwd_steps_free(steps);
}


/* Stands where it stands after it was kept and read once more. */

static void
fuzz_again(fwd_steps_t *steps, const fwd_attempts_t *tries)
{
    char            first[FUZZ_TEXT_MAX], second[FUZZ_TEXT_MAX];
    fwd_buf_t       kept;
    fwd_steps_t    *again;
    martech_str_t   text;

    fuzz_progress(steps, first);

    fwd_buf_init(&kept, FUZZ_TEXT_MAX);
    fuzz_assert(fwd_steps_progress(steps, &kept) == FWD_OK);
    text.data = kept.data;
    text.len = kept.len;
    again = fwd_steps_begin(fuzz_seq, fuzz_str("{}"), text);
    fuzz_progress(again, second);

    fuzz_assert(strcmp(first, second) == 0);
    fuzz_assert(tries->progress != NULL || first[0] == '\0');

    fwd_steps_free(again);
    fwd_buf_free(&kept);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              text[FWD_ATTEMPTS_TEXT_MAX], out[FWD_ATTEMPTS_TEXT_MAX];
    size_t            len;
    fwd_buf_t         json;
    fwd_step_t        step;
    fwd_steps_t      *steps;
    unsigned char     code[FUZZ_TEXT_MAX];
    martech_str_t     plain;
    fwd_attempts_t    tries;
    fwd_step_next_t   next;

    if (fuzz_seq == NULL) {
        fuzz_init();
    }

    if (size == 0 || size > 4000) {
        return 0;
    }

    if (data[0] == 'c') {
        fuzz_cached(data + 1, size - 1);
        return 0;
    }

    if (data[0] == 't') {
        len = size - 1;
        memcpy(text, data + 1, len);

    } else {
        fwd_buf_init(&json, FUZZ_TEXT_MAX);
        fwd_buf_add_string(&json, fuzz_head);
        fwd_buf_add(&json, data, size);
        plain.data = json.data;
        plain.len = json.len;
        len = martech_base64_encode(plain, code);

        while (len > 0 && code[len - 1] == '=') {
            len--;
        }

        fwd_buf_free(&json);
        len = (size_t) snprintf(text, sizeof(text), "2 1 1.retry.500.3 "
                                "seq:%.*s", (int) len, (char *) code);
        len = len < sizeof(text) ? len : sizeof(text) - 1;

        for (size_t i = 0; i < len; i++) {
            text[i] = (text[i] == '+') ? '-' : (text[i] == '/') ? '_'
                      : text[i];
        }
    }

    fwd_attempts_parse(&tries, text, len);
    fuzz_assert(fwd_attempts_format(out, &tries) < sizeof(out));

    steps = fwd_steps_begin(fuzz_seq, fuzz_str("{}"),
                            fuzz_str(tries.progress ? tries.progress : ""));
    fuzz_assert(steps != NULL);
    fuzz_again(steps, &tries);

    next = fwd_steps_next(steps, &step);
    fuzz_assert(next == FWD_STEP_SEND || next == FWD_STEP_DONE
                || next == FWD_STEP_DEAD);
    fuzz_assert(next != FWD_STEP_SEND || step.endpoint == &fuzz_endpoint);
    fuzz_assert(strlen(fwd_steps_reason(steps)) < FWD_SEQUENCE_REASON_MAX);

    fwd_steps_free(steps);
    fwd_attempts_clear(&tries);

    return 0;
}
