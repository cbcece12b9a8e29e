#!/usr/bin/perl

# The high lane: what is urgent does not wait behind a backlog, also when it is
# in Redis only, fails, or has to be found by the next owner.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Martech::Http qw(from_json to_json);
use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 180);
my $redis = $t->redis();
my $receiver = $t->receiver(always => { status => 200, delay => 0.02 });
my $forwarder = $t->forwarder(
    forwarder_conf(without => 'archive', hook => $receiver->url('/hook'),
        hook_settings => 'framing: array',
        hook_limits => "priority: { high: [\"Order Completed\"] }\n"
            . "concurrency: 1\nbatch: { count: 20 }\n"
            . "retry: { base: 20ms, cap: 100ms }"));


sub add {
    my ($prefix, $count, %event) = @_;
    my @ids = map { "$prefix-$_" } 1 .. $count;
    my $client = $redis->client();

    for my $n (1 .. $count) {
        $client->xadd(sprintf('{mt:%02d}:in', $n % 16), '*', 'v', 1,
            'id', $ids[$n - 1], 'src', 'web', 'e', to_json({
                type => 'track', event => 'Seen', userId => "u$n",
                messageId => $ids[$n - 1], %event }), sub {});
    }

    $client->wait_all_responses();

    return @ids;
}


# ids in the order in which they were delivered
sub delivered {
    return map { map { $_->{messageId} } @{ from_json($_->{body}) } }
        grep { $_->{status} == 200 } $receiver->requests();
}


sub place {
    my ($wanted, @ids) = @_;
    my %wanted = map { $_ => 1 } @$wanted;
    my @places = grep { $wanted{ $ids[$_] } } 0 .. $#ids;

    return $places[-1];
}


# ---- a backlog larger than the window ----

my @normal = add('n', 5000);

ok(becomes(sub { (ledger($redis)->{'routed:hook'} // 0) == 5000 }, 30),
   'a backlog is routed');

my @high = (add('o', 5, event => 'Order Completed'),
            add('m', 5, context => { martech => { priority => 'high' } }));

ok(becomes(sub { !missing(\@high, delivered()) }, 60), 'urgent ones arrive');

my $before = place(\@high, delivered());

cmp_ok($before, '<', 2500, 'before most of those that came first');
diag("the last urgent one came after $before others");

# ---- found by the next owner ----

$forwarder->signal('STOP');
my @later = add('k', 10, event => 'Order Completed');
$receiver->answer(always => { status => 500, delay => 0.02 });
$forwarder->signal('CONT');
ok(becomes(sub { (ledger($redis)->{'routed:hook'} // 0) == 5020 }, 20),
   'urgent ones are routed');

# what is read key by key may move meanwhile
ok(becomes(sub { ledger_holds($redis, 'hook') }, 20),
   'the ledger holds with a high lane');
$forwarder->kill_now();
$receiver->answer(always => { status => 200, delay => 0.01 });

my $count = () = delivered();

$forwarder->start();
ok(becomes(sub { !missing(\@later, delivered()) }, 60),
   'the next owner delivers them');
cmp_ok(place(\@later, delivered()) - $count, '<', 2000,
       'before the backlog, too');

# ---- the end ----

$receiver->answer(always => { status => 200 });
ok(becomes(sub { drained($redis, 'hook') }, 60), 'all is done');

my %times;

$times{$_}++ for delivered();
ok(!missing([@normal, @high, @later], keys %times), 'none is missing');
ok(ledger_holds($redis, 'hook'), 'the ledger holds');
is(ledger($redis)->{'dead:hook'} // 0, 0, 'none is dead');
ok(becomes(sub { !$redis->count() }, 20), 'the streams are trimmed');

$t->done();
