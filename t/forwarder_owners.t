#!/usr/bin/perl

# Several forwarders share the shards: evenly, and evenly again when one comes,
# ends, is killed, or hangs; nothing is lost, and nothing is sent twice but what
# was under way when one died.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

use Time::HiRes qw(time);

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $receiver = $t->receiver();

# the default lease, unless a case needs to wait for the end of one
sub loop {
    my ($name, %arg) = @_;
    my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                              without => 'archive');
    my $lease = $arg{lease} // '6s';

    return $t->forwarder($conf =~ s/name: tester/name: $name/r
                               =~ s/lease: 1s/lease: $lease/r, run => 0);
}


# name => [shards]
sub owners {
    my %owners;

    for my $shard (0 .. 15) {
        my $lease = $redis->call('get', sprintf '{mt:%02d}:owner', $shard);

        push @{ $owners{$1} }, $shard if ($lease // '') =~ /^\d+ (.*)$/;
    }

    return \%owners;
}


# all shards are owned by these, as many each, give or take one
sub even {
    my (@names) = @_;
    my $owners = owners();
    my @counts = sort { $a <=> $b }
        map { scalar @{ $owners->{$_} // [] } } @names;
    my $sum = 0;

    $sum += $_ for @counts;

    return $sum == 16 && keys %$owners == @names
        && $counts[-1] - $counts[0] <= 1;
}


# seconds until it holds, or undef
sub takes {
    my ($what, $limit) = @_;
    my $start = time();

    return becomes($what, $limit) ? time() - $start : undef;
}


# within so many seconds it becomes true; sanitized programs are slow
sub within {
    my ($limit, $what, $name) = @_;

    $limit *= 2 if $ENV{MARTECH_ASAN};

    my $took = takes($what, $limit + 10);

    ok(defined $took && $took <= $limit, "$name, within $limit s")
        or diag(defined $took ? "after $took s" : 'never',
                explain(owners()));
}


my (@ids, %came);
my $round = 0;

# events for all shards; their ids
sub feed {
    my ($count) = @_;
    my @new = add_events($redis, $count // 64, prefix => 'r' . ++$round);

    push @ids, @new;

    return @new;
}


# a fresh round arrives within so many seconds
sub delivers {
    my ($limit, $name) = @_;
    my @new = feed();

    within($limit, sub { arrived(@new) }, $name);
}


sub arrived { my (@some) = @_; !missing(\@some, hook_ids($receiver)) }


# how often the most frequent one came
sub most {
    my ($pattern) = @_;
    my %count;
    my $most = 0;

    $count{$_}++ for grep { /^$pattern/ } hook_ids($receiver);
    $_ > $most and $most = $_ for values %count;

    return $most;
}


# ---- one alone, then a second, then a third ----

my $one = loop('one');
my $two = loop('two');
my $three = loop('three');

$one->start();
within(2, sub { even('one') }, 'one alone has all');
delivers(5, 'and delivers');

$two->start();
within(3, sub { even(qw(one two)) }, 'a second one gets half');
feed();

# while it gives shards away it has requests under way
$receiver->answer(always => { status => 200, delay => 0.2 });

my @under_way = feed(160);

$three->start();
within(6, sub { even(qw(one two three)) }, 'a third one gets a third');
$receiver->answer(always => { status => 200 });
within(10, sub { arrived(@under_way) }, 'all is delivered');
is(most('r'), 1, 'nothing was delivered twice');
is_deeply([sort @{ $redis->call('zrange', '{mt:00}:loops', 0, -1) }],
          [sort qw(one two three)], 'the list of loops');

# ---- one ends ----

my @late = feed();

ok($three->stop(), 'TERM ends the third');
within(1.5, sub { even(qw(one two)) }, 'the others have its shards');
within(3, sub { arrived(@late) }, 'and deliver');
is(most('r'), 1, 'again nothing twice');
is(scalar grep({ $_ eq 'three' }
               @{ $redis->call('zrange', '{mt:00}:loops', 0, -1) }), 0,
   'it is off the list');

# ---- a start of two at once, no order of them ----

$three->start();
within(3, sub { even(qw(one two three)) }, 'it is back');

# ---- one is killed ----

my @orphans = @{ owners()->{two} };

$two->kill_now();

my @after;

for my $shard (@orphans) {
    push @after, add_events($redis, 3, prefix => "k$shard", shard => $shard);
}

push @ids, @after;
within(10, sub { arrived(@after) },
       'the shards of one that was killed are delivered by others');
within(3, sub { even(qw(one three)) }, 'evenly');

# ---- it comes back under its name ----

$two->start();
within(3, sub { even(qw(one two three)) }, 'it gets its part again');
$two->kill_now();
$two->start();
delivers(2, 'killed and started at once, it takes its own leases at once');

# ---- one hangs longer than its lease ----

$_->stop() for $one, $two, $three;
$_->write_conf($_->{conf} =~ s/lease: 6s/lease: 1s/r) for $one, $two;
$one->start();
$two->start();
within(3, sub { even(qw(one two)) }, 'two with a short lease');

$receiver->answer(always => { status => 200, delay => 0.3 });
feed(200);
$receiver->wait_requests(scalar($receiver->requests()) + 5);
$one->signal('STOP');

my @hung = feed();

within(8, sub { even('two') }, 'the other takes all of one that hangs');
$receiver->answer(always => { status => 200 });
within(15, sub { arrived(@hung) }, 'and delivers');
$one->signal('CONT');
within(5, sub { even(qw(one two)) }, 'the one that hung gets a part again');
delivers(20, 'it delivers');
within(5, sub { arrived(@ids) }, 'all is delivered');
ok(most('r') <= 2, 'nothing more than twice');
within(10, sub { drained($redis, 'hook') }, 'nothing waits');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');
ok($one->logged(qr/lease of shard lost/), 'what it held was refused');

# ---- Redis is away for longer than their leases: each comes back to its own --

{
    my $before = owners();
    my $lines = $one->logged(qr/shard claimed/);

    $redis->freeze();
    ok(!becomes(sub { !$one->running() || !$two->running() }, 3),
       'two wait for redis');
    $redis->thaw();
    $redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes');
    delivers(5, 'they go on');
    within(2, sub { even(qw(one two)) }, 'evenly');
    is_deeply(owners(), $before, 'each with the shards that it had');
}

# ---- a list that nobody can write does not stop anybody ----

$_->stop() for $one, $two;
$redis->call('del', '{mt:00}:loops');
$redis->call('set', '{mt:00}:loops', 'foreign');
$one->start();
within(5, sub { even('one') }, 'without a list one takes all');
ok($one->logged(qr/cannot take part in the list/), 'and says why');
$redis->call('del', '{mt:00}:loops');
delivers(5, 'it delivers');

# ---- the answer to a claim is lost: no lease is waited for ----

$one->stop();

{
    my $proxy = $t->proxy();
    my $four = loop('four', lease => '30s');
    my ($taken_over, $slowest) = (0, 0);

    $four->write_conf($four->{conf} =~ s/unix:\S+/$proxy->address()/er);
    $four->start();
    within(3, sub { even('four') }, 'one with a long lease');

    # Wherever the next connection breaks: in the login, in the answers to the
    # claims, or behind them.
    for my $bytes (map { $_ * 90 } $ENV{MARTECH_LONG} ? 1 .. 16
                                                      : (2, 8, 9, 11))
    {
        my $epoch = epoch();
        my $start = time();

        $proxy->cut();
        $redis->call('del', map { sprintf '{mt:%02d}:owner', $_ } 0 .. 15);
        $proxy->cut_after(to_client => $bytes);

        my @new = feed(16);

        becomes(sub { arrived(@new) }, 40);

        my $took = time() - $start;

        $slowest = $took if $took > $slowest;
        $taken_over++ if epoch() > $epoch + 1;
    }

    # many breaks one after the other make it wait a little, as any would
    ok($slowest < 15, 'a lost answer to a claim costs no lease')
        or diag("$slowest s");
    ok($taken_over > 0, 'some answers were lost');
    $proxy->resume();
    $four->stop();
}


sub epoch { return $redis->call('get', '{mt:15}:epoch') }


ok(arrived(@ids), 'in all that, no event was lost');
$t->done();
