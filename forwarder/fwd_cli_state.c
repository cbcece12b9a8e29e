
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Pause and resume of a destination, and how all of them are.
 *
 * What people and loops agree on is the hash "state:<dest>" of shard 0; loops
 * look at it every half second.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fwd_cli_state.h"
#include "fwd_cli_top.h"


#define FWD_CLI_WHY_MAX      200
#define FWD_CLI_STATE_READY  "ready"


static const char *fwd_cli_state_key(fwd_cli_t *cli, const char *name);
static fwd_rc_t fwd_cli_state_known(fwd_cli_t *cli);
static void fwd_cli_state_copy(char *out, size_t size,
    const redisReply *reply);
static void fwd_cli_status_show(const fwd_top_t *top);
static const char *fwd_cli_status_breaker(const fwd_top_dest_t *dest);
static json_t *fwd_cli_status_json(const char *name,
    const fwd_top_dest_t *dest, uint64_t now_ms);
static void fwd_cli_status_quarantine(const fwd_top_t *top);
static void fwd_cli_status_line(const fwd_top_t *top, size_t i, int width);


int
fwd_cli_pause(fwd_cli_t *cli)
{
    size_t       i;
    uint64_t     now_ms;
    const char  *key, *why;
    redisReply  *reply;

    if (fwd_cli_state_known(cli) != FWD_OK) {
        return FWD_CLI_USAGE;
    }

    why = cli->o.why ? cli->o.why : "";

    if (strlen(why) > FWD_CLI_WHY_MAX) {
        return fwd_cli_usage(cli, "\"--why\" has more than %d bytes",
                             FWD_CLI_WHY_MAX);
    }

    for (i = 0; why[i] != '\0'; i++) {
        if ((unsigned char) why[i] < 0x20 || why[i] == 0x7f) {
            return fwd_cli_usage(cli, "\"--why\" has a control character");
        }
    }

    key = fwd_cli_state_key(cli, cli->words[0]);

    if (fwd_cli_redis_time(cli->redis, &cli->err, key, &now_ms) != FWD_OK) {
        return fwd_cli_fail(cli);
    }

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "HSET %s paused %llu paused_why %s", key,
                                  (unsigned long long) now_ms, why);
    if (reply == NULL) {
        return fwd_cli_fail(cli);
    }

    freeReplyObject(reply);

    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:s,s:I,s:s}", "destination",
                                cli->words[0], "paused",
                                (json_int_t) now_ms, "why", why), 1);

    } else {
        (void) printf("%s is paused\n", cli->words[0]);
    }

    return FWD_CLI_OK;
}


int
fwd_cli_resume(fwd_cli_t *cli)
{
    long long    removed;
    const char  *key;
    redisReply  *reply;

    if (fwd_cli_state_known(cli) != FWD_OK) {
        return FWD_CLI_USAGE;
    }

    key = fwd_cli_state_key(cli, cli->words[0]);

    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "HDEL %s paused paused_why parked "
                                  "parked_at parked_tries hold", key);
    if (reply == NULL) {
        return fwd_cli_fail(cli);
    }

    removed = reply->integer;
    freeReplyObject(reply);

    if (cli->o.json) {
        fwd_cli_print(json_pack("{s:s,s:b}", "destination", cli->words[0],
                                "changed", removed != 0), 1);

    } else {
        (void) printf(removed ? "%s goes on\n"
                              : "%s was neither paused, parked nor held\n",
                      cli->words[0]);
    }

    return FWD_CLI_OK;
}


static const char *
fwd_cli_state_key(fwd_cli_t *cli, const char *name)
{
    return fwd_cli_key(cli, &cli->pool, 0, "state:%s", name);
}


static fwd_rc_t
fwd_cli_state_known(fwd_cli_t *cli)
{
    if (fwd_cli_dest(cli, cli->words[0]) == NULL) {
        (void) fwd_cli_usage(cli, "no destination \"%s\" is configured",
                             cli->words[0]);
        return FWD_ERROR;
    }

    return FWD_OK;
}


fwd_rc_t
fwd_cli_state_read(fwd_cli_t *cli, const char *name, fwd_cli_state_t *state)
{
    fwd_rc_t     rc;
    const char  *key;
    fwd_pool_t   pool;
    redisReply  *reply;

    memset(state, 0, sizeof(fwd_cli_state_t));
    fwd_pool_init(&pool);

    key = fwd_cli_key(cli, &pool, 0, "state:%s", name);
    reply = fwd_cli_redis_command(cli->redis, &cli->err, key,
                                  "HMGET %s paused paused_why hold parked",
                                  key);
    rc = FWD_ERROR;

    if (reply != NULL && reply->elements == 4) {
        state->paused = (reply->element[0]->str != NULL);
        state->paused_ms = state->paused
                           ? strtoull(reply->element[0]->str, NULL, 10) : 0;
        fwd_cli_state_copy(state->why, sizeof(state->why),
                           reply->element[1]);
        state->hold_ms = reply->element[2]->str
                         ? strtoull(reply->element[2]->str, NULL, 10) : 0;
        fwd_cli_state_copy(state->parked, sizeof(state->parked),
                           reply->element[3]);
        rc = FWD_OK;
    }

    freeReplyObject(reply);
    fwd_pool_free(&pool);

    return rc;
}


static void
fwd_cli_state_copy(char *out, size_t size, const redisReply *reply)
{
    (void) snprintf(out, size, "%s", reply->str ? reply->str : "");
}


const char *
fwd_cli_state_text(char *out, const fwd_cli_t *cli, const char *name,
    const fwd_cli_state_t *state, uint64_t now_ms)
{
    char                    age[FWD_CLI_TIME_MAX];
    const fwd_dest_conf_t  *dest;

    dest = fwd_cli_dest(cli, name);

    if (dest == NULL) {
        (void) strcpy(out, "not configured");

    } else if (state->paused) {
        (void) snprintf(out, FWD_CLI_STATE_MAX, "paused %s%s%s",
                        fwd_cli_age(age, now_ms > state->paused_ms
                                         ? now_ms - state->paused_ms : 0),
                        state->why[0] ? ": " : "", state->why);

    } else if (state->parked[0] != '\0') {
        (void) snprintf(out, FWD_CLI_STATE_MAX, "parked: %s", state->parked);

    } else if (state->hold_ms > now_ms) {
        (void) snprintf(out, FWD_CLI_STATE_MAX, "held for %s",
                        fwd_cli_age(age, state->hold_ms - now_ms));

    } else {
        (void) strcpy(out, FWD_CLI_STATE_READY);
    }

    return out;
}


int
fwd_cli_status(fwd_cli_t *cli)
{
    int         status;
    fwd_top_t   top;

    memset(&top, 0, sizeof(fwd_top_t));
    top.cli = cli;

    if (fwd_top_sample(&top) == FWD_OK) {
        fwd_cli_status_show(&top);
        status = FWD_CLI_OK;

    } else {
        status = fwd_cli_fail(cli);
    }

    free(top.dests);
    free(top.loops);

    return status;
}


static void
fwd_cli_status_show(const fwd_top_t *top)
{
    int               width;
    size_t            i;
    json_t           *list;
    const char       *name;
    const fwd_cli_t  *cli;

    cli = top->cli;
    list = json_array();
    width = fwd_cli_names_width(&top->names);

    if (!cli->o.json) {
        (void) printf("%-*s  %9s  %9s  %7s  %9s  STATE\n", width,
                      "DESTINATION", "WAITING", "RETRY", "OLDEST", "DEAD");
    }

    for (i = 0; i < top->names.count; i++) {
        name = top->names.list[i];

        if (cli->o.destination != NULL
            && strcmp(name, cli->o.destination) != 0)
        {
            continue;
        }

        if (cli->o.json) {
            json_array_append_new(list,
                                  fwd_cli_status_json(name, &top->dests[i],
                                                      top->now_ms));

        } else {
            fwd_cli_status_line(top, i, width);
        }
    }

    if (cli->o.json) {
        fwd_cli_print(list, 1);

    } else {
        json_decref(list);
        fwd_cli_status_quarantine(top);
    }
}


static void
fwd_cli_status_quarantine(const fwd_top_t *top)
{
    char  age[FWD_CLI_TIME_MAX];

    if (top->quarantine != 0) {
        (void) printf("quarantine: %" PRIu64 " events, oldest %s\n",
                      top->quarantine, fwd_cli_age(age,
                                                   fwd_top_quarantine(top)));
    }
}


/*
 * NULL, or why a loop does not send though nobody has told it not to.  What
 * an operator has done loops tell a second late: there Redis is asked.
 */

static const char *
fwd_cli_status_breaker(const fwd_top_dest_t *dest)
{
    size_t  i;

    static const char *const  own[] = { "throttled", "half_open", "open" };

    for (i = 0; i < sizeof(own) / sizeof(char *); i++) {
        if (dest->closed < dest->loops && strcmp(dest->breaker, own[i]) == 0)
        {
            return own[i];
        }
    }

    return NULL;
}


int
fwd_cli_names_width(const fwd_cli_names_t *names)
{
    size_t  i, width;

    width = sizeof("DESTINATION") - 1;

    for (i = 0; i < names->count; i++) {
        if (strlen(names->list[i]) > width) {
            width = strlen(names->list[i]);
        }
    }

    return (int) width;
}


static json_t *
fwd_cli_status_json(const char *name, const fwd_top_dest_t *dest,
    uint64_t now_ms)
{
    json_t                 *row;
    const char             *breaker;
    const fwd_cli_depth_t  *depth;
    const fwd_cli_state_t  *state;

    depth = &dest->depth;
    state = &dest->state;

    row = json_pack("{s:s,s:I,s:I,s:I,s:I}", "destination", name,
                    "waiting", (json_int_t) (depth->q + depth->hi),
                    "retry", (json_int_t) depth->retry,
                    "oldest_ms", (json_int_t)
                    (depth->oldest_ms && depth->oldest_ms < now_ms
                     ? now_ms - depth->oldest_ms : 0),
                    "dead", (json_int_t) depth->dead);

    if (state->paused) {
        json_object_set_new(row, "paused",
                            json_integer((json_int_t) state->paused_ms));
        json_object_set_new(row, "paused_why", json_string(state->why));
    }

    if (state->parked[0] != '\0') {
        json_object_set_new(row, "parked", json_string(state->parked));
    }

    if (state->hold_ms > now_ms) {
        json_object_set_new(row, "hold",
                            json_integer((json_int_t) state->hold_ms));
    }

    breaker = fwd_cli_status_breaker(dest);

    if (breaker != NULL) {
        json_object_set_new(row, "breaker", json_string(breaker));
    }

    return row;
}


static void
fwd_cli_status_line(const fwd_top_t *top, size_t i, int width)
{
    char                    age[FWD_CLI_TIME_MAX], text[FWD_CLI_STATE_MAX];
    const char             *breaker;
    const fwd_top_dest_t   *dest;
    const fwd_cli_depth_t  *depth;

    dest = &top->dests[i];
    depth = &dest->depth;
    breaker = fwd_cli_status_breaker(dest);

    (void) fwd_cli_state_text(text, top->cli, top->names.list[i],
                              &dest->state, top->now_ms);

    if (breaker != NULL && strcmp(text, FWD_CLI_STATE_READY) == 0) {
        (void) snprintf(text, sizeof(text), "breaker %s in %" PRIu32 " of %"
                        PRIu32 " loops", breaker, dest->loops - dest->closed,
                        dest->loops);
    }

    (void) strcpy(age, "-");

    if (depth->oldest_ms != 0) {
        (void) fwd_cli_age(age, top->now_ms > depth->oldest_ms
                                ? top->now_ms - depth->oldest_ms : 0);
    }

    (void) printf("%-*s  %9" PRIu64 "  %9" PRIu64 "  %7s  %9" PRIu64
                  "  %s\n", width, top->names.list[i],
                  depth->q + depth->hi, depth->retry, age, depth->dead,
                  text);
}
