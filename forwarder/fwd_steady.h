
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Wall-clock time without steps, for what waits.
 *
 * Due times are Unix ms, as they must outlive the process.  When the clock of
 * the machine is set, events that wait must neither all be due at once nor
 * wait for so much longer: this clock follows at a quarter of the speed, so
 * that no wait becomes a third longer or a fifth shorter, and is exact again
 * after four times the step.  A new process begins with the clock as it is.
 */


#ifndef _FWD_STEADY_H_INCLUDED_
#define _FWD_STEADY_H_INCLUDED_


#include <stdint.h>


typedef struct {
    double    now;                       /* Unix ms; 0: not begun */
    uint64_t  passed_us;                 /* monotonic, of the last look */
} fwd_steady_t;


/* The time, of what both clocks of the machine show; for unit tests. */
uint64_t fwd_steady_look(fwd_steady_t *steady, uint64_t wall_ms,
    uint64_t passed_us);

/* The same of the clocks; for one thread. */
uint64_t fwd_steady_ms(void);


#endif /* _FWD_STEADY_H_INCLUDED_ */
