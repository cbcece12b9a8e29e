#!/usr/bin/perl

# A destination that is down for long: what waits for it goes to its fallback,
# each event once, over kill -9 too; and when it is back, so are its events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Command;
use Martech::Ledger qw(ledger_count ledger_fault);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $down = $t->receiver(always => { status => 500 });
my $spare = $t->receiver();
my $forwarder = $t->forwarder(forwarder_conf(
    without => 'archive', hook => $down->url('/down'),
    hook_settings => 'framing: object',
    hook_limits => "fallback: spare\nfallback_after: 1s\n"
        . 'retry: { base: 50ms, cap: 2s }')
    . '  spare:
    use: webhook
    settings: { url: ' . $spare->url('/spare') . ', framing: array }
    retry: { base: 50ms, cap: 2s }
');


# ---- down ----

my @ids = add_to('hook', 600, 'down');

ok(becomes(sub { !missing(\@ids, hook_ids($spare)) }, 30),
   'what waits goes to the fallback');
ok(becomes(sub { drained($redis, 'hook', 'spare') }, 10),
   'nothing is left');
is(scalar(hook_ids($spare)), @ids, 'each came once');
is(ledger_count($redis, 'moved', 'hook'), @ids, 'they are counted as moved');
is(ledger_count($redis, 'routed', 'spare'), @ids,
   'and as routed to the other');
is(ledger_count($redis, 'done', 'spare'), @ids, 'where they are done');
is(tries('hook'), 0, 'attempts are forgotten with them');
closes();
is($forwarder->logged(qr/its events go to the fallback/), 1, 'it is said once');

push @ids, add_to('hook', 40, 'more');
ok(becomes(sub { !missing(\@ids, hook_ids($spare)) }, 30),
   'new events are moved likewise');


# ---- back ----

$down->answer(always => { status => 200 });

# the first ones may still be moved: it is tried from time to time only
my $tries = 0;

ok(becomes(sub {
    add_to('hook', 1, 'back' . $tries++);
    5 <= grep { /^back/ } hook_ids($down);
}, 30), 'it comes back');

my @back = add_to('hook', 40, 'again');

ok(becomes(sub { !missing(\@back, hook_ids($down)) }, 20),
   'and gets what is new');
is(scalar(grep { /^again/ } hook_ids($spare)), 0, 'the fallback gets no more');
closes();


# ---- killed between the steps ----

for my $point ('before_move', 'after_move') {
    $down->answer(always => { status => 500 });
    $forwarder->stop();
    @ids = add_to('hook', 100, $point);
    $forwarder->start(env => { MARTECH_FAIL_AT => $point });
    ok($forwarder->wait_end(30), "$point: it is killed there");
    $forwarder->start();
    ok(becomes(sub { !missing(\@ids, hook_ids($spare)) }, 30),
       "$point: the fallback gets every event");
    ok(becomes(sub { drained($redis, 'hook', 'spare') }, 10),
       "$point: nothing is left");
    is(scalar(grep { /^\Q$point\E-/ } hook_ids($spare)), @ids,
       "$point: each came once");
    closes();
}


# ---- what the fallback has already ----

{
    $spare->answer(always => { status => 500 });
    $forwarder->stop();

    my $moved = ledger_count($redis, 'moved', 'hook');
    my $routed = ledger_count($redis, 'routed', 'spare');

    @ids = add_events($redis, 50, prefix => 'both');
    $forwarder->start();
    ok(becomes(sub { ledger_count($redis, 'moved', 'hook') == $moved + 50 },
               30), 'both are down: the one hands over');
    is(ledger_count($redis, 'routed', 'spare'), $routed + 50,
       'what waits there already is not there twice');
    is(ledger_count($redis, 'joined', 'spare'), 50, 'which is counted');

    $spare->answer(always => { status => 200 });
    ok(becomes(sub { drained($redis, 'hook', 'spare') }, 30), 'all end');
    is(scalar(grep { /^both-/ } hook_ids($spare)), 50, 'each came once');
    closes();
}


# ---- a replay with the body of its first request ----

{
    $down->answer(always => { status => 500 });
    $redis->call('xadd', '{mt:01}:in', '*', 'v', 1, 'id', 'sent-1',
        'src', 'web', 'to', 'hook', 'body', '{"secret":"of another vendor"}',
        'e', to_json({ type => 'track', event => 'Added',
                       messageId => 'sent-1', userId => 'u' }));
    @ids = ('sent-1', add_to('hook', 20, 'beside'));
    ok(becomes(sub { !missing(\@ids, hook_ids($spare)) }, 30),
       'the fallback gets the event');
    is((grep { $_->{body} =~ /another vendor/ } $spare->requests()), 0,
       'not what was made for another destination');
    ok(becomes(sub { drained($redis, 'hook', 'spare') }, 10), 'all end');
    closes();
    $down->answer(always => { status => 200 });
}


# ---- a fallback that is none ----

$forwarder->stop();

{
    my $conf = $t->fill(forwarder_conf(without => 'archive',
        hook => $down->url('/down'), hook_limits => 'fallback: hook'));
    my $bad = Martech::Forwarder->new(dir => $t->dir() . '/bad',
        program => $forwarder->{program}, conf => $conf);

    ok(!eval { $bad->start() }, 'a destination is not its own fallback');
}

$t->done();


sub closes {
    is(ledger_fault($redis, $_), '', "the ledger closes for $_")
        for qw(hook spare);

    my $seen = Martech::Command->new($t, $forwarder->{conf})->run('ledger');

    is($seen->{status}, 0, 'and the command says so, too')
        or diag($seen->{out});
}


sub tries {
    my ($dest) = @_;

    return scalar grep { $redis->call('exists', "$_:try:$dest") }
        Martech::Redis::tags('mt', 16);
}


# events for one destination alone
sub add_to {
    my ($dest, $count, $prefix) = @_;
    my @ids = map { "$prefix-$_" } 1 .. $count;
    my $shard = 0;

    for my $id (@ids) {
        my $tag = sprintf '{mt:%02d}', $shard++ % 3;

        $redis->call('xadd', "$tag:in", '*', 'v', 1, 'id', $id, 'src', 'web',
            'to', $dest, 'e', to_json({ type => 'track', event => 'Added',
                                        messageId => $id, userId => 'u' }));
    }

    return @ids;
}
