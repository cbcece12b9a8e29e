#!/usr/bin/perl

# An event that was acknowledged from memory is stored as soon as Redis takes
# it, be it that the worker was told to leave in the meantime, or that Redis
# was full.  And a worker whose Redis never comes back does leave.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Test;

my $t = Martech::Test->new();
my $redis = $t->redis();
my $listen = 8080;
my $number = 0;


# An NGINX of its own with the given parameters of martech_redis; the port it
# listens on.
sub edge {
    my ($parameters) = @_;

    $listen++;

    my $edge = $t->nginx(<<"END");
    martech_redis  %%REDIS%% $parameters;

    server {
        listen 127.0.0.1:$listen;

        location / {
            martech_ack memory;
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

    return ($edge, $t->port($listen));
}


# Posts an event, which must be acknowledged; its id.
sub acked {
    my ($port) = @_;
    my $id = 'memory-' . ++$number;
    my $response = post($port, '/v1/track',
        { event => 'E', userId => 'u', messageId => $id });

    is("$response->{status} " . ($response->{headers}{'x-martech-ack'} // '-'),
       '200 memory', "$id is acknowledged from memory");

    return $id;
}


# Tells it to leave, and waits until its worker has heard that.
sub quit {
    my ($edge) = @_;

    $edge->{process}->signal('QUIT');
    wait_until(sub { $edge->logged(qr/\d+#\d+: gracefully shutting down/) }, 5,
               'the worker is told to leave');
}


sub stored {
    my %stored = map { $_->{id} => 1 } $redis->events(decode => 0);

    return scalar grep { $stored{$_} } @_;
}


sub ready {
    my ($port) = @_;

    wait_until(sub { get($port, '/status')->{json}{redis_ready} == 1 }, 10,
               'redis is ready');
}


# ---- told to leave while Redis does not answer, and then does ----

# [parameters, what the log says before Redis goes on, name]
for (['timeout=10s connect_timeout=10s', undef,
      'Redis accepts the connection and is silent'],
     ['timeout=10s connect_timeout=100ms', qr/does not answer in time/,
      'the connection is made anew'])
{
    my ($parameters, $says, $name) = @$_;

    $redis->freeze();

    my ($edge, $port) = edge($parameters);
    my @ids = map { acked($port) } 1 .. 3;

    is(get($port, '/status')->{json}{events_waiting}, 3,
       "$name: the events wait");
    quit($edge);

    my $before = $says ? $edge->logged($says) : 0;

    wait_until(sub { !$says || $edge->logged($says) > $before }, 5,
               'a further attempt fails');
    ok($edge->running(), "$name: the worker stays");

    $redis->thaw();
    ok($edge->{process}->wait_end(5), "$name: the worker leaves");
    is(stored(@ids), 3, "$name: not before its events are stored");
    is($edge->logged(qr/left behind/), 0, "$name: none is left behind");
}


# ---- told to leave while a ready connection has stalled ----

{
    my ($edge, $port) = edge('timeout=10s');

    ready($port);
    $redis->freeze();

    my @ids = map { acked($port) } 1 .. 3;

    quit($edge);
    ok($edge->running(), 'a stalled connection: the worker stays');
    $redis->thaw();
    ok($edge->{process}->wait_end(5), 'a stalled connection: it leaves');
    is(stored(@ids), 3, 'a stalled connection: its events are stored');
}


# ---- told to leave, and Redis never comes back ----

# the limits of a worker: its timeout, and a second
sub leaves {
    my ($name, $parameters) = @_;
    my ($edge, $port) = edge($parameters);

    acked($port);

    my $start = time();

    quit($edge);
    ok($edge->{process}->wait_end(10), "$name: a worker leaves");
    cmp_ok(time() - $start, '<', 2,
           "$name: a second after its timeout at the latest");
    is($edge->logged(qr/\b1 events without an answer .* left behind/), 1,
       "$name: it says what it leaves behind");
}


$redis->freeze();
leaves('Redis never answers', 'timeout=1s');
leaves('Redis never answers, a short time to connect',
       'timeout=1s connect_timeout=100ms');
leaves('Redis never answers, a long time to connect',
       'timeout=1s connect_timeout=4s');
$redis->kill_now();
leaves('Redis is not there', 'timeout=1s');
$redis->start();


# ---- Redis is full ----

{
    my ($edge, $port) = edge('timeout=10s');

    ready($port);
    $redis->call('config', 'set', 'maxmemory', 1);

    my @ids = map { acked($port) } 1 .. 3;
    my $status;

    ok(becomes(sub {
        $status = get($port, '/status')->{json};
        $status->{redis_errors}{oom} > 1;
    }, 5), 'a full Redis is asked again and again');
    is($status->{events_waiting}, 3, 'the events wait for room');
    is($status->{events_dropped}, 0, 'none is given up');
    is(stored(@ids), 0, 'none is stored yet');

    push @ids, acked($port);

    $redis->call('config', 'set', 'maxmemory', 0);
    ok(becomes(sub { stored(@ids) == 4 }, 5),
       'all are stored when there is room');
    ok(becomes(sub {
        $status = get($port, '/status')->{json};
        $status->{events_stored} == 4 && $status->{events_waiting} == 0;
    }, 5), 'and counted as stored');
}

# full, and told to leave
{
    my ($edge, $port) = edge('timeout=10s');

    ready($port);
    $redis->call('config', 'set', 'maxmemory', 1);

    my $id = acked($port);

    wait_until(sub { get($port, '/status')->{json}{redis_errors}{oom} > 0 },
               5, 'redis refuses it');
    quit($edge);
    ok($edge->running(), 'a worker stays while Redis is full');
    $redis->call('config', 'set', 'maxmemory', 0);
    ok($edge->{process}->wait_end(5), 'it leaves when there is room');
    is(stored($id), 1, 'and its event is stored');
}

$t->done();
