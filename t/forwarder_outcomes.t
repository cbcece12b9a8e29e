#!/usr/bin/perl

# What becomes of events: prescribed answers lead to exactly the attempts and
# ends that were foretold, and the ledger closes, digests included.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time);

use Martech::Path;
use Martech::Test;

my $t = Martech::Test->new(timeout => 240);
my $redis = $t->redis();
my $receiver = $t->receiver();

# all these failures are no reason to rest: t/forwarder_breaker.t
my $limits = "timeout: 1s\nretry: { base: 10ms, factor: 2, cap: 40ms }\n"
    . 'breaker: { count: 100000, in_a_row: 1000 }';
my $conf = forwarder_conf(without => 'archive', hook_limits => $limits,
                          hook => $receiver->url('/hook'));

for my $more (['never', 'on_timeout: dead'], ['perhaps', 'on_timeout: done'],
              ['fresh', 'max_age: 1m'])
{
    $conf .= "  $more->[0]:\n    use: webhook\n    settings: { url: "
        . $receiver->url("/$more->[0]") . " }\n    $more->[1]\n"
        . join '', map { "    $_\n" } split /\n/, $limits;
}

my $forwarder = $t->forwarder($conf);
my %id_of;                               # in the stream, by messageId


sub add {
    my ($dest, $id, %more) = @_;
    my $tag = sprintf '{mt:%02d}', $more{shard} // 0;

    $id_of{$id} = $redis->call('xadd', "$tag:in", $more{at} // '*', 'v', 1,
        'id', $id, 'src', $more{src} // 'test', 'to', $dest, 'e', to_json({
            type => 'track', event => 'E', messageId => $id,
            %{ $more{event} // {} } }));

    return $id;
}


sub dead {
    my ($dest) = @_;

    return map { { @{ $_->[1] } } }
        map { @{ $redis->call('xrange', "$_:dead:$dest", '-', '+') } }
        Martech::Redis::tags('mt', 16);
}


# What an ID adds to a digest.
sub digest {
    my ($ms, $seq) = split /-/, $_[0];

    return (($ms % 2**21) * 1103515245 + ($seq % 2**16) * 2654435761) % 2**32;
}


sub attempts {
    my ($id) = @_;

    return map { from_json($_) }
        grep { /"msg":"attempt".*"event":"\Q$id\E"/ }
        split /\n/, $forwarder->log_text();
}


# One event that meets these answers; its classes and statuses.
sub meets {
    my ($dest, @answers) = @_;
    my $id = 'm' . (keys %id_of);

    $receiver->answer(answers => [ map { ref ? $_ : { status => $_ } }
                                   @answers ],
                      always => { status => 200 });
    add($dest, $id);
    wait_until(sub { attempts($id) }, 10, 'an attempt');
    wait_until(sub { resumed($redis, $dest) }, 20, "$id is finished");

    return join ' ', map { "$_->{class} $_->{status}" } attempts($id);
}


# ---- too old ----

my $now = int(time() * 1000);

# a day old, and of a clock that was an hour ahead
add('fresh', 'old', shard => 3, at => ($now - 86_400_000) . '-0');
add('fresh', 'ahead', shard => 4, at => ($now + 3_600_000) . '-0');
ok(becomes(sub { (ledger($redis)->{'expired:fresh:test'} // 0) == 1
                 && (ledger($redis)->{'done:fresh:test'} // 0) == 1 }, 10),
   'one is too old, one cannot be');
is(ledger($redis)->{'expired~:fresh:test'}, digest($id_of{old}),
   'the digest tells which');

# ---- prescribed: 50 visitors, 40 events each ----

my @plans = (
    [200], [200], [500, 500, 200], [400], [429, 200], [503, 502, 200],
    [408, 425, 423, 200], [422], [500, 400], [418, 418, 418],
    [418, 500, 418, 200], [301], [204], [429, 503, 500, 200], [501], [500, 413],
);

# ends that are not good
my %bad = map { $_ => 1 } 400, 418, 422, 301, 501, 413;
my (%plan, %by);

# each 429 makes all events rest: those of a few visitors will do
my $throttled = $ENV{MARTECH_LONG} ? 50 : 4;

for my $visitor (1 .. 50) {
    for my $event (1 .. 40) {
        my $id = "v$visitor-$event";

        $plan{$id} = $plans[($visitor * 7 + $event * 3) % @plans];
        $plan{$id} = [500, 200]
            if $visitor > $throttled && grep { $_ == 429 } @{ $plan{$id} };
        $by{$id} = [ map { { status => $_ } } @{ $plan{$id} } ];
    }
}

$receiver->answer(by => \%by, always => { status => 200 });

for my $id (sort keys %plan) {
    my ($visitor, $event) = $id =~ /(\d+)-(\d+)/;

    add('hook', $id, shard => $visitor % 16,
        src => $event % 3 ? 'web' : 'app');
}

ok(becomes(sub { (ledger($redis)->{'routed:hook'} // 0) == 2000
                 && drained($redis, 'hook') }, 90), 'all are finished');

my %asked;

$asked{$_}++ for grep { $plan{$_} }
    map { from_json($_->{body})->{messageId} } $receiver->requests();

is_deeply(\%asked, { map { $_ => scalar @{ $plan{$_} } } keys %plan },
          'each was sent as often as foretold');

my %wanted = ('retry:hook' => 0);

for my $id (keys %plan) {
    my ($last) = reverse @{ $plan{$id} };
    my $end = $bad{$last} ? 'dead' : 'done';
    my ($event) = $id =~ /-(\d+)/;
    my $source = $event % 3 ? 'web' : 'app';

    $wanted{"$end:hook:$source"}++;
    $wanted{"$end~:hook:$source"} += digest($id_of{$id});
    $wanted{'retry:hook'} += @{ $plan{$id} } - 1;
}

my $ledger = ledger($redis);

is_deeply({ map { $_ => $ledger->{$_} } keys %wanted }, \%wanted,
          'the ledger has each end by source, and its digest');
ok(ledger_holds($redis, 'hook'), 'and closes');
is_deeply({ map { $_->{id} => $_->{attempts} } dead('hook') },
          { map { $_ => scalar @{ $plan{$_} } }
            grep { $bad{ $plan{$_}[-1] } } keys %plan },
          'those are dead that should be, after so many attempts');
is_deeply({ map { $_->{id} => join ' ', map { $_->{status} }
                  @{ from_json($_->{history}) } } dead('hook') },
          { map { $_ => join ' ', @{ $plan{$_} } }
            grep { $bad{ $plan{$_}[-1] } } keys %plan },
          'and tell which answers they got');
is($redis->call('hlen', sprintf '{mt:%02d}:try:hook', $_), 0,
   "shard $_: no record of attempts is left") for 0 .. 15;

# ---- nobody knows ----

my $hang = { status => 200, delay => 3 };

is(meets('hook', $hang), 'ambiguous 0 delivered 200',
   'no answer: again, by default');
is(meets('never', $hang), 'ambiguous 0', 'dead, if so configured');
is((dead('never'))[0]{reason}, 'ambiguous', 'with that reason');
like((dead('never'))[0]{hint}, qr/ask the receiver/, 'and what to do');

# on a connection that was used before a library may try again by itself

is(meets('perhaps', 200), 'delivered 200', 'all is well');

my $requests = () = $receiver->requests();

is(meets('perhaps', { cut => 1 }), 'ambiguous 0', 'done, if so configured');
is(ledger($redis)->{'done:perhaps:test'}, 2, 'and counted as that');
is(scalar(() = $receiver->requests()), $requests + 1, 'it was sent once');

# ---- the destination, not the event ----

my $retries = ledger($redis)->{'retry:hook'};

for my $status (401, 403) {
    is(meets('hook', ($status) x 3),
       "credentials $status " x 3 . 'delivered 200',
       "$status: the event waits as it is");
}

is(meets('hook', 410, 410, 410, 410, 200),
   'retry 410 retry 410 stop 410 stop 410 delivered 200',
   '410: three in a row stop the destination');
is(meets('hook', 404, 500, 404, 404),
   'retry 404 retry 500 retry 404 retry 404 delivered 200',
   '404: others between are no row');
is(ledger($redis)->{'retry:hook'}, $retries + 2 + 4,
   'no attempt was used up meanwhile');
is(meets('hook', 499, 499, 499, 200),
   join(' ', ('unclassified 499') x 3), 'an unknown status: three times');
is((dead('hook'))[-1]{reason}, 'unclassified', 'then it is dead');

# ---- the record of attempts ----

$receiver->answer(answers => [({ status => 500 }) x 2],
                  always => { status => 503, body => 'x',
                              headers => ['Retry-After' => 3600] });

my $tried = add('hook', 'tried', shard => 5);

wait_until(sub { attempts($tried) == 3 }, 10, 'three attempts');

my $try = becomes(sub {
    my $text = $redis->call('hget', '{mt:05}:try:hook', $id_of{tried}) // '';
    $text =~ /throttled/ && $text;
}, 5);

my $failed = qr/\d{13}\.retry\.500\.\d+/;

my $last = qr/\d{13}\.throttled\.503\.\d+/;

like($try, qr/^3 (\d{13}) (?=\1)$failed $failed $last$/,
     'it has the last ones');

# ---- clocks that were set back, records of older programs ----

$forwarder->stop();
$receiver->answer(answers => [], always => { status => 400 });

# the vendor's hour is over for all loops
$redis->call('hdel', '{mt:00}:state:hook', 'hold');

my $key = '{mt:05}:retry:hook';

$redis->call('zadd', $key, $now + 36_000_000, $id_of{tried});
add('hook', 'before', shard => 6);
$redis->call('xgroup', 'create', '{mt:06}:in', 'forwarder', '0', 'mkstream')
    unless $redis->call('exists', '{mt:06}:in');
$redis->call('xack', '{mt:06}:in', 'forwarder', $id_of{before});
$redis->call('xreadgroup', 'group', 'forwarder', 'gone', 'count', 100,
             'streams', '{mt:06}:in', '>');
$redis->call('xack', '{mt:06}:in', 'forwarder', $id_of{before});
$redis->call('zadd', '{mt:06}:retry:hook', 1, $id_of{before});
$redis->call('hset', '{mt:06}:try:hook', $id_of{before}, 5);
$redis->call('hincrby', '{mt:06}:ledger', 'routed:hook', 1);
$forwarder->start();

ok(becomes(sub { drained($redis, 'hook') }, 20),
   'what is due in ten hours is not waited for');

my %dead = map { $_->{id} => $_ } dead('hook');

is($dead{tried}{attempts}, 4, 'attempts go on after a restart');
is(scalar @{ from_json($dead{tried}{history}) }, 4, 'with their history');
is($dead{tried}{first_at}, (split / /, $try)[1], 'and their beginning');
is($dead{before}{attempts}, 6, 'a bare number is read as well');
ok(ledger_holds($redis, $_), "the ledger of $_ closes")
    for qw(hook never perhaps fresh);

# ---- steps of which the answer was lost ----

$receiver->answer(answers => [], always => { status => 200 });

my @cut;

for my $round (1 .. 4) {
    push @cut, map { add('perhaps', "cut$round-$_", shard => 7,
                         src => $_ % 2 ? 'web' : 'app') } 1 .. 60;
    wait_until(sub { (ledger($redis)->{'done:perhaps'} // 0) > 60 * $round
                     - 50 }, 10, 'some are done');
    $redis->call('client', 'kill', 'type', 'normal', 'skipme', 'yes');
}

ok(becomes(sub { drained($redis, 'perhaps')
                 && ledger($redis)->{'routed:perhaps'} == 242 }, 20),
   'connections are cut: events go on');

for my $source ('web', 'app') {
    my @mine = grep { /-(\d+)$/ && ($1 % 2 ? 'web' : 'app') eq $source } @cut;
    my $sum = 0;

    $sum += digest($id_of{$_}) for @mine;
    is(ledger($redis)->{"done:perhaps:$source"}, @mine,
       "$source: each is counted once");
    is(ledger($redis)->{"done~:perhaps:$source"}, $sum,
       "$source: the digest tells the same");
}

# ---- traces ----

my $trace = '00-' . 'ab' x 16 . '-' . 'cd' x 8 . '-01';

$receiver->answer(answers => [], always => { status => 200 });
add('hook', 'traced', event => {
    context => { martech => { traceparent => $trace } } });
add('hook', 'untraced', event => {
    context => { martech => { traceparent => "00-x\r\nX: y" } } });
wait_until(sub { resumed($redis, 'hook') && attempts('untraced')
                 && attempts('traced') }, 10, 'both are sent');

my %sent = map { from_json($_->{body})->{messageId} => $_->{headers} }
    $receiver->requests();

is($sent{traced}{traceparent}, $trace, 'the trace goes on in the request');
is((attempts('traced'))[0]{traceparent}, $trace, 'and stands in the log');
ok(!exists $sent{untraced}{traceparent}, 'what is no trace does not');
is($sent{traced}{'accept-encoding'}, 'identity', 'no compression is asked for');

$t->done();
