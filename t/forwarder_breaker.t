#!/usr/bin/perl

# A vendor that is down: noticed soon, asked seldom, and served again as soon
# as it is back; nobody else notices.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Path;
use Martech::Test;
use Time::HiRes qw(time);

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
    hook_limits => "retry: { base: 20ms, factor: 2, cap: 200ms }\n"
        . "timeout: 1s\nconnect_timeout: 500ms\n"
        . "breaker: { open: 1s, cap: 2s }");
my $forwarder = $t->forwarder($conf);
my $cli = Martech::Command->new($t, $conf);


sub attempts {
    return grep { ($_->{msg} // '') eq 'attempt'
                  && $_->{destination} eq 'hook' } $forwarder->log_lines();
}


# [from, to, reason] of each change of state
sub changes {
    return map { [@$_{qw(from to reason ts)}] }
        grep { ($_->{msg} // '') eq 'destination changed state'
               && $_->{destination} eq 'hook' } $forwarder->log_lines();
}


sub states { join ' ', map { $_->[1] } changes() }


# seconds since the epoch, from the stamp of a line
sub at {
    my ($ts) = @_;
    my ($h, $m, $s) = $ts =~ /T(\d+):(\d+):([\d.]+)Z/;

    return $h * 3600 + $m * 60 + $s;
}


sub told {
    my %fields = @{ $redis->call('hgetall', '{mt:00}:loop:tester') };

    return $fields{hook} ? from_json($fields{hook}) : {};
}


# ---- all is well ----

my @ids = add_events($redis, 400, prefix => 'well');

ok(becomes(sub { drained($redis, 'hook')
                 && !missing(\@ids, hook_ids($receiver)) }, 30),
   'events are delivered');

is(states(), '', 'and the state does not change');
ok(becomes(sub { (told()->{sent} // 0) == 400 }, 10),
   'a loop tells how many it has sent');
is(told()->{breaker}, 'closed', 'and that all is well');

my $normal = told()->{concurrency};

cmp_ok($normal, '>=', 2, 'the concurrency has grown');
cmp_ok($redis->call('pttl', '{mt:00}:loop:tester'), '>', 0,
       'what it tells does not outlive it');


# ---- down ----

my $before = attempts();

$receiver->stop();

my $down = time();
my @down = add_events($redis, 200, prefix => 'down');

ok(becomes(sub { states() =~ /open/ }, 20), 'it is noticed');

my $seconds = time() - $down;
my $tried = attempts() - $before;

cmp_ok($seconds, '<', 3, 'within 3 s');
cmp_ok($tried, '<=', 20, 'and 20 requests');
ok(becomes(sub { !missing(\@down, file_ids($t)) }, 10),
   'another destination goes on');

ok(becomes(sub { (() = states() =~ /half_open/g) >= 3 }, 30),
   'it is asked again now and then');

my @changes = changes();
my $probes = grep { $_->[1] eq 'half_open' } @changes;
my $after = attempts();

cmp_ok($after - $before - $tried, '<=', $probes, 'one request each time');
ok(becomes(sub { told()->{breaker} =~ /open/ }, 5), 'the loop tells so');
ok(becomes(sub { $cli->run('status')->{out}
                 =~ /^hook\s.*breaker (?:half_)?open in 1 of 1 loops$/m }, 5),
   'and so does "status"');
like($cli->run('status', '--json')->{out}, qr/"breaker": "(?:half_)?open"/,
     'also to programs');

my @opens = map { at($_->[3]) } grep { $_->[1] eq 'open' } @changes;
my @halves = map { at($_->[3]) } grep { $_->[1] eq 'half_open' } @changes;

cmp_ok($halves[0] - $opens[0], '>=', 0.8, 'the first rest is about 1 s');
cmp_ok($halves[1] - $opens[1], '>=', 1.6, 'the second one 2 s');
cmp_ok($halves[2] - $opens[2], '<=', 2.9, 'the longest one is the cap');

my @dead = grep { /^dead:hook/ } keys %{ ledger($redis) };

is(scalar(@dead), 0, 'nothing is dead');


# ---- back ----

my $count = () = $receiver->requests();

$receiver->start();

my $back = time();
my @more = add_events($redis, 200, prefix => 'more');

ok(becomes(sub { states() =~ /closed$/ }, 10), 'it is noticed that it is back');
ok(becomes(sub { !missing([@down, @more], hook_ids($receiver)) }, 30),
   'and all is delivered');
cmp_ok(time() - $back, '<', 30, 'within 30 s');

@ids = add_events($redis, 400, prefix => 'after');

ok(becomes(sub { drained($redis, 'hook')
                 && !missing(\@ids, hook_ids($receiver)) }, 30),
   'more events are delivered');

my $fed = 0;

ok(becomes(sub {
    push @ids, add_events($redis, 40, prefix => 'fed' . $fed++);
    return told()->{concurrency} >= 0.9 * $normal;
}, 30), 'and as many at a time as before');
ok(becomes(sub { !missing(\@ids, hook_ids($receiver)) }, 30),
   'these are delivered, too');

ok(becomes(sub { drained($redis, 'hook') }, 20), 'drained');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');


# ---- one failing answer in many, and rejected events ----

@changes = changes();
$receiver->answer(always => { status => 200 }, answers => [
    map { { status => $_ % 25 == 0 ? 500 : $_ % 3 == 0 ? 400 : 200 } }
        1 .. 100 ]);
add_events($redis, 100, prefix => 'some');

ok(becomes(sub { drained($redis, 'hook') }, 20), 'drained');
is(scalar(changes()), scalar(@changes), 'no reason to rest');

# ---- no answer in time, and out of order without a word about when ----

for my $answer ({ status => 200, delay => 30 }, { status => 503 }) {
    my $changes = changes();

    $receiver->answer(always => $answer, answers => []);
    add_events($redis, 100, prefix => 'slow' . $answer->{status});

    ok(becomes(sub { (states() =~ /\bopen(?: half_open open)*$/)
                     && changes() > $changes }, 30),
       "$answer->{status}: it is noticed");

    $receiver->answer(always => { status => 200 }, answers => []);
    ok(becomes(sub { states() =~ /closed$/ && drained($redis, 'hook') }, 60),
       "$answer->{status}: and served again");
}

ok(ledger_holds($redis, 'hook'), 'the ledger holds');

$t->done();
