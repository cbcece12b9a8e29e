#!/usr/bin/perl

# Routing: which destination gets which events and why not, what the ledger
# says of it, entries for one destination, and steps that are refused, lost or
# meet keys of others.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);

use Martech::Http qw(to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver();
my $list = $t->file('suppressed', "# on request\nbob\n"
                                  . sha256_hex('carol') . "\n");

my %RULES = (
    off => 'enabled: false',
    orders => 'events: ["Order *", "!Order Viewed", page]',
    consent => 'consent: [advertising]',
    fewer => "suppress: $list",
    when => 'when: ".event.properties.value > 10"',
    half => 'rollout: 50',
);

my $conf = forwarder_conf(hook => $receiver->url('/hook'),
                          hook_limits => "sources: [web]\n");

for my $name (sort keys %RULES) {
    $conf .= "  $name:\n    use: file\n    settings: { path: "
        . $t->dir() . "/$name }\n    $RULES{$name}\n";
    mkdir $t->dir() . "/$name";
}

my $forwarder = $t->forwarder($conf);
my $number = 0;


# One entry; its messageId.
sub entry {
    my ($shard, $event, %fields) = @_;
    my $id = $fields{id} // 'r' . ++$number;

    $redis->call('xadd', sprintf('{mt:%02d}:in', $shard),
        delete $fields{at} // '*', 'v', 1, 'src', 'web', 'id', $id, %fields,
        'e', to_json({ type => 'track', event => 'Seen', messageId => $id,
                       %$event }));

    return $id;
}


sub settled {
    my ($count) = @_;
    my @dests = ('archive', 'hook', keys %RULES);

    return becomes(sub {
        my $ledger = ledger($redis);

        return ($ledger->{in} // 0) == $count && drained($redis, @dests);
    }, 20);
}


# in = routed + refused, of every destination, and digests of what is routed
sub adds_up {
    my ($what) = @_;
    my $ledger = ledger($redis);
    my $in = ($ledger->{in} // 0) - ($ledger->{duplicate} // 0);

    for my $dest ('archive', 'hook', keys %RULES) {
        my $refused = 0;

        $refused += $ledger->{$_}
            for grep { /^refused:\Q$dest\E:[^:]+\z/ } keys %$ledger;

        my $routed = ($ledger->{"routed:$dest"} // 0)
            - ($ledger->{"in_to:$dest"} // 0);

        is($routed + $refused, $in, "$what: all is routed or refused: $dest");
        ok(ledger_holds($redis, $dest), "$what: the ledger holds: $dest");
    }
}


sub digest {
    my ($ms, $seq) = split /-/, $_[0];

    return ($ms % 2**21 * 1103515245 + $seq % 2**16 * 2654435761) % 2**32;
}


# ---- rules ----

my @EVENTS = (
    [{ userId => 'alice', event => 'Order Paid',
       properties => { value => 11 } }],
    [{ userId => 'bob', event => 'Order Viewed',
       properties => { value => 9 } }],
    [{ userId => 'carol', type => 'page',
       context => { martech => { consent => { granted => [] } } } }],
    [{ anonymousId => 'bob', event => 'Seen',
       context => { martech => { consent => {
                    granted => ['advertising'] } } } }],
    [{ userId => 'dave', properties => 7 }, src => 'crm'],
);

entry(3, @$_) for @EVENTS;

ok(settled(5), 'five events are routed');

my $ledger = ledger($redis);

is($ledger->{"in:$_->[0]"}, $_->[1], "entries of $_->[0]")
    for ['web', 4], ['crm', 1];

is($ledger->{"refused:$_->[0]"}, $_->[1], "refused: $_->[0]")
    for ['off:disabled', 5], ['hook:source:crm', 1], ['orders:name', 3],
        ['consent:consent', 1], ['fewer:suppressed', 3], ['when:when', 3],
        ['when:when_error', 1];

is($ledger->{'routed:archive:web'}, 4, 'no rules: everything of a source');
is($ledger->{'routed:archive:crm'}, 1, 'and of another');
is($ledger->{'routed:when'}, 1, 'a program lets one pass');
is($ledger->{'routed:orders'}, 2, 'so do names');
is($redis->call('exists', '{mt:03}:q:off'), 0,
   'a queue that gets nothing is not made');

# ---- a share of persons ----

entry($_ % 16, { userId => "person-$_" }) for 1 .. 200;

ok(settled(205), 'more events');
$ledger = ledger($redis);
cmp_ok($ledger->{'routed:half'}, '>', 70, 'half of the persons are not few');
cmp_ok($ledger->{'routed:half'}, '<', 135, 'and not all');
adds_up('rules');

# ---- digests ----

{
    $receiver->answer(always => { status => 500 });

    my @ids = map { $redis->call('xadd', '{mt:05}:in', '*', 'v', 1,
                                 'id', "d$_", 'src', 'digest', 'e',
                                 to_json({ type => 'page',
                                           messageId => "d$_" })) } 1 .. 40;

    ok(becomes(sub { (ledger($redis)->{'in:digest'} // 0) == 40 }, 20),
       'events of a new source');

    my $wanted = 0;

    $wanted += digest($_) for @ids;
    is(ledger($redis)->{'in~:digest'}, $wanted, 'digest of what came in');
    is(ledger($redis)->{'routed~:archive:digest'}, $wanted,
       'and of what was routed');
    $receiver->answer(always => { status => 200 });
}

ok(settled(245), 'all done');

# ---- entries for one destination ----

entry(4, { userId => 'alice' }, to => 'off', n => 2);
entry(4, { userId => 'alice' }, to => 'hook', src => 'crm');

ok(becomes(sub { (ledger($redis)->{in_to} // 0) == 0
                 && (ledger($redis)->{'in_to:off:web'} // 0) == 1
                 && (ledger($redis)->{'in_to:hook:crm'} // 0) == 1
                 && drained($redis, 'off', 'hook') }, 20),
   'an entry for one destination passes its rules');
is(ledger($redis)->{in}, 245, 'and is counted apart');
is(ledger($redis)->{'routed:off'}, 1, 'as routed there');
adds_up('to');

# ---- a key of somebody else ----

$redis->call('set', '{mt:06}:q:when', 'foreign');

my $stuck = entry(6, { event => 'Stuck', properties => { value => 99 } });

ok(becomes(sub { $forwarder->logged(qr/"step":"route"/) }, 10),
   'a key of a wrong type is told');
ok(!grep({ $_ eq $stuck } file_ids($t)), 'nothing of the step is written');
is(ledger($redis)->{in}, 245, 'and nothing counted');
is($redis->call('xpending', '{mt:06}:in', 'forwarder')->[0], 1,
   'the entry waits');
$redis->call('del', '{mt:06}:q:when');
ok(settled(246), 'when it is gone, the step is done');
adds_up('wrong type');

# ---- the same step twice ----

{
    my $before = ledger($redis);

    $redis->call('xgroup', 'destroy', '{mt:03}:in', 'forwarder');

    my $id = entry(3, { event => 'After' });

    ok(settled(247), 'the group is lost: what was routed is not again');
    is(ledger($redis)->{'routed:archive'} - $before->{'routed:archive'}, 1,
       'one pointer more');
    adds_up('group lost');
}

# ---- a stream that begins again, with a clock that went back ----

{
    my $last = $redis->call('hget', '{mt:07}:ledger', 'last');
    my ($ms) = $last =~ /^(\d+)/;

    $redis->call('multi');
    $redis->call('del', '{mt:07}:in');

    my $old = entry(7, { event => 'Old' }, at => ($ms - 3_600_000) . '-1');

    $redis->call('exec');

    ok(becomes(sub { grep { $_ eq $old } file_ids($t) }, 20),
       'an entry older than all before is delivered');
    ok(settled(248), 'to all');
    ok($forwarder->logged(qr/older than those routed before/),
       'and that is told');
    is(scalar grep({ $_ eq $old } file_ids($t)), 1, 'once');
    adds_up('clock');
}

# ---- killed before the reply ----

{
    $forwarder->stop();

    my @ids;

    for my $round (1 .. 3) {
        push @ids, map { entry($_ % 16, { userId => "k$round-$_" }) } 1 .. 32;
        $forwarder->start(env => { MARTECH_FAIL_AT => 'after_route' });
        ok($forwarder->wait_end(20), 'killed when a step is done')
            or $forwarder->kill_now();
    }

    $forwarder->start();
    ok(settled(344), 'the next one goes on');

    # a reply that is lost on the way: steps and what is counted is the same

    push @ids, map {
        $redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes')
            if $_ % 20 == 0;
        entry($_ % 16, { userId => "c$_" });
    } 1 .. 200;

    ok(settled(544), 'connections are cut');
    ok(!missing(\@ids, file_ids($t)), 'no event is lost');
    is(ledger($redis)->{duplicate} // 0, 0,
       'an entry is not its own duplicate');
    adds_up('lost replies');
}

$t->done();
