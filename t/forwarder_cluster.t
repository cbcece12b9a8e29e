#!/usr/bin/perl

# The forwarder on a Redis Cluster: shards on all masters, a slot that moves
# under load, a master that dies; alone and two at a time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

use Time::HiRes qw(time);

my $t = Martech::Test->new(timeout => 240);
my $receiver = $t->receiver();
my $cluster = $t->cluster(masters => 3, replicas => 1);
my $redis = bless { cluster => $cluster }, 'Everywhere';

# commands go where their key is
package Everywhere {
    sub call {
        my ($self, $command, $key, @arg) = @_;

        return $self->{cluster}->call_key($key, $command, @arg);
    }
}

sub loop {
    my ($name, $number) = @_;
    my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                              without => 'archive');
    my $address = $cluster->address($number);

    return $t->forwarder($conf =~ s/name: tester/name: $name/r
        =~ s/  address: .*/  address: $address\n  cluster: true/r);
}

my @ids;

sub feed {
    my ($prefix, %more) = @_;
    my @new = add_events($redis, $more{shard} ? 10 : 48, prefix => $prefix,
                         %more);

    push @ids, @new;

    return @new;
}

sub arrives {
    my ($limit, $what, @some) = @_;

    $limit *= 2 if $ENV{MARTECH_ASAN};

    my $start = time();
    my $came = becomes(sub { !missing(\@some, hook_ids($receiver)) },
                       $limit + 15);
    my $took = time() - $start;

    ok($came && $took <= $limit, "$what, within $limit s")
        or diag("it took $took s", $came ? '' : ' and is not over');
}

sub owners {
    my %owners;

    for my $shard (0 .. 15) {
        my $lease = $redis->call('get', sprintf '{mt:%02d}:owner', $shard);

        $owners{$1}++ if ($lease // '') =~ /^\d+ (.*)$/;
    }

    return join ' ', map { "$_=$owners{$_}" } sort keys %owners;
}

# ---- all shards, on three masters ----

my $one = loop('one', 1);

arrives(5, 'events of all shards are delivered', feed('first'));
is(owners(), 'one=16', 'one has all shards');

for my $number (0 .. 2) {
    my $clients = $cluster->call($number, 'client', 'list');
    my @commands = $clients =~ /name=martech-forwarder:commands/g;

    is(@commands, 1, "one connection for commands to node $number");
}

# ---- a slot moves, step by step, under load ----

my $shard = 3;
my $slot = $cluster->slot('{mt:03}:in');
my $from = $cluster->owner($slot);
my $to = ($from + 1) % 3;

my @before = feed('before', shard => $shard);

$cluster->begin_move($slot, $to);

# some of its keys are here and some there: nothing can be done, nothing breaks
$cluster->move_keys($slot, $to, 1);

my @during = feed('during');

arrives(5, 'the other shards go on while a slot is on its way',
        grep { !/-(\d+)$/ || $1 % 16 != $shard } @during);

# longer than the lease
ok(!becomes(sub { !$one->running() }, 2), 'it waits for the slot');
$cluster->finish_move($slot, $to);
arrives(5, 'the shard goes on at its new node', @before, @during,
        feed('after', shard => $shard));
is(owners(), 'one=16', 'one still has all shards');

# ---- at once, and back ----

for my $n (1 .. 3) {
    my @some = feed("swift$n", shard => $shard);

    $cluster->move_slot($slot, $n % 2 ? $from : $to);
    push @some, feed("swifter$n", shard => $shard);
    arrives(5, "a slot that moves at once, move $n", @some);
}

# ---- two at a time ----

my $two = loop('two', 2);

ok(becomes(sub { owners() eq 'one=8 two=8' }, 5), 'a second one gets half')
    or diag(owners());
arrives(5, 'two deliver', feed('two'));

# ---- a master dies, its replica takes over ----

my @slots = map { $cluster->slot(sprintf '{mt:%02d}:in', $_) } 0 .. 15;

$cluster->call($_, 'wait', 1, 1000) for 0 .. 2;
$cluster->kill(0);
wait_until(sub { !grep { $cluster->owner($_) == 0 } @slots }, 30,
           'the replica takes over');
$cluster->wait_ok(30);
arrives(8, 'after the death of a master', feed('failover'));
ok(becomes(sub { owners() eq 'one=8 two=8' }, 10), 'both have their half')
    or diag(owners());

# ---- and one of the two ----

ok($two->stop(), 'TERM ends one of them');
ok(becomes(sub { owners() eq 'one=16' }, 3), 'the other has all')
    or diag(owners());
arrives(5, 'and delivers', feed('last'));

ok(becomes(sub { drained($redis, 'hook') }, 10), 'nothing waits');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');
ok(!missing(\@ids, hook_ids($receiver)), 'no event was lost');

my %count;

$count{$_}++ for hook_ids($receiver);
is(scalar(grep { $_ > 2 } values %count), 0, 'none came more than twice');
$t->done();
