/* What the parts of the shim share. It is loaded before the C library into the server of a test (LD_PRELOAD). */

#ifndef SHIM_H
#define SHIM_H

#include <stdint.h>

/* What the test orders while the server runs: a file of its own, mapped into both. `shim.rs` writes it. */
struct orders {
    int32_t disk_error;   /* the errno of whatever would change the disk; 0: it works */
    int32_t lies;         /* 1: a sync is said to be done, and is not */
    int64_t clock_offset; /* seconds that the clock is ahead */
    int32_t death;        /* the process kills itself at so many of the next changes or syncs; 0: it does not */
    int32_t checkpoint;   /* 1: of which only those of the database itself count, not of its log */
};

/* The present orders. Without an order file nothing is ordered. */
const volatile struct orders *shim_orders(void);

/* The function of this name that the shim stands in front of. */
void *shim_next(const char *name);

#endif
