
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * A disk that fails on demand, for tests.
 *
 * Preloaded into a program, it stands before the calls of the C library that
 * write files, and makes those fail that concern a folder, as a file says
 * which the test maps and changes while the program runs (Martech::Shim).
 * A call for which nothing is ordered costs one look at memory.  The clock of
 * the machine can be set for the program alone, too.
 *
 * Counters are atomic, and the test writes "on" last: no lock is needed.
 */


#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define SHIM_MAGIC      0x4d544853u
#define SHIM_PATH_SIZE  1024
#define SHIM_IOV_MAX    1024

/* of shim_hit(): the call is to write less */
#define SHIM_SHORT      1


typedef enum {
    SHIM_OPEN = 0,
    SHIM_WRITE,
    SHIM_PWRITE,
    SHIM_FSYNC,
    SHIM_FDATASYNC,
    SHIM_FALLOCATE,
    SHIM_CALLS
} shim_call_t;


/* Eight numbers each; the test writes all but the last two. */

typedef struct {
    uint32_t      on;
    uint32_t      error;         /* errno, 0 to let the call pass */
    uint32_t      bytes_max;     /* with error 0: a write takes no more */
    uint32_t      delay_ms;      /* before the call */
    uint32_t      skip;          /* so many calls pass first */
    uint32_t      times;         /* so many are hit then, 0 for all */
    uint32_t      seen;          /* calls since the order, set to 0 by it */
    uint32_t      hits;          /* calls that were hit, never reset */
} shim_fault_t;


typedef struct {
    uint32_t      magic;
    uint32_t      reserved;
    char          folder[SHIM_PATH_SIZE];       /* as programs name it */
    char          real[SHIM_PATH_SIZE];         /* without links */
    shim_fault_t  faults[SHIM_CALLS];
    int64_t       clock_ms;                     /* added to the wall clock */
} shim_control_t;


typedef int (*shim_open_pt)(const char *path, int flags, ...);
typedef int (*shim_openat_pt)(int fd, const char *path, int flags, ...);
typedef int (*shim_clock_pt)(clockid_t id, struct timespec *ts);
typedef int (*shim_sync_pt)(int fd);
typedef int (*shim_allocate_pt)(int fd, int mode, off_t offset, off_t size);
typedef int (*shim_posix_allocate_pt)(int fd, off_t offset, off_t size);
typedef ssize_t (*shim_write_pt)(int fd, const void *data, size_t size);
typedef ssize_t (*shim_pwrite_pt)(int fd, const void *data, size_t size,
    off_t offset);
typedef ssize_t (*shim_writev_pt)(int fd, const struct iovec *iov, int count);
typedef ssize_t (*shim_pwritev_pt)(int fd, const struct iovec *iov, int count,
    off_t offset);


static void shim_init(void) __attribute__((constructor));


static shim_control_t  *shim_control;


/*
 * The next function of that name.  Conversions between pointers to objects
 * and to functions are not C, hence the copy.
 */

#define shim_real(type, name)                                                 \
    static type  real;                                                        \
                                                                              \
    if (real == NULL) {                                                       \
        shim_find(&real, sizeof(real), name);                                 \
    }


static void
shim_find(void *function, size_t size, const char *name)
{
    void  *symbol;

    symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL) {
        abort();
    }

    memcpy(function, &symbol, size);
}


/* By the real open(): ours looks at what is not there yet. */

static void
shim_init(void)
{
    int          fd;
    void        *p;
    const char  *path;

    shim_real(shim_open_pt, "open");

    path = getenv("MARTECH_SHIM");

    if (path == NULL) {
        return;
    }

    fd = real(path, O_RDWR|O_CLOEXEC);

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(shim_control_t), PROT_READ|PROT_WRITE, MAP_SHARED,
             fd, 0);
    close(fd);

    if (p == MAP_FAILED) {
        return;
    }

    shim_control = p;

    if (shim_control->magic != SHIM_MAGIC) {
        shim_control = NULL;
    }
}


static int
shim_starts(const char *path, const char *folder)
{
    size_t  length;

    length = strlen(folder);

    return length != 0 && strncmp(path, folder, length) == 0
           && (path[length] == '/' || path[length] == '\0');
}


static int
shim_is_below(const char *path)
{
    return shim_starts(path, shim_control->folder)
           || shim_starts(path, shim_control->real);
}


static int
shim_is_fd_below(int fd)
{
    char     link[64], path[SHIM_PATH_SIZE];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, sizeof(path) - 1);

    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return shim_is_below(path);
}


static void
shim_sleep(uint32_t ms)
{
    struct timespec  rest;

    rest.tv_sec = ms / 1000;
    rest.tv_nsec = (long) (ms % 1000) * 1000000;

    while (nanosleep(&rest, &rest) == -1 && errno == EINTR) { /* void */ }
}


/*
 * Decides about a call: 0, it passes; -1, it fails, errno is set; SHIM_SHORT,
 * it may write *max bytes.  The path is NULL for calls with a descriptor.
 */

static int
shim_hit(shim_call_t call, const char *path, int fd, size_t *max)
{
    int            saved, below;
    uint32_t       n, error, times;
    shim_fault_t  *fault;

    if (shim_control == NULL) {
        return 0;
    }

    fault = &shim_control->faults[call];

    if (!__atomic_load_n(&fault->on, __ATOMIC_ACQUIRE)) {
        return 0;
    }

    saved = errno;
    below = path ? shim_is_below(path) : shim_is_fd_below(fd);
    errno = saved;

    if (!below) {
        return 0;
    }

    n = __atomic_fetch_add(&fault->seen, 1, __ATOMIC_RELAXED);
    times = fault->times;

    if (n < fault->skip || (times && n - fault->skip >= times)) {
        return 0;
    }

    error = fault->error;

    if (max) {
        *max = fault->bytes_max;
    }

    __atomic_fetch_add(&fault->hits, 1, __ATOMIC_RELAXED);

    if (fault->delay_ms) {
        shim_sleep(fault->delay_ms);
    }

    errno = error ? (int) error : saved;

    if (error) {
        return -1;
    }

    return max && *max ? SHIM_SHORT : 0;
}


/* CLOCK_REALTIME is set; all others go on. */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int      rc;
    int64_t  ms;

    shim_real(shim_clock_pt, "clock_gettime");

    rc = real(id, ts);

    if (rc != 0 || id != CLOCK_REALTIME || shim_control == NULL) {
        return rc;
    }

    ms = __atomic_load_n(&shim_control->clock_ms, __ATOMIC_RELAXED);

    ts->tv_sec += ms / 1000;
    ts->tv_nsec += ms % 1000 * 1000000;

    if (ts->tv_nsec >= 1000000000) {
        ts->tv_nsec -= 1000000000;
        ts->tv_sec++;

    } else if (ts->tv_nsec < 0) {
        ts->tv_nsec += 1000000000;
        ts->tv_sec--;
    }

    return rc;
}


/* NGINX asks in this way. */

int
gettimeofday(struct timeval *tv, void *zone)
{
    struct timespec  ts;

    (void) zone;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


/* Copies as much of a vector as may be written; returns its new length. */

static int
shim_cut(struct iovec *to, const struct iovec *iov, int count, size_t max)
{
    int  i;

    for (i = 0; i < count && i < SHIM_IOV_MAX && max; i++) {
        to[i] = iov[i];

        if (to[i].iov_len > max) {
            to[i].iov_len = max;
        }

        max -= to[i].iov_len;
    }

    return i;
}


static mode_t
shim_mode(int flags, va_list args)
{
    int  wanted;

    wanted = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

    return wanted ? (mode_t) va_arg(args, int) : 0;
}


int
open(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    shim_real(shim_open_pt, "open");

    va_start(args, flags);
    mode = shim_mode(flags, args);
    va_end(args);

    if (shim_hit(SHIM_OPEN, path, -1, NULL) == -1) {
        return -1;
    }

    return real(path, flags, mode);
}


/* With a path that is not absolute it is not looked at. */

int
openat(int fd, const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    shim_real(shim_openat_pt, "openat");

    va_start(args, flags);
    mode = shim_mode(flags, args);
    va_end(args);

    if (shim_hit(SHIM_OPEN, path, -1, NULL) == -1) {
        return -1;
    }

    return real(fd, path, flags, mode);
}


int
fsync(int fd)
{
    shim_real(shim_sync_pt, "fsync");

    if (shim_hit(SHIM_FSYNC, NULL, fd, NULL) == -1) {
        return -1;
    }

    return real(fd);
}


int
fdatasync(int fd)
{
    shim_real(shim_sync_pt, "fdatasync");

    if (shim_hit(SHIM_FDATASYNC, NULL, fd, NULL) == -1) {
        return -1;
    }

    return real(fd);
}


int
fallocate(int fd, int mode, off_t offset, off_t size)
{
    shim_real(shim_allocate_pt, "fallocate");

    if (shim_hit(SHIM_FALLOCATE, NULL, fd, NULL) == -1) {
        return -1;
    }

    return real(fd, mode, offset, size);
}


/* It returns the error and leaves errno alone. */

int
posix_fallocate(int fd, off_t offset, off_t size)
{
    int  saved, error;

    shim_real(shim_posix_allocate_pt, "posix_fallocate");

    saved = errno;

    if (shim_hit(SHIM_FALLOCATE, NULL, fd, NULL) == -1) {
        error = errno;
        errno = saved;
        return error;
    }

    return real(fd, offset, size);
}


ssize_t
write(int fd, const void *data, size_t size)
{
    int     rc;
    size_t  max;

    shim_real(shim_write_pt, "write");

    rc = shim_hit(SHIM_WRITE, NULL, fd, &max);

    if (rc == -1) {
        return -1;
    }

    return real(fd, data, rc == SHIM_SHORT && max < size ? max : size);
}


ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
    int     rc;
    size_t  max;

    shim_real(shim_pwrite_pt, "pwrite");

    rc = shim_hit(SHIM_PWRITE, NULL, fd, &max);

    if (rc == -1) {
        return -1;
    }

    return real(fd, data, rc == SHIM_SHORT && max < size ? max : size, offset);
}


ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    int           rc;
    size_t        max;
    struct iovec  part[SHIM_IOV_MAX];

    shim_real(shim_writev_pt, "writev");

    rc = shim_hit(SHIM_WRITE, NULL, fd, &max);

    if (rc == -1) {
        return -1;
    }

    if (rc == SHIM_SHORT) {
        return real(fd, part, shim_cut(part, iov, count, max));
    }

    return real(fd, iov, count);
}


ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    int           rc;
    size_t        max;
    struct iovec  part[SHIM_IOV_MAX];

    shim_real(shim_pwritev_pt, "pwritev");

    rc = shim_hit(SHIM_PWRITE, NULL, fd, &max);

    if (rc == -1) {
        return -1;
    }

    if (rc == SHIM_SHORT) {
        return real(fd, part, shim_cut(part, iov, count, max), offset);
    }

    return real(fd, iov, count, offset);
}


/* The names that a program uses which asks for large files: off_t is wide. */

_Static_assert(sizeof(off_t) == 8, "off_t has 64 bits");


int
open64(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = shim_mode(flags, args);
    va_end(args);

    return open(path, flags, mode);
}


int
openat64(int fd, const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = shim_mode(flags, args);
    va_end(args);

    return openat(fd, path, flags, mode);
}


int
fallocate64(int fd, int mode, off_t offset, off_t size)
{
    return fallocate(fd, mode, offset, size);
}


int
posix_fallocate64(int fd, off_t offset, off_t size)
{
    return posix_fallocate(fd, offset, size);
}


ssize_t
pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite(fd, data, size, offset);
}


ssize_t
pwritev64(int fd, const struct iovec *iov, int count, off_t offset)
{
    return pwritev(fd, iov, count, offset);
}
