#!/usr/bin/perl

# Rate limits, shared by four processes: what the receiver sees never passes
# the limit, in no window wherever it starts, and nearly all of it is used.
#
# MARTECH_LONG=1 looks for longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;
use Time::HiRes qw(time);

my $LOOPS = 4;
my $WINDOWS = $ENV{MARTECH_LONG} ? 6 : 2;

my $t = Martech::Test->new(timeout => 120 + 10 * $WINDOWS);
my $redis = $t->redis();
my $receiver = $t->receiver();


# each process takes at once what is held under its name
sub start_owners {
    my ($limits) = @_;
    my @forwarders;

    $redis->call('set', sprintf('{mt:%02d}:owner', $_),
                 '1 loop-' . $_ % $LOOPS, 'px', 60_000) for 0 .. 15;

    for my $n (0 .. $LOOPS - 1) {
        my $forwarder = $t->forwarder(
            forwarder_conf(without => 'archive',
                hook => $receiver->url('/hook'), hook_limits => $limits)
            =~ s/name: tester/name: loop-$n/r);

        wait_until(sub {
            $forwarder->logged(qr/"msg":"shard claimed"/) >= 16 / $LOOPS;
        }, 20, "loop-$n has its shards");
        push @forwarders, $forwarder;
    }

    return @forwarders;
}


# the most that came in any window: arrivals in order, each with a weight
sub most {
    my ($window, @arrivals) = @_;
    my ($first, $sum, $most) = (0, 0, 0);

    for my $arrival (@arrivals) {
        $sum += $arrival->[1];
        $sum -= $arrivals[$first++][1]
            while $arrival->[0] - $arrivals[$first][0] >= $window;
        $most = $sum if $sum > $most;
    }

    return $most;
}


sub arrivals {
    my ($weigh, @requests) = @_;

    return sort { $a->[0] <=> $b->[0] }
        map { [$_->{at}, $weigh->($_)] } @requests;
}


# how often the script was called: nothing else asks for the time
sub calls {
    my ($calls) = $redis->call('info', 'commandstats')
        =~ /cmdstat_time:calls=(\d+)/;

    return $calls // 0;
}


# ---- 100 in 10 s ----

my @forwarders = start_owners('rate: [ { count: 100, per: 10s } ]');
my $wanted = 100 * $WINDOWS + 1;

add_events($redis, 100 * ($WINDOWS + 2), prefix => 'hundred');

my @requests = $receiver->wait_requests($wanted, 11 * $WINDOWS + 20);
my @arrivals = arrivals(sub { 1 }, @requests);
my $length = $arrivals[$wanted - 1][0] - $arrivals[0][0];
my $used = 10 * $WINDOWS / $length;

is(most(10, @arrivals), 100, 'never more than 100 in 10 s, and all of them');
cmp_ok($used, '>=', 0.98, 'at least 98 % are used');
diag(sprintf 'used %.2f %%', $used * 100);

my $calls = calls();

cmp_ok($calls, '<', 60 * $LOOPS * ($WINDOWS + 1),
       'nobody asks while there is nothing to get');
is(ledger($redis)->{'retry:hook'} // 0, 0, 'no attempt is used up');

my ($ttl) = sort { $a <=> $b }
    map { $redis->call('pttl', $_) } @{ $redis->call('keys', '*:limit:*') };

cmp_ok($ttl, '>', 0, 'what is booked ends by itself');

ok(becomes(sub {
    my %fields = @{ $redis->call('hgetall', '{mt:00}:loop:loop-0') };

    $fields{hook} && from_json($fields{hook})->{limited_ms} > 1000;
}, 5), 'a loop tells how long it had to wait');

$_->stop() for @forwarders;
$redis->call('flushall');


# ---- several at once, in other units; batches are cut to what there is ----

my $before = () = $receiver->requests();

@forwarders = start_owners(<<'END');
batch: { count: 20 }
rate:
  - { count: 30, per: 2s }
  - { count: 10, per: 1s, unit: requests }
  - { count: 6144, per: 1s, unit: bytes }
END

my @ids = add_events($redis, 90, prefix => 'several');

# one that is larger than a limit alone

$redis->call('xadd', '{mt:05}:in', '*', 'v', 1, 'id', 'large', 'src', 'test',
    'e', to_json({ type => 'track', event => 'E', messageId => 'large',
                   text => 'x' x 9000 }));

ok(becomes(sub { !missing([@ids, 'large'], hook_ids($receiver)) }, 40),
   'all is delivered');

@requests = $receiver->requests();
splice @requests, 0, $before;

cmp_ok(most(2, arrivals(sub { 1 }, @requests)), '<=', 30,
       'never more events than allowed');
cmp_ok(most(1, arrivals(sub { 1 }, @requests)), '<=', 10,
       'never more requests');

my @small = grep { length $_->{body} < 9000 } @requests;
my ($large) = grep { length $_->{body} >= 9000 } @requests;

cmp_ok(most(1, arrivals(sub { length $_[0]{body} }, @small)), '<=', 6144,
       'never more bytes');
is(scalar(grep { abs($_->{at} - $large->{at}) < 0.9 } @requests), 1,
   'what is larger than a limit goes alone');


# ---- Redis says no ----

$redis->call('del', '{mt:00}:limit:hook:0');
$redis->call('set', '{mt:00}:limit:hook:0', 'no hash');
$before = () = $receiver->requests();
add_events($redis, 16, prefix => 'refused');
ok(becomes(sub { grep { $_->logged(qr/redis refused a step/) } @forwarders },
           10), 'an error is told');

$redis->call('del', '{mt:00}:limit:hook:0');
ok(becomes(sub { drained($redis, 'hook') }, 20), 'then it goes on');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');


# ---- connections that die: libcurl sends once more by itself ----

$_->stop() for @forwarders;
$redis->call('flushall');
$before = () = $receiver->requests();
$receiver->answer(answers => [ { status => 200 }, { cut => 1 },
                               { status => 200 }, { cut => 1 } ],
                  always => { status => 200 });

my $forwarder = $t->forwarder(forwarder_conf(
    without => 'archive', hook => $receiver->url('/hook'),
    hook_limits => "rate: [ { count: 3, per: 3s, unit: requests } ]\n"
        . "concurrency: 1\nretry: { base: 50ms, factor: 2, cap: 1s }"));

@ids = add_events($redis, 7, prefix => 'dies', shard => 3);
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 30),
   'all is delivered over connections that die');

@requests = $receiver->requests();
splice @requests, 0, $before;
is(scalar(grep { !$_->{status} } @requests), 2, 'two of them died');
cmp_ok(most(3, arrivals(sub { 1 }, @requests)), '<=', 3,
       'what is repeated counts');

$t->done();
