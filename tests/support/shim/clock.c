/* A wall clock that is wrong by as much as ordered. Time that only passes goes on as it does. */

#define _GNU_SOURCE
#include "shim.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*clock_gettime_fn)(clockid_t, struct timespec *);

static clock_gettime_fn next_clock_gettime;

__attribute__((constructor)) static void find_clock(void) {
    next_clock_gettime = (clock_gettime_fn)shim_next("clock_gettime");
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    /* The loader, or another constructor, may ask earlier. */
    int result = next_clock_gettime ? next_clock_gettime(clock, now)
                                    : (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shim_orders()->clock_offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
