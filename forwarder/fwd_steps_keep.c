
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What is kept of a sequence: the progress of an event between its attempts,
 * and the keys of caches.
 *
 * Progress is {"r": id, "s": step, "c": 1 while compensating, "k": a letter
 * for each step, "n": answers in a row without the values, "f": compensations
 * that failed, "u": why it is compensating, "v": {step: {var: value}}} as
 * base64url.  It comes back from Redis, where anything may stand.
 */


#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../martech/martech_base64.h"

#include "fwd_attempts.h"
#include "fwd_sequence_private.h"


/* What all values may have, so that the rest of the progress fits too: a
   reason of which each byte is escaped, and the small members. */
#define FWD_STEPS_VALUES_MAX  (FWD_SEQUENCE_PROGRESS_MAX                      \
                               - 2 * FWD_SEQUENCE_REASON_MAX - 128)

#define FWD_STEPS_KEY_MAX     65536      /* of a key, as JSON */


static void fwd_steps_reset(fwd_steps_t *steps);
static fwd_rc_t fwd_steps_read(fwd_steps_t *steps, jv value);
static int fwd_steps_number(jv value, const char *name, uint32_t max,
    uint32_t *out);
static fwd_rc_t fwd_steps_read_text(jv value, const char *name, char *out,
    size_t size);
static fwd_rc_t fwd_steps_read_states(fwd_steps_t *steps, const char *text);
static fwd_rc_t fwd_steps_read_values(fwd_steps_t *steps, jv value);
static fwd_rc_t fwd_steps_place_step(fwd_steps_t *steps, uint32_t index,
    jv value);
static int fwd_steps_has_values(const fwd_steps_t *steps, uint32_t index);
static jv fwd_steps_all_values(const fwd_steps_t *steps, uint32_t index,
    jv values);
static void fwd_steps_hex(char *out, size_t len, const unsigned char *digest);
static void fwd_steps_hash(EVP_MD_CTX *ctx, const char *text);
static void fwd_steps_encode(fwd_buf_t *out, fwd_buf_t *text);


jv
fwd_steps_input(const fwd_steps_t *steps)
{
    jv        all, one;
    uint32_t  i;

    all = jv_object();

    for (i = 0; i < steps->seq->count; i++) {

        switch (steps->states[i]) {

        case FWD_STEP_STATE_AHEAD:
            continue;

        case FWD_STEP_STATE_SKIPPED:
            one = jv_object_set(jv_object(), jv_string("done"), jv_false());
            one = jv_object_set(one, jv_string("skipped"), jv_true());
            break;

        default:
            one = jv_get_kind(steps->vars[i]) == JV_KIND_OBJECT
                  ? jv_copy(steps->vars[i]) : jv_object();
            one = jv_object_set(one, jv_string("done"), jv_true());
            break;
        }

        all = jv_object_set(all, jv_string(steps->seq->steps[i].name), one);
    }

    return jv_object_set(jv_object_set(jv_object(), jv_string("record"),
                                       jv_copy(steps->record)),
                         jv_string("steps"), all);
}


int
fwd_steps_values_valid(const fwd_desc_step_t *step, jv values)
{
    jv      value;
    int     ok;
    size_t  i;

    if (jv_get_kind(values) != JV_KIND_OBJECT
        || jv_object_length(jv_copy(values)) != (int) step->vars_count)
    {
        return 0;
    }

    ok = 1;

    for (i = 0; ok && i < step->vars_count; i++) {
        value = jv_object_get(jv_copy(values),
                              jv_string(step->vars[i].name));

        switch (jv_get_kind(value)) {

        case JV_KIND_STRING:
            ok = jv_string_length_bytes(jv_copy(value))
                 <= FWD_SEQUENCE_VALUE_MAX;
            break;

        case JV_KIND_NUMBER:
            ok = isfinite(jv_number_value(value)) != 0;
            break;

        case JV_KIND_TRUE:
        case JV_KIND_FALSE:
            break;

        default:
            ok = 0;
            break;
        }

        jv_free(value);
    }

    return ok;
}


int
fwd_steps_fit(const fwd_steps_t *steps, uint32_t index, jv values)
{
    int        fits;
    fwd_buf_t  text;

    fwd_buf_init(&text, FWD_STEPS_VALUES_MAX);
    fwd_jv_dump(&text, fwd_steps_all_values(steps, index, jv_copy(values)));
    fits = !text.failed;
    fwd_buf_free(&text);

    return fits;
}


/* {step: {var: value}}, with the given values of one; takes them. */

static jv
fwd_steps_all_values(const fwd_steps_t *steps, uint32_t index, jv values)
{
    jv        all;
    uint32_t  i;

    all = jv_object();

    for (i = 0; i < steps->seq->count; i++) {
        if (i != index && fwd_steps_has_values(steps, i)) {
            all = jv_object_set(all, jv_string(steps->seq->steps[i].name),
                                jv_copy(steps->vars[i]));
        }
    }

    return (index == FWD_STEP_NONE)
           ? all : jv_object_set(all, jv_string(steps->seq->steps[index].name),
                                 values);
}


static int
fwd_steps_has_values(const fwd_steps_t *steps, uint32_t index)
{
    return jv_get_kind(steps->vars[index]) == JV_KIND_OBJECT;
}


fwd_rc_t
fwd_steps_key(fwd_steps_t *steps, uint32_t index,
    char key[FWD_SEQUENCE_DIGEST_LEN + 1])
{
    jv             value;
    fwd_rc_t       rc;
    fwd_buf_t      text;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    key[0] = '\0';

    if (steps->seq->steps[index].cache_key.text == NULL) {
        return FWD_NONE;
    }

    rc = fwd_sequence_run(steps->seq, index, FWD_STEP_KEY,
                          fwd_steps_input(steps), &value);

    if (rc != FWD_OK) {
        return rc;
    }

    if (jv_get_kind(value) == JV_KIND_NULL) {
        jv_free(value);
        return FWD_NONE;
    }

    fwd_buf_init(&text, FWD_STEPS_KEY_MAX);
    fwd_jv_dump(&text, value);

    rc = (!text.failed
          && EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL)
             == 1)
         ? FWD_OK : FWD_NONE;

    if (rc == FWD_OK) {
        fwd_steps_hex(key, FWD_SEQUENCE_DIGEST_LEN, digest);
    }

    fwd_buf_free(&text);

    return rc;
}


static void
fwd_steps_hex(char *out, size_t len, const unsigned char *digest)
{
    size_t  i;

    for (i = 0; i < len / 2; i++) {
        (void) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}


/*
 * Progress is of a record, a sequence and settings: with others the steps
 * that were done are not those that would be.  Secrets may be replaced.
 */

void
fwd_steps_id(fwd_steps_t *steps, martech_str_t record)
{
    size_t                  i;
    EVP_MD_CTX             *ctx;
    unsigned char           digest[EVP_MAX_MD_SIZE];
    const fwd_dest_conf_t  *conf;

    conf = steps->seq->conf;
    memset(digest, 0, sizeof(digest));
    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return;
    }

    (void) EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    (void) EVP_DigestUpdate(ctx, record.data, record.len);
    fwd_steps_hash(ctx, conf->desc->sequence);

    for (i = 0; i < conf->desc->settings_count; i++) {
        fwd_steps_hash(ctx, conf->desc->settings[i].secret
                            ? NULL : conf->values[i]);
    }

    (void) EVP_DigestFinal_ex(ctx, digest, NULL);
    EVP_MD_CTX_free(ctx);

    fwd_steps_hex(steps->id, FWD_SEQUENCE_ID_LEN, digest);
}


/* With a sign between: two texts are not one. */

static void
fwd_steps_hash(EVP_MD_CTX *ctx, const char *text)
{
    (void) EVP_DigestUpdate(ctx, text ? "+" : "-", 1);

    if (text != NULL) {
        (void) EVP_DigestUpdate(ctx, text, strlen(text) + 1);
    }
}


fwd_rc_t
fwd_steps_progress(const fwd_steps_t *steps, fwd_buf_t *out)
{
    jv         value;
    fwd_buf_t  text;

    if (steps->end == FWD_STEP_DONE || steps->end == FWD_STEP_DROP
        || steps->end == FWD_STEP_DEAD
        || steps->seq->conf->desc->resume == FWD_RESUME_START
        || (steps->at == 0 && !steps->compensating && steps->misses == 0))
    {
        return FWD_OK;
    }

    value = jv_object_set(jv_object(), jv_string("r"), jv_string(steps->id));
    value = jv_object_set(value, jv_string("s"), jv_number(steps->at));
    value = jv_object_set(value, jv_string("c"),
                          jv_number(steps->compensating));
    value = jv_object_set(value, jv_string("k"), jv_string(steps->states));
    value = jv_object_set(value, jv_string("n"), jv_number(steps->misses));
    value = jv_object_set(value, jv_string("f"), jv_number(steps->failed));
    value = jv_object_set(value, jv_string("u"), jv_string(steps->why));
    value = jv_object_set(value, jv_string("v"),
                          fwd_steps_all_values(steps, FWD_STEP_NONE,
                                               jv_null()));

    fwd_buf_init(&text, FWD_SEQUENCE_PROGRESS_MAX);
    fwd_jv_dump(&text, value);

    if (text.failed) {
        fwd_buf_free(&text);
        return FWD_ERROR;
    }

    fwd_steps_encode(out, &text);
    fwd_buf_free(&text);

    return out->failed ? FWD_ERROR : FWD_OK;
}


static void
fwd_steps_encode(fwd_buf_t *out, fwd_buf_t *text)
{
    size_t         i, len;
    martech_str_t  src;
    unsigned char  code[martech_base64_encoded(FWD_SEQUENCE_PROGRESS_MAX)];

    src.data = text->data;
    src.len = text->len;
    len = martech_base64_encode(src, code);

    while (len > 0 && code[len - 1] == '=') {
        len--;
    }

    for (i = 0; i < len; i++) {
        code[i] = (code[i] == '+') ? '-' : (code[i] == '/') ? '_' : code[i];
    }

    fwd_buf_add(out, code, len);
}


void
fwd_steps_restore(fwd_steps_t *steps, martech_str_t progress)
{
    jv             value;
    long           len;
    martech_str_t  text;
    unsigned char  json[martech_base64_decoded(FWD_ATTEMPTS_PROGRESS_MAX)];

    if (progress.len > FWD_ATTEMPTS_PROGRESS_MAX) {
        return;
    }

    len = martech_base64_decode(progress, json);

    if (len <= 0 || len > FWD_SEQUENCE_PROGRESS_MAX) {
        return;
    }

    text.data = json;
    text.len = (size_t) len;
    value = fwd_jv_parse(&steps->seq->tape, text);

    if (fwd_steps_read(steps, value) != FWD_OK) {
        fwd_steps_reset(steps);
    }

    jv_free(value);
}


/* From the first step on. */

static void
fwd_steps_reset(fwd_steps_t *steps)
{
    uint32_t  i;

    for (i = 0; i < steps->seq->count; i++) {
        jv_free(steps->vars[i]);
        steps->vars[i] = jv_null();
        steps->states[i] = FWD_STEP_STATE_AHEAD;
    }

    steps->at = 0;
    steps->misses = 0;
    steps->failed = 0;
    steps->compensating = 0;
    steps->why[0] = '\0';
}


static fwd_rc_t
fwd_steps_read(fwd_steps_t *steps, jv value)
{
    char      id[FWD_SEQUENCE_ID_LEN + 1];
    char      states[FWD_SEQUENCE_STEPS_MAX + 1];
    uint32_t  compensating;

    if (jv_get_kind(value) != JV_KIND_OBJECT
        || fwd_steps_read_text(value, "r", id, sizeof(id)) != FWD_OK
        || strcmp(id, steps->id) != 0
        || fwd_steps_read_text(value, "k", states, sizeof(states)) != FWD_OK
        || fwd_steps_read_text(value, "u", steps->why, sizeof(steps->why))
           != FWD_OK
        || !fwd_steps_number(value, "s", steps->seq->count - 1, &steps->at)
        || !fwd_steps_number(value, "c", 1, &compensating)
        || !fwd_steps_number(value, "n", FWD_SEQUENCE_MISSES - 1,
                             &steps->misses)
        || !fwd_steps_number(value, "f", UINT16_MAX, &steps->failed))
    {
        return FWD_ERROR;
    }

    steps->compensating = (compensating == 1);

    if (fwd_steps_read_states(steps, states) != FWD_OK) {
        return FWD_ERROR;
    }

    return fwd_steps_read_values(steps, value);
}


/* 1 if there is a whole number up to that. */

static int
fwd_steps_number(jv value, const char *name, uint32_t max, uint32_t *out)
{
    jv      member;
    int     ok;
    double  number;

    member = jv_object_get(jv_copy(value), jv_string(name));
    number = (jv_get_kind(member) == JV_KIND_NUMBER)
             ? jv_number_value(member) : -1;
    ok = (number >= 0 && number <= max && floor(number) == number);
    jv_free(member);

    if (ok) {
        *out = (uint32_t) number;
    }

    return ok;
}


static fwd_rc_t
fwd_steps_read_text(jv value, const char *name, char *out, size_t size)
{
    jv        member;
    fwd_rc_t  rc;

    member = jv_object_get(jv_copy(value), jv_string(name));
    rc = FWD_ERROR;

    if (jv_get_kind(member) == JV_KIND_STRING
        && (size_t) jv_string_length_bytes(jv_copy(member)) < size
        && strlen(jv_string_value(member))
           == (size_t) jv_string_length_bytes(jv_copy(member)))
    {
        (void) strcpy(out, jv_string_value(member));
        rc = FWD_OK;
    }

    jv_free(member);

    return rc;
}


/* A letter each; those before the step it stands at are through, the others
   ahead. */

static fwd_rc_t
fwd_steps_read_states(fwd_steps_t *steps, const char *text)
{
    uint32_t  i;

    if (strlen(text) != steps->seq->count) {
        return FWD_ERROR;
    }

    for (i = 0; i < steps->seq->count; i++) {

        if (strchr("-dcsu", text[i]) == NULL
            || (text[i] == FWD_STEP_STATE_UNDONE && !steps->compensating)
            || (!steps->compensating
                && (i < steps->at) != (text[i] != FWD_STEP_STATE_AHEAD)))
        {
            return FWD_ERROR;
        }

        steps->states[i] = text[i];
    }

    return FWD_OK;
}


static fwd_rc_t
fwd_steps_read_values(fwd_steps_t *steps, jv value)
{
    jv                      all, values;
    uint32_t                i;
    fwd_rc_t                rc;
    const fwd_desc_step_t  *step;

    all = jv_object_get(jv_copy(value), jv_string("v"));
    rc = (jv_get_kind(all) == JV_KIND_OBJECT) ? FWD_OK : FWD_ERROR;

    for (i = 0; rc == FWD_OK && i < steps->seq->count; i++) {
        step = &steps->seq->steps[i];
        values = jv_object_get(jv_copy(all), jv_string(step->name));

        if (fwd_steps_values_valid(step, values)) {
            steps->vars[i] = values;
            continue;
        }

        /* only a step that was not done has none */

        if (jv_is_valid(values)
            || (step->vars_count != 0
                && steps->states[i] != FWD_STEP_STATE_AHEAD
                && steps->states[i] != FWD_STEP_STATE_SKIPPED))
        {
            rc = FWD_ERROR;
        }

        jv_free(values);
    }

    jv_free(all);

    return rc;
}


fwd_rc_t
fwd_steps_place(fwd_steps_t *steps, martech_str_t place)
{
    jv        value, all;
    char      name[FWD_NAME_MAX + 2];
    uint32_t  i;
    fwd_rc_t  rc;

    fwd_steps_reset(steps);
    value = fwd_jv_parse(&steps->seq->tape, place);

    if (jv_get_kind(value) != JV_KIND_OBJECT
        || fwd_steps_read_text(value, "step", name, sizeof(name)) != FWD_OK)
    {
        jv_free(value);
        return FWD_ERROR;
    }

    if (name[0] != '\0' && name[strlen(name) - 1] == '!') {
        name[strlen(name) - 1] = '\0';
        steps->compensating = 1;
    }

    all = jv_object_get(value, jv_string("steps"));
    rc = FWD_ERROR;

    for (i = 0; i < steps->seq->count; i++) {
        if (strcmp(steps->seq->steps[i].name, name) == 0) {
            steps->at = i;
            rc = FWD_OK;
        }
    }

    for (i = 0; rc == FWD_OK && i < steps->at + steps->compensating; i++) {
        rc = fwd_steps_place_step(steps, i, all);
    }

    jv_free(all);

    return rc;
}


static fwd_rc_t
fwd_steps_place_step(fwd_steps_t *steps, uint32_t index, jv all)
{
    jv                      one, done;
    const fwd_desc_step_t  *step;

    step = &steps->seq->steps[index];
    one = jv_get_kind(all) == JV_KIND_OBJECT
          ? jv_object_get(jv_copy(all), jv_string(step->name))
          : jv_invalid();
    done = jv_get_kind(one) == JV_KIND_OBJECT
           ? jv_object_get(jv_copy(one), jv_string("done")) : jv_false();

    steps->states[index] = jv_get_kind(done) == JV_KIND_TRUE
                           ? FWD_STEP_STATE_DONE : FWD_STEP_STATE_SKIPPED;
    jv_free(done);

    if (steps->states[index] == FWD_STEP_STATE_SKIPPED
        || step->vars_count == 0)
    {
        jv_free(one);
        return FWD_OK;
    }

    one = jv_object_delete(one, jv_string("done"));

    if (!fwd_steps_values_valid(step, one)) {
        jv_free(one);
        return FWD_ERROR;
    }

    steps->vars[index] = one;

    return FWD_OK;
}
