
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The record of failed attempts.
 */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_attempts.h"


#define FWD_ATTEMPTS_PROGRESS  "seq:"


static int fwd_attempts_read(fwd_attempt_t *attempt, const char *word);
static int fwd_attempts_read_progress(fwd_attempts_t *tries,
    const char *word);


void
fwd_attempts_add(fwd_attempts_t *tries, const fwd_attempt_t *attempt)
{
    if (tries->kept == FWD_ATTEMPTS_KEPT) {
        memmove(&tries->last[0], &tries->last[1],
                (FWD_ATTEMPTS_KEPT - 1) * sizeof(fwd_attempt_t));
        tries->kept--;
    }

    tries->last[tries->kept++] = *attempt;
    tries->count++;

    if (tries->first_ms == 0) {
        tries->first_ms = attempt->at_ms;
    }
}


fwd_rc_t
fwd_attempts_progress(fwd_attempts_t *tries, martech_str_t text)
{
    size_t  i;

    fwd_attempts_clear(tries);

    if (text.len == 0) {
        return FWD_OK;
    }

    if (text.len > FWD_ATTEMPTS_PROGRESS_MAX) {
        return FWD_ERROR;
    }

    for (i = 0; i < text.len; i++) {
        if (!isalnum(text.data[i]) && text.data[i] != '-'
            && text.data[i] != '_')
        {
            return FWD_ERROR;
        }
    }

    tries->progress = strndup((const char *) text.data, text.len);

    return tries->progress ? FWD_OK : FWD_ERROR;
}


void
fwd_attempts_clear(fwd_attempts_t *tries)
{
    free(tries->progress);
    tries->progress = NULL;
}


void
fwd_attempts_free(fwd_attempts_t *tries)
{
    if (tries != NULL) {
        fwd_attempts_clear(tries);
        free(tries);
    }
}


void
fwd_attempts_parse(fwd_attempts_t *tries, const char *text, size_t len)
{
    char           copy[FWD_ATTEMPTS_TEXT_MAX], *word, *save;
    fwd_attempt_t  attempt;

    memset(tries, 0, sizeof(fwd_attempts_t));

    /* what is longer was cut by nobody who knows: half a word is none */

    if (len >= sizeof(copy)) {
        len = sizeof(copy) - 1;

        while (len > 0 && text[len] != ' ') {
            len--;
        }
    }

    memcpy(copy, text, len);
    copy[len] = '\0';

    word = strtok_r(copy, " ", &save);
    if (word == NULL) {
        return;
    }

    tries->count = (uint32_t) strtoul(word, NULL, 10);

    word = strtok_r(NULL, " ", &save);
    if (word == NULL) {
        return;
    }

    tries->first_ms = strtoull(word, NULL, 10);

    for ( ;; ) {
        word = strtok_r(NULL, " ", &save);
        if (word == NULL) {
            return;
        }

        if (fwd_attempts_read_progress(tries, word)) {
            continue;
        }

        if (tries->kept < FWD_ATTEMPTS_KEPT
            && fwd_attempts_read(&attempt, word))
        {
            tries->last[tries->kept++] = attempt;
        }
    }
}


/* 1 if the word is the progress, of use or not. */

static int
fwd_attempts_read_progress(fwd_attempts_t *tries, const char *word)
{
    size_t         len;
    martech_str_t  text;

    len = strlen(FWD_ATTEMPTS_PROGRESS);

    if (strncmp(word, FWD_ATTEMPTS_PROGRESS, len) != 0) {
        return 0;
    }

    text.data = (const unsigned char *) word + len;
    text.len = strlen(word) - len;
    (void) fwd_attempts_progress(tries, text);

    return 1;
}


/* "at_ms.class.status.ms"; 1 if it is that. */

static int
fwd_attempts_read(fwd_attempt_t *attempt, const char *word)
{
    int                 end;
    char                name[24];
    unsigned            ms;
    unsigned long long  at;

    end = 0;

    if (sscanf(word, "%20llu.%23[a-z_].%d.%u%n", &at, name, &attempt->status,
               &ms, &end)
        != 4
        || word[end] != '\0')
    {
        return 0;
    }

    attempt->at_ms = at;
    attempt->ms = ms;

    return fwd_outcome_parse(&attempt->outcome, name) == FWD_OK;
}


size_t
fwd_attempts_format(char out[FWD_ATTEMPTS_TEXT_MAX],
    const fwd_attempts_t *tries)
{
    int                   n;
    uint32_t              i;
    const fwd_attempt_t  *attempt;

    n = snprintf(out, FWD_ATTEMPTS_TEXT_MAX, "%u %llu", tries->count,
                 (unsigned long long) tries->first_ms);

    for (i = 0; i < tries->kept; i++) {
        attempt = &tries->last[i];

        n += snprintf(out + n, (size_t) (FWD_ATTEMPTS_TEXT_MAX - n),
                      " %llu.%s.%d.%u", (unsigned long long) attempt->at_ms,
                      fwd_outcome_name(attempt->outcome), attempt->status,
                      attempt->ms);
    }

    if (tries->progress != NULL) {
        n += snprintf(out + n, (size_t) (FWD_ATTEMPTS_TEXT_MAX - n), " %s%s",
                      FWD_ATTEMPTS_PROGRESS, tries->progress);
    }

    return (size_t) n;
}


uint32_t
fwd_attempts_row(const fwd_attempts_t *tries, fwd_outcome_t outcome)
{
    uint32_t  n;

    for (n = 0; n < tries->kept; n++) {
        if (tries->last[tries->kept - 1 - n].outcome != outcome) {
            break;
        }
    }

    return n;
}
