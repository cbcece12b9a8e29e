
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Persons and links.
 */


#include <string.h>

#include "../martech/martech_uuid.h"

#include "fwd_dest.h"
#include "fwd_identity.h"
#include "fwd_load.h"
#include "fwd_shard.h"


static int fwd_identity_hex(unsigned char c);
static uint32_t fwd_identity_ask(fwd_shard_t *shard, fwd_event_t *const *evs,
    uint32_t count);
static void fwd_identity_route_reply(void *data, redisReply *reply);
static void fwd_identity_load_reply(void *data, redisReply *reply);
static void fwd_identity_fill(fwd_event_t *const *evs, uint32_t count,
    const redisReply *links, int routing);
static martech_str_t fwd_identity_linked(fwd_event_t *const *evs,
    uint32_t count, martech_str_t device, unsigned char *buf);


/* Of persons; docs/SPEC.md has it as text. */
static const unsigned char  fwd_identity_namespace[16] = {
    0x6f, 0x1d, 0x9a, 0x54, 0x2c, 0x0b, 0x4e, 0x57,
    0x9f, 0x7e, 0x0b, 0x3c, 0x1a, 0x5d, 0x8e, 0x42
};


void
fwd_identity_set(fwd_event_t *ev, martech_str_t linked)
{
    size_t          i, n;
    martech_str_t   id;
    unsigned char   text[MARTECH_UUID_LEN], buf[FWD_EVENT_PART_MAX];

    ev->person_known = 1;
    ev->person_some = 0;

    id = fwd_event_part(ev, ev->user_id, buf);

    if (id.len == 0) {
        id = linked;
    }

    if (id.len == 0) {
        id = fwd_event_part(ev, ev->anonymous_id, buf);
    }

    if (id.len == 0) {
        return;
    }

    fwd_identity_uuid(text, id);

    for (i = 0, n = 0; i + 1 < sizeof(text); i++) {

        if (text[i] != '-') {
            ev->person[n++] = (unsigned char)
                              (fwd_identity_hex(text[i]) << 4
                               | fwd_identity_hex(text[i + 1]));
            i++;
        }
    }

    ev->person_some = 1;
}


void
fwd_identity_uuid(unsigned char *out, martech_str_t id)
{
    martech_uuid5(out, fwd_identity_namespace, id.data, id.len);
}


static int
fwd_identity_hex(unsigned char c)
{
    return (c <= '9') ? c - '0' : c - 'a' + 10;
}


const char *
fwd_identity_text(char *out, const fwd_event_t *ev)
{
    size_t  i, n;

    static const char  digits[] = "0123456789abcdef";

    if (!ev->person_some) {
        return NULL;
    }

    n = 0;

    for (i = 0; i < FWD_PERSON_LEN; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[n++] = '-';
        }

        out[n++] = digits[ev->person[i] >> 4];
        out[n++] = digits[ev->person[i] & 15];
    }

    out[n] = '\0';

    return out;
}


int
fwd_identity_asks(const fwd_event_t *ev)
{
    return ev->bad == NULL && ev->user_id.len == 0
           && ev->anonymous_id.len != 0;
}


int
fwd_identity_link(const fwd_event_t *ev, martech_str_t *device,
    martech_str_t *user, unsigned char *device_buf, unsigned char *user_buf)
{
    fwd_event_part_t  from;

    if (ev->bad != NULL || ev->to.len != 0 || ev->user_id.len == 0) {
        return 0;
    }

    if (ev->type == FWD_EVENT_IDENTIFY) {
        from = ev->anonymous_id;

    } else if (ev->type == FWD_EVENT_ALIAS) {
        from = ev->previous_id;

    } else {
        return 0;
    }

    if (from.len == 0) {
        return 0;
    }

    *device = fwd_event_part(ev, from, device_buf);
    *user = fwd_event_part(ev, ev->user_id, user_buf);

    return device->len != 0 && user->len != 0;
}


fwd_rc_t
fwd_identity_of_route(fwd_shard_t *shard, uint32_t count)
{
    uint32_t      i;
    fwd_event_t  *evs[FWD_ROUTE_MAX];

    if (!shard->engine->needs_person || shard->persons_count >= count) {
        return FWD_OK;
    }

    if (shard->asking_count != 0) {
        return FWD_AGAIN;
    }

    for (i = 0; i < count; i++) {
        evs[i] = fwd_shard_unrouted(shard, i);
    }

    if (fwd_identity_ask(shard, evs, count) == 0) {
        fwd_identity_fill(evs, count, NULL, 1);
        shard->persons_count = count;

        return FWD_OK;
    }

    if (fwd_args_send(&shard->engine->args, shard->redis,
                      fwd_identity_route_reply, shard, 0)
        == FWD_OK)
    {
        shard->asking_count = count;
        shard->asking_stale = 0;
    }

    return FWD_AGAIN;                    /* or the tick tries again */
}


/* Builds the command and returns how many links it asks for. */

static uint32_t
fwd_identity_ask(fwd_shard_t *shard, fwd_event_t *const *evs, uint32_t count)
{
    uint32_t        i, n;
    fwd_args_t     *args;
    martech_str_t   id;
    unsigned char   buf[FWD_EVENT_PART_MAX];

    args = &shard->engine->args;
    n = 0;

    fwd_args_reset(args);
    fwd_args_text(args, "HMGET");
    fwd_args_add(args, shard->link.data, shard->link.len);

    for (i = 0; i < count; i++) {

        if (fwd_identity_asks(evs[i])) {
            id = fwd_event_part(evs[i], evs[i]->anonymous_id, buf);
            fwd_args_copy(args, id.data, id.len);
            n++;
        }
    }

    return n;
}


static void
fwd_identity_route_reply(void *data, redisReply *reply)
{
    uint32_t      i, count;
    fwd_event_t  *evs[FWD_ROUTE_MAX];
    fwd_shard_t  *shard = data;

    count = shard->asking_count;
    shard->asking_count = 0;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        fwd_shard_error(shard, "links", reply);
        return;                          /* the tick tries again */
    }

    if (!shard->asking_stale) {

        for (i = 0; i < count; i++) {
            evs[i] = fwd_shard_unrouted(shard, i);
        }

        fwd_identity_fill(evs, count, reply, 1);
        shard->persons_count = count;
    }

    fwd_post(shard->engine->core, &shard->route);
}


fwd_rc_t
fwd_identity_of_load(fwd_load_t *load)
{
    uint32_t      i, unknown;
    fwd_shard_t  *shard;

    if (!load->queue->dest->needs_person) {
        return FWD_OK;
    }

    unknown = 0;

    for (i = 0; i < load->count; i++) {
        unknown += fwd_identity_asks(load->events[i])
                   && !load->events[i]->person_known;
    }

    if (unknown == 0) {
        fwd_identity_fill(load->events, load->count, NULL, 0);
        return FWD_OK;
    }

    shard = load->queue->shard;
    (void) fwd_identity_ask(shard, load->events, load->count);

    if (fwd_args_send(&shard->engine->args, shard->redis,
                      fwd_identity_load_reply, load, 0)
        != FWD_OK)
    {
        load->failed = 1;
        return FWD_OK;
    }

    load->pending++;

    return FWD_AGAIN;
}


static void
fwd_identity_load_reply(void *data, redisReply *reply)
{
    fwd_load_t  *load = data;

    load->pending--;

    if (load->queue == NULL) {
        if (load->pending == 0) {
            fwd_load_free(load);
        }

        return;
    }

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {

        if (reply != NULL) {
            fwd_shard_error(load->queue->shard, "links", reply);
        }

        load->failed = 1;

    } else {
        fwd_identity_fill(load->events, load->count, reply, 0);
    }

    load->done(load);
}


/*
 * Of events that are being routed, links made by those before count too: they
 * are not in Redis yet.
 */

static void
fwd_identity_fill(fwd_event_t *const *evs, uint32_t count,
    const redisReply *links, int routing)
{
    size_t             n;
    uint32_t           i;
    martech_str_t      linked, device;
    unsigned char      buf[FWD_EVENT_PART_MAX], user[FWD_EVENT_PART_MAX];
    const redisReply  *link;

    n = 0;

    for (i = 0; i < count; i++) {
        memset(&linked, 0, sizeof(linked));

        if (fwd_identity_asks(evs[i])) {
            link = (links != NULL && n < links->elements)
                   ? links->element[n] : NULL;
            n++;

            if (link != NULL && link->type == REDIS_REPLY_STRING) {
                linked.data = (const unsigned char *) link->str;
                linked.len = (size_t) link->len;
            }

            if (routing) {
                device = fwd_event_part(evs[i], evs[i]->anonymous_id, buf);
                device = fwd_identity_linked(evs, i, device, user);

                if (device.len != 0) {
                    linked = device;
                }
            }
        }

        if (evs[i]->bad == NULL && !evs[i]->person_known) {
            fwd_identity_set(evs[i], linked);
        }
    }
}


/* The user that the last of these events has linked a device to. */

static martech_str_t
fwd_identity_linked(fwd_event_t *const *evs, uint32_t count,
    martech_str_t device, unsigned char *buf)
{
    martech_str_t  from, to;
    unsigned char  from_buf[FWD_EVENT_PART_MAX];

    while (count-- > 0) {

        if (fwd_identity_link(evs[count], &from, &to, from_buf, buf)
            && from.len == device.len
            && memcmp(from.data, device.data, from.len) == 0)
        {
            return to;
        }
    }

    memset(&to, 0, sizeof(to));

    return to;
}
