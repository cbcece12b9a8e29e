#!/usr/bin/perl

# What all loops know of a destination: paused, held, parked; set by the
# command line or by another loop, and seen by each within a second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;
use Time::HiRes qw(time);

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $key = '{mt:00}:state:hook';

# two processes with one half of the shards each: a process takes at once what
# is held under its name

$redis->call('set', sprintf('{mt:%02d}:owner', $_), '1 loop-' . $_ % 2,
             'px', 60_000) for 0 .. 15;

my @forwarders = map { start_owner($_) } 0, 1;


sub start_owner {
    my ($n) = @_;
    my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                              archive => "rotate_every: never")
        =~ s/name: tester/name: loop-$n/r;

    # a folder has one writer
    $conf =~ s{/archive}{/archive-$n};

    my $forwarder = $t->forwarder($conf);

    wait_until(sub { $forwarder->logged(qr/"msg":"shard claimed"/) >= 8 },
               20, "loop-$n has its shards");

    return $forwarder;
}


sub state {
    my ($n) = @_;
    my %fields = @{ $redis->call('hgetall', "{mt:00}:loop:loop-$n") };

    return $fields{hook} ? from_json($fields{hook})->{breaker} : '';
}


# both loops are in that state, as they log it at once
sub both {
    my ($state) = @_;

    for my $forwarder (@forwarders) {
        my ($last) = reverse grep {
            ($_->{msg} // '') eq 'destination changed state'
        } $forwarder->log_lines();

        return 0 unless ($last ? $last->{to} : 'closed') eq $state;
    }

    return 1;
}


# events of both loops arrive elsewhere, and not here
sub nothing_comes {
    my ($what) = @_;
    our $number;
    my $before = () = $receiver->requests();
    my @ids = add_events($redis, 16, prefix => 'n' . ++$number);

    ok(becomes(sub { !missing(\@ids, archived()) }, 10),
       "$what: others get events");
    is(scalar(() = $receiver->requests()), $before,
       "$what: this one does not");

    return @ids;
}


sub archived {
    my @ids;

    for my $file (glob $t->dir() . '/archive-*/*') {
        open my $fh, '<', $file or next;
        push @ids, map { from_json($_)->{messageId} } grep { /\n\z/ } <$fh>;
    }

    return @ids;
}


my @ids = add_events($redis, 32, prefix => 'first');

ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'both deliver');


# ---- paused by an operator ----

my $now = time();

$redis->call('hset', $key, 'paused', int(time() * 1000),
             'paused_why', 'a test');
ok(becomes(sub { both('paused') }, 10), 'paused: both see it');
cmp_ok(time() - $now, '<', 2, 'paused: soon');

@ids = nothing_comes('paused');
ok(becomes(sub { state(0) eq 'paused' && state(1) eq 'paused' }, 5),
   'paused: both tell so');

$now = time();
$redis->call('hdel', $key, 'paused', 'paused_why');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
   'resumed: what waited is delivered');
cmp_ok(time() - $now, '<', 2, 'resumed: soon');
is($_->logged(qr/"msg":"destination changed state"/), 2,
   'each change is logged once') for @forwarders;


# ---- parked ----

for my $why (qw(stop credentials)) {
    $redis->call('hset', $key, 'parked', $why);
    ok(becomes(sub { both('credentials') }, 10), "$why: both see it");
    @ids = nothing_comes($why);
    $redis->call('hdel', $key, 'parked');
    ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
       "$why: resumed");
}


# a start is a new chance

$redis->call('hset', $key, 'parked', 'stop');
ok(becomes(sub { both('credentials') }, 10), 'parked: both see it');
@ids = nothing_comes('parked');

$forwarders[0]->stop();
$forwarders[0]->start();
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'parked: a restart ends it, for all');


# ---- Retry-After ----

$receiver->answer(always => { status => 200 }, answers => [
    { status => 429, headers => ['Retry-After' => 3] } ]);

my $hold = (time() + 3) * 1000;

add_events($redis, 1, prefix => 'slower', shard => 0);
ok(becomes(sub { both('throttled') }, 10),
   'Retry-After: both see what one was told');
cmp_ok(abs($redis->call('hget', $key, 'hold') - $hold), '<', 1500,
       'Retry-After: all know until when');

my $until = $redis->call('hget', $key, 'hold') / 1000;

@ids = nothing_comes('Retry-After');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 20),
   'Retry-After: then they go on');

my @late = grep { my $id = from_json($_->{body})->{messageId};
                  grep { $id eq $_ } @ids } $receiver->requests();
my ($first) = sort { $a <=> $b } map { $_->{at} } @late;

cmp_ok($first, '>=', $until - 0.01, 'Retry-After: and not before');
cmp_ok($first, '<', $until + 1.5, 'Retry-After: nor much later');


# an hour is held for an hour, unless an operator says otherwise

$receiver->answer(always => { status => 200 }, answers => [
    { status => 503, headers => ['Retry-After' => 3600] } ]);
add_events($redis, 1, prefix => 'hour', shard => 1);
ok(becomes(sub { both('throttled') }, 10), 'an hour: both see it');
@ids = nothing_comes('an hour');
$redis->call('hdel', $key, 'hold');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
   'an hour: resumed');

# ---- Redis without a state, and with a wrong one ----

$redis->call('del', $key);
$redis->call('set', $key, 'no hash');
@ids = add_events($redis, 16, prefix => 'wrong');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
   'a key of a wrong type stops nothing');

# ---- paused while none was there ----

$_->stop() for @forwarders;
$redis->call('del', $key);
$redis->call('hset', $key, 'paused', int(time() * 1000));
@ids = add_events($redis, 64, prefix => 'asleep');

my $requests = () = $receiver->requests();

$_->start() for @forwarders;
ok(becomes(sub { !missing(\@ids, archived()) }, 20),
   'paused before the start: others get events');
is(scalar(() = $receiver->requests()), $requests,
   'paused before the start: this one does not, not even the first');
$redis->call('hdel', $key, 'paused');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 10),
   'but when it is resumed');

$t->done();
