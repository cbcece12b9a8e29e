#!/usr/bin/perl

# The disk spool: what Redis does not take in time is on disk before it is
# answered, and comes back when Redis does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Path qw(missing);
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

my $CONF = <<'END_CONF';
    martech_redis  %%REDIS%% timeout=5s;
    martech_spool  %%PREFIX%%/spool max_size=64m segment=1m after=200ms;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END_CONF

my $nginx = $t->nginx($CONF, workers => 2);
my $port = $t->port(8080);
my $number = 0;


sub status { get($port, '/status')->{json} }

sub event {
    my ($id) = @_;

    return post($port, '/v1/track', { event => 'E', userId => 'u' . $number++,
                                      messageId => $id });
}

sub stored { map { $_->{id} } $redis->events(decode => 0) }


# both identities of the ledger
sub ledger {
    my ($name) = @_;
    my $s;

    ok(becomes(sub {
        $s = status();
        $s->{events_received} == $s->{events_stored} + $s->{events_spooled}
            + $s->{events_rejected} + $s->{events_dropped}
            + $s->{events_waiting}
        && $s->{events_spooled} + $s->{spool_found}
            == $s->{spool_replayed} + $s->{spool_waiting} + $s->{spool_lost}
               + $s->{spool_taken};
    }, 5), "$name: the ledger holds") or diag(to_json($s));
}


# ---- with Redis ----

wait_until(sub { status()->{redis_ready} == 2 }, 10, 'workers are connected');
wait_until(sub { status()->{spool_ready} == 2 }, 10, 'the spool is ready');

my $answer = event('before');

is($answer->{status}, 200, 'with redis an event is stored');
is($answer->{headers}{'x-martech-ack'}, 'redis', 'and the answer says so');
is(status()->{events_spooled}, 0, 'nothing is spooled');


# ---- redis dead ----

$redis->kill_now();

my @sent;

for my $n (1 .. 50) {
    my $start = time();

    $answer = event("dead-$n");
    push @sent, "dead-$n" if $answer->{status} == 200;

    if ($n == 50) {
        is($answer->{headers}{'x-martech-ack'}, 'spool',
           'without redis it is spooled');
        cmp_ok(time() - $start, '<', 0.5, 'and need not wait for that');
    }
}

is(scalar @sent, 50, 'all are answered with success');
is(status()->{events_spooled}, 50, 'all are spooled');
is(status()->{spool_waiting}, 50, 'and wait on disk');
ledger('redis is dead');

$redis->start();

ok(becomes(sub { status()->{spool_waiting} == 0 }, 20), 'they are replayed');
is((missing(\@sent, stored())), 0, 'all of them');
is(status()->{spool_replayed}, 50, 'and counted');
ledger('redis is back');


# ---- redis hangs ----

$redis->freeze();

my @hung = map {
    my $c = Martech::Http->connect($port);
    $c->send(post_bytes('/v1/track', { event => 'E', userId => "h$_",
                                       messageId => "hung-$_" }));
    $c;
} 1 .. 10;

is((grep { $_->response()->{status} == 200 } @hung), 10,
   'events that redis leaves unanswered are spooled');
$redis->thaw();

ok(becomes(sub { status()->{spool_waiting} == 0 }, 20),
   'they are replayed as well');
is((missing([ map { "hung-$_" } 1 .. 10 ], stored())), 0, 'none is missing');
ledger('redis had hung');


# ---- a worker is killed ----

$redis->kill_now();
$t->expect(qr/exited on signal 9/);

@sent = ();

for my $n (1 .. 30) {
    push @sent, "killed-$n" if event("killed-$n")->{status} == 200;
}

is(scalar @sent, 30, 'events are spooled again');
$nginx->kill_worker() for 1 .. 2;
$redis->start();

ok(becomes(sub { !missing(\@sent, stored()) }, 30),
   'what killed workers had on disk is adopted and replayed');
ok(becomes(sub { status()->{spool_waiting} == 0 }, 10), 'nothing waits');
ledger('workers were killed');


# ---- stop and start ----

$redis->kill_now();
@sent = ();

for my $n (1 .. 30) {
    push @sent, "stop-$n" if event("stop-$n")->{status} == 200;
}

is(scalar @sent, 30, 'events are spooled once more');
ok($nginx->stop(), 'nginx stops');
$nginx->start();
$redis->start();

ok(becomes(sub { !missing(\@sent, stored()) }, 30),
   'the next master finds them');
ok(becomes(sub { status()->{spool_waiting} == 0 }, 10), 'nothing waits');
is(status()->{spool_found}, 30, 'they are counted as found');
ledger('a new master');

ok($nginx->stop(), 'nginx stops with nothing in the spool');
is(join(' ', glob $t->dir() . '/spool/*'), '', 'and leaves nothing behind');

$t->done();
