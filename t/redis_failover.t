#!/usr/bin/perl

# A Redis Cluster whose nodes die: another one takes over within seconds and
# without a reload; with a spool the shards of a dead node go to disk, and the
# others to Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Fake;
use Martech::Path qw(missing);
use Martech::Test;
use Martech::Visitor;

my $t = Martech::Test->new(timeout => 180);
my $cluster = $t->cluster(
    masters => 3, replicas => 1,
    options => ['--cluster-require-full-coverage', 'no']);

sub conf {
    my ($port, $more) = @_;

    return <<"END";
    $more

    keepalive_requests  1000000;

    server {
        listen 127.0.0.1:$port;

        location / {
            martech_collect;
        }

        location /memory/ {
            martech_collect;
            martech_ack  memory;
        }

        location = /status {
            martech_status;
        }
    }
END
}

sub key { sprintf '{mt:%02d}:in', $_[0] }
sub slot { $cluster->slot(key($_[0])) }
sub stored { [ $cluster->events(decode => 0) ] }
sub status { get($t->port($_[0]), '/status')->{json} }

sub ids { [ map { $_->{id} } @{ stored() } ] }

# { shard => [names] } of visitors
my %visitors;


# ---- the first addresses are dead ----

# nobody listens at 6999; 7003 is a replica, which knows its cluster
my $plain = $t->nginx(conf(8080, 'martech_redis 127.0.0.1:6999 127.0.0.1:7003 '
                           . '127.0.0.1:7000 cluster timeout=10s;'),
                      workers => 2);

for my $n (1 .. 200) {
    my $answer = post($t->port(8080), '/v1/track',
                      { event => 'E', anonymousId => "v$n",
                        messageId => "start-$n" });

    next if $answer->{status} == 200;
    fail("start-$n is stored");
}

for my $event (@{ stored() }) {
    push @{ $visitors{$event->{shard}} }, "v$1" if $event->{id} =~ /-(\d+)\z/;
}

is(scalar map({ @$_ } values %visitors), 200,
   'a dead address and a replica lead to the cluster as well');


# ---- visitors ----

# three of a shard, each in another way; nobody comes twice
sub crowd {
    my ($shard, $port) = @_;
    my @ways = ({}, { path => '/memory', pipeline => 16 },
                { batch => 7, pipeline => 3 });

    return map { Martech::Visitor->new(port => $t->port($port),
                                       dir => $t->dir(),
                                       name => shift @{ $visitors{$shard} },
                                       %$_) } @ways;
}

sub whole {
    my ($name, $port, $crowd) = @_;

    $_->stop() for @$crowd;
    is_deeply([ map { keys %{ $_->statuses() } } @$crowd ], [ (200) x @$crowd ],
              "$name: all are answered with success")
        or diag(to_json([ map { $_->statuses() } @$crowd ]));
    wait_until(sub { status($port)->{events_waiting} == 0 }, 10,
               'nothing waits');

    my $stored = stored();

    is_deeply($_->faults($stored, twice => 1), [],
              "$name: nothing is lost or out of order ($_->{name})")
        for @$crowd;
    $cluster->call_key(key($_), 'xtrim', 'maxlen', 0) for 0 .. 15;
}

sub shard_of {
    my ($node) = @_;
    my ($shard) = grep { $cluster->owner(slot($_)) == $node
                         && @{ $visitors{$_} } >= 3 } 0 .. 15;

    return $shard;
}


# ---- an orderly failover ----

my $shard = shard_of(0);
my @crowd = crowd($shard, 8080);

$_->wait_more(50) for @crowd;
$cluster->failover(3);
$_->wait_more(100) for @crowd;
whole('an orderly failover', 8080, \@crowd);
is($cluster->owner(slot($shard)), 3, 'the replica is the master');


# ---- a master dies ----

# What a dead master had acknowledged and its replica does not have is lost
# with it, so there is nothing on its way.
$shard = shard_of(1);
$cluster->wait_synced(4);
wait_until(sub {
    $cluster->node(1)->info('master_repl_offset')
        == $cluster->node(4)->info('master_repl_offset');
}, 10, 'the replica has everything');
$cluster->kill(1);

my $killed = time();

@crowd = crowd($shard, 8080);
$_->wait_more(1) for @crowd;
cmp_ok(time() - $killed, '<', 8, 'a dead master is replaced in seconds');
$_->wait_more(50) for @crowd;
whole('a master dies', 8080, \@crowd);
is($cluster->owner(slot($shard)), 4, 'its replica is the master');

$cluster->start(1);
$cluster->wait_synced(1);


# ---- a master dies under load ----

# With wait_replicas nothing that was acknowledged can be lost.
# Of the addresses one must live: nodes without a shard in use are not known.
my $safe = $t->nginx(conf(8081, 'martech_redis 127.0.0.1:7002 127.0.0.1:7000 '
                          . 'cluster timeout=10s wait_replicas=1:500ms;'));

$shard = shard_of(2);
@crowd = crowd($shard, 8081);
$_->wait_more(50) for @crowd;
$cluster->kill(2);
$cluster->wait_owner(slot($shard), 5);

# as long as there is no replica nothing is acknowledged
ok(becomes(sub { status(8081)->{redis_replicas_short} >= 1 }, 10),
   'a new master without a replica is not enough');
$cluster->start(2);
$_->wait_more(50) for @crowd;
whole('a master dies under load', 8081, \@crowd);
$plain->stop();
$safe->stop();


# ---- into the void ----

# What we are sent to cannot even be tried: there is no way to that address.
my $fake = $t->helper(Martech::Fake->new(
    port => $t->port(7777),
    says => { xadd => "-MOVED 1 255.255.255.255:7000\r\n" }));
my $lost = $t->nginx(conf(8083, 'martech_redis 127.0.0.1:7777 cluster '
                          . 'timeout=5s;'));
my $waiting = Martech::Http->connect($t->port(8083));

$waiting->send(post_bytes('/v1/track', { event => 'E', userId => 'u',
                                         messageId => 'void' }));
ok(becomes(sub { $fake->asked('xadd') > 3 }, 5),
   'who sends us into the void is asked again');
$fake->says(xadd => '-MOVED 1 ' . $cluster->address(0) . "\r\n");
is($waiting->response()->{status}, 200, '... until it knows better');
is((grep { $_ eq 'void' } @{ ids() }), 1, 'the event is stored');
$lost->stop();


# ---- nobody takes over ----

my $spool = $t->nginx(conf(8082, 'martech_redis 127.0.0.1:7000 127.0.0.1:7001 '
    . 'cluster timeout=5s; '
    . 'martech_spool %%PREFIX%%/spool max_size=64m segment=1m after=500ms;'),
                      workers => 2);
my $port = $t->port(8082);

sub event {
    my ($id, $visitor) = @_;
    my $answer = post($port, '/v1/track', { event => 'E', messageId => $id,
                                            anonymousId => $visitor });

    return $answer->{status} == 200 ? $answer->{headers}{'x-martech-ack'}
                                    : $answer->{status};
}

wait_until(sub { status(8082)->{spool_ready} == 2 }, 10, 'the spool is ready');

# one visitor of each shard
my @one = map { $visitors{$_}[0] } 0 .. 15;

event("before-$_", $one[$_]) for 0 .. 15;

my @dead = grep { $cluster->owner(slot($_)) == 5 } 0 .. 15;
my %dead = map { $_ => 1 } @dead;

$cluster->kill(5);
$cluster->node(2)->freeze();

my (%ack, @sent, $slow);

# until the cluster has understood, and some more
$killed = time();

for (my $round = 0; $round < 10 || time() - $killed < 4; $round++) {
    for my $shard (0 .. 15) {
        my $id = "dead-$round-$shard";
        my $began = time();

        push @sent, $id;
        $ack{$dead{$shard} ? 'dead' : 'alive'}{event($id, $one[$shard])}++;
        $slow++ if time() - $began > 0.4;
    }
}

cmp_ok($slow, '<', $ack{dead}{spool} / 2,
       'few of them wait until they are spooled');

is_deeply([ keys %{ $ack{dead} } ], ['spool'],
          'events of a dead node are spooled') or diag(to_json(\%ack));
is_deeply([ keys %{ $ack{alive} } ], ['redis'],
          '... those of its neighbours are not') or diag(to_json(\%ack));

$cluster->node(2)->thaw();
$cluster->start(5);

ok(becomes(sub { status(8082)->{spool_waiting} == 0 }, 20),
   'they are replayed when it is back');
is((missing(\@sent, @{ ids() })), 0, 'none of them is missing');

my $s = status(8082);

is($s->{events_received}, $s->{events_stored} + $s->{events_spooled}
   + $s->{events_rejected} + $s->{events_dropped} + $s->{events_waiting},
   'the ledger of events holds') or diag(to_json($s));
is($s->{events_spooled} + $s->{spool_found},
   $s->{spool_replayed} + $s->{spool_waiting} + $s->{spool_lost}
       + $s->{spool_taken},
   'the ledger of the spool holds') or diag(to_json($s));

$t->done();
