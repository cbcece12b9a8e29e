
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * The atomic steps of docs/SPEC.md section 5 as Lua scripts, the building of
 * their arguments, and the reading of their answers.
 *
 * KEYS[1] of every script that writes is the lease and ARGV[1] the epoch of
 * the caller; when he does not hold the lease, it changes nothing.  Every
 * script may be sent again when its reply was lost: a second run changes
 * nothing and counts nothing.
 */


#ifndef _FWD_SCRIPT_H_INCLUDED_
#define _FWD_SCRIPT_H_INCLUDED_


#include "fwd.h"
#include "fwd_buf.h"
#include "fwd_id.h"
#include "fwd_redis.h"


typedef enum {
    /*
     * keys: owner, epoch; args: present epoch ("0": none), name, lease ms,
     * "1" to take over a lease under our own name.
     * Answers { 1, epoch, epoch of the lease that was taken over or 0 } or
     * { 0, value of owner, ms until it ends }.
     */
    FWD_SCRIPT_CLAIM = 0,

    /* keys: owner; args: epoch, lease ms. */
    FWD_SCRIPT_RENEW,

    /* keys: owner; args: epoch. */
    FWD_SCRIPT_RELEASE,

    /*
     * Makes the group if it is not there and gives all pending entries to
     * one consumer; entries that are gone are counted as bad.  A stream that
     * was deleted begins again: then so does "last" of the ledger.
     * keys: owner, ledger, in, dead:_entry; args: epoch, group, consumer,
     * cursor, count, now ms.
     * If the stream is younger than the watermark of the ledger says, that
     * is set back.
     * Answers { next cursor, claimed, gone, group made, "old new" if the
     * watermark was set back, else "" }.
     */
    FWD_SCRIPT_RECOVER,

    /*
     * Does all of the step or nothing; entries up to the ledger's "last" are
     * only acked.
     * keys: owner, ledger, in, dead:_entry, link, seen, then q and retry of
     * each queue that gets something; args: epoch, group, now ms, number of
     * entries, their IDs; number of bad ones and of each ID, id, src, e,
     * reason; number of links, device and user of each; fingerprints or "",
     * their life in ms; for each queue "*", or a count and that many
     * positions (from 1); fields of the ledger with what they gain.
     * Answers { entries, length of seen, then two numbers for each pointer
     * that was refused and went to retry: queue and position, from 1 }, or
     * { -1, n }: the first n were routed before, send the others again.  Or
     * "PENDING": an older entry waits, and has to be routed first.
     */
    FWD_SCRIPT_ROUTE,

    /*
     * All ends of an event but the dead letter.
     * keys: owner, ledger, q, retry, try; args: epoch, destination, then for
     * each group of events: end (name of the counter), source, sum of their
     * digests, "1" if some may be finished already, number, their IDs.
     * Answers how many there were.
     */
    FWD_SCRIPT_FINISH,

    /*
     * keys: owner, ledger, q, retry, try; args: epoch, destination, then for
     * each event: ID, due time, the record of its attempts, or "" if this
     * one does not count.
     */
    FWD_SCRIPT_RETRY,

    /*
     * keys: owner, ledger, q, retry, try, dead; args: epoch, destination,
     * then for each event its ID and the fields of fwd_dead_args().
     */
    FWD_SCRIPT_DEAD,

    /*
     * An attempt has failed, and the event stays where it is.
     * keys: owner, ledger, q, retry, try; args: epoch, destination, then for
     * each event: ID, its record for try, which starts with the attempts.
     */
    FWD_SCRIPT_KEEP,

    /*
     * keys: owner, ledger, q, retry, try, in, and of the other destination q,
     * its high lane, retry; args: epoch, destination, the other one, now ms,
     * IDs.
     * Answers { moved, of these not there yet }.
     */
    FWD_SCRIPT_MOVE,

    /*
     * keys: owner, in, every q; args: epoch, group, then IDs that are still
     * needed: the smallest of each retry set, the first of a route step that
     * is on its way.
     * Answers { number of entries removed, the ID up to which }.
     */
    FWD_SCRIPT_TRIM,

    /*
     * Tokens of rate limits, docs/FORWARDER.md.  Not fenced: whoever sends
     * needs them, and those of a lost reply end with their window.
     * keys: limit of each rate; args, for each: count, window ms, hold ms,
     * width ms of a slot, fewest, most, number of corrections, then these:
     * slot, number (may be negative).
     * Answers { Unix ms, ms until asking again makes sense } and, if all
     * have enough, for each rate the number granted.
     */
    FWD_SCRIPT_LIMIT,

    /*
     * Raises the hold of a destination.  Not fenced: the latest counts.
     * keys: state; args: Unix ms.
     */
    FWD_SCRIPT_HOLD,

    /*
     * The token of a destination.  Not fenced by a lease: whoever sends needs
     * it.
     * keys: token, lock; args: generation that is of no use, who asks, ms for
     * which the lock is held.
     * Answers { "token", generation, sealed, now } if there is a later one;
     * { "lock", generation, sealed or "", now } if we may get one; else
     * { "wait", ms until the lock ends }.  now is Unix ms of Redis.
     */
    FWD_SCRIPT_TOKEN,

    /*
     * Stores a token and gives the lock back.  A generation that is there
     * already was stored by somebody who took the lock after us: it stays.
     * keys: token, lock; args: who, generation ("0": only the lock), sealed.
     * Answers 1, or 0 if it was not stored.
     */
    FWD_SCRIPT_TOKEN_STORE,

    /*
     * No lease: the list of loops.
     * keys: loops; args: name, ms for which it counts ("0": take it off).
     * Answers the names of all loops that live.
     */
    FWD_SCRIPT_BEAT,

    /*
     * How much waits.  Reads only, so it asks for no lease: a number of a
     * shard that was just lost is as good.
     * keys: quarantine, then q, q:hi, retry of each destination.
     * Answers the length of the quarantine and its first ID or "", and three
     * numbers and two IDs for each destination: lengths of q, q:hi and retry,
     * the first of q and of q:hi or "".
     */
    FWD_SCRIPT_DEPTH,

    FWD_SCRIPT_COUNT
} fwd_script_t;


/* Arguments of a command; used again for each. */
typedef struct {
    const char          **argv;
    size_t               *lens;
    uint32_t              count;
    uint32_t              size;
    unsigned              failed:1;      /* out of memory */
    fwd_buf_t             scratch;       /* numbers and IDs as text */
    uint32_t             *offsets;       /* UINT32_MAX, or into scratch */
    char                  sha[FWD_SCRIPT_COUNT][41];
} fwd_args_t;


void fwd_args_init(fwd_args_t *args);
void fwd_args_free(fwd_args_t *args);

/* Starts a call of a script with that many keys; keys come first. */
void fwd_args_script(fwd_args_t *args, fwd_script_t script, uint32_t keys);

/* Starts another command. */
void fwd_args_reset(fwd_args_t *args);

/* Slices must live until the command is sent. */
void fwd_args_add(fwd_args_t *args, const void *data, size_t len);
void fwd_args_text(fwd_args_t *args, const char *text);
void fwd_args_number(fwd_args_t *args, uint64_t number);
void fwd_args_signed(fwd_args_t *args, int64_t number);
void fwd_args_id(fwd_args_t *args, fwd_id_t id);

/* Bytes that are copied. */
void fwd_args_copy(fwd_args_t *args, const void *data, size_t len);

/* A due time: Unix ms with a fraction, which tells batches apart. */
void fwd_args_due(fwd_args_t *args, double due);

/* Sends what was built.  Return value as of fwd_redis_command(). */
fwd_rc_t fwd_args_send(fwd_args_t *args, fwd_redis_t *r,
    fwd_redis_reply_pt cb, void *data, uint64_t timeout_ms) FWD_MUST_CHECK;


/* What the connection loads. */
fwd_redis_scripts_t fwd_script_texts(void);

/*
 * Judges a reply: FWD_OK, FWD_FENCED, FWD_AGAIN (lost, or the script was not
 * known and has been loaded again: send it once more) or FWD_ERROR (any other
 * error reply, also of a cluster that has the slot elsewhere: at a later tick).
 */
fwd_rc_t fwd_script_result(fwd_redis_t *r, const redisReply *reply)
    FWD_MUST_CHECK;


#endif /* _FWD_SCRIPT_H_INCLUDED_ */
