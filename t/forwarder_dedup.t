#!/usr/bin/perl

# Duplicates: of two copies of an event in the window one is delivered and the
# other counted, whoever owns the shard; and what it costs in Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $conf = forwarder_conf(without => 'hook',
    top => 'dedup: { window: 1h, events: 2000000 }');
my $forwarder = $t->forwarder($conf);
my $in = 0;


sub add {
    my ($shard, $id, %more) = @_;

    $redis->call('xadd', sprintf('{mt:%02d}:in', $shard),
        delete $more{at} // '*', 'v', 1, 'id', $id, 'src', 'web', %more,
        'e', to_json({ type => 'track', event => 'E', messageId => $id }));
    $in++ unless $more{to};
}


# all routed and delivered: true if so many are duplicates
sub duplicates {
    my ($count) = @_;

    ok(becomes(sub { (ledger($redis)->{in} // 0) == $in
                     && drained($redis, 'archive') }, 30), '... all is done');

    return ledger($redis)->{'duplicate:web'} // 0;
}


sub copies {
    my ($id) = @_;

    return scalar grep { $_ eq $id } file_ids($t);
}


# ---- one after the other, and both at once ----

add(1, 'twice');
is(duplicates(), 0, 'a first copy is none');
add(1, 'twice');
is(duplicates(), 1, 'a second one is a duplicate');
is(copies('twice'), 1, 'and not delivered');

$forwarder->signal('STOP');
add(2, "both-$_") for 1 .. 50, 1 .. 50, 1 .. 50;
$forwarder->signal('CONT');
is(duplicates(), 101, 'copies in one step count too');
is(ledger($redis)->{'routed:archive'}, 51, 'each is routed once');

add(1, 'twice', to => 'archive');
ok(becomes(sub { copies('twice') == 2 }, 20), 'an operator may send it again');
add(1, 'operator', to => 'archive');
add(1, 'operator');
duplicates();
ok(becomes(sub { copies('operator') == 2 }, 20),
   'and what an operator sends is not remembered');

# ---- the window is that of the stream IDs ----

{
    my ($seconds) = @{ $redis->call('time') };
    my $now = $seconds * 1000;
    my $before = duplicates();

    add(8, 'old', at => ($now - 3 * 3_600_000) . '-1');
    add(8, 'old', at => ($now - 3_600_000) . '-1');
    add(8, 'young', at => ($now - 3_000_000) . '-1');
    add(8, 'young', at => $now . '-1');
    is(duplicates(), $before + 1, 'a copy outside of the window is another');
    is(copies('old'), 2, 'and delivered');
    is(copies('young'), 1, 'one inside is not');
}

# ---- owners come and go ----

{
    my $before = duplicates();

    add($_ % 16, "kill-$_") for 1 .. 100;
    duplicates();
    $forwarder->kill_now();
    $forwarder->start();
    add($_ % 16, "kill-$_") for 1 .. 100;
    is(duplicates(), $before + 100, 'kill -9: the next one knows them');

    my $second = $t->forwarder($conf =~ s/name: tester/name: second/r);

    $forwarder->kill_now();
    add($_ % 16, "kill-$_") for 1 .. 100;
    is(duplicates(), $before + 200, 'so does another owner');

    add($_ % 16, "other-$_") for 1 .. 50;
    duplicates();
    $forwarder->start();
    $second->stop();
    add($_ % 16, "other-$_") for 1 .. 50;
    is(duplicates(), $before + 250, 'and the first, of what another routed');
}

# ---- a lost reply ----

{
    my $before = duplicates();

    $forwarder->stop();

    for my $round (1 .. 3) {
        add($_ % 16, "lost-$round-$_") for 1 .. 32;
        $forwarder->start(env => { MARTECH_FAIL_AT => 'after_route' });
        ok($forwarder->wait_end(20), 'killed between step and reply')
            or $forwarder->kill_now();
    }

    $forwarder->start();

    for my $n (1 .. 300) {
        $redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes')
            if $n % 30 == 0;
        add($n % 16, "cut-$n");
    }

    is(duplicates(), $before, 'nothing is its own duplicate');

    my @ids = map { "cut-$_" } 1 .. 300;

    ok(!missing(\@ids, file_ids($t)), 'all arrive');
    add($_ % 16, "cut-$_") for 1 .. 300;
    is(duplicates(), $before + 300, 'what was routed is known all the same');
    is(ledger($redis)->{'routed:archive'} - ledger($redis)->{in}
       + ledger($redis)->{duplicate} - ledger($redis)->{'in_to:archive'}, 0,
       'each entry is routed or a duplicate');
}

# ---- what it costs ----

{
    my $bytes = 0;
    my $ttl = 0;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        my $keys = $redis->call('keys', "$tag:seen:*");

        $bytes += $redis->call('strlen', $_) for @$keys;
        $ttl += $redis->call('pttl', $_) <= 0 for @$keys;
    }

    is($bytes, 8 * (ledger($redis)->{in} - ledger($redis)->{duplicate}),
       'eight bytes an event in redis');
    is($ttl, 0, 'which end by themselves');
}

# ---- off ----

{
    $forwarder->stop();
    $forwarder->write_conf($t->fill($conf =~ s/window: 1h/window: 0/r));
    $forwarder->start();

    my $before = duplicates();

    add(9, 'off') for 1 .. 2;
    is(duplicates(), $before, 'a window of 0: nothing is looked up');
    is(copies('off'), 2, 'both are delivered');
}

$t->done();
