
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Classification of answers.
 *
 * The table is ordered, the first range that holds the status wins.  It is
 * the riskiest table of the program: a retryable answer in the wrong class
 * throws events away, a permanent one holds a queue up.
 */


#include <ctype.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "fwd_outcome.h"


typedef struct {
    int                   first;         /* status from */
    int                   last;          /* to, inclusive */
    fwd_outcome_t         outcome;
} fwd_outcome_range_t;


static const fwd_outcome_range_t  fwd_outcome_ranges[] = {
    { 200, 299, FWD_OUTCOME_DELIVERED },
    { 401, 401, FWD_OUTCOME_CREDENTIALS },   /* who are you? */
    { 403, 403, FWD_OUTCOME_CREDENTIALS },   /* you may not */
    { 404, 404, FWD_OUTCOME_STOP },          /* the endpoint is not there */
    { 407, 407, FWD_OUTCOME_CREDENTIALS },   /* a proxy asks the same */
    { 408, 408, FWD_OUTCOME_RETRY },         /* request time-out */
    { 410, 410, FWD_OUTCOME_STOP },          /* ... and never will be */
    { 423, 423, FWD_OUTCOME_RETRY },         /* locked */
    { 425, 425, FWD_OUTCOME_RETRY },         /* too early */
    { 429, 429, FWD_OUTCOME_THROTTLED },     /* too many requests */
    { 501, 501, FWD_OUTCOME_REJECTED },      /* not implemented: never is */
    { 503, 503, FWD_OUTCOME_THROTTLED },     /* unavailable; Retry-After */
    { 500, 599, FWD_OUTCOME_RETRY },
    { 300, 399, FWD_OUTCOME_REJECTED },      /* redirects are not followed */
    { 400, 417, FWD_OUTCOME_REJECTED },      /* RFC 9110: the request's fault */
    { 421, 424, FWD_OUTCOME_REJECTED },
    { 426, 426, FWD_OUTCOME_REJECTED },
    { 428, 431, FWD_OUTCOME_REJECTED },
    { 451, 451, FWD_OUTCOME_REJECTED },      /* for legal reasons */
    { 0, 0, FWD_OUTCOME_UNCLASSIFIED }
};


static const char *const  fwd_outcome_names[] = {
    [FWD_OUTCOME_DELIVERED] = "delivered",
    [FWD_OUTCOME_RETRY] = "retry",
    [FWD_OUTCOME_THROTTLED] = "throttled",
    [FWD_OUTCOME_REJECTED] = "rejected",
    [FWD_OUTCOME_PAUSED] = "paused",
    [FWD_OUTCOME_MAP_ERROR] = "map_error",
    [FWD_OUTCOME_DROPPED] = "dropped",
    [FWD_OUTCOME_MISSING] = "missing",
    [FWD_OUTCOME_DUPLICATE] = "duplicate",
    [FWD_OUTCOME_CREDENTIALS] = "credentials",
    [FWD_OUTCOME_STOP] = "stop",
    [FWD_OUTCOME_AMBIGUOUS] = "ambiguous",
    [FWD_OUTCOME_EXPIRED] = "expired",
    [FWD_OUTCOME_UNCLASSIFIED] = "unclassified"
};


/* The higher, the more it counts among the records of an event. */
static const unsigned char  fwd_outcome_weights[FWD_OUTCOME_COUNT] = {
    [FWD_OUTCOME_DROPPED] = 0,
    [FWD_OUTCOME_DUPLICATE] = 1,
    [FWD_OUTCOME_DELIVERED] = 2,
    [FWD_OUTCOME_RETRY] = 3,
    [FWD_OUTCOME_THROTTLED] = 4,
    [FWD_OUTCOME_AMBIGUOUS] = 5,
    [FWD_OUTCOME_UNCLASSIFIED] = 6,
    [FWD_OUTCOME_REJECTED] = 7
};


const char *
fwd_outcome_name(fwd_outcome_t outcome)
{
    return fwd_outcome_names[outcome];
}


fwd_rc_t
fwd_outcome_parse(fwd_outcome_t *outcome, const char *name)
{
    int  i;

    for (i = 0; i < FWD_OUTCOME_COUNT; i++) {
        if (strcmp(fwd_outcome_names[i], name) == 0) {
            *outcome = (fwd_outcome_t) i;
            return FWD_OK;
        }
    }

    return FWD_NONE;
}


int
fwd_outcome_is_good(fwd_outcome_t outcome)
{
    return outcome == FWD_OUTCOME_DELIVERED
           || outcome == FWD_OUTCOME_DUPLICATE
           || outcome == FWD_OUTCOME_DROPPED;
}


fwd_outcome_t
fwd_outcome_worst(fwd_outcome_t one, fwd_outcome_t two)
{
    return fwd_outcome_weights[two] > fwd_outcome_weights[one] ? two : one;
}


fwd_outcome_t
fwd_outcome_http(int status)
{
    const fwd_outcome_range_t  *range;

    for (range = fwd_outcome_ranges; range->last != 0; range++) {
        if (status >= range->first && status <= range->last) {
            return range->outcome;
        }
    }

    return range->outcome;
}


fwd_rc_t
fwd_outcome_retry_after(uint64_t *wait_ms, const char *text, uint64_t now_ms)
{
    time_t       date;
    uint64_t     ms;
    const char  *p;

    while (*text == ' ' || *text == '\t') {
        text++;
    }

    ms = 0;
    p = text;

    while (isdigit((unsigned char) *p)) {

        /* enough for the maximum; the rest of the digits says no more */
        if (ms < FWD_RETRY_AFTER_MAX_MS) {
            ms = ms * 10 + (uint64_t) (*p - '0') * 1000;
        }

        p++;
    }

    if (p != text) {
        p += strspn(p, " \t\r\n");

        if (*p != '\0') {
            return FWD_NONE;
        }

    } else {

        if (!isalpha((unsigned char) *text)) {
            return FWD_NONE;             /* "-1" is no date */
        }

        date = curl_getdate(text, NULL);
        if (date == -1) {
            return FWD_NONE;
        }

        ms = (uint64_t) date * 1000;
        ms = (ms > now_ms) ? ms - now_ms : 0;
    }

    if (ms < FWD_RETRY_AFTER_MIN_MS) {
        ms = FWD_RETRY_AFTER_MIN_MS;
    }

    if (ms > FWD_RETRY_AFTER_MAX_MS) {
        ms = FWD_RETRY_AFTER_MAX_MS;
    }

    *wait_ms = ms;

    return FWD_OK;
}
