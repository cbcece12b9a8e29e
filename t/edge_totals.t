#!/usr/bin/perl

# The totals that each NGINX instance keeps in Redis, {mt:00}:edge: they are
# those of the status page, survive reloads, a Redis that was away and killed
# workers, and never stand in the way of an event.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 120);

$t->expect(qr/exited on signal 9/);

my $redis = $t->redis();

my $CONF = <<'END';
    martech_redis   %%REDIS%% timeout=2s;
    martech_stream  mt shards=4;

    server {
        listen 127.0.0.1:8080;

        location / {
            martech_collect;
        }

        location = /status {
            martech_status;
        }
    }
END

my $nginx = $t->nginx($CONF, workers => 2);
my $port = $t->port(8080);
my $number = 0;

my %NAME = (
    received => 'events_received', stored => 'events_stored',
    rejected => 'events_rejected', dropped => 'events_dropped',
    spooled => 'events_spooled', replayed => 'spool_replayed',
    waiting => 'events_waiting', quarantined => 'events_quarantined',
);


sub status { get($port, '/status')->{json} }


# { instance => { counter => value } } of a server
sub edge {
    my ($server) = @_;
    my %fields = @{ ($server // $redis)->call('hgetall', '{mt:00}:edge') };
    my %edge;

    for my $field (keys %fields) {
        my ($instance, $counter) = split /:/, $field, 2;

        $edge{$instance}{$counter} = $fields{$field};
    }

    return \%edge;
}


sub send_events {
    my ($count) = @_;

    for (1 .. $count) {
        post($port, '/v1/track', { event => 'E', userId => "u$number",
                                   messageId => 'totals-' . ++$number });
    }
}


# waits until an instance has the numbers of the page in Redis
sub agrees {
    my ($instance, $what) = @_;
    my ($page, $edge);

    my $ok = becomes(sub {
        $page = status();
        $edge = edge()->{$instance};

        return $edge && !grep {
            $edge->{$_} != $page->{ $NAME{$_} }
        } keys %NAME;
    }, 10);

    ok($ok, $what);

    if (!$ok) {
        diag("$_: page $page->{ $NAME{$_} }, redis ", $edge->{$_} // 'nothing')
            for sort keys %NAME;
    }
}


sub connected {
    my ($count) = @_;

    wait_until(sub { status()->{redis_ready} == $count }, 15,
               "$count workers are connected");
}


# ---- the same as the page ----

connected(2);
is_deeply(edge(), {}, 'an instance without events writes nothing');

send_events(5);
post($port, '/v1/track', { event => 'E', messageId => 'no-id' });

wait_until(sub { keys %{ edge() } == 1 }, 5, 'the totals are in redis');

my ($first) = keys %{ edge() };

like($first, qr/^[0-9a-f]{16}$/, 'an instance has 16 hex digits');
agrees($first, 'the totals are those of the page');
is(status()->{events_received}, 6, '... which has what was sent');
is(edge()->{$first}{rejected}, 1, '... and what was rejected');
is_deeply([sort keys %{ edge()->{$first} }], [sort 'at', keys %NAME],
          'all counters, and when they were written');

my $at = edge()->{$first}{at};

cmp_ok(abs($at / 1000 - time), '<', 30, 'that is a time in milliseconds');

# rounds of both workers' clocks without an event

my $writes = status()->{redis_writes};

is(becomes(sub { edge()->{$first}{at} != $at }, 2.5), '',
   'nothing is written while nothing changes');
is(status()->{redis_writes}, $writes, '... by no worker');


# ---- a reload, and killed workers ----

$nginx->reload();
send_events(3);
connected(2);
send_events(1);

agrees($first, 'a reload keeps instance and totals');
is(scalar keys %{ edge() }, 1, '... and makes no other instance');

for my $round (1 .. 2) {

    # one of the two is who writes, the next round has the other one

    $nginx->kill_worker();
    connected(2);
    send_events(2);
    agrees($first, "a worker is killed, another one goes on ($round)");
}


# ---- redis goes away ----

$redis->freeze();

my $c = Martech::Http->connect($port);

$c->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                   messageId => 'while-frozen' }));
wait_until(sub { status()->{requests_parked} == 1 }, 5, 'an event waits');
$redis->thaw();

is($c->response()->{status}, 200, 'an event waits for redis as ever');
agrees($first, 'redis stood still, the totals are right again');

$redis->kill_now();
post($port, '/v1/track', { event => 'E', userId => 'u', messageId => 'lost' });
$redis->start();
connected(2);

agrees($first, 'redis was away, the totals are right again');
cmp_ok(status()->{events_dropped}, '>=', 1, '... with what it could not take');

# what Redis has in its file is without them

$redis->call('flushall');
$redis->restart();
connected(2);

agrees($first, 'a redis that comes back without them is given them');


# ---- a full redis, and one that is not allowed ----

$redis->call('config', 'set', 'maxmemory', 1);
post($port, '/v1/track', { event => 'E', userId => 'u', messageId => 'full' });
$redis->call('config', 'set', 'maxmemory', 0);
connected(2);
send_events(1);
agrees($first, 'a full redis is only a pause');


# ---- the end, and a new instance ----

send_events(4);

my $page = status();

$nginx->stop();

my $last = edge()->{$first};

is($last->{$_}, $page->{ $NAME{$_} }, "the last word: $_")
    for sort keys %NAME;

$nginx->start();
$port = $t->port(8080);
connected(2);
send_events(2);

wait_until(sub { keys %{ edge() } == 2 }, 5, 'a start is a new instance');

my ($second) = grep { $_ ne $first } keys %{ edge() };

agrees($second, 'it counts from nothing');
is_deeply(edge()->{$first}, $last, 'the former one stays as it was');


# ---- without the right ----

$redis->call('acl', 'setuser', 'default', '-hset');
send_events(3);

wait_until(sub {
    $nginx->log_text() =~ /refuses our totals \(denied\)/
}, 5, 'a refusal is said');

send_events(3);
is(status()->{events_dropped}, 0, 'events go on without the right');
is(status()->{redis_ready}, 2, '... and so do the connections');

is(becomes(sub { status()->{redis_errors}{denied} != 1 }, 2.5), '',
   '... and it is not tried again');

my @said = $nginx->log_text() =~ /refuses our totals/g;

is(scalar @said, 1, '... or said again');

$redis->call('acl', 'setuser', 'default', '+hset');
$nginx->reload();
connected(2);
send_events(1);
agrees($second, 'after a reload it is tried again');


# ---- a cluster ----

my $cluster = $t->cluster(masters => 3);
my $other = $t->nginx(<<'END', workers => 2);
    martech_redis  127.0.0.1:7000 127.0.0.1:7001 cluster timeout=2s;

    server {
        listen 127.0.0.1:8082;

        location / {
            martech_collect;
        }
    }
END

sub received_in_cluster {
    my %fields = @{ $cluster->call_key('{mt:00}:edge', 'hgetall') };
    my ($name) = grep { /:received\z/ } keys %fields;

    return $name ? $fields{$name} : 0;
}

my $slot = $cluster->slot('{mt:00}:edge');
my $sent = 0;

for my $owner (0 .. 2) {
    $cluster->move_slot($slot, $owner) if $cluster->owner($slot) != $owner;

    # a visitor of another shard: nobody but the totals asks for this one
    post($t->port(8082), '/v1/track', { event => 'E', userId => 'user-1',
                                        messageId => 'c-' . ++$sent });
    ok(becomes(sub { received_in_cluster() == $sent }, 10),
       "cluster: the totals find node $owner, which has their slot");
}

$t->done();
