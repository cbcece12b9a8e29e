
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The rules of a destination.
 */


#include <stdlib.h>
#include <string.h>

#include "fwd_hash.h"
#include "fwd_identity.h"
#include "fwd_pattern.h"
#include "fwd_suppress.h"
#include "fwd_wanted.h"


#define FWD_WANTED_ROLLOUT_ALL  10000    /* persons of so many */
#define FWD_WANTED_PURPOSES     256      /* of an event; nobody has more */


struct fwd_wanted_s {
    const fwd_wanted_conf_t  *conf;
    const char           *name;          /* of the destination */
    fwd_suppress_t       *suppress;      /* or NULL */
    fwd_map_t            *when;          /* or NULL */
};


static int fwd_wanted_empty(const fwd_wanted_conf_t *conf);
static int fwd_wanted_source(const fwd_wanted_conf_t *conf,
    martech_str_t source);
static martech_str_t fwd_candidate_name(fwd_candidate_t *c);
static int fwd_wanted_consent(const fwd_wanted_conf_t *conf,
    const fwd_event_t *ev);
static int fwd_wanted_rollout(const fwd_wanted_t *wanted,
    const fwd_event_t *ev);
static int fwd_wanted_suppressed(const fwd_suppress_t *list,
    const fwd_event_t *ev);
static fwd_wanted_answer_t fwd_wanted_when(fwd_map_t *when,
    fwd_candidate_t *c);


/* Of the format: every process has to choose the same persons. */
static const fwd_hash_key_t  fwd_wanted_key = {
    0x6d6172746563682dULL, 0x726f6c6c6f75742dULL
};


static const char *const  fwd_wanted_names[FWD_WANTED_COUNT] = {
    [FWD_WANTED_YES] = "",
    [FWD_WANTED_DISABLED] = "disabled",
    [FWD_WANTED_SOURCE] = "source",
    [FWD_WANTED_NAME] = "name",
    [FWD_WANTED_CONSENT] = "consent",
    [FWD_WANTED_ROLLOUT] = "rollout",
    [FWD_WANTED_SUPPRESSED] = "suppressed",
    [FWD_WANTED_WHEN] = "when",
    [FWD_WANTED_WHEN_ERROR] = "when_error"
};


fwd_rc_t
fwd_wanted_create(fwd_wanted_t **out, const fwd_dest_conf_t *conf,
    fwd_report_t *report)
{
    fwd_rc_t       rc;
    fwd_error_t    err;
    fwd_wanted_t  *wanted;

    *out = NULL;

    if (fwd_wanted_empty(&conf->wanted)) {
        return FWD_OK;
    }

    wanted = calloc(1, sizeof(fwd_wanted_t));
    if (wanted == NULL) {
        fwd_report(report, conf->name, 0, "out of memory");
        return FWD_ERROR;
    }

    wanted->conf = &conf->wanted;
    wanted->name = conf->name;

    rc = FWD_OK;

    if (conf->wanted.suppress != NULL
        && fwd_suppress_create(&wanted->suppress, conf->wanted.suppress, &err)
           != FWD_OK)
    {
        fwd_report(report, conf->name, 0, "suppress: %s", err.text);
        rc = FWD_ERROR;
    }

    if (conf->wanted.when != NULL
        && fwd_map_create_when(&wanted->when, conf, report) != FWD_OK)
    {
        rc = FWD_ERROR;
    }

    if (rc != FWD_OK) {
        fwd_wanted_destroy(wanted);
        return rc;
    }

    *out = wanted;

    return FWD_OK;
}


void
fwd_wanted_destroy(fwd_wanted_t *wanted)
{
    if (wanted != NULL) {
        fwd_suppress_destroy(wanted->suppress);
        fwd_map_destroy(wanted->when);
        free(wanted);
    }
}


static int
fwd_wanted_empty(const fwd_wanted_conf_t *conf)
{
    return conf->enabled && conf->sources.count == 0
           && conf->events.count == 0 && conf->consent.count == 0
           && conf->high.count == 0 && conf->when == NULL
           && conf->suppress == NULL
           && conf->rollout >= FWD_WANTED_ROLLOUT_ALL;
}


int
fwd_wanted_needs_person(const fwd_wanted_conf_t *conf)
{
    return conf->enabled && (conf->when != NULL
                             || conf->rollout < FWD_WANTED_ROLLOUT_ALL);
}


void
fwd_candidate_set(fwd_candidate_t *c, const fwd_event_t *ev, uint64_t now_ms)
{
    c->event = ev;
    c->now_ms = now_ms;
    c->name_known = 0;

    if (c->parsed != NULL) {
        fwd_map_event_forget(c->parsed);
    }
}


void
fwd_candidate_free(fwd_candidate_t *c)
{
    fwd_map_event_destroy(c->parsed);
    c->parsed = NULL;
}


fwd_wanted_answer_t
fwd_wanted(const fwd_wanted_t *wanted, fwd_candidate_t *c)
{
    const fwd_wanted_conf_t  *conf;

    conf = wanted->conf;

    if (!conf->enabled) {
        return FWD_WANTED_DISABLED;
    }

    if (conf->sources.count != 0
        && !fwd_wanted_source(conf, c->event->source))
    {
        return FWD_WANTED_SOURCE;
    }

    if (conf->events.count != 0
        && !fwd_pattern_list(&conf->events, fwd_candidate_name(c)))
    {
        return FWD_WANTED_NAME;
    }

    if (conf->consent.count != 0 && !fwd_wanted_consent(conf, c->event)) {
        return FWD_WANTED_CONSENT;
    }

    if (conf->rollout < FWD_WANTED_ROLLOUT_ALL
        && !fwd_wanted_rollout(wanted, c->event))
    {
        return FWD_WANTED_ROLLOUT;
    }

    if (wanted->suppress != NULL
        && fwd_wanted_suppressed(wanted->suppress, c->event))
    {
        return FWD_WANTED_SUPPRESSED;
    }

    if (wanted->when != NULL) {
        return fwd_wanted_when(wanted->when, c);
    }

    return FWD_WANTED_YES;
}


int
fwd_wanted_high(const fwd_wanted_t *wanted, fwd_candidate_t *c)
{
    return c->event->high
           || (wanted != NULL && wanted->conf->high.count != 0
               && fwd_pattern_list(&wanted->conf->high,
                                   fwd_candidate_name(c)));
}


const char *
fwd_wanted_name(fwd_wanted_answer_t answer)
{
    return fwd_wanted_names[answer];
}


static int
fwd_wanted_source(const fwd_wanted_conf_t *conf, martech_str_t source)
{
    size_t       i;
    const char  *name;

    for (i = 0; i < conf->sources.count; i++) {
        name = conf->sources.list[i];

        if (strlen(name) == source.len
            && memcmp(name, source.data, source.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static martech_str_t
fwd_candidate_name(fwd_candidate_t *c)
{
    if (!c->name_known) {
        c->name = fwd_event_part(c->event, c->event->name, c->buf);
        c->name_known = 1;
    }

    return c->name;
}


/* Who was not asked has not refused; who was asked has granted a list. */

static int
fwd_wanted_consent(const fwd_wanted_conf_t *conf, const fwd_event_t *ev)
{
    size_t               i;
    uint32_t             node;
    martech_limits_t     limits;
    martech_json_node_t  nodes[FWD_WANTED_PURPOSES];
    martech_json_tape_t  tape;

    if (!ev->consent) {
        return 1;
    }

    if (ev->granted.len == 0) {
        return 0;
    }

    martech_limits_default(&limits);
    tape.nodes = nodes;
    tape.nodes_max = FWD_WANTED_PURPOSES;

    if (martech_json_scan(&tape, ev->text.data + ev->granted.at,
                          ev->granted.len, &limits)
        != MARTECH_OK)
    {
        return 0;
    }

    for (i = 0; i < conf->consent.count; i++) {

        for (node = 1; node < nodes[0].next; node = nodes[node].next) {

            if (nodes[node].kind == MARTECH_JSON_STRING
                && martech_json_equals(&tape, node, conf->consent.list[i],
                                       strlen(conf->consent.list[i])))
            {
                break;
            }
        }

        if (node >= nodes[0].next) {
            return 0;
        }
    }

    return 1;
}


/*
 * A person is in or out for good, and another set of persons for each
 * destination; an event of nobody stands for itself.
 */

static int
fwd_wanted_rollout(const fwd_wanted_t *wanted, const fwd_event_t *ev)
{
    size_t         len, name_len;
    unsigned char  text[512];

    name_len = strlen(wanted->name);

    if (ev->person_some) {
        len = FWD_PERSON_LEN;
        memcpy(text, ev->person, len);

    } else {
        len = ev->message_id.len < sizeof(text) - FWD_NAME_MAX
              ? ev->message_id.len : sizeof(text) - FWD_NAME_MAX;
        memcpy(text, ev->message_id.data, len);
    }

    memcpy(text + len, wanted->name, name_len);

    return fwd_hash(&fwd_wanted_key, text, len + name_len)
           % FWD_WANTED_ROLLOUT_ALL
           < wanted->conf->rollout;
}


static int
fwd_wanted_suppressed(const fwd_suppress_t *list, const fwd_event_t *ev)
{
    unsigned char  buf[FWD_EVENT_PART_MAX];

    return fwd_suppress_has(list, fwd_event_part(ev, ev->user_id, buf))
           || fwd_suppress_has(list,
                               fwd_event_part(ev, ev->anonymous_id, buf));
}


static fwd_wanted_answer_t
fwd_wanted_when(fwd_map_t *when, fwd_candidate_t *c)
{
    int   passed;
    char  person[FWD_PERSON_TEXT];

    if (c->parsed == NULL) {
        c->parsed = fwd_map_event_create();
    }

    if (c->parsed == NULL
        || fwd_map_test(when, c->parsed, c->event->text,
                        fwd_identity_text(person, c->event), c->now_ms,
                        &passed)
           != FWD_OK)
    {
        return FWD_WANTED_WHEN_ERROR;
    }

    return passed ? FWD_WANTED_YES : FWD_WANTED_WHEN;
}
