
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The token and its way through Redis.
 *
 *     idle -> asking -> (a later one is there) -> idle
 *                    -> (somebody else has the lock) waiting -> asking
 *                    -> (we have the lock) calling -> storing -> idle
 *
 * What a token server has given is stored before it is used, again and again
 * if need be: a refresh token that may be used once would be lost otherwise.
 * The lock is longer than a request may take; should it end nevertheless, two
 * ask with the same refresh token, one is refused, and takes what the other
 * has stored.
 *
 * When a token ends is told by the clock of Redis, which is the same for all;
 * between two looks at it our monotonic clock goes on, so no clock that jumps,
 * and none that is wrong, makes a token seem old.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "../martech/martech_shard.h"

#include "fwd_engine.h"
#include "fwd_grant.h"
#include "fwd_script.h"
#include "fwd_shard.h"


#define FWD_GRANT_KEY_MAX     (MARTECH_TAG_LEN_MAX + FWD_NAME_MAX + 24)
#define FWD_GRANT_LOCK_MS     40000      /* above the time of a request */
#define FWD_GRANT_POLL_MS     25         /* between looks at others */
#define FWD_GRANT_REDIS_MS    200        /* Redis is away: ask again */
#define FWD_GRANT_AGAIN_MS    500        /* the token server is away ... */
#define FWD_GRANT_AGAIN_MAX   30000      /* ... at the longest */
#define FWD_GRANT_SECOND_MS   1000       /* refused: another process may have
                                            been faster, and stores it now */
#define FWD_GRANT_TEXT_MAX    (128 * 1024)
#define FWD_GRANT_LIFE_MAX_S  (366.0 * 86400)


typedef enum {
    FWD_GRANT_IDLE = 0,
    FWD_GRANT_ASKING,             /* a reply of Redis is on its way */
    FWD_GRANT_WAITING,            /* for the timer, then asking */
    FWD_GRANT_CALLING,            /* the token server */
    FWD_GRANT_STORING             /* a reply, or the timer to try again */
} fwd_grant_state_t;


struct fwd_grant_s {
    fwd_core_t             *core;
    const fwd_dest_conf_t  *dest;
    const fwd_auth_conf_t  *conf;
    fwd_grant_state_t       state;       /* set by fwd_grant_set() only */
    char                    key[FWD_GRANT_KEY_MAX];
    char                    lock[FWD_GRANT_KEY_MAX + 8];
    char                    owner[40];   /* of the lock */
    char                    origin[65];  /* of what is configured */

    /* the token that is used; of which all but access may outlive it */
    char                   *access;      /* NULL: there is none */
    char                   *refresh;     /* NULL: that of the settings */
    json_t                 *captured;
    uint64_t                generation;  /* of it; 0: none */
    uint64_t                begun_ms;    /* clock of Redis */
    uint64_t                ends_ms;

    uint64_t                useless;     /* generations up to here are */
    uint64_t                next;        /* generation that is being made */
    uint64_t                called_ms;   /* clock of Redis: it was asked for */
    int64_t                 ahead_ms;    /* of our monotonic clock is Redis's */
    fwd_buf_t               sealed;      /* of it, to be stored */
    char                   *made;        /* the same, plain */
    fwd_grant_call_t       *call;
    fwd_link_t              waits;
    fwd_post_t              tell;        /* the waits have their answer */
    fwd_rc_t                answer;
    uv_timer_t              timer;
    uint64_t                again_ms;    /* monotonic: not asked before */
    uint64_t                pause_ms;    /* of failures in a row */
    unsigned                timer_open:1;
    unsigned                second:1;    /* look */
};


static void fwd_grant_names(fwd_grant_t *g);
static void fwd_grant_origin(fwd_grant_t *g);
static void fwd_grant_set(fwd_grant_t *g, fwd_grant_state_t state,
    uint64_t wait_ms);
static int fwd_grant_is_busy(fwd_grant_state_t state);
static uint64_t fwd_grant_now(const fwd_grant_t *g);
static int fwd_grant_usable(const fwd_grant_t *g);
static void fwd_grant_timer(uv_timer_t *timer);
static void fwd_grant_want(fwd_grant_t *g);
static void fwd_grant_ask(fwd_grant_t *g);
static void fwd_grant_asked(void *data, redisReply *reply);
static fwd_rc_t fwd_grant_learn(fwd_grant_t *g, uint64_t generation,
    const redisReply *sealed);
static fwd_rc_t fwd_grant_adopt(fwd_grant_t *g, uint64_t generation,
    const char *text);
static void fwd_grant_begin(fwd_grant_t *g);
static void fwd_grant_called(void *data, fwd_granted_t granted,
    const char *answer, const char *reason);
static fwd_rc_t fwd_grant_make(fwd_grant_t *g, const char *answer);
static int fwd_grant_token_valid(const char *token);
static void fwd_grant_store(fwd_grant_t *g);
static void fwd_grant_stored(void *data, redisReply *reply);
static void fwd_grant_unlock(fwd_grant_t *g);
static void fwd_grant_failed(fwd_grant_t *g, fwd_rc_t rc,
    const char *reason);
static void fwd_grant_end(fwd_grant_t *g, fwd_rc_t rc);
static void fwd_grant_tell(void *data);
static void fwd_grant_forget(fwd_grant_t *g);
static fwd_redis_t *fwd_grant_redis(const fwd_grant_t *g);
static void fwd_grant_string(char **to, const char *text);
static void fwd_grant_closed(uv_handle_t *handle);


fwd_grant_t *
fwd_grant_create(fwd_core_t *core, const fwd_dest_conf_t *conf,
    const fwd_auth_conf_t *auth)
{
    fwd_grant_t  *g;

    g = calloc(1, sizeof(fwd_grant_t));
    if (g == NULL) {
        return NULL;
    }

    g->core = core;
    g->dest = conf;
    g->conf = auth;
    g->pause_ms = FWD_GRANT_AGAIN_MS;
    fwd_list_init(&g->waits);
    fwd_post_init(&g->tell, fwd_grant_tell, g);
    fwd_buf_init(&g->sealed, FWD_GRANT_TEXT_MAX);

    if (core == NULL) {
        return g;
    }

    fwd_grant_names(g);
    fwd_grant_origin(g);

    g->call = fwd_grant_call_create(core, conf, auth, fwd_grant_called, g);

    if (g->call == NULL || uv_timer_init(core->loop, &g->timer) != 0) {
        fwd_grant_call_destroy(g->call);
        free(g);
        return NULL;
    }

    g->timer.data = g;
    g->timer_open = 1;

    return g;
}


void
fwd_grant_destroy(fwd_grant_t *g)
{
    if (g == NULL) {
        return;
    }

    if (fwd_grant_is_busy(g->state)) {
        g->core->holds--;
    }

    fwd_post_cancel(&g->tell);
    fwd_grant_call_destroy(g->call);
    fwd_grant_forget(g);
    fwd_grant_string(&g->refresh, NULL);
    fwd_grant_string(&g->made, NULL);
    fwd_buf_free(&g->sealed);

    if (g->timer_open) {
        g->timer_open = 0;
        uv_close((uv_handle_t *) &g->timer, fwd_grant_closed);

    } else {
        free(g);
    }
}


static void
fwd_grant_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static void
fwd_grant_names(fwd_grant_t *g)
{
    char                 tag[MARTECH_TAG_LEN_MAX];
    martech_str_t        prefix;
    const fwd_config_t  *conf;

    conf = g->core->engine->conf;
    prefix.data = (const unsigned char *) conf->prefix;
    prefix.len = strlen(conf->prefix);

    (void) martech_shard_tag(tag, prefix, 0);
    (void) snprintf(g->key, sizeof(g->key), "%s:token:%s", tag,
                    g->dest->name);
    (void) snprintf(g->lock, sizeof(g->lock), "%s:lock", g->key);
    (void) snprintf(g->owner, sizeof(g->owner), "%016llx%016llx",
                    (unsigned long long) fwd_core_random(g->core),
                    (unsigned long long) fwd_core_random(g->core));
}


/*
 * A token in Redis is of no use once a person has configured another account:
 * it is known by what it was got with.
 */

static void
fwd_grant_origin(fwd_grant_t *g)
{
    size_t          i;
    unsigned        n, len;
    EVP_MD_CTX     *ctx;
    const char     *parts[8];
    unsigned char   digest[EVP_MAX_MD_SIZE];

    parts[0] = g->conf->grant_name;
    parts[1] = g->conf->token_url;
    parts[2] = g->conf->client_id;
    parts[3] = g->conf->refresh_token;
    parts[4] = g->conf->issuer;
    parts[5] = g->conf->subject;
    parts[6] = g->conf->scope;
    parts[7] = g->conf->audience;

    ctx = EVP_MD_CTX_new();
    len = 0;

    (void) EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

    for (i = 0; i < 8; i++) {
        (void) EVP_DigestUpdate(ctx, parts[i] ? parts[i] : "",
                                parts[i] ? strlen(parts[i]) + 1 : 1);
    }

    (void) EVP_DigestFinal_ex(ctx, digest, &len);
    EVP_MD_CTX_free(ctx);

    for (n = 0; n < len && n < 32; n++) {
        (void) snprintf(g->origin + n * 2, 3, "%02x", digest[n]);
    }
}


const char *
fwd_grant_token(fwd_grant_t *g, uint64_t *used)
{
    uint64_t  early, spare;

    *used = 0;

    if (g->access == NULL || g->generation <= g->useless) {
        return NULL;
    }

    *used = g->generation;

    if (g->core == NULL) {
        return g->access;
    }

    fwd_grant_margins(g->ends_ms - g->begun_ms, g->conf->early_ms, &early,
                      &spare);

    /* who is about to stop leaves it to the others */

    if (fwd_grant_now(g) + early >= g->ends_ms && !g->core->engine->stopping)
    {
        fwd_grant_want(g);
    }

    return fwd_grant_usable(g) ? g->access : NULL;
}


/* Of a short life not all is spent on being early. */

void
fwd_grant_margins(uint64_t life_ms, uint64_t early_ms, uint64_t *early,
    uint64_t *spare)
{
    *spare = life_ms / 20 < FWD_GRANT_SPARE_MS ? life_ms / 20
                                               : FWD_GRANT_SPARE_MS;
    *early = early_ms < life_ms / 4 ? early_ms : life_ms / 4;

    if (*early < *spare) {
        *early = *spare;
    }
}


static int
fwd_grant_usable(const fwd_grant_t *g)
{
    uint64_t  early, spare;

    fwd_grant_margins(g->ends_ms - g->begun_ms, g->conf->early_ms, &early,
                      &spare);

    return fwd_grant_now(g) + spare < g->ends_ms;
}


static uint64_t
fwd_grant_now(const fwd_grant_t *g)
{
    return g->core == NULL ? 0
           : (uint64_t) ((int64_t) fwd_core_now_ms(g->core) + g->ahead_ms);
}


void
fwd_grant_wait(fwd_grant_t *g, fwd_auth_wait_t *wait)
{
    uint64_t  used;

    if (wait->used > g->useless) {
        g->useless = wait->used;
    }

    fwd_list_push(&g->waits, &wait->link);

    /* another one that was refused has brought a new one already */

    if (fwd_grant_token(g, &used) != NULL) {
        if (g->state == FWD_GRANT_IDLE) {
            fwd_grant_end(g, FWD_OK);
        }

        return;
    }

    if (g->state == FWD_GRANT_IDLE
        && fwd_core_now_ms(g->core) < g->again_ms)
    {
        fwd_grant_end(g, FWD_AGAIN);
        return;
    }

    fwd_grant_want(g);
}


/* ---- states ---- */

static void
fwd_grant_set(fwd_grant_t *g, fwd_grant_state_t state, uint64_t wait_ms)
{
    /* what a token server gives must reach Redis before we end */

    g->core->holds += (unsigned) fwd_grant_is_busy(state);
    g->core->holds -= (unsigned) fwd_grant_is_busy(g->state);

    if (fwd_grant_is_busy(g->state) && !fwd_grant_is_busy(state)) {
        fwd_engine_wake(g->core->engine);
    }

    g->state = state;

    if (!g->timer_open) {
        return;
    }

    if (wait_ms != 0) {
        (void) uv_timer_start(&g->timer, fwd_grant_timer, wait_ms, 0);

    } else {
        (void) uv_timer_stop(&g->timer);
    }
}


static int
fwd_grant_is_busy(fwd_grant_state_t state)
{
    return state == FWD_GRANT_CALLING || state == FWD_GRANT_STORING;
}


static void
fwd_grant_timer(uv_timer_t *timer)
{
    fwd_grant_t  *g;

    g = timer->data;

    if (g->state == FWD_GRANT_STORING) {
        fwd_grant_store(g);

    } else if (g->state == FWD_GRANT_WAITING) {
        fwd_grant_ask(g);
    }
}


static void
fwd_grant_want(fwd_grant_t *g)
{
    if (g->state != FWD_GRANT_IDLE
        || fwd_core_now_ms(g->core) < g->again_ms)
    {
        return;
    }

    g->second = 0;
    fwd_grant_ask(g);
}


static void
fwd_grant_ask(fwd_grant_t *g)
{
    fwd_args_t  *args;

    args = &g->core->engine->args;

    fwd_args_script(args, FWD_SCRIPT_TOKEN, 2);
    fwd_args_text(args, g->key);
    fwd_args_text(args, g->lock);
    fwd_args_number(args, g->generation > g->useless ? g->generation
                                                     : g->useless);
    fwd_args_text(args, g->owner);
    fwd_args_number(args, FWD_GRANT_LOCK_MS);

    if (fwd_args_send(args, fwd_grant_redis(g), fwd_grant_asked, g, 0)
        == FWD_OK)
    {
        fwd_grant_set(g, FWD_GRANT_ASKING, 0);

    } else {
        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_REDIS_MS);
    }
}


static void
fwd_grant_asked(void *data, redisReply *reply)
{
    uint64_t      last;
    const char   *word;
    redisReply  **part;
    fwd_grant_t  *g = data;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 2
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        /* lost, or the script is not known: it is loaded again */

        (void) (fwd_script_result(fwd_grant_redis(g), reply) == FWD_OK);
        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_REDIS_MS);
        return;
    }

    part = reply->element;
    word = part[0]->str;

    if (strcmp(word, "wait") == 0) {
        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_POLL_MS);
        return;
    }

    if (reply->elements < 4 || part[1]->type != REDIS_REPLY_INTEGER
        || part[3]->type != REDIS_REPLY_INTEGER)
    {
        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_REDIS_MS);
        return;
    }

    g->ahead_ms = (int64_t) part[3]->integer
                  - (int64_t) fwd_core_now_ms(g->core);

    if (strcmp(word, "token") == 0) {
        if (fwd_grant_learn(g, (uint64_t) part[1]->integer, part[2])
            == FWD_OK)
        {
            fwd_grant_end(g, FWD_OK);
            return;
        }

        /* of another account, or too old as well */

        g->useless = (uint64_t) part[1]->integer;
        fwd_grant_ask(g);
        return;
    }

    /*
     * The lock is ours: the refresh token is the one that was stored last,
     * whoever stored it.  Should Redis have lost it, the number is above all
     * that we know of: others would take a lower one for an old token.
     */

    last = g->generation > g->useless ? g->generation : g->useless;
    last = (uint64_t) part[1]->integer > last ? (uint64_t) part[1]->integer
                                              : last;
    g->next = last + 1;
    (void) fwd_grant_learn(g, (uint64_t) part[1]->integer, part[2]);
    fwd_grant_begin(g);
}


/* FWD_OK: it can be used. */

static fwd_rc_t
fwd_grant_learn(fwd_grant_t *g, uint64_t generation,
    const redisReply *sealed)
{
    fwd_rc_t     rc;
    fwd_buf_t    text;
    const char  *plain;

    if (sealed->type != REDIS_REPLY_STRING || sealed->len == 0) {
        return FWD_NONE;
    }

    fwd_buf_init(&text, FWD_GRANT_TEXT_MAX);
    rc = FWD_ERROR;

    if (fwd_unseal(&text, &g->conf->seal, g->key, sealed->str,
                   (size_t) sealed->len)
        == FWD_OK)
    {
        plain = fwd_buf_string(&text);
        rc = plain ? fwd_grant_adopt(g, generation, plain) : FWD_ERROR;

    } else {
        fwd_log(g->core->log, FWD_LOG_WARN,
                "a token in redis was sealed with another key, it is not used",
                fwd_kv_text("destination", g->dest->name));
    }

    fwd_auth_wipe(&text);
    fwd_buf_free(&text);

    return rc;
}


/* FWD_NONE: of another account, or at its end. */

static fwd_rc_t
fwd_grant_adopt(fwd_grant_t *g, uint64_t generation, const char *text)
{
    json_t      *root;
    fwd_rc_t     rc;
    uint64_t     now, life;
    json_int_t   begun, ends;
    const char  *origin;

    root = json_loads(text, 0, NULL);
    origin = json_string_value(json_object_get(root, "origin"));
    rc = FWD_NONE;

    if (origin != NULL && strcmp(origin, g->origin) == 0) {
        fwd_grant_forget(g);
        fwd_grant_string(&g->access, json_string_value(
                                        json_object_get(root, "access")));
        fwd_grant_string(&g->refresh, json_string_value(
                                        json_object_get(root, "refresh")));
        begun = json_integer_value(json_object_get(root, "begun"));
        ends = json_integer_value(json_object_get(root, "ends"));
        life = ends > begun ? (uint64_t) (ends - begun) : 0;
        now = fwd_grant_now(g);

        /* of a Redis whose clock was ahead of this one: it was just made */

        g->begun_ms = (uint64_t) begun < now ? (uint64_t) begun : now;
        g->ends_ms = g->begun_ms + life;
        g->captured = json_incref(json_object_get(root, "answer"));
        g->generation = generation;

        if (g->access != NULL && generation > g->useless
            && fwd_grant_usable(g))
        {
            rc = FWD_OK;
        }

    } else {
        fwd_grant_string(&g->refresh, NULL);
    }

    json_decref(root);

    return rc;
}


/* ---- a new one ---- */

static void
fwd_grant_begin(fwd_grant_t *g)
{
    fwd_error_t  err;

    g->called_ms = fwd_grant_now(g);

    if (fwd_grant_call_start(g->call, g->refresh ? g->refresh
                                                 : g->conf->refresh_token,
                             &err)
        != FWD_OK)
    {
        fwd_grant_unlock(g);
        fwd_grant_failed(g, FWD_ERROR, err.text);
        return;
    }

    fwd_grant_set(g, FWD_GRANT_CALLING, 0);
}


static void
fwd_grant_called(void *data, fwd_granted_t granted, const char *answer,
    const char *reason)
{
    fwd_grant_t  *g = data;

    if (granted == FWD_GRANTED) {

        if (fwd_grant_make(g, answer) == FWD_OK) {
            fwd_grant_store(g);
            return;
        }

        granted = FWD_GRANT_AWAY;
        reason = "the answer has no token";
    }

    fwd_grant_unlock(g);

    if (granted == FWD_GRANT_REFUSED && !g->second) {
        g->second = 1;
        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_SECOND_MS);
        return;
    }

    fwd_grant_failed(g, granted == FWD_GRANT_REFUSED ? FWD_ERROR : FWD_AGAIN,
                     reason);
}


static fwd_rc_t
fwd_grant_make(fwd_grant_t *g, const char *answer)
{
    void        *tmp;
    json_t      *root, *token, *value;
    fwd_rc_t     rc;
    uint64_t     life;
    const char  *access, *refresh, *name;

    root = json_loads(answer, 0, NULL);
    access = json_string_value(json_object_get(root, "access_token"));

    if (access == NULL || !fwd_grant_token_valid(access)) {
        json_decref(root);
        return FWD_ERROR;
    }

    refresh = json_string_value(json_object_get(root, "refresh_token"));

    if (refresh == NULL) {
        refresh = g->refresh;            /* it goes on to be valid */
    }

    life = fwd_grant_life(json_object_get(root, "expires_in"),
                          g->conf->lifetime_ms);
    token = json_pack("{s:s,s:s,s:s*,s:I,s:I}", "origin", g->origin,
                      "access", access, "refresh", refresh,
                      "begun", (json_int_t) g->called_ms,
                      "ends", (json_int_t) (g->called_ms + life));

    /* "{auth.NAME}" */

    json_object_foreach_safe(root, tmp, name, value) {
        if (!json_is_string(value) || strcmp(name, "access_token") == 0
            || strcmp(name, "refresh_token") == 0
            || strcmp(name, "id_token") == 0)
        {
            (void) json_object_del(root, name);
        }
    }

    (void) json_object_set_new(token, "answer", root);

    fwd_grant_string(&g->made, NULL);
    g->made = json_dumps(token, JSON_COMPACT);
    json_decref(token);

    fwd_buf_reset(&g->sealed);

    rc = g->made != NULL
         && fwd_seal(&g->sealed, &g->conf->seal, g->key, g->made,
                     strlen(g->made)) == FWD_OK
         ? FWD_OK : FWD_ERROR;

    return rc;
}


/* Printable, RFC 6749 A.12: it becomes a part of a header. */

static int
fwd_grant_token_valid(const char *token)
{
    const char  *p;

    for (p = token; *p > ' ' && *p < 0x7f; p++) { /* void */ }

    return p != token && *p == '\0';
}


/* A number, or the text of one; what cannot be true counts as not said. */

uint64_t
fwd_grant_life(const json_t *expires_in, uint64_t dflt_ms)
{
    double  seconds;

    seconds = json_is_string(expires_in)
              ? strtod(json_string_value(expires_in), NULL)
              : json_number_value(expires_in);

    return seconds >= 1 && seconds <= FWD_GRANT_LIFE_MAX_S
           ? (uint64_t) (seconds * 1000) : dflt_ms;
}


static void
fwd_grant_store(fwd_grant_t *g)
{
    fwd_args_t  *args;

    args = &g->core->engine->args;

    fwd_args_script(args, FWD_SCRIPT_TOKEN_STORE, 2);
    fwd_args_text(args, g->key);
    fwd_args_text(args, g->lock);
    fwd_args_text(args, g->owner);
    fwd_args_number(args, g->next);
    fwd_args_add(args, g->sealed.data, g->sealed.len);

    fwd_grant_set(g, FWD_GRANT_STORING,
                  fwd_args_send(args, fwd_grant_redis(g), fwd_grant_stored,
                                g, 0) == FWD_OK ? 0 : FWD_GRANT_REDIS_MS);
}


static void
fwd_grant_stored(void *data, redisReply *reply)
{
    fwd_grant_t  *g = data;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        (void) (fwd_script_result(fwd_grant_redis(g), reply) == FWD_OK);
        fwd_grant_set(g, FWD_GRANT_STORING, FWD_GRANT_REDIS_MS);
        return;
    }

    if (reply->integer == 0) {

        /* the lock was lost, and somebody has stored one: that counts */

        fwd_grant_set(g, FWD_GRANT_WAITING, FWD_GRANT_POLL_MS);
        return;
    }

    (void) fwd_grant_adopt(g, g->next, g->made);
    fwd_grant_string(&g->made, NULL);
    g->pause_ms = FWD_GRANT_AGAIN_MS;

    fwd_log(g->core->log, FWD_LOG_INFO, "token refreshed",
            fwd_kv_text("destination", g->dest->name),
            fwd_kv_int("generation", g->next),
            fwd_kv_int("seconds", (g->ends_ms - g->begun_ms) / 1000));

    fwd_grant_end(g, FWD_OK);
}


/* Should it be lost, the lock ends by itself. */

static void
fwd_grant_unlock(fwd_grant_t *g)
{
    fwd_args_t  *args;

    args = &g->core->engine->args;

    fwd_args_script(args, FWD_SCRIPT_TOKEN_STORE, 2);
    fwd_args_text(args, g->key);
    fwd_args_text(args, g->lock);
    fwd_args_text(args, g->owner);
    fwd_args_number(args, 0);
    fwd_args_text(args, "");

    (void) (fwd_args_send(args, fwd_grant_redis(g), NULL, NULL, 0)
            == FWD_OK);
}


static void
fwd_grant_failed(fwd_grant_t *g, fwd_rc_t rc, const char *reason)
{
    fwd_log(g->core->log, FWD_LOG_WARN,
            rc == FWD_ERROR ? "token refused" : "token server is away",
            fwd_kv_text("destination", g->dest->name),
            fwd_kv_text("reason", reason));

    /* who is refused rests at the gate */

    if (rc == FWD_AGAIN) {
        g->again_ms = fwd_core_now_ms(g->core) + g->pause_ms;
        g->pause_ms = g->pause_ms * 2 < FWD_GRANT_AGAIN_MAX
                      ? g->pause_ms * 2 : FWD_GRANT_AGAIN_MAX;
    }

    fwd_grant_end(g, rc);
}


/* ---- those who wait ---- */

static void
fwd_grant_end(fwd_grant_t *g, fwd_rc_t rc)
{
    fwd_grant_set(g, FWD_GRANT_IDLE, 0);
    g->answer = rc;
    fwd_post(g->core, &g->tell);
}


static void
fwd_grant_tell(void *data)
{
    fwd_rc_t          rc;
    fwd_link_t        waits;
    fwd_grant_t      *g = data;
    fwd_auth_wait_t  *wait;

    /* who asks again from here waits for the next answer */

    rc = g->answer;
    fwd_list_init(&waits);
    fwd_list_move(&waits, &g->waits);

    while (!fwd_list_empty(&waits)) {
        wait = fwd_list_data(waits.next, fwd_auth_wait_t, link);
        fwd_list_remove(&wait->link);
        wait->done(wait, rc);
    }
}


const char *
fwd_grant_captured(fwd_grant_t *g, const char *name)
{
    return g == NULL ? NULL
           : json_string_value(json_object_get(g->captured, name));
}


fwd_rc_t
fwd_grant_given(fwd_grant_t *g, const char *json, fwd_error_t *err)
{
    if (fwd_grant_make(g, json) != FWD_OK
        || (fwd_grant_adopt(g, 1, g->made), g->access == NULL))
    {
        return fwd_error(err, "the token's answer has no access_token");
    }

    return FWD_OK;
}


static void
fwd_grant_forget(fwd_grant_t *g)
{
    fwd_grant_string(&g->access, NULL);
    json_decref(g->captured);
    g->captured = NULL;
    g->generation = 0;
}


static fwd_redis_t *
fwd_grant_redis(const fwd_grant_t *g)
{
    return g->core->engine->shards_count != 0
           ? g->core->engine->shards[0].redis : NULL;
}


static void
fwd_grant_string(char **to, const char *text)
{
    char  *copy;

    copy = text ? strdup(text) : NULL;

    if (*to != NULL) {
        OPENSSL_cleanse(*to, strlen(*to));
        free(*to);
    }

    *to = copy;
}
