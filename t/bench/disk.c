
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * What the disk can do at most, as the peer of the spool's benchmark: writes
 * the bytes of a record again and again, as fast as it can, and waits for
 * them with fdatasync().  No network, no checksums, no answers.
 *
 *     disk FOLDER RECORD THREADS RECORDS MS
 *
 * RECORD is a file with the bytes of one record.  Each of THREADS writes
 * RECORDS of them with one pwrite(), waits until they are on disk, and begins
 * again.  Files are reserved with fallocate() before they are needed, which
 * does not count; in each only what was never written is written.
 *
 * Prints "records=N writes=N seconds=S".
 */


/* system */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define DISK_FILE_SIZE    (64 * 1024 * 1024)
#define DISK_RECORD_MAX   (1024 * 1024)
#define DISK_THREADS_MAX  1024


typedef struct {
    int              fd;
    char            *batch;        /* what one pwrite() writes */
    size_t           size;         /* of it */
    uint64_t         until_ns;
    pthread_mutex_t  mutex;        /* of what follows */
    uint64_t         offset;       /* in the file, of the next write */
    uint64_t         writes;
} disk_t;


static void
disk_die(const char *what)
{
    fprintf(stderr, "disk: %s: %s\n", what, strerror(errno));
    exit(2);
}


static uint64_t
disk_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* A file without a name, which is gone when it is closed. */

static void
disk_file(disk_t *disk, const char *folder)
{
    disk->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (disk->fd == -1
        || fallocate(disk->fd, 0, 0, DISK_FILE_SIZE) == -1
        || fsync(disk->fd) == -1)
    {
        disk_die(folder);
    }

    disk->offset = 0;
}


static void
disk_batch(disk_t *disk, const char *record, size_t records)
{
    int      fd;
    size_t   i, len;
    ssize_t  n;

    fd = open(record, O_RDONLY | O_CLOEXEC);
    disk->batch = malloc(DISK_RECORD_MAX);

    if (fd == -1 || disk->batch == NULL) {
        disk_die(record);
    }

    n = read(fd, disk->batch, DISK_RECORD_MAX);

    if (n <= 0) {
        disk_die(record);
    }

    (void) close(fd);

    len = (size_t) n;
    disk->size = len * records;

    if (disk->size == 0 || disk->size > DISK_FILE_SIZE) {
        errno = EINVAL;
        disk_die("the number of records");
    }

    disk->batch = realloc(disk->batch, disk->size);

    if (disk->batch == NULL) {
        disk_die("realloc");
    }

    for (i = 1; i < records; i++) {
        memcpy(disk->batch + i * len, disk->batch, len);
    }
}


/* A place for the next write; -1 when the time is over or the file full. */

static off_t
disk_take(disk_t *disk)
{
    off_t  offset;

    offset = -1;

    (void) pthread_mutex_lock(&disk->mutex);

    if (disk->offset + disk->size <= DISK_FILE_SIZE
        && disk_now_ns() < disk->until_ns)
    {
        offset = (off_t) disk->offset;

        disk->offset += disk->size;
        disk->writes++;
    }

    (void) pthread_mutex_unlock(&disk->mutex);

    return offset;
}


static void *
disk_client(void *data)
{
    disk_t *disk = data;

    off_t  offset;

    for (offset = disk_take(disk); offset != -1; offset = disk_take(disk)) {

        if (pwrite(disk->fd, disk->batch, disk->size, offset)
            != (ssize_t) disk->size)
        {
            disk_die("pwrite");
        }

        if (fdatasync(disk->fd) == -1) {
            disk_die("fdatasync");
        }
    }

    return NULL;
}


/* Returns how long it took, in nanoseconds. */

static uint64_t
disk_run(disk_t *disk, size_t threads, uint64_t ns)
{
    size_t     i;
    uint64_t   start;
    pthread_t  tids[DISK_THREADS_MAX];

    start = disk_now_ns();
    disk->until_ns = start + ns;

    for (i = 0; i < threads; i++) {
        if (pthread_create(&tids[i], NULL, disk_client, disk) != 0) {
            disk_die("pthread_create");
        }
    }

    for (i = 0; i < threads; i++) {
        (void) pthread_join(tids[i], NULL);
    }

    return disk_now_ns() - start;
}


int
main(int argc, char **argv)
{
    size_t    threads, records;
    disk_t    disk;
    uint64_t  ns, spent;

    if (argc != 6) {
        fprintf(stderr, "usage: disk FOLDER RECORD THREADS RECORDS MS\n");
        return 2;
    }

    threads = strtoul(argv[3], NULL, 10);
    records = strtoul(argv[4], NULL, 10);
    ns = strtoull(argv[5], NULL, 10) * 1000000;
    spent = 0;

    if (threads == 0 || threads > DISK_THREADS_MAX) {
        fprintf(stderr, "disk: 1 to %d threads\n", DISK_THREADS_MAX);
        return 2;
    }

    memset(&disk, 0, sizeof(disk_t));
    (void) pthread_mutex_init(&disk.mutex, NULL);

    disk_batch(&disk, argv[2], records);

    while (spent < ns) {
        disk_file(&disk, argv[1]);
        spent += disk_run(&disk, threads, ns - spent);
        (void) close(disk.fd);
    }

    free(disk.batch);

    printf("records=%llu writes=%llu seconds=%.6f\n",
           (unsigned long long) (disk.writes * records),
           (unsigned long long) disk.writes, (double) spent / 1e9);

    return 0;
}
