#!/usr/bin/perl

# A disk that is full, slow or broken: nothing is acknowledged that is not on
# it, a client is told at once, and all goes on by itself when the disk does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max);
use Time::HiRes qw(time);

use Martech::Path qw(missing);
use Martech::Spool qw(books segments);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $disk = $t->tmpfs(5);

$t->define(DISK => $disk->dir());

my $text = 'x' x 8000;
my $number = 0;


# an NGINX with a port and a spool of its own
sub nginx {
    my ($virtual, $spool, %arg) = @_;

    return $t->nginx(<<"END", %arg);
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  $spool;

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }

        location = /hello {
            return 200 hello;
        }
    }
END
}


sub status { get($t->port($_[0]), '/status')->{json} }

sub stored { map { $_->{id} } $redis->events(decode => 0) }


# a request with so many events: its answer, "ids" and how many "ms" it took
sub events {
    my ($virtual, $count, $text) = @_;
    my @ids = map { 'disk-' . ++$number } 1 .. $count;
    my $start = time();
    my $answer = post($t->port($virtual), '/v1/batch', { batch => [ map { {
        type => 'track', event => 'E', userId => 'u', messageId => $_,
        properties => { text => $text // '' },
    } } @ids ] });

    return { %$answer, ids => \@ids, ms => 1000 * (time() - $start),
             ack => $answer->{headers}{'x-martech-ack'} // '' };
}


# posts until it is refused, or so often; the refusal, and what was promised
sub until_refused {
    my ($virtual, $acked, $times) = @_;

    for (1 .. $times) {
        my $answer = events($virtual, 10, $text);

        return $answer if $answer->{status} != 200;
        push @$acked, @{ $answer->{ids} };
    }

    return undef;
}


# for a while every answer is a quick refusal
sub refuses_quickly {
    my ($virtual, $name) = @_;
    my $end = time() + 1.3;
    my (@ms, @other);

    while (time() < $end) {
        my $answer = events($virtual, 1, $text);

        push @ms, $answer->{ms};
        push @other, $answer->{status} if $answer->{status} != 503;
    }

    cmp_ok(scalar @ms, '>', 20, "$name: many are refused");
    is("@other", '', "$name: all of them");
    cmp_ok(max(@ms), '<', 100, "$name: each within 100 ms");
}


sub accepts_again {
    my ($virtual, $acked, $name) = @_;

    ok(becomes(sub {
        my $answer = events($virtual, 1);

        return 0 if $answer->{status} != 200;
        push @$acked, @{ $answer->{ids} };
        return $answer->{ack} eq 'spool';
    }, 5), "$name: events are spooled again, without a reload");
}


# Redis comes back: all that was promised is there
sub comes_back {
    my ($virtual, $acked, $name) = @_;
    my $s;

    ok(becomes(sub { !missing($acked, stored()) }, 20),
       "$name: all that was acknowledged is in redis");
    ok(becomes(sub {
        $s = status($virtual);
        $s->{spool_waiting} == 0 && $s->{events_waiting} == 0
            && books($s) eq '';
    }, 10), "$name: the books are right") or diag(books($s), to_json($s));
}


# while Redis is dead an event waits for it at first
sub spools_at_once {
    my ($virtual, $acked) = @_;

    wait_until(sub {
        my $answer = events($virtual, 1);

        push @$acked, @{ $answer->{ids} } if $answer->{status} == 200;
        return $answer->{ack} eq 'spool' && $answer->{ms} < 100;
    }, 10, 'events are spooled at once');
}


# ---- a full disk ----

{
    my $nginx = nginx(8080, '%%DISK%%/spool max_size=64m segment=1m '
                            . 'after=200ms');
    my (@acked, $answer);

    wait_until(sub { status(8080)->{spool_ready} == 1 }, 10, 'the spool');
    wait_until(sub { status(8080)->{redis_ready} == 1 }, 10, 'redis');

    $disk->fill(0);

    $answer = events(8080, 5);
    is("$answer->{status} $answer->{ack}", '200 redis',
       'with a full disk redis takes events as always');

    $redis->kill_now();
    $answer = until_refused(8080, \@acked, 500);

    cmp_ok(8000 * @acked, '>', 800_000,
           'what the segment had reserved is used to its end');
    is($answer->{status}, 503, 'then events are refused');
    cmp_ok($answer->{headers}{'retry-after'} // 0, '>=', 1,
           'the answer says when to try again');
    refuses_quickly(8080, 'a full disk');
    cmp_ok($nginx->logged(qr/\[error\].*martech: spool: .*No space left/), '<',
           3, 'the log tells of it, and does not repeat itself');
    cmp_ok($nginx->logged(qr/\[error\].*martech: spool: .*No space left/), '>',
           0, 'once at least');

    $disk->release();
    accepts_again(8080, \@acked, 'a full disk');

    $redis->start();
    comes_back(8080, \@acked, 'a full disk');
    is(status(8080)->{events_stored}, 5, 'nothing was counted as stored twice');
    ok($nginx->stop(), 'nginx stops');
}


# ---- the spool is as large as it may be ----

{
    my $nginx = nginx(8081, '%%PREFIX%%/small max_size=3m segment=1m '
                            . 'after=200ms');
    my @acked;

    wait_until(sub { status(8081)->{redis_ready} == 1 }, 10, 'redis');
    $redis->kill_now();

    my $answer = until_refused(8081, \@acked, 500);

    is($answer->{status}, 503, 'beyond max_size events are refused');
    cmp_ok(8000 * @acked, '>', 2_400_000, 'max_size is used');
    cmp_ok(status(8081)->{spool_bytes}, '<=', 3 * 1024 * 1024,
           'and not exceeded');

    my $sum = 0;

    $sum += -s for segments($t->dir() . '/small');
    cmp_ok($sum, '<=', 3 * 1024 * 1024, 'on disk as well');
    refuses_quickly(8081, 'max_size');

    $redis->start();
    comes_back(8081, \@acked, 'max_size');
    $redis->kill_now();
    accepts_again(8081, \@acked, 'max_size');
    $redis->start();
    comes_back(8081, \@acked, 'max_size once more');
    ok($nginx->stop(), 'nginx stops');
}


# ---- a disk that fails ----

{
    my $folder = $t->dir() . '/bad';
    my $shim = $t->shim(folder => $folder);
    my $nginx = nginx(8082, '%%PREFIX%%/bad max_size=64m segment=1m '
                            . 'after=200ms', $shim->preload());
    my (@acked, $answer);

    wait_until(sub { status(8082)->{redis_ready} == 1 }, 10, 'redis');
    $redis->kill_now();
    spools_at_once(8082, \@acked);

    # [call, order, syncs that are to be seen, name]
    for my $fault (['pwrite', { error => 'EIO' }, 1, 'EIO of a write'],
                   ['pwrite', { error => 'ENOSPC' }, 1, 'ENOSPC of a write'],
                   ['fdatasync', { error => 'EIO' }, 2, 'EIO of a sync'],
                   ['pwrite', { bytes => 100 }, 1, 'a short write'])
    {
        my ($call, $order, $syncs, $name) = @$fault;
        my $before = sealed($folder);
        my $hits = $shim->hits($call);

        # counts, and is counted
        $shim->fail('fdatasync') if $call ne 'fdatasync';
        my $synced = $shim->hits('fdatasync');
        $shim->fail($call, %$order, times => 1);
        $answer = events(8082, 3);
        push @acked, @{ $answer->{ids} } if $answer->{status} == 200;

        is($shim->hits($call) - $hits, 1, "$name: happens");
        is("$answer->{status} $answer->{ack}", '200 spool',
           "$name: the events are spooled all the same");
        is($call eq 'fdatasync' ? seen($shim, $call)
           : $shim->hits('fdatasync') - $synced, $syncs,
           "$name: no file is synced twice");
        is(sealed($folder) - $before, 1, "$name: to a new segment")
            if $order->{error};

        $shim->pass();
        spools_at_once(8082, \@acked);
    }

    # the file that was to help fails too
    for my $fault (['pwrite', 'EIO'], ['fdatasync', 'EIO'],
                   ['pwrite', 'ENOSPC'])
    {
        my ($call, $error) = @$fault;

        $shim->fail($call, error => $error);
        $answer = events(8082, 3);
        is($answer->{status}, 503, "$error of each $call: refused");
        cmp_ok($answer->{ms}, '<', 500, "$error of each $call: quickly");
        refuses_quickly(8082, "$error of each $call") if $error eq 'EIO';
        is(status(8082)->{spool_ready}, 0, 'the status says so');
        $shim->pass();
        accepts_again(8082, \@acked, "$error of each $call");
    }

    # ---- a slow disk ----

    $shim->fail('fdatasync', delay => 300);

    my $slow = Martech::Http->connect($t->port(8082));
    my $start = time();

    $slow->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                          messageId => 'slow' }));

    my @ms = map {
        my $begin = time();
        get($t->port(8082), '/hello');
        1000 * (time() - $begin);
    } 1 .. 20;

    cmp_ok(max(@ms), '<', 100, 'a slow disk does not stop the worker');
    ok($slow->silent(0.01), 'while an event waits for it');
    is($slow->response()->{status}, 200, 'which is spooled in the end');
    cmp_ok(time() - $start, '>', 0.3, 'when it is on disk');
    push @acked, 'slow';
    $shim->pass();

    my %times;

    $redis->start();
    comes_back(8082, \@acked, 'a bad disk');
    $times{$_}++ for stored();
    is((grep { $times{$_} > 1 } @acked), 0, 'nothing came twice');
    is(status(8082)->{spool_lost}, 0, 'nothing was lost');
    ok($nginx->stop(), 'nginx stops');
}


# segments that are not written any more: what they had reserved is given back
sub sealed { scalar grep { -s != 1024 * 1024 } segments($_[0]) }


# calls since the order
sub seen {
    my ($shim, $call) = @_;

    sysseek $shim->{fh}, $shim->offset($call) + 24, 0;
    sysread $shim->{fh}, my $bytes, 4;

    return unpack 'L', $bytes;
}


# ---- sync=interval ----

{
    my $shim = $t->shim(folder => $t->dir() . '/lazy');
    my $nginx = nginx(8083, '%%PREFIX%%/lazy max_size=64m segment=4m '
                            . 'after=200ms sync=interval:500ms',
                      $shim->preload());
    my @acked;

    wait_until(sub { status(8083)->{redis_ready} == 1 }, 10, 'redis');
    $redis->kill_now();
    spools_at_once(8083, \@acked);

    $shim->fail('fdatasync');

    my $start = time();
    my $load = $t->load(port => $t->port(8083), rate => 200);

    $load->wait_more(400);

    my $syncs = $shim->hits('fdatasync');
    my $passed = time() - $start;

    push @acked, $load->stop();
    cmp_ok($syncs, '>=', int($passed / 0.5) - 2,
           'about one sync each interval');
    cmp_ok($syncs, '<=', $passed / 0.5 + 2, 'and not more');
    cmp_ok(status(8083)->{spool_writes}, '>', 3 * $syncs,
           'although there are many writes');

    # the last write is synced as well, without a further one

    $syncs = $shim->hits('fdatasync');
    push @acked, @{ events(8083, 1)->{ids} };
    ok(becomes(sub { $shim->hits('fdatasync') > $syncs }, 3),
       'what is written last is synced');

    $shim->fail('fdatasync', error => 'EIO', times => 1);
    push @acked, @{ events(8083, 1)->{ids} };
    ok(becomes(sub { $nginx->logged(qr/martech: spool: syncing/) }, 5),
       'a sync that fails is logged');
    accepts_again(8083, \@acked, 'a failed sync');
    $shim->pass();
    $redis->start();
    comes_back(8083, \@acked, 'sync=interval');
}

$t->done();
