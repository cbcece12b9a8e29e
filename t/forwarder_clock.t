#!/usr/bin/perl

# The clock of the machine is set by an hour, forth and back, while retries
# wait: they neither all come at once nor an hour later, limits hold, and no
# age becomes nonsense.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max);
use Time::HiRes qw(time);

use Martech::Path;
use Martech::Test;

my ($EVENTS, $WAIT) = (40, 4);

my $t = Martech::Test->new();
my $redis = $t->redis();
my $receiver = $t->receiver();
my $shim = $t->shim(folder => $t->dir() . '/none');

# the shim must come behind what a sanitized program wants to be first
my $preload = $t->{asan} ? `gcc -print-file-name=libasan.so` : '';

chomp $preload;

# waits of up to 4 s, and never more than 40 in 1 s
my $forwarder = $t->forwarder(
    forwarder_conf(without => 'archive', hook => $receiver->url('/hook'),
        top => "loops: 1\nmetrics: 127.0.0.1:9464",
        hook_limits => "retry: { base: ${WAIT}s, factor: 1, cap: ${WAIT}s }\n"
            . "rate: [ { count: 40, per: 1s } ]\n"
            . 'breaker: { count: 100000, in_a_row: 1000 }'),
    env => { %{ $shim->environment() },
             LD_PRELOAD => join ' ', grep { length } $preload,
                           $shim->library() });


for my $step (3600, -3600) {
    my $name = $step > 0 ? 'forth' : 'back';

    $shim->clock(0);
    $forwarder->stop();
    $forwarder->start();
    $receiver->answer(always => { status => 200 },
                      by => { map { ("$name-$_" => [{ status => 500 },
                                                    { status => 200 }]) }
                              1 .. $EVENTS });
    add_events($redis, $EVENTS, prefix => $name);

    my $pattern = qr/"messageId":"$name-/;

    wait_until(sub { first_ones($pattern) == $EVENTS }, 20, 'all failed');

    my $start = time();

    $shim->clock($step);
    ok(becomes(sub { drained($redis, 'hook') }, $WAIT * 3 + 10),
       "$name: none waits for the clock");
    cmp_ok(time() - $start, '<', $WAIT * 3 + 10, "$name: as long as before");

    my %at = times_of($pattern);
    my @waits = map { $_->[1] - $_->[0] } values %at;
    my $soon = grep { $_->[1] - $start < 0.5 } values %at;

    is(scalar(grep { @$_ != 2 } values %at), 0, "$name: each came twice");
    cmp_ok($soon, '<', $EVENTS / 2, "$name: they do not come at once");
    cmp_ok(max(@waits), '>', $WAIT / 4, "$name: there were waits");
    cmp_ok(most(1, map { @$_ } values %at), '<=', 40, "$name: the rate holds");
    ok(ledger_holds($redis, 'hook'), "$name: the ledger holds");
    is_deeply([ nonsense() ], [], "$name: no number is nonsense");
}

$t->done();


# { id => [arrivals] } of the requests that match
sub times_of {
    my ($pattern) = @_;
    my %at;

    for (grep { $_->{body} =~ $pattern } $receiver->requests()) {
        push @{ $at{ from_json($_->{body})->{messageId} } }, $_->{at};
    }

    return %at;
}


sub first_ones { my %at = times_of(@_); scalar keys %at }


# the most in any window
sub most {
    my ($window, @at) = @_;
    my ($first, $most) = (0, 0);

    @at = sort { $a <=> $b } @at;

    for my $i (0 .. $#at) {
        $first++ while $at[$i] - $at[$first] >= $window;
        $most = max($most, $i - $first + 1);
    }

    return $most;
}


# numbers of the metrics that no clock can explain
sub nonsense {
    my $text = get($t->port(9464), '/metrics')->{body} // '';

    return 'no metrics' unless $text =~ /queue_depth/;
    return grep { / -\d/ || / \d+$/ && /_seconds/ && !/timestamp|start_time/
                  && (split / /)[-1] > 7200 }
        grep { !/^#/ } split /\n/, $text;
}
