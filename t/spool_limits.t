#!/usr/bin/perl

# The limits of memory, disk and Redis, and the way back from disk: its order,
# its place, and what it does when Redis does not take events yet.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max);
use Time::HiRes qw(time);

use Martech::Path qw(missing);
use Martech::Spool qw(books);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $number = 0;


# more => lines of http; after, stream, ack
sub conf {
    my ($virtual, %arg) = @_;
    my $after = $arg{after} // '100ms';

    return <<"END";
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool$virtual max_size=64m segment=1m
                   after=$after;
    martech_stream @{[ $arg{stream} // 'mt' ]};
    @{[ $arg{more} // '' ]}

    server {
        listen 127.0.0.1:$virtual;

        location / {
            martech_ack @{[ $arg{ack} // 'redis' ]};
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END
}


sub status { get($t->port($_[0]), '/status')->{json} }

sub stored { map { $_->{id} } $redis->events(decode => 0) }


# one event; its answer with "id", "ack" and "ms"
sub event {
    my ($virtual, %more) = @_;
    my $id = 'limit-' . ++$number;
    my $start = time();
    my $answer = post($t->port($virtual), '/v1/track',
        { event => 'E', userId => 'u', messageId => $id, %more });

    return { %$answer, id => $id, ms => 1000 * (time() - $start),
             ack => $answer->{headers}{'x-martech-ack'} // '' };
}


sub ready {
    my ($virtual) = @_;

    wait_until(sub {
        my $s = status($virtual);
        $s->{redis_ready} == 1 && $s->{spool_ready} == 1;
    }, 10, 'redis and spool are ready');
}


# an event that is spooled without waiting for Redis; ids of all that were
# acknowledged until then
sub spools {
    my ($virtual) = @_;
    my @acked;

    wait_until(sub {
        my $answer = event($virtual);

        push @acked, $answer->{id} if $answer->{status} == 200;
        return $answer->{ack} eq 'spool' && $answer->{ms} < 80;
    }, 10, 'events are spooled');

    return @acked;
}


sub settles {
    my ($virtual, $name) = @_;
    my $s;

    ok(becomes(sub {
        $s = status($virtual);
        $s->{spool_waiting} == 0 && $s->{events_waiting} == 0
            && books($s) eq '';
    }, 15), "$name: nothing waits, the books are right")
        or diag(books($s), to_json($s));

    return $s;
}


# ---- memory is full: redis hangs, the disk is slow ----

{
    my $shim = $t->shim(folder => $t->dir() . '/spool8080');
    my $nginx = $t->nginx(conf(8080, more => 'martech_buffer 256k;'),
                          $shim->preload());
    my $text = 'x' x 8000;
    my (@open, @acked, $refused);

    ready(8080);
    $redis->freeze();
    $shim->fail('fdatasync', delay => 1500);

    # one connection each, because nobody is answered

    for my $n (1 .. 60) {
        my $c = Martech::Http->connect($t->port(8080));

        push @open, [ $c, "full-$n" ];
        $c->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
            messageId => "full-$n", properties => { text => $text } }));
    }

    my $answer = event(8080, properties => { text => $text });

    is($answer->{status}, 503, 'with a full buffer an event is refused');
    cmp_ok($answer->{ms}, '<', 100, 'at once');
    cmp_ok(status(8080)->{buffer_bytes}, '<=', 256 * 1024,
           'the buffer keeps its size');

    my $rss = $nginx->rss();
    my @ms = map { event(8080, properties => { text => $text })->{ms} }
        1 .. 300;

    # the sanitizer keeps freed memory
    $t->{asan} ? pass('no memory figure under the sanitizer')
        : cmp_ok($nginx->rss() - $rss, '<', 1024 * 1024, 'memory stays');
    cmp_ok(max(@ms), '<', 100, 'every answer is quick');

    for my $open (@open) {
        my ($c, $id) = @$open;

        push @acked, $id if $c->response(limit => 20)->{status} == 200;
    }

    cmp_ok(scalar @acked, '>', 10, 'what had room is spooled');
    $shim->pass();
    $redis->thaw();
    ok(becomes(sub { !missing(\@acked, stored()) }, 20), 'and comes back');
    settles(8080, 'a full buffer');
    ok($nginx->stop(), 'nginx stops');
}


# ---- acknowledged from memory ----

{
    my $nginx = $t->nginx(conf(8081, ack => 'memory'));
    my (@acked, $s);

    $t->expect(qr/exited on signal 9/);
    ready(8081);
    $redis->kill_now();

    # on the way to Redis, then to the disk

    for (1 .. 50) {
        my $answer = event(8081);

        push @acked, $answer->{id} if $answer->{status} == 202
            || $answer->{status} == 200;
    }

    is(scalar @acked, 50, 'events are acknowledged from memory');
    ok(becomes(sub {
        $s = status(8081);
        $s->{events_waiting} == 0 && $s->{spool_waiting} == 50;
    }, 5), 'they go to the disk') or diag(to_json($s));

    $nginx->kill_worker();
    $redis->start();
    ok(becomes(sub { !missing(\@acked, stored()) }, 15),
       'a kill loses nothing of them');
    settles(8081, 'memory, killed');

    # what is not on disk yet dies with its worker, and is counted

    ready(8081);
    $redis->freeze();
    event(8081) for 1 .. 3;
    $nginx->kill_worker();
    $redis->thaw();

    $s = settles(8081, 'memory, killed at once');
    is($s->{dropped}{killed}, 3, 'what was in memory is counted as killed');

    # told to end, it spools what it has

    ready(8081);
    $redis->freeze();
    @acked = map { event(8081)->{id} } 1 .. 20;
    $nginx->{process}->signal('TERM');
    ok($nginx->{process}->wait_end(10), 'TERM ends it');
    $redis->thaw();
    $nginx->start();
    ok(becomes(sub { !missing(\@acked, stored()) }, 15),
       'what was in memory then is on disk, and comes back');
    settles(8081, 'memory, ended');
    ok($nginx->stop(), 'nginx stops');
}


# ---- what Redis refuses ----

{
    my $nginx = $t->nginx(conf(8082));
    my (@acked, $s);

    ready(8082);
    $redis->call('config', 'set', 'maxmemory', '1mb');

    for (1 .. 20) {
        my $answer = event(8082);

        push @acked, $answer->{id};
        is("$answer->{status} $answer->{ack}", '200 spool',
           'what a full redis refuses is spooled') if $_ == 20;
    }

    $s = status(8082);
    is($s->{events_spooled}, 20, 'all of it');
    cmp_ok($s->{redis_errors}{oom}, '>', 0, 'the refusals are counted');

    # the replay tries, is refused, and waits

    ok(becomes(sub { status(8082)->{redis_errors}{oom}
                         > $s->{redis_errors}{oom} }, 10),
       'the replay is refused as well');
    is(status(8082)->{spool_waiting}, 20, 'and nothing is given up');

    $redis->call('config', 'set', 'maxmemory', '0');
    ok(becomes(sub { !missing(\@acked, stored()) }, 10),
       'it goes on when there is room');
    settles(8082, 'a full redis');

    my %times;

    $times{$_}++ for stored();
    is((grep { $times{$_} > 1 } @acked), 0, 'nothing came twice');

    # a key of another kind: no use in trying again

    my ($of) = grep { $_->{id} eq $acked[0] } $redis->events(decode => 0);

    $redis->call('rename', "$of->{tag}:in", 'aside');
    $redis->call('set', "$of->{tag}:in", 'no stream');

    my $answer = event(8082);

    is($answer->{status}, 503, 'what redis will never take is refused');
    is(status(8082)->{events_spooled}, 20, 'and not spooled');
    is(status(8082)->{spool_waiting}, 0, 'nothing waits for ever');
    is((grep { event(8082, userId => "other-$_")->{status} == 200 } 1 .. 20)
       > 10, 1, 'other shards are not disturbed');
    $redis->call('del', "$of->{tag}:in");
    $redis->call('rename', 'aside', "$of->{tag}:in");
    is(event(8082)->{status}, 200, 'with the key mended it is stored');
    settles(8082, 'a key of another kind');
    ok($nginx->stop(), 'nginx stops');
}


# ---- the way back: order, live traffic, other shards ----

{
    my $nginx = $t->nginx(conf(8083, stream => 'first'));
    my $port = $t->port(8083);
    my (%sent, @acked);

    ready(8083);
    $redis->kill_now();
    spools(8083);

    # 3,000 events of 30 visitors: several blocks, and two segments

    for my $n (1 .. 100) {
        my @batch = map { { type => 'track', event => 'E', userId => "v$_",
                            messageId => sprintf('order-%d-%04d', $_, $n),
                            properties => { text => 'x' x 300 } } } 1 .. 30;
        my $answer = post($port, '/v1/batch', { batch => \@batch });

        push @acked, map { $_->{messageId} } @batch
            if $answer->{status} == 200;
    }

    is(scalar @acked, 3000, 'events are spooled');

    # another prefix and other shards when they come back

    $nginx->write_conf($t->fill(conf(8083, stream => 'second shards=5')));
    $nginx->reload();
    ok(becomes(sub { $nginx->workers() == 1 }, 10), 'the old worker leaves');
    $redis->start();

    my @live;

    ok(becomes(sub {
        my $answer = event(8083, userId => 'live');

        push @live, $answer if $answer->{status} == 200;
        return status(8083)->{spool_waiting} == 0;
    }, 20), 'they are replayed after a reload');

    my @events = $redis->events(prefix => 'second', shards => 5, decode => 1);

    is((missing(\@acked, map { $_->{id} } @events)), 0,
       'all of them, to the new streams');
    is($redis->count(prefix => 'first'), 0, 'and none to the old ones');

    my (%last, %shard, $wrong);

    for my $event (@events) {
        my $user = $event->{event}{userId};

        $shard{$user}{ $event->{shard} } = 1;
        next unless $event->{id} =~ /\Aorder-\d+-(\d+)\z/;
        $wrong = $event->{id} if $1 <= ($last{$user} // 0);
        $last{$user} = $1;
    }

    is($wrong, undef, 'the events of each visitor come in their order');
    is((grep { keys %$_ != 1 } values %shard), 0, 'and to one shard');

    event(8083, userId => "v$_") for 1 .. 30;
    $shard{ $_->{event}{userId} }{ $_->{shard} } = 1
        for $redis->events(prefix => 'second', shards => 5);
    is((grep { keys %$_ != 1 } values %shard), 0,
       'the same as that of new events');

    my @of_redis = grep { $_->{ack} eq 'redis' } @live;

    cmp_ok(scalar @of_redis, '>', 0, 'live events go on meanwhile');
    cmp_ok(max(map { $_->{ms} } @of_redis), '<', 500,
           'and do not wait for the replay');
    settles(8083, 'the way back');
}

$t->done();
