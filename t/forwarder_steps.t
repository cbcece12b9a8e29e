#!/usr/bin/perl

# The forwarder is killed between every two steps: the next one takes over,
# every event arrives, and the ledger holds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $forwarder = $t->forwarder(
    forwarder_conf(hook => $receiver->url('/hook'),
        hook_limits => "retry: { base: 20ms, cap: 50ms }\n"
                       . "batch: { count: 5 }"),
    run => 0);

# [where it is killed, what the webhook answers before it says 200]
my @steps = (
    ['after_claim'],
    ['after_read'],
    ['after_route'],
    ['before_send'],
    ['after_send'],
    ['file_after_write'],
    ['before_done'],
    ['after_done'],
    ['before_retry', 500],
    ['after_retry', 500],
    ['before_dead', 400],
    ['after_dead', 400],
    ['before_trim'],
);

my @all;

for (@steps) {
    my ($step, $status) = @$_;
    # a refusal is for good, a failure goes by
    my @failures = ($status // 0) == 500 ? ({ status => 500 }) x 3 : ();
    my $always = ($status // 0) == 400 ? 400 : 200;

    $receiver->answer(answers => \@failures, always => { status => $always });

    my @ids = add_events($redis, 20, prefix => $step);

    push @all, @ids;

    $forwarder->start(env => { MARTECH_FAIL_AT => $step });
    ok($forwarder->wait_end(20), "$step: it is killed there")
        or $forwarder->kill_now();
    is(($forwarder->{process}->status() // 0) & 127, 9,
       "$step: it did not end by itself");

    $forwarder->start();

    ok(becomes(sub { !missing(\@ids, file_ids($t)) }, 20),
       "$step: the file gets every event");
    ok(becomes(sub { drained($redis, 'archive', 'hook') }, 20),
       "$step: nothing waits any more");

    my @lost = missing(\@ids, hook_ids($receiver));
    my $dead = 0;

    for my $tag (Martech::Redis::tags('mt', 16)) {
        $dead += grep { my %entry = @{ $_->[1] }; $entry{id} =~ /^$step-/ }
            @{ $redis->call('xrange', "$tag:dead:hook", '-', '+') };
    }

    is(@lost, $dead, "$step: the webhook gets every event, or it is dead");
    is($dead > 0, $step =~ /_dead$/, "$step: dead letters only where refused");

    for my $dest (qw(archive hook)) {
        ok(ledger_holds($redis, $dest), "$step: the ledger holds for $dest");
    }

    ok($forwarder->stop(), "$step: it ends when asked to");
}

is(ledger($redis)->{in}, @all, 'every event was routed once');

$t->done();
