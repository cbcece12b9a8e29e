
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Events for unit tests, read as from a reply of Redis.
 */


#ifndef _FWD_EVENT_TEST_H_INCLUDED_
#define _FWD_EVENT_TEST_H_INCLUDED_


#include "fwd_test.h"

/* forwarder */
#include "fwd_event.h"


static fwd_reader_tape_t  test_tape;
static fwd_idmap_t        test_store;
static unsigned           test_seq;


static inline void
test_string(redisReply *reply, const char *text)
{
    memset(reply, 0, sizeof(redisReply));
    reply->type = REDIS_REPLY_STRING;
    reply->str = (char *) text;
    reply->len = strlen(text);
}


/* Of a source, with one more field if name is not NULL. */

static inline fwd_event_t *
test_event_field(const char *source, const char *json, const char *name,
    const char *value)
{
    size_t        i;
    char          id[64], message_id[64];
    redisReply    parts[12], *fields[10], *entry[2], list, whole;
    fwd_event_t  *ev;

    (void) snprintf(id, sizeof(id), "1795203360000-%u", test_seq);
    (void) snprintf(message_id, sizeof(message_id), "m-%u", test_seq++);

    test_string(&parts[0], "v");
    test_string(&parts[1], "1");
    test_string(&parts[2], "id");
    test_string(&parts[3], message_id);
    test_string(&parts[4], "src");
    test_string(&parts[5], source);
    test_string(&parts[6], "e");
    test_string(&parts[7], json);
    test_string(&parts[8], name ? name : "more");
    test_string(&parts[9], value ? value : "x");
    test_string(&parts[10], id);

    for (i = 0; i < test_count(fields); i++) {
        fields[i] = &parts[i];
    }

    memset(&list, 0, sizeof(list));
    list.type = REDIS_REPLY_ARRAY;
    list.elements = test_count(fields);
    list.element = fields;

    entry[0] = &parts[10];
    entry[1] = &list;
    memset(&whole, 0, sizeof(whole));
    whole.type = REDIS_REPLY_ARRAY;
    whole.elements = 2;
    whole.element = entry;

    if (test_tape.limits.tokens_max == 0) {
        fwd_reader_tape_init(&test_tape);
    }

    ev = fwd_event_read(&test_tape, &test_store, &whole);

    assert_non_null(ev);

    return ev;
}


static inline fwd_event_t *
test_event(const char *json)
{
    return test_event_field("web", json, NULL, NULL);
}


static inline void
test_event_end(void)
{
    fwd_idmap_free(&test_store);
    fwd_reader_tape_free(&test_tape);
}


#endif /* _FWD_EVENT_TEST_H_INCLUDED_ */
