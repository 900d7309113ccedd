/*
 * The disk below the directory SHIM_BELOW. Whatever changes a file there is first noted in the journal
 * SHIM_JOURNAL, and each sync after it has succeeded, so that it can be told afterwards what a power cut could
 * have taken; `faults/unsynced.rs` reads it. As long as an error is ordered, nothing is changed.
 *
 * These are the calls that SQLite makes, by `strace`; that none is missing is seen by what the journal makes of
 * the files, which must be what they are. The file `-shm` is left out of the journal: it is memory that
 * processes share, and is made anew.
 */

#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { START = 1, CREATE, REMOVE, WRITE, TRUNCATE, SYNC, SYNC_DIRECTORY, UNDONE };

/* Followed by `length` bytes: of a write its data, of a creation or removal its path. */
struct record {
    uint32_t kind;
    uint32_t length;
    uint64_t file; /* its inode */
    /* Of a write where it begins; of a truncation the new size; of a sync how many records of this process had
       been written when it began. */
    uint64_t number;
};

/* What is known of a descriptor. One that was closed is known until its number is given out again. */
enum role { FOREIGN = 0, SHARED_MEMORY, DIRECTORY, LOG, DATABASE };
struct descriptor {
    enum role role;
    uint64_t file;
};

#define DESCRIPTORS 65536
static struct descriptor descriptors[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *below;
static int journal = -1;
static uint64_t records;
static int deaths_missed;

static int (*next_open)(const char *, int, ...);
static ssize_t (*next_pwrite)(int, const void *, size_t, off64_t);
static int (*next_ftruncate)(int, off64_t);
static int (*next_fsync)(int);
static int (*next_fdatasync)(int);
static int (*next_unlink)(const char *);

static void note(enum kind kind, uint64_t file, uint64_t number, const void *bytes, size_t length) {
    struct record record = {kind, (uint32_t)length, file, number};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)bytes, length}};
    if (writev(journal, parts, 2) != (ssize_t)(sizeof record + length)) {
        perror("the journal of the shim cannot be written");
        abort();
    }
    records++;
}

__attribute__((constructor)) static void open_journal(void) {
    *(void **)&next_open = shim_next("open64");
    *(void **)&next_pwrite = shim_next("pwrite64");
    *(void **)&next_ftruncate = shim_next("ftruncate64");
    *(void **)&next_fsync = shim_next("fsync");
    *(void **)&next_fdatasync = shim_next("fdatasync");
    *(void **)&next_unlink = shim_next("unlink");
    const char *path = getenv("SHIM_JOURNAL");
    below = getenv("SHIM_BELOW");
    if (!path || !below) return;
    journal = next_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) {
        perror("the journal of the shim cannot be opened");
        abort();
    }
    note(START, 0, 0, NULL, 0);
    records = 0;
}

static enum role role_of(const char *path) {
    size_t length = below ? strlen(below) : 0;
    if (length == 0 || strncmp(path, below, length) != 0) return FOREIGN;
    if (path[length] == '\0') return DIRECTORY;
    if (path[length] != '/') return FOREIGN;
    const char *end = strrchr(path, '-');
    if (!end || strchr(end, '/')) return DATABASE;
    return strcmp(end, "-shm") == 0 ? SHARED_MEMORY : LOG;
}

static int journaled(enum role role) { return role == LOG || role == DATABASE; }

/* Something is about to be done to the disk: the end, if it is ordered for this moment. Called under the lock. */
static void come_to(enum role role) {
    int death = shim_orders()->death;
    if (death == 0 || (shim_orders()->checkpoint && role != DATABASE)) return;
    if (++deaths_missed >= death) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

static struct descriptor known(int fd) {
    struct descriptor foreign = {FOREIGN, 0};
    return fd >= 0 && fd < DESCRIPTORS ? descriptors[fd] : foreign;
}

static void learn(int fd, enum role role) {
    if (fd >= DESCRIPTORS) abort();
    struct stat status;
    uint64_t file = role != FOREIGN && fstat(fd, &status) == 0 ? status.st_ino : 0;
    descriptors[fd] = (struct descriptor){role, file};
}

/* Whether the disk refuses a change of such a file. */
static int refuses(enum role role) {
    int error = shim_orders()->disk_error;
    if (role == FOREIGN || error == 0) return 0;
    errno = error;
    return 1;
}

static int open_file(const char *path, int flags, mode_t mode) {
    enum role role = role_of(path);
    pthread_mutex_lock(&lock);
    if (flags & O_CREAT) come_to(role);
    int creates = role != FOREIGN && (flags & O_CREAT) && access(path, F_OK) != 0;
    int writes = (flags & O_ACCMODE) != O_RDONLY && shim_orders()->disk_error == EROFS;
    int fd = (creates || writes) && refuses(role) ? -1 : next_open(path, flags, mode);
    if (fd >= 0) {
        learn(fd, role);
        if (creates && journaled(role)) note(CREATE, known(fd).file, 0, path, strlen(path));
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_file(path, flags, mode);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    struct descriptor to = known(fd);
    if (refuses(to.role)) return -1;
    if (!journaled(to.role)) return next_pwrite(fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    come_to(to.role);
    note(WRITE, to.file, (uint64_t)offset, bytes, length);
    ssize_t written = next_pwrite(fd, bytes, length, offset);
    if (written != (ssize_t)length) {
        int error = errno;
        note(UNDONE, 0, 0, NULL, 0);
        if (written > 0) note(WRITE, to.file, (uint64_t)offset, bytes, (size_t)written);
        errno = error;
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off64_t length) {
    struct descriptor of = known(fd);
    if (refuses(of.role)) return -1;
    if (!journaled(of.role)) return next_ftruncate(fd, length);
    pthread_mutex_lock(&lock);
    come_to(of.role);
    note(TRUNCATE, of.file, (uint64_t)length, NULL, 0);
    int result = next_ftruncate(fd, length);
    if (result != 0) {
        int error = errno;
        note(UNDONE, 0, 0, NULL, 0);
        errno = error;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path) {
    enum role role = role_of(path);
    /* A full disk lets one make room. */
    if (shim_orders()->disk_error != ENOSPC && refuses(role)) return -1;
    if (!journaled(role)) return next_unlink(path);
    pthread_mutex_lock(&lock);
    come_to(role);
    int there = access(path, F_OK) == 0;
    if (there) note(REMOVE, 0, 0, path, strlen(path));
    int result = next_unlink(path);
    if (there && result != 0) {
        int error = errno;
        note(UNDONE, 0, 0, NULL, 0);
        errno = error;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int sync_file(int fd, int (*next)(int)) {
    struct descriptor of = known(fd);
    /* A full disk has room for what it has taken already, and a read-only one had it taken before. */
    if (shim_orders()->disk_error == EIO && refuses(of.role)) return -1;
    if (!journaled(of.role) && of.role != DIRECTORY) return next(fd);
    if (shim_orders()->lies) return 0;
    pthread_mutex_lock(&lock);
    come_to(of.role);
    uint64_t before = records;
    pthread_mutex_unlock(&lock);
    int result = next(fd);
    if (result == 0) {
        pthread_mutex_lock(&lock);
        note(of.role == DIRECTORY ? SYNC_DIRECTORY : SYNC, of.file, before, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return result;
}

int fsync(int fd) { return sync_file(fd, next_fsync); }

int fdatasync(int fd) { return sync_file(fd, next_fdatasync); }
