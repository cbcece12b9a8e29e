
/*
 * Copyright (C) ngx_martech_module contributors
 *
 * Tests of ngx_martech_module/ngx_http_martech_store: real files in a folder
 * of their own, and system calls that fail, or end the process, at any step.
 *
 * The linker gives the calls of the store to the functions __wrap_* below.
 */


#include "martech_test.h"

/* system */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* the module's part without NGINX */
#include "ngx_http_martech_store.h"


#define TEST_SIZE    65536
#define TEST_NFS     0x6969
#define TEST_NOBODY  65534
#define TEST_KILLED  42


typedef enum {
    TEST_NONE = 0,
    TEST_PWRITEV,
    TEST_PREAD,
    TEST_FALLOCATE,
    TEST_FTRUNCATE,
    TEST_FDATASYNC,
    TEST_FSYNC,
    TEST_RENAME,
    TEST_UNLINK,
    TEST_FLOCK,
    TEST_ANY
} test_call_e;


/* What goes wrong next; all zero: nothing. */
typedef struct {
    test_call_e  call;
    int          skip;                  /* so many such calls go well */
    int          err;                   /* the errno, 0: the process ends */
    int          done;                  /* it went wrong */
    size_t       piece;                 /* bytes that one pwritev() writes */
    long         fs_type;               /* for fstatfs() */
    void       (*before)(void);         /* called instead of going wrong, and
                                           then the call goes well */
} test_fault_t;


/* The folder of a test. */
typedef struct {
    char                            root[256];
    ngx_http_martech_store_t        store;
    ngx_http_martech_store_error_t  err;
} test_t;


static test_fault_t  test_fault;

/* for what happens between two calls */
static test_t       *test_current;
static int           test_status;


ssize_t __real_pwritev64(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t __real_pread64(int fd, void *buf, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t offset);
int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);
int __real_ftruncate64(int fd, off_t size);
int __wrap_ftruncate64(int fd, off_t size);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __real_fstatfs64(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);


static int
test_fails(test_call_e call)
{
    if ((test_fault.call != call && test_fault.call != TEST_ANY)
        || test_fault.done || test_fault.skip-- > 0)
    {
        return 0;
    }

    test_fault.done = 1;

    if (test_fault.before != NULL) {
        test_fault.before();
        return 0;
    }

    if (test_fault.err == 0) {
        _exit(TEST_KILLED);
    }

    errno = test_fault.err;

    return 1;
}


/* A short write is no failure: it counts as a call that went well. */
ssize_t
__wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t offset)
{
    struct iovec  part;

    if (test_fails(TEST_PWRITEV)) {
        return -1;
    }

    if (test_fault.piece != 0 && n > 0) {
        part = iov[0];

        if (part.iov_len > test_fault.piece) {
            part.iov_len = test_fault.piece;
        }

        return __real_pwritev64(fd, &part, 1, offset);
    }

    return __real_pwritev64(fd, iov, n, offset);
}


ssize_t
__wrap_pread64(int fd, void *buf, size_t size, off_t offset)
{
    return test_fails(TEST_PREAD) ? -1 : __real_pread64(fd, buf, size, offset);
}


int
__wrap_fallocate64(int fd, int mode, off_t offset, off_t len)
{
    return test_fails(TEST_FALLOCATE)
           ? -1 : __real_fallocate64(fd, mode, offset, len);
}


int
__wrap_ftruncate64(int fd, off_t size)
{
    return test_fails(TEST_FTRUNCATE) ? -1 : __real_ftruncate64(fd, size);
}


int
__wrap_fdatasync(int fd)
{
    return test_fails(TEST_FDATASYNC) ? -1 : __real_fdatasync(fd);
}


int
__wrap_fsync(int fd)
{
    return test_fails(TEST_FSYNC) ? -1 : __real_fsync(fd);
}


int
__wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return test_fails(TEST_RENAME)
           ? -1 : __real_renameat(from_fd, from, to_fd, to);
}


int
__wrap_unlinkat(int fd, const char *name, int flags)
{
    return test_fails(TEST_UNLINK) ? -1 : __real_unlinkat(fd, name, flags);
}


int
__wrap_flock(int fd, int operation)
{
    return test_fails(TEST_FLOCK) ? -1 : __real_flock(fd, operation);
}


int
__wrap_fstatfs64(int fd, struct statfs *fs)
{
    int  rc;

    rc = __real_fstatfs64(fd, fs);

    if (test_fault.fs_type != 0) {
        fs->f_type = test_fault.fs_type;
    }

    return rc;
}


static void
test_break(test_call_e call, int skip, int err)
{
    memset(&test_fault, 0, sizeof(test_fault));

    test_fault.call = call;
    test_fault.skip = skip;
    test_fault.err = err;
}


static void
test_mend(void)
{
    memset(&test_fault, 0, sizeof(test_fault));
}


static int
test_setup(void **state)
{
    test_t      *t;
    const char  *tmp;

    t = test_alloc(sizeof(test_t));
    memset(t, 0, sizeof(test_t));

    tmp = getenv("TMPDIR");
    snprintf(t->root, sizeof(t->root), "%s/martech-store.XXXXXX",
             tmp != NULL ? tmp : "/tmp");

    if (mkdtemp(t->root) == NULL) {
        return -1;
    }

    test_mend();
    test_current = t;
    *state = t;

    return ngx_http_martech_store_open(&t->store, t->root, "own", &t->err);
}


static int
test_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;

    return remove(path);
}


static int
test_teardown(void **state)
{
    test_t  *t;

    t = *state;

    test_mend();
    ngx_http_martech_store_close(&t->store);
    nftw(t->root, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(t);

    return 0;
}


static void
test_ok(int rc, const test_t *t)
{
    if (rc != 0) {
        test_fail("%s \"%s\": %s", t->err.step, t->err.file,
                  strerror(t->err.err));
    }
}


static void
test_error(int rc, const test_t *t, int err, const char *file)
{
    assert_int_equal(rc, -1);

    if (t->err.err != err || strstr(t->err.file, file) == NULL
        || t->err.step == NULL || strlen(t->err.step) < 4)
    {
        test_fail("%s \"%s\": %s", t->err.step, t->err.file,
                  strerror(t->err.err));
    }
}


static const char *
test_path(const test_t *t, const char *name)
{
    static char  path[512];

    snprintf(path, sizeof(path), "%s/%s", t->root, name);

    return path;
}


static int
test_exists(const test_t *t, const char *name)
{
    struct stat  st;

    return lstat(test_path(t, name), &st) == 0;
}


static unsigned
test_mode(const test_t *t, const char *name)
{
    struct stat  st;

    assert_int_equal(lstat(test_path(t, name), &st), 0);

    return st.st_mode & 07777;
}


static size_t
test_file_size(const test_t *t, const char *name)
{
    struct stat  st;

    assert_int_equal(lstat(test_path(t, name), &st), 0);

    return (size_t) st.st_size;
}


static void
test_write(const test_t *t, const char *name, size_t offset, const void *data,
    size_t len)
{
    int  fd;

    fd = open(test_path(t, name), O_WRONLY | O_CREAT, 0600);
    assert_true(fd != -1);
    assert_int_equal(pwrite(fd, data, len, (off_t) offset), len);
    close(fd);
}


/* The names in a folder besides the lock. */
static int
test_names(const test_t *t, const char *folder)
{
    int             n;
    DIR            *d;
    struct dirent  *entry;

    d = opendir(test_path(t, folder));
    assert_non_null(d);

    for (n = 0, entry = readdir(d); entry != NULL; entry = readdir(d)) {
        n += (strcmp(entry->d_name, ".") != 0
              && strcmp(entry->d_name, "..") != 0
              && strcmp(entry->d_name, "lock") != 0);
    }

    closedir(d);

    return n;
}


/*
 * Appends a record whose messageId is the number and whose event has so many
 * bytes.
 */
static int
test_append(ngx_http_martech_store_file_t *file, unsigned number, size_t event,
    ngx_http_martech_store_error_t *err)
{
    int             rc;
    size_t          len;
    unsigned char   frame[NGX_HTTP_MARTECH_SEGMENT_FRAME], *payload;
    struct iovec    iov[3];

    payload = test_alloc(event + 128);

    len = (size_t) sprintf((char *) payload, "$10\r\n%010u\r\n$3\r\nsrc\r\n"
                           "$3\r\nweb\r\n$1\r\ne\r\n$%zu\r\n", number, event);
    memset(payload + len, 'x', event);
    memcpy(payload + len + event, "\r\n", 2);
    len += event + 2;

    ngx_http_martech_segment_frame_write(frame, file->salt, number, number,
                                         payload, len);
    iov[0].iov_base = frame;
    iov[0].iov_len = sizeof(frame);
    iov[1].iov_base = payload;
    iov[1].iov_len = len;
    iov[2].iov_base = (void *) ngx_http_martech_segment_padding;
    iov[2].iov_len = ngx_http_martech_segment_size(len) - sizeof(frame) - len;

    rc = ngx_http_martech_store_file_append(file, iov, 3, err);

    free(payload);

    return rc;
}


/* A whole segment with the records first to last, of 96 bytes each. */
static void
test_segment(test_t *t, const ngx_http_martech_store_t *store, uint64_t id,
    unsigned first, unsigned last)
{
    unsigned                       i;
    ngx_http_martech_store_file_t  file;

    test_ok(ngx_http_martech_store_file_create(&file, store, id, 77, 5,
                                               TEST_SIZE, &t->err), t);
    for (i = first; i <= last; i++) {
        test_ok(test_append(&file, i, 10 + i % 4, &t->err), t);
    }

    test_ok(ngx_http_martech_store_file_sync(&file, &t->err), t);
    test_ok(ngx_http_martech_store_file_seal(&file, &t->err), t);
}


/* A folder whose process is gone, with segments of two records each. */
static void
test_orphan(test_t *t, const char *name, unsigned segments, unsigned first)
{
    unsigned                  i;
    ngx_http_martech_store_t  store;

    test_ok(ngx_http_martech_store_open(&store, t->root, name, &t->err), t);

    for (i = 0; i < segments; i++) {
        test_segment(t, &store, i + 5, first + 2 * i, first + 2 * i + 1);
    }

    ngx_http_martech_store_close(&store);
}


static void
test_count_is(test_t *t, uint64_t id, uint64_t records, uint64_t damaged,
    int torn)
{
    ngx_http_martech_store_count_t  count;

    test_ok(ngx_http_martech_store_count(&t->store, id, &count, &t->err), t);

    if (count.records != records || count.damaged != damaged
        || count.torn != torn || count.zone != 77)
    {
        test_fail("%d records, %d damaged, torn %d", (int) count.records,
                  (int) count.damaged, count.torn);
    }
}


static void
test_folder(void **state)
{
    int                        fd;
    mode_t                     mask;
    test_t                    *t;
    ngx_http_martech_store_t   store;

    t = *state;

    mask = umask(0777);
    test_ok(ngx_http_martech_store_open(&store, t->root, "second", &t->err),
            t);
    umask(mask);

    assert_int_equal(test_mode(t, "second"), 0700);
    assert_int_equal(test_mode(t, "second/lock"), 0600);
    assert_int_equal(fcntl(store.lock_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

    fd = open(test_path(t, "second/lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    ngx_http_martech_store_close(&store);
    ngx_http_martech_store_close(&store);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);

    /* the name is taken: nothing is left of the new one, the old one stays */

    test_error(ngx_http_martech_store_open(&store, t->root, "second", &t->err),
               t, ENOTEMPTY, "/second");
    assert_int_equal(test_names(t, ""), 2);

    test_ok(ngx_http_martech_store_open(&store, t->root, "third", &t->err), t);
    test_segment(t, &store, 1, 1, 1);
    test_error(ngx_http_martech_store_remove(&store, &t->err), t, ENOTEMPTY,
               "/third");
    test_ok(ngx_http_martech_store_delete(&store, 1, &t->err), t);
    test_ok(ngx_http_martech_store_remove(&store, &t->err), t);
    assert_int_equal(test_names(t, ""), 2);
}


static void
test_gone(void **state)
{
    test_t                         *t;
    ngx_http_martech_store_t        store;
    ngx_http_martech_store_file_t   file;

    t = *state;

    test_ok(ngx_http_martech_store_open(&store, t->root, "second", &t->err),
            t);
    test_ok(ngx_http_martech_store_file_create(&file, &store, 1, 0, 0, 0,
                                               &t->err), t);

    assert_false(ngx_http_martech_store_gone(&store));
    assert_false(ngx_http_martech_store_file_gone(&file));

    assert_int_equal(unlink(test_path(t, "second/0000000001.seg")), 0);
    assert_true(ngx_http_martech_store_file_gone(&file));
    assert_false(ngx_http_martech_store_gone(&store));

    assert_int_equal(unlink(test_path(t, "second/lock")), 0);
    assert_int_equal(rmdir(test_path(t, "second")), 0);
    assert_true(ngx_http_martech_store_gone(&store));

    ngx_http_martech_store_file_close(&file);
    ngx_http_martech_store_close(&store);
}


static void
test_folder_refused(void **state)
{
    size_t                     i;
    test_t                    *t;
    char                       longest[NGX_HTTP_MARTECH_STORE_NAME_MAX + 1];
    const char                *path;
    ngx_http_martech_store_t   store;
    const char                *names[] = {
        "", ".", "..", ".x", "a/b", "damaged", longest
    };

    t = *state;

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';

    for (i = 0; i < test_count(names); i++) {
        test_error(ngx_http_martech_store_open(&store, t->root, names[i],
                                               &t->err),
                   t, EINVAL, names[i]);
    }

    test_error(ngx_http_martech_store_open(&store, test_path(t, "no"), "a",
                                           &t->err),
               t, ENOENT, "/no/a");

    path = test_path(t, "own/lock");
    test_error(ngx_http_martech_store_open(&store, path, "a", &t->err), t,
               ENOTDIR, "/own/lock/a");

    test_fault.fs_type = TEST_NFS;
    test_error(ngx_http_martech_store_open(&store, t->root, "a", &t->err), t,
               EOPNOTSUPP, "/a");
    test_mend();

    /* a failure on the way leaves nothing */

    test_break(TEST_RENAME, 0, EIO);
    test_error(ngx_http_martech_store_open(&store, t->root, "a", &t->err), t,
               EIO, "/a");
    test_break(TEST_FSYNC, 0, EIO);
    test_error(ngx_http_martech_store_open(&store, t->root, "a", &t->err), t,
               EIO, "/a");
    test_mend();

    assert_int_equal(store.root_fd, -1);
    assert_int_equal(test_names(t, ""), 1);
}


/* Runs a test in a process without rights; its status is that of the test. */
static void
test_as_nobody(test_t *t, void (*run)(test_t *t))
{
    int    status;
    pid_t  pid;

    if (geteuid() != 0) {
        run(t);
        return;
    }

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        if (setgid(TEST_NOBODY) != 0 || setuid(TEST_NOBODY) != 0) {
            _exit(2);
        }

        run(t);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}


static void
test_denied_run(test_t *t)
{
    ngx_http_martech_store_t           store;
    ngx_http_martech_store_adopted_t   out[4];
    ngx_http_martech_store_adoption_t  result;

    if (ngx_http_martech_store_open(&store, t->root, "a", &t->err) != -1
        || t->err.err != EACCES || strstr(t->err.file, "/a") == NULL)
    {
        _exit(3);
    }

    if (ngx_http_martech_store_open(&store, test_path(t, "open"), "a", &t->err)
        != 0)
    {
        _exit(4);
    }

    /* one orphan is another user's, the next is taken for all that */

    if (ngx_http_martech_store_adopt(&store, 1, out, 4, &result, &t->err) != -1
        || t->err.err != EACCES || result.failed != 1
        || strstr(t->err.file, "/closed") == NULL || result.folders != 1)
    {
        _exit(5);
    }
}


static void
test_denied(void **state)
{
    char                       root[512];
    test_t                    *t;
    ngx_http_martech_store_t   store;

    t = *state;

    if (geteuid() != 0) {
        skip();
    }

    snprintf(root, sizeof(root), "%s/open", t->root);

    assert_int_equal(mkdir(root, 0777), 0);
    assert_int_equal(chmod(root, 0777), 0);
    assert_int_equal(chmod(t->root, 0755), 0);

    test_ok(ngx_http_martech_store_open(&store, root, "closed", &t->err), t);
    ngx_http_martech_store_close(&store);
    test_ok(ngx_http_martech_store_open(&store, root, "given", &t->err), t);
    ngx_http_martech_store_close(&store);

    assert_int_equal(chown(test_path(t, "open/given"), TEST_NOBODY, 0), 0);
    assert_int_equal(chown(test_path(t, "open/given/lock"), TEST_NOBODY, 0),
                     0);

    test_as_nobody(t, test_denied_run);
}


static void
test_round(void **state)
{
    unsigned                          i;
    mode_t                            mask;
    test_t                           *t;
    uint64_t                          behind;
    ngx_http_martech_store_file_t     file;
    ngx_http_martech_store_reader_t   reader;
    ngx_http_martech_store_record_t   record;

    t = *state;

    mask = umask(0777);
    test_ok(ngx_http_martech_store_file_create(&file, &t->store, 12, 77, 5,
                                               TEST_SIZE, &t->err), t);
    umask(mask);

    assert_int_equal(test_mode(t, "own/0000000012.seg"), 0600);
    assert_int_equal(test_file_size(t, "own/0000000012.seg"), TEST_SIZE);
    assert_int_equal(test_names(t, "own"), 1);

    /* the third is larger than a window */

    test_ok(test_append(&file, 1, 1, &t->err), t);
    test_ok(test_append(&file, 2, 2, &t->err), t);
    test_ok(test_append(&file, 3, 1000000, &t->err), t);
    test_ok(test_append(&file, 4, 4, &t->err), t);
    test_ok(ngx_http_martech_store_file_sync(&file, &t->err), t);
    behind = file.offset;
    test_ok(ngx_http_martech_store_file_seal(&file, &t->err), t);
    assert_int_equal(test_file_size(t, "own/0000000012.seg"), behind);

    test_ok(ngx_http_martech_store_reader_open(&reader, &t->store, 12, 0, 0,
                                               &t->err), t);
    assert_int_equal(reader.segment.id, 12);
    assert_int_equal(reader.segment.zone, 77);
    assert_int_equal(reader.segment.created_ms, 5);

    behind = NGX_HTTP_MARTECH_SEGMENT_HEAD;

    for (i = 1; i <= 4; i++) {
        assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                            &t->err),
                         NGX_HTTP_MARTECH_STORE_RECORD);
        assert_int_equal(record.seq, i);
        assert_int_equal(record.hash, i);
        assert_int_equal(record.offset, behind);
        assert_int_equal(record.payload[14], '0' + i);
        assert_memory_equal(record.payload + record.len - 3, "x\r\n", 3);
        behind = record.behind;
    }

    for (i = 0; i < 2; i++) {
        assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                            &t->err),
                         NGX_HTTP_MARTECH_STORE_END);
        assert_int_equal(record.behind, behind);
    }

    ngx_http_martech_store_reader_close(&reader);
    ngx_http_martech_store_reader_close(&reader);
}


static void
test_create_fails(void **state)
{
    size_t                          i;
    test_t                         *t;
    ngx_http_martech_store_file_t   file;

    static const struct {
        test_call_e  call;
        int          skip;
        int          err;
    } faults[] = {
        { TEST_FALLOCATE, 0, ENOSPC },
        { TEST_PWRITEV, 0, ENOSPC },
        { TEST_FSYNC, 0, EIO },
        { TEST_RENAME, 0, EIO },
        { TEST_FSYNC, 1, EIO }
    };

    t = *state;

    for (i = 0; i < test_count(faults); i++) {
        test_break(faults[i].call, faults[i].skip, faults[i].err);
        test_error(ngx_http_martech_store_file_create(&file, &t->store, 1, 77,
                                                  5, TEST_SIZE, &t->err),
                   t, faults[i].err, "/own/0000000001.");
        assert_int_equal(test_fault.done, 1);
        test_mend();

        assert_int_equal(file.fd, -1);
        assert_int_equal(test_names(t, "own"), 0);
    }

    test_segment(t, &t->store, 1, 1, 3);
    test_error(ngx_http_martech_store_file_create(&file, &t->store, 1, 77, 5,
                                                  TEST_SIZE, &t->err),
               t, EEXIST, "/own/0000000001.seg");
    test_count_is(t, 1, 3, 0, 0);
    assert_int_equal(test_names(t, "own"), 1);

    test_error(ngx_http_martech_store_file_create(&file, &t->store, 0, 77, 5,
                                                  TEST_SIZE, &t->err),
               t, EINVAL, "");
    test_error(ngx_http_martech_store_file_create(&file, &t->store,
                                      NGX_HTTP_MARTECH_STORE_ID_MAX + 1, 77, 5,
                                                  TEST_SIZE, &t->err),
               t, EINVAL, "");
}


static void
test_no_reservation(void **state)
{
    size_t                          i;
    test_t                         *t;
    ngx_http_martech_store_file_t   file;

    static const int  errors[] = { EOPNOTSUPP, ENOSYS };

    t = *state;

    for (i = 0; i < test_count(errors); i++) {
        test_break(TEST_FALLOCATE, 0, errors[i]);
        test_ok(ngx_http_martech_store_file_create(&file, &t->store, i + 1, 77,
                                                   5, TEST_SIZE, &t->err), t);
        test_mend();

        assert_int_equal(file.size, 0);
        test_ok(test_append(&file, 1, 10, &t->err), t);
        test_ok(ngx_http_martech_store_file_undo(&file, file.offset, &t->err),
                t);
        ngx_http_martech_store_file_close(&file);
        ngx_http_martech_store_file_close(&file);
        test_count_is(t, i + 1, 1, 0, 0);
    }
}


static void
test_append_parts(void **state)
{
    size_t                          i;
    test_t                         *t;
    struct iovec                   *iov;
    unsigned char                   zeros[8];
    ngx_http_martech_store_file_t   file;

    t = *state;

    test_ok(ngx_http_martech_store_file_create(&file, &t->store, 1, 77, 5,
                                               TEST_SIZE, &t->err), t);

    /* short writes of all sizes, and a signal between them */

    for (i = 1; i <= 130; i++) {
        test_break(TEST_PWRITEV, 1, EINTR);
        test_fault.piece = i;
        test_ok(test_append(&file, (unsigned) i, 40, &t->err), t);
        test_mend();
    }

    test_count_is(t, 1, 130, 0, 0);

    /* more parts than the system takes at once, empty ones among them */

    memset(zeros, 0, sizeof(zeros));
    iov = test_alloc(3000 * sizeof(struct iovec));

    for (i = 0; i < 3000; i++) {
        iov[i].iov_base = zeros;
        iov[i].iov_len = (i % 3) ? 4 : 0;
    }

    i = file.offset;
    test_ok(ngx_http_martech_store_file_append(&file, iov, 3000, &t->err), t);
    assert_int_equal(file.offset, i + 8000);
    test_ok(ngx_http_martech_store_file_append(&file, iov, 0, &t->err), t);
    assert_int_equal(file.offset, i + 8000);

    test_error(ngx_http_martech_store_file_append(&file, iov, 2, &t->err), t,
               EINVAL, "/own/0000000001.seg");
    free(iov);

    test_ok(ngx_http_martech_store_file_undo(&file, i, &t->err), t);
    test_ok(ngx_http_martech_store_file_seal(&file, &t->err), t);
    assert_int_equal(test_file_size(t, "own/0000000001.seg"), i);
}


static void
test_append_fails(void **state)
{
    size_t                          i, offset;
    test_t                         *t;
    ngx_http_martech_store_file_t   file;

    t = *state;

    test_ok(ngx_http_martech_store_file_create(&file, &t->store, 1, 77, 5,
                                               TEST_SIZE, &t->err), t);

    /* the disk is full after so many bytes of a record of 128 */

    for (i = 0; i < 128; i += 16) {
        test_ok(test_append(&file, (unsigned) i + 1, 40, &t->err), t);
        offset = file.offset;

        test_break(TEST_PWRITEV, (int) i, ENOSPC);
        test_fault.piece = 1;
        test_error(test_append(&file, (unsigned) i + 2, 40, &t->err), t,
                   ENOSPC, "/own/0000000001.seg");
        test_mend();

        assert_int_equal(file.offset, offset);
        test_count_is(t, 1, i / 16 + 1, 0, i > 0);

        /* a failing fallocate() takes the reservation, but no record */

        test_break(TEST_FALLOCATE, i < 64 ? 1 : 0, ENOSPC);
        test_ok(ngx_http_martech_store_file_undo(&file, offset, &t->err), t);
        test_mend();

        assert_int_equal(file.size, i < 64 ? TEST_SIZE : 0);
        assert_int_equal(test_file_size(t, "own/0000000001.seg"),
                         i < 64 ? TEST_SIZE : offset);
        test_count_is(t, 1, i / 16 + 1, 0, 0);
    }

    test_break(TEST_FDATASYNC, 0, EIO);
    test_error(ngx_http_martech_store_file_sync(&file, &t->err), t, EIO,
               "/own/0000000001.seg");
    test_break(TEST_FTRUNCATE, 0, EIO);
    test_error(ngx_http_martech_store_file_undo(&file, 128, &t->err), t, EIO,
               "/own/0000000001.seg");
    assert_int_equal(file.offset, offset);
    test_break(TEST_FTRUNCATE, 0, EIO);
    test_error(ngx_http_martech_store_file_seal(&file, &t->err), t, EIO,
               "/own/0000000001.seg");
    test_mend();

    assert_int_equal(file.fd, -1);
    test_count_is(t, 1, 8, 0, 0);
}


/* Cuts a copy of segment 1 after so many bytes, and puts zeros behind. */
static void
test_cut(test_t *t, const unsigned char *data, size_t cut, size_t zeros)
{
    assert_int_equal(truncate(test_path(t, "own/0000000001.seg"), 0), 0);
    test_write(t, "own/0000000001.seg", 0, data, cut);
    assert_int_equal(truncate(test_path(t, "own/0000000001.seg"),
                              (off_t) (cut + zeros)), 0);
}


static void
test_damage(void **state)
{
    int              fd;
    size_t           i, size, last, whole, middle;
    test_t          *t;
    unsigned char    data[1024];

    t = *state;

    test_segment(t, &t->store, 1, 1, 4);
    size = test_file_size(t, "own/0000000001.seg");

    fd = open(test_path(t, "own/0000000001.seg"), O_RDONLY);
    assert_int_equal(read(fd, data, sizeof(data)), size);
    close(fd);

    last = size - 96;
    middle = last - 96;

    for (whole = size; data[whole - 1] == 0; whole--) { /* void */ }

    for (i = last; i <= size; i++) {
        test_cut(t, data, i, 0);
        test_count_is(t, 1, i >= whole ? 4 : 3, 0, i > last && i < whole);
        test_cut(t, data, i, 4096);
        test_count_is(t, 1, i >= whole ? 4 : 3, 0, i > last && i < whole);
    }

    for (i = middle; i < last; i += 7) {
        data[i] ^= 0x20;
        test_cut(t, data, size, 0);
        test_count_is(t, 1, 3, 1, 0);
        data[i] ^= 0x20;
    }
}


static void
test_ranges(void **state)
{
    test_t                           *t;
    uint64_t                          first, size;
    ngx_http_martech_store_reader_t   reader;
    ngx_http_martech_store_record_t   record;

    t = *state;

    /* damage that is wider than a window */

    test_segment(t, &t->store, 1, 1, 6000);
    size = test_file_size(t, "own/0000000001.seg");
    first = NGX_HTTP_MARTECH_SEGMENT_HEAD + 96;

    assert_int_equal(size, NGX_HTTP_MARTECH_SEGMENT_HEAD + 6000 * 96);

    for (record.offset = first; record.offset + 96 < size;
         record.offset += 64)
    {
        test_write(t, "own/0000000001.seg", record.offset, "\xee", 1);
    }

    test_ok(ngx_http_martech_store_reader_open(&reader, &t->store, 1, 0, 0,
                                               &t->err), t);
    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_RECORD);

    /* what fails once is read when it is asked for again */

    test_break(TEST_PREAD, 0, EIO);
    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_ERROR);
    test_error(-1, t, EIO, "/own/0000000001.seg");
    test_mend();

    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_DAMAGED);
    assert_int_equal(record.offset, first);
    first = record.behind;
    assert_int_equal(first, size - 96);

    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_RECORD);
    assert_int_equal(record.offset, first);
    assert_int_equal(record.behind, size);

    ngx_http_martech_store_reader_close(&reader);
}


static void
test_progress(void **state)
{
    test_t                           *t;
    uint64_t                          second, third;
    ngx_http_martech_store_reader_t   reader;
    ngx_http_martech_store_record_t   record;

    t = *state;

    test_segment(t, &t->store, 1, 1, 3);
    test_ok(ngx_http_martech_store_reader_open(&reader, &t->store, 1, 0, 0,
                                               &t->err), t);
    ngx_http_martech_store_reader_next(&reader, &record, &t->err);
    second = record.behind;
    ngx_http_martech_store_reader_next(&reader, &record, &t->err);
    third = record.behind;
    test_ok(ngx_http_martech_store_reader_progress(&reader, third, &t->err),
            t);
    ngx_http_martech_store_reader_close(&reader);

    test_count_is(t, 1, 1, 0, 0);

    /* from a given place, to a given place */

    test_ok(ngx_http_martech_store_reader_open(&reader, &t->store, 1, second,
                                               third, &t->err), t);
    assert_int_equal(reader.segment.progress, third);
    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_RECORD);
    assert_int_equal(record.seq, 2);
    assert_int_equal(ngx_http_martech_store_reader_next(&reader, &record,
                                                        &t->err),
                     NGX_HTTP_MARTECH_STORE_END);

    /* all is done, in a file whose last padding was cut */

    test_ok(ngx_http_martech_store_reader_progress(&reader, third + 4096,
                                                   &t->err), t);
    ngx_http_martech_store_reader_close(&reader);
    test_count_is(t, 1, 0, 0, 0);

    test_write(t, "own/0000000001.seg", 98, "x", 1);
    test_count_is(t, 1, 3, 0, 0);
}


static void
test_heads(void **state)
{
    test_t                           *t;
    ngx_http_martech_store_count_t    count;

    t = *state;

    test_segment(t, &t->store, 1, 1, 3);
    test_segment(t, &t->store, 2, 1, 3);
    test_write(t, "own/0000000001.seg", 8, "\2", 1);
    test_write(t, "own/0000000002.seg", 20, "\2", 1);
    test_write(t, "own/0000000003.seg", 0, "", 0);
    assert_int_equal(mkdir(test_path(t, "own/0000000004.seg"), 0700), 0);
    assert_int_equal(mkfifo(test_path(t, "own/0000000005.seg"), 0600), 0);
    assert_int_equal(symlink("0000000001.seg",
                             test_path(t, "own/0000000006.seg")), 0);

    test_error(ngx_http_martech_store_count(&t->store, 1, &count, &t->err), t,
               EPROTONOSUPPORT, "/own/0000000001.seg");
    test_error(ngx_http_martech_store_count(&t->store, 2, &count, &t->err), t,
               EBADMSG, "/own/0000000002.seg");
    test_error(ngx_http_martech_store_count(&t->store, 3, &count, &t->err), t,
               EBADMSG, "/own/0000000003.seg");
    test_error(ngx_http_martech_store_count(&t->store, 4, &count, &t->err), t,
               EISDIR, "/own/0000000004.seg");
    test_error(ngx_http_martech_store_count(&t->store, 5, &count, &t->err), t,
               EINVAL, "/own/0000000005.seg");
    test_error(ngx_http_martech_store_count(&t->store, 6, &count, &t->err), t,
               ELOOP, "/own/0000000006.seg");
    test_error(ngx_http_martech_store_count(&t->store, 7, &count, &t->err), t,
               ENOENT, "/own/0000000007.seg");
}


static void
test_list(void **state)
{
    int        i;
    test_t    *t;
    size_t     n;
    uint64_t   ids[8];
    char       name[32];

    static const int  numbers[] = { 7, 3, 300, 5, 1, 8, 2 };
    static const int  order[] = { 1, 2, 3, 5, 7, 8, 300 };

    t = *state;

    for (i = 0; i < 7; i++) {
        snprintf(name, sizeof(name), "own/%010d.seg", numbers[i]);
        test_write(t, name, 0, "x", 1);
    }

    test_write(t, "own/0000000009.new", 0, "x", 1);
    test_write(t, "own/000000009.seg", 0, "x", 1);
    test_write(t, "own/00000000009.seg", 0, "x", 1);
    test_write(t, "own/0000000009.seg.gz", 0, "x", 1);

    test_ok(ngx_http_martech_store_list(&t->store, 0, ids, 8, &n, &t->err), t);
    assert_int_equal(n, 7);

    for (i = 0; i < 7; i++) {
        assert_int_equal(ids[i], order[i]);
    }

    test_ok(ngx_http_martech_store_list(&t->store, 2, ids, 3, &n, &t->err), t);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 3);
    assert_int_equal(ids[1], 5);
    assert_int_equal(ids[2], 7);

    test_ok(ngx_http_martech_store_delete(&t->store, 5, &t->err), t);
    assert_false(test_exists(t, "own/0000000005.seg"));
    test_error(ngx_http_martech_store_delete(&t->store, 5, &t->err), t, ENOENT,
               "/own/0000000005.seg");
}


static void
test_keep(void **state)
{
    test_t  *t;

    t = *state;

    test_segment(t, &t->store, 1, 1, 3);
    test_ok(ngx_http_martech_store_keep(&t->store, 1, &t->err), t);
    test_segment(t, &t->store, 1, 1, 3);
    test_ok(ngx_http_martech_store_keep(&t->store, 1, &t->err), t);

    assert_int_equal(test_names(t, "own"), 0);
    assert_int_equal(test_names(t, "damaged"), 2);
    assert_int_equal(test_mode(t, "damaged"), 0700);
    assert_true(test_file_size(t, "damaged/own-0000000001-0.seg") > 200);
    assert_true(test_file_size(t, "damaged/own-0000000001-1.seg") > 200);

    test_error(ngx_http_martech_store_keep(&t->store, 1, &t->err), t, ENOENT,
               "/own/0000000001.seg");
    assert_int_equal(test_names(t, "damaged"), 2);
}


/* Sets the progress of a segment of somebody else to its end. */
static void
test_finish(test_t *t, const char *folder, uint64_t id)
{
    ngx_http_martech_store_t         store;
    ngx_http_martech_store_reader_t  reader;

    store = t->store;
    store.fd = open(test_path(t, folder), O_RDONLY | O_DIRECTORY);

    test_ok(ngx_http_martech_store_reader_open(&reader, &store, id, 0, 0,
                                               &t->err), t);
    test_ok(ngx_http_martech_store_reader_progress(&reader, reader.end,
                                                   &t->err), t);
    ngx_http_martech_store_reader_close(&reader);
    close(store.fd);
}


static void
test_adopt(void **state)
{
    test_t                             *t;
    ngx_http_martech_store_t            living;
    ngx_http_martech_store_adopted_t    out[8];
    ngx_http_martech_store_adoption_t   result;

    t = *state;

    test_segment(t, &t->store, 1, 1, 1);
    test_orphan(t, "gone", 3, 10);
    test_ok(ngx_http_martech_store_open(&living, t->root, "living", &t->err),
            t);
    test_segment(t, &living, 1, 1, 1);

    /* one whose records are all done, one never finished */

    test_orphan(t, "done", 1, 20);
    test_finish(t, "done", 5);
    test_write(t, "gone/0000000001.new", 0, "x", 1);

    /* what crashed at its beginning or its end, and what only looks so */

    assert_int_equal(mkdir(test_path(t, ".spool-a"), 0700), 0);
    assert_int_equal(mkdir(test_path(t, ".spool-b"), 0700), 0);
    test_write(t, ".spool-b/lock", 0, "", 0);
    assert_int_equal(mkdir(test_path(t, ".spool-c"), 0700), 0);
    test_write(t, ".spool-c/letter", 0, "", 0);
    assert_int_equal(mkdir(test_path(t, "nolock"), 0700), 0);
    test_write(t, "README", 0, "", 0);

    test_ok(ngx_http_martech_store_adopt(&t->store, 20, out, 8, &result,
                                         &t->err), t);

    assert_int_equal(result.segments, 3);
    assert_int_equal(result.folders, 2);
    assert_int_equal(result.empty, 1);
    assert_int_equal(result.busy, 1);
    assert_int_equal(result.unknown, 2);
    assert_int_equal(result.damaged + result.foreign + result.failed, 0);
    assert_int_equal(result.more, 0);

    assert_int_equal(out[0].id, 20);
    assert_int_equal(out[2].id, 22);
    assert_int_equal(out[1].zone, 77);
    assert_int_equal(out[1].size, test_file_size(t, "own/0000000021.seg"));

    test_count_is(t, 20, 2, 0, 0);
    test_count_is(t, 22, 2, 0, 0);
    assert_int_equal(test_names(t, "own"), 4);
    assert_int_equal(test_names(t, "living"), 1);

    assert_false(test_exists(t, "gone"));
    assert_false(test_exists(t, "done"));
    assert_false(test_exists(t, ".spool-a"));
    assert_false(test_exists(t, ".spool-b"));
    assert_true(test_exists(t, ".spool-c/letter"));
    assert_true(test_exists(t, "nolock"));

    ngx_http_martech_store_close(&living);
}


static void
test_adopt_strange(void **state)
{
    test_t                             *t;
    ngx_http_martech_store_adopted_t    out[8];
    ngx_http_martech_store_adoption_t   result;

    t = *state;

    test_orphan(t, "gone", 4, 10);
    test_write(t, "gone/0000000005.seg", 8, "\2", 1);
    test_write(t, "gone/0000000006.seg", 20, "\2", 1);
    test_write(t, "gone/0000000007.seg", 150, "\2", 1);
    test_write(t, "gone/0000000007.seg", 250, "\2", 1);
    test_write(t, "gone/letter", 0, "x", 1);
    test_write(t, "gone/0000000000.seg", 0, "x", 1);

    test_ok(ngx_http_martech_store_adopt(&t->store, 1, out, 8, &result,
                                         &t->err), t);
    assert_int_equal(result.foreign, 1);
    assert_int_equal(result.damaged, 1);
    assert_int_equal(result.segments, 2);
    assert_int_equal(result.unknown, 2);
    assert_int_equal(result.folders, 0);

    assert_true(test_exists(t, "gone/0000000005.seg"));
    assert_true(test_exists(t, "gone/letter"));
    assert_true(test_exists(t, "damaged/gone-0000000006-0.seg"));
    test_count_is(t, 1, 0, 0, 1);
    test_count_is(t, 2, 2, 0, 0);

    /* and it is the same the next time */

    test_ok(ngx_http_martech_store_adopt(&t->store, 3, out, 8, &result,
                                         &t->err), t);
    assert_int_equal(result.foreign, 1);
    assert_int_equal(result.segments + result.damaged + result.folders, 0);
}


static void
test_adopt_room(void **state)
{
    test_t                             *t;
    ngx_http_martech_store_adopted_t    out[70];
    ngx_http_martech_store_adoption_t   result;

    t = *state;

    /* more than one list of ids has */

    test_orphan(t, "gone", 70, 10);

    test_ok(ngx_http_martech_store_adopt(&t->store, 1, out, 2, &result,
                                         &t->err), t);
    assert_int_equal(result.segments, 2);
    assert_int_equal(result.more, 1);
    assert_int_equal(result.folders, 0);

    /* an id that is taken, and a disk that fails once: the rest goes on */

    test_break(TEST_RENAME, 1, EIO);
    test_error(ngx_http_martech_store_adopt(&t->store, 3, out, 70, &result,
                                            &t->err), t, EIO,
               "/gone/0000000008.seg");
    test_mend();
    assert_int_equal(result.segments, 67);
    assert_int_equal(result.failed, 1);

    test_error(ngx_http_martech_store_adopt(&t->store, 3, out, 70, &result,
                                            &t->err), t, EEXIST,
               "/gone/0000000008.seg");

    test_ok(ngx_http_martech_store_adopt(&t->store, 80, out, 70, &result,
                                         &t->err), t);
    assert_int_equal(result.segments, 1);
    assert_int_equal(result.more, 0);
    assert_int_equal(result.folders, 1);
    assert_int_equal(test_names(t, "own"), 70);
}


/* Notes each record of our segments in seen. */
static void
test_seen(test_t *t, unsigned char *seen, size_t max)
{
    size_t                            i, n;
    uint64_t                          ids[64];
    ngx_http_martech_store_reader_t   reader;
    ngx_http_martech_store_record_t   record;

    test_ok(ngx_http_martech_store_list(&t->store, 0, ids, 64, &n, &t->err),
            t);

    for (i = 0; i < n; i++) {
        test_ok(ngx_http_martech_store_reader_open(&reader, &t->store, ids[i],
                                                   0, 0, &t->err), t);

        while (ngx_http_martech_store_reader_next(&reader, &record, &t->err)
               == NGX_HTTP_MARTECH_STORE_RECORD)
        {
            assert_true(record.seq < max);
            seen[record.seq]++;
        }

        ngx_http_martech_store_reader_close(&reader);
    }
}


/* Takes all that is left; the records first to last are there just once. */
static void
test_all_here(test_t *t, unsigned first, unsigned last)
{
    unsigned                            i;
    unsigned char                       seen[64];
    ngx_http_martech_store_adopted_t    out[64];
    ngx_http_martech_store_adoption_t   result;

    test_ok(ngx_http_martech_store_adopt(&t->store, 1, out, 64, &result,
                                         &t->err), t);
    assert_int_equal(result.unknown, 0);
    assert_int_equal(result.damaged, 0);

    memset(seen, 0, sizeof(seen));
    test_seen(t, seen, sizeof(seen));

    for (i = 0; i < sizeof(seen); i++) {
        if (seen[i] != (i >= first && i <= last)) {
            test_fail("record %u is there %u times", i, seen[i]);
        }
    }

    assert_int_equal(test_names(t, ""), 1);
}


/* The life of a process that adopts and then goes; 0 when all went well. */
static int
test_adopter(test_t *t, const char *name)
{
    ngx_http_martech_store_t            store;
    ngx_http_martech_store_error_t      err;
    ngx_http_martech_store_adopted_t    out[16];
    ngx_http_martech_store_adoption_t   result;

    if (ngx_http_martech_store_open(&store, t->root, name, &err) != 0
        || ngx_http_martech_store_adopt(&store, 1, out, 16, &result, &err)
           != 0)
    {
        fprintf(stderr, "%s: %s \"%s\": %s\n", name, err.step, err.file,
                strerror(err.err));
        return 1;
    }

    return 0;
}


static void
test_adopt_killed(void **state)
{
    int      step, status;
    pid_t    pid;
    test_t  *t;

    t = *state;

    for (step = 0; /* void */ ; step++) {
        test_orphan(t, "gone", 3, 1);
        test_write(t, "gone/0000000001.new", 0, "x", 1);

        pid = fork();
        assert_true(pid != -1);

        if (pid == 0) {
            test_break(TEST_ANY, step, 0);
            _exit(test_adopter(t, "killed"));
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));

        test_all_here(t, 1, 6);

        /* empty our folder for the next round */

        ngx_http_martech_store_close(&t->store);
        nftw(test_path(t, "own"), test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        test_ok(ngx_http_martech_store_open(&t->store, t->root, "own",
                                            &t->err), t);

        if (WEXITSTATUS(status) == 0) {
            break;
        }

        assert_int_equal(WEXITSTATUS(status), TEST_KILLED);
    }

    /* each move, the syncs and removals around them */

    assert_true(step > 10);
}


static void
test_adopt_together(void **state)
{
    int      i, n, status, fds[2];
    char     name[32], go;
    pid_t    pids[4];
    test_t  *t;

    t = *state;

    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "gone%d", i);
        test_orphan(t, name, 3, (unsigned) (1 + 6 * i));
    }

    assert_int_equal(pipe(fds), 0);

    for (n = 0; n < 4; n++) {
        pids[n] = fork();
        assert_true(pids[n] != -1);

        if (pids[n] == 0) {

            /* all begin when the pipe is closed */

            close(fds[1]);
            snprintf(name, sizeof(name), "adopter%d", n);
            _exit(read(fds[0], &go, 1) != 0 || test_adopter(t, name));
        }
    }

    close(fds[0]);
    close(fds[1]);

    for (n = 0; n < 4; n++) {
        assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
        assert_int_equal(status, 0);
    }

    test_all_here(t, 1, 48);
}


/* Another process adopts what it finds, and goes. */
static void
test_meanwhile_process(void)
{
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        _exit(test_adopter(test_current, "meanwhile"));
    }

    waitpid(pid, &test_status, 0);
}


/* A folder that is just being created is no orphan, and no leftover. */
static void
test_open_meanwhile(void **state)
{
    test_t                    *t;
    test_call_e                call;
    ngx_http_martech_store_t   store;

    t = *state;

    for (call = TEST_FSYNC; call < TEST_ANY; call++) {
        if (call == TEST_UNLINK) {
            continue;
        }

        test_status = -1;
        test_break(call, call == TEST_FLOCK, 0);
        test_fault.before = test_meanwhile_process;
        test_ok(ngx_http_martech_store_open(&store, t->root, "young", &t->err),
                t);
        test_mend();
        assert_int_equal(test_status, 0);

        test_segment(t, &store, 1, 1, 1);
        test_ok(ngx_http_martech_store_delete(&store, 1, &t->err), t);
        test_ok(ngx_http_martech_store_remove(&store, &t->err), t);
        test_all_here(t, 1, 0);
    }
}


static void
test_meanwhile_other(void)
{
    ngx_http_martech_store_t            store;
    ngx_http_martech_store_error_t      err;
    ngx_http_martech_store_adopted_t    out[4];
    ngx_http_martech_store_adoption_t   result;

    test_status = ngx_http_martech_store_open(&store, test_current->root,
                                              "other", &err);
    test_status |= ngx_http_martech_store_adopt(&store, 1, out, 4, &result,
                                                &err);
    test_status |= (result.segments != 2);

    ngx_http_martech_store_close(&store);
}


/* The lock that we have opened is gone with its folder when we get it. */
static void
test_adopt_late(void **state)
{
    test_t                             *t;
    ngx_http_martech_store_adopted_t    out[4];
    ngx_http_martech_store_adoption_t   result;

    t = *state;

    test_orphan(t, "gone", 2, 1);

    /* the sweep locks and unlocks ROOT; the next is that of the orphan */

    test_status = -1;
    test_break(TEST_FLOCK, 2, 0);
    test_fault.before = test_meanwhile_other;
    test_ok(ngx_http_martech_store_adopt(&t->store, 1, out, 4, &result,
                                         &t->err), t);
    test_mend();

    assert_int_equal(test_status, 0);
    assert_int_equal(result.folders, result.segments / 2);
    assert_false(test_exists(t, "gone"));

    ngx_http_martech_store_close(&t->store);
    test_ok(ngx_http_martech_store_open(&t->store, t->root, "own2", &t->err),
            t);
    test_all_here(t, 1, 4);
}


#define test_case(name)                                                       \
    cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)


int
main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_folder),
        test_case(test_folder_refused),
        test_case(test_gone),
        test_case(test_denied),
        test_case(test_round),
        test_case(test_create_fails),
        test_case(test_no_reservation),
        test_case(test_append_parts),
        test_case(test_append_fails),
        test_case(test_damage),
        test_case(test_ranges),
        test_case(test_progress),
        test_case(test_heads),
        test_case(test_list),
        test_case(test_keep),
        test_case(test_adopt),
        test_case(test_adopt_strange),
        test_case(test_adopt_room),
        test_case(test_adopt_killed),
        test_case(test_adopt_together),
        test_case(test_open_meanwhile),
        test_case(test_adopt_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
