#!/usr/bin/perl

# The test library's Redis Cluster: its slots move, its masters change.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 180);

# an event as the module writes it
my @EVENT = ('*', 'v', 1, 'id', 'x', 'src', 's', 'e', '{"a":1}');


my $cluster = $t->cluster(masters => 3, replicas => 1);
my $key = '{mt:03}:in';
my $slot = $cluster->slot($key);
my $from = $cluster->owner($slot);
my $to = ($from + 1) % 3;
my ($other) = grep { $_ != $from && $_ != $to } 0 .. 2;

is_deeply([$cluster->masters()], [0 .. 2], 'a cluster of three masters');
is_deeply([$cluster->replicas(0)], [3], 'the first has its replica');
is_deeply([$cluster->addresses()],
          [map { '127.0.0.1:' . $t->port(7000 + $_) } 0 .. 5],
          'its addresses are those of the configuration');
is($cluster->owner(0), 0, 'the first slot is at the first node');
is($cluster->owner(16383), 2, 'the last slot is at the last one');

$cluster->call_key(sprintf('{mt:%02d}:in', $_), 'xadd', @EVENT) for 0 .. 15;

is($cluster->count(), 16, 'all shards are counted');
is(scalar(grep { $_->{event}{a} == 1 } $cluster->events()), 16, 'and read');
like(eval { $cluster->call($to, 'xlen', $key) } // $@,
     qr/MOVED $slot 127\.0\.0\.1:@{[ $cluster->port($from) ]}/,
     'another node says where a key is');

$cluster->begin_move($slot, $to);
is($cluster->call($from, 'xlen', $key), 1, 'what is there is served');
is($cluster->move_keys($slot, $to), 1, 'the key is moved');
like(eval { $cluster->call($from, 'xlen', $key) } // $@,
     qr/ASK $slot 127\.0\.0\.1:@{[ $cluster->port($to) ]}/,
     'now the old owner says ASK');
is($cluster->owner($slot), $from, 'and is still the owner');
is($cluster->count(), 16, 'the key is found on its way');
$cluster->finish_move($slot, $to);
is($cluster->owner($slot, $other), $to, 'then the others know the new owner');
like(eval { $cluster->call($from, 'xlen', $key) } // $@,
     qr/MOVED $slot 127\.0\.0\.1:@{[ $cluster->port($to) ]}/,
     'and the old owner says MOVED');
$cluster->move_slot($slot, $from);
is($cluster->call($from, 'xlen', $key), 1, 'it moves back in one step');

$cluster->begin_move($slot, $to);
$cluster->stable($slot);
is($cluster->owner($slot), $from, 'a move may be given up');

my $new = $cluster->add_node();

is($new, 6, 'another node joins');
$cluster->move_slot($slot, $new);
is($cluster->call($new, 'xlen', $key), 1, 'and takes a slot');
is($cluster->count(), 16, 'nothing is lost');

$cluster->failover(3);
ok(!$cluster->is_master(0), 'a replica takes the place of its master');
is($cluster->owner(0), 3, 'with its slots');
$cluster->wait_synced(0);
$cluster->kill(3);
wait_until(sub { $cluster->is_master(0) }, 30, 'the replica of a dead node');
$cluster->wait_ok();
is($cluster->owner(0), 0, 'and again when it dies');
$cluster->start(3);
$cluster->wait_synced(3);
ok(becomes(sub { "@{[ $cluster->replicas(0) ]}" eq '3' }, 20),
   'which comes back as replica');
is($cluster->count(), 16, 'still nothing is lost');
$cluster->stop();


# ---- with a password ----

{
    my $locked = $t->cluster(base => 7010, password => 'secret');

    $locked->call_key($key, 'xadd', @EVENT);
    $locked->move_slot($slot, $to);
    is($locked->call($to, 'xlen', $key), 1, 'a cluster with a password');
}

$t->done();
