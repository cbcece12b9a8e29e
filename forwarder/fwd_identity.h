
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Whose event it is.
 *
 * A person is a UUIDv5 of the first of these: the userId; the userId that the
 * anonymousId was linked to by an identify or alias; the anonymousId.  Links
 * are in Redis, a hash of the shard, and are asked for when somebody needs
 * them: nothing of them is kept here.
 */


#ifndef _FWD_IDENTITY_H_INCLUDED_
#define _FWD_IDENTITY_H_INCLUDED_


#include "fwd_event.h"


#define FWD_PERSON_TEXT  37              /* a UUID with a zero */


/* The person as text in out, or NULL if there is none. */
const char *fwd_identity_text(char *out, const fwd_event_t *ev);

/* The person of an id as text, a UUID without a zero. */
void fwd_identity_uuid(unsigned char *out, martech_str_t id);

/* Sets the person; linked is what the anonymousId is linked to, or empty. */
void fwd_identity_set(fwd_event_t *ev, martech_str_t linked);

/* 1 if only a link can tell the person. */
int fwd_identity_asks(const fwd_event_t *ev);

/*
 * 1 if the event links a device to a user.  The slices are in the event, or
 * in the buffers of FWD_EVENT_PART_MAX bytes.
 */
int fwd_identity_link(const fwd_event_t *ev, martech_str_t *device,
    martech_str_t *user, unsigned char *device_buf, unsigned char *user_buf);

/*
 * Sets the persons of the first unrouted events.  FWD_AGAIN: links have to be
 * asked for, the shard's route is posted when they are here.
 */
fwd_rc_t fwd_identity_of_route(fwd_shard_t *shard, uint32_t count)
    FWD_MUST_CHECK;

/*
 * The same of loaded events, if their destination needs it.  FWD_AGAIN:
 * load->done() is called later.
 */
fwd_rc_t fwd_identity_of_load(fwd_load_t *load) FWD_MUST_CHECK;


#endif /* _FWD_IDENTITY_H_INCLUDED_ */
