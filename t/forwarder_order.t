#!/usr/bin/perl

# Order of a person: 50 persons with 40 events each, and answers prescribed for
# each event.  With "order: person" a receiver sees the events of each person
# one after another, whatever it answers, and over kill -9; without it, it
# does not, which shows that this test can tell.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Ledger qw(ledger_count ledger_fault);
use Martech::Path;
use Martech::Scripted;
use Martech::Test;

my ($PERSONS, $EVENTS, $KILLS) = (50, 40, 5);

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();

srand 20261;

# the same for all runs: event => answers
my %script = prescribe();


# ---- with order, one event a request ----

{
    my ($receiver, $forwarder) = run(order => 'person');
    my $seen = wait_end($receiver);

    is_deeply([ backward($seen) ], [], 'nobody\'s events overtake');
    is_deeply([ after_end($seen) ], [], 'nothing is sent after its end');
    is_deeply([ untrue($seen) ], [], 'each got the answers that it must');
    closes($receiver, $forwarder);
}


# ---- with order, many events a request ----

{
    my ($receiver, $forwarder) = run(order => 'person', framing => 'array',
                                     batch => 20);
    my $seen = wait_end($receiver);

    is_deeply([ backward_success($seen) ], [],
              'batches: nobody\'s events overtake');
    closes($receiver, $forwarder);
}


# ---- without order ----

{
    my ($receiver, $forwarder) = run(order => 'none');
    my $seen = wait_end($receiver);

    cmp_ok(scalar backward($seen), '>', 0,
           'without order events overtake each other');
    closes($receiver, $forwarder);
}


# ---- with order, killed again and again ----

{
    my ($receiver, $forwarder) = run(order => 'person');
    my $total = $PERSONS * $EVENTS;

    for my $kill (1 .. $KILLS) {
        $receiver->wait_requests($total * $kill / ($KILLS + 1), 60);
        $forwarder->kill_now();
        $forwarder->start();
    }

    my $seen = wait_end($receiver);

    is_deeply([ backward($seen) ], [], 'killed: nobody\'s events overtake');

    # each kill leaves at most what was under way without a record
    cmp_ok(scalar after_end($seen), '<=', $KILLS * 8,
           'killed: only what was on its way is sent again');
    closes($receiver, $forwarder);
}


# ---- attempts outlive the process ----

{
    $redis->call('flushall');

    my $receiver = Martech::Scripted->new(
        file => $t->folder('scripted') . '.ndjson',
        script => { 'e-1' => [ (500) x 4, 200 ] });
    my $forwarder = $t->forwarder(
        conf($t->helper($receiver), order => 'person'), run => 0);

    add_events($redis, 3, shard => 3);
    $forwarder->start(env => { MARTECH_FAIL_AT => 'after_retry:3' });
    ok($forwarder->wait_end(20), 'it is killed after the third attempt');
    is($redis->call('xlen', '{mt:03}:q:hook'), 3,
       'what failed stays in its place');
    like($redis->call('hvals', '{mt:03}:try:hook')->[0], qr/^3\b/,
         'and its attempts are known');
    $forwarder->start();
    ok(becomes(sub { ledger_count($redis, 'done', 'hook') == 3 }, 20),
       'the next one sends it');
    is(join(' ', map { $_->[0] } $receiver->history()),
       'e-1 e-1 e-1 e-1 e-1 e-2 e-3', 'and then those behind it');
    is($forwarder->logged(qr/"attempt":5,"class":"delivered"/), 1,
       'it has counted on');
    is(ledger_count($redis, 'retry', 'hook'), 4, 'so has the ledger');
    $forwarder->stop();
}



# ---- what has failed waits before it is sent again ----

{
    $redis->call('flushall');

    my $receiver = Martech::Scripted->new(
        file => $t->folder('scripted') . '.ndjson',
        script => { 'one-1' => [ (500) x 4, 200 ] });
    my $conf = conf($t->helper($receiver), order => 'person');
    my $forwarder = $t->forwarder(
        $conf =~ s/base: 20ms, cap: 40ms/base: 300ms, cap: 300ms/r);

    add_person('one', 2);

    my @at = map { $_->{at} } $receiver->wait_requests(6);

    # four waits, each 1 to 300 ms
    cmp_ok($at[4] - $at[0], '>', 0.1, 'there are waits between attempts');
    cmp_ok($at[5] - $at[4], '<', 0.1, 'and none before the next event');
    $forwarder->stop();
}


# ---- who waits does not fill the window ----

{
    $redis->call('flushall');

    # the first event of "slow" never succeeds
    my $receiver = Martech::Scripted->new(
        file => $t->folder('scripted') . '.ndjson',
        script => { 'slow-1' => [ (500) x 10000 ] });
    my $forwarder = $t->forwarder(
        conf($t->helper($receiver), order => 'person',
             window => 'window: { count: 40 }'));

    add_person('slow', 60);
    add_person('quick', 30);
    ok(becomes(sub { 30 == grep { /^quick/ } hook_ids($receiver) }, 20),
       'others pass one whose events fill half of the window');
    is($forwarder->logged(qr/order holds the destination up/), 0,
       'which is all right');

    add_person('slow', 200);
    ok(becomes(sub { $forwarder->logged(qr/order holds the destination up/) },
               20), 'when memory is used up, it is said');
    add_person('late', 5);
    is(scalar(grep { /^slow/ } hook_ids($receiver)), 0,
       'nothing passes its own');
    is($forwarder->logged(qr/order holds the destination up/), 1,
       'and said once');

    my @history = $receiver->history();

    cmp_ok(scalar(grep { $_->[0] eq 'slow-1' } @history), '>', 3,
           'it was tried all the time');
    is(scalar(grep { $_->[0] =~ /^slow-(?!1$)/ } @history), 0,
       'and nothing behind it');
    $forwarder->stop();
}

$t->done();


sub prescribe {
    my %script;

    for my $person (1 .. $PERSONS) {
        for my $n (1 .. $EVENTS) {
            my $dice = rand 100;

            $script{"$person-$n"} = $dice < 10 ? [500, 200]
                : $dice < 13 ? [500, 500, 200] : $dice < 14 ? ['hang', 200]
                : $dice < 17 ? [400] : $dice < 19 ? ['cut', 200] : [200];
        }
    }

    return %script;
}


# order; framing, batch: of the requests
sub run {
    my (%arg) = @_;
    my %lists = map { ($_ => [ @{ $script{$_} } ]) } keys %script;

    $redis->call('flushall');

    my $receiver = Martech::Scripted->new(
        file => $t->folder('scripted') . '.ndjson', script => \%lists);

    $t->helper($receiver);
    add_persons();

    my $forwarder = $t->forwarder(conf($receiver, %arg));

    return ($receiver, $forwarder);
}


# all these failures are no reason to rest: t/forwarder_breaker.t
sub conf {
    my ($receiver, %arg) = @_;
    my $batch = $arg{batch} // 1;

    return forwarder_conf(
        without => 'archive', hook => $receiver->url('/hook'),
        hook_settings => 'framing: ' . ($arg{framing} // 'object'),
        hook_limits => "order: $arg{order}\nbatch: { count: $batch }\n"
            . ($arg{window} // '')
            . "\nconcurrency: 8\ntimeout: 300ms\nconnect_timeout: 300ms\n"
            . "retry: { base: 20ms, cap: 40ms, attempts: 50 }\n"
            . 'breaker: { count: 100000, in_a_row: 10000 }');
}


# all into one shard
sub add_person {
    my ($name, $count) = @_;

    for my $n (1 .. $count) {
        $redis->call('xadd', '{mt:03}:in', '*', 'v', 1, 'id', "$name-$n",
            'src', 'test', 'e', to_json({ messageId => "$name-$n",
                                          userId => $name }));
    }
}


# in turns: all their first events, all their second ones ...
sub add_persons {
    my $client = $redis->client();

    for my $n (1 .. $EVENTS) {
        for my $person (1 .. $PERSONS) {
            my $tag = sprintf '{mt:%02d}', $person % 16;

            $client->xadd("$tag:in", '*', 'v', 1, 'id', "$person-$n",
                'src', 'test', 'e', to_json({
                    type => 'track', event => 'Added',
                    messageId => "$person-$n", userId => "user $person",
                    anonymousId => "device $n" }), sub {});
        }

        $client->wait_all_responses();
    }
}


# { person => [[n, status], ...] } when every event has ended
sub wait_end {
    my ($receiver) = @_;

    ok(becomes(sub {
        ledger_count($redis, 'done', 'hook')
            + ledger_count($redis, 'dead', 'hook') == $PERSONS * $EVENTS
    }, 60), 'all events end');

    my %seen;

    for ($receiver->history()) {
        my ($id, $status) = @$_;
        my ($person, $n) = split /-/, $id;

        push @{ $seen{$person} }, [$n, $status];
    }

    return \%seen;
}


# "person-n" of each event that came after a later one of its person
sub backward {
    my ($seen) = @_;
    my @found;

    for my $person (keys %$seen) {
        my $highest = 0;

        for (@{ $seen->{$person} }) {
            push @found, "$person-$_->[0]" if $_->[0] < $highest;
            $highest = $_->[0] if $_->[0] > $highest;
        }
    }

    return @found;
}


# the same, of what was taken only
sub backward_success {
    my ($seen) = @_;

    return backward({ map { my $person = $_;
        ($person => [ grep { $_->[1] == 200 } @{ $seen->{$person} } ]) }
        keys %$seen });
}


# what was sent once more after it was taken or refused for good
sub after_end {
    my ($seen) = @_;
    my @found;

    for my $person (keys %$seen) {
        my %ended;

        for (@{ $seen->{$person} }) {
            push @found, "$person-$_->[0]" if $ended{$_->[0]};
            $ended{$_->[0]} = 1 if $_->[1] == 200 || $_->[1] == 400;
        }
    }

    return @found;
}


# those whose answers are not the prescribed ones
sub untrue {
    my ($seen) = @_;
    my %got;

    for my $person (keys %$seen) {
        push @{ $got{"$person-$_->[0]"} }, $_->[1] for @{ $seen->{$person} };
    }

    return grep {
        join(' ', @{ $got{$_} // [] })
            ne join ' ', map { /\D/ ? 0 : $_ } @{ $script{$_} }
    } keys %script;
}


# nothing is left, and the ledger says the same
sub closes {
    my ($receiver, $forwarder) = @_;
    my $refused = grep { $_->[0] eq '400' } values %script;
    my $dead = ledger_count($redis, 'dead', 'hook');

    is(ledger_fault($redis, 'hook'), '', 'the ledger closes');
    is($dead, $refused, 'as many are dead as were refused');
    is(scalar(grep { $redis->call('exists', "$_:try:hook") }
              Martech::Redis::tags('mt', 16)), 0, 'no attempts are left');
    ok($forwarder->stop(), 'it ends');
    $receiver->stop();
}
