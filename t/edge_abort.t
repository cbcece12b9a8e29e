#!/usr/bin/perl

# A client that leaves while its request waits for Redis: by a reset, by a
# close, by a half-close, by a reset stream.  Always with the sanitized
# module, because what goes wrong here is memory that was given back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::H2;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();

my $nginx = $t->nginx(<<'END', asan => 1);
    martech_redis  %%REDIS%% timeout=20s;

    server {
        listen 127.0.0.1:8080;
        lingering_close off;

        location / {
            martech_collect;
        }

        location /file/ {
            client_body_in_file_only clean;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }

    server {
        listen 127.0.0.1:8081 http2;

        location / {
            martech_collect;
        }
    }
END

my $port = $t->port(8080);
my $number = 0;


sub status { get($port, '/status')->{json} }


sub event {
    my $id = 'abort-' . ++$number;

    return ($id, to_json({ event => 'E', userId => 'u', messageId => $id,
                           filler => 'x' x 1000 }));
}


# Sends events that Redis does not answer, and waits until they are parked;
# returns [connection, id] of each.
sub parked {
    my ($count, $path) = @_;
    my @parked;

    for (1 .. $count) {
        my ($id, $body) = event();
        my $c = Martech::Http->connect($port);

        $c->send(post_bytes(($path // '') . '/v1/track', $body));
        push @parked, [$c, $id];
    }

    wait_parked($count);

    return @parked;
}


sub wait_parked {
    my ($count) = @_;

    wait_until(sub { status()->{requests_parked} == $count }, 10,
               "$count requests wait for redis");
}


sub stored {
    my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

    return scalar grep { $stored{$_} } @_;
}


is(post($port, '/v1/track', (event())[1])->{status}, 200, 'redis is there');

for my $path ('', '/file') {
    my $where = $path ? ', body in a file' : '';

    # ---- half-close ----

    $redis->freeze();

    my @parked = parked(5, $path);

    $_->[0]->half_close() for @parked;
    ok($parked[0][0]->silent(0.1), "a half-closed client waits$where");

    $redis->thaw();

    is(join(' ', map { $_->[0]->response()->{status} } @parked),
       join(' ', (200) x 5), "a half-closed client gets its answer$where");
    is(stored(map { $_->[1] } @parked), 5, "and its event is stored$where");


    # ---- reset and close ----

    for my $way (qw(abort close)) {
        $redis->freeze();

        my @leaving = parked(10, $path);
        my ($stays) = parked_more(11, $path);

        $_->[0]->$way() for @leaving;

        $redis->thaw();

        is($stays->[0]->response()->{status}, 200,
           "the neighbour of clients that $way is answered$where");
        is(stored($stays->[1]), 1, "and its event is stored$where");
        is(stored(map { $_->[1] } @leaving), 10,
           "so are those whose client has left$where");
        wait_parked(0);
    }
}


# one more than those that wait already
sub parked_more {
    my ($total, $path) = @_;
    my ($id, $body) = event();
    my $c = Martech::Http->connect($port);

    $c->send(post_bytes("$path/v1/track", $body));
    wait_parked($total);

    return [$c, $id];
}


# ---- the client leaves, then Redis does ----

{
    $redis->freeze();

    my @leaving = parked(10);

    $_->[0]->abort() for @leaving;
    $redis->restart();

    ok(becomes(sub { post($port, '/v1/track', (event())[1])->{status} == 200 },
               10), 'the worker is well after both have left');
    wait_parked(0);
}


# ---- pipelined requests behind the one that waits ----

{
    $redis->freeze();

    my @events = map { [ event() ] } 1 .. 5;
    my $c = Martech::Http->connect($port);

    $c->send(join '', map { post_bytes('/v1/track', $_->[1]) } @events);
    wait_parked(1);
    $c->abort();
    $redis->thaw();
    wait_parked(0);

    is(stored($events[0][0]), 1, 'the first of a pipeline is stored');
    is(post($port, '/v1/track', (event())[1])->{status}, 200,
       'the worker is well after a pipeline that broke');
}


# ---- HTTP/2 ----

{
    $redis->freeze();

    my $c = Martech::H2->connect($t->port(8081));
    my @events = map { [ event() ] } 1 .. 10;
    my @streams = map { $c->post('/v1/track', $_->[1]) } @events;

    wait_parked(10);
    $c->reset($_) for @streams[0 .. 4];
    $redis->thaw();

    is(join(' ', map { $c->status($_) } @streams[5 .. 9]),
       join(' ', (200) x 5), 'the neighbours of reset streams are answered');
    is(stored(map { $_->[0] } @events), 10, 'and all events are stored');
    wait_parked(0);
}

{
    $redis->freeze();

    my $c = Martech::H2->connect($t->port(8081));

    $c->post('/v1/track', (event())[1]) for 1 .. 10;
    wait_parked(10);
    $c->close();
    $redis->thaw();
    wait_parked(0);

    is(post($port, '/v1/track', (event())[1])->{status}, 200,
       'the worker is well after an HTTP/2 connection broke');
}


# ---- at random, many times ----

{
    srand 7;

    for my $round (1 .. 15) {
        $redis->freeze();

        my @parked = parked(12);

        for (@parked) {
            my $way = (qw(abort close half_close))[rand 3];

            $_->[0]->$way() if rand() < 0.8;
        }

        $redis->thaw();
        wait_parked(0);
    }

    is(post($port, '/v1/track', (event())[1])->{status}, 200,
       'the worker is well after many rounds');
}

my $status = status();

is($status->{events_received},
   $status->{events_stored} + $status->{events_rejected}
   + $status->{events_dropped}, 'every event is accounted for');
is($status->{events_waiting}, 0, 'nothing waits any more');
is($nginx->workers(), 1, 'the worker was never replaced');
is($nginx->logged(qr/start worker process \d/), 1, 'not even once');

$t->done();
