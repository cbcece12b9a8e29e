#!/usr/bin/perl

# The test library's bad disks: calls that fail on demand, in any thread and
# beside the sanitizers, and a disk that is full.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Test;

my $t = Martech::Test->new();

# Does what its arguments say to a file, and prints what came of it.
my $PROBE = $t->file('probe.c', <<'END');
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int fd;

static long call(const char *name)
{
    struct iovec v[2] = { { "abcde", 5 }, { "fghij", 5 } };

    if (!strcmp(name, "fsync")) return fsync(fd);
    if (!strcmp(name, "fdatasync")) return fdatasync(fd);
    if (!strcmp(name, "write")) return write(fd, "abcdefghij", 10);
    if (!strcmp(name, "writev")) return writev(fd, v, 2);
    if (!strcmp(name, "pwrite")) return pwrite(fd, "abcdefghij", 10, 0);
    if (!strcmp(name, "pwritev")) return pwritev(fd, v, 2, 0);
    if (!strcmp(name, "fallocate")) return fallocate(fd, 0, 0, 4096);
    if (!strcmp(name, "posix_fallocate"))
        return (errno = posix_fallocate(fd, 0, 4096)) ? -1 : 0;
    return -2;
}

static void *many(void *arg)
{
    long failed = 0;

    for (int i = 0; i < 10000; i++) failed += call("pwrite") == -1;
    *(long *) arg = failed;
    return NULL;
}

int main(int argc, char **argv)
{
    fd = open(argv[1], O_RDWR|O_CREAT, 0644);
    printf("open=%s\n", fd == -1 ? strerrorname_np(errno) : "ok");

    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "threads")) {
            pthread_t id[4];
            long failed[4], sum = 0;

            for (int n = 0; n < 4; n++)
                pthread_create(&id[n], NULL, many, &failed[n]);
            for (int n = 0; n < 4; n++) {
                pthread_join(id[n], NULL);
                sum += failed[n];
            }
            printf("threads=%ld\n", sum);
            continue;
        }

        long rc = call(argv[i]);

        if (rc == -1) printf("%s=%s\n", argv[i], strerrorname_np(errno));
        else printf("%s=%ld\n", argv[i], rc);
    }
    return 0;
}
END

my $folder = $t->dir() . '/journal';

mkdir $folder;

my $shim = $t->shim(folder => $folder);
my @ALL = qw(fsync fdatasync write writev pwrite pwritev fallocate
             posix_fallocate);
my $GOOD = 'open=ok fsync=0 fdatasync=0 write=10 writev=10 pwrite=10 '
    . 'pwritev=10 fallocate=0 posix_fallocate=0';


sub compile {
    my ($name, @options) = @_;
    my $program = $t->dir() . "/$name";

    system('gcc', '-std=gnu99', @options, '-o', $program, $PROBE, '-lpthread')
        == 0 or die "cannot compile\n";

    return $program;
}


sub probe {
    my ($program, $file, @calls) = @_;
    my $preload = $program =~ /asan/ ? Martech::Nginx->new(
        dir => $t->dir(), asan => 1, $shim->preload())->environment()
        : { %{ $shim->environment() }, LD_PRELOAD => $shim->library() };

    # for the program alone: what starts it writes as well
    my $env = join ' ', map { "$_='$preload->{$_}'" } sort keys %$preload;
    my $output = `env $env $program $file @calls 2>&1`;

    return join ' ', split /\n/, $output;
}


for my $program (compile('probe'), compile('probe-asan', '-fsanitize=address'),
                 compile('probe-64', '-O2', '-D_FILE_OFFSET_BITS=64',
                         '-D_FORTIFY_SOURCE=2'))
{
    my ($name) = $program =~ m{([^/]+)$};
    my $try = sub { probe($program, "$folder/file", @_) };

    is($try->(@ALL), $GOOD, "$name: without an order all is well");

    $shim->fail('fsync', error => 'EIO');
    $shim->fail('fdatasync', error => 'EIO');
    $shim->fail('write', error => 'ENOSPC');
    $shim->fail('pwrite', error => 'EIO');
    $shim->fail('fallocate', error => 'EOPNOTSUPP');

    is($try->(@ALL), 'open=ok fsync=EIO fdatasync=EIO write=ENOSPC '
       . 'writev=ENOSPC pwrite=EIO pwritev=EIO fallocate=EOPNOTSUPP '
       . 'posix_fallocate=EOPNOTSUPP', "$name: what is ordered fails");
    is(probe($program, $t->dir() . '/journal2', @ALL), $GOOD,
       "$name: not in another folder");
    $shim->pass('fsync');
    is($try->('fsync', 'fdatasync'), 'open=ok fsync=0 fdatasync=EIO',
       "$name: one call is well again");
    $shim->pass();
    is($try->(@ALL), $GOOD, "$name: all are");

    $shim->fail($_, bytes => 7) for qw(write pwrite);
    is($try->(@ALL[2 .. 5]), 'open=ok write=7 writev=7 pwrite=7 pwritev=7',
       "$name: short writes");
    $shim->pass();

    my $hits = $shim->hits('fsync');

    $shim->fail('fsync', error => 'EIO', skip => 1, times => 2);
    is($try->(('fsync') x 4),
       'open=ok fsync=0 fsync=EIO fsync=EIO fsync=0', "$name: some of them");
    is($shim->hits('fsync') - $hits, 2, "$name: they are counted");
    $shim->fail('fsync', error => 'EIO', skip => 2);
    is($try->(('fsync') x 4), 'open=ok fsync=0 fsync=0 fsync=EIO fsync=EIO',
       "$name: all but the first");
    $shim->pass();

    $shim->fail('open', error => 'EACCES');
    like($try->(), qr/^open=EACCES/, "$name: the file cannot be opened");
    $shim->pass();

    my $start = time();

    $shim->fail('fdatasync', delay => 150);
    is($try->('fdatasync'), 'open=ok fdatasync=0', "$name: a slow disk");
    cmp_ok(time() - $start, '>', 0.15, "$name: is slow");
    $shim->pass();

    $hits = $shim->hits('pwrite');
    $shim->fail('pwrite', error => 'EIO', skip => 100, times => 25000);
    is($try->('threads'), 'open=ok threads=25000', "$name: many threads");
    is($shim->hits('pwrite') - $hits, 25000, "$name: none is miscounted");
    $shim->pass();
}

ok(!eval { $shim->fail('fsync', error => 'ENOTHING') }, 'an unknown error');
ok(!eval { $shim->fail('fsink') }, 'an unknown call');


# ---- NGINX, while it runs, and its next binary ----

my $CONF = <<"END";
    server {
        listen 127.0.0.1:8080;
        access_log $folder/access.log;
        return 204;
    }
END

for my $asan (0, 1) {
    my $nginx = $t->nginx($CONF, asan => $asan, daemon => 1, $shim->preload());
    my $name = $asan ? 'sanitized nginx' : 'nginx';
    my $fails = sub {
        my $hits = $shim->hits('write');

        get($t->port(8080), '/');

        return becomes(sub { $shim->hits('write') > $hits }, 5);
    };

    $shim->fail('write', error => 'ENOSPC');
    ok($fails->(), "$name: a running one cannot write");
    ok(becomes(sub { $nginx->logged(qr/access.*28: No space left/) }, 5),
       "$name: and says so");
    $nginx->upgrade();
    $nginx->quit_old();
    ok($fails->(), "$name: nor can the one after an upgrade");
    $shim->pass();

    # which does not try again in the same second
    ok(becomes(sub { get($t->port(8080), '/'); -s "$folder/access.log" }, 5),
       "$name: then it can");
    $nginx->stop();
    unlink "$folder/access.log";
}


# ---- a disk that is full ----

SKIP: {
    my $disk = Martech::Tmpfs->new(dir => $t->dir() . '/disk', mb => 2);

    skip $disk->reason(), 6 if defined $disk->reason();

    cmp_ok($disk->free(), '<=', 2 << 20, 'a small disk');
    $disk->fill(8192);
    is($disk->free(), 8192, 'is nearly full');
    $disk->fill();
    is(probe($t->dir() . '/probe', $disk->dir() . '/file', 'pwrite'),
       'open=ok pwrite=ENOSPC', 'is full');
    $disk->release();
    is(probe($t->dir() . '/probe', $disk->dir() . '/file', 'pwrite'),
       'open=ok pwrite=10', 'has room again');
    $disk->unmount();
    unlike(scalar `cat /proc/mounts`, qr/@{[ $disk->dir() ]}/, 'is unmounted');

    for my $how ('die "at once\n";', 'kill KILL => $$;') {
        my $file = $t->file('inner.t', <<"END");
use lib '$FindBin::Bin/lib';
use Martech::Test;

my \$t = Martech::Test->new();

print '# disk: ', \$t->tmpfs(1)->dir(), "\\n";
STDOUT->flush();
$how
END
        my $output = `TMPDIR=@{[ $t->dir() ]} perl $file 2>&1`;
        my ($dir) = $output =~ /# disk: (.*)/;

        ok($dir && becomes(sub { `cat /proc/mounts` !~ /$dir/ }, 10),
           "unmounted after $how") or diag($output);
    }
}

$t->expect(qr/No space left/);
$t->done();
