#!/usr/bin/perl

# The test library's sentinels: they choose another master.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Test;

my $t = Martech::Test->new(timeout => 180);

my $key = '{mt:03}:in';

# an event as the module writes it
my @EVENT = ('*', 'v', 1, 'id', 'x', 'src', 's', 'e', '{"a":1}');


my $group = $t->sentinel(replicas => 2, sentinels => 3);

is($group->master_number(), 0, 'the sentinels name the master');
is($group->master_address(), '127.0.0.1:' . $t->port(6400), 'by its address');
is_deeply([$group->addresses()],
          [map { '127.0.0.1:' . $t->port(26400 + $_) } 0 .. 2],
          'theirs are those of the configuration');

$group->master()->call('xadd', $key, @EVENT);
$group->wait_replica_synced($_) for 1, 2;
is($group->node($_)->count(), 1, "replica $_ has the event") for 1, 2;

my $killed = $group->kill_master();
my $address = $group->wait_for_master_change();

is($killed, 0, 'the master is killed');
isnt($address, '127.0.0.1:' . $t->port(6400), 'there is another one');
is($group->master()->count(), 1, 'which has the event');
$group->master()->call('xadd', $key, @EVENT);
$group->start_node($killed);
$group->wait_replica_synced($killed);
is($group->node($killed)->count(), 2, 'the killed one comes back as replica');

$group->failover();
isnt($group->wait_for_master_change(), $address,
     'the master changes on demand');
is($group->master()->count(), 2, 'and has all events');

$group->stop_sentinel(0);
is(scalar(grep { $_ } eval { $group->master_address() }), 1,
   'the others answer when a sentinel is gone');
$group->start_sentinel(0);

$killed = $group->kill_master();
$group->wait_for_master_change();
$group->start_node($killed, master => 1);
is($group->node($killed)->call('role')->[0], 'master', 'one that was away');
$group->wait_replica_synced($killed);
is($group->node($killed)->call('role')->[0], 'slave', 'and is made a replica');
$group->stop();


# ---- with a password, and too few replicas ----

{
    my $few = $t->sentinel(base => 6410, sentinel_base => 26410,
                           password => 'secret', min_replicas => 1);

    $few->node(1)->freeze();
    ok(becomes(sub {
        eval { $few->master()->call('xadd', $key, @EVENT); 0 }
            || $@ =~ /NOREPLICAS/;
    }, 20), 'a master without its replica refuses');
    $few->node(1)->thaw();
}

$t->done();
