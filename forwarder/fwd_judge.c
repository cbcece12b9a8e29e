
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What becomes of the events of a batch once its outcome is known.
 *
 * Either all of the batch goes back as it is (the destination cannot take
 * anything now), or it is cut in halves (one event spoils it), or each event
 * gets its own end: by what the answer says about its records, else by the
 * outcome of the whole.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_backoff.h"
#include "fwd_call.h"
#include "fwd_dest.h"
#include "fwd_gate.h"
#include "fwd_shard.h"
#include "fwd_steady.h"


#define FWD_JUDGE_LOG_EVENTS    20       /* ids of a batch in the log */
#define FWD_JUDGE_GONE          3        /* answers 404 or 410 in a row stop
                                            the destination */
#define FWD_JUDGE_UNCLASSIFIED  3        /* unknown answers in a row that an
                                            event gets */


/* Of one batch, while its events are judged. */
typedef struct {
    fwd_batch_t          *batch;
    uint64_t              now_ms;        /* wall clock */
    uint64_t              took_ms;
    double                due;           /* of the retries: one time for all,
                                            and unlike any other batch's */
    uint32_t              done;
    uint32_t              retry;
    uint32_t              dead;
} fwd_judge_t;


static void fwd_judge_gone(fwd_batch_t *batch);
static void fwd_judge_log(const fwd_judge_t *judge);
static void fwd_judge_fresh(const fwd_item_t *item);
static fwd_kv_t fwd_judge_number(const fwd_batch_t *batch, const char *key,
    uint32_t number);
static int fwd_judge_good(const fwd_judge_t *judge);
static int fwd_judge_splits(const fwd_batch_t *batch);
static int fwd_judge_unclassified(const fwd_item_t *item);
static void fwd_judge_split(fwd_batch_t *batch);
static void fwd_judge_back(fwd_batch_t *batch);
static void fwd_judge_times(fwd_judge_t *judge);
static void fwd_judge_items(fwd_judge_t *judge);
static fwd_outcome_t fwd_judge_outcome(const fwd_batch_t *batch,
    uint32_t index);
static void fwd_judge_item(fwd_judge_t *judge, uint32_t index,
    fwd_outcome_t outcome);
static void fwd_judge_failed(fwd_judge_t *judge, fwd_item_t *item,
    fwd_outcome_t outcome);
static const char *fwd_judge_reason(const fwd_judge_t *judge,
    const fwd_item_t *item, uint32_t index, fwd_outcome_t outcome);
static uint64_t fwd_judge_ambiguous(const fwd_batch_t *batch, uint32_t index);
static const char *fwd_judge_given_up(const fwd_batch_t *batch,
    const fwd_item_t *item, uint32_t attempts, uint64_t now_ms);
static void fwd_judge_each(fwd_judge_t *judge);
static void fwd_judge_hold(fwd_batch_t *batch);


/* Pauses that the kind asks for without a time, such as of a full disk. */
static const fwd_backoff_t  fwd_judge_pause = {
    .base_ms = 200, .factor = 2, .cap_ms = 10000
};


void
fwd_batch_done(fwd_batch_t *batch)
{
    fwd_dest_t   *dest;
    fwd_judge_t   judge;

    dest = batch->dest;

    fwd_fail(dest->engine->core, FWD_FAIL_AFTER_SEND);

    memset(&judge, 0, sizeof(judge));
    judge.batch = batch;

    if (batch->counted) {
        dest->stats->events[batch->outcome] += batch->items_count;

    } else {
        fwd_batch_count(batch, batch->items_count);
    }

    fwd_gate_ended(dest, batch);

    switch (batch->outcome) {

    case FWD_OUTCOME_PAUSED:
    case FWD_OUTCOME_CREDENTIALS:
    case FWD_OUTCOME_STOP:

        if (batch->verdicts != NULL && batch->calls != NULL) {
            fwd_judge_hold(batch);
            fwd_judge_each(&judge);
            break;
        }

        fwd_judge_times(&judge);
        fwd_judge_log(&judge);
        fwd_judge_back(batch);
        break;

    default:
        dest->paused_count = 0;

        if (fwd_judge_splits(batch)) {
            fwd_judge_times(&judge);
            fwd_judge_log(&judge);
            fwd_judge_split(batch);
            break;
        }

        fwd_judge_each(&judge);
        break;
    }

    fwd_dest_wake(dest);
}


void
fwd_batch_count(fwd_batch_t *batch, uint32_t events)
{
    fwd_judge_gone(batch);
    fwd_gate_judge(batch->dest, batch);
    fwd_stats_attempt(batch->dest->stats, batch->outcome, events,
                      uv_hrtime() / 1000 - batch->started_us);
}


/* Each event gets its own end; what is sent once more leaves the batch. */

static void
fwd_judge_each(fwd_judge_t *judge)
{
    int           left;
    uint32_t      i;
    fwd_batch_t  *batch;

    batch = judge->batch;
    left = 0;

    fwd_judge_times(judge);
    fwd_judge_items(judge);
    fwd_judge_log(judge);

    for (i = 0; i < batch->items_count; i++) {

        if (batch->items[i]->left) {
            left = 1;
            continue;
        }

        fwd_judge_fresh(batch->items[i]);
        fwd_queue_finish(batch->items[i], batch->items[i]->how);
        batch->items[i] = NULL;
    }

    if (left) {
        fwd_judge_again(batch);
    }

    fwd_batch_free(batch);
}


/*
 * One 404 may be about one event; a row of them is about the endpoint.  What
 * an answer.jq says is taken at its word.
 */

static void
fwd_judge_gone(fwd_batch_t *batch)
{
    fwd_dest_t  *dest;

    dest = batch->dest;

    if (batch->decided || batch->outcome != FWD_OUTCOME_STOP) {

        if (batch->status != 0) {
            dest->gone_count = 0;
        }

        return;
    }

    if (++dest->gone_count < FWD_JUDGE_GONE) {
        batch->outcome = FWD_OUTCOME_RETRY;
    }
}


static void
fwd_judge_times(fwd_judge_t *judge)
{
    uint64_t      delay;
    fwd_batch_t  *batch;

    batch = judge->batch;

    judge->now_ms = fwd_wall_ms();
    judge->took_ms = (uv_hrtime() / 1000 - batch->started_us) / 1000;

    delay = fwd_backoff_delay(&batch->dest->conf->limits.retry,
                              batch->attempt, fwd_core_random(batch->core));

    if (delay < batch->wait_ms) {
        delay = batch->wait_ms;
    }

    judge->due = (double) (fwd_steady_ms() + delay)
                 + (double) (fwd_core_random(batch->core) % 1000) / 1024;
}


static void
fwd_judge_log(const fwd_judge_t *judge)
{
    uint32_t             i, n;
    const char          *class;
    fwd_log_t           *log;
    fwd_log_level_t      level;
    martech_str_t        ids[FWD_JUDGE_LOG_EVENTS];
    const fwd_batch_t   *batch;
    const fwd_event_t   *ev;

    batch = judge->batch;
    log = batch->core->log;
    class = fwd_outcome_name(batch->outcome);
    level = fwd_judge_good(judge) ? FWD_LOG_INFO : FWD_LOG_WARN;

    if (!fwd_log_enabled(log, level)
        || (level == FWD_LOG_INFO
            && !batch->dest->engine->conf->log_attempts))
    {
        return;
    }

    if (batch->items_count == 1) {
        ev = batch->items[0]->event;

        fwd_log(log, level, "attempt",
                fwd_kv_text("destination", batch->dest->conf->name),
                fwd_kv_str("event", ev->message_id),
                fwd_kv_str("request", ev->request_id),
                fwd_kv_str("traceparent", ev->traceparent),
                fwd_kv_int("attempt", batch->attempt),
                fwd_kv_text("class", class),
                fwd_kv_int("status", batch->status),
                fwd_kv_int("ms", judge->took_ms),
                fwd_kv_text("reason", batch->reason));
        return;
    }

    n = batch->items_count < FWD_JUDGE_LOG_EVENTS
        ? batch->items_count : FWD_JUDGE_LOG_EVENTS;

    for (i = 0; i < n; i++) {
        ids[i] = batch->items[i]->event->message_id;
    }

    fwd_log(log, level, "attempt",
            fwd_kv_text("destination", batch->dest->conf->name),
            fwd_kv_int("count", batch->items_count),
            fwd_kv_strs("events", ids, n),
            fwd_kv_int("attempt", batch->attempt),
            fwd_kv_text("class", class),
            fwd_judge_number(batch, "done", judge->done),
            fwd_judge_number(batch, "retry", judge->retry),
            fwd_judge_number(batch, "dead", judge->dead),
            fwd_kv_int("status", batch->status),
            fwd_kv_int("ms", judge->took_ms),
            fwd_kv_text("reason", batch->reason));
}


/* How young the youngest event is that has arrived, for metrics. */

static void
fwd_judge_fresh(const fwd_item_t *item)
{
    fwd_dest_stats_t  *stats;

    stats = item->dest->stats;

    if (item->how == FWD_FINISH_DONE && item->end == FWD_END_DONE
        && item->event->id.ms > stats->fresh_ms)
    {
        stats->fresh_ms = item->event->id.ms;
    }
}


/* Numbers are of interest if the events met different ends. */

static fwd_kv_t
fwd_judge_number(const fwd_batch_t *batch, const char *key, uint32_t number)
{
    fwd_kv_t  none = fwd_kv_skip();
    fwd_kv_t  pair = fwd_kv_int(key, number);

    return batch->verdicts ? pair : none;
}


/* All went well, also with what the answer says about single records. */

static int
fwd_judge_good(const fwd_judge_t *judge)
{
    return fwd_outcome_is_good(judge->batch->outcome)
           && judge->retry == 0 && judge->dead == 0;
}


static int
fwd_judge_splits(const fwd_batch_t *batch)
{
    if (batch->singly && batch->verdicts == NULL && batch->calls != NULL) {
        return batch->calls->count == 1 && batch->calls->list[0].records > 1;
    }

    if (batch->items_count == 1 || batch->verdicts != NULL || batch->whole) {
        return 0;
    }

    /* after the last attempt of the first one the batch would be dead */

    return batch->outcome == FWD_OUTCOME_REJECTED
           || (batch->outcome == FWD_OUTCOME_UNCLASSIFIED
               && fwd_judge_unclassified(batch->items[0]));
}


/* 1 if one more unknown answer is the last that an event gets. */

static int
fwd_judge_unclassified(const fwd_item_t *item)
{
    uint32_t  row;

    row = (item->tries != NULL)
          ? fwd_attempts_row(item->tries, FWD_OUTCOME_UNCLASSIFIED)
          : item->attempts;

    return row + 1 >= FWD_JUDGE_UNCLASSIFIED;
}


/* Decides what becomes of each event. */

static void
fwd_judge_items(fwd_judge_t *judge)
{
    uint32_t      i;
    fwd_batch_t  *batch;

    batch = judge->batch;

    for (i = 0; i < batch->items_count; i++) {

        if (fwd_judge_how(batch, i) != FWD_VERDICT_PLAIN) {
            batch->items[i]->left = 1;
            judge->retry++;
            continue;
        }

        fwd_judge_item(judge, i, fwd_judge_outcome(batch, i));
    }
}


static fwd_outcome_t
fwd_judge_outcome(const fwd_batch_t *batch, uint32_t index)
{
    uint32_t       i, first, count;
    fwd_outcome_t  outcome;

    if (batch->verdicts == NULL) {
        return batch->outcome;
    }

    first = fwd_batch_records(batch, index, &count);
    outcome = batch->verdicts[first].outcome;

    for (i = 1; i < count; i++) {
        outcome = fwd_outcome_worst(outcome,
                                    batch->verdicts[first + i].outcome);
    }

    return outcome;
}


static void
fwd_judge_item(fwd_judge_t *judge, uint32_t index, fwd_outcome_t outcome)
{
    fwd_item_t   *item;
    fwd_batch_t  *batch;

    batch = judge->batch;
    item = batch->items[index];

    if (fwd_outcome_is_good(outcome)
        || (outcome == FWD_OUTCOME_AMBIGUOUS
            && fwd_judge_ambiguous(batch, index) == FWD_AMBIGUOUS_DONE))
    {
        item->end = (outcome == FWD_OUTCOME_DROPPED) ? FWD_END_DROP
                                                     : FWD_END_DONE;
        item->how = FWD_FINISH_DONE;
        judge->done++;
        return;
    }

    fwd_judge_failed(judge, item, outcome);
    item->reason = fwd_judge_reason(judge, item, index, outcome);

    if (item->reason != NULL) {
        item->letter = fwd_batch_ref(batch);
        item->letter_index = index;
        item->how = FWD_FINISH_DEAD;
        judge->dead++;
        return;
    }

    item->due = judge->due;
    item->how = FWD_FINISH_RETRY;
    judge->retry++;
}


/* Without memory for its record an attempt counts all the same. */

static void
fwd_judge_failed(fwd_judge_t *judge, fwd_item_t *item, fwd_outcome_t outcome)
{
    fwd_attempt_t  attempt;

    item->attempts++;
    item->status = judge->batch->status;
    item->outcome = outcome;

    if (item->tries == NULL) {
        item->tries = calloc(1, sizeof(fwd_attempts_t));

        if (item->tries == NULL) {
            return;
        }

        item->tries->count = item->attempts - 1;
    }

    attempt.at_ms = judge->now_ms;
    attempt.ms = (uint32_t) judge->took_ms;
    attempt.status = judge->batch->status;
    attempt.outcome = outcome;

    fwd_attempts_add(item->tries, &attempt);
}


/* Of the endpoint whose answer is missing. */

static uint64_t
fwd_judge_ambiguous(const fwd_batch_t *batch, uint32_t index)
{
    uint32_t  i, first, count;

    if (batch->calls == NULL) {
        return batch->dest->conf->policy.ambiguous;
    }

    if (batch->calls->sequence) {
        return FWD_AMBIGUOUS_RETRY;      /* its steps have seen to that */
    }

    first = fwd_batch_records(batch, index, &count);

    for (i = first; i < first + count; i++) {
        if (batch->verdicts == NULL
            || batch->verdicts[i].outcome == FWD_OUTCOME_AMBIGUOUS)
        {
            return batch->calls->list[batch->calls->call_of[i]]
                   .endpoint->ambiguous;
        }
    }

    return batch->dest->conf->policy.ambiguous;
}


/* Why the event is a dead letter now, or NULL: it is tried again. */

static const char *
fwd_judge_reason(const fwd_judge_t *judge, const fwd_item_t *item,
    uint32_t index, fwd_outcome_t outcome)
{
    if (judge->batch->dead[0] != '\0') {
        return judge->batch->dead;       /* the letter keeps the batch */
    }

    if (outcome == FWD_OUTCOME_REJECTED) {
        return fwd_outcome_name(outcome);
    }

    if (outcome == FWD_OUTCOME_AMBIGUOUS
        && fwd_judge_ambiguous(judge->batch, index) == FWD_AMBIGUOUS_DEAD)
    {
        return fwd_outcome_name(outcome);
    }

    /* this attempt is among them already */

    if (outcome == FWD_OUTCOME_UNCLASSIFIED
        && (item->tries != NULL
            ? fwd_attempts_row(item->tries, outcome) : item->attempts)
           >= FWD_JUDGE_UNCLASSIFIED)
    {
        return fwd_outcome_name(outcome);
    }

    return fwd_judge_given_up(judge->batch, item, item->attempts,
                              judge->now_ms);
}


static const char *
fwd_judge_given_up(const fwd_batch_t *batch, const fwd_item_t *item,
    uint32_t attempts, uint64_t now_ms)
{
    uint64_t  age;

    age = (now_ms > item->event->id.ms) ? now_ms - item->event->id.ms : 0;

    if (!fwd_backoff_exhausted(&batch->dest->conf->limits.retry, attempts,
                               age))
    {
        return NULL;
    }

    return batch->answer_error ? "answer_error" : "gave_up";
}


const char *
fwd_batch_last(const fwd_batch_t *batch, fwd_outcome_t outcome)
{
    const fwd_item_t  *item;

    item = batch->items[0];

    switch (outcome) {

    case FWD_OUTCOME_PAUSED:
    case FWD_OUTCOME_CREDENTIALS:
    case FWD_OUTCOME_STOP:
        return NULL;                     /* no attempt is used */

    case FWD_OUTCOME_UNCLASSIFIED:
        if (fwd_judge_unclassified(item)) {
            return fwd_outcome_name(outcome);
        }

        break;

    default:
        break;
    }

    return fwd_judge_given_up(batch, item, item->attempts + 1, fwd_wall_ms());
}


/*
 * One bad event makes a whole batch bad, so halves are sent until it stands
 * alone: log2 n more requests instead of n.
 */

static void
fwd_judge_split(fwd_batch_t *batch)
{
    uint32_t      i, middle;
    fwd_dest_t   *dest;
    fwd_batch_t  *half;

    dest = batch->dest;
    middle = batch->items_count / 2;

    if (batch->singly) {

        for (i = 0; i < batch->items_count; i++) {
            batch->items[i]->alone = 1;
        }

        fwd_list_insert_before(dest->again.next, &batch->link);
        return;
    }

    if (dest->order != NULL) {

        /* one half at a time: the other may hold later events of a person */

        for (i = middle; i < batch->items_count; i++) {
            fwd_queue_forget(batch->items[i]);
        }

        batch->items_count = middle;
        fwd_list_insert_before(dest->again.next, &batch->link);
        return;
    }

    half = fwd_batch_create(batch->core, dest);

    if (half == NULL) {
        fwd_batch_forget(batch);
        return;
    }

    for (i = middle; i < batch->items_count; i++) {
        if (fwd_batch_add(half, batch->items[i]) != FWD_OK) {
            fwd_queue_forget(batch->items[i]);
        }
    }

    batch->items_count = middle;

    fwd_list_insert_before(dest->again.next, &half->link);
    fwd_list_insert_before(dest->again.next, &batch->link);
}


/*
 * All of it, as it is, and no attempt is used up: the events are not to
 * blame.  The gate may hold the destination for longer.
 */

static void
fwd_judge_back(fwd_batch_t *batch)
{
    fwd_judge_hold(batch);
    fwd_list_insert_before(batch->dest->again.next, &batch->link);
}


static void
fwd_judge_hold(fwd_batch_t *batch)
{
    uint64_t     wait;
    fwd_dest_t  *dest;

    dest = batch->dest;
    wait = batch->wait_ms;

    if (wait == 0) {
        wait = fwd_backoff_delay(&fwd_judge_pause, ++dest->paused_count,
                                 fwd_core_random(batch->core));
    }

    wait += fwd_core_now_ms(batch->core);

    if (wait > dest->hold_ms) {
        dest->hold_ms = wait;
    }
}
