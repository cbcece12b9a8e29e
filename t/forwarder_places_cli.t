#!/usr/bin/perl

# The commands find their Redis: by sentinels, in a cluster, through a
# failover and a slot that moves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new();


sub command {
    my ($redis) = @_;
    my $conf = forwarder_conf(hook => 'http://127.0.0.1:1/');

    $conf =~ s{redis:\n.*?\n\n}{redis:\n$redis\n}s;

    return Martech::Command->new($t, $conf);
}


my $probe = command("  address: 127.0.0.1:1\n  cluster: true\n");

plan(skip_all => 'this configuration knows no cluster')
    if $probe->plain('check', '-c', $probe->{file})->{status};


# ---- cluster ----

my $cluster = $t->cluster(masters => 3);
my $cli = command('  address: ' . $cluster->address(0)
                  . "\n  cluster: true\n");

for my $shard (0 .. 15) {
    my $tag = sprintf '{mt:%02d}', $shard;

    $cluster->call_key("$tag:ledger", 'hset', 'routed:hook:web', 1,
                       'in:web', 1, 'dead:hook:web', 1);
    $cluster->call_key("$tag:ledger", 'hset', 'routed:archive:web', 1,
                       'done:archive:web', 1);
    $cluster->call_key("$tag:dead:hook", 'xadd', '*', 'event', '1-1', 'id',
                       "x$shard", 'src', 'web', 'e', '{}', 'at', 1);
}

my $r = $cli->run('ledger', '--json');

is($r->{status}, 0, 'cluster: the ledger holds') or diag($r->{out}, $r->{err});
is($r->{json}{sources}{web}{in}, 16, 'cluster: of all shards');
is($cli->run('pause', 'hook')->{status}, 0, 'cluster: pause');
ok($cluster->call_key('{mt:00}:state:hook', 'hget', 'paused'),
   'cluster: it is written where it belongs');
is($cli->run('dead', 'replay', '--id', 'x3', '--id', 'x4', '--json')
       ->{json}{replayed}, 2, 'cluster: a replay');
is($cluster->call_key('{mt:03}:in', 'xlen'), 1, 'cluster: in its shard');

my $slot = $cluster->slot('{mt:05}:in');
my $to = ($cluster->owner($slot) + 1) % 3;

# a walk that began before the slot has moved is told where it is now
my $slow = $cli->start('dead', 'replay', '-c', $cli->{file}, '--json',
                       '--rate', '4/s');

ok(becomes(sub {
    ($cluster->call_key('{mt:00}:ledger', 'hget', 'dead_replayed:hook') // 0)
        == 1;
}, 10), 'cluster: a replay is under way');
$cluster->move_slot($slot, $to);
$r = $cli->end($slow);
is($r->{json}{replayed}, 14, 'cluster: it ends, though a slot has moved')
    or diag($r->{err});


# ---- sentinel ----

my $group = $t->sentinel(replicas => 1, sentinels => 1);
my @sentinels = map { "127.0.0.1:$_->{port}" } @{ $group->{watchers} };

$cli = command("  sentinel: { name: martech, addresses: "
               . "['127.0.0.1:1', '$sentinels[0]'] }\n");
is($cli->run('pause', 'hook')->{status}, 0, 'sentinel: pause');
ok($group->master()->call('hget', '{mt:00}:state:hook', 'paused'),
   'sentinel: it is written to the master');

for my $n (1 .. 24) {
    $group->master()->call('xadd', '{mt:00}:dead:hook', '*', 'event', '1-1',
                           'id', "y$n", 'src', 'web', 'e', '{}', 'at', 1);
}

# the master changes under a command that runs
$slow = $cli->start('dead', 'replay', '-c', $cli->{file}, '--json',
                    '--rate', '4/s', '--destination', 'hook');
ok(becomes(sub {
    ($group->master()->call('hget', '{mt:00}:ledger', 'dead_replayed:hook')
     // 0) > 1;
}, 10), 'sentinel: a replay is under way');
$group->failover();
$group->wait_for_master_change();
$r = $cli->end($slow);
is($r->{json}{matched}, 24, 'sentinel: it ends with the new master')
    or diag($r->{err});
is($cli->run('resume', 'hook')->{status}, 0, 'sentinel: after a failover');
is($group->master()->call('hget', '{mt:00}:state:hook', 'paused'), undef,
   'sentinel: it is written to the new master');

$t->done();
